"""Which boards are metered: those that CUDA would show to the process, and what else is in them."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.meters.visible import chosen
from tests.support.standin import compiled_cuda, nvml_environment

PROBE = """
import json
from energy.meters.nvml import Nvml
print(json.dumps([domain.as_dict() for domain in Nvml().probe()]))
"""


def probed(library, visible, *, order=None, **settings):
    """The domains of a child process with these variables; None leaves a variable unset."""
    environment = nvml_environment(library, **settings)
    for name, value in {"CUDA_VISIBLE_DEVICES": visible, "CUDA_DEVICE_ORDER": order}.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    run = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def boards(domains):
    return [int(domain["id"].removeprefix("GPU-stand-in-")) for domain in domains]


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, [0, 1, 2, 3]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("1", [1]),
        ("1,", [1]),
        ("GPU-stand-in-2,0", [2, 0]),
        ("GPU-stand", []),
        ("MIG-1", [1]),
        ("MIG-1-0,MIG-1-1", [1]),
        ("MIG-GPU-stand-in-3/1/0", [3]),
        ("7", []),
        ("0,GPU-elsewhere,1", [0]),
    ],
    ids=[
        "not set",
        "set to nothing",
        "minus one",
        "a word",
        "index",
        "an empty name ends the list",
        "UUID and index",
        "a prefix of several UUIDs",
        "MIG counts its parent",
        "two slices of one board",
        "MIG as older drivers write it",
        "no such board",
        "a wrong name hides what follows",
    ],
)
def test_only_visible_boards_are_metered(library, visible, seen):
    assert boards(probed(library, visible, DEVICES=4, MIG=2)) == seen


@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 9)))
def test_an_index_list_shows_each_board_once_and_ends_at_the_first_that_is_not_there(have, names):
    have = sorted(set(have))
    shown = chosen(",".join(map(str, names)), have, lambda name: [])
    valid = names[: next((i for i, n in enumerate(names) if n >= len(have)), len(names))]
    assert shown == list(dict.fromkeys(have[name] for name in valid))


def test_a_slice_of_a_board_says_that_other_instances_are_in_its_joules(library):
    (named,) = probed(library, "MIG-2-0", DEVICES=4, MIG=3)
    assert "MIG instance MIG-2-0 of GPU-stand-in-2: whole board, up to 2 other" in named["api"]
    (alone,) = probed(library, "MIG-2-0", DEVICES=4, MIG=1)
    assert alone["note"].endswith("whole board, no other seen in it")
    (beside,) = probed(library, "MIG-2-0", DEVICES=4, MIG=2)
    assert beside["note"].endswith("whole board, up to 1 other instance in it")
    (by_index,) = probed(library, "1", DEVICES=4, MIG=3)
    assert "a MIG instance of GPU-stand-in-1: whole board, up to 2 other" in by_index["api"]
    (whole,) = probed(library, "1", DEVICES=4)
    assert "MIG" not in whole["api"]


def test_a_run_on_a_slice_says_so_in_its_record(library, tmp_path):
    environment = {**nvml_environment(library, DEVICES=4, MIG=3), "CUDA_VISIBLE_DEVICES": "MIG-2-0"}
    command = [sys.executable, "-m", "energy", "run", "--meter", "nvml", "--out", str(tmp_path)]
    run = subprocess.run(
        [*command, "--", "sleep", "0.5"], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    record = json.loads((tmp_path / "record.json").read_text())
    assert "MIG instance MIG-2-0" in record["energy"][0]["api"]
    assert any("whole board, up to 2 other instances" in note for note in record["notes"])


UNEQUAL = {
    "DEVICES": 3,
    "NAME": "Small",
    "CORES": 100,
    "NAME_2": "Large",
    "CORES_2": 900,
    "CUDA_SHOWS": "0000:03:00.0 0000:02:00.0 0000:01:00.0",
}


def test_an_index_counts_along_the_bus_where_the_user_says_so(library):
    assert boards(probed(library, "0", order="PCI_BUS_ID", **UNEQUAL)) == [0]


def test_boards_of_several_models_are_taken_as_cuda_shows_them(library):
    compiled_cuda(library.parent)
    try:
        shown = probed(library, "0,1", **UNEQUAL)
        none = probed(library, "0", **{**UNEQUAL, "CUDA_SHOWS": "0000:09:00.0"})
    finally:
        (library.parent / "libcuda.so.1").unlink()
    assert boards(shown) == [2, 1, 0]
    assert "estimated" not in shown[0]["api"]
    assert "estimated" in none[0]["api"]


def test_without_an_answer_of_cuda_the_fastest_board_is_first_and_the_record_says_so(library):
    (fastest,) = probed(library, "0", **UNEQUAL)
    assert boards([fastest]) == [2]
    assert "estimated" in fastest["api"]
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in fastest["api"]
    (named,) = probed(library, "GPU-stand-in-2", **UNEQUAL)
    assert "estimated" not in named["api"]
    assert not any("estimated" in domain["api"] for domain in probed(library, "0,1,2", **UNEQUAL))
