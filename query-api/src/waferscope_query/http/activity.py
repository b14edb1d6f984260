"""Which queries are under way, told when it matters: at once for slow ones, after a crash for all of them."""

import fcntl
import logging
import mmap
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

_LOGGER = logging.getLogger(__name__)
_SLOT = 2048  # bytes of the file for a query
_LONGEST = 1500  # characters that are told of an expression


class Activity:
    """Notes queries while they run.

    Each has a slot in a file that is mapped into memory: writing costs a copy, and what stands there survives the
    process, however it ends. So the next start can tell which queries a crash, or a kill for want of memory, has
    interrupted.

    Args:
        slow: Seconds from which a query is logged.
        file: Where queries under way are noted; None: nowhere.
        slots: Queries at a time; more are not noted.
    """

    def __init__(self, slow: float, file: Path | None, slots: int) -> None:
        self._slow = slow
        self._free = list(range(slots))
        self._map: mmap.mmap | None = None
        if file is not None:
            try:
                self._open(file, slots * _SLOT)
            except OSError as error:
                _LOGGER.warning("queries under way are not noted in %s: %s", file, error.strerror or error)

    @contextmanager
    def query(self, **asked: str) -> Iterator[None]:
        """Note a query as long as it runs.

        Args:
            asked: The parameters, `query` among them.
        """
        asked = {name: _shortened(text) for name, text in asked.items() if text}
        began = time.perf_counter()
        slot = self._free.pop() if self._free and self._map is not None else None
        self._write(slot, msgspec.json.encode({**asked, "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}))
        try:
            yield
        finally:
            self._write(slot, b"")
            if slot is not None:
                self._free.append(slot)
            if (seconds := time.perf_counter() - began) >= self._slow:
                _LOGGER.warning("slow query, %.1f s: %s", seconds, _line(asked))

    def close(self) -> None:
        """Let go of the file."""
        if self._map is not None:
            self._map.close()
            self._map = None

    def _open(self, file: Path, size: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held as long as the map is: one service, one file
            for left in os.read(descriptor, os.fstat(descriptor).st_size).split(b"\0"):
                if left:
                    _LOGGER.warning("was under way when the service ended: %s", left.decode("utf-8", "replace"))
            os.truncate(descriptor, 0)
            os.truncate(descriptor, size)
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)

    def _write(self, slot: int | None, text: bytes) -> None:
        if slot is not None and self._map is not None:
            self._map[slot * _SLOT : (slot + 1) * _SLOT] = text[:_SLOT].ljust(_SLOT, b"\0")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _line(asked: dict[str, str]) -> str:
    return msgspec.json.encode(asked).decode()
