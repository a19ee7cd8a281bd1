"""A mixture-of-experts layer, forward and backward: ours beside others of equal FLOP.

Tokens 4,096, top-2, plain experts of width 3 M; gated ones of 2 M and a dense network of 6 M do as
many products. Others run as their makers ship them. Before the clock starts, those that compute
the same function are held against ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.trainer.clock import ALLOCATORS, Child, Seconds, medians, serve

SEQUENCES, LENGTH = 16, 256
TOKENS = SEQUENCES * LENGTH
CASES = [(width, experts) for width in (256, 512) for experts in (8, 16, 64)]
QUICK = [(256, 8), (256, 16), (256, 64)]
ROUNDS = 5
OURS, DENSE = "ours", "dense, equal FLOP"
ST_MOE, FEW_SLOTS = "st-moe-pytorch", "ours, slots of st-moe-pytorch"
PUBLIC = ("HF Mixtral, grouped_mm", "HF Mixtral, eager", ST_MOE)
SAME = 1e-4
"""Largest difference to ours, over our largest value, of those that compute the same."""


def flop(width: int) -> float:
    """Of the experts' products, forward and backward: 3 passes, top-2, 2 matrices M x 3 M."""
    return 3 * TOKENS * 2 * 2 * 2 * width * 3 * width


def measure(talk: Callable[[str], None], cases: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """Seconds by case (width, experts), allocator and contestant."""
    rows = []
    for width, experts in cases:
        talk(f"layer of width {width}, {experts} experts")
        case = {"width": width, "experts": experts}
        with (
            Child("layer", case, "default") as plain,
            Child("layer", case, "tuned") as tuned,
        ):
            found = medians(dict(zip(ALLOCATORS, (plain, tuned), strict=True)), ROUNDS)
        rows += [case | {"allocator": name, "seconds": found[name]} for name in ALLOCATORS]
    return rows


def fastest_public(seconds: Seconds) -> str:
    """The fastest of what others publish."""
    return min((name for name in PUBLIC if name in seconds), key=seconds.__getitem__)


def contestants(case: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """One turn of each: forward, backward, gradients forgotten."""
    import torch

    from benchmarks.trainer import peers as peers

    width, n_experts = case["width"], case["experts"]
    x = torch.randn(SEQUENCES, LENGTH, width, requires_grad=True)
    error = torch.randn(SEQUENCES, LENGTH, width)
    ours = peers.ours(width, n_experts)
    layers = {
        OURS: ours,
        FEW_SLOTS: peers.with_capacity(ours, peers.FEW_SLOTS),
        **peers.mixtral(width, n_experts),
        **peers.st_moe(width, n_experts),
        "per-expert loop": peers.Loop(ours),
        "one-hot einsum": peers.OneHot(ours),
        DENSE: peers.dense(width),
    }
    _hold_equal(layers["per-expert loop"](x), ours(x)[0])
    _hold_equal(layers["one-hot einsum"](x), peers.with_capacity(ours)(x)[0])

    def turn(layer: Any) -> Callable[[], object]:
        def run() -> None:
            found = layer(x)
            found = found[0] if isinstance(found, tuple) else found
            found.backward(error)
            x.grad = None
            for parameter in layer.parameters():
                parameter.grad = None

        return run

    return {name: turn(layer) for name, layer in layers.items()}


def _hold_equal(theirs: Any, ours: Any) -> None:
    """Refuse to time what does not compute the same."""
    off = float((theirs - ours).detach().abs().max() / ours.detach().abs().max())
    if off > SAME:
        raise RuntimeError(f"expected the same numbers within {SAME:g}; got {off:.2g}")


if __name__ == "__main__":
    serve(contestants)
