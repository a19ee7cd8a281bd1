"""A mixture-of-experts layer, forward and backward: ours beside others of equal FLOP.

4,096 tokens, top-2, plain experts of width 3 M; gated experts of width 2 M and a dense network of
width 6 M do as many products. Others run as their authors ship them. Before anything is timed,
those that compute the same function are compared with ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.trainer.clock import ALLOCATORS, Child, Seconds, Turn, medians, serve

SEQUENCES, LENGTH = 16, 256
TOKENS = SEQUENCES * LENGTH
CASES = [(width, experts) for width in (256, 512) for experts in (8, 16, 64)]
QUICK = [(256, 8), (256, 16), (256, 64)]
ROUNDS = 5
ST_MOE = "st-moe-pytorch"
OURS, OURS_SAME_CAPACITY = "ours", f"ours, capacity of {ST_MOE}"
LOOP, ONE_HOT, DENSE = "per-expert loop", "one-hot einsum", "dense, equal FLOP"
PUBLIC = ("HF Mixtral, grouped_mm", "HF Mixtral, eager", ST_MOE)
HALF_OURS = ("ours", "ours, as few slots")
HALF_PRODUCTS = ("HF Mixtral, grouped_mm", "HF Mixtral, eager", ST_MOE)
"""Published layers under autocast: products in bfloat16, weights and their gradients in float32,
as in ours."""

HALF_WEIGHTS = ("HF Mixtral, grouped_mm, bfloat16 weights", "HF Mixtral, eager, bfloat16 weights")
"""Published layers of which weights and gradients are bfloat16 too, half of the bytes."""

MOST_DIFFERENCE = 1e-4
"""Largest difference to our output, over its largest value, of layers that compute the same."""


def flop(width: int) -> float:
    """FLOP of the experts' products, forward and backward: 3 passes, top-2, 2 matrices M x 3 M."""
    return 3 * TOKENS * 2 * 2 * 2 * width * 3 * width


def measure(
    on_progress: Callable[[str], None], cases: Sequence[tuple[int, int]]
) -> list[dict[str, Any]]:
    """Seconds of every contestant, by case and allocator.

    Args:
        on_progress: called with what is measured next.
        cases: width and number of experts.
    """
    rows = []
    for width, experts in cases:
        on_progress(f"layer of width {width}, {experts} experts")
        case = {"width": width, "experts": experts}
        with (
            Child("layer", case, "default") as default,
            Child("layer", case, "tuned") as tuned,
        ):
            seconds = medians(dict(zip(ALLOCATORS, (default, tuned), strict=True)), ROUNDS)
        rows += [case | {"allocator": name, "seconds": seconds[name]} for name in ALLOCATORS]
    return rows


def fastest_public(seconds: Seconds) -> str:
    """The fastest of the published layers."""
    return min((name for name in PUBLIC if name in seconds), key=seconds.__getitem__)


def contestants(case: dict[str, Any]) -> dict[str, Turn]:
    """One turn of each layer: forward, backward, gradients dropped."""
    import torch

    from benchmarks.trainer import peers

    width, n_experts = case["width"], case["experts"]
    x = torch.randn(SEQUENCES, LENGTH, width, requires_grad=True)
    gradient = torch.randn(SEQUENCES, LENGTH, width)
    ours = peers.ours(width, n_experts)
    layers = {
        OURS: ours,
        OURS_SAME_CAPACITY: peers.InTraining(peers.with_capacity(ours, peers.ST_MOE_CAPACITY)),
        **peers.mixtral(width, n_experts),
        **peers.st_moe(width, n_experts),
        LOOP: peers.Loop(ours),
        ONE_HOT: peers.OneHot(ours),
        DENSE: peers.dense(width),
    }
    _require_equal(layers[LOOP](x), ours(x)[0])
    _require_equal(layers[ONE_HOT](x), peers.InTraining(peers.with_capacity(ours))(x)[0])
    return {name: turn_of(layer, x, gradient) for name, layer in layers.items()}


def turn_of(layer: Any, x: Any, gradient: Any) -> Turn:
    """Return one turn of a layer for an input and the gradient of its output."""

    def turn() -> None:
        output = layer(x)
        output = output[0] if isinstance(output, tuple) else output
        output.backward(gradient)
        x.grad = None
        for parameter in layer.parameters():
            parameter.grad = None

    return turn


def _require_equal(theirs: Any, ours: Any) -> None:
    """Refuse to time a layer that does not compute the same."""
    difference = float((theirs - ours).detach().abs().max() / ours.detach().abs().max())
    if difference > MOST_DIFFERENCE:
        raise RuntimeError(
            f"expected outputs within {MOST_DIFFERENCE:g} of ours; got {difference:.2g}"
        )


if __name__ == "__main__":
    serve(contestants)
