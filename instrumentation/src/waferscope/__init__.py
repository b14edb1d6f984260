"""Traced wafer jobs over OpenTelemetry: what job authors import, and the waferscope command.

import waferscope

with waferscope.job("overlay", lot="LOT-4711", equipment="OVL-02", recipe="M1-VIA1") as job:
    with job.step("fit"):
        ...
"""

from waferscope._internal.api import configure, flush, job
from waferscope._internal.job import Job, current_job
from waferscope._internal.step import Step

__all__ = ["Job", "Step", "configure", "current_job", "flush", "job"]
