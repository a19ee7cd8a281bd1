"""A step by its seconds, and by the shares of them in which a chip computes, reads and sends."""

from collections.abc import Sequence

from simulator.physics.step import Step

PARTS = ("experts", "data_parallel", "pipeline", "optimizer", "host")


def made(seconds: Sequence[float], compute: float, memory: float, link: float) -> Step:
    """A step of these seconds, in the order of `PARTS`; the shares are of the whole."""
    whole = sum(seconds)
    return Step(
        seconds=dict(zip(PARTS, seconds, strict=True)),
        model_flop={},
        executed_flop={},
        memory_bytes={},
        compute_s=compute * whole,
        memory_s=memory * whole,
        link_s=link * whole,
        relative=(0.0, 0.0),
    )
