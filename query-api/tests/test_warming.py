"""Compiled kernels: all are there before the first query, and none has to be."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from support.processes import waferscope

from waferscope_query.warming import kernels, warm

KERNEL = """
from waferscope_query.promql.evaluation.kernels.compiling import kernel

@kernel
def times(x):
    return x * {number}
"""
ALONE = """
import os, stat, sys
import waferscope_query.promql.evaluation.kernels.compiling
import numba, logging
logging.basicConfig()
numba.njit(lambda x: x * 2)(1.0)  # imports all that compiling needs, while it can be read
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # root may write anywhere
sys.path.insert(0, sys.argv[1])
import second, third
print(second.times(1.5), second.times(2), third.times(2))
"""


def test_warming_leaves_no_kernel_that_a_query_would_have_to_compile() -> None:
    """Those that only other kernels call are part of these."""
    assert warm() == len(kernels())
    called = {name for one in kernels().values() for name in one.py_func.__code__.co_names}
    cold = {name for name, one in kernels().items() if not one.signatures}
    assert {name for name in cold if name.rpartition(".")[2] not in called} == set()


def test_the_command_fills_the_folder_and_ends() -> None:
    """Into a folder that is full already, as each kernel takes part of a second to compile: see the bench `start`."""
    with waferscope("serve", "query", "--warm-kernels") as process:
        assert process.wait_exit() == 0
        assert process.stdout.startswith(f"{len(kernels())} kernels are there, after ")
        assert not process.stderr


def test_where_nothing_can_be_written_kernels_are_compiled_with_one_warning() -> None:
    nowhere = dict.fromkeys(("WAFERSCOPE_QUERY_KERNEL_CACHE", "HOME", "XDG_CACHE_HOME"), "/dev/null/none")
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(("second", "third"), 2):
            Path(folder, f"{name}.py").write_text(KERNEL.format(number=number))
        Path(folder).chmod(0o555)  # beside the code, either
        command = [sys.executable, "-B", "-c", ALONE, folder]
        found = subprocess.run(command, env=nowhere, capture_output=True, text=True, check=False)
        Path(folder).chmod(0o755)
    assert (found.returncode, found.stdout) == (0, "3.0 4 6\n"), found.stderr
    (warning,) = found.stderr.splitlines()
    assert "kernels are compiled at every start" in warning
    assert "set WAFERSCOPE_QUERY_KERNEL_CACHE to a writable folder" in warning
