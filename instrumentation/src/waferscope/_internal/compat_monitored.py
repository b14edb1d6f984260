"""The predecessor's context manager around a job or a subjob."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import ContextDecorator
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from waferscope._internal import clock, guard, outcome
from waferscope._internal.compat_app import runtime_of, said_of
from waferscope._internal.compat_emitter import SidecarEmitter
from waferscope._internal.compat_models import AppRef, EntityRef, JobEvent
from waferscope._internal.job import Job
from waferscope._internal.spec import Arguments

if TYPE_CHECKING:
    from typing_extensions import Self

    from waferscope._internal.runtime import Runtime
    from waferscope._internal.spec import Spec

_LOGGER = logging.getLogger("waferscope.compat")
_MIB = 1024 * 1024
_NO_CPU = (0.0, 0.0)


class _AppJob(Job):
    """A job of one of the predecessor's applications."""

    __slots__ = ("_find",)

    def __init__(self, spec: Spec, find: Callable[[], Runtime | None]) -> None:
        super().__init__(spec)
        self._find = find

    def _pipeline(self) -> Runtime | None:
        """Give the application's own pipeline."""
        return self._find()


class Monitored(ContextDecorator):
    """Observes a job or a subjob, as the predecessor's class of this name did.

    Attributes:
        site_id: `wafer.site.id`.
        app: Its name is the job's name and `service.name`.
        entity: What is observed.
        entity_id: `wafer.job.id`.
        metadata: Attributes of the job.
        mem_max_mb: Highest resident set so far, MiB.
        emitter: As given. Another object than `SidecarEmitter` gets the predecessor's events as well.
        enable_logging: Write a line at the beginning and the end to the standard `logging`.
    """

    def __init__(
        self,
        site_id: str,
        app: AppRef,
        entity_type: str,
        business_key: str | None = None,
        sub_key: str | None = None,
        parent_id: UUID | None = None,
        emitter: Any = None,
        metadata: Mapping[str, Any] | None = None,
        enable_logging: bool = True,
    ) -> None:
        """Take what the predecessor's class took.

        Args:
            site_id: Of the site.
            app: Whose job it is.
            entity_type: `job` or `subjob`.
            business_key: `wafer.job.key`.
            sub_key: `wafer.job.sub_key`.
            parent_id: `wafer.job.parent.id`; None takes the job around it.
            emitter: Gets the predecessor's events unless it is a `SidecarEmitter`.
            metadata: Attributes of the job.
            enable_logging: Whether to write to the standard `logging`.
        """
        self.site_id = site_id
        self.app = app
        self.entity_id = uuid4()
        self.entity = EntityRef(entity_type, self.entity_id, parent_id, business_key, sub_key)
        self.metadata = dict(metadata or {})
        self.emitter = emitter if emitter is not None else SidecarEmitter()
        self.mem_max_mb = 0.0
        self.enable_logging = enable_logging
        self._job: Job | None = None
        self._attempt = 0
        self._began = 0
        self._cpu = _NO_CPU

    def __enter__(self) -> Self:
        self._began, self._cpu = clock.monotonic(), _cpu()
        with guard.JOB:
            self._attempt += 1  # entered again, as a decorator is by each call: another attempt at the same job
            spec = Arguments(self.app.name, {}, {}, None, None, None, ()).check()
            spec = replace(
                spec,
                attributes={**spec.attributes, **said_of(self.app, self.entity, self.metadata)},
                id=str(self.entity_id),
                attempt=self._attempt,
                parent_id=None if self.entity.parent_id is None else str(self.entity.parent_id),
            )
            self._job = _AppJob(spec, lambda: runtime_of(self.site_id, self.app))
        if self._job is not None:
            self._job.__enter__()
        self._note_memory()
        self._tell("started", "running", self.metadata, {"cpu_user_s": 0.0, "cpu_system_s": 0.0})
        return self

    def tick(self, extra_meta: Mapping[str, Any] | None = None) -> None:
        """Tell that the job still runs.

        Args:
            extra_meta: More attributes for its events.
        """
        self._note_memory()
        with guard.HEARTBEAT:
            run = self._job._running() if self._job is not None else None
            if run is not None:
                run.more = {**run.more, **said_of(self.app, self.entity, extra_meta or {})}
                run.beat()
        self._tell("progress", "running", extra_meta or {}, {})

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._note_memory()
        now, before = _cpu(), self._cpu
        used = {
            "cpu_user_s": now[0] - before[0],
            "cpu_system_s": now[1] - before[1],
            "duration_s": (clock.monotonic() - self._began) / 1e9,
        }
        if self._job is not None:
            self._job.__exit__(kind, error, None)
        status = "succeeded" if outcome.of(error).result == outcome.SUCCESS.result else "failed"
        failed = {"error": _text(error), "error_type": type(error).__name__} if error is not None else {}
        self._tell("finished", status, {**self.metadata, **failed}, used)

    def _note_memory(self) -> None:
        with guard.USAGE:
            run = self._job._running() if self._job is not None else None
            if run is not None:
                self.mem_max_mb = max(self.mem_max_mb, run.runtime.probe.memory().own / _MIB)

    def _tell(self, kind: str, status: str, metadata: Mapping[str, Any], used: Mapping[str, float]) -> None:
        """Tell whoever else wants to know: an emitter of the author's own, and the log.

        Args:
            kind: See `EventPayload`.
            status: See `EventPayload`.
            metadata: See `EventPayload`.
            used: Metrics beside `mem_max_mb`: those of the process alone, as the predecessor had them.
        """
        with guard.EVENT:
            if not isinstance(self.emitter, SidecarEmitter):
                metrics = {**used, "mem_max_mb": self.mem_max_mb}
                self.emitter.send(
                    JobEvent.now(kind, self.site_id, self.app, self.entity, status, metrics=metrics, metadata=metadata)
                )
        with guard.LOG:
            if self.enable_logging:
                level = logging.DEBUG if kind == "progress" else logging.INFO
                _LOGGER.log(level, "%s %s %s of %s: %s", self.entity.type, self.entity_id, kind, self.app.name, status)


def monitored_lambda_handler(site_id: str, app: AppRef) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Observe each call of an AWS Lambda handler; telemetry is sent before the handler returns.

    Args:
        site_id: Of the site.
        app: Whose jobs they are.

    Returns:
        A decorator.
    """

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:
        def observed(event: Any, lambda_context: Any) -> Any:
            name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "unknown")
            metadata = {"lambda_request_id": getattr(lambda_context, "aws_request_id", "unknown")}
            with Monitored(site_id, app, "job", business_key=name, metadata=metadata):
                return handler(event, lambda_context)

        return observed

    return decorate


def _cpu() -> tuple[float, float]:
    """Give the CPU time of this process so far in user and in kernel mode, s."""
    with guard.USAGE:
        return os.times()[:2]
    return _NO_CPU


def _text(error: BaseException) -> str:
    with guard.ARGUMENTS:
        return str(error)
    return ""
