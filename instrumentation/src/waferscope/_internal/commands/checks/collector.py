"""The host's Collector: is it healthy, and do its queues empty?"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import urlsplit

from waferscope._internal.commands.checks.finding import Finding
from waferscope._internal.commands.checks.http import Answer, NoAnswerError, ask, at

_OK = 200
_FULL = 0.8  # of a queue's capacity: time to act
_SAMPLE = re.compile(r"^(otelcol_\w+?)(?:\{([^}]*)\})? (\S+)", re.MULTILINE)
_LOSSES = {
    "otelcol_exporter_send_failed_": ("could not be sent and were given up", "look at the Collector's log"),
    "otelcol_exporter_enqueue_failed_": ("found its queue full", "look why the queue does not empty"),
    "otelcol_receiver_refused_": ("were refused (senders repeat them)", "give it memory or look why it holds back"),
}

Samples = dict[str, dict[str, float]]


def check(host: str, base: str | None, answers: list[tuple[str, Answer]]) -> Iterator[Finding]:
    """Ask the Collector for its health and its own metrics.

    Args:
        host: Where it is looked for.
        base: URL of its health port, when it was named.
        answers: Gets the answers by host, for other checks.
    """
    health = f"{base.rstrip('/') if base else at(host, _port('HEALTH', 17000))}/v1/health"
    try:
        answer = ask(health)
    except NoAnswerError as error:
        yield Finding(
            "fail" if base else "note", "collector", f"{health}: {error}",
            "start it (docs/collector.md)" if base else "no matter where another kind of receiver takes the telemetry",
        )  # fmt: skip
        return
    answers.append((urlsplit(health).hostname or "", answer))
    if answer.status != _OK:
        yield Finding("fail", "collector", f"{health} answers {answer.status}: it is not well", "look at its log")
        return
    yield Finding("ok", "collector", f"{health}: it serves")
    yield from _metrics(f"{at(urlsplit(health).hostname or host, _port('METRICS', 8000))}/metrics")


def _metrics(url: str) -> Iterator[Finding]:
    try:
        answer = ask(url)
    except NoAnswerError as error:
        yield Finding("note", "collector", f"{url}: {error}: its queues can't be seen")
        return
    samples = read(answer.body.decode(errors="replace"))
    findings = [*queues(samples), *losses(samples)]
    yield from findings or [Finding("note", "collector", f"{url} tells nothing of queues")]


def read(text: str) -> Samples:
    """Read the Collector's samples from Prometheus' text format: name, then exporter or receiver and signal."""
    found: Samples = defaultdict(lambda: defaultdict(float))
    for name, labels, value in _SAMPLE.findall(text):
        said = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        whose = " ".join(filter(None, (said.get("exporter") or said.get("receiver"), said.get("data_type"))))
        found[name][whose] += float(value)
    return found


def queues(samples: Samples) -> Iterator[Finding]:
    """Judge how full the queues are."""
    for whose, size in sorted(samples.get("otelcol_exporter_queue_size", {}).items()):
        capacity = samples.get("otelcol_exporter_queue_capacity", {}).get(whose, 0.0)
        text = f"queue of {whose}: {size:,.0f} of {capacity:,.0f}"
        if capacity and size >= _FULL * capacity:
            yield Finding(
                "fail" if size >= capacity else "warn",
                "collector",
                text,
                "its destination does not take enough: look there",
            )
        else:
            yield Finding("ok", "collector", text)


def losses(samples: Samples) -> Iterator[Finding]:
    """Tell what was lost or refused since the Collector's start."""
    for prefix, (what, advice) in _LOSSES.items():
        for name, values in sorted(samples.items()):
            for whose, count in sorted(values.items()):
                if name.startswith(prefix) and count:
                    items = name.removeprefix(prefix).removesuffix("_total").removesuffix("__records__")
                    text = f"{count:,.0f} {items.replace('_', ' ')} of {whose} {what} since its start"
                    yield Finding("warn", "collector", text, advice)


def _port(which: str, default: int) -> str:
    return os.environ.get(f"WAFERSCOPE_COLLECTOR_{which}_PORT") or str(default)
