# pip install 'glam-energy[lightning]'
"""The Trainer of Lightning under the meters: one callback, joules in its loggers, one record."""

import lightning
import torch

import energy
from energy.callbacks.lightning import EnergyCallback


class Line(lightning.LightningModule):
    """A linear map that learns a sum."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(64, 1)

    def training_step(self, batch, _):
        """Squared error of a batch."""
        (rows,) = batch
        return ((self.layer(rows)[:, 0] - rows.sum(1)) ** 2).mean()

    def configure_optimizers(self):
        """Plain descent."""
        return torch.optim.SGD(self.parameters(), lr=1e-3)


rows = torch.utils.data.TensorDataset(torch.randn(512, 64))
trainer = lightning.Trainer(
    max_epochs=2,
    accelerator="auto",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    callbacks=[EnergyCallback("runs/lightning", zone="US")],
)
trainer.fit(Line(), torch.utils.data.DataLoader(rows, batch_size=32))

record = energy.RunRecord.load("runs/lightning")
batches = next(window for window in record.windows if window.name == "batch")
print(f"{batches.count} batches")
print("chip:", record.totals["chip"])
