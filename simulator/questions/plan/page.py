"""The page of `simulator plan`: the best plan, what others lose against it, what was searched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from energy.quantity import Quantity
from energy.reports.words import band, console, human, table
from energy.units import si, significant
from simulator.physics.memory import MARGIN
from simulator.physics.phases import PHASES
from simulator.physics.plan import AXES
from simulator.questions.plan.answer import NEAR, Option, Planned, Published

ENDS = {
    "days": "time of the run",
    "mwh": "energy, facility",
    "co2": "CO2e, location (gross)",
    "usd": "cost",
}


SHOWN = 0.001
"""Share of a step below which a part has no column."""


LEAST = {"time": "time", "energy": "facility energy", "co2": "CO2e", "money": "money"}


def page(found: Planned) -> None:
    """Print the best plan, the others part by part, then what they were found among."""
    out = console()
    hardware, best = found.scenario.hardware, found.best
    out.print(
        f"{found.scenario.name} on {hardware.count:,} {hardware.chip}, least "
        f"{LEAST[found.by]}: {best.words}",
        style="bold",
        markup=False,
    )
    out.print()
    rows = table("", "predicted", "band", "origin")
    for label, quantity in _totals(found):
        rows.add_row(label, human(quantity), band(quantity), quantity.origins)
    limit = f"of {si(found.limit_bytes, 'B')}, {MARGIN:.0%} spare in it"
    rows.add_row("memory of a chip", si(best.needs_bytes, "B"), limit, "modelled")
    out.print(rows)
    out.print()
    parts = [
        name
        for name in PHASES
        if any(one.seconds.get(name, 0.0) > SHOWN * best.step_s for _, one in found.drawn)
    ]
    rows = table("", "plan", "step", "against best", *parts, "no limit")
    rows.columns[1].justify = "left"
    for label, option in found.drawn:
        rows.add_row(label, option.words, *_cells(option, best, parts))
    out.print(rows)
    out.print()
    rows = table("the best with another", "is", "plan", "step", "against best", *parts, "no limit")
    rows.columns[1].justify = rows.columns[2].justify = "left"
    named = {option.plan: f"as row {label}" for label, option in found.drawn}
    for axes, option in found.changed:
        words = named.get(option.plan, option.words)
        rows.add_row(", ".join(axes), _choices(axes, option), words, *_cells(option, best, parts))
    out.print(rows)
    for line in _lines(found):
        out.print(line, markup=False)


def as_json(found: Planned) -> dict[str, Any]:
    """The same with the names that scripts rely on."""
    hardware, best = found.scenario.hardware, found.best
    return {
        "name": found.scenario.name,
        "chip": hardware.chip,
        "chips": hardware.count,
        "by": found.by,
        "global_batch": best.plan.global_batch,
        "searched": found.fit.searched,
        "fit": len(found.fit.found),
        "near": {"share": NEAR, "plans": found.near},
        "degrees": found.space.tried,
        "ruled_out": found.space.ruled_out,
        "too_large": found.fit.too_large,
        "limit_bytes": found.limit_bytes,
        "step_time_s": found.prediction.record.metrics["step_time_s"],
        "mfu": found.prediction.record.metrics["mfu"],
        "best": _option_json(best, best),
        "runners_up": [_option_json(one, best) for one in found.runners_up],
        "changed": [{"axes": list(axes)} | _option_json(one, best) for axes, one in found.changed],
        "published": [
            {
                "name": one.known.name,
                "fields": one.known.fields,
                "usual": one.known.usual,
                "source": one.known.source,
                "notes": one.known.notes,
                "searched": one.searched,
                "fits": one.option is not None,
                "reason": one.reason,
                "plan": _option_json(one.option, best) if one.option else None,
            }
            for one in found.published
        ],
        "notes": list(found.notes),
    }


def _option_json(option: Option, best: Option) -> dict[str, Any]:
    known = option.spend.by_budget()
    return {
        "plan": {name: getattr(option.plan, name) for name in AXES},
        "words": option.words,
        "step_s": option.step_s,
        "seconds": option.seconds,
        "chip_w": option.chip_w,
        "memory_bytes": option.needs_bytes,
        "worse": option.worse,
        "against_best_s": option.against(best),
        "freed": option.freed,
        "why": option.why(best),
        **{name: known[name] for name in ENDS},
    }


def _cells(option: Option, best: Option, parts: list[str]) -> list[str]:
    """Step, measure, parts and what memory costs: the best's own, or what others take more."""
    step, freed = f"{significant(option.step_s)} s", ""
    if option.freed > 0.0005:
        freed = f"{-option.freed:+.1%}"
    if option is best:
        return [
            step,
            "",
            *(f"{significant(best.seconds.get(name, 0.0))} s" for name in parts),
            freed,
        ]
    gaps = option.against(best)
    return [
        step,
        f"{option.worse:+.1%}",
        *(_gap(gaps.get(name, 0.0), best.step_s) for name in parts),
        freed,
    ]


