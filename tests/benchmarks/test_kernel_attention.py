"""Attention's measured share of the peak: which kernels count, and a fit that finds their law."""

import numpy as np
import pytest

from benchmarks.simulator.kernel_attention import Prompts, fitted, modelled, prompts, rows
from energy.errors import InputError


def test_a_fit_finds_the_lengths_and_widths_at_which_the_share_is_halved():
    rng = np.random.default_rng(0)
    length = rng.choice([256.0, 1024, 4096, 16384], 2000)
    width = rng.choice([64.0, 128, 256], 2000)
    law = np.log([0.8, 900.0, 60.0])
    share = modelled(law, length, width) * np.exp(rng.normal(0, 0.03, 2000))
    x = fitted(Prompts(length, width, share))
    assert np.exp(x) == pytest.approx(np.exp(law), rel=0.05)


def test_flop_below_the_diagonal_of_whole_prompts_in_16_bits_count():
    kernel = {
        "isl": 8192,
        "head_dim": 128,
        "num_heads": 16,
        "batch_size": 1,
        "latency": 10.0,
        "attn_dtype": "bfloat16",
        "kv_cache_dtype": "bfloat16",
        "step": 0,
        "window_size": 0,
    }
    others = [{"kv_cache_dtype": "fp8"}, {"window_size": 128}, {"step": 512}, {"isl": 128}]
    many = [kernel, *(kernel | other for other in others)]
    table = {name: np.array([each[name] for each in many]) for name in kernel}
    kept = prompts(table, 1e14)
    # 4 * 16 * 128 * 8,192^2 / 2 FLOP in 10 ms of 100 TFLOP/s.
    assert kept.share.tolist() == pytest.approx([2 * 16 * 128 * 8192**2 / 1e12])


def test_a_folder_without_the_package_is_refused(tmp_path):
    with pytest.raises(InputError, match="unpack"):
        next(rows(tmp_path))
