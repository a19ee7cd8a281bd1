# pip install glam-energy
"""How to lay a mixture of experts on 256 accelerators, what that takes, and on fewer or more."""

import simulator

MODEL, TOKENS, ZONE = "glam-8b-64e", 300e9, "US"

best = simulator.plan(MODEL, chip="h100", chips=256, tokens=TOKENS, region=ZONE)
print(best.headline)
record = best.prediction.record
print("time:", record.elapsed_s)
print("facility:", record.totals["facility"])
print("CO2e, location:", record.co2_location_g)

print("\nthe next best plans of other degrees:")
for option in best.runners_up:
    print(f"  {option.worse:+.1%} time: {option.words}")

print("\nother numbers of chips, each by its fastest plan:")
for chips in (64, 128, 512):
    run = simulator.predict(MODEL, chip="h100", chips=chips, tokens=TOKENS, zone=ZONE).record
    print(f"  {chips}: {run.elapsed_s}, {run.totals['facility']}")
