"""``waferscope schema``: migrate a site's database and tell where it stands."""

import argparse
import asyncio

_ACTIONS = {
    "migrate": "apply the pending migrations and provide the reader's role",
    "status": "show the applied and the pending migrations",
    "check": "end with exit code 3 unless the schema is the one of this package",
    "dictionary": "print what each table, view and column of the database means",
}
_FORMATS = ("markdown", "json")


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
        action = actions.add_parser(name, help=text, description=text)
        action.set_defaults(run=_run)
        if name == "dictionary":
            action.add_argument("--format", choices=_FORMATS, default=_FORMATS[0], help="default: %(default)s")


def _run(args: argparse.Namespace) -> int:
    from waferscope_schemas import report  # noqa: PLC0415 - as above
    from waferscope_schemas.settings import Schema, load  # noqa: PLC0415

    settings = load(Schema)
    if args.action == "dictionary":
        told = report.report_dictionary(settings, as_json=args.format == "json")
    else:
        act = {"migrate": report.report_migrate, "status": report.report_status, "check": report.report_check}
        told = act[args.action](settings)
    print(asyncio.run(told))
    return 0
