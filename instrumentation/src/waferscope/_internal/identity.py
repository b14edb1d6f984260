"""Whose job it is: the attributes that every event and span of a job carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from waferscope import semconv

Scalar = str | bool | int | float
AttributeValue = Scalar | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]

_ON_METRICS = {semconv.WAFER_EQUIPMENT_ID, semconv.WAFER_RECIPE_ID}


class Identity(NamedTuple):
    """What the author said of a job, ready to be sent.

    Attributes:
        name: `wafer.job.name`, of low cardinality: it becomes a metric label.
        attributes: On every event and on the job's span, without the job's id, attempt and parent.
        on_metrics: Attributes of metrics: never ids of jobs, lots, carriers or substrates.
    """

    name: str
    attributes: Mapping[str, AttributeValue]
    on_metrics: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, name: str, known: Mapping[str, object], own: Mapping[str, AttributeValue] | None = None) -> Identity:
        """Make an identity.

        Args:
            name: Of the job.
            known: Ids of the fab's things by their attribute's name; None is unknown.
            own: The author's own attributes; what the registry names wins over them.

        Returns:
            The identity, its ids turned to text.
        """
        name = str(name)
        on_metrics = [(semconv.WAFER_JOB_NAME, name)]
        attributes = {key: value for key, value in own.items() if value is not None} if own else {}
        for key, value in known.items():
            if value is not None:
                attributes[key] = text = str(value)
                if key in _ON_METRICS:
                    on_metrics.append((key, text))
        attributes[semconv.WAFER_JOB_NAME] = name
        return cls(name, attributes, tuple(on_metrics))

    def on_events(self, job_id: str, attempt: int, parent_id: str | None) -> dict[str, AttributeValue]:
        """Give the attributes of one run's events and span."""
        said = {**self.attributes, semconv.WAFER_JOB_ID: job_id, semconv.WAFER_JOB_ATTEMPT: attempt}
        if parent_id is not None:
            said[semconv.WAFER_JOB_PARENT_ID] = parent_id
        return said


UNKNOWN = Identity.of("", {})
