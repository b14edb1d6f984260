"""The pipeline of this process: made by `configure` or the first job, renewed in forked children, flushed at exit."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - its fork hooks must be registered before ours may wait for an import of it
import os
import sys
import threading
from contextlib import suppress

from waferscope._internal import arguments, correlation, guard, ids
from waferscope._internal.runtime import Runtime
from waferscope._internal.settings import Settings, load
from waferscope._internal.termination import Termination

_FORK_PATIENCE = 30.0  # s
_APPLICATIONS = 16  # of the predecessor's in one process, each with a pipeline of its own


class _Process:
    """What there is once per process. `runtime` is None in a disabled wrapper, or when it could not be made."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.configured = False
        self.making = False
        self.runtime: Runtime | None = None
        self.retired: list[Runtime] = []  # replaced ones whose jobs still run
        self.others: dict[tuple[str | None, ...], Runtime] = {}  # of the predecessor's further applications
        self.termination = Termination(self.close)

    def configure(self, settings: Settings) -> None:
        """Make the pipeline, in the place of one made before; jobs that run keep theirs to their end."""
        with self.lock:
            before = self.runtime
            self._make(settings)
        if before is not None:
            replaced = [*self.retired, before]
            for runtime in replaced:
                runtime.settle()
            self.retired = [runtime for runtime in replaced if not runtime.retire()]

    def ensure(self) -> None:
        """Make the pipeline from the environment unless it is made."""
        with self.lock:
            if not self.configured:
                self._make(load())

    def replace(self, runtime: Runtime | None) -> Runtime | None:
        """Put another pipeline in place, for a test; give the one before."""
        with self.lock:
            before, self.runtime = self.runtime, runtime
            self.configured = runtime is not None  # else the next job configures anew
        return before

    def of(self, settings: Settings) -> Runtime | None:
        """Give the pipeline of the predecessor's application at a site: the first one is the process's own."""
        with self.lock:
            if not self.configured:
                self._make(settings)
            own = self.runtime
            if own is None or own.captures or (own.settings.site, own.service) == (settings.site, settings.service):
                return own
            key = settings.site, settings.service, settings.version
            if key not in self.others and len(self.others) < _APPLICATIONS:
                self.others[key] = Runtime(settings)
            return self.others.get(key, own)

    def runtimes(self) -> list[Runtime]:
        """Give all pipelines that may still have something to send."""
        return [*self.retired, *self.others.values(), *((self.runtime,) if self.runtime is not None else ())]

    def close(self) -> None:
        """End what still runs and send what there is, in bounded time."""
        for runtime in self.runtimes():
            with guard.FLUSH:
                runtime.close("SIGTERM" if self.termination.received else "the process ended")

    def exit(self) -> None:
        """Do the last things of a process."""
        with guard.FLUSH:
            self.close()
        with guard.SIGNAL:
            self.termination.stop()

    def before_fork(self) -> None:
        """Let a pipeline that is being made be finished: the child would inherit its half-done imports, locked."""
        with guard.FORK:
            self.lock.acquire(timeout=_FORK_PATIENCE)
        with guard.FORK:
            self.termination.pause()

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        with guard.FORK:
            self.termination.go_on()
        with suppress(RuntimeError):  # it was not to be had in time
            self.lock.release()

    def after_fork_in_child(self) -> None:
        """Make the copy fit for use: each part on its own, whatever happens to the others."""
        self.lock = threading.RLock()
        for boundary in guard.BOUNDARIES:
            boundary.reset()
        for renew in (ids.reseed, self.termination.renew, *(runtime.renew for runtime in self.runtimes())):
            with guard.FORK:
                renew()

    def start(self, runtime: Runtime) -> None:
        """Start a pipeline's threads in this process and see to the process's end."""
        with guard.CONFIGURE:
            try:
                if runtime.start():
                    _at_end_of_process()
                    self.termination.watch()
            except BaseException as error:
                if guard.passes(error, error.__traceback__):  # else it would be tried again, and again in vain
                    runtime.started = False
                raise

    def _make(self, settings: Settings) -> None:
        if self.making:  # a signal handler of the host's runs a job amid it, in the same thread: it goes untold
            return
        self.making, self.runtime = True, None
        try:
            arguments.be_strict(settings.strict)
            with guard.CONFIGURE:
                correlation.install()
                if not settings.disabled:
                    self.runtime = Runtime(settings)
            self.configured = True
        finally:
            self.making = False


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_process.before_fork,
        after_in_parent=_process.after_fork_in_parent,
        after_in_child=_process.after_fork_in_child,
    )


def configure(settings: Settings) -> None:
    """Make this process's pipeline; a later call replaces it."""
    _process.configure(settings)


def is_captured() -> bool:
    """Whether a test holds what this process tells."""
    runtime = _process.runtime
    return runtime is not None and runtime.captures


def is_disabled() -> bool:
    """Whether nothing is recorded in this process, as far as that is decided yet."""
    return _process.runtime is None and _process.configured


def current() -> Runtime | None:
    """Give this process's pipeline, ready for use; made from the environment if nothing configured it.

    Returns:
        None when the wrapper is disabled.
    """
    runtime = _process.runtime
    if runtime is None:
        if _process.configured:
            return None
        _process.ensure()
        runtime = _process.runtime
    if runtime is not None and not runtime.started:
        _process.start(runtime)
    return runtime


def of(settings: Settings) -> Runtime | None:
    """Give a pipeline for site and service, beside the process's own where that is another's; ready for use.

    Args:
        settings: Of an application of the predecessor's.
    """
    runtime = _process.of(settings)
    if runtime is not None and not runtime.started:
        _process.start(runtime)
    return runtime


def start(runtime: Runtime) -> None:
    """Make a pipeline ready for use in this process, which may be a forked child of the one that made it."""
    _process.start(runtime)


def replace(runtime: Runtime | None) -> Runtime | None:
    """Put another pipeline in place, for a test; give the one before."""
    return _process.replace(runtime)


def flush(timeout: float) -> bool:
    """Send what this process has recorded.

    Args:
        timeout: Seconds to wait at most.

    Returns:
        Whether all of it was handed over in time.
    """
    return all([runtime.flush(timeout) for runtime in _process.runtimes() if runtime.started])  # noqa: C419 - all of them


def _exit() -> None:
    _process.exit()


def _finalize(_: _Process) -> None:
    from multiprocessing import util  # noqa: PLC0415 - it calls this

    with guard.FORK:
        if any(runtime.started for runtime in _process.runtimes()):
            util.Finalize(None, _exit, exitpriority=100)


def _at_end_of_process() -> None:
    """Flush when this process ends; multiprocessing's forked children leave by `os._exit`, past `atexit`."""
    atexit.unregister(_exit)  # inherited over a fork
    atexit.register(_exit)
    if "multiprocessing.util" in sys.modules:
        from multiprocessing import parent_process, util  # noqa: PLC0415 - loaded already, by the host

        if parent_process() is not None:
            util.Finalize(None, _exit, exitpriority=100)
        else:
            # Perhaps a child that does not know yet to be one: what it is to run, and with it a job, arrives before.
            # It then forgets all finalizers and calls this.
            util.register_after_fork(_process, _finalize)
