"""The host's Collector alone: its configuration file, and what it does with what it receives."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e import otlp
from e2e.collector import HOST, HOST_TEMPO, Collector, run
from e2e.receiver import Received, listening
from support.ports import free_ports
from support.wait import wait_until

DOCS = Path(__file__).parents[2] / "docs" / "collector.md"
VARIABLE = re.compile(r"\$\{env:(\w+)")


@pytest.fixture(params=[HOST, HOST_TEMPO], ids=lambda path: path.name)
def config(request: pytest.FixtureRequest) -> Any:
    return yaml.safe_load(request.param.read_text())


def test_every_variable_is_documented_and_every_documented_one_is_used() -> None:
    used = {name for path in (HOST, HOST_TEMPO) for name in VARIABLE.findall(path.read_text())}
    documented = set(re.findall(r"^\| `(WAFERSCOPE_\w+)`", DOCS.read_text(), re.MULTILINE))
    assert used == documented


def test_the_documented_defaults_are_the_real_ones() -> None:
    text = HOST.read_text() + HOST_TEMPO.read_text()
    real = dict(re.findall(r"\$\{env:(\w+):-([^}]*)\}", text))
    documented = dict(re.findall(r"^\| `(WAFERSCOPE_\w+)` \| (?:`([^`]+)`|.) ", DOCS.read_text(), re.MULTILINE))
    assert {name: real.get(name, "") for name in documented} == documented


def test_memory_limiter_comes_first_in_every_pipeline(config: Any) -> None:
    for pipeline in config["service"]["pipelines"].values():
        assert pipeline["processors"][0] == "memory_limiter"


def test_nothing_cuts_requests_anew(config: Any) -> None:
    assert not [name for name in config.get("processors", {}) if name.startswith("batch")]
    for exporter in config["exporters"].values():
        assert not {"batch", "wait_for_result"} & exporter["sending_queue"].keys()


def test_every_exporter_spools_on_disk_and_never_gives_up(config: Any) -> None:
    for exporter in config["exporters"].values():
        assert exporter["sending_queue"]["storage"] == "file_storage/spool"
        assert exporter["sending_queue"]["sizer"] == "items"
        assert exporter["retry_on_failure"]["max_elapsed_time"] == 0


@pytest.mark.collector
@pytest.mark.parametrize("files", [[HOST], [HOST, HOST_TEMPO]], ids=["host", "host and tempo"])
def test_the_collector_takes_the_files(files: list[Path], tmp_path: Path) -> None:
    prepared = Collector.prepare(tmp_path / "spool", writer="127.0.0.1:1", tempo="127.0.0.1:1")
    words = [word for file in files for word in ("--config", file)]
    with run("validate", *words, env=prepared.environment) as process:
        assert process.wait_exit() == 0, process.report()


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A running Collector between a sender and two receivers."""

    collector: Collector
    writer: Received
    tempo: Received


@pytest.fixture(scope="module")
def forwarding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forwarding]:
    writer_port, tempo_port = free_ports(2)
    collector = Collector.prepare(
        tmp_path_factory.mktemp("collector") / "spool",
        writer=f"127.0.0.1:{writer_port}",
        tempo=f"127.0.0.1:{tempo_port}",
        site="fab1",
    )
    with listening(writer_port) as writer, listening(tempo_port) as tempo, collector.running():
        yield Forwarding(collector, writer, tempo)


@pytest.mark.collector
def test_the_site_is_inserted_where_the_sender_gave_none(forwarding: Forwarding) -> None:
    otlp.send(forwarding.collector.endpoint, otlp.log("no site", {"host.name": "eqp-pc-7"}))
    otlp.send(forwarding.collector.endpoint, otlp.log("own site", {"wafer.site.id": "fab9"}))
    assert _resource(forwarding.writer, "no site")["wafer.site.id"] == "fab1"
    assert _resource(forwarding.writer, "own site")["wafer.site.id"] == "fab9"


@pytest.mark.collector
def test_a_senders_own_host_name_stands(forwarding: Forwarding) -> None:
    otlp.send(forwarding.collector.endpoint, otlp.log("named", {"host.name": "eqp-pc-7"}))
    otlp.send(forwarding.collector.endpoint, otlp.log("nameless", {}))
    assert _resource(forwarding.writer, "named")["host.name"] == "eqp-pc-7"
    assert _resource(forwarding.writer, "nameless")["host.name"] == _host_name(forwarding.writer)


@pytest.mark.collector
def test_wafer_spans_go_to_the_writer_and_all_spans_to_the_trace_store(forwarding: Forwarding) -> None:
    endpoint, trace_id = forwarding.collector.endpoint, bytes(range(16))
    otlp.send(endpoint, otlp.span("query", (trace_id, b"\x01" * 8), {}, {}))
    otlp.send(endpoint, otlp.span("overlay", (trace_id, b"\x02" * 8), {}, {"wafer.job.id": "j1"}))
    wait_until(lambda: forwarding.tempo.spans_named("query"), "the plain span is at the trace store")
    wait_until(lambda: forwarding.tempo.spans_named("overlay"), "the wafer span is at the trace store")
    wait_until(lambda: forwarding.writer.spans_named("overlay"), "the wafer span is at the writer")
    assert not forwarding.writer.spans_named("query")


@pytest.mark.collector
@pytest.mark.parametrize(
    "metric",
    [
        "system.cpu.time",
        "system.memory.usage",
        "system.network.io",
        "system.cpu.load_average.1m",
        "system.paging.operations",
        "system.processes.count",
    ],
)
def test_the_hosts_metrics_are_read(forwarding: Forwarding, metric: str) -> None:
    found = wait_until(lambda: forwarding.writer.metrics_named(metric), f"{metric} has come")
    assert "hostmetricsreceiver" in found[0].scope
    assert found[0].resource["wafer.site.id"] == "fab1"


@pytest.mark.collector
def test_a_trace_store_that_is_down_holds_nothing_back_from_the_writer(tmp_path: Path) -> None:
    writer_port, tempo_port = free_ports(2)
    collector = Collector.prepare(
        tmp_path / "spool", writer=f"127.0.0.1:{writer_port}", tempo=f"127.0.0.1:{tempo_port}"
    )
    with listening(writer_port) as writer, collector.running():
        otlp.send(collector.endpoint, otlp.span("overlay", (b"\x01" * 16, b"\x02" * 8), {}, {"wafer.job.id": "j1"}))
        wait_until(lambda: writer.spans_named("overlay"), "the span is at the writer")
        with listening(tempo_port) as tempo:
            wait_until(lambda: tempo.spans_named("overlay"), "the span is at the trace store once that is up")
        assert len(writer.spans_named("overlay")) == 1


@pytest.mark.collector
def test_without_a_site_the_writer_is_left_to_name_it(tmp_path: Path) -> None:
    (writer_port,) = free_ports(1)
    collector = Collector.prepare(tmp_path / "spool", writer=f"127.0.0.1:{writer_port}")
    with listening(writer_port) as writer, collector.running():
        otlp.send(collector.endpoint, otlp.log("no site", {}))
        assert "wafer.site.id" not in _resource(writer, "no site")


def _resource(received: Received, body: str) -> dict[str, Any]:
    def find() -> dict[str, Any] | None:
        with received.lock:
            return next((item.resource for item in received.logs if item.data.body.string_value == body), None)

    return wait_until(find, f"the log record {body!r} has come")


def _host_name(received: Received) -> str:
    found = wait_until(lambda: received.metrics_named("system.memory.usage"), "host metrics have come")
    return str(found[0].resource["host.name"])
