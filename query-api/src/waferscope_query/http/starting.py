"""The service while it starts: alive at once; what needs the engine waits for its import, seconds of a thread."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

_HEALTH = "/v1/healthz"
_ALIVE = b'{"status":"ok"}'


class Starting:
    """Serves the application once it is there.

    Args:
        application: Is being put together.
    """

    def __init__(self, application: "asyncio.Task[ASGIApp]") -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if not self._application.done() and scope["type"] == "http" and scope["path"] == _HEALTH:
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ALIVE))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": _ALIVE})
            return
        application = await asyncio.shield(self._application)
        await application(scope, receive, send)
