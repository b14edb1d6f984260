"""`waferscope run` changes nothing for the command and its caller, and tells of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="waferscope run needs a POSIX system")

WAFERSCOPE = [sys.executable, "-c", "import sys; from waferscope._internal.cli import main; sys.exit(main())"]
RUN = [*WAFERSCOPE, "run", "--name", "wrapped", "--"]
ENDED = "wafer.job.ended"

Call = Callable[..., "subprocess.CompletedProcess[bytes]"]


def environment(**more: str) -> dict[str, str]:
    own = ("OTEL_", "WAFERSCOPE_", "TRACE", "BAGGAGE")
    return {**{key: value for key, value in os.environ.items() if not key.startswith(own)}, **more}


@pytest.fixture
def call(receiver: Any) -> Call:
    """Run a program to its end; telemetry goes to the receiver."""

    def run(words: list[str], env: dict[str, str] | None = None, **options: Any) -> subprocess.CompletedProcess[bytes]:
        env = environment(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **(env or {}))
        return subprocess.run(words, env=env, capture_output=True, timeout=60, check=False, **options)

    return run


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def ended(receiver: Any) -> dict[str, Any]:
    """The attributes of the only job's end."""
    (found,) = [said for name, said in receiver.events() if name == ENDED]
    return found


@pytest.mark.parametrize("code", [0, 1, 2, 3, 77, 126, 127, 130, 143, 255])
def test_the_exit_code_is_the_commands(call: Call, code: int) -> None:
    assert call([*RUN, *shell(f"exit {code}")]).returncode == code


@pytest.mark.parametrize("files", [5, 6, 7, 8, 9, 10, 12, 16])
def test_the_command_runs_however_few_files_may_be_open(call: Call, files: int) -> None:
    run = call([*shell(f'ulimit -n {files}; exec "$0" "$@"'), *RUN, "echo", "runs"])
    assert (run.returncode, run.stdout) == (0, b"runs\n")


@pytest.mark.parametrize(
    "name", ["TERM", "INT", "HUP", "QUIT", "KILL", "SEGV", "ABRT", "PIPE", "USR1", "ALRM", "RTMIN"]
)
def test_death_by_a_signal_is_the_commands(call: Call, name: str) -> None:
    number = int(getattr(signal, f"SIG{name}"))
    program = f"import os, signal; {number} == 9 or signal.signal({number}, 0); os.kill(os.getpid(), {number})"
    script = [sys.executable, "-c", program]
    assert call([*RUN, *script]).returncode == call(script).returncode == -number


@pytest.mark.parametrize("words", [["no-such-command"], ["/etc/passwd"], ["/etc/passwd/x"], ["/"], [""]], ids=repr)
def test_what_can_not_be_executed_ends_as_in_a_shell(call: Call, receiver: Any, words: list[str]) -> None:
    done = call([*RUN, *words])
    assert done.returncode == call(["sh", "-c", '"$@"', "sh", *words]).returncode
    assert done.stderr.startswith(f"waferscope run: {words[0]}: ".encode())
    assert ended(receiver)["wafer.job.result"] == "failure"  # needs Job.fail
    assert ended(receiver)["error.type"] == ("not found" if done.returncode == 127 else "not executable")


def test_a_script_without_an_interpreter_is_a_shell_script(call: Call, tmp_path: Path) -> None:
    script = tmp_path / "plain"
    script.write_text("echo plain $1\n")
    script.chmod(0o700)
    assert call([*RUN, "plain", "here"], {"PATH": f"{tmp_path}:{os.environ['PATH']}"}).stdout == b"plain here\n"


def test_bytes_pass_unchanged(call: Call) -> None:
    sent = os.urandom(300_000)
    done = call([*RUN, *shell("tee /dev/stderr")], input=sent)
    assert (done.stdout, done.stderr) == (sent, sent)


def test_further_open_files_and_odd_arguments_reach_the_command(call: Call) -> None:
    reading, writing = os.pipe()
    word = b"\xff --name \n"
    done = call([*RUN, "sh", "-c", 'printf %s "$1" > /dev/fd/$2', "sh", word, str(writing)], pass_fds=[writing])  # type: ignore[list-item]
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        assert (done.returncode, file.read()) == (0, word)


