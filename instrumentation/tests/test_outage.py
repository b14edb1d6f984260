"""Hours without a receiver, in moments: memory stays bounded, drops are counted, what waits arrives when it is back."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Any

import pytest

import waferscope
from waferscope._internal import delivery, guard, process, worker
from waferscope._internal.delivery import Exported, Log
from waferscope._internal.outbox import Outbox
from waferscope._internal.records import Record
from waferscope._internal.runtime import Runtime
from waferscope._internal.transport import Failure, Route


class Answer(Enum):
    TAKEN = 1
    NOT = 2


class Receiver(Route):
    """Takes batches, or fails as it is told."""

    def __init__(self) -> None:
        super().__init__(self)
        self.fails: Failure | None = None
        self.poison: set[Any] = set()
        self.most = 10**9
        self.tried: list[list[Any]] = []
        self.got: list[Any] = []

    def export(self, batch: list[Any]) -> Answer:
        self.tried.append(batch)
        if self.poison and self.poison & set(batch):
            raise ValueError("can't be encoded")
        if self.fails or len(batch) > self.most:
            return Answer.NOT
        self.got += batch
        return Answer.TAKEN

    def failure(self) -> Failure:
        return self.fails or Failure.DIVISIBLE


class Line:
    """One way with its receiver, and what was counted as dropped."""

    def __init__(self, limit: int, batch: int, prepare: Callable[[list[Any]], Any] = list) -> None:
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.receiver = Receiver()
        self.channel = Exported(
            "events",
            Answer.TAKEN,
            self.receiver,
            outbox=Outbox(limit),
            batch=batch,
            prepare=prepare,
            log=Log(lambda signal, reason, count: self.dropped.update({(signal, reason): count})),
        )

    def put(self, items: Any) -> None:
        for item in items:
            self.channel.put(item)


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    for boundary in guard.BOUNDARIES:
        boundary.reset()


def test_in_an_outage_the_oldest_gives_way_and_every_drop_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    line = Line(limit=100, batch=10)
    line.receiver.fails = Failure.PASSING
    for hour in range(50):
        line.put(range(hour * 100, hour * 100 + 100))
        assert not line.channel.send()
        assert line.channel.waits() <= 110
    line.receiver.fails = None
    assert line.channel.send(hurry=True)
    assert line.receiver.got == [*range(10), *range(4900, 5000)]
    assert line.dropped == {("events", "queue_full"): 4890}
    assert [record.getMessage() for record in caplog.records] == [
        "telemetry can't be delivered now; it waits, trying again",
        "telemetry is delivered again; 4890 records were dropped meanwhile",
    ]


def test_what_gives_way_amid_a_try_is_counted_and_told_once_though_nothing_waits_any_more(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(limit=100, batch=100)
    take = line.receiver.export

    def take_slowly(batch: list[Any]) -> Answer:
        if batch[0] == 0:
            line.put(range(100, 400))
        return take(batch)

    monkeypatch.setattr(line.receiver, "export", take_slowly)
    line.put(range(100))
    assert line.channel.send()
    assert line.receiver.got == [*range(100), *range(300, 400)]
    assert line.dropped == {("events", "queue_full"): 200}
    line.put(range(400, 600))
    assert line.channel.send()
    assert line.dropped == {("events", "queue_full"): 300}
    assert [record.getMessage() for record in caplog.records] == [
        "telemetry comes faster than it is taken: 200 records were dropped; more are only counted"
    ]


def test_long_items_take_several_places_and_none_is_lost_uncounted() -> None:
    gone: list[str] = []
    outbox = Outbox(100, gone.append, len)
    chance, put, taken = Random(7), [], []
    for number in range(5000):
        item = f"{number} " + "x" * chance.choice([0, 100, 3000, 20_000])
        put.append(item)
        outbox.put(item)
        assert sum(1 + len(waiting) // 2048 for waiting in outbox._items if waiting) <= 100
        if chance.random() < 0.1:
            batch = outbox.take(20)
            assert batch
            assert sum(1 + len(each) // 2048 for each in batch[:-1]) < 20
            taken += batch
    while outbox:
        taken += outbox.take(20)
    assert outbox.overrun() == len(gone)
    assert sorted(gone + taken, key=put.index) == put
    assert taken == sorted(taken, key=put.index)
    assert len(taken) > 500


def test_an_item_that_is_too_long_alone_gives_way() -> None:
    outbox = Outbox(100, weigh=len)
    outbox.put("x" * 2048 * 101)
    assert (len(outbox), outbox.overrun(), outbox.take(10)) == (0, 1, [])


def test_memory_is_bounded_however_long_the_texts(outage: tuple[Runtime, dict[str, Receiver]]) -> None:
    runtime, _ = outage
    tracemalloc.start()
    with waferscope.job("overlay") as job:
        for number in range(9000):
            job.log("x" * 8000 + str(number))
        for number in range(2000):
            with job.step("fit", wafers=[f"{number} " + "x" * 8000] * 20):
                pass
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 60e6
    assert runtime.waits() > 1000


def test_a_batch_is_tried_again_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(delivery, "monotonic", lambda: now[0])
    line = Line(limit=100, batch=10)
    line.receiver.fails = Failure.PASSING
    line.put(range(20))
    for _ in range(10):
        line.channel.send()
        line.put("x")
        now[0] += 1.0
    assert line.receiver.tried == [list(range(10))] * 2  # one each 5 s
    assert line.receiver.tried[0] is line.receiver.tried[1]


def test_a_batch_that_is_too_large_arrives_in_parts() -> None:
    line = Line(limit=1000, batch=512)
    line.receiver.most = 100
    line.put(range(700))
    assert line.channel.send()
    assert line.receiver.got == list(range(700))
    assert not line.dropped


def test_a_record_that_can_not_be_encoded_costs_only_itself() -> None:
    line = Line(limit=1000, batch=512)
    line.receiver.poison = {3, 511, 600}
    line.put(range(700))
    assert line.channel.send()
    assert set(range(700)) - set(line.receiver.got) == {3, 511, 600}
    assert line.dropped == {("events", "refused"): 3}


def test_a_record_that_can_not_be_prepared_costs_only_itself() -> None:
    def prepare(items: list[Any]) -> list[Any]:
        return [1 // item and item for item in items] if 0 in items else list(items)

    line = Line(limit=1000, batch=512, prepare=prepare)
    line.put([5, 0, 7, 0])
    line.put(range(1, 600))
    assert line.channel.send()
    assert line.receiver.got == [5, 7, *range(1, 600)]
    assert line.dropped == {("events", "refused"): 2}


def test_what_is_refused_is_dropped_and_does_not_hold_up_the_rest() -> None:
    line = Line(limit=100, batch=10)
    line.receiver.fails = Failure.REFUSED
    line.put(range(30))
    assert line.channel.send()
    line.receiver.fails = None
    line.put([99])
    assert line.channel.send()
    assert line.receiver.got == [99]
    assert line.dropped == {("events", "refused"): 30}


def test_the_child_of_a_fork_counts_no_drop_of_its_parent() -> None:
    line = Line(limit=10, batch=10)
    line.put(range(100))
    line.channel.renew()
    line.put([1])
    assert line.channel.send()
    assert (line.receiver.got, line.dropped) == ([1], {})


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch, telemetry: Any) -> Any:
    """A pipeline of our own whose receiver is away and whose threads are ours to play; gives it with its routes."""
    del telemetry
    routes: dict[str, Receiver] = {}

    class Answered(Receiver):
        def export(self, batch: Any) -> Any:
            found = super().export(batch if isinstance(batch, list) else [batch])
            return self.success if found is Answer.TAKEN else None

    def channel(signal: str, success: Enum, _: Any, **kwargs: Any) -> Exported:
        routes[signal] = route = Answered()
        route.success = success
        route.fails = Failure.PASSING
        return Exported(signal, success, route, **kwargs)

    monkeypatch.setattr("waferscope._internal.providers.Exported", channel)
    monkeypatch.setattr("waferscope._internal.providers.trace.get_tracer_provider", _unset_tracers)
    monkeypatch.setattr("waferscope._internal.providers.trace.set_tracer_provider", lambda _: None)
    monkeypatch.setattr("waferscope._internal.providers._is_unset", lambda _: True)
    monkeypatch.setattr("waferscope._internal.providers.set_logger_provider", lambda _: None)
    monkeypatch.setattr("waferscope._internal.exporters.build", lambda *_: [None])
    monkeypatch.setattr(worker.Worker, "start", lambda _: None)
    runtime = Runtime(waferscope._internal.settings.load(site="fab1"))
    before = process.replace(runtime)
    yield runtime, routes
    process.replace(before)


def _unset_tracers() -> Any:
    from opentelemetry.trace import ProxyTracerProvider  # noqa: PLC0415

    return ProxyTracerProvider()


def _hour(runtime: Runtime) -> None:
    """Live through an hour: each 10 s a heartbeat and some rounds of the exporting thread; jobs come and go."""
    for tick in range(360):
        runtime._next_beat = runtime._next_metrics = 0.0
        runtime._tick()
        with waferscope.job("wafer", lot=f"L{tick}", equipment="E") as made, made.step("fit"):
            made.log("said", number=tick)
        runtime._export()


def test_memory_stays_bounded_and_heartbeats_of_a_job_take_one_place(
    outage: tuple[Runtime, dict[str, Receiver]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, routes = outage
    for channel in runtime._channels:
        if channel._signal != "metrics":
            monkeypatch.setattr(channel._outbox, "limit", 1000)
    with waferscope.job("long") as long:
        for _ in range(4):
            _hour(runtime)
        gc.collect()
        tracemalloc.start()
        for _ in range(2):
            _hour(runtime)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        waiting = {channel._signal: channel.waits() for channel in runtime._channels}
        assert waiting.pop("metrics") == 1
        assert all(1000 <= count <= 1000 + 512 for count in waiting.values())  # a batch is tried again as it was
        events = next(channel for channel in runtime._channels if channel._signal == "events")
        beats = [item for item in events._outbox._items if item.name == "wafer.job.heartbeat"]
        assert len(beats) == 1
        # What waited is replaced by what came; little more is held than that, whatever the hours.
        assert grown < 8e6
        for route in routes.values():
            route.fails = None
        runtime._export_all()
        runtime._next_beat = 0.0
        runtime._tick()
        runtime._export_all()
        heard = [
            item.log_record for item in routes["events"].got if item.log_record.event_name == "wafer.job.heartbeat"
        ]
        own = [item.attributes["wafer.job.sequence"] for item in heard if item.attributes["wafer.job.id"] == long.id]
        assert own == sorted(set(own))
        assert own, "after the outage the job is heard of again"


def test_after_an_overrun_a_job_is_heard_of_again() -> None:
    """A heartbeat that gave way must not be the one that newer ones are written into."""
    outbox = Outbox(2, Record.gave_way)
    beat = Record("wafer.job.heartbeat", None, {})
    for record in (beat, Record("a", None, {}), Record("b", None, {})):
        outbox.put(record)
    assert beat.taken
    assert [item.name for item in outbox.take(9)] == ["a", "b"]


def test_drops_are_counted_by_signal_and_reason_and_their_metric_arrives(
    outage: tuple[Runtime, dict[str, Receiver]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, routes = outage
    spans = next(channel for channel in runtime._channels if channel._signal == "spans")
    monkeypatch.setattr(spans._outbox, "limit", 100)
    for _ in range(1000):
        with waferscope.job("wafer"):
            pass
    runtime._export_all()
    for route in routes.values():
        route.fails = None
    runtime._export_all()
    points = [
        (dict(point.attributes), point.value)
        for data in routes["metrics"].got
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        if metric.name == "wafer.telemetry.dropped"
        for point in metric.data.data_points
    ]
    assert points == [({"wafer.telemetry.signal": "spans", "error.type": "queue_full"}, 900)]
    assert len(routes["spans"].got) == 100
    assert len(routes["events"].got) == 2000


def test_once_nobody_was_there_the_ends_of_jobs_hardly_wait_until_all_is_delivered_again(
    outage: tuple[Runtime, dict[str, Receiver]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, routes = outage
    waited: list[float] = []

    class Done:
        def wait(self, seconds: float) -> bool:
            waited.append(seconds)
            runtime._export_all()
            return True

    monkeypatch.setattr(runtime._exports, "ask", Done)
    waferscope.job("first")(int)()
    assert [runtime.settle(), runtime.settle()] == [False, False]
    for route in routes.values():
        route.fails = None
    assert [runtime.settle(), runtime.settle()] == [True, True]
    assert waited == [3.0, 0.1, 0.1, 3.0]


def test_failing_exports_leave_the_jobs_random_sequence_alone(receiver: Any, run: Any) -> None:
    script = """
        import random, waferscope
        random.seed(1)
        waferscope.configure()
        with waferscope.job("overlay") as job, job.step("fit"):
            pass
        waferscope.flush(1.5)
        print([random.random() for _ in range(3)])
    """
    plain = run("import random; random.seed(1); print([random.random() for _ in range(3)])")
    receiver.status = 503
    failing = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, WAFERSCOPE_FLUSH_TIMEOUT="0.1")
    assert failing.out == plain.out


def test_a_slow_receiver_delays_neither_jobs_nor_their_heartbeats(receiver: Any, run: Any) -> None:
    receiver.delay = 1.0
    script = """
        import time, waferscope
        began = time.monotonic()
        with waferscope.job("overlay") as job:
            while job._run._sequence < 6 and time.monotonic() < began + 20:
                with job.step("fit"):
                    time.sleep(0.001)
            said = job._run._sequence
        print(said >= 2, time.monotonic() - began < 20)
    """
    ended = run(script, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, WAFERSCOPE_HEARTBEAT_INTERVAL="0.05")
    assert ended.out.split() == ["True", "True"]
