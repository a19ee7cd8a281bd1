"""The plan of a scenario: near the limit of memory it is said, and no degree is chosen silently."""

from dataclasses import replace

import pytest

from energy.errors import InfeasibleError
from simulator.physics.memory import memory
from simulator.runs.estimate import estimate
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import load

PLAN = {"plan.tp": 8, "plan.pp": 8, "plan.zero": 1, "plan.micro_batch": 1, "plan.recompute": "full"}


def setup(over: float = 1.0, **overrides) -> Setup:
    """GPT-3 under a named plan, on a chip with its need over `over` as memory."""
    values = {"hardware.chip": "h100", "hardware.count": 512} | PLAN | overrides
    resolved = Setup.of(load("gpt3-175b", values))
    limit = replace(resolved.hardware, memory_bytes=1e15)
    needed = memory(resolved.shape, estimate(replace(resolved, hardware=limit)).plan, limit)
    chip = replace(resolved.hardware, memory_bytes=float(needed.total_bytes) / over)
    return replace(resolved, hardware=chip)


@pytest.mark.parametrize("over", [0.96, 0.99, 1.01, 1.04])
def test_a_plan_within_5_percent_of_the_limit_is_predicted_and_said_to_be_at_it(over):
    answer = estimate(setup(over))
    assert [note for note in answer.notes if note.startswith("memory: at the limit")]
    assert float(answer.plan.tp) == 8


def test_a_plan_that_fits_with_room_has_no_such_note():
    assert not [note for note in estimate(setup(0.8)).notes if "at the limit" in note]


def test_a_plan_beyond_the_error_of_the_model_is_refused():
    with pytest.raises(InfeasibleError, match="fits in memory"):
        estimate(setup(1.1))


def test_context_parallelism_is_not_chosen_where_the_other_degrees_are_named():
    long = {"model.shape.seq_len": 65536, "run.batch_sequences": 512, "run.batch_tokens": None}
    long["hardware.software"] = "megatron"
    assert "cp" not in Setup.of(load("gpt3-175b", {"hardware.count": 512} | long)).choices
    assert setup(**long).choices["cp"] == [1]
    assert setup(**long, **{"plan.cp": 2}).choices["cp"] == [2]
