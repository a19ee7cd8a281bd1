"""A limit ends a run, whichever of its attempts reaches it, and the record says which."""

from dataclasses import replace

import pytest

from energy.errors import InputError
from energy.flops import model_flop
from energy.shape import total
from glam.config import Stop
from glam.training.run import train
from glam.training.stop import Spent, earlier_attempts, stop_reason
from tests.support.small_models import metrics_rows, mixture, small_run

TOKENS_PER_STEP = 32
SPENT = Spent(tokens=100, model_flop=1e9, energy_j=50, elapsed_s=10, loss=3.0)


def run(out, *, resume=False, **stop):
    config = small_run(steps=50, checkpoint_every=0, stop=Stop(**stop))
    return train(config, out, resume=resume, peak_flop_per_s=1e12)


@pytest.mark.parametrize(
    ("rule", "beyond", "limit"),
    [
        ("tokens", 101, 100),
        ("model_flop", 2e9, 1e9),
        ("energy_j", 51, 50),
        ("elapsed_s", 11, 10),
        ("loss", 2.9, 3.0),
    ],
)
def test_each_rule_ends_a_run_at_its_limit_and_not_before(rule, beyond, limit):
    assert stop_reason(Stop(**{rule: beyond}), SPENT) is None
    assert stop_reason(Stop(**{rule: limit}), SPENT).startswith(f"stop.{rule} ")


def test_unknown_energy_ends_no_run():
    assert stop_reason(Stop(energy_j=1), replace(SPENT, energy_j=None)) is None


@pytest.mark.parametrize(
    "stop",
    [
        {"tokens": 5 * TOKENS_PER_STEP},
        {"model_flop": 5 * TOKENS_PER_STEP * float(total(model_flop(mixture(4, 2))))},
    ],
)
def test_a_limit_ends_the_run_on_time_and_resuming_adds_nothing(tmp_path, stop):
    record = run(tmp_path, **stop)
    assert record.tokens.value == 5 * TOKENS_PER_STEP
    assert any("reached" in note and "step 5 of 50" in note for note in record.notes)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run(tmp_path, resume=True, **stop) == record
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == before


def test_the_validation_loss_of_a_run_that_a_rule_ended_is_in_its_last_line(tmp_path):
    record = run(tmp_path, tokens=5 * TOKENS_PER_STEP)
    last = metrics_rows(tmp_path)[-1]
    assert last["step"] == 5
    assert last["validation_loss"] == record.metrics["validation_loss"].value


def test_the_time_of_earlier_attempts_counts(tmp_path):
    run(tmp_path, elapsed_s=1e-3)
    assert earlier_attempts([tmp_path]).elapsed_s > 0
    record = run(tmp_path, resume=True, elapsed_s=1e-3)
    assert record.metrics["steps"].value == 1


def test_a_negative_limit_is_refused():
    with pytest.raises(InputError, match="tokens"):
        Stop(tokens=-1)
