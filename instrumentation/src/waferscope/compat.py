"""The predecessor's SDK on top of WaferScope: job code written for it runs unchanged, with only the import changed.

from waferscope.compat import AppRef, Monitored   # was: from monitoring_sdk import AppRef, Monitored
"""

from waferscope._internal.compat_emitter import SidecarEmitter
from waferscope._internal.compat_models import AppRef, EntityRef, EventPayload, JobEvent
from waferscope._internal.compat_monitored import Monitored, monitored_lambda_handler

__all__ = [
    "AppRef",
    "EntityRef",
    "EventPayload",
    "JobEvent",
    "Monitored",
    "SidecarEmitter",
    "monitored_lambda_handler",
]
