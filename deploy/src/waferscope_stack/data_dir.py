"""The data folder: where the embedded stack keeps everything of its own."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from waferscope_stack.errors import DataDirError
from waferscope_stack.server_user import ServerUser

IN_WORKING_DIR = ".waferscope"
SYSTEM_STATE_DIR = Path("/var/lib/waferscope")
LARGE_LOG_BYTES = 10_000_000
PROCESS_FILES = Path("/proc/self/fd")


def default_path(user: ServerUser) -> Path:
    """Return `.waferscope` in the working folder, or the system's state folder where the server's user can't enter.

    Args:
        user: Who the database server runs as.

    Returns:
        An absolute path; nothing is created.
    """
    working_dir = Path.cwd()
    return working_dir / IN_WORKING_DIR if user.can_enter(working_dir) else SYSTEM_STATE_DIR


class DataDir:
    """A data folder that this process holds the lock of.

    Attributes:
        path: The folder, absolute.
        user: Who the database server runs as; everything but its cluster belongs to the user of this process.
    """

    def __init__(self, path: Path, user: ServerUser) -> None:
        self.path = path
        self.user = user

    @property
    def cluster(self) -> Path:
        """The folder of the PostgreSQL cluster."""
        return self.path / "postgresql"

    @property
    def logs(self) -> Path:
        """The folder of the parts' logs."""
        return self.path / "logs"

    @property
    def binaries(self) -> Path:
        """The folder of copied PostgreSQL binaries."""
        return (self.path if self.user.can_enter(self.path) else SYSTEM_STATE_DIR) / "cache"

    @contextlib.contextmanager
    def reach(self, folder: Path) -> Iterator[tuple[Path, tuple[int, ...]]]:
        """Give the server's user a way to a folder of its own, also where it can't enter the folders above.

        Nothing of others is opened up for that: the server inherits the open folder and finds it as a file of its own
        process (Linux).

        Args:
            folder: A folder in here that belongs to the server's user.

        Yields:
            The path to hand over, and the descriptors that the child inherits.

        Raises:
            DataDirError: This system has no such way.
        """
        if self.user.can_enter(folder):
            yield folder, ()
        elif not PROCESS_FILES.exists():
            raise DataDirError(f"data folder {self.path}: the database's user {self.user.name!r} can't enter it")
        else:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                yield PROCESS_FILES / str(descriptor), (descriptor,)
            finally:
                os.close(descriptor)

    def log(self, part: str) -> Path:
        """Return the path of a part's log."""
        return self.logs / f"{part}.log"

    def secret(self, name: str) -> str:
        """Return a password of this folder, generated on first use and kept in a file with mode 0600.

        Args:
            name: What the password is for; the name of its file.

        Returns:
            The password; only letters, digits, `-` and `_`, so that it fits into a URL.
        """
        file = self._secret_file(name)
        if not file.exists():
            descriptor = os.open(file.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as new:
                new.write(secrets.token_urlsafe(24))
            file.with_suffix(".new").rename(file)
        return file.read_text().strip()

    def has_secret(self, name: str) -> bool:
        """Tell whether a password has been generated."""
        return self._secret_file(name).exists()

    def _secret_file(self, name: str) -> Path:
        return self.path / f"{name}.password"


@contextlib.contextmanager
def opened(path: Path, user: ServerUser) -> Iterator[DataDir]:
    """Create a data folder where there is none, and hold its lock.

    Args:
        path: The folder.
        user: Who the database server runs as.

    Yields:
        The folder; the lock is released at the end, also when this process is killed.

    Raises:
        DataDirError: The folder can't be created or entered, or a running stack holds it.
    """
    path = path.absolute()
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        (path / "logs").mkdir(mode=0o700, exist_ok=True)
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DataDirError(f"data folder {path}: {error.strerror}") from None
    try:
        _lock(lock, path)
        _set_large_logs_aside(path / "logs")
        yield DataDir(path, user)
    finally:
        os.close(lock)


def _set_large_logs_aside(logs: Path) -> None:
    for log in logs.glob("*.log"):
        if log.stat().st_size > LARGE_LOG_BYTES:
            log.rename(log.with_suffix(".log.1"))


def _lock(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 32).decode() or "unknown"
        raise DataDirError(f"data folder {path} is in use by a running stack (process {holder})") from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
