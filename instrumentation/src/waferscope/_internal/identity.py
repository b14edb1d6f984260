"""Whose job it is: the attributes that every event and span of a job carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from waferscope import semconv

Scalar = str | bool | int | float
AttributeValue = Scalar | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]


@dataclass(frozen=True, slots=True)
class Identity:
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
        ids = {key: str(value) for key, value in known.items() if value is not None}
        own_known = {key: value for key, value in (own or {}).items() if value is not None}
        on_metrics = tuple(
            (key, ids[key]) for key in (semconv.WAFER_EQUIPMENT_ID, semconv.WAFER_RECIPE_ID) if key in ids
        )
        return cls(
            name,
            {**own_known, **ids, semconv.WAFER_JOB_NAME: name},
            ((semconv.WAFER_JOB_NAME, name), *on_metrics),
        )

    def on_events(self, job_id: str, attempt: int, parent_id: str | None) -> dict[str, AttributeValue]:
        """Give the attributes of one run's events and span."""
        said = {**self.attributes, semconv.WAFER_JOB_ID: job_id, semconv.WAFER_JOB_ATTEMPT: attempt}
        if parent_id is not None:
            said[semconv.WAFER_JOB_PARENT_ID] = parent_id
        return said
