"""What do the experts of the experiment's mixtures take? All layers of both sizes, first seed.

Studies the trained mixtures of `make experiment` with `glam experts`: against permutations and
routers with random weights, each expert switched off, at every checkpoint that a run kept. Results
and pictures go to docs/experts, and a page is written from them. A study that is in the results is
not made again.

    python -m experiments.experts [--runs runs/experiment] [--docs docs]
    python -m experiments.experts --page             the page again, from the stored results
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.guard import guard
from experiments.equal_loss.plan import HOURS, runs
from experiments.experts import page
from glam.specialization import picture
from glam.specialization.run import Text, study_checkpoints

TOKENS, OFF_TOKENS, PERMUTATIONS, ROUTERS = 204_800, 65_536, 4999, 99


def main() -> None:
    """Study the experts from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/experiment"), help="folder of the experiment"
    )
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder for the page")
    parser.add_argument("--page", action="store_true", help="write the page from stored results")
    options = parser.parse_args()
    guard(lambda: study(options.runs, options.docs, only_page=options.page))


def study(folder: Path, docs: Path, *, only_page: bool = False) -> None:
    """Study what is not studied yet, and write the page.

    Raises:
        InputError: there are no trained mixtures, or no results to write a page from.
    """
    stored = docs / "experts" / "results.json"
    results = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
    if not only_page:
        names = [run.variant for run in runs(HOURS) if run.seed == 0 and run.family == "glam"]
        for name in names:
            run = folder / f"{name}-seed0" / "run"
            if name.endswith("dense") or name in results or not run.exists():
                continue
            text = Text((), TOKENS, OFF_TOKENS)
            experts = study_checkpoints([run], text, permutations=PERMUTATIONS, routers=ROUTERS)
            picture.save(docs / "experts" / name, experts)
            results[name] = without_shares(experts.as_json())
            write_text_atomic(stored, json.dumps(results) + "\n")
    if not results:
        raise InputError(
            f"expected trained mixtures in {folder}", "none", "run make experiment first"
        )
    print(page.write(results, docs))


def without_shares(document: dict[str, Any]) -> dict[str, Any]:
    """Return a study without the shares of every label, which its pictures show."""
    for layer in document["layers"]:
        for expert in layer["experts"]:
            for takes in expert["takes"].values():
                takes.pop("shares", None)
    return document


if __name__ == "__main__":
    main()
