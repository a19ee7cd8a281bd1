"""Lines of metrics after a kill or an editor: what can be read of them stays."""

import json
import math

import pytest

from glam.training.metrics import last_loss, row_of

DAMAGED = ('{"step": 2, "lo', "[1, 2]", "7", "", '{"loss": 3.0}', '{"step": "two"}')


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_is_no_line_and_has_no_loss(line, tmp_path):
    assert row_of(line) is None
    (tmp_path / "metrics.jsonl").write_text(line)
    assert last_loss(tmp_path / "metrics.jsonl") == math.inf


def test_a_whole_line_has_its_step_and_its_loss(tmp_path):
    line = json.dumps({"step": 3, "loss": 4.5})
    assert row_of(line) == {"step": 3, "loss": 4.5}
    (tmp_path / "metrics.jsonl").write_text(line + "\n")
    assert last_loss(tmp_path / "metrics.jsonl") == 4.5
