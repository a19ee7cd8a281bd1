"""A step that is not finite is skipped, a diverged run rolls back, and their cost is wasted."""

import json
import math
import shutil

import pytest

from energy import RunRecord
from energy.errors import InfeasibleError
from glam.checkpoints.checkpoint import best_checkpoint, checkpoints, load_checkpoint
from glam.distributed import processes
from glam.generation.text import generate
from glam.model.decoder import Glam
from glam.training import run as training_run
from glam.training.divergence import (
    HIGH_LOSS_RATIO,
    MAX_HIGH_LOSSES,
    MAX_SKIPPED_UPDATES,
    DivergenceDetector,
)
from tests.support.small_models import metrics_rows, small_run

STEPS = 30


@pytest.fixture
def spoil(monkeypatch):
    """Multiply the loss of some training passes (counted from 1) by a factor."""

    def spoil(passes, factor):
        class SpoiledGlam(Glam):
            count = 0

            def forward(self, tokens, generator=None):
                output = super().forward(tokens, generator)
                self.count += self.embedding.requires_grad and output.loss.requires_grad
                if output.loss.requires_grad and self.count in passes:
                    output.loss.mul_(factor)
                return output

        monkeypatch.setattr(processes, "Glam", SpoiledGlam)

    return spoil


def run(out, **training):
    config = small_run(steps=STEPS, **{"checkpoint_every": 5, **training})
    return training_run.train(config, out, peak_flop_per_s=1e12)


def test_one_step_that_is_not_finite_is_skipped_and_its_energy_is_wasted(tmp_path, spoil):
    spoil({12}, math.nan)
    record = run(tmp_path)
    assert record.metrics["skipped_steps"].value == 1
    assert record.metrics["rollbacks"].value == 0
    (steps,) = (window for window in record.windows if window.name == "step")
    assert steps.count == STEPS - 1
    assert record.wasted.model_flop.value == pytest.approx(record.model_flop.value / STEPS)
    assert 0 < record.wasted.elapsed_s.value < record.elapsed_s.value / 2
    assert record.wasted.energy_j.value is not None
    lines = metrics_rows(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert lines[11]["loss"] is None
    assert [line["skipped_steps"] for line in lines[10:12]] == [0, 1]


def test_skipped_updates_in_a_row_roll_back_and_skip_their_batches(tmp_path, spoil):
    spoil(set(range(13, 13 + MAX_SKIPPED_UPDATES)), math.inf)
    record = run(tmp_path)
    assert record.metrics["rollbacks"].value == 1
    assert record.metrics["skipped_steps"].value == MAX_SKIPPED_UPDATES
    # The 7 steps after step 10 were wasted.
    share = (2 + MAX_SKIPPED_UPDATES) / STEPS
    assert record.wasted.model_flop.value == pytest.approx(share * record.model_flop.value)
    assert [line["step"] for line in metrics_rows(tmp_path)] == list(range(1, STEPS + 1))
    last = load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])
    assert last.trainer_state["skipped_batches"] == 2 + MAX_SKIPPED_UPDATES


def test_losses_far_above_their_median_roll_back_too(tmp_path, spoil):
    spoil(set(range(16, 16 + MAX_HIGH_LOSSES)), 100.0)
    record = run(tmp_path)
    assert record.metrics["rollbacks"].value == 1
    assert record.metrics["skipped_steps"].value == 0
    assert record.metrics["loss"].value < 10


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_run_that_keeps_diverging_is_given_up_but_leaves_its_record(tmp_path, spoil, factor):
    spoil(set(range(7, 10_000)), factor)
    with pytest.raises(InfeasibleError, match="2 rollbacks before; lower learning_rate"):
        run(tmp_path, rollbacks=2)
    record = RunRecord.load(tmp_path)
    assert record.totals["chip"].value > 0
    assert any("given up (expected a run that converges" in note for note in record.notes)
    newest = load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])
    assert newest.step < 7  # before the divergence


def test_a_run_that_diverges_before_its_first_checkpoint_says_so(tmp_path, spoil):
    spoil(set(range(1, 100)), math.nan)
    with pytest.raises(InfeasibleError, match="healthy checkpoint to roll back to; got none"):
        run(tmp_path)


def test_the_detector_forgets_a_spike_and_its_state_survives_a_checkpoint():
    detector = DivergenceDetector()
    for _ in range(MAX_HIGH_LOSSES):
        assert detector.observe(2.0, applied=True) is None
    for _ in range(MAX_HIGH_LOSSES - 1):
        assert detector.observe(2.0 * HIGH_LOSS_RATIO + 0.1, applied=True) is None
    assert detector.doubtful
    restored = DivergenceDetector(json.loads(json.dumps(detector.state_dict())))
    assert restored.observe(9.0, applied=True) is not None
    assert detector.observe(2.0, applied=True) is None
    assert not detector.doubtful


UNSTABLE = {
    "evaluate_every": 5,
    "keep_checkpoints": 1,
    "optimizer": "adamw",
    "learning_rate": 1.0,
    "warmup_steps": STEPS,
    "rollbacks": 100,
}
"""A rate that rises until it spoils the weights: the best checkpoint is not the newest one."""


def test_the_best_checkpoint_is_kept_besides_the_newest(tmp_path):
    run(tmp_path, **UNSTABLE)
    paths = checkpoints(tmp_path / "checkpoints")
    best = best_checkpoint(tmp_path / "checkpoints")
    assert best in paths
    assert len(paths) == len({best, paths[-1]})
    assert load_checkpoint(best).step <= load_checkpoint(paths[-1]).step


def test_text_is_generated_by_the_best_checkpoint_if_requested(tmp_path):
    run(tmp_path, **UNSTABLE)
    options = {"tokens": 12, "temperature": 0.0}
    text = "".join(generate(tmp_path, "def", best=True, **options))
    best = best_checkpoint(tmp_path / "checkpoints")
    for path in checkpoints(tmp_path / "checkpoints"):
        if path != best:
            shutil.rmtree(path)
    assert "".join(generate(tmp_path, "def", **options)) == text
