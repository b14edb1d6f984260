"""The subcommands that this package adds to `waferscope`."""

import argparse
import sys
import time

_ENDPOINT = "http://127.0.0.1:14318"
_MEBIBYTE = 1024 * 1024


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


def replay(parser: argparse.ArgumentParser) -> None:
    """Send files that the Collector's file exporter wrote to a writer.

    Args:
        parser: The parser of ``waferscope replay``.
    """
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "JSON and protobuf, plain or with compression zstd; the rotated files in any order.\n"
        "Started again, it changes nothing that is stored already.\n\n"
        "exit codes: 0 everything is stored, 1 something was refused or a file is damaged,\n"
        "            2 a wrong call or no such file, 3 the writer took nothing for too long"
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file of the exporter; - for standard input")
    parser.add_argument(
        "--endpoint",
        default=_ENDPOINT,
        help="the writer: http://host:14318 or grpc://host:14317, https and grpcs with TLS (default: %(default)s)",
    )
    parser.add_argument(
        "--in-flight",
        type=_positive,
        default=4,
        help="requests of logs and traces under way at once; metrics go in order (default: %(default)s)",
    )
    parser.add_argument(
        "--limit", type=_positive, default=64, help="MiB of a request at most, decompressed (default: %(default)s)"
    )
    parser.add_argument(
        "--patience",
        type=_positive,
        default=600,
        help="seconds for which a request that the writer can't take now is sent again (default: %(default)s)",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.set_defaults(run=_run_replay)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("it must be a whole number from 1")
    return int(text)


def _run_replay(args: argparse.Namespace) -> int:
    from waferscope_collector.replay.run import Replay  # noqa: PLC0415 - as above
    from waferscope_collector.replay.transport import connect  # noqa: PLC0415

    began = time.monotonic()
    replay = Replay(
        connect(args.endpoint),
        in_flight=args.in_flight,
        limit=args.limit * _MEBIBYTE,
        patience=args.patience,
        quiet=args.quiet,
    )
    try:
        report = replay.run(args.files)
    finally:
        if not args.quiet and sys.stderr.isatty():
            sys.stderr.write("\n")
        for line in replay.report.lines(time.monotonic() - began) if replay.report.requests else ():
            print(line)
    return 0 if report.complete else 1
