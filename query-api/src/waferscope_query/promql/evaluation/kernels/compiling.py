"""How kernels are compiled: by numba, without the GIL, cached on disk where a folder can be written."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import numba

CACHE_VARIABLE = "WAFERSCOPE_QUERY_KERNEL_CACHE"
_log = logging.getLogger(__name__)
_Function = TypeVar("_Function", bound=Callable[..., Any])

if os.environ.get(CACHE_VARIABLE):
    setattr(numba.config, "CACHE_DIR", os.environ[CACHE_VARIABLE])  # noqa: B010, an attribute made at run time


def kernel(function: _Function) -> _Function:
    """Compile a function over arrays; division by zero follows IEEE 754, not Python."""
    try:
        return _compile(function, cached=True)
    except RuntimeError as error:  # numba's answer to an unwritable cache folder
        _warn_uncached(str(error).partition(":")[2].strip())
        return _compile(function, cached=False)


def _compile(function: _Function, *, cached: bool) -> _Function:
    compiled = numba.njit(nogil=True, error_model="numpy", cache=cached)(function)
    return cast("_Function", compiled)


@cache
def _warn_uncached(reason: str) -> None:
    _log.warning("kernels are compiled at every start: %s (set %s to a writable folder)", reason, CACHE_VARIABLE)
