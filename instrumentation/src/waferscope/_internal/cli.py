"""The `waferscope` command: finds the subcommands that the installed packages offer, and runs one.

An entry point of the group `waferscope.commands` is named by the command's path (`up`, `serve.writer`); its object is a
function `configure(parser)` that adds the arguments and sets `run`, a callable from the parsed arguments to the exit
code. Only the entry point that is asked for is loaded; the help loads those that it lists.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points, version

_GROUP = "waferscope.commands"
_PROGRAM = "waferscope"
_USAGE_ERROR = 2
_UNREAD = 141  # 128 + SIGPIPE
_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it

Path = tuple[str, ...]
Commands = dict[Path, EntryPoint]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: Without the program's name; None means the process's own.

    Returns:
        The exit code: the command's own, 2 for a wrong call, 130 after Ctrl-C, 141 where nobody reads its output on
        (`| head`), or the `exit_code` of the exception that it raised.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            return _dispatch(words, _commands())
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # now, and not when the interpreter ends, where it would complain
    except BrokenPipeError:
        if not _is_unread():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what still waits in its buffer
        return _UNREAD
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int):
            raise
        print(f"{_PROGRAM}: {error}", file=sys.stderr)
        return code


def _is_unread() -> bool:
    """Whether nobody reads standard output any more: another pipe may have broken as well."""
    with suppress(OSError, ValueError):  # no file at all
        watch = select.poll()
        watch.register(sys.stdout.fileno(), select.POLLOUT)
        return any(state & (select.POLLERR | select.POLLHUP) for _, state in watch.poll(0))
    return False


def _commands() -> Commands:
    return {tuple(entry.name.split(".")): entry for entry in entry_points(group=_GROUP)}


def _dispatch(words: list[str], commands: Commands) -> int:
    path = _longest_path(words, commands)
    rest = words[len(path) :]
    if path in commands:
        return _run(path, commands[path], rest)
    return _group(path, rest, commands)


def _longest_path(words: list[str], commands: Commands) -> Path:
    """Give as many leading words as name a command or a group of commands."""
    known = {path[:length] for path in commands for length in range(len(path) + 1)}
    length = 0
    while length < len(words) and tuple(words[: length + 1]) in known:
        length += 1
    return tuple(words[:length])


def _run(path: Path, entry: EntryPoint, words: list[str]) -> int:
    configure = entry.load()
    parser = argparse.ArgumentParser(prog=" ".join((_PROGRAM, *path)), description=_summary(configure))
    configure(parser)
    options = parser.parse_args(words)
    return int(options.run(options))


def _group(path: Path, words: list[str], commands: Commands) -> int:
    """Answer what is no command: the help of a group, the version, or a word that names nothing."""
    prog = " ".join((_PROGRAM, *path))
    inside = sorted(command for command in commands if command[: len(path)] == path)
    if words and not words[0].startswith("-"):
        names = ", ".join(sorted({command[len(path)] for command in inside}))
        print(f"{prog}: there is no command '{words[0]}'; choose from: {names or 'none is installed'}", file=sys.stderr)
        return _USAGE_ERROR
    asks_help = "-h" in words or "--help" in words
    parser = argparse.ArgumentParser(
        prog=prog,
        usage="%(prog)s COMMAND ...",
        description=None if path else "Observability for semiconductor fabs.",
        epilog=_listing(path, {command: commands[command] for command in inside}) if asks_help or not words else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if not path:
        parser.add_argument("--version", action="version", version=f"{_PROGRAM} {version(_PROGRAM)}")
    parser.parse_args(words)
    parser.print_help(sys.stderr)
    return _USAGE_ERROR


def _listing(path: Path, commands: Commands) -> str:
    names = {command: " ".join(command[len(path) :]) for command in commands}
    width = max(map(len, names.values()), default=0)
    lines = [f"  {names[command]:<{width}}  {_help(entry)}" for command, entry in commands.items()]
    return "\n".join(["commands:", *(lines or ["  none is installed"])])


def _help(entry: EntryPoint) -> str:
    try:
        return _summary(entry.load())
    except Exception as error:  # noqa: BLE001 - one package that can't be loaded must not hide the others' commands
        return f"(can't be loaded: {error})"


def _summary(configure: Callable[[argparse.ArgumentParser], None]) -> str:
    return (configure.__doc__ or "").strip().partition("\n")[0]
