"""The files of the embedded PostgreSQL: created once, by initdb, as the server's user."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from waferscope_stack.data_dir import DataDir
from waferscope_stack.errors import DatabaseStartError, DataDirError

SUPERUSER = "waferscope"
DATABASE = "waferscope"


def ensure(data_dir: DataDir, bin_dir: Path) -> None:
    """Create the cluster with its superuser and database where there is none.

    Args:
        data_dir: The data folder, whose lock the caller holds.
        bin_dir: The folder of the PostgreSQL binaries.

    Raises:
        DataDirError: There is a cluster, but it belongs to another user, or its password is lost.
        DatabaseStartError: The cluster can't be created.
    """
    if not data_dir.cluster.exists():
        _create(data_dir, bin_dir)
        return
    owner = data_dir.cluster.stat().st_uid
    if owner != data_dir.user.uid:
        raise DataDirError(
            f"{data_dir.cluster} belongs to user {owner}, but the database would run as {data_dir.user.name!r}"
        )
    if not data_dir.has_secret(SUPERUSER):
        raise DataDirError(f"{data_dir.cluster} has no password file {SUPERUSER}.password beside it any more")


def _create(data_dir: DataDir, bin_dir: Path) -> None:
    new = data_dir.cluster.with_name("postgresql.new")
    shutil.rmtree(new, ignore_errors=True)  # a creation that was cut short
    new.mkdir(mode=0o700)
    data_dir.user.own(new)
    with _password_file(data_dir) as password_file:
        _run(data_dir, [
            bin_dir / "initdb", "--pgdata", new, "--username", SUPERUSER, "--pwfile", password_file,
            "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",  # the same order on every machine
        ])  # fmt: skip
    # Single-user mode, so that a cluster with its final name always has its database.
    _run(data_dir, [bin_dir / "postgres", "--single", "-D", new, "postgres"], f"create database {DATABASE};\n")
    new.rename(data_dir.cluster)


@contextlib.contextmanager
def _password_file(data_dir: DataDir) -> Iterator[Path]:
    """Yield a file that initdb's user can read; ours can't be shown to it."""
    path = data_dir.path / "initdb.password"
    path.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(data_dir.secret(SUPERUSER))
        data_dir.user.own(path)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _run(data_dir: DataDir, command: list[str | Path], stdin: str = "") -> None:
    result = subprocess.run(  # noqa: S603 - own arguments
        command,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=data_dir.path,
        env={"LC_ALL": "C", "TZ": "UTC"},
        **data_dir.user.identity(),
    )
    # Single-user mode ends with 0 even after a failed statement.
    if result.returncode != 0 or "ERROR:" in result.stdout:
        raise DatabaseStartError(f"{Path(command[0]).name} failed: {result.stdout.strip()[-2000:]}")
