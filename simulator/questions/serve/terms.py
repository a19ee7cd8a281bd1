"""How the facility joules of a token came about."""

from __future__ import annotations

from energy.quantity import Origin, Quantity
from simulator.questions.serve.answer import Serving
from simulator.terms import Term, product


def terms(answer: Serving) -> dict[str, Term]:
    """Watts x chips x seconds of a step / tokens of a step, x host, reserve and PUE."""
    served, place = answer.served, answer.site
    token = answer.quantities["j_per_token"]

    def exact(name: str, value: float, unit: str, source: str) -> Term:
        return Term(name, Quantity.exact(value, unit, source, Origin.MODELLED))

    low, high = answer.fitted.relative(answer.resolved.kind, "j_per_token", answer.resolved.family)
    # Of neither watts nor seconds alone: those have limits that this band would pass.
    error = Quantity.of(
        1.0,
        "1",
        "measured joules a token over predicted, families left out",
        Origin.MODELLED,
        relative=(low, high),
    )
    tokens = float(served.service.batch) * float(served.step.yields)
    chips = product(
        "joules of the chips",
        "J",
        exact("watts of a chip", float(served.draw.chip_w), "W", "busy shares of the step"),
        exact("chips", float(answer.request.chips), "1", "--chips"),
        exact("mean step", float(served.step.mean_s), "s", "roofline of its parts"),
        Term("error", error),
        over=(exact("tokens of a step", tokens, "1", "batch x tokens of a sequence"),),
    )
    assert token.value is not None
    return {
        "": product(
            "joules of the facility",
            "J",
            chips,
            Term("node over chip", place.node_over_chip),
            Term("idle reserve", place.it_over_node),
            Term("pue", place.pue),
        )
    }
