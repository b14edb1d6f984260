"""Traced wafer jobs over OpenTelemetry: what job authors import, and the waferscope command.

import waferscope

with waferscope.job("overlay", lot="LOT-4711", equipment="OVL-02", recipe="M1-VIA1") as job:
    with job.step("fit"):
        ...
"""

from waferscope._internal.api import configure, flush, job, step
from waferscope._internal.carry import carry
from waferscope._internal.current import current_job, current_step
from waferscope._internal.environment import environment
from waferscope._internal.fab import Carrier, Equipment, carrier, deployment, equipment
from waferscope._internal.guard import UsageError
from waferscope._internal.job import Job
from waferscope._internal.step import Step

__all__ = [
    "Carrier",
    "Equipment",
    "Job",
    "Step",
    "UsageError",
    "carrier",
    "carry",
    "configure",
    "current_job",
    "current_step",
    "deployment",
    "environment",
    "equipment",
    "flush",
    "job",
    "step",
]
