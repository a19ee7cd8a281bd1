#!/usr/bin/env bash
# carbontracker 2.4.7: the watts and the kilowatt-hours of a machine with several GPUs are those of
# one GPU.
#
# NvidiaGPU.power_usage returns a list with the watts of every board, and the component keeps
#   self.power_usages[-1] += self.handler.power_usage()
# so the boards of all readings end up in one flat list. Its mean over axis 0 was the mean watts of
# each board as long as a reading was a list of its own; of a flat list it is one number, the mean
# of a board, and energy_usage multiplies that by the seconds of the epoch. Nothing warns: the log
# lists all boards and then states the watts of one.
#
# Output seen (no GPU: pynvml is replaced by a module with boards of 300 W):
#   boards: 1, watts in the log: 300.0, joules of 2 s: 600
#   boards: 2, watts in the log: 300.0, joules of 2 s: 600
#   boards: 8, watts in the log: 300.0, joules of 2 s: 600
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check carbontracker==2.4.7
cat >"$work/see.py" <<'PY'
import numpy as np
from carbontracker.components.component import Component


class Handler:
    """What the component reads: a list with the watts of each board."""

    def __init__(self, boards):
        self.boards = boards

    def power_usage(self):
        return [300.0] * self.boards


for boards in (1, 2, 8):
    component = Component.__new__(Component)
    component.name, component.cur_epoch, component.power_usages = "gpu", -1, []
    component._handler = Handler(boards)
    for _ in range(4):
        component.collect_power_usage(epoch=1)
    logged = float(np.mean(component.power_usages[-1], axis=0))
    (kwh,) = component.energy_usage([2.0])
    print(f"boards: {boards}, watts in the log: {logged}, joules of 2 s: {kwh * 3.6e6:.0f}")
PY
"$work/venv/bin/python" "$work/see.py"
