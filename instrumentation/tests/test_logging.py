"""The standard logging beside jobs: ids on every record, and an export that changes nothing of what the host hears."""

from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber

import waferscope

IDS = ("wafer_job_id", "wafer_job_name", "wafer_trace_id", "wafer_span_id")


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def host() -> Iterator[tuple[logging.Logger, list[logging.LogRecord]]]:
    """A logger of the host's with a handler that keeps what it gets."""
    logger, kept = logging.getLogger("host.metrology"), _Kept()
    logger.addHandler(kept)
    logger.setLevel(logging.DEBUG)
    yield logger, kept.records
    logger.removeHandler(kept)
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def exported(telemetry: Any) -> Iterator[Any]:
    """Telemetry with the export of logs from INFO on."""
    waferscope.configure(site="fab1", service="tests", export_logs="INFO")
    yield telemetry
    waferscope.configure(site="fab1", service="tests")


def _logs(telemetry: Any) -> list[Any]:
    return [item.log_record for item in telemetry.records() if not item.log_record.event_name]


def test_records_in_a_job_carry_its_ids(telemetry: Any, host: Any) -> None:
    logger, records = host
    with waferscope.job("overlay") as job:
        logger.info("in the job")
        with job.step("fit"):
            logger.info("in the step")
    fit, whole = telemetry.spans()
    for record, span in zip(records, (whole, fit), strict=True):
        assert [getattr(record, name) for name in IDS] == [
            job.id,
            "overlay",
            f"{span.context.trace_id:032x}",
            f"{span.context.span_id:016x}",
        ]


@pytest.mark.usefixtures("telemetry")
def test_records_outside_of_jobs_carry_empty_ids_so_that_formats_hold(host: Any) -> None:
    logger, records = host
    logger.info("outside")
    assert [getattr(records[0], name) for name in IDS] == [""] * 4
    for style, form in {"%": "%(message)s [%(wafer_job_id)s]", "{": "{message} [{wafer_job_id}]"}.items():
        assert logging.Formatter(form, style=style).format(records[0]) == "outside []"  # type: ignore[arg-type]
    assert logging.Formatter("%(message)s %(shift)s", defaults={"shift": "night"}).format(records[0]) == "outside night"


@pytest.mark.usefixtures("telemetry")
def test_an_extra_of_our_names_wins_and_never_raises(host: Any) -> None:
    logger, records = host
    with waferscope.job("overlay"):
        logger.info("hello", extra=dict.fromkeys(IDS, "the host's") | {"shift": "night"})
        with pytest.raises(KeyError, match="overwrite"):
            logger.info("hello", extra={"levelname": "as ever"})  # noqa: G101 - clashes, as it always has
    assert [getattr(records[0], name) for name in IDS] == ["the host's"] * 4
    assert logging.Formatter("%(wafer_job_id)s %(shift)s").format(records[0]) == "the host's night"


@pytest.mark.usefixtures("telemetry")
def test_records_can_be_copied_and_cross_to_other_processes(host: Any) -> None:
    logger, records = host
    with waferscope.job("overlay") as job:
        logger.info("hello %s", "wafer")
    pickled = pickle.dumps(records[0])
    assert b"waferscope._internal" not in pickled  # the other process need not have it
    for record in (copy.copy(records[0]), pickle.loads(pickled)):
        assert (record.wafer_job_id, record.getMessage()) == (job.id, "hello wafer")
        assert type(record.__dict__) is dict


def test_a_record_factory_of_the_hosts_still_makes_the_records(run: Any) -> None:
    ended = run(
        """
        import logging, waferscope
        class Mine(logging.LogRecord):
            pass
        def factory(*args, **kwargs):
            record = Mine(*args, **kwargs)
            record.tool = "OVL-02"
            return record
        logging.setLogRecordFactory(factory)
        logging.basicConfig(level=logging.INFO, format="%(tool)s %(wafer_job_name)s %(message)s")
        waferscope.configure()
        waferscope.configure()
        with waferscope.job("overlay"):
            logging.info("hello")
            assert isinstance(logging.makeLogRecord({}), Mine)
        """,
        OTEL_TRACES_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
    )
    assert (ended.code, ended.err) == (0, "OVL-02 overlay hello\n")


