"""Prometheus's own acceptance suite, asked of the query service: see promql/conformance_test.go.

The floor is what agreed before; it only rises. `WAFERSCOPE_CONFORMANCE_REPORT=FILE` keeps every difference.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.sites import serving

FOLDER = Path(__file__).parent / "promql"
FLOOR = Path(__file__).with_name("floor.json")  # file of the suite -> queries that must agree, out of how many
BUILD_S, RUN_S = 1200, 600


@pytest.fixture
def site(postgres_url: str, template_database: str) -> Iterator[str]:
    """The URL of a query service with a writer behind it, on an empty database."""
    with serving(postgres_url, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests in Go, built."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs Go 1.26")
    program = tmp_path_factory.mktemp("conformance") / "conformance"
    subprocess.run([go, "test", "-c", "-o", program, "."], cwd=FOLDER, check=True, timeout=BUILD_S)
    return program


def run(program: Path, test: str, **env: str) -> None:
    command = [program, "-test.run", f"^{test}$", "-test.timeout", f"{RUN_S}s"]
    done = subprocess.run(command, env=os.environ | env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    print(done.stdout)


@pytest.mark.timeout(BUILD_S + RUN_S)
def test_promql_agrees_with_prometheus(program: Path, site: str, tmp_path: Path) -> None:
    report = Path(os.environ.get("WAFERSCOPE_CONFORMANCE_REPORT", tmp_path / "report.json"))
    run(program, "TestConformance", WAFERSCOPE_CONFORMANCE_URL=site, WAFERSCOPE_CONFORMANCE_REPORT=str(report))
    found = json.loads(report.read_text(encoding="utf-8"))
    scores = {score["file"]: [score["agreed"], score["asked"]] for score in found["scores"]}
    floor: dict[str, list[int]] = json.loads(FLOOR.read_text(encoding="utf-8"))
    assert {file: asked for file, (_, asked) in scores.items()} == {file: asked for file, (_, asked) in floor.items()}
    fallen = {file: (agreed, floor[file][0]) for file, (agreed, _) in scores.items() if agreed < floor[file][0]}
    assert not fallen, f"fewer answers agree than before: {fallen}"


@pytest.mark.timeout(BUILD_S + RUN_S)
def test_answers_about_random_counters_agree(program: Path, site: str) -> None:
    run(program, "TestRandom", WAFERSCOPE_CONFORMANCE_URL=site)


@pytest.mark.timeout(BUILD_S + RUN_S)
def test_the_official_client_finds_all_it_asks_for(program: Path, site: str) -> None:
    run(program, "TestClient", WAFERSCOPE_CONFORMANCE_URL=site)
