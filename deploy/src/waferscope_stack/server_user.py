"""The system user that the embedded PostgreSQL runs as: PostgreSQL refuses to run as root."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from waferscope_stack.errors import DataDirError

DEFAULT_USER = "nobody"


class ProcessIdentity(TypedDict, total=False):
    """The arguments of `subprocess` that choose a user; empty to stay who we are."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class ServerUser:
    """Who the server runs as, and what that user may reach.

    Attributes:
        name: The user's name, for messages.
        uid: The user's id.
        gid: The id of the user's primary group.
        foreign: Whether it is another user than the one who runs this process.
    """

    name: str
    uid: int
    gid: int
    foreign: bool

    @classmethod
    def choose(cls, name: str = DEFAULT_USER) -> "ServerUser":
        """Choose the user: `name` if this process is root's, else the one it runs as.

        Args:
            name: An existing account; none is ever created.

        Returns:
            The user.

        Raises:
            DataDirError: There is no account of this name, or it is root's.
        """
        if os.geteuid() != 0:
            return cls(name=_name_of(os.geteuid()), uid=os.geteuid(), gid=os.getegid(), foreign=False)
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            raise DataDirError(f"WAFERSCOPE_STACK_USER: there is no user {name!r} on this machine") from None
        if account.pw_uid == 0:
            raise DataDirError(f"WAFERSCOPE_STACK_USER: PostgreSQL doesn't run as root, and {name!r} is root")
        return cls(name=name, uid=account.pw_uid, gid=account.pw_gid, foreign=True)

    def identity(self) -> ProcessIdentity:
        """Return the `subprocess` arguments that make a child run as this user."""
        if not self.foreign:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Hand a file or folder of ours to this user."""
        if self.foreign:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Tell whether this user can pass through a folder, asked of the system itself (modes, ACLs, mounts)."""
        return self._passes("-x", folder)

    def can_run(self, program: Path) -> bool:
        """Tell whether this user can read and execute a program."""
        return self._passes("-r", program) and self._passes("-x", program)

    def _passes(self, test: str, path: Path) -> bool:
        if not self.foreign:
            return os.access(path, os.R_OK if test == "-r" else os.X_OK)
        command = [shutil.which("test") or "/usr/bin/test", test, str(path)]
        try:
            return subprocess.run(command, check=False, cwd="/", **self.identity()).returncode == 0  # noqa: S603 - own arguments
        except PermissionError:
            raise DataDirError(
                f"can't run PostgreSQL as the user {self.name!r}: changing the user is forbidden here"
            ) from None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container started with a bare number
        return str(uid)