@pytest.mark.parametrize("refused", ["__dict__", "wafer_job_id"])
def test_a_record_that_refuses_our_ids_is_written_without_them(run: Any, refused: str) -> None:
    ended = run(
        f"""
        import logging, waferscope
        class Mine(logging.LogRecord):
            def __setattr__(self, name, value):
                if name == "{refused}":
                    raise AttributeError(name)
                super().__setattr__(name, value)
        logging.setLogRecordFactory(Mine)
        logging.basicConfig(format="%(message)s")
        logging.getLogger("waferscope").disabled = True
        waferscope.configure(export_logs="INFO")
        for _ in range(2):
            with waferscope.job("overlay"):
                logging.warning("hello")
        """,
        OTEL_TRACES_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
    )
    assert (ended.code, ended.err) == (0, "hello\nhello\n")


def test_importing_leaves_logging_alone_and_defaults_of_a_formatter_stand_in_until_there_are_ids(run: Any) -> None:
    ended = run(
        """
        import logging
        factory = logging.getLogRecordFactory()
        import waferscope
        assert logging.getLogRecordFactory() is factory
        handler = logging.StreamHandler()
        form = "%(message)s in [%(wafer_job_name)s]"
        handler.setFormatter(logging.Formatter(form, defaults={"wafer_job_name": ""}))
        logging.basicConfig(handlers=[handler])
        logging.warning("before")
        with waferscope.job("overlay"):
            logging.warning("within")
        logging.warning("after")
        """,
        OTEL_TRACES_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
    )
    assert (ended.code, ended.err) == (0, "before in []\nwithin in [overlay]\nafter in []\n")


def test_logs_are_exported_only_where_that_is_asked_for(telemetry: Any, host: Any) -> None:
    host[0].error("hello")
    assert _logs(telemetry) == []


def test_exported_records_have_level_place_job_and_extra(exported: Any, host: Any) -> None:
    logger, records = host
    with waferscope.job("overlay", attempt=2) as job:
        logger.debug("below the level")
        logger.warning("slot %d", 3, extra={"slot": 3, "parts": [1, 2], "none": None, "other": {"a": 1}})
    logger.info("outside")
    within, outside = _logs(exported)
    assert (within.body, within.severity_number, within.severity_text) == ("slot 3", SeverityNumber.WARN, "WARN")
    assert abs(within.timestamp - records[1].created * 1e9) < 1e6
    (span,) = exported.spans()
    assert (within.trace_id, within.span_id) == (span.context.trace_id, span.context.span_id)
    said = dict(within.attributes)
    assert said.pop("code.line.number") > 0
    assert said.pop("code.file.path").endswith("test_logging.py")
    assert said == {
        "code.function.name": "test_exported_records_have_level_place_job_and_extra",
        "wafer.job.id": job.id,
        "wafer.job.name": "overlay",
        "wafer.job.attempt": 2,
        "slot": 3,
        "parts": (1, 2),
        "other": "{'a': 1}",
    }
    assert (outside.body, "wafer.job.id" in outside.attributes) == ("outside", False)


def test_an_exported_exception_tells_type_message_and_stack(exported: Any, host: Any) -> None:
    try:
        _ = {}["slot"]
    except KeyError:
        host[0].exception("no slot")
    (record,) = _logs(exported)
    said = record.attributes
    assert (record.severity_number, said["exception.type"]) == (SeverityNumber.ERROR, "KeyError")
    assert said["exception.message"] == "'slot'"
    assert said["exception.stacktrace"].startswith("Traceback")
    assert '{}["slot"]' in said["exception.stacktrace"]


