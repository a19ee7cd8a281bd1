# pip install glam-energy
"""Two runs of the same FLOP, metered and divided: what does the ratio of joules come from?"""

import numpy as np

import energy
import simulator

SIZE, STEPS = 384, 60


def metered(folder, kind):
    """Multiply matrices of a kind of number under the meters."""
    left = np.ones((SIZE, SIZE), kind)
    with energy.Tracker(folder, name=folder, zone="US", pue=1.2, interval_s=0.2) as tracker:
        for _ in range(STEPS):
            with tracker.window("step"):
                left @ left
            tracker.add_flop(2 * SIZE**3)  # a multiplication and an addition


metered("runs/float64", np.float64)
metered("runs/float32", np.float32)

compared = simulator.compare("runs/float64", "runs/float32")
print(compared.text())
(ratio,) = compared.ratios
print("energy of float32 over float64:", ratio.energy)
print("  of that, FLOP:", ratio.model)
print("  of that, joules a FLOP:", ratio.machine)
