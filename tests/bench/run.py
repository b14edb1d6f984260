"""Run every benchmark of this folder and print the tables of docs/benchmarks.md.

    python tests/bench/run.py [TOPIC ...]

A topic is a file `bench_<topic>.py` with a `main()` that prints a Markdown section. Each runs in a process of its own,
so that none measures what another has left behind.
"""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parent


def main(topics: list[str]) -> int:
    """Run the named topics, or all; return 1 when one of them failed."""
    files = [FOLDER / f"bench_{topic}.py" for topic in topics] or sorted(FOLDER.glob("bench_*.py"))
    print(f"{_machine()}, {datetime.now(UTC):%Y-%m-%d}\n", flush=True)
    failed = [file.name for file in files if subprocess.run([sys.executable, file], check=False).returncode]
    for name in failed:
        print(f"{name} failed", file=sys.stderr)
    return 1 if failed else 0


def _machine() -> str:
    models = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    kibibytes = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return (
        f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), {kibibytes / 2**20:.0f} GiB,"
        f" {platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
