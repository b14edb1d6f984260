"""The wafer job around a command. Whatever goes wrong in here, the command does not notice."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from waferscope import semconv
from waferscope._internal import guard
from waferscope._internal.commands.child_usage import ChildUsage
from waferscope._internal.commands.progress import Lines, ProgressFile

if TYPE_CHECKING:
    from waferscope._internal.commands.child import Child
    from waferscope._internal.commands.ending import Ending
    from waferscope._internal.job import Job

_JOB_ID = "WAFERSCOPE_JOB_ID"
_PROGRESS = "WAFERSCOPE_PROGRESS"

_TELLING = guard.Boundary("observing the command")


@dataclass(frozen=True, slots=True)
class Description:
    """What the caller says of the job.

    Attributes:
        name: `wafer.job.name`.
        service: `service.name` unless the environment names one; None means the job's name.
        about: Further arguments of `waferscope.job`.
    """

    name: str
    service: str | None
    about: Mapping[str, Any]


class Observation:
    """A job from right before the command is executed until right after its end."""

    def __init__(self, description: Description, pid: int) -> None:
        self.usage = ChildUsage(pid)
        self._description = description
        self._job: Job | None = None
        self._file: ProgressFile | None = None
        self._lines: Lines | None = None

    def begin(self) -> dict[str, str]:
        """Begin the job.

        Returns:
            What the command's environment needs to know of it.
        """
        environment = {_PROGRESS: os.devnull}  # lines may go somewhere, whatever happens
        with _TELLING:
            self.usage.wait_for_command()
        with _TELLING:
            environment[_JOB_ID] = self._begin_job().id
        with _TELLING:
            environment |= _variables()
        if self._job is not None:
            with _TELLING:
                self._lines = Lines(self._job)
                self._file = ProgressFile()
                self._file.follow(self._lines)
                environment[_PROGRESS] = str(self._file.path)
        return environment

    def executed(self) -> None:
        """Note that the process is the command now."""
        with _TELLING:
            self.usage.executed()

    def end(self, ending: Ending, child: Child) -> None:
        """End the job.

        Args:
            ending: How the command ended.
            child: Its process, which has ended.
        """
        with _TELLING:
            if child.used is not None:
                self.usage.ended(child.used)
        with _TELLING:
            if self._file is not None:
                self._file.close()
        if self._job is None:
            return
        with _TELLING:
            self._tell(ending, child.received)
        with _TELLING:
            self._job.__exit__(None, None, None)

    def _begin_job(self) -> Job:
        import waferscope  # noqa: PLC0415 - OpenTelemetry is slow to import: the command's process is there by then

        if not _environment_names_service():
            waferscope.configure(service=self._description.service or self._description.name)
        job = waferscope.job(self._description.name, **self._description.about)
        job._measure(self.usage)
        job.__enter__()
        self._job = job
        return job

    def _tell(self, ending: Ending, received: Collection[int]) -> None:
        run = self._job._running() if self._job is not None else None
        if ending.code is not None and run is not None:
            run.more = {**run.more, semconv.PROCESS_EXIT_CODE: ending.code}
        verb, *said = judge(ending, received, self._lines.verdict if self._lines else None)
        if verb:
            getattr(self._job, verb)(*said)


def judge(ending: Ending, received: Collection[int], verdict: tuple[str, str] | None) -> tuple[str, ...]:
    """Judge the result by what the command said of itself and by how it ended.

    Args:
        ending: How it ended.
        received: Signals that it was sent.
        verdict: What it said, or None. `fail` and `cancel` stand; `skip` needs exit code 0.

    Returns:
        The method of `Job` to call with its arguments, the reason and of a failure the type; ("",) for a success.
    """
    result = ending.result(received)
    if verdict is not None and (result == "success" or verdict[0] != "skip"):
        return (*verdict, ending.reason) if verdict[0] == "fail" and result != "success" else verdict
    if result == "failure":
        return "fail", ending.reason, ending.reason
    return ("cancel", ending.reason) if result == "cancellation" else ("",)


def _environment_names_service() -> bool:
    named = (pair.partition("=")[0].strip() for pair in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name" in named


def _variables() -> dict[str, str]:
    from waferscope._internal.environment import variables  # noqa: PLC0415 - OpenTelemetry is slow to import

    return variables()
