"""The pytest fixture; found by pytest through the entry point of the distribution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from waferscope.testing import Telemetry


@pytest.fixture
def wafer_telemetry() -> Iterator[Telemetry]:
    """Keep the telemetry of the test's jobs in memory; wrong arguments raise at the call."""
    from waferscope.testing import capture  # noqa: PLC0415 - only tests that capture pay for the import

    with capture() as telemetry:
        yield telemetry
