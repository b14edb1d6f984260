"""A pipeline that keeps everything in memory, with a clock and ids that repeat."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from waferscope._internal import arguments, clock, context, correlation, ids, process
from waferscope._internal.captured import Telemetry
from waferscope._internal.runtime import Runtime
from waferscope._internal.settings import Settings, load
from waferscope._internal.usage import NOTHING, Memory, Usage

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from waferscope._internal.ways import Flush, Ways

_START = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z, Unix time in ns


class Clock:
    """A wall and a monotonic clock in one; stands still until it is told to advance.

    Attributes:
        now_ns: Unix time in ns.
    """

    def __init__(self) -> None:
        self.now_ns = _START

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: How much.
        """
        self.now_ns += round(seconds * 1e9)

    def now(self) -> float:
        """Tell the time as Unix seconds, for `queued_at` and `at`: that of the system is another one."""
        return self.now_ns / 1e9

    def __call__(self) -> int:
        """Tell the time in ns."""
        return self.now_ns


class _Kept:
    """A way that ends in a list."""

    def __init__(self, items: list[Any]) -> None:
        self.put = items.append

    def send(self, *, hurry: bool = False) -> bool:
        """Nothing waits."""
        del hurry
        return True

    def hurry(self) -> None:
        """Nothing waits."""

    def calm(self) -> None:
        """Nothing waits."""

    def last(self, deadline: float) -> None:
        """Nothing waits."""

    def renew(self) -> None:
        """A forked child keeps what it has."""

    def waits(self) -> int:
        """Nothing waits."""
        return 0


class _Still:
    """A process that uses nothing: what a test runs on must not show in what it asserts."""

    def usage(self) -> Usage:
        """Nothing was used."""
        return NOTHING

    def memory(self) -> Memory:
        """Nothing is used."""
        return Memory()


@contextmanager
def capture(*, strict: bool = True, site: str = "fab", service: str = "test") -> Iterator[Telemetry]:
    """Keep the telemetry of this process in memory while the block runs; nothing is sent.

    Ids repeat from run to run, and the clock stands still until `telemetry.clock.advance(seconds)`. It begins in no
    job, whatever was left open before or the process was started with. Neither what the program under test says by
    `configure` changes anything meanwhile, nor do OTEL_SDK_DISABLED and OTEL_TRACES_SAMPLER.

    Args:
        strict: A wrong argument raises `waferscope.UsageError` at the call.
        site: `wafer.site.id`.
        service: `service.name`.

    Yields:
        What was recorded.
    """
    now = Clock()
    spans: list[ReadableSpan] = []
    records: list[Any] = []
    was_strict, clocks = arguments.is_strict(), (clock.wall, clock.ticks)
    settings = replace(
        load(site=site, service=service, strict=strict), heartbeat_interval=10.0, export_logs=None, gc_pauses=False
    )
    arguments.be_strict(strict)
    correlation.install()
    runtime = Runtime(settings, lambda settings, _, flush: _ways(settings, flush, spans, records))
    runtime.probe, runtime.gpu = _Still(), None
    runtime.inherited = context.EMPTY
    runtime.captures = True
    runtime.started = True  # without its threads: nothing happens behind the test's back
    before = process.replace(runtime)
    clock.wall = clock.ticks = now
    ids.reseed(0)
    runtime.meter.restart()
    token = context.attach(context.EMPTY)
    try:
        yield Telemetry(now, runtime.meter, runtime.beat, spans, records)
    finally:
        context.detach(token)
        process.replace(before)
        clock.wall, clock.ticks = clocks
        ids.reseed()
        arguments.be_strict(was_strict)


def _ways(settings: Settings, flush: Flush, spans: list[ReadableSpan], records: list[Any]) -> Ways:
    # Slow to import: only tests that capture pay for it.
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415

    from waferscope._internal import providers, resource, ways  # noqa: PLC0415

    described = resource.build(settings)
    scope = ways.own_scope()
    disabled = os.environ.pop("OTEL_SDK_DISABLED", None)  # which a provider asks when it is made
    try:
        provider = TracerProvider(ALWAYS_ON, described, shutdown_on_exit=False, id_generator=providers.TraceIds())
    finally:
        if disabled is not None:
            os.environ["OTEL_SDK_DISABLED"] = disabled
    provider.add_span_processor(providers.SpanQueue([_Kept(spans)], flush))
    tracer = provider.get_tracer(scope.name, scope.version, scope.schema_url)
    return ways.Ways(
        providers.Traces(tracer, described, (), lambda: None),
        providers.Events((_Kept(records),), (_Kept(records),), lambda: None),
        (),
    )
