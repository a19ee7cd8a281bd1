"""The page of `simulator plan`: the best plan, why others lose, what was searched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from energy.quantity import Quantity
from energy.reports.terminal import quantity_table, table
from energy.units import change, si, significant
from simulator.physics.phases import PHASES
from simulator.physics.plan import AXES
from simulator.questions.plan.answer import Planned, PublishedPlan
from simulator.questions.plan.ranking import Option
from simulator.questions.plan.search import NEAR
from simulator.runs.estimate import COUNTED

ENDS = {
    "days": "time of the run",
    "mwh": "energy, facility",
    "co2": "CO2e, location (gross)",
    "usd": "cost",
}


SHOWN = 0.001
"""Share of a step below which a phase has no column."""


LEAST = {"time": "time", "energy": "facility energy", "co2": "CO2e", "money": "money"}


def page(planned: Planned, console: Console) -> None:
    """Print the best plan, the others phase by phase, then what was searched."""
    hardware, best = planned.scenario.hardware, planned.best
    console.print(
        f"{planned.scenario.name} on {hardware.count:,} {hardware.chip}, least "
        f"{LEAST[planned.by]}: {best.words}",
        style="bold",
        markup=False,
    )
    console.print()
    rows = quantity_table("", _totals(planned))
    spare = f", {planned.spare:.0%} spare in it" if planned.spare else ""
    limit = f"of {si(planned.limit_bytes, 'B')}{spare}"
    rows.add_row("memory of a chip", si(best.needs_bytes, "B"), limit, "modelled")
    console.print(rows)
    console.print()
    parts = [
        name
        for name in PHASES
        if any(option.seconds.get(name, 0.0) > SHOWN * best.step_s for _, option in planned.rows)
    ]
    rows = table("", "plan", "step", "against best", *parts, "no limit")
    rows.columns[1].justify = "left"
    for label, option in planned.rows:
        rows.add_row(label, option.words, *_cells(option, best, parts))
    console.print(rows)
    console.print()
    rows = table("the best with another", "is", "plan", "step", "against best", *parts, "no limit")
    rows.columns[1].justify = rows.columns[2].justify = "left"
    named = {option.plan: f"as row {label}" for label, option in planned.rows}
    for axes, option in planned.changed:
        words = named.get(option.plan, option.words)
        rows.add_row(", ".join(axes), _choices(axes, option), words, *_cells(option, best, parts))
    console.print(rows)
    for line in _lines(planned):
        console.print(line, markup=False)


def as_json(planned: Planned) -> dict[str, Any]:
    """The answer with the names that scripts rely on."""
    hardware, best = planned.scenario.hardware, planned.best
    return {
        "name": planned.scenario.name,
        "chip": hardware.chip,
        "chips": hardware.count,
        "by": planned.by,
        "global_batch": best.plan.global_batch,
        "searched": planned.evaluation.considered,
        "fit": planned.evaluation.fitting,
        "near": {"share": NEAR, "plans": planned.near},
        "degrees": planned.space.tried,
        "ruled_out": planned.space.ruled_out,
        "too_large": planned.evaluation.too_large,
        "limit_bytes": planned.limit_bytes,
        "step_time_s": planned.prediction.record.metrics["step_time_s"],
        "mfu": planned.prediction.record.metrics["mfu"],
        "best": _option_json(best, best),
        "runners_up": [_option_json(option, best) for option in planned.runners_up],
        "changed": [
            {"axes": list(axes)} | _option_json(option, best) for axes, option in planned.changed
        ],
        "published": [_published_json(plan, best) for plan in planned.published],
        "notes": list(planned.notes),
    }


def frame_rows(planned: Planned) -> list[dict[str, Any]]:
    """The plans of the table on the page as data, the best one first."""
    return [{"name": name} | _option_json(option, planned.best) for name, option in planned.rows]


def _published_json(plan: PublishedPlan, best: Option) -> dict[str, Any]:
    known, option = plan.known, plan.option
    return {
        "name": known.name,
        "fields": known.fields,
        "usual": known.usual,
        "source": known.source,
        "notes": known.notes,
        "searched": plan.searched,
        "fits": option is not None,
        "reason": plan.reason,
        "plan": _option_json(option, best) if option else None,
    }


def _option_json(option: Option, best: Option) -> dict[str, Any]:
    """A plan with its step, memory and totals, compared with the best."""
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
    """Step, measure, phases and what memory costs: of the best itself, of others the difference."""
    step, freed = f"{significant(option.step_s)} s", ""
    if option.freed > 0.0005:
        freed = change(-option.freed, 1)
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
        change(option.worse, 1),
        *(_gap(gaps.get(name, 0.0), best.step_s) for name in parts),
        freed,
    ]


def _choices(axes: tuple[str, ...], option: Option) -> str:
    """What another plan chose of some axes."""
    return ", ".join(_word(getattr(option.plan, name)) for name in axes)


def _gap(seconds: float, step_s: float) -> str:
    """Seconds more or less; nothing where they are less than a thousandth of the step."""
    return "" if abs(seconds) < 0.0005 * step_s else f"{seconds:+.2g} s"


def _totals(planned: Planned) -> Iterator[tuple[str, Quantity]]:
    metrics = planned.prediction.record.metrics
    yield "step time", metrics["step_time_s"]
    yield f"MFU, {COUNTED[planned.best.estimate.convention]}", metrics["mfu"]
    known = planned.best.spend.by_budget()
    for name, label in ENDS.items():
        yield label, known[name]


def _lines(planned: Planned) -> Iterator[str]:
    """What was searched, and what must be known of the rows."""
    evaluation, space = planned.evaluation, planned.space
    searched, kept = evaluation.considered, evaluation.fitting
    yield ""
    yield (
        f"{searched:,} plans searched, {kept:,} fit in memory ({kept / searched:.1%}), "
        f"{planned.near:,} of them within {NEAR:.0%} of the best: the model does not distinguish "
        "those"
    )
    if evaluation.too_large:
        most = sorted(evaluation.too_large.items(), key=lambda item: -item[1])
        yield (
            f"too large: {searched - kept:,}, by the largest part: "
            + ", ".join(f"{name} {count:,}" for name, count in most)
        )
    out = sum(space.ruled_out.values())
    yield (
        f"before that, {space.tried:,} combinations of degrees, {out:,} of them impossible: "
        + "; ".join(f"{rule} {count:,}" for rule, count in space.ruled_out.items())
    )
    yield (
        "no limit: what these degrees would save if memory were unlimited, by less recomputation "
        "or another micro-batch"
    )
    if not planned.published:
        yield "no plan was published of this model on so many of these chips, as far as we know"
    for plan in planned.published:
        yield from _published(plan, planned)
    for note in planned.notes:
        yield f"note: {note}"


def _published(plan: PublishedPlan, planned: Planned) -> Iterator[str]:
    known, words = plan.known, _fields(plan.known.fields)
    if known.usual:
        words += f" (and by its software {_fields(known.usual)})"
    if not plan.searched:
        verdict = f"not possible here: {plan.reason}"
    elif plan.option is None:
        verdict = f"none of {plan.searched:,} plans that agree with it fits: {plan.reason}"
    else:
        reasons = plan.option.why(planned.best)
        verdict = f"fits, {plan.option.worse:+.1%} against the best ({reasons})"
    yield f"published: {known.name}: {words}: {verdict}"
    yield f"  source: {known.source}" + (f" ({known.notes})" if known.notes else "")
    batch = float(planned.best.plan.global_batch)
    if known.batch and abs(known.batch / batch - 1) > 0.01:
        yield f"  CAUTION published with {known.batch:,.0f} sequences a step, here {batch:,.0f}"


def _fields(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_word(value)}" for name, value in values.items())


def _word(value: Any) -> str:
    """A choice of an axis: a number, a word, or yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
