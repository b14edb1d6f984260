"""``waferscope schema``: migrate a site's database and tell where it stands."""

import argparse
import asyncio

_ACTIONS = {
    "migrate": "apply the pending migrations and provide the reader's role",
    "status": "show the applied and the pending migrations",
    "check": "end with exit code 3 unless the schema is the one of this package",
}


def schema(parser: argparse.ArgumentParser) -> None:
    """Migrate the site's database, or tell where its schema stands.

    Args:
        parser: The parser of ``waferscope schema``.
    """
    # asyncpg and pydantic take half a second to import: not for a command that merely lists this one.
    from waferscope_schemas.settings import Schema, describe  # noqa: PLC0415

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = describe(Schema)
    actions = parser.add_subparsers(dest="action", metavar="|".join(_ACTIONS), required=True)
    for name, text in _ACTIONS.items():
        actions.add_parser(name, help=text, description=text).set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from waferscope_schemas import report  # noqa: PLC0415 - as above
    from waferscope_schemas.settings import Schema, load  # noqa: PLC0415

    act = {"migrate": report.report_migrate, "status": report.report_status, "check": report.report_check}[args.action]
    print(asyncio.run(act(load(Schema))))
    return 0
