"""The predecessor's applications: site and application are told by each job, not once for the process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from waferscope import semconv
from waferscope._internal import arguments, guard, process
from waferscope._internal.settings import load

if TYPE_CHECKING:
    from waferscope._internal.compat_models import AppRef, EntityRef
    from waferscope._internal.runtime import Runtime


def runtime_of(site_id: str, app: AppRef) -> Runtime | None:
    """Give the pipeline of an application at a site: one for each pair, made when it is first needed.

    Args:
        site_id: `wafer.site.id`.
        app: Its name is `service.name`, its version `service.version`.

    Returns:
        None when the wrapper is disabled.
    """
    settings = load(
        site=site_id or None,
        service=str(app.name) or None,
        version=str(app.version) or None,
        strict=arguments.is_strict(),
    )
    return process.of(settings)


def said_of(app: AppRef, entity: EntityRef, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the predecessor knew of a job as attributes.

    Args:
        app: Whose job it is.
        entity: The job or subjob.
        metadata: The author's own; what is no plain value becomes JSON.
    """
    said: dict[str, Any] = {}
    with guard.ARGUMENTS:
        said = arguments.attributes({str(key): _plain(value) for key, value in metadata.items()})
    said[semconv.WAFER_APP_ID] = str(app.app_id)
    if entity.business_key is not None:
        said[semconv.WAFER_JOB_KEY] = arguments.text(entity.business_key)
    if entity.sub_key is not None:
        said[semconv.WAFER_JOB_SUB_KEY] = arguments.text(entity.sub_key)
    return said


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return json.dumps(value, default=str)
