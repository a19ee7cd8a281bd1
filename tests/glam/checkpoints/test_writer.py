"""Checkpoints are written while training goes on: what is written, when, and what if it fails."""

import os
import signal
import threading
import time

import pytest

from energy.errors import InputError
from glam.checkpoints.checkpoint import Checkpoint, checkpoints, load_checkpoint
from glam.checkpoints.writer import CheckpointWriter
from glam.config import Corpus, GlamConfig, Training
from glam.training.run import train
from glam.training.trainer import Loop
from tests.glam.checkpoints.test_checkpoint import SHAPE, bits, config, go_on, same, trained


@pytest.fixture
def held(monkeypatch):
    """Keeps writing threads from writing until the test says so."""
    may, write = threading.Event(), Checkpoint.write

    def later(self, folder):
        assert may.wait(30)
        return write(self, folder)

    monkeypatch.setattr(Checkpoint, "write", later)
    yield may
    may.set()


def test_a_checkpoint_holds_its_step_although_training_went_on_before_it_was_written(
    tmp_path, held
):
    asked = config("adamw")
    model, rule = trained(asked)
    before = {name: value.clone() for name, value in bits(model, rule).items()}
    with CheckpointWriter(tmp_path) as writer:
        writer.write(Checkpoint.of(3, asked, model, rule))
        go_on(model, rule, asked, range(4, 6))
        assert not checkpoints(tmp_path)
        held.set()
    assert not same(bits(model, rule), before)
    load_checkpoint(tmp_path / "step-00000003.safetensors").restore(model, rule)
    assert same(bits(model, rule), before)


def test_a_second_snapshot_waits_until_the_first_is_on_disk(tmp_path, held):
    asked = config()
    made = trained(asked)
    with CheckpointWriter(tmp_path) as writer:
        writer.write(Checkpoint.of(3, asked, *made))
        threading.Timer(0.05, held.set).start()
        writer.write(Checkpoint.of(4, asked, *made))
        assert "step-00000003.safetensors" in [path.name for path in checkpoints(tmp_path)]
    assert len(checkpoints(tmp_path)) == 2


def failing(folder, then):
    """A writer whose folder is a file, and what its user does while it fails."""
    folder.write_text("in the way")
    asked = config()
    checkpoint = Checkpoint.of(3, asked, *trained(asked))
    with CheckpointWriter(folder) as writer:
        writer.write(checkpoint)
        then(writer, checkpoint)


def look_later(writer, _):
    while writer._writing.is_alive():
        time.sleep(0.001)
    writer.look()
    raise AssertionError("it looked away")


@pytest.mark.parametrize(
    "then",
    [CheckpointWriter.write, lambda writer, _: writer.settle(), look_later, lambda *_: None],
    ids=["write", "settle", "look", "leave"],
)
def test_what_the_writing_thread_could_not_do_is_raised_by_the_next_call(tmp_path, then):
    with pytest.raises(InputError, match="a file"):
        failing(tmp_path / "a file", then)


def test_an_error_on_its_way_is_not_hidden_by_that_of_the_writing_thread(tmp_path, capsys):
    with pytest.raises(ZeroDivisionError):
        failing(tmp_path / "a file", lambda *_: 1 / 0)
    assert "warning: expected to write" in capsys.readouterr().err


def small(**training):
    return GlamConfig(
        name="small",
        shape=SHAPE.from_dict({**SHAPE.as_dict(), "vocab_size": 400}),
        training=Training(
            steps=6,
            batch_sequences=2,
            checkpoint_every=2,
            threads=1,
            evaluate_batches=1,
            device="cpu",
            **training,
        ),
        corpus=Corpus(max_mb=0.2),
    )


def test_a_run_that_ends_has_its_last_checkpoint_on_disk(tmp_path):
    train(small(), tmp_path / "run")
    newest = checkpoints(tmp_path / "run" / "checkpoints")[-1]
    assert load_checkpoint(newest).step == 6


def test_going_back_waits_for_the_newest_checkpoint(tmp_path, held, monkeypatch):
    """Diverged right after step 2, whose checkpoint is not on disk yet."""
    step, told = Loop.step, []

    def diverging(self):
        row = step(self)
        if self.state.step == 2 and not told:
            told.append(len(checkpoints(self.writer.folder)))
            threading.Timer(0.05, held.set).start()
            self._roll_back("the loss stood too high")
        return row

    monkeypatch.setattr(Loop, "step", diverging)
    record = train(small(), tmp_path / "run")
    assert told == [0]
    assert record.metrics["rollbacks"].value == 1
    assert record.metrics["steps"].value == 6


def test_a_disk_that_fails_the_writer_ends_the_run_with_what_was_spent_in_its_ledger(
    tmp_path, monkeypatch
):
    def full(self, folder):
        raise InputError("expected room on the disk", "none")

    monkeypatch.setattr(Checkpoint, "write", full)
    with pytest.raises(InputError, match="room on the disk"):
        train(small(), tmp_path / "run")
    assert not checkpoints(tmp_path / "run" / "checkpoints")
    assert (tmp_path / "run" / "ledger.jsonl").stat().st_size > 0


def test_a_keyboard_interrupt_does_not_wait_for_a_write_that_takes_long(tmp_path, held):
    def interrupted():
        with CheckpointWriter(tmp_path) as writer:
            writer.write(Checkpoint.of(3, config(), *trained(config())))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not held.is_set()
    assert not list(tmp_path.iterdir())


def test_ctrl_c_once_waits_for_the_checkpoint_of_its_step(tmp_path, held, monkeypatch):
    step = Loop.step

    def interrupted(self):
        row = step(self)
        if self.state.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
            threading.Timer(0.05, held.set).start()
        return row

    monkeypatch.setattr(Loop, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(small(), tmp_path / "run")
    assert load_checkpoint(checkpoints(tmp_path / "run" / "checkpoints")[-1]).step == 3
    assert (tmp_path / "run" / "record.json").exists()
