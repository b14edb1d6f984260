"""The subcommands that this package adds to `waferscope`."""

import argparse


def serve_writer(parser: argparse.ArgumentParser) -> None:
    """Take in OTLP over gRPC and HTTP, and store it in the site's database.

    Args:
        parser: The parser of ``waferscope serve writer``.
    """
    # Imported here: not every command of the program shall wait for pydantic.
    from waferscope_collector.settings import WriterSettings  # noqa: PLC0415
    from waferscope_schemas.settings import describe  # noqa: PLC0415

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = describe(WriterSettings)
    parser.set_defaults(run=_run_writer)


def _run_writer(_: argparse.Namespace) -> int:
    import uvloop  # noqa: PLC0415 - as above

    from waferscope_collector import server  # noqa: PLC0415
    from waferscope_collector.journal import open_journal  # noqa: PLC0415
    from waferscope_collector.settings import WriterSettings  # noqa: PLC0415
    from waferscope_collector.supervise.supervisor import supervise  # noqa: PLC0415
    from waferscope_schemas.settings import load  # noqa: PLC0415

    settings = load(WriterSettings)
    open_journal(settings.log_format)
    if settings.processes == 1:
        uvloop.run(server.serve(settings))
    else:
        uvloop.run(supervise(settings))
    return 0
