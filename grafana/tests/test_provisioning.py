"""Provisioning gives Grafana what the boards expect, with settings from one environment file."""

import re
from pathlib import Path
from typing import Any

import yaml

from waferscope_grafana.boards import BOARDS
from waferscope_grafana.sources import SOURCES

ROOM = Path(__file__).parents[1]
VARIABLE = re.compile(r"\$\{(\w+)\}")
SETTING = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)


def provisioned(kind: str) -> dict[str, Any]:
    return yaml.safe_load((ROOM / "provisioning" / kind / "waferscope.yaml").read_text(encoding="utf-8"))


def example() -> dict[str, str]:
    return dict(SETTING.findall((ROOM / "grafana.env.example").read_text(encoding="utf-8")))


def test_the_data_sources_are_those_of_the_boards() -> None:
    entries = provisioned("datasources")["datasources"]
    assert [(entry["type"], entry["name"], entry["uid"]) for entry in entries] == [
        (source.type, source.name, source.uid) for source in SOURCES
    ]
    assert [entry["name"] for entry in entries if entry.get("isDefault")] == [SOURCES[0].name]


def test_grafana_reads_the_database_as_the_reader_and_keeps_no_password_in_a_file() -> None:
    database = next(entry for entry in provisioned("datasources")["datasources"] if entry["type"] == "postgres")
    assert database["user"] == "waferscope_reader"
    assert database["secureJsonData"] == {"password": "${WAFERSCOPE_SCHEMA_READER_PASSWORD}"}


def test_every_folder_of_boards_has_a_provider() -> None:
    providers = {entry["folder"]: entry["options"]["path"] for entry in provisioned("dashboards")["providers"]}
    assert providers == {board.folder: f"${{WAFERSCOPE_GRAFANA_BOARDS}}/{board.path.parent}" for board in BOARDS}


def test_the_example_names_and_explains_every_setting() -> None:
    text = (ROOM / "grafana.env.example").read_text(encoding="utf-8")
    files = (ROOM / "provisioning").rglob("*.yaml")
    used = {name for file in files for name in VARIABLE.findall(file.read_text(encoding="utf-8"))}
    assert {name for name in example() if name.startswith("WAFERSCOPE_")} == used
    blocks = [block for block in text.split("\n\n") if SETTING.search(block)]
    assert all(block.startswith("# ") for block in blocks)


def test_the_first_board_people_see_exists() -> None:
    settings = example()
    home = settings["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].removeprefix(settings["WAFERSCOPE_GRAFANA_BOARDS"])
    assert (ROOM / "boards" / home.lstrip("/")).is_file()
