"""Label sets as arrays: a pool of interned strings and frames of codes into it.

Grouping, matching and joining are numpy operations over codes; a label set becomes text only when it is rendered.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
METRIC_NAME = "__name__"
METADATA_LABELS = (METRIC_NAME, "__type__", "__unit__")


class Strings(Protocol):
    """A two-way mapping of strings and int32 codes; code 0 is the empty string, which means "label absent"."""

    def code(self, text: str) -> int:
        """Return the code of `text`, interning it first where it is new."""
        ...

    def find(self, text: str) -> int | None:
        """Return the code of `text`, or None where it was never interned."""
        ...

    def text(self, code: int) -> str:
        """Return the string behind a code."""
        ...


class StringPool:
    """Append-only interned strings, shared by all series of one source; safe to use from several threads."""

    def __init__(self) -> None:
        self._texts: list[str] = [""]
        self._codes: dict[str, int] = {"": 0}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._texts)

    def code(self, text: str) -> int:
        """Return the code of `text`, interning it first where it is new."""
        known = self._codes.get(text)
        if known is not None:
            return known
        with self._lock:
            known = self._codes.get(text)
            if known is None:
                known = len(self._texts)
                self._texts.append(text)  # before the code is published: a reader must find the text
                self._codes[text] = known
            return known

    def find(self, text: str) -> int | None:
        """Return the code of `text`, or None where it was never interned."""
        return self._codes.get(text)

    def text(self, code: int) -> str:
        """Return the string behind a code."""
        return self._texts[code]


class ScratchPool:
    """A query's own strings (label_replace, count_values …) on top of a source's pool, gone with the query.

    New strings get negative codes. The base is seen as it was when the scratch pool was made, so that a string which
    the base learns meanwhile keeps one code within the query; make it after the samples were selected.
    """

    def __init__(self, base: StringPool) -> None:
        self._base = base
        self._size = len(base)
        self._texts: list[str] = [""]
        self._codes: dict[str, int] = {}

    def code(self, text: str) -> int:
        """Return the code of `text`, interning it for this query where it is new."""
        known = self.find(text)
        if known is None:
            known = self._codes[text] = -len(self._texts)
            self._texts.append(text)
        return known

    def find(self, text: str) -> int | None:
        """Return the code of `text`, or None where neither the base nor this query knows it."""
        known = self._base.find(text)
        return known if known is not None and known < self._size else self._codes.get(text)

    def text(self, code: int) -> str:
        """Return the string behind a code."""
        return self._base.text(code) if code >= 0 else self._texts[-code]


@dataclass(frozen=True, slots=True, eq=False)
class LabelFrame:
    """The label sets of n series.

    Attributes:
        names: Label names, sorted, `__name__` among them; a name that no series carries may be listed.
        codes: int32[n, len(names)] into `pool`; 0 where a series lacks the label.
        pool: What the codes mean.
    """

    names: tuple[str, ...]
    codes: Codes
    pool: Strings

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def empty(cls, pool: Strings) -> LabelFrame:
        """A frame without series."""
        return cls((), np.zeros((0, 0), np.int32), pool)

    @classmethod
    def blank(cls, count: int, pool: Strings) -> LabelFrame:
        """A frame of `count` series without any label."""
        return cls((), np.zeros((count, 0), np.int32), pool)

    @classmethod
    def from_dicts(cls, series: Sequence[Mapping[str, str]], pool: Strings) -> LabelFrame:
        """Intern label sets given as mappings; an empty value means that the label is absent."""
        names = tuple(sorted({name for labels in series for name in labels}))
        codes = np.zeros((len(series), len(names)), np.int32)
        for row, labels in enumerate(series):
            codes[row] = [pool.code(labels.get(name, "")) for name in names]
        return cls(names, codes, pool)

    def column(self, name: str) -> Codes:
        """int32[n]: the codes of one label, zeros where no series has it."""
        if name in self.names:
            return self.codes[:, self.names.index(name)]
        return np.zeros(len(self), np.int32)

    def texts(self, name: str) -> list[str]:
        """The values of one label as strings, one per series."""
        return [self.pool.text(code) for code in self.column(name).tolist()]

    def project(self, names: Iterable[str]) -> LabelFrame:
        """Keep only these labels; rows may then be equal."""
        wanted = set(names)
        kept = [i for i, name in enumerate(self.names) if name in wanted]
        return LabelFrame(tuple(self.names[i] for i in kept), self.codes[:, kept], self.pool)

    def drop(self, names: Iterable[str]) -> LabelFrame:
        """Remove these labels; rows may then be equal."""
        return self.project(set(self.names).difference(names))

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> LabelFrame:
        """Select rows by index or mask."""
        return LabelFrame(self.names, self.codes[rows], self.pool)

    def widen(self, names: Iterable[str]) -> LabelFrame:
        """The same label sets over more columns."""
        wide = tuple(sorted(set(self.names).union(names)))
        if wide == self.names:
            return self
        codes = np.zeros((len(self), len(wide)), np.int32)
        codes[:, [wide.index(name) for name in self.names]] = self.codes
        return LabelFrame(wide, codes, self.pool)

    def assign(self, name: str, codes: Codes) -> LabelFrame:
        """Set one label of every series; code 0 removes it."""
        frame = self.widen([name])
        assigned = frame.codes.copy()
        assigned[:, frame.names.index(name)] = codes
        return LabelFrame(frame.names, assigned, frame.pool)

    def with_pool(self, pool: Strings) -> LabelFrame:
        """The same codes read by another pool, which must agree on them."""
        return LabelFrame(self.names, self.codes, pool)

    def row(self, index: int) -> dict[str, str]:
        """One label set as a dict, sorted by name, without absent labels."""
        codes = self.codes[index].tolist()
        return {name: self.pool.text(code) for name, code in zip(self.names, codes, strict=True) if code}

    def rows(self) -> Iterator[dict[str, str]]:
        """Every label set as a dict."""
        return (self.row(index) for index in range(len(self)))

    def order(self) -> list[int]:
        """Rows in Prometheus's order of label sets: name by name, value by value, the shorter set first."""
        keys = [list(row.items()) for row in self.rows()]
        return sorted(range(len(keys)), key=keys.__getitem__)
