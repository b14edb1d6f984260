"""The context in a process's environment (OpenTelemetry, "Environment Variables as Context Propagation Carriers").

The propagators are asked for when they are needed: the environment may name some that do not exist.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from opentelemetry.context import Context

from waferscope._internal import context, guard


def inherited() -> Context:
    """Read the context that this process was started with."""
    with guard.CONTEXT:
        from opentelemetry.propagate import get_global_textmap  # noqa: PLC0415 - see above

        fields = get_global_textmap().fields
        found = {field: os.environ[variable] for field in fields if (variable := _variable(field)) in os.environ}
        return extracted(found) if found else context.EMPTY
    return context.EMPTY


def environment() -> dict[str, str]:
    """Give the environment for a subprocess: this process's, with the current job's place in it.

    `subprocess.run(command, env=waferscope.environment())`: a job of the command is a subjob of the current one, and a
    program that knows OpenTelemetry continues the trace.

    Returns:
        `os.environ` with TRACEPARENT, TRACESTATE and BAGGAGE, as far as there is something to say.
    """
    with guard.CONTEXT:
        said = variables()
        if said:  # all or nothing: the state of one trace does not go with another one
            replaced = _all_variables()
            return {**{name: value for name, value in os.environ.items() if name not in replaced}, **said}
    return dict(os.environ)


def variables() -> dict[str, str]:
    """Give the current job's place as variables of an environment."""
    with guard.CONTEXT:
        return {_variable(field): value for field, value in injected(context.current()).items()}
    return {}


def injected(here: Context) -> dict[str, str]:
    """Write a context as headers, by the propagators that OTEL_PROPAGATORS names, else those of W3C."""
    from opentelemetry import propagate  # noqa: PLC0415 - see above

    headers: dict[str, str] = {}
    propagate.inject(headers, here)
    return headers


def extracted(headers: Mapping[str, str]) -> Context:
    """Read a context from headers."""
    from opentelemetry import propagate  # noqa: PLC0415 - see above

    return propagate.extract(headers, context.EMPTY)


def _all_variables() -> set[str]:
    from opentelemetry.propagate import get_global_textmap  # noqa: PLC0415 - see above

    return set(map(_variable, get_global_textmap().fields))


def _variable(field: str) -> str:
    return field.upper().replace("-", "_")
