"""The predecessor's pattern (three posts per job by a pooled client) against ours, both to a server on loopback."""

import json
import statistics
import uuid
from datetime import UTC, datetime

import httpx
import psutil
from measure import ROUNDS, cost
from serving import serving

import waferscope

CALLS = 50


def main() -> None:
    """Measure and print."""
    with serving() as url, httpx.Client(base_url=url, timeout=5.0) as client:
        waferscope.configure(service="bench", endpoint=url)
        process = psutil.Process()
        app = {"app_id": str(uuid.uuid4()), "name": "overlay", "version": "1.2.0"}

        def old() -> None:
            entity = {"type": "job", "id": str(uuid.uuid4()), "parent_id": None, "business_key": "L", "sub_key": None}
            for kind, status in (("started", "running"), ("progress", "running"), ("finished", "succeeded")):
                times = process.cpu_times()
                metrics = {
                    "cpu_user_s": times.user,
                    "cpu_system_s": times.system,
                    "mem_max_mb": process.memory_info().rss / 2**20,
                }
                event = {"kind": kind, "at": datetime.now(UTC).isoformat(), "metrics": metrics, "status": status}
                body = {
                    "idempotency_key": str(uuid.uuid4()),
                    "site_id": "fab1",
                    "app": app,
                    "entity": entity,
                    "event": event,
                }
                client.post("/v1/ingest/events", json=body).raise_for_status()

        def own() -> None:
            with waferscope.job("overlay", lot="L", equipment="E") as job:
                job.progress(1, 2)

        rounds = [(cost(old, lambda: None, CALLS).wall, cost(own, waferscope.flush, CALLS).wall) for _ in range(ROUNDS)]
        found = {
            "old_us": statistics.median(old for old, _ in rounds) * 1e6,
            "own_us": statistics.median(own for _, own in rounds) * 1e6,
            "ratio": statistics.median(old / own for old, own in rounds),
        }
        print(json.dumps(found))


if __name__ == "__main__":
    main()
