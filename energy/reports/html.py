"""One self-contained page about some runs: figures, every number with band and origin, machine.

No script, font or image is fetched from anywhere, so the file can be sent by mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from energy import units
from energy.colors import VARIABLES
from energy.facts.site import UNKNOWN_ZONE
from energy.files import write_text_atomic
from energy.letters import escaped
from energy.record import RunRecord
from energy.reports import job
from energy.reports.page_plots import pictures
from energy.reports.plots import chip_total, title
from energy.reports.runs import Run
from energy.tables import html_rows, html_table

STYLE = (
    VARIABLES
    + """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1rem;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .25rem 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 1.5rem 0 .5rem; }
.figures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%,
  32rem), 1fr)); align-items: start; }
figure { color-scheme: light; background: Canvas; color: CanvasText; border: 1px solid var(--line);
  border-radius: 8px; margin: 0; padding: .75rem; }
figure h2 { font-size: 1rem; line-height: 1.3; margin: 0 0 .4rem; }
figure svg { width: 100%; height: auto; display: block; }
figcaption { font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; min-width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
details td:nth-child(5) { min-width: 18rem; }
summary { cursor: pointer; font-weight: 600; margin: .5rem 0; }
.note { border-left: 4px solid var(--warn); padding: .1rem .8rem; margin: .6rem 0;
  font-size: .9rem; }
p { overflow-wrap: anywhere; } code { font-size: .85em; }
@media (max-width: 40rem) { h1 { font-size: 1.2rem; }
  figure { overflow-x: auto; } figure svg { min-width: 36rem; }
  th, td { padding: .3rem; } details td.number + td.number { white-space: normal; min-width: 7rem; }
  details td:nth-child(4) { min-width: 7rem; } }
"""
)

MOST_WINDOWS = 40
"""Names of windows that the page shows of one run."""

UNRESOLVED = (
    "Unresolved: shorter than three updates of the slowest meter. What that leaves open is in the "
    "band."
)


def write(runs: Sequence[Run], out: Path) -> None:
    """Write a page about some runs.

    Raises:
        InputError: the page cannot be written.
    """
    write_text_atomic(out, page(runs))


def page(runs: Sequence[Run]) -> str:
    """The page as HTML: what was spent, the pictures that have data, and then every number."""
    figures = "\n".join(
        f"<figure><h2>{escape(heading)}</h2>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
        for heading, caption, svg in pictures(runs)
    )
    tables = "\n".join(_table(run, shown=len(runs) == 1) for run in runs)
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    names = ", ".join(dict.fromkeys(run.record.name for run in runs))
    return escaped(f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What was spent: {escape(names)}</title><style>{STYLE}</style></head>
<body>
<h1>{escape(_headline(runs))}</h1>
{_summary(runs) if len(runs) > 1 else ""}
{"".join(f'<p class="note">{escape(note)}</p>' for note in _notes(runs))}
<div class="figures">{figures}</div>
<h2 id="details">Every number</h2>
{tables}
<h2>Where this comes from</h2>
<p>{escape(_machine(runs))}</p>
<p>Written {when} by <code>energy report</code> from
{", ".join(f"<code>{escape(str(run.folder))}</code>" for run in runs)}.</p>
</body></html>
""")


MOST_NAMED = 2
"""Runs whose figures the headline has; the table beneath it has those of all."""


def _headline(runs: Sequence[Run]) -> str:
    """Joules with their origins, kilowatt-hours, grams, duration and loss of the measured runs."""
    shown = [run for run in runs if run.measured] or list(runs)
    if len(shown) > MOST_NAMED:
        return f"{len(shown):,} {'runs' if shown[0].measured else 'predicted runs'}"
    return "; ".join(f"{title(run)}: {_spent(run.record)}" for run in shown)


def _spent(record: RunRecord) -> str:
    total = chip_total(record)
    parts = [f"no joules ({total.source})"]
    if total.value is not None:
        kwh = units.significant(total.value / units.J_PER_KWH)
        parts = [f"{units.si(total.value, 'J')} {total.origins} ({kwh} kWh)"]
    if record.co2_location_g.value is not None:
        parts.append(f"{record.co2_location_g.human()} CO2e")
    if record.elapsed_s.value is not None:
        parts.append(record.elapsed_s.human())
    return ", ".join(parts) + _loss(record)


