"""Each process draws its part of the initial weights: those of one process, never all at once."""

import json

import pytest

from tests.support.launch import torchrun


@pytest.mark.process
@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_parts_have_the_bits_of_one_process_and_no_more_than_a_weight_is_whole(processes, tmp_path):
    run = torchrun(processes, "tests.support.parts", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    (line,) = (line for line in run.stdout.splitlines() if line.startswith("{"))
    rows = json.loads(line)
    assert len(rows) == 2 * (4 + (4 if processes == 2 else 3))
    for name, row in rows.items():
        assert row["equal"], name
        assert row["own"] == pytest.approx(row["stated"], rel=0.01), (name, row)
        assert row["own"] < row["most"] < row["own"] + 1.1 * row["largest"], (name, row)
        if name.startswith("mixture") and name.endswith("FSDP2"):
            assert row["most"] < row["whole"], (name, row)
