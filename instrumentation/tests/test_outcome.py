"""How a job or a step ended: what its author declared, and what was raised through it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import signal
import sys
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

import waferscope
from waferscope._internal import outcome


class _OddCodeError(SystemExit):
    """Leaves with a code that no comparison answers."""

    class Code:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise ValueError("ambiguous")

        def __repr__(self) -> str:
            return "Code()"


def _ended(telemetry: Any) -> dict[str, Any]:
    name, said = telemetry.events()[-1]
    assert name == "wafer.job.ended"
    return said


@pytest.mark.parametrize(
    ("declare", "result", "status"),
    [
        ("fail", "failure", StatusCode.ERROR),
        ("skip", "skip", StatusCode.UNSET),
        ("cancel", "cancellation", StatusCode.UNSET),
    ],
)
def test_what_is_declared_is_told_with_its_reason(telemetry: Any, declare: str, result: str, status: Any) -> None:
    with waferscope.job("overlay") as job, job.step("fit") as step:
        getattr(step, declare)("no marks found")
        getattr(job, declare)("no wafers left")
    (attributes,) = telemetry.metrics()["wafer.job.duration"]
    fit, whole = telemetry.spans()
    assert (fit.attributes["wafer.step.result"], fit.attributes["wafer.step.result_reason"]) == (
        result,
        "no marks found",
    )
    ended = _ended(telemetry)
    for said in (ended, whole.attributes):
        assert (said["wafer.job.result"], said["wafer.job.result_reason"]) == (result, "no wafers left")
    assert fit.status.status_code is whole.status.status_code is status
    assert ("wafer.job.result", result) in attributes


def test_a_declared_failure_counts_by_the_type_that_its_author_names(telemetry: Any) -> None:
    for kind in ({}, {"error_type": "NoMarks"}):
        with waferscope.job("overlay") as job:
            job.fail("none found", **kind)
    errors = telemetry.metrics()["wafer.job.errors"]
    assert sorted(dict(attributes)["error.type"] for attributes in errors) == ["NoMarks", "_OTHER"]


def test_the_last_declaration_wins_and_an_exception_wins_over_it(telemetry: Any) -> None:
    with waferscope.job("overlay") as job:
        job.fail("first")
        job.skip("second")
    assert _ended(telemetry)["wafer.job.result_reason"] == "second"
    with pytest.raises(ValueError, match="bad"), waferscope.job("overlay") as job:  # noqa: PT012 - what the job is told
        job.skip("nothing to do")
        raise ValueError("bad")
    ended = _ended(telemetry)
    assert (ended["wafer.job.result"], ended["error.type"]) == ("failure", "ValueError")
    assert "wafer.job.result_reason" not in ended


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (SystemExit(128 + signal.SIGTERM), "cancellation"),
        (SystemExit(128 + signal.SIGINT), "cancellation"),
        (SystemExit("out of disk"), "failure"),
        (SystemExit(0.0), "success"),
        (_OddCodeError(_OddCodeError.Code()), "failure"),
        (GeneratorExit(), "cancellation"),
        (concurrent.futures.CancelledError(), "cancellation"),
        (asyncio.TimeoutError(), "failure"),
        (MemoryError(), "failure"),
    ],
    ids=repr,
)
def test_an_order_to_stop_is_told_apart_from_a_failure(telemetry: Any, error: BaseException, result: str) -> None:
    with pytest.raises(type(error)) as caught, waferscope.job("overlay"):
        raise error
    assert caught.value is error
    assert _ended(telemetry)["wafer.job.result"] == result


def test_a_declaration_wins_over_sys_exit(telemetry: Any) -> None:
    with pytest.raises(SystemExit), waferscope.job("overlay") as job:  # noqa: PT012 - what the job is told
        job.skip("nothing to do")
        sys.exit(3)
    assert _ended(telemetry)["wafer.job.result"] == "skip"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups are of Python 3.11")
def test_a_group_is_a_cancellation_only_if_all_of_it_is() -> None:
    group: Any = BaseExceptionGroup  # noqa: F821 - see skipif
    cancelled = asyncio.CancelledError()
    assert outcome.is_cancellation(group("", [cancelled, group("", [KeyboardInterrupt()])]))
    assert not outcome.is_cancellation(group("", [cancelled, group("", [ValueError()])]))


def test_a_foreign_cancellation_is_known_by_its_name() -> None:
    cancelled = type("Cancelled", (BaseException,), {"__module__": "trio"})
    assert outcome.of(cancelled()).result == "cancellation"
    assert outcome.of(type("Cancelled", (BaseException,), {})()).result == "failure"


async def test_a_timeout_that_cancels_the_work_is_a_cancelled_job(telemetry: Any) -> None:
    @waferscope.job("overlay")
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(forever(), 0.01)
    assert _ended(telemetry)["wafer.job.result"] == "cancellation"


def test_a_retry_is_the_next_attempt_at_the_same_job(telemetry: Any) -> None:
    job = waferscope.job("overlay", id="J-1", lot="L", queued_at=1.7e9, shift="night")
    for left in (1, 0):
        with pytest.raises(ValueError, match="bad"), job:
            raise ValueError("bad")
        job = job.retry() if left else job
    with job.retry() as last:
        assert waferscope.current_job() is last
    started = [said for name, said in telemetry.events() if name == "wafer.job.started"]
    assert [said["wafer.job.attempt"] for said in started] == [1, 2, 3]
    assert {(said["wafer.job.id"], said["wafer.lot.id"], said["shift"]) for said in started} == {("J-1", "L", "night")}
    assert [said["wafer.job.sequence"] for said in started] == [0, 0, 0]
    assert ["wafer.job.queue.time" in said for said in started] == [True, False, False]


def test_a_job_entered_within_itself_ends_with_the_outer_block(telemetry: Any) -> None:
    with waferscope.job("overlay") as job:
        with job:
            pass
        assert waferscope.current_job() is job
        with job.step("fit") as step:
            with step:
                pass
            assert waferscope.current_step() is step
            step.fail("after the inner block")
        job.fail("after the inner block")
    assert [span.status.status_code for span in telemetry.spans()] == [StatusCode.ERROR] * 2
    assert len(telemetry.events()) == 2


def test_without_a_job_there_is_nothing_to_declare_or_to_retry(telemetry: Any) -> None:
    nobody = waferscope.current_job()
    nobody.fail("nothing")
    waferscope.current_step().fail("nothing")
    with nobody.retry() as job:
        assert waferscope.current_job() is job is nobody
    assert telemetry.events() == telemetry.spans() == []
