"""The Trainers of transformers and of Lightning train a tiny model under the meters."""

import subprocess
import sys
import time

import pytest
import torch

from energy import RunRecord, Tracker
from energy.callbacks.loggers import to_mlflow, to_tensorboard, to_wandb
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE


class Tiny(torch.nn.Module):
    """A linear map with the output that a Trainer expects."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def forward(self, x, labels=None):
        logits = self.layer(x)
        return {"loss": ((logits[:, 0] - labels) ** 2).mean(), "logits": logits}


class Rows(torch.utils.data.Dataset):
    def __len__(self):
        return 32

    def __getitem__(self, index):
        x = torch.full((4,), index / 32)
        return {"x": x, "labels": x.sum()}


def counts(folder):
    record = RunRecord.load(folder)
    assert record.totals["chip"].value > 0
    assert record.totals["chip"].origin != "measured"
    return {window.name: window.count for window in record.windows}


@pytest.mark.filterwarnings("ignore")
def test_the_hugging_face_trainer_is_metered_step_by_step_and_after_a_restart(tmp_path):
    from transformers import Trainer, TrainingArguments

    from energy.callbacks.huggingface import EnergyCallback

    folder = tmp_path / "energy"

    def trainer(max_steps):
        arguments = TrainingArguments(
            output_dir=str(tmp_path / "out"),
            max_steps=max_steps,
            save_steps=4,
            eval_steps=4,
            eval_strategy="steps",
            logging_steps=2,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        callback = EnergyCallback(folder, interval_s=0.05, meters=["cpu_model"])
        return Trainer(
            Tiny(), arguments, train_dataset=Rows(), eval_dataset=Rows(), callbacks=[callback]
        )

    first = trainer(6)
    first.train()
    # One evaluation and one checkpoint at step 4, and when training ends.
    assert counts(folder) == {"step": 6, "evaluation": 2, "checkpoint": 2}
    trainer(8).train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-4"))
    # Steps 5 and 6 ran twice: they are wasted once and counted once.
    assert counts(folder)["step"] == 8
    assert RunRecord.load(folder).wasted.elapsed_s.value > 0
    kinds = [mark["kind"] for s in ledger.segments(folder / FILE) for mark in s.marks]
    assert kinds.count("checkpoint") >= 2


class SlowRows(Rows):
    """Each row takes some time, so that an evaluation that is partly missed is seen."""

    def __getitem__(self, index):
        time.sleep(0.005)
        return super().__getitem__(index)


def hugging_face(tmp_path, **changes):
    from transformers import Trainer, TrainingArguments

    from energy.callbacks.huggingface import EnergyCallback

    settings = {
        "output_dir": str(tmp_path / "out"),
        "max_steps": 6,
        "save_steps": 4,
        "eval_steps": 3,
        "eval_strategy": "steps",
        "logging_steps": 2,
        "report_to": ["tensorboard"],
        "per_device_eval_batch_size": 32,
        "disable_tqdm": True,
        "use_cpu": True,
    }
    callback = EnergyCallback(
        tmp_path / "energy", interval_s=0.05, meters=["cpu_model"], zone="FRA"
    )
    arguments = TrainingArguments(**{**settings, **changes})
    return Trainer(
        Tiny(), arguments, train_dataset=Rows(), eval_dataset=SlowRows(), callbacks=[callback]
    )


def scalars(folder):
    """All scalars of the event files below a folder: tag -> values in order of steps."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    values = {}
    for path in {file.parent for file in folder.rglob("events.out*")}:
        events = EventAccumulator(str(path))
        events.Reload()
        for tag in events.Tags()["scalars"]:
            values.setdefault(tag, []).extend(event.value for event in events.Scalars(tag))
    return values


@pytest.mark.filterwarnings("ignore")
def test_joules_reach_the_history_and_every_reporter_of_a_hugging_face_trainer(tmp_path):
    trainer = hugging_face(tmp_path)
    trainer.train()
    # A log before the first sample, in the first 50 ms, has no joules yet.
    history = [row for row in trainer.state.log_history if "loss" in row][1:]
    assert all({"energy_j", "energy_kwh", "power_w", "co2_g"} <= row.keys() for row in history)
    joules = [row["energy_j"] for row in history]
    assert joules == sorted(joules)
    written = scalars(tmp_path)
    logged = next(values for tag, values in written.items() if tag.endswith("energy_j"))
    assert max(logged) == pytest.approx(
        max(row.get("energy_j", 0) for row in trainer.state.log_history), rel=1e-6
    )
    assert not [tag for tag in written if "modelled" in tag or "assumed" in tag]
    intervals = sum(row.get("energy_interval_j", 0) for row in trainer.state.log_history)
    assert intervals == pytest.approx(
        max(row.get("energy_j", 0) for row in trainer.state.log_history)
    )


