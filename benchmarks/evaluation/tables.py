"""Tables of what many checkpoints answered, and the paired tests between them.

    python -m benchmarks.evaluation.tables FOLDER --csv docs/evaluation/checkpoints.csv

FOLDER is the --out of benchmarks.evaluation.checkpoints. The rows go to the CSV; the tables, in
Markdown, to stdout.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from energy.files import write_text_atomic
from glam.evaluation import paired
from glam.evaluation.paired import Difference

COLUMNS = (
    *("suite", "shots", "run", "task", "metric", "items", "value", "stderr", "chance"),
    *("j_per_item", "j_per_right", "j_per_right_low", "j_per_right_high", "flop_per_item"),
)


def documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name of each run and its evaluation."""
    for path in sorted(folder.glob("*/*/evaluation.json")):
        yield path.parent.name, json.loads(path.read_text(encoding="utf-8"))


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each run, suite, number of shots and task that was run."""
    for run, document in documents(folder):
        for task in document["tasks"]:
            if task["run"] is not True:
                continue
            right = task["j_per_correct"]
            values = (
                *(document["suite"], document["shots"], run, task["name"], task["metric"]),
                *(task["n"], task["value"], task["stderr"], task["chance"]),
                *(task["j_per_item"]["value"], right["value"], right["low"], right["high"]),
                task["flop_per_item"],
            )
            yield {name: _plain(value) for name, value in zip(COLUMNS, values, strict=True)}


def _plain(value: Any) -> Any:
    """A number with four digits; "none" where no answer was right."""
    if value is None:
        return "none"
    return float(f"{value:.4g}") if isinstance(value, float) else value


def table(folder: Path, suite: str, shots: int) -> str:
    """One table: a line for each run, a column for each task, in percent."""
    lines: list[str] = []
    for run, document in documents(folder):
        if (document["suite"], document["shots"]) != (suite, shots):
            continue
        ran = [task for task in document["tasks"] if task["run"] is True]
        if not lines:
            titles = ["run", *(task["title"] for task in ran), "mean", "J/right"]
            lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
        values = [f"{100 * task['value']:.1f} ± {100 * task['stderr']:.1f}" for task in ran]
        (mean,) = [row for row in document["averages"] if row["name"].startswith("all ")]
        total = f"{100 * mean['value']:.1f} ± {100 * mean['stderr']:.1f}"
        joules = document["j_per_correct"]
        band = f"{joules['value']:.2g} ({joules['low']:.1g} to {joules['high']:.2g})"
        lines.append(f"| {' | '.join([run, *values, total, band])} |")
    return "\n".join(lines)


def difference(folder: Path, suite: str, first: tuple[str, int], second: tuple[str, int]) -> str:
    """The paired test of two runs and shots, over all items of a suite, as a line."""
    answers = [
        paired.load(folder / f"{suite}-{shots}-shot" / run) for run, shots in (first, second)
    ]
    row: Difference = paired.differences(*answers)[-1]
    names = [f"{run}, {shots} shot" for run, shots in (first, second)]
    gain = f"{100 * (row.second - row.first):+.1f} ± {100 * row.stderr:.1f}"
    return f"| {suite} | {names[0]} | {names[1]} | {row.items} | {gain} | {row.p:.2g} |"


def comparisons(folder: Path, suite: str) -> Iterator[str]:
    """Yield each mixture beside the dense model of its size and seed, and one shot beside none."""
    runs = {path.name for path in folder.glob(f"{suite}-*-shot/*")}
    whole = [
        run
        for run in sorted(runs)
        if all((folder / f"{suite}-{n}-shot" / run / "evaluation.json").exists() for n in (0, 1))
    ]
    for run in whole:
        size, _, seed = run.rpartition("-")
        dense = f"{size.rpartition('-')[0]}-dense-{seed}"
        if run != dense and dense in whole:
            yield difference(folder, suite, (dense, 0), (run, 0))
    for run in whole:
        yield difference(folder, suite, (run, 0), (run, 1))


def main() -> None:
    """Write the rows, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--csv", type=Path, required=True)
    options = parser.parse_args()
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(options.folder))
    write_text_atomic(options.csv, text.getvalue())
    for suite in ("home", "glam29"):
        for shots in (0, 1):
            print(f"\n{suite}, {shots} shot\n\n{table(options.folder, suite, shots)}")
        print(
            "\n| suite | first | second | items | second - first | p |\n|---|---|---|---|---|---|"
        )
        print("\n".join(comparisons(options.folder, suite)))


if __name__ == "__main__":
    main()
