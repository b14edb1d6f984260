"""What is told of exceptions: bounded, encodable, and as near to the fault as fits."""

from __future__ import annotations

import os
import tracemalloc
from typing import Any

import pytest

import waferscope
from waferscope._internal import failure


def _raised(error: BaseException, depth: int = 0, cause: BaseException | None = None) -> BaseException:
    with pytest.raises(type(error)) as caught:
        _raise(error, depth, cause)
    return caught.value


def _raise(error: BaseException, depth: int, cause: BaseException | None) -> None:
    if depth == 0:
        raise error from cause
    _deeper(error, depth - 1, cause)


def _deeper(error: BaseException, depth: int, cause: BaseException | None) -> None:
    _raise(error, depth, cause)


def _chain(length: int) -> BaseException:
    error: BaseException = ValueError("first")
    for number in range(length):
        error = _raised(KeyError(f"number {number} " + "x" * 500), cause=error)
    return error


CASES = {
    "plain": _raised(ValueError("bad wafer")),
    "long text": _raised(ValueError("x" * 1_000_000)),
    "many lines": _raised(ValueError("line\n" * 100_000)),
    "deep": _raised(ValueError("bad wafer"), 400),
    "chain": _chain(100),
    "surrogates": _raised(ValueError("can't read wafer-\udce4.csv")),
    "never raised": ValueError("bad wafer"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_told_is_bounded_and_can_be_encoded(case: str) -> None:
    said = failure.described(CASES[case])
    assert len(said["exception.message"]) <= 4096
    assert len(said["exception.stacktrace"]) <= 8192
    assert all(value.encode() for value in said.values())
    assert said["exception.type"] in ("ValueError", "KeyError")
    assert said["exception.type"] in said["exception.stacktrace"]


def test_a_stack_that_is_too_long_keeps_the_place_where_it_was_raised() -> None:
    stack = failure.stack_of(_chain(100))
    assert stack.startswith("[...]\n")
    assert "number 99" in stack.splitlines()[-1]
    deep = failure.stack_of(CASES["deep"])
    assert deep.endswith("ValueError: bad wafer\n")
    assert deep.count("_deeper") > 20
    plain = failure.stack_of(CASES["plain"])
    assert plain.startswith("Traceback (most recent call last):\n")


def test_failed_steps_keep_little_of_long_texts(telemetry: Any) -> None:
    def fail(number: int) -> None:
        with pytest.raises(ValueError, match="x"), waferscope.job("overlay") as job, job.step("fit"):
            raise ValueError("x" * 1_000_000 + str(number))

    fail(0)
    tracemalloc.start()
    try:
        for number in range(100):
            fail(number)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 10_000_000
    (event,) = telemetry.spans()[-1].events
    assert (event.name, event.attributes["exception.type"], event.attributes["exception.escaped"]) == (
        "exception",
        "ValueError",
        "True",
    )


def test_bytes_that_are_no_text_cost_nothing_and_are_not_told(receiver: Any, run: Any) -> None:
    script = r"""
        import logging, waferscope
        waferscope.configure(export_logs="INFO")
        logging.getLogger().addHandler(logging.StreamHandler())
        class WaferError(Exception):
            pass
        for _ in range(5):
            try:
                with waferscope.job("overlay") as job, job.step("fit"):
                    raise ValueError("can't read /data/wafer-\udce4.csv")
            except ValueError:
                logging.exception("failed: %s", "wafer-\udce4", extra={"path": "\udce4"})
        assert waferscope.flush(20)
    """
    environment = {"OTEL_RESOURCE_ATTRIBUTES": os.fsdecode(b"tool=\xe4"), "WAFERSCOPE_SITE": os.fsdecode(b"fab\xe4")}
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **environment)
    assert ended.code == 0
    assert "encode" not in ended.err.lower().replace("surrogates not allowed", "")
    spans = receiver.spans()
    assert [len(span.events) for span in spans] == [1] * 10
    assert {attribute.value.string_value for span in spans for attribute in span.events[0].attributes} >= {
        "can't read /data/wafer-?.csv"
    }
    resource = receiver.messages("/v1/traces")[0].resource_spans[0].resource
    said = {attribute.key: attribute.value.string_value for attribute in resource.attributes}
    assert (said["tool"], said["wafer.site.id"]) == ("?", "fab?")


def test_what_the_encoder_says_of_a_batch_is_kept_out_of_the_hosts_log(receiver: Any, run: Any) -> None:
    script = """
        import waferscope
        from opentelemetry import trace
        waferscope.configure()
        for _ in range(5):
            with trace.get_tracer("host").start_as_current_span("host", attributes={"path": "\\udce4"}):
                pass
        with waferscope.job("overlay"):
            pass
        waferscope.flush(20)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (ended.code, "Traceback" in ended.err) == (0, False), ended.err
    assert "overlay" in [span.name for span in receiver.spans()]
