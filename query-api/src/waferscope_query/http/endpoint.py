"""How every endpoint of the Prometheus API is served: parameters in, envelope out, errors by their table."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from waferscope_query.http.admission import Admission
from waferscope_query.http.envelope import Success, encoded, failure, success_body
from waferscope_query.http.errors import KNOWN_ERRORS, error_type
from waferscope_query.http.parameters import Parameters, read_parameters
from waferscope_query.promql.control import Control

_SMALL = 32_768  # bytes that are packed within a millisecond
Handler = Callable[[Parameters, Control], Awaitable[Success]]


def served(admission: Admission, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint of a handler, which runs when `admission` lets it in."""

    async def endpoint(request: Request) -> Response:
        try:
            parameters = await read_parameters(request)
            timeout = parameters.duration("timeout") / 1000 if parameters.first("timeout") else None
            success = await admission.run(request, timeout, lambda control: handler(parameters, control))
        except KNOWN_ERRORS as error:
            return failure(error_type(error), str(error))
        if len(success.data) <= _SMALL:
            return encoded(request, success_body(success))
        return await asyncio.to_thread(lambda: encoded(request, success_body(success)))

    return endpoint
