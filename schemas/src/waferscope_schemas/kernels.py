"""How kernels are compiled: by numba, without the GIL, cached on disk where a folder can be written.

For the servers, which depend on numba; this package does not.
"""

import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

_LOGGER = logging.getLogger(__name__)
_WARNED: set[str] = set()
F = TypeVar("F", bound=Callable[..., Any])


def compiler(cache_variable: str) -> Callable[[F], F]:
    """Return the decorator that compiles functions over arrays; division by zero follows IEEE 754, not Python.

    Args:
        cache_variable: The environment variable that names the folder for compiled kernels; unset, they lie beside the
            code, and where nothing can be written they are compiled at every start.
    """
    import numba  # noqa: PLC0415 - see above

    if os.environ.get(cache_variable):
        setattr(numba.config, "CACHE_DIR", os.environ[cache_variable])  # noqa: B010, an attribute made at run time

    def compiled(function: F, *, cached: bool) -> F:
        return cast("F", numba.njit(nogil=True, error_model="numpy", cache=cached)(function))

    def kernel(function: F) -> F:
        try:
            return compiled(function, cached=True)
        except RuntimeError as error:  # numba's answer to an unwritable cache folder
            _warn_uncached(cache_variable, str(error))
            return compiled(function, cached=False)

    return kernel


def _warn_uncached(cache_variable: str, reason: str) -> None:
    """Tell it once, with the first kernel's reason."""
    if cache_variable not in _WARNED:
        _WARNED.add(cache_variable)
        _LOGGER.warning("kernels are compiled at every start: %s (set %s to a writable folder)", reason, cache_variable)
