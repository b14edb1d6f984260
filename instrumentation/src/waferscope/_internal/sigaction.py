"""What handles a signal below Python, which `signal.getsignal` can't tell: handlers of native libraries as well."""

from __future__ import annotations

from functools import cache
from typing import Any

_LARGEST = 512  # bytes of a struct sigaction: more than on any platform
DEFAULT = 0  # SIG_DFL


@cache
def _sigaction() -> Any:
    import ctypes  # noqa: PLC0415 - only processes that run a job pay for it

    # Of the C library that the process has loaded; without letting other threads run, for fork hooks ask, too.
    return ctypes.PyDLL(None).sigaction


def handler(number: int) -> int:
    """Give the address of what handles a signal; 0 for its default action.

    Args:
        number: Of the signal.

    Raises:
        OSError: There is no such signal, or the platform does not tell.
        ImportError: Python was built without ctypes.
    """
    import ctypes  # noqa: PLC0415 - as above

    action = ctypes.create_string_buffer(_LARGEST)
    if _sigaction()(number, None, action) != 0:
        raise OSError(f"what handles signal {number} can't be told")
    # sigaction(2): the handler comes first in Linux's and the BSDs' structure as the C libraries give it.
    return ctypes.c_void_p.from_buffer(action).value or DEFAULT
