"""The command `simulator`: each verb parses, calls and prints; heavy imports stay inside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from energy.console import guard, print_json
from simulator.cli_budgets import budgets
from simulator.cli_fronts import fronts
from simulator.cli_options import Explain, Json, Plot, Set, draw, examples, overridden, tell
from simulator.cli_plan import plans
from simulator.cli_questions import questions
from simulator.cli_validation import validation

if TYPE_CHECKING:
    from simulator.plots import Panel

app = typer.Typer(
    name="simulator",
    help="What a training run would spend: FLOP, time, energy, CO2, before it is run.",
    epilog="Exit codes: 0 yes, 2 usage, 3 infeasible, 4 data missing, 5 outside tolerance.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command; errors become one line and an exit code."""
    guard(app)


@app.callback()
def simulator() -> None:
    """What a training run would spend: FLOP, time, energy, CO2, before it is run."""


@app.command(
    epilog=examples("simulator init my-run.toml", "simulator init my-run.toml --from glam-64b-64e")
)
def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("scenario.toml"),
    preset: Annotated[str | None, typer.Option("--from", help="Start from this preset.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented scenario file that is valid as it stands."""
    from energy.errors import InputError
    from energy.files import write_text_atomic
    from simulator.scenario import starting_text

    if path.exists() and not force:
        raise InputError(f"expected no file at {path}", "one that is there", "--force replaces it")
    write_text_atomic(path, starting_text(preset))
    typer.echo(f"wrote {path}; ask it with: simulator predict {path}")


@app.command(
    epilog=examples(
        "simulator predict glam-64b-64e --explain",
        "simulator predict my-run.toml --zone FR --out runs/my-run",
        "simulator predict glam-mini-16e --hardware machine.toml --steps 200 --out runs/predicted",
        "simulator predict --model glam-8b --chip h100 --chips 256 --tokens 300e9 --batch 512",
    )
)
def predict(
    name: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="A preset or a scenario file.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Instead of a scenario: a model of the catalog.")
    ] = None,
    tokens: Annotated[float | None, typer.Option(help="Tokens of the run.")] = None,
    steps: Annotated[int | None, typer.Option(help="Instead of tokens: optimiser steps.")] = None,
    batch: Annotated[int | None, typer.Option(help="Sequences of one optimiser step.")] = None,
    seq_len: Annotated[int | None, typer.Option(help="Tokens of a sequence.")] = None,
    chip: Annotated[str | None, typer.Option(help="A chip of the catalog.")] = None,
    count: Annotated[int | None, typer.Option("--chips", help="How many chips.")] = None,
    hardware: Annotated[
        Path | None, typer.Option(help="Instead of a chip: a machine that was calibrated.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Grid zone.")] = None,
    overrides: Set = None,
    out: Annotated[Path | None, typer.Option(help="Write record.json into this folder.")] = None,
    explain: Explain = False,
    as_json: Json = False,
) -> None:
    """Predict FLOP, time, energy, CO2, water and cost of a run before it is run."""
    from simulator import scenario, show
    from simulator.explain import as_json as tree_json
    from simulator.explain import lines
    from simulator.predict import predict as answer

    laid = scenario.quick(
        tokens=tokens,
        steps=steps,
        batch=batch,
        seq_len=seq_len,
        chip=chip,
        count=count,
        machine=hardware,
        zone=zone,
    ) | overridden(overrides)
    found = answer(scenario.named(name, model, laid))
    if out is not None:
        found.record.save(out / "record.json")
    if as_json:
        told = found.record.model_dump(mode="json")
        print_json(told | ({"explain": [tree_json(t) for t in found.trees()]} if explain else {}))
        return
    show.prediction(found.record)
    if explain:
        for tree in found.trees():
            typer.echo("\n" + "\n".join(lines(tree)))


