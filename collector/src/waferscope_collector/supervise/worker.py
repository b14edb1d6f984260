"""A child of the supervisor: ``python -m waferscope_collector.supervise.worker NUMBER OF HTTP_FD BEGAN``.

It tells on its standard output that it is ready, or in one line what keeps it from starting. Its standard input is a
pipe of the parent's that nobody writes to: its end is the parent's.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import uvloop

from waferscope_collector import journal, meters, server
from waferscope_collector.errors import WriterError
from waferscope_collector.settings import WriterSettings
from waferscope_collector.supervise.seat import Seat
from waferscope_schemas.errors import SchemasError
from waferscope_schemas.settings import load

READY = "ready"


def main(arguments: list[str]) -> int:
    """Serve until told to stop, or until the parent is gone.

    Args:
        arguments: As `Seat.arguments` writes them.

    Returns:
        The exit code.
    """
    seat = Seat.of_arguments(*arguments)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    try:
        settings = load(WriterSettings)
        journal.open_journal(settings.log_format, process=seat.number)
        meters.share(Path(os.environ[meters.FOLDER_VARIABLE]), seat.place)
        uvloop.run(server.serve(settings, seat, ready=lambda: _tell(READY)))
    except (WriterError, SchemasError) as error:
        _tell(" ".join(str(error).split()))
        return error.exit_code
    return 0


def _follow_parent() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