def test_a_record_whose_arguments_do_not_fit_is_exported_as_it_is(
    exported: Any, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    host[0].info("slot %d", "three")
    assert [record.body for record in _logs(exported)] == ["slot %d"]


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("debug", SeverityNumber.DEBUG),
        ("INFO", SeverityNumber.INFO),
        ("warning", SeverityNumber.WARN),
        (logging.ERROR, SeverityNumber.ERROR),
        ("critical", SeverityNumber.FATAL),
        (35, SeverityNumber.WARN),
        (5, SeverityNumber.TRACE),
        ("loud", SeverityNumber.INFO),
    ],
)
def test_a_jobs_own_log_needs_no_opt_in(telemetry: Any, level: Any, severity: Any) -> None:
    with waferscope.job("overlay") as job, job.step("fit"):
        job.log("offset is high", level, slot=3)
    (record,) = _logs(telemetry)
    fit, _ = telemetry.spans()
    assert (record.body, record.severity_number, record.span_id) == ("offset is high", severity, fit.context.span_id)
    assert record.attributes.items() >= {"slot": 3, "wafer.job.id": job.id, "wafer.job.name": "overlay"}.items()


NONE = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}


@pytest.mark.parametrize("setup", ["", "logging.getLogger().addHandler(logging.StreamHandler())"])
def test_the_exports_own_logs_are_not_exported(receiver: Any, run: Any, setup: str) -> None:
    """With the root logger at DEBUG, urllib3 logs each request: exporting that would make the next request."""
    ended = run(
        f"""
        import logging, waferscope
        logging.getLogger().setLevel(logging.DEBUG)
        {setup}
        waferscope.configure(export_logs="DEBUG")
        with waferscope.job("overlay"):
            logging.getLogger("host").debug("hello")
        for _ in range(5):
            assert waferscope.flush(10)
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert ended.code == 0
    bodies = _bodies(receiver)
    assert "hello" in bodies
    assert not [body for body in bodies if "HTTP" in body or "connection" in body.lower()]


@pytest.mark.parametrize("processor", ["SimpleLogRecordProcessor", "BatchLogRecordProcessor"])
def test_the_logs_of_a_hosts_sdk_at_work_are_not_exported_either(receiver: Any, run: Any, processor: str) -> None:
    ended = run(
        f"""
        import logging, waferscope
        from opentelemetry._logs import set_logger_provider
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import {processor}
        provider = LoggerProvider()
        provider.add_log_record_processor({processor}(OTLPLogExporter()))
        set_logger_provider(provider)
        logging.getLogger().setLevel(logging.DEBUG)
        waferscope.configure(export_logs="DEBUG")
        logging.getLogger("host").debug("hello")
        for _ in range(5):
            assert waferscope.flush(10)
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        **NONE,
    )
    assert (ended.code, ended.err) == (0, "")
    bodies = _bodies(receiver)
    assert bodies.count("hello") == 1
    assert not [body for body in bodies if "HTTP" in body or "connection" in body.lower()]


def test_a_process_without_jobs_exports_its_logs_too(receiver: Any, run: Any) -> None:
    ended = run(
        """
        import logging, waferscope
        waferscope.configure(export_logs="WARNING")
        logging.getLogger("host").warning("hello")
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert (ended.code, ended.err, _bodies(receiver)) == (0, "hello\n", ["hello"])


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_the_export_takes_nothing_from_what_the_host_hears(receiver: Any, run: Any, level: str) -> None:
    """Not the last resort of a program that sets nothing up, nor a `basicConfig` or `dictConfig` that comes later."""
    ended = run(
        f"""
        import logging, logging.config, waferscope
        waferscope.configure(export_logs="{level}")
        logging.getLogger("host").info("unheard")
        logging.getLogger("host").warning("by the last resort")
        logging.basicConfig(level=logging.INFO, format="basic %(message)s")
        logging.getLogger("host").info("one")
        logging.config.dictConfig({{
            "version": 1, "formatters": {{"plain": {{"format": "dict %(message)s"}}}},
            "handlers": {{"console": {{"class": "logging.StreamHandler", "formatter": "plain"}}}},
            "root": {{"level": "INFO", "handlers": ["console"]}},
        }})
        logging.getLogger("other").error("two")
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )
    assert (ended.code, ended.err) == (0, "by the last resort\nbasic one\ndict two\n")
    assert _bodies(receiver) == {"DEBUG": ["by the last resort", "one", "two"], "ERROR": ["two"]}[level]


def _bodies(receiver: Any) -> list[str]:
    return [
        record.body.string_value
        for message in receiver.messages("/v1/logs")
        for resource in message.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
        if not record.event_name
    ]
