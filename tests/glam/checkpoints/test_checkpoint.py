"""A checkpoint restores every bit, is refused if damaged, and replaces all but the newest few."""

import math
from dataclasses import replace

import pytest
import torch

from energy.errors import InputError
from glam.checkpoints.checkpoint import (
    Checkpoint,
    checkpoints,
    latest_checkpoint,
    load_checkpoint,
)
from glam.checkpoints.folder import load_tensors
from glam.checkpoints.former import checksum
from glam.checkpoints.saving import Saving
from glam.config import Corpus, GlamConfig, Training
from glam.generation.text import generate
from glam.model.decoder import Glam
from glam.training.optimizer import build_optimizer, update
from tests.support.small_models import TINY_MIXTURE


def configuration(optimizer="adafactor", **training):
    return GlamConfig(
        name="tiny",
        shape=TINY_MIXTURE,
        training=Training(optimizer=optimizer, **training),
        corpus=Corpus(paths=("a", "b"), weights={"text": 0.5}),
    )


def trained(config, steps=3):
    """Return a model and its optimizer after a few steps."""
    model = Glam(TINY_MIXTURE, seed=1)
    optimizer = build_optimizer(model, config.training)
    train(model, optimizer, config, range(1, steps + 1))
    return model, optimizer


def train(model, optimizer, config, steps):
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        model(torch.randint(0, 50, (2, 9), generator=generator)).loss.backward()
        update(model, optimizer, config.training, step)


def save(folder, step, config, model, optimizer):
    return Checkpoint.capture(step, config, model, optimizer).write(folder)


def all_tensors(model, optimizer):
    state = optimizer.state_dict()["state"]
    return {
        **model.state_dict(),
        **{
            f"{index}.{name}": tensor
            for index, tensors in state.items()
            for name, tensor in tensors.items()
        },
    }


def equal(ours, theirs):
    return ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)


@pytest.mark.parametrize("name", ["adafactor", "adamw"])
def test_training_continues_from_a_checkpoint_bit_for_bit(tmp_path, name):
    config = configuration(name)
    model, optimizer = trained(config)
    checkpoint = load_checkpoint(save(tmp_path, 3, config, model, optimizer))
    assert (checkpoint.step, checkpoint.config) == (3, config)
    restored = Glam(TINY_MIXTURE, seed=2)
    restored_optimizer = build_optimizer(restored, config.training)
    checkpoint.restore(restored, restored_optimizer)
    assert equal(all_tensors(restored, restored_optimizer), all_tensors(model, optimizer))
    for pair in ((model, optimizer), (restored, restored_optimizer)):
        train(*pair, config, range(4, 8))
    assert equal(all_tensors(restored, restored_optimizer), all_tensors(model, optimizer))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.norm.scale": None}, "model.norm.scale of .16,. float32 .*step 3; got none"),
        ({"model.extra": torch.zeros(2)}, "model.extra of no shape, as the model has none.*got .2"),
        ({"model.norm.scale": torch.zeros(16).half()}, "of .16,. float32 .*got .16,. float16"),
        ({"optimizer.0.row_var": torch.zeros(3)}, "optimizer.0.row_var of .*got .3,. float32"),
        ({"optimizer.99.step": torch.zeros(())}, "optimizer.99.step of no shape"),
    ],
)
def test_tensors_of_another_model_are_refused_by_name_and_none_is_loaded(changes, message):
    config = configuration()
    checkpoint = Checkpoint.capture(3, config, *trained(config))
    tensors = {**checkpoint.tensors, **changes}
    other = replace(checkpoint, tensors={n: t for n, t in tensors.items() if t is not None})
    model = Glam(TINY_MIXTURE, seed=2)
    optimizer, before = build_optimizer(model, config.training), model.embedding.clone()
    with pytest.raises(InputError, match=message):
        other.restore(model, optimizer)
    assert model.embedding.equal(before)
    assert not optimizer.state


def test_a_restored_model_shares_no_memory_with_its_checkpoint(tmp_path):
    config = configuration()
    checkpoint = load_checkpoint(save(tmp_path, 3, config, *trained(config)))
    before = checksum({}, checkpoint.tensors)
    model = Glam(TINY_MIXTURE)
    optimizer = build_optimizer(model, config.training)
    checkpoint.restore(model, optimizer)
    train(model, optimizer, config, range(4, 6))
    assert checksum({}, checkpoint.tensors) == before


def test_only_the_newest_checkpoints_are_kept_and_other_files_are_left_alone(tmp_path):
    config = configuration(keep_checkpoints=2)
    pair = trained(config)
    (tmp_path / "notes.txt").write_text("mine")
    for step in (1, 2, 30, 4):
        save(tmp_path, step, config, *pair)
    assert [path.name for path in checkpoints(tmp_path)] == [
        "step-00000004",
        "step-00000030",
    ]
    assert latest_checkpoint(tmp_path).step == 30
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_without_checkpoints_has_no_latest(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "absent") is None


def test_the_architecture_of_a_run_is_that_of_its_checkpoint(tmp_path):
    config = configuration().with_family("glam")
    model = Glam(TINY_MIXTURE, architecture=config.architecture)
    path = save(tmp_path, 1, config, model, build_optimizer(model, config.training))
    restored = load_checkpoint(path)
    assert (restored.config, restored.former) == (config, False)
    tokens = torch.zeros(1, 8, dtype=torch.long)
    torch.testing.assert_close(Glam.from_checkpoint(path).logits(tokens), model.logits(tokens))


def test_tensors_of_every_type_and_size_come_back_as_they_were(tmp_path):
    floats = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    dtypes = (*floats, torch.int64, torch.int32, torch.uint8, torch.bool)
    tensors = {str(dtype): torch.arange(3).to(dtype) for dtype in dtypes}
    tensors |= {
        "empty": torch.ones(0, 4),
        "scalar": torch.tensor(2.0),
        "transposed": torch.rand(3, 5).T,
        "part": torch.rand(100)[7:9],
    }
    Saving(tmp_path / "step").save(tensors, {})
    loaded = load_tensors(tmp_path / "step")
    assert equal(loaded, tensors)
    assert all(loaded[name].dtype == tensor.dtype for name, tensor in tensors.items())
    assert (tmp_path / "step" / "__0_0.distcp").stat().st_size < 20_000


def test_a_configuration_survives_its_checkpoint_exactly(tmp_path):
    config = replace(configuration(learning_rate=0.1 + 0.2, seed=2**32 - 1), name="naïve run")
    path = save(tmp_path, 1, config, *trained(config, steps=1))
    assert load_checkpoint(path).config == config
    assert math.isnan(load_checkpoint(path).validation_loss)


def test_generating_with_the_best_checkpoint_needs_an_evaluated_one(tmp_path):
    config = configuration()
    save(tmp_path / "checkpoints", 3, config, *trained(config))
    with pytest.raises(InputError, match="leave --best away"):
        next(generate(tmp_path, "def", tokens=1, best=True))
