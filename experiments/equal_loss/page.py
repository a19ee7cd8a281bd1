"""The experiment's page, docs/experiment.md, written from its results and nothing else."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from benchmarks.pages import markdown_table
from energy.files import write_text_atomic
from energy.units import J_PER_KWH, count
from experiments.equal_loss import pictures as pictures
from experiments.equal_loss.plan import BATCH, SEQUENCE, SIZES
from experiments.equal_loss.results import SMOOTHED, Told, of_variant, summary

CURVES = "curves-{size}.png"


def write(told: Told, docs: Path) -> Path:
    """Draw the pictures and write the page.

    Args:
        told: the experiment's results.
        docs: folder of the page; pictures go into its folder experiment.
    """
    folder = docs / "experiment"
    folder.mkdir(parents=True, exist_ok=True)
    for size in sizes(told):
        pictures.curves(folder / CURVES.format(size=size), told, size)
    pictures.to_equal_loss(folder / "equal-loss.png", told)
    pictures.predictions(folder / "predictions.png", told)
    pictures.load(folder / "expert-load.png", told)
    parts = [
        claim(told),
        agreement(told),
        models(told),
        losses(told),
        equal_loss(told),
        predicted(told),
        balance(told),
        limits(told),
    ]
    page = docs / "experiment.md"
    write_text_atomic(page, "\n\n".join(parts) + "\n")
    return page


def sizes(told: Told) -> list[str]:
    """Names of the sizes that were trained."""
    return list(dict.fromkeys(run["size"] for run in told["runs"]))


def variants(told: Told) -> list[str]:
    """Names of the variants: "small-16e"."""
    return list(dict.fromkeys(run["variant"] for run in told["runs"]))


def claim(told: Told) -> str:
    """What the article says, and the answer here in a sentence for each mixture."""
    found = summary(told)["variants"]
    answers = [f"- {name}: {answer(one)}" for name, one in found.items() if "joules" in one]
    machine = told["machine"]
    return f"""# Does sparse save energy? An experiment

Written by `make experiment`; `python -m experiments.equal_loss --page` writes it again from
[results.json](experiment/results.json). {told["created_utc"][:10]}, {machine["cpu"]}, one core
({machine["threads"]} thread), float32, torch {machine["torch"]}. Joules are
{pictures.origins(told)}: busy core-seconds of the run times the watts of the processor's row. They
follow the run's time, and prove nothing about watts.

**The article** (Du et al., arXiv:2112.06905): a mixture of experts reaches the quality of a dense
model with about a third of the energy; by our count of its own figures that third is the machine's
doing ([README](../README.md)), and what sparsity buys is quality for equal FLOP.

**Here**, {len(told["runs"])} models of equal active parameters read the same text. To the dense
model's final loss the mixtures spend:

{chr(10).join(answers)}

Below 1 the mixture saves."""


def answer(one: Told) -> str:
    """What a mixture spends to the dense model's final loss, and its loss at equal joules."""
    band = f"80 % band {_band(one['joules_band'])}" if "joules_band" in one else "one seed, no band"
    gained = float(np.mean(one["gain_at_equal_joules"]))
    at_equal = (
        f"at equal joules its loss is {abs(gained):.3f} {'lower' if gained > 0 else 'higher'}"
    )
    if not np.isfinite(one["joules"]):
        who = "not every seed comes" if one["seeds"] > 1 else "it does not come"
        return f"{who} down to that loss ({band}); {at_equal}"
    return (
        f"{_times(one['joules'])} the joules ({band}), {_times(one['quality'])} the tokens; "
        f"{at_equal}"
    )


