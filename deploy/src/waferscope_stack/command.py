"""``waferscope up``: everything on one machine."""

import argparse
from pathlib import Path


def up(parser: argparse.ArgumentParser) -> None:
    """Run database, writer and query service on this machine until stopped.

    Args:
        parser: The parser of ``waferscope up``.
    """
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where data, passwords and logs are (.waferscope)")
    parser.add_argument(
        "--jobs", action=argparse.BooleanOptionalAction, default=False, help="run the repository's sample jobs once"
    )
    parser.add_argument("--json", action="store_true", help="print the ready line as JSON")
    parser.set_defaults(run=_up)


def _up(args: argparse.Namespace) -> int:
    from waferscope_stack.up import up_until_stopped  # noqa: PLC0415 - heavy: only this command needs it

    up_until_stopped(args.data_dir, jobs=args.jobs, as_json=args.json)
    return 0
