"""Lets this folder's tests import its helpers, `promql_script` and `promql_reference`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