@app.command(
    epilog=examples(
        "simulator compare glam-64b-64e gpt3-175b --accounting as-published --plot compare.png",
        "simulator compare glam-64b-64e gpt3-175b --equal flop",
        "simulator compare gpt3-175b glam-64b-64e --equal quality --law krajewski-2024",
        "simulator compare glam-64b-64e glam-137b --basis predicted --json",
    )
)
def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="A B [...]", help="Presets, scenario files or records.")
    ],
    basis: Annotated[str, typer.Option(help="auto, published or predicted.")] = "auto",
    accounting: Annotated[
        str | None,
        typer.Option(help="CO2 by location (gross), market (net) or as-published: gross with net."),
    ] = None,
    equal: Annotated[
        str | None,
        typer.Option(
            help="Hold tokens, flop, energy, time or quality equal: later runs are rescaled."
        ),
    ] = None,
    law: Annotated[
        str | None, typer.Option(help="With --equal quality: the law of loss that is used.")
    ] = None,
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Set runs side by side, and take their ratio apart.

    model x machine x mechanisation (PUE) = energy; x map (grid) = CO2.
    """
    from energy.errors import InputError
    from simulator import show_compare
    from simulator.compare import decompose
    from simulator.quality import held_equal as equal_quality
    from simulator.sides import choose_basis, held_equal, read, sides

    if len(names) < 2:
        raise InputError("expected two runs or more to compare", ", ".join(names))
    if law is not None and equal != "quality":
        raise InputError("expected --law with --equal quality", law)
    found = read(names, overridden(overrides))
    chosen = choose_basis(found, basis)
    quality = equal_quality(found, chosen, accounting, law) if equal == "quality" else None
    if quality is not None:
        both, ratios = quality.sides, quality.ratios
    else:
        both = (
            sides(found, chosen, accounting)
            if equal is None
            else held_equal(found, chosen, accounting, equal)
        )
        ratios = [decompose(both[0], side, mixed=accounting is not None) for side in both[1:]]
    told = (both, ratios, chosen, explain, quality)

    def panels() -> list[Panel]:
        from simulator.plots_compare import comparison

        return comparison(both, ratios)

    draw(plot, panels, lambda: show_compare.page(*told), size=(6.5, 2.6))
    print_json(show_compare.as_json(*told)) if as_json else show_compare.page(*told)


@app.command(
    epilog=examples(
        "simulator sensitivity gpt3-175b --basis published",
        "simulator sensitivity glam-mini-16e --of energy --plot tornado.png",
    )
)
def sensitivity(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="A preset or a scenario file.")],
    of: Annotated[str, typer.Option(help="The answer: time, energy or co2.")] = "co2",
    basis: Annotated[str, typer.Option(help="auto, published or predicted.")] = "predicted",
    accounting: Annotated[
        str, typer.Option(help="CO2 by location (gross), market (net) or as-published.")
    ] = "as-published",
    overrides: Set = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
) -> None:
    """Say which assumption moves the answer: a tornado, then all of them together."""
    from simulator import sensitivity as moved
    from simulator import show_sensitivity
    from simulator.sides import choose_basis, read, sides

    found = read([name], overridden(overrides))
    (side,) = sides(found, choose_basis(found, basis), accounting)
    answer = moved.answer(side.trees, of)
    told = (side.name, answer, moved.tornado(answer), moved.together(answer))

    def panels() -> list[Panel]:
        from simulator.plots_compare import tornado

        return [lambda axes: tornado(*told, axes)]

    draw(plot, panels, lambda: show_sensitivity.page(*told))
    tell(
        lambda: show_sensitivity.page(*told),
        lambda: show_sensitivity.as_json(*told),
        answer if explain else None,
        as_json,
    )


@app.command(epilog=examples("simulator models", "simulator models glam-64b-64e --json"))
def models(
    names: Annotated[list[str] | None, typer.Argument(help="Models; all without one.")] = None,
    as_json: Json = False,
) -> None:
    """List models: counted and published parameters, shape, source."""
    from energy import catalog
    from simulator import show_catalog

    rows = [catalog.model(name) for name in names] if names else list(catalog.models())
    print_json(show_catalog.models_json(rows)) if as_json else show_catalog.models(rows)


@app.command(epilog=examples("simulator chips", "simulator chips h100 tpu-v4 --json"))
def chips(
    names: Annotated[list[str] | None, typer.Argument(help="Chips; all without one.")] = None,
    as_json: Json = False,
) -> None:
    """List chips: dense peaks, memory, watts, source."""
    from energy import catalog
    from simulator import show_catalog

    rows = [catalog.chip(name) for name in names] if names else list(catalog.chips())
    print_json(show_catalog.chips_json(rows)) if as_json else show_catalog.chips(rows)


app.add_typer(plans)
app.add_typer(questions)
app.add_typer(validation)
app.add_typer(budgets)
app.add_typer(fronts)


if __name__ == "__main__":  # python -m simulator.cli
    main()
