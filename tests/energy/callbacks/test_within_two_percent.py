"""Joules in a run's own logger are those of its windows: by a meter of 100 W and our own clock.

Each window of a callback is timed by a second callback as well; TensorBoard's files are read back.
"""

import time

import pytest

from energy import RunRecord
from tests.energy.callbacks.test_callbacks import Rows, Tiny, scalars

WATTS, TOLERANCE = 100.0, 0.02
STEPS, STEP_S = 4, 0.4
ROWS, ROW_S = 32, 0.02
"""Rows of an evaluation, in batches of 8, and the seconds that each takes."""


class SlowRows(Rows):
    def __getitem__(self, index):
        time.sleep(ROW_S)
        return super().__getitem__(index)


class SlowSteps(Tiny):
    def forward(self, x, labels=None):
        time.sleep(STEP_S if self.training else 0.0)
        return super().forward(x, labels)


class Clock:
    """Seconds between pairs of events, by name."""

    def __init__(self):
        self.seconds, self._begun = {}, {}

    def begin(self, name):
        self._begun.setdefault(name, time.monotonic())

    def end(self, name):
        begun = self._begun.pop(name, time.monotonic())
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begun


@pytest.fixture
def settings(tmp_path):
    """Of a callback whose meter reads 100 W all the time."""
    (tmp_path / "wave.csv").write_text(f"t_s,device,watts\n0,board,{WATTS:g}\n")
    return {
        "out_dir": tmp_path / "energy",
        "interval_s": 0.05,
        "meters": [f"replay:{tmp_path / 'wave.csv'}"],
        "zone": "FRA",
    }


def check(folder, clock, names, logged, logged_kwh, intervals):
    """Windows against the clock, and the loggers' joules against the windows and the record."""
    record = RunRecord.load(folder)
    windows = {window.name: window for window in record.windows}
    for name, seconds in names.items():
        truth_j = WATTS * clock.seconds[name]
        assert clock.seconds[name] >= seconds
        assert windows[name].energy_j.value == pytest.approx(truth_j, rel=TOLERANCE)
        assert windows[name].elapsed_s.value == pytest.approx(clock.seconds[name], rel=TOLERANCE)
    total_j = record.totals["chip"].value
    phases_j = sum(phase.energy_j.value for phase in record.phases)
    assert phases_j == pytest.approx(total_j, rel=1e-6)
    assert total_j == pytest.approx(WATTS * record.elapsed_s.value, rel=TOLERANCE)
    for joules in (max(logged), max(logged_kwh) * 3.6e6, sum(intervals)):
        assert joules == pytest.approx(total_j, rel=TOLERANCE)


@pytest.mark.filterwarnings("ignore")
def test_a_hugging_face_trainer_logs_the_joules_of_its_windows_within_2_percent(tmp_path, settings):
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from energy.callbacks.huggingface import EnergyCallback

    clock = Clock()

    class Timer(TrainerCallback):
        def on_step_begin(self, args, state, control, **_):
            clock.begin("step")

        def on_step_end(self, args, state, control, **_):
            clock.end("step")
            if control.should_evaluate:
                clock.begin("evaluation")

        def on_evaluate(self, args, state, control, **_):
            clock.end("evaluation")

    arguments = TrainingArguments(
        output_dir=str(tmp_path / "out"),
        max_steps=STEPS,
        eval_strategy="steps",
        eval_steps=2,
        logging_steps=1,
        save_strategy="no",
        report_to=["tensorboard"],
        per_device_eval_batch_size=8,
        disable_tqdm=True,
        use_cpu=True,
    )
    callbacks = [Timer(), EnergyCallback(**settings)]
    trainer = Trainer(
        SlowSteps(), arguments, train_dataset=Rows(), eval_dataset=SlowRows(), callbacks=callbacks
    )
    trainer.train()
    written = {tag.rpartition("/")[2]: values for tag, values in scalars(tmp_path).items()}
    # The first of four batches of both evaluations is in their windows.
    names = {"step": STEPS * STEP_S, "evaluation": 2 * ROWS * ROW_S}
    check(
        tmp_path / "energy",
        clock,
        names,
        written["energy_j"],
        written["energy_kwh"],
        [row.get("energy_interval_j", 0.0) for row in trainer.state.log_history],
    )
    assert written["power_w"] == pytest.approx([WATTS] * len(written["power_w"]), rel=TOLERANCE)


@pytest.mark.filterwarnings("ignore")
def test_lightning_logs_the_joules_of_its_windows_within_2_percent(tmp_path, settings):
    import torch
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.loggers import TensorBoardLogger

    from energy.callbacks.lightning import EnergyCallback

    clock = Clock()

    class Timer(Callback):
        def on_train_batch_start(self, *_):
            clock.begin("batch")

        def on_train_batch_end(self, *_):
            clock.end("batch")

        def on_validation_start(self, *_):
            clock.begin("validation")

        def on_validation_end(self, *_):
            clock.end("validation")

    class Module(LightningModule):
        def __init__(self):
            super().__init__()
            self.tiny = SlowSteps()

        def training_step(self, batch, index):
            return self.tiny(**batch)["loss"]

        validation_step = training_step

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.01)

    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=TensorBoardLogger(tmp_path / "logs"),
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        callbacks=[Timer(), EnergyCallback(**settings)],
    )
    batches = [torch.utils.data.DataLoader(rows, batch_size=8) for rows in (Rows(), SlowRows())]
    trainer.fit(Module(), *batches)
    written = scalars(tmp_path / "logs")
    check(
        tmp_path / "energy",
        clock,
        {"batch": STEPS * STEP_S, "validation": ROWS * ROW_S},
        written["energy_j"],
        written["energy_kwh"],
        written["energy_interval_j"],
    )
