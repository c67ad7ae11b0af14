"""Answers never take the place of the questions."""

from __future__ import annotations

import pytest

from assay.errors import UsageError
from assay.lifecycle.batch import predict_file


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink"])
def test_the_output_is_never_the_input(tmp_path, link):
    file = tmp_path / "own.csv"
    file.write_text("a\n1\n")
    out = file if link == "same" else tmp_path / "other.csv"
    if link == "symlink":
        out.symlink_to(file)
    if link == "hardlink":
        out.hardlink_to(file)
    with pytest.raises(UsageError) as caught:
        predict_file(None, file, out)
    assert caught.value.code == "PREDICT-SAME-FILE"
    assert caught.value.hint
    assert file.read_text() == "a\n1\n"
