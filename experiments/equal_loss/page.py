"""The experiment's page, docs/experiment.md, written from its results and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from energy.files import write_text_atomic
from experiments.equal_loss import pictures, tables
from experiments.equal_loss.plan import BATCH, SEQUENCE, SIZES
from experiments.equal_loss.results import SMOOTHED, Json, groups, mixtures, size_names, summary

CURVES = "curves-{}.png"

HEADLINE = ("small", "glam")
"""Size and family of the models of the first picture."""


def write(results: Json, docs: Path) -> Path:
    """Draw the pictures, write the page and return its path.

    Args:
        results: of the experiment.
        docs: folder of the page; pictures go into its subfolder experiment.
    """
    folder = docs / "experiment"
    folder.mkdir(parents=True, exist_ok=True)
    for of in groups(results):
        pictures.curves(folder / CURVES.format("-".join(of)), results, of)
    if HEADLINE in groups(results):
        pictures.curves(folder / "at-equal-joules.png", results, HEADLINE, ["energy_j"])
    pictures.to_equal_loss(folder / "equal-loss.png", results)
    pictures.predictions(folder / "predictions.png", results)
    pictures.load(folder / "expert-load.png", results)
    sections = [
        introduction(results),
        agreement(results),
        models(results),
        losses(results),
        equal_loss(results),
        predictions(results),
        balance(results),
        limits(results),
    ]
    page = docs / "experiment.md"
    write_text_atomic(page, "\n\n".join(sections) + "\n")
    return page


def introduction(results: Json) -> str:
    """The paper's claim, and the answer here in a sentence for each mixture."""
    answers = [f"- {name}: {answer(variant)}" for name, variant in mixtures(results).items()]
    machine = results["machine"]
    formats = sorted({run.get("precision", "float32") for run in results["runs"]})
    headline = (
        "\n\n![Validation loss of the small glam models against joules]"
        "(experiment/at-equal-joules.png)"
        if HEADLINE in groups(results)
        else ""
    )
    return f"""# Does sparsity save energy? An experiment

Written by `make experiment`; `python -m experiments.equal_loss --page` writes it again from
[results.json](experiment/results.json). {results["created_utc"][:10]}, {machine["cpu"]}, one core
({machine["threads"]} thread), {" and ".join(formats)}, torch {machine["torch"]}. Joules are
{pictures.origins(results)}: busy core-seconds of the steps times the processor's power in the
catalog. They follow the time of the steps and say nothing about power.

**The paper** (Du et al., arXiv:2112.06905): a mixture of experts reaches the quality of a dense
model with about a third of the energy. By our account of its own figures that third comes from the
machine ([README](../README.md)), and what sparsity buys is quality for equal FLOP.

**Here**, {len(results["runs"])} models of equal active parameters read the same text. To reach the
dense model's final loss the mixtures spend:

{chr(10).join(answers)}

Below 1 the mixture saves.{headline}"""


def answer(variant: Json) -> str:
    """What a mixture spends to the dense model's final loss, and its loss at equal joules."""
    if "joules_band" in variant:
        band = f"80 % band {tables.band(variant['joules_band'])}"
    else:
        band = "one seed, no band"
    gain = float(np.mean(variant["gain_at_equal_joules"]))
    at_equal = f"at equal joules its loss is {abs(gain):.3f} {'lower' if gain > 0 else 'higher'}"
    if not np.isfinite(variant["joules"]):
        who = (
            "not every seed reaches"
            if variant["seeds"] > 1
            else "with its one seed it does not reach"
        )
        return f"{who} that loss; {at_equal}"
    return (
        f"{tables.times(variant['joules'])} the joules ({band}), "
        f"{tables.times(variant['quality'])} the tokens; {at_equal}"
    )


def agreement(results: Json) -> str:
    """The section that compares the paper's claims with the results."""
    return f"""## Where it agrees

{tables.agreement(results)}

The paper's third compares two machines, two texts and two models; here only the models differ.
[Below](#joules-to-equal-loss-decomposed) the ratio is decomposed into quality, FLOP and
efficiency."""


def models(results: Json) -> str:
    """The section about what was trained."""
    shapes = "; ".join(
        f"{size.name}: {size.layers} layers of width {size.width}"
        for size in SIZES
        if size.name in size_names(results)
    )
    return f"""## What was trained

{tables.models(results)}

{shapes}. {families(results)}

In a mixture every other layer has experts, top-2 and dropless. Batches of {BATCH} sequences of
{SEQUENCE} tokens; Adafactor as in the paper. The text is Python's standard library and its
documentation; validation is on whole documents that training never reads. All runs of a size share
recipe and number of tokens; the seed sets the weights and the order of the text. Each run was
predicted by the simulator before it started."""


