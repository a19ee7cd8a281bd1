"""The answer of `simulator lifetime`: the day on which serving has spent what training did.

Training spends once, E; serving spends e joules for each of D tokens a day: after E / (e D) days
both are equal. Of two models, the one that trains cheaper and answers dearer is ahead until

    T = (E_2 - E_1) / (e_1 - e_2)

tokens. All joules are those of the facility.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from energy.arithmetic import multiply
from energy.errors import InputError, MissingDataError
from energy.quantity import Origin, Quantity
from energy.units import S_PER_DAY, count
from simulator.kit.answer import Answer
from simulator.runs.sides import RunTarget, choose_basis, read, sides
from simulator.serving.figures import Figures, figures
from simulator.serving.request import Request
from simulator.terms import Term, draw, product, quantiles

DRAWS = 4000


@dataclass(frozen=True, kw_only=True)
class Life:
    """A model that was trained and is served.

    Attributes:
        name: of its run.
        training_j: facility joules of training.
        token_j: facility joules of a token.
        serving: where that came from.
        days: until serving has spent as much.
        assumed: of its training without being named, in a line.
    """

    name: str
    training_j: Quantity
    token_j: Quantity
    serving: Figures
    days: Quantity
    assumed: str = ""

    def load(self, tokens_per_day: float) -> float:
        """Groups of its chips that answer as much, busy all day: 0.5 is one, half of the day."""
        return tokens_per_day / S_PER_DAY / self.serving.quantities["tokens_per_s"].numbers()[0]

    def capacity(self, tokens_per_day: float) -> str:
        """What the load means for its machines, which a token's joules do not say."""
        load = self.load(tokens_per_day)
        if load > 1:
            return f"that many tokens a day keep {load:,.3g} such groups of chips busy"
        return (
            f"that many tokens a day keep these chips busy for {load:.2g} of the time; what they "
            "draw in the rest, beyond the reserve, is in no number"
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class Lifetime(Answer):
    """One model, or two.

    Attributes:
        lives: the models.
        tokens_per_day: that are answered.
        basis: whether training is as published, predicted or recorded.
        even_tokens: tokens at which two models have spent the same; missing where one is always
            ahead, or of a single one.
        first_ahead: probability that the first has spent less after a year.
    """

    lives: tuple[Life, ...]
    tokens_per_day: float
    basis: str
    even_tokens: Quantity
    first_ahead: float | None

    @property
    def headline(self) -> str:
        """The day, and which of two is ahead."""
        first = self.lives[0]
        days = f"{first.days.numbers()[0]:,.3g}"
        text = (
            f"{first.name}: serving {count(self.tokens_per_day)} tokens a day has spent what "
            f"training did after {days} days"
        )
        return f"{text}; {self.verdict}" if len(self.lives) > 1 else text

    @property
    def left_open(self) -> str:
        """What was assumed of each training, and of all serving."""
        trainings = [f"{life.name}: {life.assumed}" for life in self.lives if life.assumed]
        # The price of chips is none of joules.
        serving = self.lives[0].serving
        energy = tuple(option for option in serving.unnamed if option in ("--pue", "--reserve"))
        served = replace(serving, unnamed=energy).left_open
        return "\n".join([*trainings, *([f"served: {served}"] if served else [])])

    @property
    def verdict(self) -> str:
        """Which of two models spends less, and until when."""
        first, second = self.lives
        trained = first.training_j.numbers()[0] <= second.training_j.numbers()[0]
        answers = first.token_j.numbers()[0] <= second.token_j.numbers()[0]
        if trained == answers:
            name = (first if trained else second).name
            return f"{name} spends less from the first token on"
        early, late = (first, second) if trained else (second, first)
        tokens = self.even_tokens.numbers()[0]
        return f"{early.name} is ahead up to {tokens:,.3g} tokens, then {late.name}"

    def terms(self) -> Mapping[str, Term]:
        """The days of each model."""
        terms: Mapping[str, Term] = super().terms()
        return terms


def lifetime(
    train: RunTarget,
    serve: str,
    *,
    tokens_per_day: float,
    against: RunTarget | None = None,
    against_serve: str | None = None,
    chip: str = "h100",
    chips: int = 1,
    zone: str | None = None,
    pue: float | None = None,
    reserve: float | None = None,
    overrides: Mapping[str, Any] | None = None,
    **options: Any,
) -> Lifetime:
    """When serving has spent what training did.

        lifetime("glam-64b-64e", "glam-64b-64e", tokens_per_day=1e9, chip="b200", chips=32)

    Args:
        train: a scenario, a preset, a record or its path.
        serve: the model that is served: of the catalog, a preset, or a config.json.
        tokens_per_day: of answers.
        against: training of a second model.
        against_serve: the second model; that of `against` without it.
        chip: that both are served on.
        chips: how many.
        zone: grid zone.
        pue: facility over IT energy.
        reserve: energy of all machines over that of the busy ones.
        overrides: values of the trainings by dotted key, such as the run of a model alone.
        options: other fields of `simulator.serving.request.Request`.

    Raises:
        InputError: a name is unknown, or a number is out of its range.
        InfeasibleError: a run or a service cannot be.
        MissingDataError: joules of a run or watts of the chip are not known.
    """
    if not 0 < tokens_per_day < 1e18:
        raise InputError("expected --tokens-per-day above 0", f"{tokens_per_day:g}")
    targets = [train] if against is None else [train, against]
    runs = read(targets, overrides)
    basis = choose_basis(runs, "auto")
    models = [serve, against_serve or str(against)][: len(targets)]
    lives = []
    for side, model in zip(sides(runs, basis, None), models, strict=True):
        request = Request(model=model, chip=chip, chips=chips, **options)
        served = figures(request, zone=zone, pue=pue, reserve=reserve)
        life = _life(side.name, side.facility_j, served, tokens_per_day)
        lives.append(replace(life, assumed=_assumed(side.record.notes)))
    even, ahead = _against(lives, tokens_per_day)
    return Lifetime(
        lives=tuple(lives),
        tokens_per_day=tokens_per_day,
        basis=basis,
        even_tokens=even,
        first_ahead=ahead,
    )


def _assumed(notes: Sequence[str]) -> str:
    """The line of a prediction's notes that has what it assumed."""
    return next((note for note in notes if note.startswith("assumed, ")), "")


def _life(name: str, training: Quantity, served: Figures, tokens_per_day: float) -> Life:
    served.require_runs()
    if training.value is None:
        raise MissingDataError(f"expected the joules of {name}", str(training))
    token = served.facility_j
    daily = token.scaled(tokens_per_day)
    days = multiply(training, daily, "d", divide=True)
    return Life(name=name, training_j=training, token_j=token, serving=served, days=days)


def _against(lives: Sequence[Life], tokens_per_day: float) -> tuple[Quantity, float | None]:
    """Tokens at which two have spent the same, and how likely the first is ahead after a year."""
    if len(lives) < 2:
        return Quantity.absent("tokens", "one model"), None
    generator = np.random.default_rng(23)
    first, second = lives
    trained = [draw(life.training_j, generator, DRAWS) for life in lives]
    # The error of the serving model is one of both: their joules a token rise and fall together
    # as far as their bands are alike.
    answers = [draw(life.token_j, np.random.default_rng(24), DRAWS) for life in lives]
    year = 365 * tokens_per_day
    ahead = float((trained[0] + year * answers[0] < trained[1] + year * answers[1]).mean())
    e1, e2 = (life.token_j.numbers()[0] for life in lives)
    middle = (second.training_j.numbers()[0] - first.training_j.numbers()[0]) / (e1 - e2)
    if not np.isfinite(middle) or middle <= 0:
        return Quantity.absent("tokens", "one of them spends less at every number of tokens"), ahead
    tokens = (trained[1] - trained[0]) / (answers[0] - answers[1])
    crossing = tokens[np.isfinite(tokens) & (tokens > 0)]
    low, high = quantiles(crossing, 0.1, 0.9)
    source = f"training and a token of both; {len(crossing) / DRAWS:.0%} of draws cross"
    return Quantity(
        value=middle,
        unit="tokens",
        low=min(low, middle),
        high=max(high, middle),
        origin=first.token_j.origin.weaker(Origin.MODELLED),
        source=source,
    ), ahead


def tree(life: Life, tokens_per_day: float) -> Term:
    """Days = training / (joules a token x tokens a day)."""
    return product(
        f"days of {life.name}",
        "d",
        Term("facility joules of training", life.training_j),
        over=(
            Term("facility joules of a token", life.token_j),
            Term(
                "tokens a day",
                Quantity.exact(tokens_per_day, "1/d", "--tokens-per-day", Origin.ASSUMED),
            ),
        ),
    )
