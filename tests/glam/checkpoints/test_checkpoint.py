"""A checkpoint gives back every bit, refuses every flaw, and keeps only the newest few."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError
from energy.shape import Shape
from glam.checkpoints.checkpoint import (
    Checkpoint,
    checkpoints,
    checksum,
    latest_checkpoint,
    load_checkpoint,
)
from glam.checkpoints.tensor_file import KINDS, write_tensors
from glam.config import Corpus, GlamConfig, Training
from glam.generation import generate
from glam.model.decoder import Glam
from glam.training.optimizer import build_optimizer, update

SHAPE = Shape(
    n_layers=2,
    d_model=16,
    n_heads=2,
    n_kv_heads=2,
    d_head=8,
    d_ff=32,
    ffn_matrices=3,
    vocab_size=50,
    seq_len=8,
    relative_buckets=8,
    n_moe_layers=1,
    n_experts=4,
    top_k=2,
    d_expert=16,
)


def config(optimizer="adafactor", **training):
    return GlamConfig(
        name="tiny",
        shape=SHAPE,
        training=Training(optimizer=optimizer, **training),
        corpus=Corpus(paths=("a", "b"), weights={"text": 0.5}),
    )


def trained(asked, steps=3):
    """A model and its optimizer after a few steps."""
    model = Glam(SHAPE, seed=1)
    optimizer = build_optimizer(model, asked.training)
    go_on(model, optimizer, asked, range(1, steps + 1))
    return model, optimizer


def go_on(model, optimizer, asked, steps):
    for step in steps:
        draw = torch.Generator().manual_seed(step)
        model(torch.randint(0, 50, (2, 9), generator=draw)).loss.backward()
        update(model, optimizer, asked.training, step)


def saved(folder, *moment):
    return Checkpoint.of(*moment).write(folder)


def bits(model, optimizer):
    state = optimizer.state_dict()["state"]
    return {
        **model.state_dict(),
        **{f"{i}.{name}": value for i, kept in state.items() for name, value in kept.items()},
    }


def same(one, other):
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


@pytest.mark.parametrize("optimizer", ["adafactor", "adamw"])
def test_training_goes_on_from_a_checkpoint_bit_for_bit(tmp_path, optimizer):
    asked = config(optimizer)
    model, rule = trained(asked)
    found = load_checkpoint(saved(tmp_path, 3, asked, model, rule))
    assert (found.step, found.config) == (3, asked)
    again = Glam(SHAPE, seed=2)
    rule_again = build_optimizer(again, asked.training)
    found.restore(again, rule_again)
    assert same(bits(again, rule_again), bits(model, rule))
    for pair in ((model, rule), (again, rule_again)):
        go_on(*pair, asked, range(4, 8))
    assert same(bits(again, rule_again), bits(model, rule))


def test_a_restored_model_shares_no_memory_with_its_checkpoint(tmp_path):
    asked = config()
    found = load_checkpoint(saved(tmp_path, 3, asked, *trained(asked)))
    before = checksum({}, found.tensors)
    model = Glam(SHAPE)
    rule = build_optimizer(model, asked.training)
    found.restore(model, rule)
    go_on(model, rule, asked, range(4, 6))
    assert checksum({}, found.tensors) == before


def test_only_the_newest_checkpoints_stay_and_the_latest_is_found(tmp_path):
    asked = config(keep_checkpoints=2)
    made = trained(asked)
    (tmp_path / "notes.txt").write_text("mine")
    for step in (1, 2, 30, 4):
        saved(tmp_path, step, asked, *made)
    assert [path.name for path in checkpoints(tmp_path)] == [
        "step-00000004.safetensors",
        "step-00000030.safetensors",
    ]
    assert latest_checkpoint(tmp_path).step == 30
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_without_checkpoints_has_no_latest(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "absent") is None


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    asked = config()
    place = saved(tmp_path_factory.mktemp("sound"), 3, asked, *trained(asked))
    return place.read_bytes()


@settings(max_examples=150, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit_is_found_wherever_it_is(sound, tmp_path_factory, share, bit):
    damaged = bytearray(sound)
    damaged[int(share * len(damaged))] ^= 1 << bit
    place = tmp_path_factory.getbasetemp() / "step-00000003.safetensors"
    place.write_bytes(damaged)
    with pytest.raises(InputError):
        load_checkpoint(place)


@settings(max_examples=50, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(sound, tmp_path_factory, share):
    place = tmp_path_factory.getbasetemp() / "step-00000003.safetensors"
    place.write_bytes(sound[: int(share * len(sound))])
    with pytest.raises(InputError, match="expected a sound checkpoint"):
        load_checkpoint(place)


def test_a_safetensors_file_of_others_is_refused(tmp_path):
    from safetensors.torch import save_file

    place = tmp_path / "step-00000001.safetensors"
    save_file({"weight": torch.ones(2)}, place)
    with pytest.raises(InputError, match="expected glam-checkpoint-1"):
        load_checkpoint(place)


def test_the_library_reads_what_we_write_of_every_kind_and_size(tmp_path):
    from safetensors.torch import load_file

    wanted = {str(kind): torch.arange(3).to(kind) for kind in KINDS}
    wanted |= {"none": torch.ones(0, 4), "one": torch.tensor(2.0), "turned": torch.rand(3, 5).T}
    with (tmp_path / "file").open("wb") as file:
        write_tensors(file, wanted, {"told": "naïve"})
    found = load_file(tmp_path / "file")
    assert same(found, wanted)
    assert all(found[name].dtype == tensor.dtype for name, tensor in wanted.items())


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {**t, "a": t["a"] + 1},
        lambda t: {**t, "a": t["a"].T.contiguous()},
        lambda t: {**t, "a": t["a"].view(torch.int32)},
        lambda t: {"b": t["a"], "a": t["b"]},
        lambda t: {"a": t["a"]},
    ],
    ids=["a value", "a size", "a kind", "two names", "one less"],
)
def test_the_checksum_sees_every_change(change):
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2, 3)}
    assert checksum({}, change(tensors)) != checksum({}, tensors)
    assert checksum({}, dict(reversed(tensors.items()))) == checksum({}, tensors)


def test_a_configuration_survives_its_checkpoint_exactly(tmp_path):
    asked = replace(config(learning_rate=0.1 + 0.2, seed=2**32 - 1), name="naïve run")
    place = saved(tmp_path, 1, asked, *trained(asked, steps=1))
    assert load_checkpoint(place).config == asked


def test_text_of_the_best_checkpoint_needs_one_that_was_evaluated(tmp_path):
    asked = config()
    saved(tmp_path / "checkpoints", 3, asked, *trained(asked))
    with pytest.raises(InputError, match="leave --best away"):
        next(generate(tmp_path, "def", tokens=1, best=True))