def families(results: Json) -> str:
    """What the families of the results are, in a sentence each."""
    words = {
        "glam": "Family glam is the model of GLaM's authors, plain that of its paper alone "
        "([what differs](trainer.md#families)).",
        "plain": "All are of family plain, GLaM from its paper alone; the model of GLaM's authors, "
        "which is the trainer's default, has not been through this experiment yet "
        "([what differs](trainer.md#families)).",
    }
    trained = {family for _, family in groups(results)}
    return words["glam" if "glam" in trained else "plain"]


def losses(results: Json) -> str:
    """The section with final losses and curves."""
    images = "\n\n".join(
        f"![Validation loss of the {size} {family} models against tokens, time and energy]"
        f"(experiment/{CURVES.format(f'{size}-{family}')})"
        for size, family in groups(results)
    )
    return f"""## Loss against tokens, time and joules

{tables.losses(results)}

The final loss is the mean over the last {SMOOTHED} evaluations and over all seeds. Lines are means
over the seeds; the first quarter of the text is not shown. {costs(results)}

{images}"""


def costs(results: Json) -> str:
    """How the seconds and joules of a step were measured, in words."""
    measured = results.get("costs")
    if not measured:  # stored before costs were measured in turns
        return "Time and energy are those of each run, one after the other."
    spread = max(
        (cost["energy_j_three_quarters"] - cost["energy_j_quarter"]) / cost["energy_j"]
        for cost in measured.values()
    )
    rounds = min(cost["rounds"] for cost in measured.values())
    return (
        "Time and energy are tokens times the cost of a token, which all trained models of the "
        f"first seed were metered for in turns, in one process: medians of {rounds} rounds, of "
        f"which the middle half lies within {spread:.1%} of the median at most."
    )


def equal_loss(results: Json) -> str:
    """The section that decomposes the joules to equal loss."""
    return f"""## Joules to equal loss, decomposed

{tables.equal_loss(results)}

All are ratios to the dense model, and the product is exact. The band is a bootstrap over the seeds,
with all resamples. "never": the mixture did not reach the dense model's final loss. The last column
is the dense model's final loss minus the mixture's after as many joules.

![Spent to equal loss, over the dense model](experiment/equal-loss.png)

What the sparse models gain is quality per token. What they lose is efficiency: each expert sees few
rows of a batch of {BATCH * SEQUENCE} tokens, and its weights are read and updated all the same. The
paper's gain is at some hundred times the width and a hundred thousand times the text."""


def predictions(results: Json) -> str:
    """The section that compares measured with predicted."""
    figures = summary(results)
    note = "".join(f"\n{line}" for line in results.get("notes_on_predictions", ()))
    return f"""## Measured against predicted

{tables.predictions(results)}

The median absolute error of time is {figures["time_median_abs_rel_error"]:.1%}, that of energy
{figures["energy_median_abs_rel_error"]:.1%}; {figures["time_band_coverage"]:.0%} and
{figures["energy_band_coverage"]:.0%} of the runs lie in their 80 % bands. Energy is modelled with
the same power on both sides, so its error is that of time and of how busy the core was. Measured is
here what each run took and spent as it came, with the machine's other work beside it.{note}

![Predicted over measured time](experiment/predictions.png)"""


def balance(results: Json) -> str:
    """The section about the load balance of the experts."""
    return f"""## Load balance of the experts

{tables.load(results)}

Tokens of one expert in one batch over the mean, worst of all MoE layers, first seed.

![Load of the busiest and the least busy expert over training](experiment/expert-load.png)"""


def limits(results: Json) -> str:
    """The section about what the experiment does not show."""
    run = results["runs"][0]
    return f"""## What this does not show

- Models with {run["params_active"] / 1e6:.2f}M active parameters are small, and so are
  {run["tokens"] / 1e6:.1f}M tokens. The learning rate is constant, so that a loss along the way is
  comparable with one at the end; losses jump by about a hundredth of a nat between evaluations.
- Three seeds give a narrow view of the spread, one seed none.
- No joule was read from a counter, and the machine did other work on its other core. Differences
  of a few percent are not significant.
- One core has no network: what all-to-all costs a sparse model on a cluster does not show here."""
