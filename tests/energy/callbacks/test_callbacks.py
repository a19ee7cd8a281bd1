"""The Trainers of transformers and of Lightning train a tiny model under the meters."""

import pytest
import torch

from energy import RunRecord
from energy.ledger import reader as ledger


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
    # One evaluation at step 4, one when training ends.
    assert counts(folder) == {"step": 6, "evaluation": 2}
    trainer(8).train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-4"))
    # Steps 5 and 6 ran twice: they are wasted once and counted once.
    assert counts(folder)["step"] == 8
    assert RunRecord.load(folder).wasted.elapsed_s.value > 0
    kinds = [mark["kind"] for s in ledger.segments(folder / ledger.FILE) for mark in s.marks]
    assert kinds.count("checkpoint") >= 2


@pytest.mark.filterwarnings("ignore")
def test_lightning_is_metered_batch_by_batch(tmp_path):
    from lightning.pytorch import LightningModule, Trainer

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
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        num_sanity_val_steps=0,
        callbacks=[EnergyCallback(tmp_path / "e", interval_s=0.05, meters=["cpu_model"])],
    )
    trainer.fit(Module(), rows, rows)
    assert counts(tmp_path / "e") == {"batch": 8, "validation": 2}
