"""What belongs to the writer is handed on to it: clients need to know one address only."""

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from waferscope_query.http.envelope import failure
from waferscope_query.http.errors import ErrorType

_PATHS = ("/api/v1/write",)
_ASKED = ("content-type", "content-encoding", "content-length", "user-agent", "x-prometheus-remote-write-version")
_ANSWERED = ("content-type", "retry-after")
_WRITTEN = "x-prometheus-remote-write-"  # how much of a request was stored
_TIMEOUT, _CONNECT_TIMEOUT = 60.0, 5.0  # seconds

if TYPE_CHECKING:
    import httpx


class Forwarding:
    """Hands requests on to the writer.

    Args:
        writer_url: The writer's address, `http://host:port`.
    """

    def __init__(self, writer_url: str) -> None:
        self._writer_url = writer_url
        self._client: httpx.AsyncClient | None = None

    def router(self) -> APIRouter:
        """Offer the writer's endpoints."""
        router = APIRouter(tags=["Writer"])
        for path in _PATHS:
            router.add_api_route(path, self._forward, methods=["POST"], summary="Hand a request on to the writer")
        return router

    async def _forward(self, request: Request) -> Response:
        import httpx  # noqa: PLC0415 - a quarter of a second, which no start shall wait for

        if self._client is None:
            timeout = httpx.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT)
            self._client = httpx.AsyncClient(base_url=self._writer_url, timeout=timeout, trust_env=False)
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        try:
            answer = await self._client.post(request.url.path, content=request.stream(), headers=headers)
        except httpx.TransportError as error:
            text = " ".join(str(error).split()) or type(error).__name__
            return failure(ErrorType.UNAVAILABLE, f"the writer is not available: {text}")
        kept = {name: value for name, value in answer.headers.items() if name in _ANSWERED or name.startswith(_WRITTEN)}
        return Response(answer.content, answer.status_code, kept)
