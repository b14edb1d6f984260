"""What the documentation for job authors says is true: its Python runs, its reference is that of the code."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import reference

from waferscope._internal import guard, process
from waferscope.testing import Telemetry, capture

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *("README.md", "instrumentation/README.md", "docs/quickstart.md", "docs/wrapper.md", "docs/workers.md"),
    *("docs/testing.md", "docs/integrations.md", "docs/migration.md"),
)
ABSENT = {  # what a snippet may import though it is not installed: it is compiled only
    "airflow": "hundreds of dependencies, for its own environment",
    "celery": "no dependency of ours",
    "fastapi": "only where the servers are installed, too",
    "prefect": "hundreds of dependencies, for its own environment",
    "tenacity": "no dependency of ours",
}
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    """A block of Python on a page."""

    page: str
    line: int
    source: str

    def code(self) -> Any:
        """Compile it, at its place on the page."""
        filename = str(ROOT / self.page)
        return compile("\n" * (self.line - 1) + self.source, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    def lacks(self) -> set[str]:
        """Tell which of the libraries that may be absent it needs and doesn't find."""
        found = set()
        for node in ast.walk(ast.parse(self.source)):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules.append(node.module or "")
            found |= {name.split(".")[0] for name in modules}
        return {name for name in found & set(ABSENT) if importlib.util.find_spec(name) is None}

    def is_script(self) -> bool:
        """Whether it is a whole program: worker processes import it again."""
        return "__name__" in self.source


def snippets(page: str) -> Iterator[Snippet]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        yield Snippet(page, text.count("\n", 0, match.start()) + 2, match[1])


def stand_ins() -> dict[str, Any]:
    """Give what snippets leave open: the author's own work."""
    return {
        "__name__": "snippet",
        "align": lambda: None,
        "command": [sys.executable, "-c", ""],
        "fit": lambda *_: 1.0,
        "message": {"sent_at": 1_767_225_590.0},
        "regress": lambda *_: 1.0,
        "wafers": ["W01", "W02"],
    }


def call_readme(names: dict[str, Any], telemetry: Telemetry) -> bool:
    names["fit"]("LOT-4711", ["W01", "W02"])
    return telemetry.job("overlay-fit").progress == (2, 2)


def call_wrapper(names: dict[str, Any], telemetry: Telemetry) -> bool:
    asyncio.run(names["measure_async"](slot=7))
    return [step.name for step in telemetry.job("overlay-fit-async").steps] == ["fit"]


def call_workers(names: dict[str, Any], telemetry: Telemetry) -> bool:
    if "app" not in names:
        return True
    from httpx import ASGITransport, AsyncClient  # noqa: PLC0415 - there where FastAPI is

    async def post() -> Any:
        async with AsyncClient(transport=ASGITransport(names["app"]), base_url="http://service") as client:
            return (await client.post("/fits/LOT-4711")).json()

    answer = asyncio.run(post())
    job = telemetry.job("overlay-fit")
    return answer == {"residual_nm": 1.0} and job.attributes["wafer.lot.id"] == "LOT-4711"


def call_integrations(names: dict[str, Any], telemetry: Telemetry) -> bool:
    names["handler"]({"lot": "LOT-4711"}, SimpleNamespace(aws_request_id="42"))
    return telemetry.job("read-map").id == "42"


CALLS = {  # functions that a page defines for others to call
    "README.md": call_readme,
    "docs/wrapper.md": call_wrapper,
    "docs/workers.md": call_workers,
    "docs/integrations.md": call_integrations,
}


def execute(snippet: Snippet, names: dict[str, Any], telemetry: Telemetry) -> None:
    """Run a snippet, then the tests that it defines."""
    known = set(names)
    result = eval(snippet.code(), names)
    if inspect.iscoroutine(result):
        asyncio.run(result)
    for name in set(names) - known:
        if name.startswith("test_"):
            telemetry.clear()
            names[name](telemetry)


@pytest.mark.parametrize("page", PAGES)
def test_the_snippets_of_a_page_run_one_after_the_other(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "configure", lambda _: None)  # the arguments are read; what is recorded stays here
    monkeypatch.setattr("time.sleep", lambda _: None)
    faults = {boundary.name: boundary.failures for boundary in guard.BOUNDARIES}
    names = stand_ins()
    with capture(site="fab1", service="overlay") as telemetry:  # the predecessor's jobs name both: they stay here, too
        for snippet in snippets(page):
            if snippet.lacks() or snippet.is_script():
                snippet.code()
            else:
                execute(snippet, names, telemetry)
        if page in CALLS:
            telemetry.clear()
            assert CALLS[page](names, telemetry)
    assert {boundary.name: boundary.failures for boundary in guard.BOUNDARIES} == faults


@pytest.mark.parametrize(
    "script",
    [snippet for page in PAGES for snippet in snippets(page) if snippet.is_script()],
    ids=lambda script: f"{script.page}:{script.line}",
)
def test_the_programs_run(script: Snippet, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(script.source, encoding="utf-8")
    none = dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_LOGS_EXPORTER", "OTEL_METRICS_EXPORTER"), "none")
    env = {**os.environ, **none, "WAFERSCOPE_STRICT": "true"}
    ended = subprocess.run([sys.executable, program], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "internal error" not in ended.stderr


def test_every_page_has_snippets() -> None:
    assert all(list(snippets(page)) for page in PAGES)


def test_the_reference_is_that_of_the_docstrings() -> None:
    assert reference.PATH.read_text(encoding="utf-8") == reference.render(), "run `make generate`"
