"""Events of jobs fold into one row per run, whatever the order, repetition and grouping they come in."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from writer_support import otlp
from writer_support.otlp import NOW, SECOND
from writer_support.running import WriterUnderTest, running

from waferscope_schemas.database import connect

# Columns that are set by the database's clock.
CLOCKS = ("inserted_at", "xid", "clock_offset", "heard_at")


async def runs(conn: asyncpg.Connection) -> list[dict[str, Any]]:
    rows = await conn.fetch("select * from wafer.job_run order by site, job_id, attempt")
    return [{key: value for key, value in row.items() if key not in CLOCKS} for row in rows]


def lifecycle() -> list[logs_pb2.LogRecord]:
    return [
        otlp.job_event(
            "started", 0, NOW, wafer__lot__id="L1", wafer__job__elapsed=0.0, wafer__job__heartbeat__interval=5.0
        ),
        otlp.job_event(
            "heartbeat",
            1,
            NOW + 5 * SECOND,
            wafer__lot__id="L1",
            wafer__job__elapsed=5.0,
            wafer__job__progress__done=3.0,
        ),
        otlp.job_event(
            "heartbeat", 2, NOW + 10 * SECOND, wafer__job__elapsed=10.0, wafer__step__name="fit", wafer__step__index=1
        ),
        otlp.job_event(
            "ended",
            3,
            NOW + 12 * SECOND,
            wafer__job__elapsed=12.0,
            wafer__job__result="failure",
            error__type="ValueError",
            exception__message="no marks\0",
            wafer__job__memory__max=2**40,
            shift="night",
        ),
    ]


async def test_a_run_shows_what_its_events_said(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    await writer.send("logs", otlp.logs(*lifecycle()))
    (run,) = await runs(conn)
    start = run["started_at"].timestamp()
    assert (run["site"], run["job_id"], run["attempt"], run["name"]) == ("fab1", "J1", 1, "overlay fit")
    assert (run["service"], run["version"], run["host"], run["lot"]) == ("overlay", "1.2.0", "tool7", "L1")
    assert (run["result"], run["sequence"], run["duration_s"], start) == ("failure", 3, 12.0, NOW / SECOND)
    assert (run["ended_at"].timestamp() - start, run["heartbeat_at"].timestamp() - start) == (12, 12)
    assert (run["progress_done"], run["step_name"], run["step_index"]) == (3.0, "fit", 1)
    assert (run["error_type"], run["error_message"], run["memory_peak_bytes"]) == ("ValueError", "no marks�", 2**40)
    assert (run["trace_id"], run["span_id"]) == (bytes(range(16)), bytes(range(8)))
    assert (json.loads(run["attributes"]), run["heartbeat_interval"]) == ({"shift": "night"}, 5.0)
    assert await conn.fetchval("select count(*) from wafer.job_event") == 4
    assert await conn.fetchval("select count(*) from wafer.log_record") == 0
    assert await conn.fetchval("select status from wafer.jobs") == "failed"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"wafer__job__result_reason": "no targets"}, "no targets"),
        ({"wafer__job__result_reason": "no targets", "exception__message": "boom"}, "boom"),
        ({}, None),
    ],
)
async def test_a_run_that_raised_nothing_shows_the_reason_that_was_declared(
    writer: WriterUnderTest, conn: asyncpg.Connection, said: dict[str, str], message: str | None
) -> None:
    await writer.send("logs", otlp.logs(otlp.job_event("ended", 1, wafer__job__result="skip", **said)))
    (run,) = await runs(conn)
    assert (run["error_message"], run["attributes"]) == (message, "{}")


async def test_a_late_heartbeat_does_not_reopen_an_ended_run(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    events = lifecycle()
    await writer.send("logs", otlp.logs(events[3]))
    late = otlp.job_event("heartbeat", 9, NOW + 60 * SECOND, wafer__lot__id="L2", wafer__job__progress__done=1.0)
    await writer.send("logs", otlp.logs(late))
    (run,) = await runs(conn)
    assert (run["result"], run["sequence"], run["ended_at"].timestamp()) == ("failure", 3, NOW / SECOND + 12)
    assert (run["lot"], run["progress_done"]) == ("L2", 1.0)  # the end did not name them


async def test_a_repeated_event_leaves_the_run_alone(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    events = lifecycle()
    await writer.send("logs", otlp.logs(*events))
    before = await conn.fetchrow("select * from wafer.job_run")
    await writer.send("logs", otlp.logs(events[1]))
    await writer.send("logs", otlp.logs(events[3], events[2]))
    assert await conn.fetchrow("select * from wafer.job_run") == before


async def test_every_change_of_a_run_is_in_the_feed(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    seen = set()
    for event in lifecycle():
        await writer.send("logs", otlp.logs(event))
        seen.add(await conn.fetchval("select xid::text from wafer.job_run"))
    assert len(seen) == 4


async def test_the_clock_offset_is_the_least_that_was_seen(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    await writer.send("logs", otlp.logs(otlp.job_event("started", 0, NOW - 7200 * SECOND)))
    spooled = await conn.fetchval("select clock_offset from wafer.job_run")
    await writer.send("logs", otlp.logs(otlp.job_event("heartbeat", 1, NOW - 60 * SECOND)))
    assert spooled >= 7200
    assert 60 <= await conn.fetchval("select clock_offset from wafer.job_run") < spooled - 7000


async def test_a_run_whose_host_set_its_clock_back_lives_as_long_as_it_is_heard(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    hour = 3600 * SECOND
    await writer.send("logs", otlp.logs(otlp.job_event("started", 0, NOW)))
    began = await conn.fetchval("select heard_at from wafer.job_run")
    await writer.send("logs", otlp.logs(otlp.job_event("heartbeat", 1, NOW - hour)))
    await conn.execute("update wafer.job_run set heartbeat_at = heartbeat_at - interval '1 hour'")  # an hour goes by
    assert await conn.fetchval("select status from wafer.jobs") == "running"
    assert await conn.fetchval("select heard_at from wafer.job_run") > began


_VALUES = st.sampled_from(["a", "B", "b", None])


@st.composite
def _events(draw: st.DrawFn) -> list[logs_pb2.LogRecord]:
    """Events of one run, in any state of disorder: repeated sequences, several ends, missing attributes."""
    made = []
    for _ in range(draw(st.integers(1, 6))):
        more: dict[str, Any] = {"wafer__job__elapsed": float(draw(st.integers(0, 9)))}
        for key in ("wafer__lot__id", "wafer__step__name", "shift"):
            if (value := draw(_VALUES)) is not None:
                more[key] = value
        name = draw(st.sampled_from(["started", "heartbeat", "ended"]))
        if name == "ended":
            more["wafer__job__result"] = draw(st.sampled_from(["success", "failure"]))
        made.append(otlp.job_event(name, draw(st.integers(0, 3)), NOW + draw(st.integers(0, 3)) * SECOND, **more))
    unique = {(e.time_unix_nano, otlp_sequence(e)): e for e in made}
    return list(unique.values())


def otlp_sequence(event: logs_pb2.LogRecord) -> int:
    return next(item.value.int_value for item in event.attributes if item.key == "wafer.job.sequence")


@st.composite
def _deliveries(draw: st.DrawFn) -> tuple[list[logs_pb2.LogRecord], list[list[logs_pb2.LogRecord]]]:
    """Events in order, and the same shuffled, some repeated, cut into requests."""
    events = draw(_events())
    sent = draw(st.permutations(events + draw(st.lists(st.sampled_from(events), max_size=3))))
    cuts = sorted(draw(st.lists(st.integers(0, len(sent)), max_size=3)))
    return events, [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True) if a < b]


@given(_deliveries())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_repetition_and_grouping_do_not_matter(
    database_url: str, delivery: tuple[list[logs_pb2.LogRecord], list[list[logs_pb2.LogRecord]]]
) -> None:
    events, groups = delivery

    async def folded() -> list[list[dict[str, Any]]]:
        conn = await connect(database_url)
        results = []
        async with running(database_url) as writer:
            for requests in ([events], groups):
                await conn.execute("truncate wafer.job_run, wafer.job_event, wafer.ingest_batch cascade")
                for request in requests:
                    await writer.send("logs", otlp.logs(*request))
                results.append(await runs(conn))
        await conn.close()
        return results

    first, second = asyncio.run(folded())
    assert first == second


async def test_events_without_a_sequence_fold_at_once_and_the_greatest_value_stays(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    def event(second: int) -> logs_pb2.LogRecord:
        own = {"wafer__job__progress__done": float(second % 1000), "shift": str(second % 7)}
        return otlp.job_event("heartbeat", 0, NOW - second * SECOND, **own)

    async with asyncio.timeout(20):
        await writer.send("logs", otlp.logs(*map(event, range(1500))))
    (run,) = await runs(conn)
    assert (run["progress_done"], json.loads(run["attributes"])) == (999.0, {"shift": "6"})
    assert run["heartbeat_at"].timestamp() == NOW / SECOND


async def test_logs_of_any_body_are_stored(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    bodies = ["text\0", 1, 2.5, float("nan"), True, b"\x00\xff", ["a", 1], {"a": {"b": [1]}}]
    records = [
        logs_pb2.LogRecord(
            time_unix_nano=NOW + i * 1000,
            severity_number=17,
            body=otlp.value(body),
            attributes=otlp.attributes({"k\0": i}),
        )
        for i, body in enumerate(bodies)
    ]
    only_observed = logs_pb2.LogRecord(observed_time_unix_nano=NOW + SECOND, event_name="tool.serviced")
    await writer.send("logs", otlp.logs(*records, only_observed))
    rows = await conn.fetch("select * from wafer.log_record order by ts")
    stored = [json.loads(row["body"]) for row in rows[:-1]]
    assert stored == ["text�", 1, 2.5, "NaN", True, "AP8=", ["a", 1], {"a": {"b": [1]}}]
    assert json.loads(rows[3]["attributes"]) == {"k�": 3}
    assert (rows[-1]["body"], rows[-1]["event_name"], rows[-1]["ts"]) == (
        None,
        "tool.serviced",
        rows[-1]["observed_at"],
    )
    assert (rows[0]["site"], rows[0]["service"], rows[0]["host"], rows[0]["severity"]) == (
        "fab1",
        "overlay",
        "tool7",
        17,
    )


def span(number: int, **more: Any) -> trace_pb2.Span:
    own = {key.replace("__", "."): item for key, item in more.items()}
    return trace_pb2.Span(
        trace_id=bytes(range(16)),
        span_id=number.to_bytes(8),
        parent_span_id=bytes(range(8)),
        name="fit",
        kind=1,
        start_time_unix_nano=NOW + 1,
        end_time_unix_nano=NOW + 2 * SECOND,
        attributes=otlp.attributes(own),
        events=[
            trace_pb2.Span.Event(
                name="exception", time_unix_nano=NOW, attributes=otlp.attributes({"exception.type": "E"})
            )
        ],
        links=[trace_pb2.Span.Link(trace_id=bytes(16), span_id=bytes(8))],
        status=trace_pb2.Status(code=trace_pb2.Status.STATUS_CODE_ERROR, message="bad"),
    )


async def test_spans_are_stored_once_and_steps_fold(writer: WriterUnderTest, conn: asyncpg.Connection) -> None:
    step = span(
        1,
        wafer__job__id="J1",
        wafer__job__attempt=2,
        wafer__step__name="fit",
        wafer__step__index=3,
        wafer__lot__id="L1",
    )
    await writer.send("traces", otlp.traces(step, span(2)))
    await writer.send("traces", otlp.traces(step, step, span(3)))  # cut anew after a lost answer
    rows = await conn.fetch("select * from wafer.span order by span_id")
    assert len(rows) == 3
    assert (rows[0]["start_ns"], rows[0]["duration_ns"], rows[0]["status"], rows[0]["status_message"]) == (
        NOW + 1,
        2 * SECOND - 1,
        2,
        "bad",
    )
    assert (rows[0]["job_id"], rows[0]["lot"], rows[1]["job_id"]) == ("J1", "L1", None)
    assert json.loads(rows[0]["events"])[0]["attributes"] == {"exception.type": "E"}
    assert json.loads(rows[0]["links"])[0]["trace_id"] == "00" * 16
    (stored,) = await conn.fetch("select * from wafer.step_run")
    assert (stored["attempt"], stored["name"], stored["index"], stored["result"]) == (2, "fit", 3, "failure")


NUMBERS = ("elapsed", "heartbeat.interval", "progress.done", "progress.total", "cpu.user", "cpu.system")


@pytest.mark.parametrize("number", [1e15, 1e-15, 5e-324])
async def test_no_number_of_a_job_keeps_the_views_from_being_read(
    writer: WriterUnderTest, conn: asyncpg.Connection, number: float
) -> None:
    said = {f"wafer.job.{name}": number for name in NUMBERS}
    odd = [otlp.job_event("started", n, job=f"J{n}", **said) for n in range(3)]
    ended = [otlp.job_event("ended", 0, job=f"E{n}", wafer__job__result="success", **said) for n in range(30)]
    ended.append(otlp.job_event("ended", 0, job="usual", wafer__job__result="failure", wafer__job__elapsed=1e9))
    response = await writer.send("logs", otlp.logs(*odd, *ended))
    assert response.partial_success.rejected_log_records == 0
    for view in await conn.fetch("select viewname from pg_views where schemaname = 'wafer'"):
        await conn.fetch(f"select * from wafer.{view['viewname']}")


async def test_a_bad_event_is_refused_and_its_neighbours_are_stored(
    writer: WriterUnderTest, conn: asyncpg.Connection
) -> None:
    bad = [
        otlp.job_event("started", 0, job="x" * 600),
        otlp.job_event("started", 0, wafer__job__attempt="first"),
        otlp.job_event("started", 0, wafer__job__progress__done=float("inf")),
        otlp.job_event("started", 0, wafer__job__heartbeat__interval=1e308),
        otlp.job_event("started", 0, wafer__job__cpu__user=-1e16),
        otlp.job_event("ended", 0, wafer__job__result="explosion"),
        logs_pb2.LogRecord(time_unix_nano=NOW, event_name="wafer.job.started"),
    ]
    response = await writer.send("logs", otlp.logs(*bad, otlp.job_event("started", 0)))
    assert response.partial_success.rejected_log_records == 7
    assert "1 log records named wafer.job.started without wafer.job.id" in response.partial_success.error_message
    assert len(await runs(conn)) == 1
