"""What every board owes its readers, and every file its board."""

import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from waferscope_grafana.boards import BOARDS, Board
from waferscope_grafana.errors import NoBoardFolderError
from waferscope_grafana.palette import STATUS
from waferscope_grafana.questions import all_panels, board_questions
from waferscope_grafana.render import committed_folder, render, write_all
from waferscope_grafana.sources import SOURCES

STABLE_VIEWS = {
    *("jobs", "steps", "job_events", "spans", "logs", "metrics", "hosts"),
    *("equipment_states", "carrier_visits", "deployments"),
    *("success_rates", "slowest_jobs", "failures", "outliers", "job_days"),
    *("equipment_utilisation", "carrier_dwell", "lot_journeys", "host_jobs"),
}
NUMERIC = {"stat", "timeseries", "barchart", "bargauge", "gauge", "heatmap", "histogram", "piechart"}
EACH_BOARD = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)


def document(board: Board) -> dict[str, Any]:
    return json.loads(render(board))


def panels(board: Board) -> list[dict[str, Any]]:
    return list(all_panels(document(board)["panels"]))


@EACH_BOARD
def test_the_committed_board_is_what_the_code_makes(board: Board) -> None:
    committed = committed_folder() / board.path
    assert committed.read_text(encoding="utf-8") == render(board), "run `waferscope boards render`"


def test_no_committed_board_is_without_code() -> None:
    files = {file.relative_to(committed_folder()) for file in committed_folder().rglob("*.json")}
    assert files == {Path(board.path) for board in BOARDS}


@EACH_BOARD
def test_a_board_is_the_same_in_every_process(board: Board) -> None:
    program = "import sys; from waferscope_grafana.boards import BOARDS; from waferscope_grafana.render import render; "
    program += f"sys.stdout.write(render(BOARDS[{BOARDS.index(board)}]))"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert other.stdout.decode() == render(board)


def test_boards_are_known_by_unique_uids_titles_and_files() -> None:
    for key in ("uid", "title", "path"):
        assert len({getattr(board, key) for board in BOARDS}) == len(BOARDS)
    assert all(len(board.uid) <= 40 for board in BOARDS), "Grafana's limit"


def test_rendering_outside_a_checkout_asks_for_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("waferscope_grafana.render._CHECKOUT", tmp_path)
    with pytest.raises(NoBoardFolderError, match="--output"):
        committed_folder()
    assert [file.relative_to(tmp_path) for file in write_all(tmp_path)] == [Path(board.path) for board in BOARDS]


@EACH_BOARD
def test_a_board_says_what_it_is_for_and_refreshes(board: Board) -> None:
    shown = document(board)
    assert shown["description"].endswith(".")
    assert shown["refresh"] == "10s"
    assert "waferscope" in shown["tags"]
    assert shown["uid"] == board.uid


@EACH_BOARD
def test_every_panel_has_a_title_a_description_and_a_query(board: Board) -> None:
    for panel in panels(board):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]


@EACH_BOARD
def test_every_panel_of_numbers_has_a_unit(board: Board) -> None:
    for panel in panels(board):
        if panel["type"] in NUMERIC:
            assert panel["fieldConfig"]["defaults"].get("unit"), panel["title"]


@EACH_BOARD
def test_tiles_and_tables_say_something_when_there_is_no_data(board: Board) -> None:
    for panel in panels(board):
        if panel["type"] not in ("stat", "table"):
            continue
        config = panel["fieldConfig"]
        set_per_field = [{entry["id"] for entry in rule["properties"]} for rule in config["overrides"]]
        assert config["defaults"].get("noValue") or all("noValue" in ids for ids in set_per_field), panel["title"]


@EACH_BOARD
def test_panels_stay_inside_the_grid_and_do_not_overlap(board: Board) -> None:
    boxes = [panel["gridPos"] for panel in document(board)["panels"]]
    assert all(box["x"] >= 0 and box["x"] + box["w"] <= 24 for box in boxes)
    for one, other in combinations(boxes, 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart or above, (one, other)


@EACH_BOARD
def test_panel_ids_and_query_names_are_unique(board: Board) -> None:
    ids = [panel["id"] for panel in document(board)["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels(board):
        names = [target["refId"] for target in panel["targets"]]
        assert all(names), panel["title"]
        assert len(set(names)) == len(names), panel["title"]


@EACH_BOARD
def test_variables_have_ids_of_their_own_and_standing_choices(board: Board) -> None:
    variables = document(board)["templating"]["list"]
    assert len({variable["id"] for variable in variables}) == len(variables)
    assert all(variable["current"]["value"] for variable in variables)


@EACH_BOARD
def test_data_sources_are_chosen_by_variables_that_stand_at_the_provisioned_ones(board: Board) -> None:
    shown = document(board)
    offered = {entry["name"]: entry for entry in shown["templating"]["list"] if entry["type"] == "datasource"}
    by_name = {source.variable: source for source in SOURCES}
    for name, variable in offered.items():
        assert (variable["query"], variable["current"]["text"]) == (by_name[name].type, by_name[name].name)
    uses = [panel["datasource"] for panel in panels(board)]
    uses += [target["datasource"] for panel in panels(board) for target in panel["targets"]]
    uses += [entry["datasource"] for entry in shown["templating"]["list"] if entry["type"] == "query"]
    for use in uses:
        name = use["uid"].removeprefix("${").removesuffix("}")
        assert use == {"type": offered[name]["query"], "uid": f"${{{name}}}"}


@EACH_BOARD
def test_sql_reads_the_stable_views_only(board: Board) -> None:
    for question in board_questions(render(board)):
        if question.source == "postgres":
            relations = re.findall(r"\b(?:from|join)\s+([\w.]+)", question.text)
            assert relations, question.asker
            assert set(relations) <= {f"wafer.{view}" for view in STABLE_VIEWS}, question.asker


@EACH_BOARD
def test_every_promql_query_follows_the_chosen_site(board: Board) -> None:
    for question in board_questions(render(board)):
        if question.source == "prometheus":
            selectors = question.text.count("{")
            assert question.text.count('wafer_site_id=~"$site"') == selectors > 0, question.asker


@EACH_BOARD
def test_legends_name_series_by_labels_not_by_queries(board: Board) -> None:
    for panel in panels(board):
        for target in panel["targets"]:
            if "expr" in target:
                assert "{{" in target["legendFormat"], panel["title"]


def test_no_two_statuses_share_a_colour() -> None:
    assert len(set(STATUS.values())) == len(STATUS)


def test_every_status_that_the_view_derives_has_a_colour() -> None:
    migration = Path(__file__).parents[2] / "schemas/src/waferscope_schemas/migrations/0001_site.sql"
    view = migration.read_text(encoding="utf-8").split("create view wafer.jobs as")[1].split("end as status")[0]
    assert set(re.findall(r"(?:then|else) '(\w+)'", view)) == set(STATUS)
