"""The context in a process's environment (OpenTelemetry, "Environment Variables as Context Propagation Carriers")."""

from __future__ import annotations

import os

from opentelemetry import propagate
from opentelemetry.context import Context

from waferscope._internal import context, guard


def inherited() -> Context:
    """Read the context that this process was started with."""
    with guard.CONTEXT:
        fields = propagate.get_global_textmap().fields
        found = {field: os.environ[variable] for field in fields if (variable := _variable(field)) in os.environ}
        return propagate.extract(found, Context()) if found else context.EMPTY
    return context.EMPTY


def environment() -> dict[str, str]:
    """Give the environment for a subprocess: this process's, with the current job's place in it.

    `subprocess.run(command, env=waferscope.environment())`: a job of the command is a subjob of the current one, and a
    program that knows OpenTelemetry continues the trace.

    Returns:
        `os.environ` with TRACEPARENT, TRACESTATE and BAGGAGE, as far as there is something to say.
    """
    variables = dict(os.environ)
    with guard.CONTEXT:
        said: dict[str, str] = {}
        propagate.inject(said)
        if said:  # all or nothing: the state of one trace does not go with another one
            for field in propagate.get_global_textmap().fields:
                variables.pop(_variable(field), None)
        variables.update({_variable(field): value for field, value in said.items()})
    return variables


def _variable(field: str) -> str:
    return field.upper().replace("-", "_")
