"""Etches until it is killed."""

import threading

import waferscope

waferscope.configure(service="etch")
with waferscope.job("endless-etch", lot="LOT-KILL", equipment="ETCH-07") as job, job.step("etch"):
    job.progress(3, 25)
    print(job.id, flush=True)
    threading.Event().wait()
