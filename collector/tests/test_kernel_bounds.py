"""Kernels are compiled without checks of their arrays' bounds, so their tests run once more with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(600)
def test_kernels_stay_inside_of_their_arrays(tmp_path: Path) -> None:
    env = os.environ | {"NUMBA_BOUNDSCHECK": "1", "WAFERSCOPE_WRITER_KERNEL_CACHE": str(tmp_path)}
    for name in [name for name in env if name.startswith("PYTEST_")]:
        del env[name]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=300"]
    tests = [Path(__file__).with_name(f"test_{name}.py") for name in ("wire", "remote_write", "delta")]
    done = subprocess.run(
        [*command, *map(str, tests), "-k", "wire or read_alike or delta"],
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert list(tmp_path.rglob("*.nbc")), "the kernels were compiled anew"
