"""The answer of `simulator serve --machine`: what our own trainer's models take on one machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.facts.site import site
from simulator.fit.machine import load_machine
from simulator.kit.answer import Answer
from simulator.serving.fitted import shipped_fit
from simulator.serving.on_machine import OnMachine, on_machine
from simulator.serving.request import MOST, expert_spread, shape_of
from simulator.terms import Term


@dataclass(frozen=True, kw_only=True, repr=False)
class Answering(OnMachine, Answer):
    """A model of `glam train` that answers on one machine."""

    view = "machine"

    notes: tuple[str, ...]

    @property
    def headline(self) -> str:
        """Tokens a second and joules of each."""
        rate, token = self.quantities["tokens_per_s"], self.quantities["j_per_token"]
        return (
            f"{self.name} on {self.machine.hardware.name}, batch {self.batch:g}: "
            f"{rate.numbers()[0]:.3g} tokens/s, {token.human()} a token"
        )

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 7.0, 2.4

    def terms(self) -> Mapping[str, Term]:
        """No terms: the page has every part."""
        return {}


def of_options(options: Mapping[str, Any]) -> Answering:
    """The answer to the options of the verb.

    Raises:
        InputError: a name is unknown, or a number is out of its range.
        MissingDataError: the machine was probed before answers were, or the zone is not known.
    """
    for name in ("batch", "isl", "osl"):
        if not 1 <= options[name] <= MOST:
            raise InputError(f"expected --{name} from 1 to {MOST:,}", f"{options[name]:g}")
    name, shape = shape_of(options["model"])
    window, tokens = int(shape.seq_len), int(options["isl"] + options["osl"])
    if tokens > window:
        raise InputError(
            f"expected --isl and --osl of at most {window} tokens together, the window of {name}",
            f"{tokens}",
            f"--isl {window // 4} --osl {window - window // 4} fit",
        )
    spread, note = expert_spread(options["load"], shape)
    assumed = float(shipped_fit().constants.spread)
    place = site(options["zone"], pue=options["pue"], chip_price=options["chip_price"])
    result = on_machine(
        name,
        shape,
        load_machine(Path(options["machine"])),
        place,
        batch=options["batch"],
        isl=options["isl"],
        osl=options["osl"],
        spread=assumed if spread is None else spread,
    )
    notes = ["glam generate computes in float32, and reads prompts one by one"]
    if note:
        notes.append(note.format(spread=assumed))
    return Answering(**vars(result), notes=tuple(notes))
