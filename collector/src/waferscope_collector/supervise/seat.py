"""The place of a process among those of one writer."""

import socket
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seat:
    """Which process of how many this is; without more, a writer of one process that takes its own ports."""

    number: int = 0
    of: int = 1
    http: socket.socket | None = None  # listens already, and is shared with the others
    began: int = field(default_factory=time.time_ns)  # of the whole writer, Unix time, ns

    @property
    def alone(self) -> bool:
        """Whether the writer is this process only."""
        return self.http is None

    @property
    def place(self) -> str:
        """The process's name beside its writer's others."""
        return str(self.number)

    def arguments(self) -> tuple[str, ...]:
        """Write it as a child's arguments."""
        assert self.http is not None
        return tuple(map(str, (self.number, self.of, self.http.fileno(), self.began)))

    @classmethod
    def of_arguments(cls, number: str, of: str, http: str, began: str) -> "Seat":
        """Read it from a child's arguments."""
        return cls(int(number), int(of), socket.socket(fileno=int(http)), int(began))
