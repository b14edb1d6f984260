"""How far each host's clock is behind the site's: the least over some minutes of what its jobs' events have shown."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from waferscope_collector.derive.request import Request, registered, site

_WINDOW = 600 * 10**9  # ns
_OFFSET = "wafer.clock.offset"

Host = tuple[str, str]  # site, name


@dataclass(slots=True)
class Clocks:
    """Offsets of the last minutes, by host; the least discards those of events that waited in a spool."""

    _shown: dict[Host, deque[tuple[int, float]]] = field(default_factory=lambda: defaultdict(deque))

    def note(self, host: Host, now: int, offset: float) -> None:
        """Take notice of when an event was received, less the time that it bears (s)."""
        self._shown[host].append((now, offset))

    def sample(self, now: int, request: Request) -> None:
        """Add the gauges of this moment; a host that has shown nothing for the window ends its series."""
        unit = registered(_OFFSET).unit
        for (where, host), shown in list(self._shown.items()):
            while shown and shown[0][0] <= now - _WINDOW:
                shown.popleft()
            least = min((offset for _, offset in shown), default=None)
            request.gauge(site(where), _OFFSET, now, least, (("host.name", host),), unit=unit)
            if least is None:
                del self._shown[where, host]