def _peculiar() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM})
    os.umask(0o027)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("before", [None, _peculiar], ids=["ordinary", "peculiar"])
def test_the_commands_process_is_as_without_us(call: Call, before: Any) -> None:
    script = shell("grep -E '^(Sig(Blk|Ign|Cgt)|Umask|Seccomp)' /proc/self/status; ls /proc/self/fd; ulimit -a; exit 5")
    script[0] = (
        "/bin/sh"  # as RUN a path: by it `subprocess` chooses between two ways, which differ in what they ignore
    )
    wrapped, plain = (call([*words, *script], preexec_fn=before) for words in (RUN, []))
    assert (wrapped.returncode, wrapped.stdout) == (plain.returncode, plain.stdout)


def test_the_environment_gains_what_is_documented_and_nothing_else(call: Call) -> None:
    bare = {"PATH": os.environ["PATH"], "ODD": "a=b\n\udcff"}
    for variable in ("LANG", "LC_ALL", "LC_CTYPE"):
        bare[variable] = ""
    wrapped, plain = (call([*words, "env", "-0"], bare).stdout.split(b"\0") for words in (RUN, []))
    gained = {entry.partition(b"=")[0] for entry in set(wrapped) - set(plain)}
    assert gained - {b"BAGGAGE"} == {b"TRACEPARENT", b"WAFERSCOPE_JOB_ID", b"WAFERSCOPE_PROGRESS"}
    assert set(plain) <= set(wrapped)


def test_the_command_knows_its_job(call: Call, receiver: Any) -> None:
    done = call([*RUN, *shell("echo $TRACEPARENT $WAFERSCOPE_JOB_ID")])
    traceparent, job_id = done.stdout.decode().split()
    (span,) = receiver.spans()
    assert traceparent.split("-")[1:3] == [span.trace_id.hex(), span.span_id.hex()]
    assert ended(receiver)["wafer.job.id"] == job_id


def test_the_caller_describes_the_job(call: Call, receiver: Any) -> None:
    ids = "run --lot L1 --equipment E1 --recipe R1 --carrier C1 --substrate S1 --operation O1 --module M1 --id J1"
    words = [*ids.split(), "--attempt", "2", "--attribute", "fab.line=7"]
    assert call([*WAFERSCOPE, *words, "/bin/true"]).returncode == 0
    wanted = {
        "wafer.job.name": "true", "wafer.lot.id": "L1", "wafer.equipment.id": "E1", "wafer.recipe.id": "R1",
        "wafer.carrier.id": "C1", "wafer.substrate.id": "S1", "wafer.operation.id": "O1", "wafer.module.id": "M1",
        "wafer.job.id": "J1", "wafer.job.attempt": 2, "fab.line": "7", "wafer.job.result": "success",
    }  # fmt: skip
    assert wanted.items() <= ended(receiver).items()


def test_the_time_in_the_queue_is_told(call: Call, receiver: Any) -> None:
    """Needs `queued_at` of `waferscope.job`."""
    call([*WAFERSCOPE, "run", "--queued-at", str(time.time() - 60), "true"])
    assert 60 <= ended(receiver)["wafer.job.queue.time"] < 90


@pytest.mark.parametrize(
    ("words", "named", "service"),
    [([], {}, "true"), (["--service", "s"], {}, "s"), (["--service", "s"], {"OTEL_SERVICE_NAME": "env"}, "env"),
     ([], {"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=env"}, "env")],
)  # fmt: skip
def test_the_service_is_that_of_the_environment_else_the_callers_else_the_job(
    call: Call, receiver: Any, words: list[str], named: dict[str, str], service: str
) -> None:
    call([*WAFERSCOPE, "run", *words, "true"], named)
    assert receiver.resources("/v1/logs")[0]["service.name"] == service


