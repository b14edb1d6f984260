"""What the wrapper costs: a step and a job against raw spans, its imports, its heartbeats, and the predecessor's way.

Each program of the folder `wrapper` runs in a process of its own and prints one JSON object.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "wrapper"
IMPORTS = 7
SDK_IMPORT = (
    "import opentelemetry.sdk.trace.export, opentelemetry.sdk._logs.export, opentelemetry.sdk.metrics.export, "
    "opentelemetry.exporter.otlp.proto.http.trace_exporter, opentelemetry.exporter.otlp.proto.http._log_exporter, "
    "opentelemetry.exporter.otlp.proto.http.metric_exporter"
)


def program(name: str, **env: str) -> dict[str, Any]:
    """Run a program of the folder and give what it measured."""
    ended = subprocess.run(
        [sys.executable, PROGRAMS / f"{name}.py"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def importing() -> tuple[float, float]:
    """Measure the import and the first configuration against the import of SDK and exporters; give two ratios."""
    codes = (SDK_IMPORT, "import waferscope", "import waferscope; waferscope.configure()")
    rounds = [[process(code) for code in ("pass", *codes)] for _ in range(IMPORTS)]
    own, configured = (
        statistics.median((row[index] - row[0]) / (row[1] - row[0]) for row in rounds) for index in (2, 3)
    )
    return own, configured


def process(code: str) -> float:
    """Give the seconds of a Python process that runs `code`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    print("## Wrapper\n")
    print("| what | median | target |")
    print("|---|---|---|")
    spans = program("spans")
    for subject, target in (("step", "at most 1.5"), ("job", "at most 4")):
        found = spans[subject]
        print(
            f"| `{subject}` against a raw span with the same attributes | {found['ratio']:.2f} times"
            f" ({found['own_us']:.1f} and {found['raw_us']:.1f} µs) | {target} times |"
        )
        print(f"| the same in CPU time, with all threads | {found['cpu_ratio']:.2f} times | |")
    disabled = program("disabled", OTEL_SDK_DISABLED="true")
    print(f"| `step` with OTEL_SDK_DISABLED=true | {disabled['step_us']:.2f} µs | under 2 µs |")
    own, configured = importing()
    print(f"| `import waferscope` against the import of SDK and exporters | {own:.2f} times | at most 1.3 times |")
    print(f"| the same with `configure()`, which imports them | {configured:.2f} times | |")
    old = program("predecessor")
    print(
        f"| a job by the predecessor's three posts against ours | {old['ratio']:.1f} times"
        f" ({old['old_us'] / 1000:.2f} and {old['own_us'] / 1000:.3f} ms) | at least 15 times |"
    )
    beats = program("heartbeats")
    print(
        f"| heartbeats of {beats['jobs']:,} active jobs over {beats['seconds']:.0f} s, export included"
        f" | {beats['percent']:.2f} % of a core | under 1 % |"
    )


if __name__ == "__main__":
    main()
