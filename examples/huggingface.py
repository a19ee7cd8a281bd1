# pip install 'glam-energy[huggingface]'
"""The Trainer of transformers under the meters: one callback, joules in its logs, one record."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

import energy
from energy.callbacks.huggingface import EnergyCallback


class Rows(torch.utils.data.Dataset):
    """Random tokens, in place of your data."""

    def __len__(self):
        """Rows of an epoch."""
        return 64

    def __getitem__(self, index):
        """One row."""
        tokens = torch.arange(index, index + 32) % 256
        return {"input_ids": tokens, "labels": tokens}


model = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=256,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
    )
)
arguments = TrainingArguments(
    output_dir="runs/huggingface/checkpoints",
    max_steps=20,
    per_device_train_batch_size=8,
    logging_steps=5,
    save_strategy="no",
    report_to=[],
    disable_tqdm=True,
)
trainer = Trainer(
    model,
    arguments,
    train_dataset=Rows(),
    callbacks=[EnergyCallback("runs/huggingface", zone="US", interval_s=0.2)],
)
trainer.train()

record = energy.RunRecord.load("runs/huggingface")
print("tokens:", record.tokens)
print("chip:", record.totals["chip"])
