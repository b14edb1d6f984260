"""`waferscope deployment` delivers one event, or says that it did not. All need the new core but wrong calls."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

COMMAND = [
    sys.executable, "-c", "import sys; from waferscope._internal.cli import main; sys.exit(main())", "deployment",
]  # fmt: skip


@pytest.fixture
def deploy() -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "WAFERSCOPE_"))}
        return subprocess.run(
            [*COMMAND, *words], env={**clean, **env}, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_the_event_is_delivered(deploy: Any, receiver: Any) -> None:
    words = ["1.4.2", "--service", "overlay", "--site", "fab1", "--at", "2026-11-24T08:00:00Z"]
    done = deploy(*words, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert receiver.events() == [("wafer.deployment", {"service.name": "overlay", "service.version": "1.4.2"})]
    assert receiver.resources("/v1/logs")[0]["wafer.site.id"] == "fab1"
    (record,) = receiver.messages("/v1/logs")[0].resource_logs[0].scope_logs[0].log_records
    assert record.time_unix_nano == 1_795_507_200 * 10**9


@pytest.mark.parametrize("status", [400, 401, 503, None])
def test_what_was_not_delivered_is_said(deploy: Any, receiver: Any, status: int | None) -> None:
    receiver.status = status or 200
    url = receiver.url if status else "http://127.0.0.1:9"
    done = deploy("1.4.2", OTEL_SERVICE_NAME="overlay", OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert done.returncode == 1
    assert "the deployment of overlay 1.4.2 was not delivered" in done.stderr


def test_a_disabled_wrapper_sends_nothing_and_says_so(deploy: Any) -> None:
    done = deploy("1.4.2", "--service", "overlay", OTEL_SDK_DISABLED="true")
    assert (done.returncode, "OTEL_SDK_DISABLED" in done.stderr) == (1, True)


@pytest.mark.parametrize("words", [[], ["1.4.2"], ["1.4.2", "--service", "s", "--at", "soon"]], ids=repr)
def test_a_wrong_call_ends_with_2(deploy: Any, words: list[str]) -> None:
    assert deploy(*words).returncode == 2