def _choices(axes: tuple[str, ...], option: Option) -> str:
    """What another plan chose of some axes."""
    return ", ".join(_word(getattr(option.plan, name)) for name in axes)


def _gap(seconds: float, step_s: float) -> str:
    """Seconds more or less; nothing where they are less than a thousandth of the step."""
    return "" if abs(seconds) < 0.0005 * step_s else f"{seconds:+.2g} s"


def _totals(found: Planned) -> Iterator[tuple[str, Quantity]]:
    metrics = found.prediction.record.metrics
    yield "step time", metrics["step_time_s"]
    yield "MFU", metrics["mfu"]
    known = found.best.spend.by_budget()
    for name, label in ENDS.items():
        yield label, known[name]


def _lines(found: Planned) -> Iterator[str]:
    """What the rows were found among, and what must be known of them."""
    fit, tried = found.fit, found.space
    kept = len(fit.found)
    yield ""
    yield (
        f"{fit.searched:,} plans searched, {kept:,} fit in memory ({kept / fit.searched:.1%}), "
        f"{found.near:,} of them within {NEAR:.0%} of the best: the model does not tell those "
        "apart"
    )
    if fit.too_large:
        most = sorted(fit.too_large.items(), key=lambda item: -item[1])
        yield (
            f"too large: {fit.searched - kept:,}, by the largest part: "
            + ", ".join(f"{name} {count:,}" for name, count in most)
        )
    out = sum(tried.ruled_out.values())
    yield (
        f"before that, {tried.tried:,} combinations of degrees, {out:,} of them impossible: "
        + "; ".join(f"{rule} {count:,}" for rule, count in tried.ruled_out.items())
    )
    yield (
        "no limit: what these degrees would save if memory were no limit, by less recomputation "
        "or another micro-batch"
    )
    if not found.published:
        yield "no plan was published of this model on so many of these chips, as far as we know"
    for one in found.published:
        yield from _published(one, found)
    for note in found.notes:
        yield f"note: {note}"


def _published(one: Published, found: Planned) -> Iterator[str]:
    known, said = one.known, _fields(one.known.fields)
    if known.usual:
        said += f" (and by its software {_fields(known.usual)})"
    if not one.searched:
        verdict = f"not possible here: {one.reason}"
    elif one.option is None:
        verdict = f"none of {one.searched:,} plans that agree with it fits: {one.reason}"
    else:
        verdict = f"fits, {one.option.worse:+.1%} against the best ({one.option.why(found.best)})"
    yield f"published: {known.name}: {said}: {verdict}"
    yield f"  source: {known.source}" + (f" ({known.notes})" if known.notes else "")
    if known.batch and abs(known.batch / float(found.best.plan.global_batch) - 1) > 0.01:
        yield (
            f"  CAUTION published with {known.batch:,.0f} sequences a step, here "
            f"{float(found.best.plan.global_batch):,.0f}"
        )


def _fields(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_word(value)}" for name, value in values.items())


def _word(value: Any) -> str:
    """A choice of an axis: a number, a word, or yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
