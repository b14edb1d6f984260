"""Runs one_second.py many times, each in a process of its own, some at a time.

The processes are forked from one that has imported everything and configured nothing: 200 imports would take minutes.
Each leaves by its normal end, as a script does.
"""

import importlib
import os
import sys

import one_second

BY_CONFIGURE = (  # what the wrapper imports when it is configured
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "requests",
    "waferscope._internal.providers",
)


def main(processes: int, at_a_time: int) -> bool:
    """Return whether all ended with 0."""
    running = good = 0
    for _ in range(processes):
        if running == at_a_time:
            good += os.wait()[1] == 0
            running -= 1
        if os.fork() == 0:
            one_second.main()
            return True
        running += 1
    return good + sum(os.wait()[1] == 0 for _ in range(running)) == processes


if __name__ == "__main__":
    for module in BY_CONFIGURE:
        importlib.import_module(module)
    sys.exit(0 if main(int(sys.argv[1]), int(sys.argv[2])) else 1)
