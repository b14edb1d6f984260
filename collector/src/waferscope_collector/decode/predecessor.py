"""The predecessor's events (its JSON) to job events.

Nothing of its wire format says in which order a job's events were made, so their time does: it becomes the sequence
that the others' events bring along.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

import msgspec

from waferscope_collector.decode import json
from waferscope_collector.decode.attributes import Plain, storable
from waferscope_collector.decode.context import Context
from waferscope_collector.decode.jobs import ENDED, MOST_SEQUENCE, job_event
from waferscope_collector.decode.limits import FUTURE, LONG_KEY, NO_TIME, within_key
from waferscope_collector.decode.records import JobEvent, Logs, instant
from waferscope_collector.decode.resource import Origin
from waferscope_collector.decode.typed import MOST, BadAttributeError
from waferscope_collector.errors import MalformedError

NO_EVENT = "that are no events"
_NO_KEY = "without an idempotency_key of 1 to 512 bytes"

_INTERVAL = 3600.0  # s: who sends events by hand promises no heartbeats; stale after three of them
_MIB = 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEQUENCE_EPOCH = 1_577_836_800  # 2020-01-01: seconds since then stay under the highest sequence until 2054
_ORDER = {"started": 0, "progress": 1, "metric": 2}  # of kinds at one time; what ends the job is 3
_LAST = 3
_RESULTS = {"succeeded": "success", "failed": "failure", "canceled": "cancellation"}
_ENDS = {"error": "failure", "canceled": "cancellation"}
_MEASURED = frozenset({"duration_s", "cpu_user_s", "cpu_system_s", "mem_max_mb"})


class _App(msgspec.Struct):
    app_id: str
    name: str = ""
    version: str = ""


class _Entity(msgspec.Struct):
    type: Literal["job", "subjob"]
    id: str
    parent_id: str | None = None
    business_key: str | None = None
    sub_key: str | None = None


class _Happened(msgspec.Struct):
    kind: Literal["started", "progress", "metric", "finished", "error", "canceled"]
    at: str
    metrics: dict[str, Any] | None = None
    status: str | None = None
    metadata: dict[str, Any] | None = None


class _Event(msgspec.Struct):
    idempotency_key: str
    site_id: str
    app: _App
    entity: _Entity
    event: _Happened


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{},]', re.DOTALL)  # of JSON: strings, and what its structure is made of
_ONE, _MANY = msgspec.json.Decoder(_Event), msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(slots=True)
class Outcome:
    """What became of the events of a request."""

    total: int = 0
    failed: int = 0  # of those the ones that are refused
    errors: list[tuple[int, str]] = field(default_factory=list)  # position and what to do, of what can't be read


def decode(body: bytes, context: Context, *, outcome: Outcome, batch: bool) -> Logs:
    """Decode a request.

    Args:
        body: One event, or an array of events, in JSON.
        context: Its surroundings; its rejects count the events that can't be stored.
        outcome: Is filled with what became of each event.
        batch: Whether it is an array.

    Returns:
        The events that can be stored.

    Raises:
        MalformedError: The body is no JSON of this kind.
    """
    site, latest, rejects = context.site, context.latest, context.rejects
    documents = _many(body) if batch else [body]
    events: list[JobEvent] = []
    for position, document in enumerate(documents):
        try:
            events.append(_event(document, site, latest))
        except _RefusedError as error:  # noqa: PERF203 - it costs one event, not all
            rejects.add(error.reason)
            outcome.errors.append((position, error.told))
    outcome.total = len(documents)
    return Logs((), tuple(events), (), frozenset())


class _RefusedError(Exception):
    """An event that can't be stored."""

    def __init__(self, reason: str, told: str) -> None:
        """Say why.

        Args:
            reason: One of few, for the meters.
            told: For the client.
        """
        self.reason = reason
        self.told = told


def _many(body: bytes) -> list[Any]:
    try:
        return _MANY.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if (found := _cut(body)) is not None:
            return found
        raise MalformedError(f"the body must be a JSON array of events: {error}") from error


def _cut(body: bytes) -> list[bytes] | None:
    """Cut an array at its commas; so an event that can't be read, as one that is nested too deeply, is refused alone.

    Returns:
        The items, whatever they are; None where the brackets don't match.
    """
    cuts: list[int] = []
    depth = 0
    for found in _TOKEN.finditer(body):
        token = found[0]
        depth += (token in b"[{") - (token in b"]}")
        if depth == 1 and (token == b"," or not cuts):
            cuts.append(found.end())
        elif depth == 0:
            cuts.append(found.end())
            break
    if depth or len(cuts) < 2 or body[: cuts[0]].strip() != b"[" or body[cuts[-1] :].strip():  # noqa: PLR2004 - both ends
        return None
    return [body[begin : end - 1] for begin, end in pairwise(cuts)]