@pytest.mark.parametrize(
    "words", [["--attempt", "two"], ["--queued-at", "yesterday"], ["--attribute", "nothing"], ["--lot", ""]], ids=repr
)
def test_a_value_that_can_not_be_read_does_not_keep_the_command_from_running(call: Call, words: list[str]) -> None:
    done = call([*WAFERSCOPE, "run", *words, "--", "echo", "runs"])
    assert (done.returncode, done.stdout) == (0, b"runs\n")
    assert words[1].encode() in done.stderr


@pytest.mark.parametrize(
    "words", [["run"], ["run", "--"], ["run", "--nam", "x", "true"], ["run", "--nope", "--", "true"]]
)
def test_a_wrong_call_runs_nothing(call: Call, words: list[str]) -> None:
    assert call([*WAFERSCOPE, *words]).returncode == 2


def test_the_commands_own_options_and_separators_are_left_alone(call: Call) -> None:
    assert call([*RUN, "echo", "--", "--name", "x", "--"]).stdout == b"-- --name x --\n"


@pytest.mark.parametrize(
    "env",
    [
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense"},
        {"OTEL_PROPAGATORS": "nonsense"},
        {"OTEL_TRACES_EXPORTER": "nonsense", "OTEL_TRACES_SAMPLER": "nonsense"},
        {"TMPDIR": "/nowhere", "TEMP": "/nowhere", "TMP": "/nowhere"},
        {"WAFERSCOPE_HEARTBEAT_INTERVAL": "often"},
    ],
    ids=str,
)
def test_the_command_runs_the_same_whatever_becomes_of_the_telemetry(env: dict[str, str]) -> None:
    script = 'echo progress 1 >> "$WAFERSCOPE_PROGRESS" && cat && exit 9'
    done = subprocess.run(
        [*RUN, *shell(script)], env=environment(**env), input=b"in", capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (9, b"in")


def test_a_fault_of_ours_does_not_touch_the_command(call: Call, tmp_path: Path) -> None:
    broken = "import psutil, waferscope; waferscope.job = waferscope.configure = psutil.Process = None"
    (tmp_path / "sitecustomize.py").write_text(broken)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = call([*RUN, *shell("cat; exit 9")], {"PYTHONPATH": path}, input=b"in")
    assert (done.returncode, done.stdout) == (9, b"in")


def test_the_end_waits_for_telemetry_no_longer_than_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        env = environment(
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}", WAFERSCOPE_FLUSH_TIMEOUT="1"
        )
        began = time.monotonic()
        done = subprocess.run([*RUN, *shell("exit 4")], env=env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 4
    assert time.monotonic() - began < 6  # interpreter and imports included


@pytest.mark.parametrize(
    ("script", "result", "error"),
    [
        ("exit 0", "success", None),
        ("exit 3", "failure", "exit 3"),
        ("kill -SEGV $$", "failure", "SIGSEGV"),
        ("kill -KILL $$", "failure", "SIGKILL"),
        ("kill -TERM $$", "cancellation", None),
        ("exit 143", "failure", "exit 143"),
        ("echo skip no wafers >> $WAFERSCOPE_PROGRESS", "skip", None),
        ("echo skip no wafers >> $WAFERSCOPE_PROGRESS; exit 3", "failure", "exit 3"),
        ("echo fail out of focus >> $WAFERSCOPE_PROGRESS; exit 3", "failure", "exit 3"),
        ("echo cancel by operator >> $WAFERSCOPE_PROGRESS; exit 3", "cancellation", None),
    ],
)
def test_the_result_follows_from_the_end_and_from_what_the_command_said(
    call: Call, receiver: Any, script: str, result: str, error: str | None
) -> None:
    """All but the first need Job.fail, skip and cancel."""
    call([*RUN, *shell(script)])
    said = ended(receiver)
    assert (said["wafer.job.result"], said.get("error.type")) == (result, error)


def test_the_reason_is_the_commands_own(call: Call, receiver: Any) -> None:
    """Needs Job.fail."""
    call([*RUN, *shell("echo fail out of focus >> $WAFERSCOPE_PROGRESS; exit 3")])
    assert ended(receiver)["wafer.job.result_reason"] == "out of focus"


def test_progress_steps_and_counts_come_from_the_file(call: Call, receiver: Any) -> None:
    lines = "step load\\nprogress 1 4\\nprocessed 2\\nstep fit\\nprocessed 1\\nprogress 3 4\\nstep\\nprogress 4 4"
    call([*RUN, *shell(f"printf '{lines}' >> $WAFERSCOPE_PROGRESS")])
    said = ended(receiver)
    assert (said["wafer.job.progress.done"], said["wafer.job.progress.total"]) == (4.0, 4.0)
    assert [span.name for span in receiver.spans()] == ["load", "fit", "wrapped"]
    assert sum(point.as_int or point.as_double for point in receiver.points("wafer.substrate.processed")) == 3


def test_heartbeats_tell_progress_while_the_command_runs(receiver: Any, until: Any) -> None:
    env = environment(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, WAFERSCOPE_HEARTBEAT_INTERVAL="0.2")
    script = shell('echo "progress 7 9" >> $WAFERSCOPE_PROGRESS; echo "step fit" >> $WAFERSCOPE_PROGRESS; read _')
    with subprocess.Popen([*RUN, *script], env=env, stdin=subprocess.PIPE) as process:
        until(
            lambda: any(
                said.get("wafer.job.progress.done") == 7.0 and said.get("wafer.step.name") == "fit"
                for name, said in receiver.events()
                if name == "wafer.job.heartbeat"
            )
        )
        process.communicate(b"\n", timeout=60)


def test_the_file_is_the_owners_and_removed(call: Call) -> None:
    done = call(
        [
            *RUN,
            *shell(
                'stat -c "%a" "$WAFERSCOPE_PROGRESS" "$(dirname "$WAFERSCOPE_PROGRESS")"; echo "$WAFERSCOPE_PROGRESS"'
            ),
        ]
    )
    *modes, path = done.stdout.decode().split()
    assert modes == ["600", "700"]
    assert not Path(path).parent.exists()


def test_lines_that_mean_nothing_are_told_once(call: Call) -> None:
    done = call([*RUN, *shell('printf "what\\nprogress x\\nprocessed -1\\n\\n" >> $WAFERSCOPE_PROGRESS; exit 2')])
    assert done.returncode == 2
    told = [line for line in done.stderr.decode().splitlines() if "not understood" in line]
    assert told == ["WAFERSCOPE_PROGRESS: 3 line(s) were not understood, the first one: 'what'"]


def test_the_job_uses_what_the_command_uses_and_tells_its_exit_code(call: Call, receiver: Any) -> None:
    busy = "import time; block = b'x' * 200_000_000\nwhile time.process_time() < 0.4: pass\nraise SystemExit(3)"
    assert call([*RUN, sys.executable, "-c", busy]).returncode == 3
    said = ended(receiver)
    assert said["wafer.job.cpu.user"] + said["wafer.job.cpu.system"] >= 0.4
    assert said["wafer.job.memory.max"] >= 200_000_000
    assert said["process.exit.code"] == 3
    (span,) = [item for item in receiver.spans() if item.name == "wrapped"]
    assert {item.key: item.value.int_value for item in span.attributes}["process.exit.code"] == 3


def test_a_command_smaller_than_python_has_its_own_highest_memory(call: Call, receiver: Any) -> None:
    assert call([*RUN, *shell("sleep 2")]).returncode == 0
    said = ended(receiver)
    assert 0 < said["wafer.job.memory.current"] <= said["wafer.job.memory.max"] < 12_000_000


def test_a_command_within_a_job_is_its_subjob(call: Call, receiver: Any) -> None:
    """The caller's context arrives by the environment: TRACEPARENT and BAGGAGE."""
    inner = [*RUN, "true"]
    assert call([*WAFERSCOPE, "run", "--name", "outer", "--lot", "LOT-1", "--", *inner]).returncode == 0
    said = {item["wafer.job.name"]: item for name, item in receiver.events() if name == ENDED}
    assert said["wrapped"]["wafer.job.parent.id"] == said["outer"]["wafer.job.id"]
    assert said["wrapped"]["wafer.lot.id"] == "LOT-1"
    assert len({span.trace_id for span in receiver.spans()}) == 1
