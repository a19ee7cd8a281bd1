"""The page of `simulator validate --serving`."""

from __future__ import annotations

from energy.reports.terminal import table
from simulator.kit.answer import Terminal
from simulator.questions.validate.page_summary import skipped_lines, summary_cells
from simulator.questions.validate.serving import ServingValidation

LABELS = {"j_per_token": "joules a token", "itl_s": "time between tokens"}


def serving_page(validation: ServingValidation, console: Terminal) -> None:
    """Print the errors of both figures: all rows, by kind and by family."""
    how = "families left out of the fit" if validation.folds else "by the constants as they are"
    rows = table(
        f"served models, {how}",
        "rows",
        "median",
        "mean",
        "90th",
        "signed",
        "in 80 % band",
        "high / low",
        "by publisher",
    )
    for figure, label in LABELS.items():
        for name, summary in validation.summaries(figure).items():
            if summary.n:
                rows.add_row(f"{label}, {name}", *summary_cells(summary))
        for name, summary in validation.by_family(figure).items():
            if summary.n:
                rows.add_row(f"  {name}", *summary_cells(summary))
    console.print(rows)
    assumed = {row.model_name: row.known_as for row in validation.table.rows if row.is_assumed}
    for name, known_as in assumed.items():
        console.print(f"assumed: {name} has the {known_as}", markup=False)
    for line in skipped_lines(validation.table.skipped, "rows"):
        console.print(line, markup=False)