def _event(document: Any, site: str, latest: int) -> JobEvent:
    try:
        return _read(document, site, latest)
    except RecursionError as error:
        raise _RefusedError(NO_EVENT, "this event is nested too deeply") from error


def _read(document: Any, site: str, latest: int) -> JobEvent:
    try:
        said = json.decoded(bytes(document), _ONE.decode)
    except (msgspec.MsgspecError, ValueError) as error:
        raise _RefusedError(NO_EVENT, f"this is no event: {error}") from error
    unix_nano = _time(said.event.at, latest)
    key = storable(said.idempotency_key)
    if not key or not within_key(key):
        raise _RefusedError(_NO_KEY, "idempotency_key must have 1 to 512 bytes: send a UUID")
    try:
        event = job_event(
            f"wafer.job.{_name(said.event.kind)}",
            at=instant(unix_nano),
            attributes=_attributes(said, unix_nano),
            source=_origin(said, site),
            trace_id=b"",
            span_id=b"",
        )
    except BadAttributeError as error:
        what = "an id or name is over 512 bytes" if str(error) == LONG_KEY else f"this event is one {error}"
        raise _RefusedError(str(error), what) from error
    if "duration_s" not in (said.event.metrics or {}):
        event = replace(event, facts=replace(event.facts, duration_s=None))  # not 0: it is not known
    return replace(event, idempotency_key=key)


def _time(text: str, latest: int) -> int:
    """Read a timestamp; one without a zone is UTC.

    Returns:
        Unix time in nanoseconds.
    """
    try:
        at = datetime.fromisoformat(text)
        unix_nano = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND * 1000
    except (ValueError, OverflowError) as error:
        raise _RefusedError(NO_TIME, "event.at must be a time as 2026-11-24T08:00:00+00:00 (ISO 8601)") from error
    if unix_nano <= 0:
        raise _RefusedError(NO_TIME, "event.at must be after 1970")
    if unix_nano > latest:
        raise _RefusedError(FUTURE, "event.at is too far in the future: set the sender's clock")
    return unix_nano


_MICROSECOND = datetime.resolution


def _name(kind: str) -> str:
    return "started" if kind == "started" else "heartbeat" if kind in _ORDER else "ended"


def _origin(said: _Event, site: str) -> Origin:
    app = said.app
    return Origin(
        site=storable(said.site_id) or site,
        namespace="",
        service=storable(app.name),
        instance="",
        version=storable(app.version),
        host="",
    )


def _attributes(said: _Event, unix_nano: int) -> dict[str, Plain]:
    """Write an event as the attributes that an event of ours has; metadata and further metrics stand beside them."""
    event, entity, app = said.event, said.entity, said.app
    metrics = event.metrics or {}
    metadata = event.metadata or {}
    ours: dict[str, Any] = {
        "wafer.job.id": entity.id,
        "wafer.job.name": app.name or "unknown",
        "wafer.job.attempt": 1,
        "wafer.job.sequence": _sequence(event.kind, unix_nano),
        "wafer.job.heartbeat.interval": _INTERVAL,
        "wafer.job.parent.id": entity.parent_id,
        "wafer.job.key": entity.business_key,
        "wafer.job.sub_key": entity.sub_key,
        "wafer.app.id": app.app_id,
        "wafer.job.result": _result(event) if _name(event.kind) == ENDED.rpartition(".")[2] else None,
        "wafer.job.elapsed": _number(metrics, "duration_s"),
        "wafer.job.cpu.user": _number(metrics, "cpu_user_s"),
        "wafer.job.cpu.system": _number(metrics, "cpu_system_s"),
        "wafer.job.memory.max": _bytes(metrics),
        "exception.message": metadata.get("error"),
        "error.type": metadata.get("error_type"),
    }
    further = {name: value for name, value in metrics.items() if name not in _MEASURED}
    known = {name: value for name, value in ours.items() if value is not None}
    found: dict[str, Plain] = _storable(further | metadata | known)
    return found


def _sequence(kind: str, unix_nano: int) -> int:
    """Number an event by its time, to four seconds, and its kind: events of one instant differ at least by that."""
    seconds = unix_nano // 10**9 - _SEQUENCE_EPOCH
    return min(max(seconds, 0), MOST_SEQUENCE) // 4 * 4 + _ORDER.get(kind, _LAST)


def _result(event: _Happened) -> str:
    return _ENDS.get(event.kind) or _RESULTS.get(event.status or "", "success")


def _number(metrics: Mapping[str, Any], name: str) -> float | None:
    value = metrics.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
        raise _RefusedError(NO_EVENT, f"event.metrics.{name} must be a number")
    return float(value)


def _bytes(metrics: Mapping[str, Any]) -> int | None:
    mebibytes = _number(metrics, "mem_max_mb")
    return None if mebibytes is None else int(mebibytes * _MIB)


def _storable(value: Any) -> Any:
    match value:
        case str():
            return storable(value)
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {storable(key): _storable(item) for key, item in value.items()}
        case _:
            return value
