"""The subcommands that this package adds to `waferscope`."""

import argparse
import logging
import os
import time

_URL_VARIABLE = "WAFERSCOPE_QUERY_URL"
_DEFAULT_URL = "http://127.0.0.1:18000"


def serve_query(parser: argparse.ArgumentParser) -> None:
    """Answer PromQL and questions about job runs over HTTP.

    Args:
        parser: The parser of `waferscope serve query`.
    """
    # Imported here: not every command of the program shall wait for pydantic.
    from waferscope_query.settings import QuerySettings  # noqa: PLC0415
    from waferscope_schemas.settings import describe  # noqa: PLC0415

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = describe(QuerySettings)
    parser.add_argument(
        "--warm-kernels",
        action="store_true",
        help="only compile all kernels into their folder ($WAFERSCOPE_QUERY_KERNEL_CACHE), when an image is built",
    )
    parser.set_defaults(run=_run_serve)


def query(parser: argparse.ArgumentParser) -> None:
    """Ask the query service a PromQL expression.

    Args:
        parser: The parser of `waferscope query`.
    """
    _asked(parser)
    _common(parser)
    parser.set_defaults(run=_run_query)


def explain(parser: argparse.ArgumentParser) -> None:
    """Show how the query service answers an expression: plan, what is read from where, milliseconds of each node.

    Args:
        parser: The parser of `waferscope explain`.
    """
    _asked(parser)
    parser.add_argument("--plan", action="store_true", help="show the plan alone, evaluate nothing")
    _common(parser)
    parser.set_defaults(run=_run_explain)


def jobs(parser: argparse.ArgumentParser) -> None:
    """Show job runs, newest first.

    Args:
        parser: The parser of `waferscope jobs`.
    """
    parser.add_argument("--status", default="", help="comma list of states, for example running,failed")
    parser.add_argument("--name", default="", help="part of the application's or the job's name")
    parser.add_argument("--limit", type=int, default=50, help="runs at most (default: %(default)s)")
    _common(parser)
    parser.set_defaults(run=_run_jobs)


def _asked(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("expr", metavar="EXPR", help="PromQL")
    parser.add_argument("--time", help="when: Unix seconds or RFC 3339 (default: now)")
    parser.add_argument("--start", help="first moment of a range")
    parser.add_argument("--end", help="last moment of a range (default: now)")
    parser.add_argument("--step", default="60s", help="between the steps of a range (default: %(default)s)")


def _common(parser: argparse.ArgumentParser) -> None:
    url = os.environ.get(_URL_VARIABLE, _DEFAULT_URL)
    parser.add_argument("--url", default=url, help=f"the query service (default: ${_URL_VARIABLE} or {_DEFAULT_URL})")
    parser.add_argument("--json", action="store_true", help="print the service's answer as it is")


def _run_serve(args: argparse.Namespace) -> int:
    if args.warm_kernels:
        return _warm()
    from waferscope_query.http.listener import listen  # noqa: PLC0415 - as above
    from waferscope_query.settings import QuerySettings  # noqa: PLC0415
    from waferscope_schemas.settings import load  # noqa: PLC0415

    settings = load(QuerySettings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with listen(settings.host, settings.port) as listener:
        from waferscope_query.http.serve import serve  # noqa: PLC0415 - seconds, after what may be wrong was told

        serve(settings, listener)
    return 0


def _warm() -> int:
    logging.basicConfig(format="%(levelname)s %(message)s")
    from waferscope_query.warming import warm  # noqa: PLC0415 - as above

    began = time.perf_counter()
    print(f"{warm()} kernels are there, after {time.perf_counter() - began:.1f} s")
    return 0


def _run_query(args: argparse.Namespace) -> int:
    from waferscope_query import client, tables  # noqa: PLC0415 - as above

    answer = client.query(args.url, args.expr, time=args.time, start=args.start, end=args.end, step=args.step)
    print(client.text(answer) if args.json else tables.result(answer))
    return 0


def _run_explain(args: argparse.Namespace) -> int:
    from waferscope_query import client, explained  # noqa: PLC0415 - as above

    answer = client.explain(
        args.url, args.expr, time=args.time, start=args.start, end=args.end, step=args.step, plan=args.plan
    )
    print(client.text(answer) if args.json else explained.text(answer))
    return 0


def _run_jobs(args: argparse.Namespace) -> int:
    from waferscope_query import client, tables  # noqa: PLC0415 - as above

    answer = client.jobs(args.url, status=args.status, app_name=args.name, limit=args.limit)
    print(client.text(answer) if args.json else tables.jobs(answer["items"]))
    return 0
