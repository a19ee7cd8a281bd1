#!/usr/bin/env bash
# aiconfigurator-core 0.12.0: most of its measured watts are ONE reading of the meter, often too early.
#
# Three tables of the package (NVIDIA B200, vLLM 0.22.0) have a column `power` beside `latency`. It
# is the mean of what the meter (whole milliwatts) showed while a kernel was repeated, and nothing
# says of how many readings. Its digits do: the fewest n for which power * 1000 * n is whole. More
# than half of the kernels have n = 1, nine in ten of those of decoding attention. A single reading
# may be of the time before the kernel: 32 tokens through 256 experts move 11.3 GB in 1.8 ms, at 78 %
# of the bandwidth, and "draw" 279 W (n = 1), 64 tokens through the same ones in 1.9 ms 997 W (n = 10).
# A fit of watts over all rows errs by some 20 % whatever its form; over rows with n >= 6, by 6 %.
#
# Seen:
#   context_attention_perf     36,992 kernels, one reading: 57%, six or more: 18%
#   generation_attention_perf  38,468 kernels, one reading: 89%, six or more: 1%
#   moe_perf                   46,902 kernels, one reading: 26%, six or more: 34%
#   32 tokens 1.82 ms 279 W n 1; 64 tokens 1.94 ms 997 W n 10
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 numpy==2.4.6
"$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$work" \
  aiconfigurator-core==0.12.0
python3 -m zipfile -e "$work"/aiconfigurator_core-0.12.0-*.whl "$work/package"
cat >"$work/see.py" <<'PY'
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

system = Path(sys.argv[1]) / "aiconfigurator_core/systems/data/b200_sxm"


def readings(watts):
    counts, fewest = np.asarray(watts) * 1e3, np.full(len(watts), 64)
    for n in range(63, 0, -1):
        fewest[np.abs(counts * n - np.round(counts * n)) <= 1e-4] = n
    return fewest


seen = {"attention/context_attention": 0.57, "attention/generation_attention": 0.89, "moe/moe": 0.26}
for name, share in seen.items():
    folder, kind = name.split("/")
    table = parquet.read_table(system / folder / "vllm/0.22.0" / f"{kind}_perf.parquet").to_pydict()
    n = readings(table["power"])
    print(
        f"{kind + '_perf':<26} {len(n):,} kernels, one reading: {np.mean(n == 1):.0%}, "
        f"six or more: {np.mean(n >= 6):.0%}"
    )
    assert abs(np.mean(n == 1) - share) < 0.01
lines = []
for tokens in (32, 64):
    row = next(
        i
        for i, each in enumerate(table["num_tokens"])
        if each == tokens
        and (table["hidden_size"][i], table["num_experts"][i]) == (7168, 256)
        and table["moe_ep_size"][i] == table["moe_tp_size"][i] == 1
        and (table["moe_dtype"][i], table["distribution"][i]) == ("fp8_block", "balanced")
    )
    lines.append(
        f"{tokens} tokens {table['latency'][row]:.2f} ms {table['power'][row]:.0f} W n {n[row]}"
    )
print("; ".join(lines))
assert lines == ["32 tokens 1.82 ms 279 W n 1", "64 tokens 1.94 ms 997 W n 10"]
PY
"$work/venv/bin/python" "$work/see.py" "$work/package"
