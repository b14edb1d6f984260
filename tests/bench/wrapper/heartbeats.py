"""What a thousand active jobs cost while they do nothing: heartbeats every 10 s, made and sent."""

import contextlib
import json
import time

from serving import serving

import waferscope

JOBS = 1000
SECONDS = 40.0


def main() -> None:
    """Measure and print."""
    with serving() as url:
        waferscope.configure(service="bench", endpoint=url)
        with contextlib.ExitStack() as jobs:
            for number in range(JOBS):
                jobs.enter_context(waferscope.job("overlay", lot=f"LOT-{number}", equipment="OVL-02", recipe="M1-VIA1"))
            waferscope.flush(30)
            cpu, began = time.process_time(), time.perf_counter()
            time.sleep(SECONDS)
            used, passed = time.process_time() - cpu, time.perf_counter() - began
        waferscope.flush(30)
    print(json.dumps({"jobs": JOBS, "seconds": passed, "percent": 100 * used / passed}))


if __name__ == "__main__":
    main()
