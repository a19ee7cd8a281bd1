"""Runs side by side: the answer of `simulator compare`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from energy.errors import InputError
from simulator.kit.answer import Answer, Data
from simulator.questions.compare.ratio import Ratio, cautions, decompose
from simulator.runs.sides import Basis, Run, RunTarget, Side, choose_basis, read, sides

if TYPE_CHECKING:  # not loaded for runs that are compared as they are
    from simulator.quality.match import Match
    from simulator.questions.compare.serving import ServedSide
    from simulator.serving.request import Request


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(Answer):
    """Runs side by side, and the ratio of each later run to the first.

    Attributes:
        basis: whether the inputs are published, predicted or recorded.
        sides: the runs, two or more, in the order in which they were named.
        ratios: of each later run to the first.
        served: the models when they answer; empty where that is not requested.
        matches: at equal quality, how long each later run became and by which law; else empty.
    """

    basis: Basis
    sides: list[Side]
    ratios: list[Ratio]
    matches: tuple[Match, ...] = ()
    served: tuple[ServedSide, ...] = ()

    @property
    def headline(self) -> str:
        """The names of the runs."""
        return " against ".join(side.name for side in self.sides)

    @property
    def title(self) -> str:
        """The ratio of the joules of each run and where it comes from, or the totals."""
        words = self._module("page")
        first, *later = self.sides
        return "; ".join(
            words.headline(first, side)
            if ratio.energy.value is None
            else words.ratio_in_words(first, side, ratio)
            for side, ratio in zip(later, self.ratios, strict=True)
        )

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 6.5, 2.6

    @property
    def cautions(self) -> list[str]:
        """What a reader must know before quoting a ratio."""
        return cautions(self.sides, equal_loss=bool(self.matches))

    @property
    def loss_cautions(self) -> list[str]:
        """What a reader must know before quoting a ratio at equal loss."""
        if not self.matches:
            return []
        from simulator.questions.compare.quality import loss_cautions

        return loss_cautions(self.matches)

    def explained(self) -> Data:
        """The data of the comparison, each run with the trees of its work and its CO2e."""
        from simulator.terms import as_json

        data = self.as_json()
        assert isinstance(data, dict)
        for row, side in zip(data["scenarios"], self.sides, strict=True):
            row["explain"] = [as_json(term) for term in side.trees]
        return data


def compare(
    *targets: RunTarget,
    basis: str = "auto",
    accounting: str | None = None,
    equal: str | None = None,
    law: str | None = None,
    beyond_range: bool = False,
    serving: Request | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare runs side by side, and take the ratio of each to the first apart.

        compare("glam-64b-64e", "gpt3-175b", accounting="as-published").ratios[0].energy

    Model x machine x mechanization (PUE) = energy; energy x map (grid) = CO2e (arXiv:2104.10350).

    Args:
        targets: two runs or more, each a scenario, a preset, a model of the catalog, a record, or
            the path of a scenario file or of a record.
        basis: published, predicted, or auto: published where all runs were.
        accounting: CO2e by location (gross) or market (net); as-published divides gross by net
            where one run was published with each; None takes each run's own and refuses that.
        equal: tokens, flop, energy, time or quality: later runs get the length at which they match
            the first.
        law: with equal="quality", the law of loss that gives the tokens.
        beyond_range: apply that law to runs that are outside the range that it was fitted to.
        serving: also compare the models when they answer, on these chips under this load.
        overrides: values of all scenarios by dotted key: {"run.goodput": 0.9}.

    Raises:
        InputError: fewer than two runs, or a name, key or value is not valid.
        InfeasibleError: no plan of a run fits in memory, a run never reaches the first's loss, or
            a run is outside the range of the law of loss.
        MissingDataError: a run has no model FLOP, or no boundary in common with the first.
    """
    if len(targets) < 2:
        raise InputError("expected two runs or more to compare", f"{len(targets)}", "name another")
    if law is not None and equal != "quality":
        raise InputError("expected --law with --equal quality", law)
    runs = read(targets, overrides)
    chosen = choose_basis(runs, basis)
    served: tuple[ServedSide, ...] = ()
    if serving:
        from simulator.questions.compare.serving import served_sides

        served = served_sides(runs, serving)
    if equal == "quality":
        from simulator.questions.compare.quality import at_equal_loss

        result = at_equal_loss(runs, chosen, accounting, law, beyond_range=beyond_range)
        return Comparison(
            basis=chosen,
            sides=result.sides,
            ratios=result.ratios,
            matches=tuple(result.matches),
            served=served,
        )
    compared = _sides(runs, chosen, accounting, equal)
    ratios = [decompose(compared[0], side, mixed=accounting is not None) for side in compared[1:]]
    return Comparison(basis=chosen, sides=compared, ratios=ratios, served=served)


def _sides(runs: list[Run], basis: Basis, accounting: str | None, equal: str | None) -> list[Side]:
    if equal is None:
        return sides(runs, basis, accounting)
    from simulator.questions.compare.equal import sides_at_equal

    return sides_at_equal(runs, basis, accounting, equal)