def agreement(told: Told) -> str:
    """What the article says beside what was found here."""
    found = summary(told)["variants"]
    mixtures = {name: one for name, one in found.items() if "joules" in one}
    lower = {name: float(np.mean(one["gain_at_equal_tokens"])) for name, one in mixtures.items()}
    losses_of = [
        [one["final_loss"] for name, one in mixtures.items() if name.startswith(f"{size}-")]
        for size in sizes(told)
    ]
    steps = [
        before > after for ordered in losses_of for before, after in itertools.pairwise(ordered)
    ]
    saved = [one["joules"] < 1 for one in mixtures.values()]
    least = min(one["joules"] for one in mixtures.values())
    gains = ", ".join(f"{name} {gained:+.3f}" for name, gained in lower.items())
    rows = [
        (
            "for equal FLOP and equal text, sparse is better",
            f"nats lower than dense: {gains}",
            _verdict([gained > 0 for gained in lower.values()]),
        ),
        (
            "more experts are better",
            f"{sum(steps)} of {len(steps)} steps to more experts lower the final loss",
            _verdict(steps),
        ),
        (
            "equal quality costs less energy",
            f"{sum(saved)} of {len(saved)} mixtures reach the dense loss with fewer joules",
            _verdict(saved),
        ),
        (
            "it costs a third",
            f"{least:.2f} of the dense model's joules at best, on one machine",
            "yes" if least <= 1 / 3 else "no",
        ),
    ]
    return f"""## Where it agrees

{markdown_table(("the article", "here", "agrees"), rows)}

The article's third compares two machines, two texts and two models; of these three only the model
differs here. [Below](#joules-to-equal-loss-taken-apart) it is taken apart into FLOP, efficiency and
quality."""


def models(told: Told) -> str:
    """What was trained."""
    firsts = [of_variant(told, name)[0] for name in variants(told)]
    rows = [
        (
            run["variant"],
            count(run["params_total"]),
            count(run["params_active"]),
            f"{run['flop_per_token'] / 1e6:.1f}M",
            f"{run['tokens'] / 1e6:.2f}M",
            str(len(of_variant(told, run["variant"]))),
        )
        for run in firsts
    ]
    shapes = "; ".join(
        f"{size.name}: {size.layers} layers of width {size.width}"
        for size in SIZES
        if size.name in sizes(told)
    )
    heads = ("model", "parameters", "active a token", "model FLOP a token", "tokens", "seeds")
    return f"""## What was trained

{markdown_table(heads, rows)}

{shapes}. Every other layer of a mixture has the experts, top-2, dropless; batches of {BATCH}
sequences of {SEQUENCE}; Adafactor as in the paper; the text is Python's standard library and its
documentation, held out by document. All runs of a size share recipe, tokens and order of the text;
seeds change weights and order. Each was predicted by the simulator before it started."""


def losses(told: Told) -> str:
    """Final losses and curves."""
    rows, found = [], summary(told)["variants"]
    for name in variants(told):
        runs = of_variant(told, name)
        final = [run["curve"][-1] for run in runs]
        loss = found[name]["final_loss"]
        each = ", ".join(f"{point['loss']:.3f}" for point in final)
        seconds = np.mean([point["train_s"] for point in final])
        joules = np.mean([point["energy_j"] for point in final])
        rows.append(
            (
                name,
                f"{loss:.3f}",
                each,
                f"{seconds / 60:.1f} min",
                watt_hours(joules),
                f"{np.mean([run['mfu'] for run in runs]):.0%}",
            )
        )
    pages = "\n\n".join(
        f"![Held-out loss of the {size} models against tokens, time and energy]"
        f"(experiment/{CURVES.format(size=size)})"
        for size in sizes(told)
    )
    heads = (
        "model",
        "final held-out loss",
        "last evaluation, by seed",
        "time of the steps",
        "energy of the steps",
        "share of peak",
    )
    return f"""## Loss against tokens, time and joules

{markdown_table(heads, rows)}

The final loss is the mean of the last {SMOOTHED} evaluations and of all seeds. Lines are means of
the seeds; the first quarter of the text is left out.

{pages}"""


