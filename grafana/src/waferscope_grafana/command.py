"""The command `waferscope boards`."""

import argparse
from pathlib import Path


def boards(parser: argparse.ArgumentParser) -> None:
    """List the Grafana boards or write them as JSON."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="show folder, uid, title and number of queries of each board")
    listing.set_defaults(run=_list)
    writing = actions.add_parser("render", help="write each board as the JSON file that Grafana provisions")
    writing.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="the folder to write to (default: the committed boards of the checkout)",
    )
    writing.set_defaults(run=_render)


def _list(_: argparse.Namespace) -> int:
    """Print a line per board."""
    from waferscope_grafana.boards import BOARDS  # noqa: PLC0415 - the SDK loads only when it is needed
    from waferscope_grafana.questions import board_questions  # noqa: PLC0415 - as above
    from waferscope_grafana.render import render  # noqa: PLC0415 - as above

    for board in BOARDS:
        print(f"{board.folder:<8} {board.uid:<32} {board.title:<24} {len(board_questions(render(board)))} queries")
    return 0


def _render(arguments: argparse.Namespace) -> int:
    """Write all boards and print their files."""
    from waferscope_grafana.render import committed_folder, write_all  # noqa: PLC0415 - the SDK loads only when it is needed

    for file in write_all(arguments.output or committed_folder()):
        print(file)
    return 0
