"""A budget ends a run, whichever of its attempts spent it, and the record says which."""

from dataclasses import replace

import pytest

from energy import RunRecord
from energy.errors import InputError
from energy.flops import model_flop
from energy.shape import Shape, total
from glam.config import Corpus, GlamConfig, Stop, Training
from glam.training.run import train
from glam.training.stop import Spent, reached, spent_before

SHAPE = Shape(
    n_layers=2,
    d_model=32,
    n_heads=2,
    n_kv_heads=2,
    d_head=16,
    d_ff=64,
    ffn_matrices=3,
    vocab_size=512,
    seq_len=16,
    relative_buckets=32,
    n_moe_layers=1,
    n_experts=4,
    top_k=2,
    d_expert=24,
)
STEP_TOKENS = 32
SPENT = Spent(tokens=100, model_flop=1e9, energy_j=50, elapsed_s=10, loss=3.0)


def asked(**stop):
    return GlamConfig(
        name="tiny",
        shape=SHAPE,
        corpus=Corpus(max_mb=0.2),
        stop=Stop(**stop),
        training=Training(
            steps=50,
            batch_sequences=2,
            log_every=1,
            evaluate_batches=1,
            checkpoint_every=0,
            threads=1,
            device="cpu",
        ),
    )


@pytest.mark.parametrize(
    ("rule", "not_yet", "now"),
    [
        ("tokens", 101, 100),
        ("model_flop", 2e9, 1e9),
        ("energy_j", 51, 50),
        ("elapsed_s", 11, 10),
        ("loss", 2.9, 3.0),
    ],
)
def test_each_rule_ends_a_run_at_its_limit_and_not_before(rule, not_yet, now):
    assert reached(Stop(**{rule: not_yet}), SPENT) is None
    assert reached(Stop(**{rule: now}), SPENT).startswith(f"stop.{rule} ")


def test_joules_that_nobody_could_read_end_no_run():
    assert reached(Stop(energy_j=1), replace(SPENT, energy_j=None)) is None


@pytest.mark.parametrize(
    "stop",
    [
        {"tokens": 5 * STEP_TOKENS},
        {"model_flop": 5 * STEP_TOKENS * float(total(model_flop(SHAPE)))},
    ],
)
def test_a_budget_ends_the_run_where_it_says_and_resuming_adds_nothing(tmp_path, stop):
    record = train(asked(**stop), tmp_path, peak_flop_per_s=1e12)
    assert record.tokens.value == 5 * STEP_TOKENS
    assert any("reached" in note and "step 5 of 50" in note for note in record.notes)
    train(asked(**stop), tmp_path, resume=True, peak_flop_per_s=1e12)
    assert RunRecord.load(tmp_path / "record.json").tokens.value == 5 * STEP_TOKENS


def test_seconds_of_earlier_attempts_count_towards_the_limit(tmp_path):
    train(asked(elapsed_s=1e-3), tmp_path, peak_flop_per_s=1e12)
    _, elapsed_s = spent_before(tmp_path / "ledger.jsonl")
    assert elapsed_s > 0
    record = train(asked(elapsed_s=1e-3), tmp_path, resume=True, peak_flop_per_s=1e12)
    assert record.metrics["steps"].value == 1


def test_a_negative_budget_is_refused():
    with pytest.raises(InputError, match="tokens"):
        Stop(tokens=-1)
