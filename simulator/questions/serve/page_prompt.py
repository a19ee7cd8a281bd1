"""The page of `simulator serve published-prompt`."""

from __future__ import annotations

from typing import Any

from energy.reports.terminal import table
from simulator.kit.answer import Terminal
from simulator.questions.serve.prompt import Prompt

SHARES = ("chip", "host", "idle", "facility")


def page(answer: Prompt, console: Terminal) -> None:
    """Print each rung beside the published share, and where the inputs come from."""
    console.print(answer.headline, style="bold", markup=False)
    console.print()
    rows = table("up to", "joules", "Wh", "share", "published", "origin")
    for rung, name in zip(answer.ladder, SHARES, strict=True):
        value = rung.total.numbers()[0]
        rows.add_row(
            rung.name,
            f"{value:.0f} J",
            f"{value / 3600:.3f}",
            f"{rung.share:.1%}",
            f"{float(answer.published[name]):.0%}",
            str(rung.total.origin),
        )
    console.print(rows)
    console.print(f"inputs: {answer.published['source']}; PUE {answer.published['pue']}")


def as_json(answer: Prompt) -> dict[str, Any]:
    """The rungs, and the published figures."""
    return {
        "energy_wh": answer.total_wh,
        "ladder": [
            {
                "name": rung.name,
                "boundary": str(rung.boundary),
                "j": rung.total,
                "share": rung.share,
                "published_share": answer.published[name],
            }
            for rung, name in zip(answer.ladder, SHARES, strict=True)
        ],
        "published": dict(answer.published),
    }
