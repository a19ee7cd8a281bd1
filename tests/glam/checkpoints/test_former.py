"""Checkpoints of every former version are read, verified, and gone on from."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from energy.errors import InputError
from glam.checkpoints.checkpoint import (
    Checkpoint,
    best_checkpoint,
    checkpoints,
    latest_checkpoint,
    load_checkpoint,
)
from glam.checkpoints.former import checksum
from glam.config import GlamConfig
from glam.generation.loading import load_trained
from glam.model.decoder import Glam
from glam.specialization.run import checkpoint_files
from glam.training.optimizer import build_optimizer, update
from glam.training.run import train
from tests.glam.checkpoints.test_checkpoint import configuration, equal, save, trained
from tests.support.small_models import TINY_MIXTURE, small_run

FORMER = Path(__file__).parents[2] / "golden" / "glam"


def test_a_safetensors_file_of_another_program_is_refused(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "step-00000001.safetensors"
    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(InputError, match="expected glam-checkpoint-3"):
        load_checkpoint(path)


def write_former(path, checkpoint, number):
    """Write the file that a former version wrote."""
    from safetensors.torch import save_file

    state, config = checkpoint.trainer_state, checkpoint.config.as_dict()
    metadata = {
        "format": f"glam-checkpoint-{number}",
        "step": str(checkpoint.step),
        "trainer_state": json.dumps(state),
        "validation_loss": repr(checkpoint.validation_loss),
    }
    if number == 1:
        names = {"skipped_updates": "skipped", "skipped_batches": "passed_over"}
        names["divergence"] = "health"
        del metadata["trainer_state"]
        metadata["memory"] = json.dumps({names.get(n, n): value for n, value in state.items()})
        metadata["held_out_loss"] = metadata.pop("validation_loss")
        training, corpus = config["training"], config["corpus"]
        training["accumulate"] = training.pop("gradient_accumulation")
        corpus["held_out"] = corpus.pop("validation_fraction")
    metadata["config"] = json.dumps(config)
    metadata["sha256"] = checksum(metadata, checkpoint.tensors)
    save_file(checkpoint.tensors, path, metadata)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_file_of_a_former_version_is_read_under_the_names_of_today(tmp_path, number):
    config = configuration(gradient_accumulation=2)
    state = {"skipped_updates": 1, "rollbacks": 2, "skipped_batches": 4, "divergence": {}}
    facts = {"trainer_state": state, "validation_loss": 1.5}
    checkpoint = Checkpoint.capture(3, config, *trained(config), **facts)
    path = tmp_path / "step-00000003.safetensors"
    write_former(path, checkpoint, number)
    restored = load_checkpoint(path)
    assert (restored.config, restored.former) == (config, number < 3)
    assert restored.validation_loss == 1.5
    assert restored.trainer_state == state
    assert equal(restored.tensors, checkpoint.tensors)
    assert best_checkpoint(tmp_path) == path
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match="expected a valid checkpoint"):
        load_checkpoint(path)


def test_a_folder_that_several_processes_of_a_former_version_wrote_is_read(tmp_path):
    config = configuration()
    path = save(tmp_path, 3, config, *trained(config))
    today = load_checkpoint(path)
    manifest = path / "checkpoint.json"
    facts = json.loads(manifest.read_text())
    del facts["sha256"]
    manifest.write_text(json.dumps({**facts, "format": "glam-sharded-checkpoint-1"}))
    former = load_checkpoint(path)
    assert (former.step, former.config) == (today.step, today.config)
    assert equal(former.tensors, today.tensors)


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


def test_a_run_with_files_goes_on_with_folders_bit_for_bit_and_answers_from_either(tmp_path):
    half, whole = (small_run(steps=n, checkpoint_every=2) for n in (2, 4))
    train(whole, tmp_path / "whole", peak_flop_per_s=1e12)
    train(half, tmp_path / "cut", peak_flop_per_s=1e12)
    (folder,) = checkpoints(tmp_path / "cut" / "checkpoints")
    file = folder.with_suffix(".safetensors")
    write_former(file, load_checkpoint(folder), 3)
    shutil.rmtree(folder)
    assert checkpoint_files(file) == checkpoint_files(tmp_path / "cut") == [file]
    assert load_trained(file, "cpu").step == load_trained(tmp_path / "cut", "cpu").step == 2
    train(whole, tmp_path / "cut", resume=True, peak_flop_per_s=1e12)
    (newest,) = (path for path in checkpoints(folder.parent) if path != file)
    assert load_trained(newest, "cpu").step == load_trained(tmp_path / "cut", "cpu").step == 4
    expected = latest_checkpoint(tmp_path / "whole" / "checkpoints").tensors
    assert equal(load_checkpoint(newest).tensors, expected)