@pytest.mark.filterwarnings("ignore")
def test_the_first_batch_of_an_evaluation_and_the_writing_of_checkpoints_are_metered(tmp_path):
    hugging_face(tmp_path).train()
    record = RunRecord.load(tmp_path / "energy")
    windows = {window.name: window for window in record.windows}
    assert windows["evaluation"].count == 2
    # One batch of 32 rows, 5 ms each: without it, nothing would be left of the evaluation.
    assert windows["evaluation"].elapsed_s.value > 2 * 32 * 0.005
    assert windows["checkpoint"].count == 2
    assert windows["checkpoint"].phase == "checkpoint"
    assert record.labels["zone"] == "FRA"
    assert record.co2_location_g.value > 0


@pytest.mark.filterwarnings("ignore")
def test_tokens_that_enter_a_language_model_in_training_are_counted(tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

    from energy.callbacks.huggingface import EnergyCallback

    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
        )
    )
    ids = torch.arange(8) % 32
    rows = [{"input_ids": ids, "labels": ids}] * 16
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=3,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        eval_strategy="steps",
        eval_steps=2,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    callback = EnergyCallback(tmp_path / "e", interval_s=0.05, meters=["cpu_model"])
    Trainer(
        model, arguments, train_dataset=rows, eval_dataset=rows[:4], callbacks=[callback]
    ).train()
    record = RunRecord.load(tmp_path / "e")
    assert record.tokens.value == 3 * 2 * 2 * 8
    assert record.model_flop.origin == "modelled"


RAISES = """
import sys, torch
from tests.energy.callbacks.test_callbacks import hugging_face
from pathlib import Path
trainer = hugging_face(Path(sys.argv[1]), report_to=[])
step = trainer.training_step
def fail(*arguments, **named):
    if trainer.state.global_step == 3:
        raise RuntimeError("loss is NaN")
    return step(*arguments, **named)
trainer.training_step = fail
trainer.train()
"""


def test_a_trainer_that_raises_leaves_a_record_that_says_so(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RAISES, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert "loss is NaN" in run.stderr
    record = RunRecord.load(tmp_path / "energy")
    assert {window.name: window.count for window in record.windows}["step"] >= 3
    assert any("without saying so" in note for note in record.notes)


class Board:
    """What every logger has."""

    def __init__(self):
        self.rows = []

    def add_scalar(self, tag, value, step):
        self.rows.append((step, {tag: value}))

    def log(self, values, step):
        self.rows.append((step, values))

    def log_metrics(self, values, step):
        self.rows.append((step, values))


@pytest.mark.parametrize("adapter", [to_tensorboard, to_wandb, to_mlflow])
def test_a_loop_of_ones_own_logs_the_joules_of_its_tracker(tmp_path, adapter):
    board = Board()
    with Tracker(tmp_path, interval_s=0.05, meters=["cpu_model"]) as tracker:
        log = adapter(tracker, board, zone="FRA")
        for step in range(3):
            time.sleep(0.12)
            log(step)
        end_j = tracker.snapshot().energy.value
    values = {}
    for step, row in board.rows:
        for name, value in row.items():
            values.setdefault(name, []).append((step, value))
    assert set(values) == {
        f"energy/{name}"
        for name in ("energy_j", "energy_kwh", "energy_interval_j", "power_w", "co2_g")
    }
    steps, joules = zip(*values["energy/energy_j"], strict=True)
    assert steps == (0, 1, 2)
    assert joules == tuple(sorted(joules))
    assert joules[-1] <= end_j
    assert sum(value for _, value in values["energy/energy_interval_j"]) == pytest.approx(
        joules[-1]
    )


@pytest.mark.filterwarnings("ignore")
def test_lightning_is_metered_batch_by_batch(tmp_path):
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.loggers import TensorBoardLogger

    from energy.callbacks.lightning import EnergyCallback

    class Module(LightningModule):
        def __init__(self):
            super().__init__()
            self.tiny = Tiny()

        def training_step(self, batch, index):
            return self.tiny(**batch)["loss"]

        validation_step = training_step

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.01)

    rows = torch.utils.data.DataLoader(Rows(), batch_size=8)
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=TensorBoardLogger(tmp_path / "logs"),
        log_every_n_steps=2,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        num_sanity_val_steps=0,
        callbacks=[EnergyCallback(tmp_path / "e", interval_s=0.05, meters=["cpu_model"])],
    )
    trainer.fit(Module(), rows, rows)
    assert counts(tmp_path / "e") == {"batch": 8, "validation": 2}
    written = scalars(tmp_path / "logs")
    assert {"energy_j", "energy_interval_j", "energy_kwh", "power_w"} <= written.keys()
    total_j = RunRecord.load(tmp_path / "e").totals["chip"].value
    assert max(written["energy_j"]) == pytest.approx(total_j, rel=1e-6)
