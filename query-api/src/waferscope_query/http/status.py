"""What Prometheus tells of itself, and what this service has none of: targets, rules and alerts."""

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter

from waferscope_query.http.admission import Admission
from waferscope_query.http.endpoint import served
from waferscope_query.http.envelope import Success, dump
from waferscope_query.http.openapi import describe
from waferscope_query.http.parameters import Parameters
from waferscope_query.promql.control import Control
from waferscope_query.settings import QuerySettings
from waferscope_query.storage.source import DatabaseSource

# Clients ask for features by Prometheus's version: this is the one whose API and language are offered.
_BUILD = {
    "version": f"3.0.0+waferscope.{version('waferscope-query')}",
    "revision": "",
    "branch": "",
    "buildUser": "",
    "buildDate": "",
    "goVersion": "",
}
_NOTHING: dict[str, Any] = {
    "/targets": {"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {}},
    "/targets/metadata": [],
    "/scrape_pools": {"scrapePools": []},
    "/alertmanagers": {"activeAlertmanagers": [], "droppedAlertmanagers": []},
    "/alerts": {"alerts": []},
    "/rules": {"groups": []},
    "/status/buildinfo": _BUILD,
    "/status/config": {"yaml": ""},
    "/status/walreplay": {"min": 0, "max": 0, "current": 0},
    "/status/tsdb/blocks": {"blocks": []},
    "/notifications": [],
}
_MOST, _USUAL = 10_000, 10  # names in the statistics of series


class StatusApi:
    """Endpoints under `/api/v1` that tell of the service.

    Args:
        settings: What the flags tell.
        source: Whose series are counted.
        admission: Lets queries in.
    """

    def __init__(self, settings: QuerySettings, source: DatabaseSource, admission: Admission) -> None:
        self._settings = settings
        self._source = source
        self._admission = admission
        self._started = datetime.now(UTC)

    def router(self) -> APIRouter:
        """Offer all endpoints."""
        router = APIRouter(prefix="/api/v1", tags=["Prometheus"])

        def add(path: str, handler: Callable[[Parameters, Control], Awaitable[Success]], *names: str) -> None:
            endpoint = served(self._admission, handler)
            summary = f"Tell what Prometheus tells at {path}"
            router.add_api_route(path, endpoint, methods=["GET"], summary=summary, openapi_extra=describe(*names))

        for path, answer in _NOTHING.items():
            add(path, _always(answer))
        add("/status/runtimeinfo", self.runtimeinfo)
        add("/status/flags", self.flags)
        add("/status/tsdb", self.tsdb, "limit")
        return router

    async def runtimeinfo(self, _parameters: Parameters, _: Control) -> Success:
        """Tell of the process."""
        started = _text(self._started)
        return Success(
            dump(
                {
                    "startTime": started,
                    "CWD": "",
                    "hostname": socket.gethostname(),
                    "serverTime": _text(datetime.now(UTC)),
                    "reloadConfigSuccess": True,
                    "lastConfigTime": started,
                    "corruptionCount": 0,
                    "goroutineCount": threading.active_count(),
                    "GOMAXPROCS": os.cpu_count(),
                    "GOMEMLIMIT": 0,
                    "GOGC": "",
                    "GODEBUG": "",
                    "storageRetention": "",
                }
            )
        )

    async def flags(self, _parameters: Parameters, _: Control) -> Success:
        """Tell the settings by the names of Prometheus's flags."""
        known = self._settings
        flags = {
            "query.lookback-delta": f"{known.lookback:g}s",
            "query.max-concurrency": str(known.max_concurrency),
            "query.max-samples": str(known.max_samples),
            "query.timeout": f"{known.timeout:g}s",
            "web.enable-admin-api": str(known.enable_admin_api).lower(),
            "web.enable-remote-write-receiver": "true",
        }
        return Success(dump(flags))

    async def tsdb(self, parameters: Parameters, _: Control) -> Success:
        """Count the series."""
        await self._source.follower.refresh()
        limit = min(parameters.limit() or _USUAL, _MOST)
        found = await asyncio.to_thread(self._source.index.statistics, limit)
        head = {
            "numSeries": len(self._source.index),
            "numLabelPairs": found.pairs,
            "chunkCount": 0,
            "minTime": 0,
            "maxTime": 0,
        }
        counts = {
            "seriesCountByMetricName": found.by_metric,
            "labelValueCountByLabelName": found.values_by_label,
            "memoryInBytesByLabelName": found.bytes_by_label,
            "seriesCountByLabelValuePair": found.by_pair,
        }
        listed = {name: [{"name": text, "value": count} for text, count in of] for name, of in counts.items()}
        return Success(dump({"headStats": head, **listed}))


def _always(answer: object) -> Callable[[Parameters, Control], Awaitable[Success]]:
    data = dump(answer)

    async def handler(_parameters: Parameters, _: Control) -> Success:
        return Success(data)

    return handler


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
