"""The files of the embedded PostgreSQL: created once, by initdb, as the server's user."""

import shutil
import subprocess
from functools import partial
from pathlib import Path

from waferscope_stack.data_dir import DataDir
from waferscope_stack.errors import DatabaseStartError, DataDirError

SUPERUSER = "waferscope"
DATABASE = "waferscope"
ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"
LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # the same order on every machine


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
    with data_dir.reach(new) as (path, descriptors):
        run = partial(_run, data_dir, descriptors)
        run([bin_dir / "initdb", "-D", path, "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", *LOCALE])
        (new / "pg_hba.conf").write_text(ACCESS)  # before the first start, so nobody was ever trusted
        # Single-user mode, so that a cluster with its final name always has its password and database.
        run(
            [bin_dir / "postgres", "--single", "-D", path, "-c", "log_min_error_statement=panic", "postgres"],
            _setup(data_dir),
        )
    new.rename(data_dir.cluster)


def _setup(data_dir: DataDir) -> str:
    password = data_dir.secret(SUPERUSER)
    return f"alter role {SUPERUSER} password '{password}'\ncreate database {DATABASE}\n"


def _run(data_dir: DataDir, descriptors: tuple[int, ...], command: list[str | Path], stdin: str = "") -> None:
    result = subprocess.run(  # noqa: S603 - own arguments
        command,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=data_dir.path,
        env={"LC_ALL": "C", "TZ": "UTC"},
        pass_fds=descriptors,
        **data_dir.user.identity(),
    )
    # Single-user mode ends with 0 even after a failed statement.
    if result.returncode != 0 or "ERROR:" in result.stdout:
        raise DatabaseStartError(f"{Path(command[0]).name} failed: {result.stdout.strip()[-2000:]}")
