"""The physical constants of serving, each with a unit, a prior and a range.

`simulator.serving.fit` fits them to the rows of `simulator/published/serving_energy.csv` and writes
them to `serving_constants.json` beside it; nobody edits them by hand. They are those of a server
with continuous batching and captured kernel graphs, unlike those of a training step.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from energy.inputs import is_number, shown
from simulator.physics.constants import Prior, constant


@dataclass(frozen=True, kw_only=True)
class ServingConstants:
    """Constants of a server; the defaults are the priors."""

    memory: float = constant(
        0.85, "1", 0.3, 0.95, 1.1, "share of the memory bandwidth at which dense weights are read"
    )
    expert_memory: float = constant(
        0.6, "1", 0.05, 1.0, 1.4, "share of it at which the weights of experts are read"
    )
    cache: float = constant(0.6, "1", 0.05, 1.0, 1.5, "share of it at which the cache is read")
    products: float = constant(0.7, "1", 0.1, 1.0, 1.12, "share of the peak of dense products")
    expert_products: float = constant(
        0.4, "1", 0.02, 1.0, 1.6, "share of the peak of the products of experts"
    )
    scan: float = constant(
        0.1, "1", 0.005, 1.0, 2, "rate of a recurrent layer over a prompt, over that of products"
    )
    layer_s: float = constant(4e-5, "s", 1e-6, 1e-3, 2, "fixed time of a layer")
    mixture_s: float = constant(
        8e-5, "s", 1e-6, 1e-3, 2, "fixed time of a mixture of experts, beside that of its layer"
    )
    recurrent_s: float = constant(
        5e-5, "s", 1e-6, 1e-3, 2, "fixed time of a recurrent layer, beside that of a layer"
    )
    narrow_s: float = constant(
        4e-5, "s", 1e-7, 1e-3, 2, "fixed time of quantizing the inputs of a layer to 8 bits"
    )
    hop_s: float = constant(1.5e-5, "s", 1e-6, 1e-3, 2, "fixed time of a message between chips")
    link: float = constant(0.7, "1", 0.05, 1.0, 1.2, "share of the links' rate of a message")
    host_s: float = constant(2e-3, "s", 1e-5, 3e-2, 2, "time of a step on the host")
    sequence_s: float = constant(
        1e-5, "s", 1e-7, 1e-3, 2, "time of a sequence in a step: sampling, bookkeeping on the host"
    )
    eager_s: float = constant(
        1e-4, "s", 1e-6, 1e-2, 2.5, "time to launch a layer where a step has a prompt, so no graph"
    )
    spread: float = constant(
        0.7, "1", 0.05, 3.0, 1.3, "standard deviation of the popularity of experts over its mean"
    )
    flight: float = constant(
        1.3, "1", 0.8, 2.5, 1.2, "answer of a sequence in flight, over half of the mean answer"
    )
    prompt_gpqa: float = constant(300, "tokens", 50, 3000, 1.5, "prompt of a question of GPQA")
    prompt_chat: float = constant(250, "tokens", 20, 4000, 1.3, "prompt of a chat")
    prompt_code: float = constant(
        2048, "tokens", 100, 10000, 1.5, "prompt of a completion of code in its context"
    )
    idle: float = constant(
        0.12, "1", 0.03, 0.4, 1.3, "watts of a chip that holds a model and waits, over design power"
    )
    joules_a_byte: float = constant(
        1.5e-10, "J/B", 2e-11, 6e-10, 1.4, "joules above idle of a byte of memory that is read"
    )
    product_w: float = constant(
        1.0, "1", 0.2, 2.0, 1.3, "watts above idle of products at their best rate, over the rest"
    )
    kernel_w: float = constant(
        0.35, "1", 0.02, 1.0, 1.4, "watts above idle in the fixed time of layers, likewise"
    )
    message_w: float = constant(0.4, "1", 0.02, 1.0, 1.4, "watts above idle in messages, likewise")
    imbalance_w: float = constant(
        0.2, "1", 0.01, 1.0, 1.5, "watts above idle waiting for the busiest chip, likewise"
    )
    host_w: float = constant(
        0.12, "1", 0.005, 0.6, 1.8, "watts above idle while the host works, likewise"
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value, prior = getattr(self, item.name), item.metadata["prior"]
            if not prior.low <= value <= prior.high:
                raise InputError(
                    f"expected {item.name} from {prior.low:g} to {prior.high:g}", f"{value}"
                )

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Self:
        """The constants of a file.

        Raises:
            InputError: a name is unknown, or a value is not a number within its range.
        """
        for name, value in table.items():
            if name not in SERVING_PRIORS or not is_number(value):
                raise InputError(
                    "expected the constants of serving of this version", f"{name} {shown(value)}"
                )
        return cls(**table)

    @classmethod
    def at(cls, x: NDArray[np.float64]) -> Self:
        """The constants at a point of the fit: their logarithms, in the order of the fields."""
        pairs = zip(SERVING_PRIORS.items(), np.exp(x).tolist(), strict=True)
        # The exponential of the end of a range may be rounded to just outside of it.
        return cls(**{name: min(max(v, p.low), p.high) for (name, p), v in pairs})


SERVING_PRIORS: dict[str, Prior] = {
    item.name: item.metadata["prior"] for item in fields(ServingConstants)
}
"""The prior of each constant, by its name."""
