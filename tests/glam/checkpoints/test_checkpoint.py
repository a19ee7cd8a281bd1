"""A checkpoint restores every bit, is refused if damaged, and replaces all but the newest few."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError
from glam.checkpoints.checkpoint import (
    Checkpoint,
    best_checkpoint,
    checkpoints,
    checksum,
    latest_checkpoint,
    load_checkpoint,
)
from glam.checkpoints.tensor_file import DTYPE_NAMES, write_tensors
from glam.config import Corpus, GlamConfig, Training
from glam.generation.text import generate
from glam.model.decoder import Glam
from glam.training.optimizer import build_optimizer, update
from tests.support.small_models import TINY_MIXTURE

FORMER = Path(__file__).parents[2] / "golden" / "glam"


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
        "step-00000004.safetensors",
        "step-00000030.safetensors",
    ]
    assert latest_checkpoint(tmp_path).step == 30
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_without_checkpoints_has_no_latest(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "absent") is None


@pytest.fixture(scope="module")
def valid_bytes(tmp_path_factory):
    config = configuration()
    return save(tmp_path_factory.mktemp("valid"), 3, config, *trained(config)).read_bytes()


@settings(max_examples=150, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_detected_wherever_it_is(valid_bytes, tmp_path_factory, share, bit):
    damaged = bytearray(valid_bytes)
    damaged[int(share * len(damaged))] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "step-00000003.safetensors"
    path.write_bytes(damaged)
    with pytest.raises(InputError):
        load_checkpoint(path)


@settings(max_examples=50, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_truncated_anywhere_is_refused(valid_bytes, tmp_path_factory, share):
    path = tmp_path_factory.getbasetemp() / "step-00000003.safetensors"
    path.write_bytes(valid_bytes[: int(share * len(valid_bytes))])
    with pytest.raises(InputError, match="expected a valid checkpoint"):
        load_checkpoint(path)


def test_a_safetensors_file_of_another_program_is_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "step-00000001.safetensors"
    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(InputError, match="expected glam-checkpoint-3"):
        load_checkpoint(path)


def test_a_checkpoint_of_version_0_1_0_is_read_under_the_names_of_today(tmp_path):
    config = configuration(gradient_accumulation=2)
    model, optimizer = trained(config)
    checkpoint = Checkpoint.capture(3, config, model, optimizer)
    former_config = config.as_dict()
    former_config["training"]["accumulate"] = former_config["training"].pop("gradient_accumulation")
    former_config["corpus"]["held_out"] = former_config["corpus"].pop("validation_fraction")
    metadata = {
        "format": "glam-checkpoint-1",
        "step": "3",
        "config": json.dumps(former_config),
        "memory": json.dumps({"skipped": 1, "rollbacks": 2, "passed_over": 4, "health": {}}),
        "held_out_loss": "1.5",
    }
    metadata["sha256"] = checksum(metadata, checkpoint.tensors)
    path = tmp_path / "step-00000003.safetensors"
    with path.open("wb") as file:
        write_tensors(file, checkpoint.tensors, metadata)
    restored = load_checkpoint(path)
    assert restored.config == config
    assert restored.validation_loss == 1.5
    assert restored.trainer_state == {
        "skipped_updates": 1,
        "rollbacks": 2,
        "skipped_batches": 4,
        "divergence": {},
    }
    assert equal(restored.tensors, checkpoint.tensors)
    assert best_checkpoint(tmp_path) == path


def test_a_checkpoint_from_before_architectures_goes_on_as_the_model_that_it_was():
    """Written by the build of commit 02cb089, with the losses of its next three steps."""
    checkpoint = load_checkpoint(FORMER / "former-checkpoint.safetensors")
    config = checkpoint.config
    assert (checkpoint.former, config.family) == (True, "plain")
    assert config.training.adafactor_form == "torch"
    current = GlamConfig(name="former", shape=TINY_MIXTURE, training=config.training)
    assert checkpoint.config_to_resume(current.with_family("glam")) == config
    model = Glam.from_checkpoint(checkpoint)
    optimizer = build_optimizer(model, config.training)
    checkpoint.restore(model, optimizer)
    expected = json.loads((FORMER / "former-checkpoint.json").read_text())["losses"]
    for step, loss in enumerate(expected, start=4):
        generator = torch.Generator().manual_seed(step)
        output = model(torch.randint(0, 50, (2, 9), generator=generator))
        assert output.loss.item() == pytest.approx(loss, rel=1e-5)
        (output.loss + 0.01 * output.auxiliary_loss).backward()
        update(model, optimizer, config.training, step)


def test_the_architecture_of_a_run_is_that_of_its_checkpoint(tmp_path):
    config = configuration().with_family("glam")
    model = Glam(TINY_MIXTURE, architecture=config.architecture)
    path = save(tmp_path, 1, config, model, build_optimizer(model, config.training))
    restored = load_checkpoint(path)
    assert (restored.config, restored.former) == (config, False)
    tokens = torch.zeros(1, 8, dtype=torch.long)
    torch.testing.assert_close(Glam.from_checkpoint(path).logits(tokens), model.logits(tokens))


def test_the_library_reads_tensors_of_every_type_and_size_that_we_write(tmp_path):
    from safetensors.torch import load_file

    tensors = {str(dtype): torch.arange(3).to(dtype) for dtype in DTYPE_NAMES}
    tensors |= {
        "empty": torch.ones(0, 4),
        "scalar": torch.tensor(2.0),
        "transposed": torch.rand(3, 5).T,
    }
    with (tmp_path / "file").open("wb") as file:
        write_tensors(file, tensors, {"note": "naïve"})
    loaded = load_file(tmp_path / "file")
    assert equal(loaded, tensors)
    assert all(loaded[name].dtype == tensor.dtype for name, tensor in tensors.items())


@pytest.mark.parametrize(
    "change",
    [
        lambda t: {**t, "a": t["a"] + 1},
        lambda t: {**t, "a": t["a"].T.contiguous()},
        lambda t: {**t, "a": t["a"].view(torch.int32)},
        lambda t: {"b": t["a"], "a": t["b"]},
        lambda t: {"a": t["a"]},
    ],
    ids=["a value", "a size", "a type", "two names", "one tensor less"],
)
def test_the_checksum_depends_on_every_detail_but_the_order(change):
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2, 3)}
    assert checksum({}, change(tensors)) != checksum({}, tensors)
    assert checksum({}, dict(reversed(tensors.items()))) == checksum({}, tensors)


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
