"""The job and the step that code runs in, told without knowing who called it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from waferscope._internal import context, guard
from waferscope._internal.job import Job
from waferscope._internal.spec import UNKNOWN
from waferscope._internal.step import Step

if TYPE_CHECKING:
    from waferscope._internal.outcome import Outcome
    from waferscope._internal.run import Run


class _NoJob(Job):
    """What code outside of any job runs in: takes everything, tells nothing, keeps nothing."""

    __slots__ = ()

    def _begin(self) -> None:
        """Begin nothing."""

    def _finish(self, error: BaseException | None) -> None:
        """End nothing."""

    def _declare(self, how: Outcome) -> None:
        """Keep nothing."""

    def retry(self) -> Job:
        """Try nothing again."""
        return self

    def _running(self) -> Run | None:
        """Tell nothing."""
        return None


class _NoStep(Step):
    """What code outside of any step runs in."""

    __slots__ = ()

    def _begin(self) -> None:
        """Begin nothing."""

    def _finish(self, error: BaseException | None) -> None:
        """End nothing."""

    def _declare(self, how: Outcome) -> None:
        """Keep nothing."""


_NO_JOB = _NoJob(UNKNOWN)
_NO_STEP = _NoStep(lambda: _NO_JOB, "unknown", {})


def current_job() -> Job:
    """Give the job that this code runs in.

    Returns:
        The innermost one; outside of any a job that records nothing, so that a function may name its steps and
        progress without knowing who calls it.
    """
    with guard.CONTEXT:
        return context.job_of(context.current()) or _NO_JOB
    return _NO_JOB


def current_step() -> Step:
    """Give the step that this code runs in.

    Returns:
        The innermost one of the current job; outside of any a step that records nothing.
    """
    with guard.CONTEXT:
        return context.step_of(context.current()) or _NO_STEP
    return _NO_STEP
