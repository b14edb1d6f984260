"""The log: one event a line, without secrets, and repeated warnings only so often."""

import json
import logging
import signal

import httpx
from support.ports import free_ports
from support.processes import waferscope
from writer_support import otlp
from writer_support.process import Ports, post, writer_process

from waferscope_collector.journal import JsonLines, Repetitions, TextLines


def record(message: str, *arguments: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("waferscope_collector.x", logging.WARNING, "x.py", 1, message, arguments, None)
    vars(made).update(more)
    return made


def test_a_json_line_holds_message_fields_and_error() -> None:
    event = record("could not commit %d requests:\n%s", 3, "why", batches=[1, 2])
    error = ValueError("bad")
    event.exc_info = (ValueError, error, None)
    line = JsonLines(1).format(event)
    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("time").endswith("+00:00")
    assert found.pop("error").endswith("ValueError: bad")
    assert found == {
        "level": "warning", "logger": "waferscope_collector.x", "message": "could not commit 3 requests:\nwhy",
        "process": 1, "batches": [1, 2],
    }  # fmt: skip


def test_of_many_lines_of_one_kind_some_pass_and_the_rest_is_counted() -> None:
    repetitions = Repetitions(burst=2, period=0.0)
    repetitions._period = 3600
    passed = [repetitions.filter(record("no %s", number)) for number in range(7)]
    assert passed == [True, True, *[False] * 5]
    assert repetitions.filter(record("another"))
    repetitions._period = 0
    later = record("no %s", 8)
    assert repetitions.filter(later)
    assert TextLines(None).format(later).endswith("x: no 8 (5 more like this were left out)")
    assert json.loads(JsonLines(None).format(later))["left_out"] == 5
    again = record("no %s", 9)
    assert repetitions.filter(again)
    assert TextLines(None).format(again).endswith("x: no 9")


def test_a_writer_logs_json_lines_without_its_password(database_url: str) -> None:
    ports = Ports.free(log_format="json", processes="2")
    with writer_process(ports, database_url) as process:
        assert post(ports, otlp.metrics(otlp.gauge("x", otlp.number(1))).SerializeToString()) == 200
        assert httpx.post(ports.url("/v1/metrics"), content=b"?", timeout=10).status_code == 415
        for number in range(2):
            process.wait_stderr(f'"process": {number}')
        process.send(signal.SIGTERM)
        assert process.wait_exit() == 0
        events = [json.loads(line) for line in process.stderr.splitlines()]
        assert {key for event in events for key in event} <= {"time", "level", "logger", "message", "process"}
    assert {event.get("process") for event in events} == {None, 0, 1}
    assert all(event["message"] and event["level"] == "info" for event in events)
    (nobody,) = free_ports(1)
    url = f"postgresql://someone:secret@127.0.0.1:{nobody}/nothing"
    with waferscope("serve", "writer", env=ports.env(url)) as process:
        process.wait_stderr("waiting for the database", within_s=60)
        assert "secret" not in process.stderr
