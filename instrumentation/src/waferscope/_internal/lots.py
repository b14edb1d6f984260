"""The newest job of each lot in this process: the next one of the lot links to it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext

_REMEMBERED = 1000


class Lots:
    """Spans of jobs by their lot, those of the lots that were noted last."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[object, SpanContext] = OrderedDict()

    def get(self, lot: object) -> SpanContext | None:
        """Give the newest job's place in its trace; None for no lot, and for one not seen before."""
        return self._contexts.get(lot)

    def note(self, lot: object, span: Span) -> None:
        """Note a job of a lot; nothing for None."""
        if lot is not None:
            self._contexts[lot] = span.get_span_context()
            self._contexts.move_to_end(lot)
            if len(self._contexts) > _REMEMBERED:
                self._contexts.popitem(last=False)
