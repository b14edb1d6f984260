"""The server's socket, taken before anything heavy is imported: a taken port is told at once."""

import errno
import socket
from typing import ClassVar


class PortTakenError(Exception):
    """Someone else listens there, or nobody can."""

    exit_code: ClassVar[int] = 4


def listen(host: str, port: int) -> socket.socket:
    """Take a port.

    Args:
        host: Address or name.
        port: 0 takes a free one.

    Raises:
        PortTakenError: Someone else has it, or the address is none of this machine's.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
        raise PortTakenError(
            f"{host}:{port} {reason}; set WAFERSCOPE_QUERY_HOST and WAFERSCOPE_QUERY_PORT to another"
        ) from None
