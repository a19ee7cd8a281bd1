"""Checkpoints are written while training goes on: what they contain, and what if writing fails."""

import os
import signal
import threading
import time

import pytest

from energy.errors import InputError
from glam.checkpoints.checkpoint import Checkpoint, checkpoints, load_checkpoint
from glam.checkpoints.writer import CheckpointWriter
from glam.training.run import train as train_run
from glam.training.trainer import Trainer
from tests.glam.checkpoints.test_checkpoint import (
    all_tensors,
    configuration,
    equal,
    train,
    trained,
)
from tests.support.small_models import small_run


@pytest.fixture
def release(monkeypatch):
    """Block writing threads until the test sets this event."""
    event, write = threading.Event(), Checkpoint.write

    def blocked_write(self, folder):
        assert event.wait(30)
        return write(self, folder)

    monkeypatch.setattr(Checkpoint, "write", blocked_write)
    yield event
    event.set()


def set_soon(event):
    threading.Timer(0.05, event.set).start()


def test_a_checkpoint_has_the_state_of_its_step_although_training_went_on(tmp_path, release):
    config = configuration("adamw")
    model, optimizer = trained(config)
    before = {name: value.clone() for name, value in all_tensors(model, optimizer).items()}
    with CheckpointWriter(tmp_path) as writer:
        writer.write(Checkpoint.capture(3, config, model, optimizer))
        train(model, optimizer, config, range(4, 6))
        assert not checkpoints(tmp_path)
        release.set()
    assert not equal(all_tensors(model, optimizer), before)
    load_checkpoint(tmp_path / "step-00000003").restore(model, optimizer)
    assert equal(all_tensors(model, optimizer), before)


def test_a_second_checkpoint_waits_until_the_first_is_on_disk(tmp_path, release):
    config = configuration()
    pair = trained(config)
    with CheckpointWriter(tmp_path) as writer:
        writer.write(Checkpoint.capture(3, config, *pair))
        set_soon(release)
        writer.write(Checkpoint.capture(4, config, *pair))
        assert "step-00000003" in [path.name for path in checkpoints(tmp_path)]
    assert len(checkpoints(tmp_path)) == 2


def write_into_a_file(path, then):
    """Let a writer fail, as its folder is a file, and do something else meanwhile."""
    path.write_text("not a folder")
    config = configuration()
    checkpoint = Checkpoint.capture(3, config, *trained(config))
    with CheckpointWriter(path) as writer:
        writer.write(checkpoint)
        then(writer, checkpoint)


def check_later(writer, _):
    while writer._thread.is_alive():
        time.sleep(0.001)
    writer.raise_pending_error()
    raise AssertionError("no error was raised")


@pytest.mark.parametrize(
    "then",
    [CheckpointWriter.write, lambda writer, _: writer.wait(), check_later, lambda *_: None],
    ids=["write", "wait", "raise_pending_error", "leave the context"],
)
def test_an_error_of_the_writing_thread_is_raised_by_the_next_call(tmp_path, then):
    with pytest.raises(InputError, match="a file"):
        write_into_a_file(tmp_path / "a file", then)


def test_an_error_of_the_writing_thread_does_not_hide_another(tmp_path, caplog):
    with pytest.raises(ZeroDivisionError):
        write_into_a_file(tmp_path / "a file", lambda *_: 1 / 0)
    assert "expected to write" in caplog.text


def run(out):
    return train_run(small_run(steps=6, checkpoint_every=2), out)


def test_the_last_checkpoint_is_on_disk_when_a_run_ends(tmp_path):
    run(tmp_path / "run")
    newest = checkpoints(tmp_path / "run" / "checkpoints")[-1]
    assert load_checkpoint(newest).step == 6


def test_a_rollback_waits_for_the_newest_checkpoint(tmp_path, release, monkeypatch):
    """The run diverges after step 2, whose checkpoint is not yet on disk."""
    step, files_at_divergence = Trainer.step, []

    def diverging_step(self):
        row = step(self)
        if self.state.step == 2 and not files_at_divergence:
            files_at_divergence.append(len(checkpoints(self.writer.folder)))
            set_soon(release)
            self._roll_back("the loss was too high")
        return row

    monkeypatch.setattr(Trainer, "step", diverging_step)
    record = run(tmp_path / "run")
    assert files_at_divergence == [0]
    assert record.metrics["rollbacks"].value == 1
    assert record.metrics["steps"].value == 6


def test_a_full_disk_ends_the_run_with_its_ledger_intact(tmp_path, monkeypatch):
    def full(self, folder):
        raise InputError("expected room on the disk", "none")

    monkeypatch.setattr(Checkpoint, "write", full)
    with pytest.raises(InputError, match="room on the disk"):
        run(tmp_path / "run")
    assert not checkpoints(tmp_path / "run" / "checkpoints")
    assert (tmp_path / "run" / "ledger.jsonl").stat().st_size > 0


def test_a_keyboard_interrupt_does_not_wait_for_a_long_write(tmp_path, release):
    def interrupted():
        with CheckpointWriter(tmp_path) as writer:
            writer.write(Checkpoint.capture(3, configuration(), *trained(configuration())))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not release.is_set()
    assert not list(tmp_path.iterdir())


def test_one_ctrl_c_waits_for_the_checkpoint_of_its_step(tmp_path, release, monkeypatch):
    step = Trainer.step

    def interrupted_step(self):
        row = step(self)
        if self.state.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
            set_soon(release)
        return row

    monkeypatch.setattr(Trainer, "step", interrupted_step)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run")
    assert load_checkpoint(checkpoints(tmp_path / "run" / "checkpoints")[-1]).step == 3
    assert (tmp_path / "run" / "record.json").exists()
