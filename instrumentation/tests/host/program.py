"""A host program that does a bit of everything and prints what happens to it, in order; its argument is how it ends."""

import asyncio
import gc
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback

import waferscope

logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format="%(levelname)s %(name)s %(message)s")
told = {"waferscope", "opentelemetry"}  # what the wrapper says is its own affair, not the program's
logging.getLogger().handlers[0].addFilter(lambda record: record.name.split(".")[0] not in told)
log = logging.getLogger("host")


class WaferError(Exception):
    pass


def say(*words):
    print(*words, flush=True)


def nested():
    with waferscope.job("lot", lot="L-1", equipment="E-1", shift=object(), weird={"a": 1}) as outer:
        outer.progress(1, 2)
        with waferscope.job("wafer") as inner, inner.step("fit", attempt=3) as step:
            log.info("fitting %s", type(step).__mro__[-1].__name__)
            inner.processed(3)
            inner.record("overlay.x", 1.5, "nm")
            inner.log("said", "info", x=1)
            return sum(inner.track(range(5)))


def failing(error):
    try:
        with waferscope.job("failing") as job, job.step("fit"):
            raise error
    except BaseException as caught:
        last = traceback.extract_tb(caught.__traceback__)[-1]
        same = caught is error
        return type(caught).__name__, str(caught), last.name, last.line, same, caught.__cause__, caught.__context__


@waferscope.job("decorated", lot="L-2")
def generating(count):
    received = []
    try:
        for number in range(count):
            received.append((yield number))
    except WaferError as error:
        yield f"thrown {error}"
    finally:
        say("generator is left after", received)


@waferscope.step("decorated")
def returning(*args, **kwargs):
    return args, kwargs


async def in_tasks():
    @waferscope.job("task")
    async def task(number):
        await asyncio.sleep(0)
        async with waferscope.step("inside"):
            await asyncio.sleep(0)
        return number

    found = await asyncio.gather(*map(task, range(20)))
    cancelled = asyncio.ensure_future(task(1))
    await asyncio.sleep(0)
    cancelled.cancel()
    try:
        await cancelled
    except asyncio.CancelledError:
        say("the task is cancelled")
    return found


def in_threads():
    results = []

    def work(number):
        with waferscope.job("thread") as job, job.step("inside"):
            results.append(number)

    with waferscope.job("threads"):
        threads = [threading.Thread(target=waferscope.carry(work), args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sorted(results)


def in_children():
    with waferscope.job("children") as job, job.step("fork"):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            with waferscope.job("child") as child, child.step("inside"):
                say("in the child", sum(child.track([1, 2, 3])))
            waferscope.flush(0.2)
            os._exit(7)
        say("forked child ended", os.waitpid(pid, 0)[1])
        command = [sys.executable, "-c", "print('of a command'); raise SystemExit(5)"]
        ended = subprocess.run(command, env=waferscope.environment(), capture_output=True, text=True, check=False)
        say("command ended", ended.returncode, ended.stdout.strip())


def with_signal():
    def handler(number, _frame):
        with waferscope.job("handler"):
            say("signal", number)

    signal.signal(signal.SIGUSR1, handler)
    with waferscope.job("signalled"):
        os.kill(os.getpid(), signal.SIGUSR1)


def main(ending):
    random.seed(1)
    waferscope.configure(service="host")
    say("nested", nested())
    say("failing", failing(WaferError("bad wafer")))
    say("failing", failing(KeyboardInterrupt()))
    say("failing", failing(SystemExit(3)))
    made = generating(3)
    say("generator", next(made), made.send("a"), made.throw(WaferError("stop")), list(made))
    made = generating(3)
    next(made)
    made.close()
    del made
    gc.collect()
    say("returned", returning(1, two=2))
    say("tasks", asyncio.run(in_tasks()))
    say("threads", in_threads())
    in_children()
    with_signal()
    say("random", random.random())
    say("exit handlers", signal.getsignal(signal.SIGTERM), threading.current_thread() is threading.main_thread())
    with waferscope.job("last") as job, job.step("end"):
        if ending == "raise":
            raise WaferError("at the end")
        if ending == "exit":
            sys.exit(9)
        if ending == "text":
            sys.exit("no wafer")
        if ending == "interrupt":
            signal.raise_signal(signal.SIGINT)
        if ending == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)
        if ending == "abort":
            os._exit(11)
    say("done")


if __name__ == "__main__":
    main(sys.argv[1])
