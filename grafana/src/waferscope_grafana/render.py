"""Boards as Grafana's JSON, the same bytes every time."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from waferscope_grafana.boards import BOARDS, Board
from waferscope_grafana.errors import NoBoardFolderError

_CHECKOUT = Path(__file__).parents[2]


def render(board: Board) -> str:
    """Return a board as JSON; panels are numbered from 1 in their order."""
    dashboard = board.builder().build()
    for number, panel in enumerate(dashboard.panels or [], start=1):
        panel.id_val = number
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def committed_folder() -> Path:
    """Return the folder of the committed boards.

    Raises:
        NoBoardFolderError: The package does not run from a checkout.
    """
    folder = _CHECKOUT / "boards"
    if not folder.is_dir():
        raise NoBoardFolderError(
            "not in a checkout: say where the boards shall go, waferscope boards render --output DIR"
        )
    return folder


def write_all(folder: Path) -> list[Path]:
    """Write all boards, each into the subfolder of its Grafana folder.

    Returns:
        The files, in the order of the boards.
    """
    files = []
    for board in BOARDS:
        file = folder / board.path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(render(board), encoding="utf-8")
        files.append(file)
    return files
