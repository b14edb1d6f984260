"""One fab per test process, started when its first test asks for it."""

from collections.abc import Iterator

import pytest
from e2e.collector import Collector
from e2e.fab import Fab
from e2e.receiver import listening
from e2e.site import SITE, embedded
from support.ports import free_port


@pytest.fixture(scope="session")
def fab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fab]:
    folder = tmp_path_factory.mktemp("fab")
    tempo_port = free_port()
    with embedded(folder / "data") as site, listening(tempo_port) as traces:
        collector = Collector.prepare(
            folder / "spool", writer=site.writer_grpc, tempo=f"127.0.0.1:{tempo_port}", site=SITE
        )
        with collector.running():
            yield Fab(site, collector, traces)
