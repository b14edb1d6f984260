"""Memory that this process holds on NVIDIA GPUs, where the extra `gpu` (pynvml) is installed and there is one."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from time import monotonic
from typing import Any

from waferscope._internal import guard

_FRESH = 1.0  # s


class Gpu:
    """Asks the driver, once a second at the most; sets it up anew in a forked child."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._pid = 0
        self._devices: list[Any] = []
        self._held = 0
        self._read_at = 0.0

    def memory(self) -> int | None:
        """Give the bytes that this process holds on all GPUs; None where there is none."""
        with guard.USAGE:
            now = monotonic()
            if now - self._read_at > _FRESH or self._pid != os.getpid():
                self._read_at = now
                self._held = sum(map(self._held_on, self._opened()))
        return self._held if self._devices else None

    def _opened(self) -> list[Any]:
        if self._pid != os.getpid():
            self._pid, self._devices = os.getpid(), []
            with suppress(self._nvml.NVMLError):  # no driver, no GPU
                self._nvml.nvmlInit()
                count = self._nvml.nvmlDeviceGetCount()
                self._devices = [self._nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        return self._devices

    def _held_on(self, device: Any) -> int:
        processes = self._nvml.nvmlDeviceGetComputeRunningProcesses(device)
        return sum(item.usedGpuMemory or 0 for item in processes if item.pid == self._pid)


def find() -> Gpu | None:
    """Give the GPUs; None where `pynvml` is not installed."""
    with guard.USAGE:
        if find_spec("pynvml") is not None:
            return Gpu(import_module("pynvml"))
    return None
