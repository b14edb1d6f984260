"""OTLP over gRPC."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import grpc
from google.protobuf.message import Message

from waferscope_collector.errors import PortTakenError, RequestError
from waferscope_collector.receive import ports
from waferscope_collector.receive.intake import Intake
from waferscope_collector.receive.signals import ENDPOINTS, Endpoint
from waferscope_collector.receive.status import grpc_code, status

_DETAILS = "grpc-status-details-bin"  # where gRPC carries a google.rpc.Status

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"  # generic in its stubs only
Handler: TypeAlias = "Callable[[bytes, Context], Awaitable[bytes]]"


class GrpcServer:
    """Serves the three Export methods."""

    def __init__(self, host: str, port: int, limit: int, *, shared: bool = False) -> None:
        """Take the port.

        Args:
            host: Address to listen on.
            port: Port to listen on.
            limit: Bytes of a message at most, before and after decompression.
            shared: Whether processes of one writer share the port, which their parent holds for them; it is taken at
                `start`.

        Raises:
            PortTakenError: Another process has it.
        """
        # Without so_reuseport=0 a second server would share a taken port in silence.
        options = (("grpc.so_reuseport", int(shared)), ("grpc.max_receive_message_length", limit))
        self._server = grpc.aio.server(options=options)
        self._host, self._port, self._shared = host, port, shared
        if not shared:
            ports.take(host, port, "gRPC").close()  # asked first: gRPC says it less clearly, and logs as well
            self._listen()

    def _listen(self) -> None:
        host, port = self._host, self._port
        try:
            self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError as error:
            raise PortTakenError(f"cannot listen on {host}:{port} for gRPC: {error}") from error

    async def start(self, intake: Intake) -> None:
        """Serve requests from an intake.

        Raises:
            PortTakenError: Another process has a shared port.
        """
        if self._shared:  # only now: the kernel would give connections to a process that does not serve yet
            self._listen()
        for endpoint in ENDPOINTS.values():
            service, _, method = endpoint.method.strip("/").partition("/")
            handler = grpc.unary_unary_rpc_method_handler(_handler(endpoint, intake))
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Take no more requests, and wait for those under way.

        Args:
            grace: Seconds until what is still under way is cut off.
        """
        await self._server.stop(grace)


def _handler(endpoint: Endpoint, intake: Intake) -> Handler:
    async def export(body: bytes, context: Context) -> bytes:
        try:
            response: Message = await intake.take(endpoint, "grpc", len(body), lambda: body)
        except RequestError as error:
            context.set_trailing_metadata(((_DETAILS, status(error).SerializeToString()),))
            await context.abort(grpc_code(error), str(error))
        return response.SerializeToString()

    return export
