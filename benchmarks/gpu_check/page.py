"""docs/gpu.md: what checks on real GPUs have measured, from their records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.gpu_check.records import Check
from benchmarks.gpu_check.stages import STAGES
from benchmarks.pages import markdown_table
from energy.quantity import Quantity
from energy.units import flop, human, si, significant

Values = dict[str, Any]

HOW = """\
`make gpu-check` measures in under 8 minutes what only a real GPU can show. It needs a machine with
an NVIDIA GPU and its driver, a Python with torch, and no network. Where that Python lacks packages,
bring them as wheels: `pip download --dest wheels '.[train]'` on a machine with a network and the
same system and Python. `make gpu-check WHEELS=wheels` then installs what is missing into a virtual
environment of its own, and touches nothing else.

Each stage is a process with a time limit; one that fails or is late ends no other. The records are
left in benchmarks/gpu_check/records, a folder for each board and date: `check.json` has every
figure, and `series.json` every update of the readings that the sensor was estimated from. The
sensor also goes to `~/.config/glam-energy/sensors.json`: from then on the meters take ticks, lags
and bands of boards of that name from there.

`python -m benchmarks.gpu_check --rehearse` runs all stages in some two minutes on a machine without
a GPU, against a stand-in for the driver, and keeps nothing.
"""

NOT_RUN = "not run"


def render(checks: Sequence[Check]) -> str:
    """The page.

    Args:
        checks: the newest of each board.
    """
    return "\n".join(_blocks(checks)).rstrip() + "\n"


def rows(check: Check) -> list[tuple[str, str, str, str]]:
    """For each stage its name, state, seconds and what it measured."""
    table = []
    for stage in STAGES:
        outcome = check["stages"].get(stage.name, {"state": NOT_RUN, "seconds": 0.0, "why": ""})
        words = summary(stage.name, outcome.get("values", {}))
        why = outcome["why"]
        table.append(
            (
                stage.name,
                outcome["state"],
                f"{outcome['seconds']:.0f}",
                "; ".join(filter(None, (words, why))) or stage.title,
            )
        )
    return table


def summary(stage: str, values: Values) -> str:
    """What a stage measured, in one line; empty if it measured nothing."""
    try:
        return SUMMARIES[stage](values)
    except (KeyError, TypeError):
        return ""  # it ended before it had measured that


def _blocks(checks: Sequence[Check]) -> Iterator[str]:
    if not checks:
        yield "# On a real GPU: not run\n"
        yield "Nobody has run `make gpu-check` on a GPU yet, so no stage below has a figure.\n"
    else:
        boards = ", ".join(f"{check['board']} ({check['date']})" for check in checks)
        yield f"# On a real GPU: {boards}\n"
    yield HOW
    if not checks:
        heads = ("stage", "measures", "result")
        yield markdown_table(heads, [(stage.name, stage.title, NOT_RUN) for stage in STAGES])
    for check in checks:
        yield f"## {check['board']}, {check['date']}\n"
        yield markdown_table(("stage", "state", "s", "result"), rows(check)) + "\n"
        step = check["stages"].get("step", {}).get("values", {})
        if step:
            yield markdown_table(STEP_HEADS, step_rows(step)) + "\n"
        compared = check["stages"].get("forecast", {}).get("values", {}).get("compared")
        if compared:
            yield markdown_table(FORECAST_HEADS, list(forecast_rows(compared))) + "\n"


def _doctor(values: Values) -> str:
    words = [
        f"{row['name']} {row['watts']:.0f} W"
        + (f", counter over power {ratio:.3f}" if (ratio := row["counter_over_power"]) else "")
        for row in values["meters"]
        if row["watts"] is not None
    ]
    return "; ".join(words)


def _driver(values: Values) -> str:
    board = values["board"]
    mig = {None: "unknown", True: "on", False: "off"}[board.get("mig")]
    return (
        f"{board['name']}, driver {board['driver']}; limit {_number(board, 'power_limit_w', 'W')} "
        f"of {_number(board, 'power_limit_default_w', 'W')}; SM {_number(board, 'sm_mhz', 'MHz')} "
        f"of {_number(board, 'sm_greatest_mhz', 'MHz')}; MIG {mig}"
    )


def _sensor(values: Values) -> str:
    words = [
        f"counter over power {part} {ratio:.3f}"
        for part in ("idle", "product", "square")
        if (ratio := values.get(part, {}).get("counter_over_power"))
    ]
    sensor = values.get("sensor")
    if sensor:
        ms = {name: f"{1e3 * sensor[name]:.0f} ms" for name in sensor if name.endswith("_s")}
        words.append(
            f"{sensor['reading']} power every {ms['update_s']}, delay {ms['delay_s']}, averaging "
            f"{ms['window_s']}, longest hold {ms['hold_s']}"
        )
        if sensor["tick_s"]:
            words.append(f"counter every {ms['tick_s']}, delay {ms['counter_delay_s']}")
    return "; ".join(words)


def _overhead(values: Values) -> str:
    return (
        f"{values['relative']:+.2%} ({values['low']:+.2%} to {values['high']:+.2%}, 95 %), median "
        f"of {values['pairs']} pairs of steps of {1e3 * values['step_s']:.0f} ms"
    )


def _step(values: Values) -> str:
    words = []
    for kind, ways in values.items():
        for way, row in ways.items():
            measured = f"{1e3 * row['step_s']:.0f} ms" if "step_s" in row else "no"
            words.append(f"{kind}, {way}: {measured}")
    return "; ".join(words)


def _forecast(values: Values) -> str:
    return "; ".join(
        f"{run['name']}: "
        + ", ".join(
            f"{row['name']} {row['error']:+.0%}" for row in run["rows"] if row["error"] is not None
        )
        for run in values["compared"]
    )


SUMMARIES: dict[str, Callable[[Values], str]] = {
    "doctor": _doctor,
    "driver": _driver,
    "sensor": _sensor,
    "overhead": _overhead,
    "step": _step,
    "forecast": _forecast,
}

STEP_HEADS = ("step", "time", "tokens/s", "model FLOP/s", "energy", "first step", "memory")


def step_rows(values: Values) -> list[tuple[str, ...]]:
    """A row for each model and way of running it."""
    table: list[tuple[str, ...]] = []
    for kind, ways in values.items():
        for way, row in ways.items():
            name = f"{kind}, {way}"
            if "step_s" not in row:
                why = row.get("why", NOT_RUN).replace("|", "/")[:100]
                table.append((name, why, *[""] * (len(STEP_HEADS) - 2)))
                continue
            joules = Quantity.model_validate(row["step_j"])
            table.append(
                (
                    name,
                    human(row["step_s"], "s"),
                    significant(row["tokens_per_s"]),
                    flop(row["flop_per_s"]) + "/s",
                    f"{joules.human()} ({joules.band()})",
                    human(row["first_s"], "s"),
                    si(row["peak_bytes"], "B") if "peak_bytes" in row else "",
                )
            )
    return table


FORECAST_HEADS = ("run", "figure", "predicted", "80 % band", "measured", "error", "in band")


def forecast_rows(compared: list[Values]) -> Iterator[tuple[str, ...]]:
    """A row for each compared figure of each run."""
    for run in compared:
        for row in run["rows"]:
            if row["error"] is not None:
                predicted = Quantity.model_validate(row["predicted"])
                measured = Quantity.model_validate(row["measured"])
                yield (
                    run["name"],
                    row["name"],
                    predicted.human(),
                    predicted.band(),
                    f"{measured.human()} {measured.origins}",
                    f"{row['error']:+.1%}",
                    "yes" if row["in_band"] else "no",
                )


def _number(values: Values, name: str, unit: str) -> str:
    return f"{values[name]:,.0f} {unit}" if name in values else f"unknown {unit}"
