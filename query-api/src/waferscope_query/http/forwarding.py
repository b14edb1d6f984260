"""What belongs to the writer is handed on to it: clients need to know one address only."""

import httpx
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from waferscope_query.http.envelope import failure
from waferscope_query.http.errors import ErrorType

_PATHS = ("/api/v1/write",)
_ASKED = ("content-type", "content-encoding", "content-length", "user-agent", "x-prometheus-remote-write-version")
_ANSWERED = ("content-type", "retry-after")
_WRITTEN = "x-prometheus-remote-write-"  # how much of a request was stored
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)


class Forwarding:
    """Hands requests on to the writer.

    Args:
        writer_url: The writer's address, `http://host:port`.
    """

    def __init__(self, writer_url: str) -> None:
        self._client = httpx.AsyncClient(base_url=writer_url, timeout=_TIMEOUT, trust_env=False)

    def router(self) -> APIRouter:
        """Offer the writer's endpoints."""
        router = APIRouter(tags=["Writer"])
        for path in _PATHS:
            router.add_api_route(path, self._forward, methods=["POST"], summary="Hand a request on to the writer")
        return router

    async def _forward(self, request: Request) -> Response:
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        try:
            answer = await self._client.post(request.url.path, content=request.stream(), headers=headers)
        except httpx.TransportError as error:
            text = " ".join(str(error).split()) or type(error).__name__
            return failure(ErrorType.UNAVAILABLE, f"the writer is not available: {text}")
        kept = {name: value for name, value in answer.headers.items() if name in _ANSWERED or name.startswith(_WRITTEN)}
        return Response(answer.content, answer.status_code, kept)
