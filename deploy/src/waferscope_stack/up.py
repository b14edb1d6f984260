"""What `waferscope up` does: start the stack, tell where it is, serve until stopped."""

import contextlib
import sys
from pathlib import Path

from waferscope_schemas.settings import load
from waferscope_stack import sample_jobs
from waferscope_stack.data_dir import default_path, opened
from waferscope_stack.endpoints import Endpoints
from waferscope_stack.interruption import interruptible
from waferscope_stack.part import Child
from waferscope_stack.server_user import ServerUser
from waferscope_stack.settings import Stack as Settings
from waferscope_stack.stack import running


def up_until_stopped(path: Path | None, *, jobs: bool, as_json: bool) -> None:
    """Run the stack until SIGTERM or Ctrl-C.

    Args:
        path: The data folder; None for the default one.
        jobs: Whether the sample jobs run once.
        as_json: Whether the ready line, the only one on stdout, is for programs.

    Raises:
        SettingsError: A setting is malformed.
        StackError: The stack can't start, or a part ended by itself.
    """
    settings = load(Settings)
    user = ServerUser.choose(settings.user)
    command = sample_jobs.command() if jobs else None
    with (
        interruptible(),
        opened(path or default_path(user), user) as data_dir,
        running(data_dir, settings, Endpoints.choose(settings)) as stack,
        contextlib.ExitStack() as beside,
    ):
        sys.stdout.write((stack.as_json() if as_json else stack.as_text()) + "\n")
        sys.stdout.flush()
        sys.stderr.write(f"waferscope: data, passwords and logs are in {data_dir.path}; Ctrl-C stops\n")
        if command:
            environment = sample_jobs.environment(stack.endpoints.writer_http)
            beside.callback(Child("sample jobs", command, environment, data_dir.log("jobs")).stop)
        stack.serve()
