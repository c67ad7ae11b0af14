"""What a worker imports ahead, and what it does without."""

from __future__ import annotations

import subprocess
import sys

import pytest

from assay.errors import AssayError
from assay.kernel.loader import load_spared

LOOK = """
import sys
from assay.kernel.loader import load_spared
load_spared("lightgbm:train")
print("lightgbm" in sys.modules, "pandas" in sys.modules)
import pandas, polars
print(polars.DataFrame({"a": [1]}).to_pandas().shape)
"""


def test_a_worker_imports_the_trainers_without_pandas_and_others_still_can():
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["True False", "(1, 1)"]


def test_what_is_hidden_is_there_again_after_a_failed_import():
    before = set(sys.modules)
    with pytest.raises(AssayError):
        load_spared("assay.kernel.nothing_of_the_kind:X")
    assert "pandas" not in set(sys.modules) - before
