#!/usr/bin/env bash
# transformers 5.24.0: what a callback adds to the logs reaches no reporter, and not the history.
#
# A TrainerCallback gets the dict `logs` in on_log and may change it. Whoever adds a figure there
# (joules, watts, any counter of a run) expects it in TensorBoard and in state.log_history. Seen:
#   - Trainer.log copies the dict into log_history BEFORE it calls any callback;
#   - the reporters named by report_to are callbacks too, and stand before all of the user's,
#     whatever their order in callbacks=[...].
# So the figure is in neither; only callbacks that come later still see it, such as the printer.
# The same order hides the first batch of an evaluation: on_prediction_step is the first event of an
# evaluation, and it is sent after that batch was computed.
#
# Output seen (CPU, Python 3.11, torch 2.13.0, accelerate 1.14.0, tensorboard 2.21.0):
#   printed by a later callback: True
#   in state.log_history: False
#   in TensorBoard: False (the loss is there: True)
#   batches computed before the first event of an evaluation: 1 of 2
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  torch==2.13.0 transformers==5.24.0 accelerate==1.14.0 tensorboard==2.21.0
cat >"$work/see.py" <<'PY'
import glob
import sys

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import Trainer, TrainerCallback, TrainingArguments

folder = sys.argv[1]
computed, at_first_event, printed = [], [], []


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, x, labels=None):
        if not self.training:
            computed.append(len(x))
        out = self.layer(x)
        return {"loss": ((out[:, 0] - labels) ** 2).mean(), "logits": out}


class Adds(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **_):
        logs["energy_j"] = 5.0

    def on_prediction_step(self, args, state, control, **_):
        if not at_first_event:
            at_first_event.append(len(computed))


class Sees(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **_):
        printed.append("energy_j" in logs)


rows = [{"x": torch.tensor([i / 8, 1.0]), "labels": torch.tensor(i / 4)} for i in range(8)]
arguments = TrainingArguments(
    output_dir=folder,
    max_steps=2,
    logging_steps=1,
    eval_strategy="steps",
    eval_steps=2,
    per_device_eval_batch_size=4,
    save_strategy="no",
    report_to=["tensorboard"],
    disable_tqdm=True,
    use_cpu=True,
)
trainer = Trainer(
    Line(), arguments, train_dataset=rows, eval_dataset=rows, callbacks=[Adds(), Sees()]
)
trainer.train()
tags = set()
for file in glob.glob(f"{folder}/**/events.out*", recursive=True):
    events = EventAccumulator(file)
    events.Reload()
    tags |= set(events.Tags()["scalars"])
history = any("energy_j" in row for row in trainer.state.log_history)
board = any("energy_j" in tag for tag in tags)
loss = any(tag.endswith("/loss") for tag in tags)
print("printed by a later callback:", all(printed))
print("in state.log_history:", history)
print(f"in TensorBoard: {board} (the loss is there: {loss})")
print(f"batches computed before the first event of an evaluation: {at_first_event[0]} of 2")
assert all(printed) and loss and not history and not board and at_first_event == [1]
PY
HF_HUB_OFFLINE=1 "$work/venv/bin/python" -W ignore "$work/see.py" "$work/out" 2>/dev/null | grep -v '^{'
