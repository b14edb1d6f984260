"""`waferscope boards`."""

import json
from pathlib import Path

from support.processes import WAFERSCOPE, Process

from waferscope_grafana.boards import BOARDS
from waferscope_grafana.render import committed_folder


def test_list_shows_a_line_per_board() -> None:
    with Process([WAFERSCOPE, "boards", "list"]) as listing:
        assert listing.wait_exit() == 0, listing.report()
        lines = listing.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [[board.folder, board.uid] for board in BOARDS]


def test_render_writes_the_committed_files_anywhere(tmp_path: Path) -> None:
    with Process([WAFERSCOPE, "boards", "render", "--output", tmp_path]) as rendering:
        assert rendering.wait_exit() == 0, rendering.report()
        assert rendering.stdout.splitlines() == [str(tmp_path / board.path) for board in BOARDS]
    for board in BOARDS:
        written = (tmp_path / board.path).read_bytes()
        assert written == (committed_folder() / board.path).read_bytes()
        assert json.loads(written)["uid"] == board.uid
