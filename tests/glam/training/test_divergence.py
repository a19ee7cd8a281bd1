"""A sick step is skipped, a diverged run goes back, and what they cost is wasted."""

import json
import math

import pytest

from energy import RunRecord
from energy.errors import InfeasibleError
from glam.checkpoints.checkpoint import best_checkpoint, checkpoints, load_checkpoint
from glam.config import Corpus, GlamConfig, Training
from glam.generation import generate
from glam.model.decoder import Glam
from glam.training import run as trainer
from glam.training.divergence import DIVERGED_RATIO, DIVERGED_SKIPS, DIVERGED_STEPS, Health
from tests.support.small_models import mixture

STEPS = 30


def asked(**training):
    return GlamConfig(
        name="tiny",
        shape=mixture(4, 2),
        corpus=Corpus(max_mb=0.2),
        training=Training(
            steps=STEPS,
            batch_sequences=2,
            log_every=1,
            evaluate_batches=1,
            checkpoint_every=5,
            threads=1,
            device="cpu",
            **training,
        ),
    )


@pytest.fixture
def sick(monkeypatch):
    """Make the training passes of these numbers (from 1) give a loss times a factor."""

    def at(passes, factor):
        class Sick(Glam):
            count = 0

            def forward(self, tokens, draw=None):
                output = super().forward(tokens, draw)
                self.count += self.embedding.requires_grad and output.loss.requires_grad
                if output.loss.requires_grad and self.count in passes:
                    output.loss.mul_(factor)
                return output

        monkeypatch.setattr(trainer, "Glam", Sick)

    return at


def run(out, **training):
    return trainer.train(asked(**training), out, peak_flop_per_s=1e12)


def rows(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_one_sick_step_is_skipped_counted_and_its_joules_are_wasted(tmp_path, sick):
    sick({12}, math.nan)
    record = run(tmp_path)
    assert record.metrics["skipped_steps"].value == 1
    assert record.metrics["rollbacks"].value == 0
    (steps,) = (window for window in record.windows if window.name == "step")
    assert steps.count == STEPS - 1
    assert record.wasted.model_flop.value == pytest.approx(record.model_flop.value / STEPS)
    assert 0 < record.wasted.elapsed_s.value < record.elapsed_s.value / 2
    assert record.wasted.energy_j.value is not None
    lines = rows(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert lines[11]["loss"] is None
    assert [line["skipped_steps"] for line in lines[10:12]] == [0, 1]


def test_skips_in_a_row_roll_back_to_the_checkpoint_and_pass_their_batches_over(tmp_path, sick):
    sick(set(range(13, 13 + DIVERGED_SKIPS)), math.inf)
    record = run(tmp_path)
    assert record.metrics["rollbacks"].value == 1
    assert record.metrics["skipped_steps"].value == DIVERGED_SKIPS
    # From step 10 on, 7 steps were done for nothing.
    share = (2 + DIVERGED_SKIPS) / STEPS
    assert record.wasted.model_flop.value == pytest.approx(share * record.model_flop.value)
    assert [line["step"] for line in rows(tmp_path)] == list(range(1, STEPS + 1))
    last = load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])
    assert last.memory["passed_over"] == 2 + DIVERGED_SKIPS


def test_a_loss_far_above_its_median_rolls_back_too(tmp_path, sick):
    sick(set(range(16, 16 + DIVERGED_STEPS)), 100.0)
    record = run(tmp_path)
    assert record.metrics["rollbacks"].value == 1
    assert record.metrics["skipped_steps"].value == 0
    assert record.metrics["loss"].value < 10


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_run_that_keeps_diverging_is_given_up_clearly_and_leaves_its_record(tmp_path, sick, bad):
    sick(set(range(7, 10_000)), bad)
    with pytest.raises(InfeasibleError, match="2 rollbacks before; lower learning_rate"):
        run(tmp_path, rollbacks=2)
    record = RunRecord.load(tmp_path)
    assert record.totals["chip"].value > 0
    assert any("given up (expected a run that converges" in note for note in record.notes)
    newest = load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])
    assert newest.step < 7  # none of what diverged


def test_a_run_that_diverges_before_its_first_checkpoint_says_so(tmp_path, sick):
    sick(set(range(1, 100)), math.nan)
    with pytest.raises(InfeasibleError, match="healthy checkpoint to go back to; got none"):
        run(tmp_path)


def test_health_forgets_a_spike_and_its_memory_survives():
    health = Health()
    for _ in range(DIVERGED_STEPS):
        assert health.diverged(2.0, applied=True) is None
    for _ in range(DIVERGED_STEPS - 1):
        assert health.diverged(2.0 * DIVERGED_RATIO + 0.1, applied=True) is None
    assert health.doubtful
    again = Health(json.loads(json.dumps(health.memory())))
    assert again.diverged(9.0, applied=True) is not None
    assert health.diverged(2.0, applied=True) is None
    assert not health.doubtful


def test_the_best_checkpoint_stays_beside_the_newest(tmp_path):
    """Trained at a rate that spoils the weights, the best one is not among the newest."""
    run(
        tmp_path,
        evaluate_every=5,
        keep_checkpoints=1,
        optimizer="adamw",
        learning_rate=1.0,
        warmup_steps=STEPS,
        rollbacks=100,
    )
    places = checkpoints(tmp_path / "checkpoints")
    best = best_checkpoint(tmp_path / "checkpoints")
    assert best in places
    assert len(places) == len({best, places[-1]})
    assert load_checkpoint(best).step <= load_checkpoint(places[-1]).step


def test_the_best_checkpoint_speaks_where_it_is_asked_for(tmp_path):
    run(
        tmp_path,
        evaluate_every=5,
        keep_checkpoints=1,
        optimizer="adamw",
        learning_rate=1.0,
        warmup_steps=STEPS,
        rollbacks=100,
    )
    best, newest = best_checkpoint(tmp_path / "checkpoints"), checkpoints(tmp_path / "checkpoints")
    asked = {"tokens": 12, "temperature": 0.0}
    told = "".join(generate(tmp_path, "def", best=True, **asked))
    for path in newest:
        if path != best:
            path.unlink()
    assert "".join(generate(tmp_path, "def", **asked)) == told
