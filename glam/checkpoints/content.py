"""Whether a checkpoint has what a model and its optimizer need: no tensor more, less or other.

torch casts another format, passes over what it does not know, and else ends in a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from energy.errors import InputError

AVERAGED = {"row_var": -1, "col_var": -2}
"""Of the factored second moments, the dimension that they are means over."""

REMEDY = "delete it, or train again in another folder"
"""Of a checkpoint that cannot be read."""


@dataclass(frozen=True)
class Kind:
    """Shape and format of a tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> Self:
        """Return those of a tensor; of one that is divided, those of the whole."""
        return cls(tuple(tensor.shape), tensor.dtype)

    def __str__(self) -> str:
        return f"{self.shape} {str(self.dtype).removeprefix('torch.')}"


def require_content(
    saved: Mapping[str, Kind],
    weights: Iterable[tuple[str, Tensor]],
    in_order: Sequence[Tensor] | None,
    where: str,
) -> None:
    """Check the tensors of a checkpoint before any of them is loaded.

    Args:
        saved: tensors of the checkpoint, by name.
        weights: of the model by name, with its buffers.
        in_order: weights in the order of their optimizer; None if its state is not loaded.
        where: the checkpoint, in words.

    Raises:
        InputError: a tensor is missing, has another shape or format, or is one too many.
    """
    wanted = {f"model.{name}": Kind.of(weight) for name, weight in weights}
    if in_order is None:
        saved = {name: kind for name, kind in saved.items() if name.startswith("model.")}
    else:
        for name, kind in saved.items():
            if (own := _state(name, kind, in_order)) is not None:
                wanted[name] = own
    require_same(wanted, saved, where)


def require_same(wanted: Mapping[str, Kind], saved: Mapping[str, Kind], where: str) -> None:
    """Raise InputError at the first tensor that differs."""
    for name in sorted({*wanted, *saved}):
        if wanted.get(name) != saved.get(name):
            raise InputError(
                f"expected {name} of {wanted.get(name, 'no shape, as the model has none')} "
                f"in the checkpoint {where}",
                str(saved.get(name, "none")),
                "resume with the settings of the run that wrote it",
            )


def _state(name: str, kind: Kind, in_order: Sequence[Tensor]) -> Kind | None:
    """Return what a tensor of an optimizer should be; None for one that it does not have."""
    of, _, rest = name.partition(".")
    index, _, key = rest.partition(".")
    if of != "optimizer" or not index.isdigit() or int(index) >= len(in_order):
        return None
    if not kind.shape:
        return kind  # a number, as of steps
    weight = in_order[int(index)]
    shape = list(weight.shape)
    if key in AVERAGED and len(shape) > 1:
        shape[AVERAGED[key]] = 1
    return Kind(tuple(shape), weight.dtype)


def damaged(path: Path, what: str) -> InputError:
    """Return the error of a checkpoint that is not as it was written."""
    return InputError(
        f"expected a valid checkpoint at {path}",
        what.lower(),
        REMEDY,
    )