def _loss(record: RunRecord) -> str:
    loss = record.metrics.get("validation_loss") or record.metrics.get("loss")
    return f", loss {loss.value:.2f}" if loss is not None and loss.value is not None else ""


def _summary(runs: Sequence[Run]) -> str:
    """A line for each run: what it spent, with the bands."""
    rows = []
    for run in runs:
        total, co2 = chip_total(run.record), run.record.co2_location_g
        kwh = total.scaled(1 / units.J_PER_KWH, "kWh")
        rows.append(
            (
                run.record.name,
                run.record.kind,
                total.origins,
                total.human(),
                total.band(),
                kwh.human(),
                co2.human(),
                co2.band(),
                run.record.elapsed_s.human(),
            )
        )
    heads = ("run", "kind", "origin", "energy", "band", "in kWh", "CO2e", "band", "duration")
    return f'<div class="scroll">{html_rows(heads, rows, left=3)}</div>'


def _notes(runs: Sequence[Run]) -> list[str]:
    """Caveats that apply to the numbers."""
    notes = []
    if any("modelled" in chip_total(run.record).origins for run in runs if run.measured):
        notes.append(
            "The meters of this machine do not cover all of its power: the rest is modelled or "
            "assumed, with wide bands. Compare the runs with each other on this machine; do not "
            "quote the joules as measured."
        )
    if any(run.record.labels.get("zone") == UNKNOWN_ZONE for run in runs):
        notes.append(
            "The grid zone is unknown: CO2 is computed with the world average and a band over the "
            "zones of the world. Name a zone with --zone."
        )
    return notes


def _table(run: Run, *, shown: bool) -> str:
    """All quantities of one record, open or closed."""
    record = run.record
    rows = {
        "tokens": record.tokens,
        "parameters": record.params_total,
        "active parameters": record.params_active,
        "model FLOP": record.model_flop,
        "executed FLOP": record.executed_flop,
        "elapsed time": record.elapsed_s,
        **{f"energy, {at}": total for at, total in record.totals.items()},
        "CO2e, location": record.co2_location_g,
        "CO2e, market": record.co2_market_g,
        "CO2e, location, hour by hour": record.co2_location_hourly_g,
        "CO2e, market, hour by hour": record.co2_market_hourly_g,
        "CO2e, embodied": record.co2_embodied_g,
        "water": record.water_l,
        "cost": record.cost_usd,
        "wasted energy": record.wasted.energy_j,
        **record.metrics,
    }
    table = html_table(rows, sources=True)
    return (
        f"<details{' open' * shown}><summary>{escape(record.name)}, {record.kind}</summary>"
        f'<div class="scroll">{table}</div>' + job.tables(record) + _windows(record) + "</details>"
    )


def _windows(record: RunRecord) -> str:
    """The windows by name, those with the most joules first; empty without any."""
    if not record.windows:
        return ""
    ordered = sorted(record.windows, key=lambda window: -(window.energy_j.value or 0.0))
    rows = {
        f"{window.name} x {window.count:,}, {window.phase}"
        + (f" ({window.unresolved:,} unresolved)" if window.unresolved else ""): window.energy_j
        for window in ordered[:MOST_WINDOWS]
    }
    left = len(ordered) - len(rows)
    caption = "Joules of windows" + (f"; {left:,} more in record.json" if left else "")
    short = any(window.unresolved for window in ordered)
    return f'<div class="scroll">{html_table(rows, caption=caption)}</div>' + (
        f"<p>{UNRESOLVED}</p>" if short else ""
    )


def _machine(runs: Sequence[Run]) -> str:
    facts = next((run.record.environment for run in runs if run.measured), {})
    shown = ("cpu", "cores", "system", "python", "torch", "threads", "git_commit")
    return "; ".join(f"{name}: {facts[name]}" for name in shown if facts.get(name)) or "no machine"
