"""Degrees that do not fit processes, model or batch are refused with a choice that does."""

from dataclasses import replace

import pytest

from energy.errors import InputError
from glam.config import Dispatch, GlamConfig
from glam.distributed.connect import connected
from glam.distributed.degrees import Parallelism, Place, hidden_shards, place, require_degrees
from tests.support.small_models import mixture, small_run

ENVIRONMENT = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


def run(sequences=8, **dispatch):
    return small_run(batch_sequences=sequences, dispatch=Dispatch(**dispatch))


def test_the_degrees_of_data_follow_from_processes_and_experts():
    assert require_degrees(Parallelism(expert=2), 4, run()).data == 2
    assert require_degrees(Parallelism(), 4, run()).data == 4
    assert require_degrees(Parallelism(expert=4, data=1), 4, run()).data == 1


@pytest.mark.parametrize(
    ("parallelism", "config", "message"),
    [
        (Parallelism(expert=3), run(), "to be the 4 processes; got 3 x 1"),
        (Parallelism(expert=2, data=4), run(), "got 2 x 4"),
        (Parallelism(), run(sequences=6), "multiple of 4"),
        (Parallelism(expert=2), run(kind="gshard"), "group_tokens to a divisor of 32"),
    ],
)
def test_degrees_that_do_not_fit_are_refused(parallelism, config, message):
    with pytest.raises(InputError, match=message):
        require_degrees(parallelism, 4, config)


def test_experts_that_do_not_divide_are_refused():
    config = replace(run(), shape=mixture(6, 2))
    with pytest.raises(InputError, match="divide the 6 experts"):
        require_degrees(Parallelism(expert=4), 4, config)


def test_a_dense_model_has_no_experts_to_share_out():
    config = GlamConfig.of("glam-mini").with_training(batch_sequences=8)
    with pytest.raises(InputError, match="a model with experts"):
        require_degrees(Parallelism(expert=2), 2, config)


def test_half_an_expert_is_a_shard_of_its_hidden_width():
    assert hidden_shards(Parallelism(expert=2), 4, 8) == 1
    assert hidden_shards(Parallelism(expert=4), 4, 8) == 4
    with pytest.raises(InputError, match="multiple of their 5 shards; got 24"):
        require_degrees(Parallelism(shard=True), 5, small_run(batch_sequences=5))


def test_the_place_is_what_the_launcher_states():
    assert place({}) is None
    assert place({**ENVIRONMENT, "TORCHELASTIC_RESTART_COUNT": "2"}) == Place(1, 4, 1, 2)
    with pytest.raises(InputError, match="start the run with torchrun"):
        place({"RANK": "0", "WORLD_SIZE": "2"})
    with pytest.raises(InputError, match="expected a number in RANK; got one"):
        place({**ENVIRONMENT, "RANK": "one"})
    with pytest.raises(InputError, match="RANK below WORLD_SIZE 4; got 7"):
        place({**ENVIRONMENT, "RANK": "7"})


def test_one_process_alone_shares_nothing_out(monkeypatch, tmp_path):
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    with (
        pytest.raises(InputError, match="torchrun --nproc-per-node 2"),
        connected(Parallelism(shard=True), run(), tmp_path),
    ):
        pass
    with connected(Parallelism(), run(), tmp_path) as processes:
        assert processes.ranks == 1


def test_a_balance_of_another_name_is_refused():
    with pytest.raises(InputError, match="balance to be one of global, local"):
        Parallelism(balance="none")  # type: ignore[arg-type]


def test_a_recipe_of_two_micro_batches_needs_twice_the_sequences():
    config = run().with_training(gradient_accumulation=4)
    with pytest.raises(InputError, match="multiple of 16"):
        require_degrees(Parallelism(), 4, config)
