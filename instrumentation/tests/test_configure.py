"""Configuring once, again, amid running jobs, and from the environment."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import waferscope
from waferscope._internal import arguments, settings

END = "wafer.job.ended"


def _ends(receiver: Any) -> Counter[str]:
    return Counter(said["wafer.job.name"] for name, said in receiver.events() if name == END)


def test_a_job_that_runs_keeps_its_pipeline_when_another_is_configured(receiver: Any, run: Any) -> None:
    ended = run(
        """
        import waferscope
        waferscope.configure(service="first")
        with waferscope.job("old") as old:
            waferscope.configure(service="second")
            with old.step("late"):
                pass
            with waferscope.job("new"):
                pass
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert (ended.code, ended.err) == (0, "")
    assert _ends(receiver) == {"old": 1, "new": 1}
    services = {
        record.event_name + "/" + _name_of(record): _service_of(resource)
        for message in receiver.messages("/v1/logs")
        for resource in message.resource_logs
        for record in resource.scope_logs[0].log_records
    }
    assert services["wafer.job.ended/old"] == "first"
    assert services["wafer.job.ended/new"] == "second"
    assert Counter(span.name for span in receiver.spans()) == {"old": 1, "late": 1, "new": 1}
    assert sum(point.count for point in receiver.points("wafer.job.duration")) == 2


def _name_of(record: Any) -> str:
    return next(str(item.value.string_value) for item in record.attributes if item.key == "wafer.job.name")


def _service_of(resource: Any) -> str:
    return next(str(item.value.string_value) for item in resource.resource.attributes if item.key == "service.name")


def test_after_that_a_fork_delivers_what_is_its_own(receiver: Any, run: Any) -> None:
    ended = run(
        """
        import os, waferscope
        waferscope.configure(service="first")
        with waferscope.job("old") as old:
            waferscope.configure(service="second")
            pid = os.fork()
            if pid == 0:
                with old.step("in child"):
                    pass
                with waferscope.job("child"):
                    pass
                os._exit(0 if waferscope.flush(10) else 1)
            assert os.waitpid(pid, 0)[1] == 0
            with waferscope.job("new"):
                pass
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert (ended.code, ended.err) == (0, "")
    assert _ends(receiver) == {"old": 1, "new": 1, "child": 1}
    assert Counter(span.name for span in receiver.spans()) == {"old": 1, "new": 1, "child": 1, "in child": 1}


def test_what_waits_in_a_pipeline_that_was_replaced_is_sent_before_the_process_ends(
    receiver: Any, start: Any, tmp_path: Any
) -> None:
    receiver.status = 503
    process = start(
        f"""
        import pathlib, time, waferscope
        with waferscope.job("old"):
            pass
        waferscope.configure()
        with waferscope.job("new"):
            pass
        print("configured", flush=True)
        while not pathlib.Path({str(tmp_path / "back")!r}).exists():
            time.sleep(0.01)
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_TIMEOUT="0.7",  # s: shorter than the exporter's first pause, in which no flush is heard
    )
    assert process.stdout.readline() == "configured\n"
    receiver.status = 200
    (tmp_path / "back").touch()
    assert process.wait(30) == 0
    assert _ends(receiver) == {"old": 1, "new": 1}


@pytest.mark.parametrize("signal", ["TRACES", "LOGS", "METRICS"])
def test_a_signal_without_an_exporter_holds_no_flush(receiver: Any, run: Any, signal: str) -> None:
    ended = run(
        """
        import waferscope
        with waferscope.job("overlay"):
            pass
        print(waferscope.flush(10))
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        **{f"OTEL_{signal}_EXPORTER": "none"},
    )
    assert (ended.code, ended.out, ended.err) == (0, "True\n", "")
    sent = {path for path, _ in receiver.bodies}
    assert sent == {"/v1/traces", "/v1/logs", "/v1/metrics"} - {f"/v1/{signal.lower()}"}


def test_strictness_comes_by_argument_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    try:
        for variable, argument, strict in (
            ("", None, False),
            ("true", None, True),
            ("True", None, True),
            ("true", False, False),
            ("", True, True),
        ):
            monkeypatch.setenv("WAFERSCOPE_STRICT", variable)
            waferscope.configure(strict=argument)
            assert arguments.is_strict() is strict
    finally:
        arguments.be_strict(on=False)


@pytest.mark.parametrize(("variable", "out"), [("true", "2"), ("false", "0"), ("", "0")])
def test_the_environment_asks_for_strictness_before_the_first_job_runs(run: Any, variable: str, out: str) -> None:
    script = """
        import waferscope
        refused = 0
        for wrong in (lambda: waferscope.job("overlay", lot=4711)(print), lambda: waferscope.equipment(None)):
            try:
                wrong()
            except waferscope.UsageError:
                refused += 1
        print(refused)
    """
    assert run(script, WAFERSCOPE_STRICT=variable).out.strip() == out


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ("http://otelcol:4318", "http://otelcol:4318"),
        ("HTTPS://otelcol", "HTTPS://otelcol"),
        ("otelcol:4318", "http://otelcol:4318"),
        ("", None),
        (None, None),
    ],
)
def test_an_endpoint_is_a_url(given: str | None, endpoint: str | None) -> None:
    assert settings.load(endpoint=given).endpoint == endpoint


@pytest.mark.parametrize(("given", "level"), [("info", 20), ("WARNING", 30), (35, 35), ("loud", None), (None, None)])
def test_a_level_is_a_name_or_a_number(given: Any, level: int | None) -> None:
    assert settings.load(export_logs=given).export_logs == level


@pytest.mark.usefixtures("telemetry")
def test_a_wrong_argument_of_configure_leaves_a_working_pipeline() -> None:
    waferscope.configure(site=7, service=["x"], endpoint="nowhere", export_logs="loud")  # type: ignore[arg-type]
    with waferscope.job("overlay") as job:
        assert job.traceparent is not None