def equal_loss(told: Told) -> str:
    """The decomposition of joules to equal loss."""
    rows = []
    for name, one in summary(told)["variants"].items():
        if "joules" in one:
            band = _band(one["joules_band"]) if "joules_band" in one else "one seed"
            gained = ", ".join(f"{value:+.3f}" for value in one["gain_at_equal_joules"])
            rows.append(
                (
                    name,
                    _times(one["joules"]),
                    band,
                    _times(one["quality"]),
                    f"{one['flop']:.3f}",
                    _times(one["efficiency"]),
                    gained,
                )
            )
    heads = (
        "model",
        "joules to the dense loss",
        "80 % band",
        "= tokens (quality)",
        "x FLOP a token",
        "x joules a FLOP (efficiency)",
        "nats gained at equal joules, by seed",
    )
    return f"""## Joules to equal loss, taken apart

{markdown_table(heads, rows)}

All over the dense model's; the product is exact. The band draws the seeds again, all draws.
"never" is a mixture that did not come down to the dense model's final loss. The last column is the
dense model's final loss less the mixture's when it had spent as many joules.

![Spent to equal loss, over the dense model](experiment/equal-loss.png)

What the sparse models gain they gain as quality for a token. What they lose is the efficiency of
their products: each expert sees few rows of a batch of {BATCH * SEQUENCE} tokens, and its weights
are read and updated all the same. The published gain is at some hundred times the width and a
hundred thousand times the text."""


def predicted(told: Told) -> str:
    """Measured against predicted."""
    found = summary(told)
    rows = [
        (
            run["name"],
            f"{run['predicted_s'][0] / 60:.1f} min",
            f"{run['predicted_s'][1] / 60:.1f} to {run['predicted_s'][2] / 60:.1f}",
            f"{run['measured_s'][0] / 60:.1f} min",
            f"{run['predicted_s'][0] / run['measured_s'][0] - 1:+.1%}",
            watt_hours(run["predicted_j"][0]),
            watt_hours(run["measured_j"][0]),
            f"{run['predicted_j'][0] / run['measured_j'][0] - 1:+.1%}",
        )
        for run in told["runs"]
    ]
    heads = (
        "run",
        "predicted",
        "80 % band / min",
        "measured",
        "error",
        "predicted energy",
        "metered energy",
        "error",
    )
    return f"""## Measured against predicted

{markdown_table(heads, rows)}

Median absolute error of time {found["time_median_abs_rel_error"]:.1%}, of energy
{found["energy_median_abs_rel_error"]:.1%}; {found["time_band_coverage"]:.0%} and
{found["energy_band_coverage"]:.0%} of the runs lie in their 80 % bands. Both sides of energy are
modelled with the same watts, so its error is that of time and of how busy the core was.

![Predicted over measured time](experiment/predictions.png)"""


def balance(told: Told) -> str:
    """The load of the experts."""
    rows = []
    for run in told["runs"]:
        if run["load"] and run["seed"] == 0:
            shares = [np.array(point["load"]) * run["experts"] for point in run["load"]]
            rows.append(
                (
                    run["variant"],
                    f"{shares[0].max():.2f}",
                    f"{shares[-1].max():.2f}",
                    f"{shares[-1].min():.2f}",
                )
            )
    heads = ("model", "busiest expert, first", "busiest expert, last", "idlest expert, last")
    return f"""## Load of the experts

{markdown_table(heads, rows)}

Tokens of one expert in one batch over the mean, worst of all mixture layers, first seed.

![Load of the busiest and the idlest expert over training](experiment/expert-load.png)"""


def limits(told: Told) -> str:
    """What the experiment cannot say."""
    return f"""## What this does not show

- Models of {told["runs"][0]["params_active"] / 1e6:.2f}M active parameters that read
  {told["runs"][0]["tokens"] / 1e6:.1f}M tokens are small, whatever separates them. The rate
  is constant, so that a loss on the way compares with one at the end; losses jump by about a
  hundredth of a nat between evaluations.
- Three seeds give a narrow view of the spread, one seed none.
- No joule was read from a counter, and the machine did other work on its other core, which may have
  slowed some runs more than others. Orders of a few percent are not signal.
- One core has no network: what all-to-all messages cost a sparse model on a cluster is not here."""


def watt_hours(joules: float) -> str:
    """Energy as a table shows it."""
    return f"{joules / J_PER_KWH * 1e3:.2f} Wh"


def _verdict(held: list[bool]) -> str:
    if all(held):
        return "yes"
    return "in part" if any(held) else "no"


def _times(value: float) -> str:
    return f"{value:.2f} x" if np.isfinite(value) else "never"


def _band(ends: tuple[float, float]) -> str:
    low, high = ends
    return f"{low:.2f} to {high:.2f}" if np.isfinite(high) else f"{low:.2f} to never"
