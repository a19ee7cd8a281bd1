"""The page of the experts, docs/results-experts.md, written from their studies and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.pages import markdown_table
from energy.files import write_text_atomic
from glam.specialization.page import title_of

Json = dict[str, Any]

LABELS = ("domain", "token_class", "position", "domain_of_same_token")
SIGNIFICANT = 0.05


def write(results: Json, docs: Path) -> Path:
    """Write the page and return its path.

    Args:
        results: studies by name of the model.
        docs: folder of the page; its pictures are in the folder experts there.
    """
    sections = [introduction(results), scores(results), growth(results), costs(results)]
    sections.append(pictures(results, docs))
    page = docs / "results-experts.md"
    write_text_atomic(page, "\n\n".join(filter(None, sections)) + "\n")
    return page


def introduction(results: Json) -> str:
    """What was studied, and in how many layers the experts tell more than random routers."""
    first = next(iter(results.values()))
    documents = ", ".join(f"{count} {name}" for name, count in first["documents"].items())
    return f"""# What the experts of the experiment take

Written by `python -m experiments.experts` from [results.json](experts/results.json); what is
measured, and how, is in [experts.md](experts.md). Mixtures of `make experiment`, family `glam`,
seed 0, {first["tokens"]:,} validation tokens of the Python standard library (documents:
{documents}), {first["permutations"]:,} permutations, {first["random_routers"]} random routers,
experts switched off one at a time over {first["off_tokens"]:,} tokens.

**The claim**, that experts specialize, tested by layer (p < 0.05 by permutations, and against
random routers; effect in points of the score against them; these p are not corrected over layers,
and of 99 routers none is below 0.01):

{answer(results)}"""


def answer(results: Json) -> str:
    """The claim, tested, a line for each label."""
    rows = [score for _, _, score in _layers(results)]
    sentences = []
    for name in LABELS:
        own = [score[name] for score in rows]
        by_chance = sum(score["p"] < SIGNIFICANT for score in own)
        learned = sum(score["random_p"] < SIGNIFICANT for score in own)
        effects = [100 * score["effect"] for score in own]
        sentences.append(
            f"- {title_of(name)}: above chance in {by_chance} of {len(own)} layers, above random "
            f"routers in {learned}; effect {min(effects):+.2f} to {max(effects):+.2f}, median "
            f"{median(effects):+.2f}"
        )
    return "\n".join(sentences)


def scores(results: Json) -> str:
    """The scores of each layer."""
    rows = []
    for name, layer, score in _layers(results):
        for label in LABELS:
            own = score[label]
            rows.append(
                (
                    f"{name}, layer {layer['layer']}",
                    title_of(label),
                    f"{100 * own['value']:.2f}",
                    f"{100 * own['chance']:.2f}",
                    f"{own['p']:.2g}",
                    f"{100 * own['random']:.2f} ± {100 * own['random_sd']:.2f}",
                    f"{own['random_p']:.2g}",
                    f"{100 * own['effect']:+.2f} ({own['effect'] / own['random_sd']:+.1f})",
                    _significant(layer, label),
                    f"{layer['busiest']:.2f}, {layer['idlest']:.2f}",
                )
            )
    head = (
        *("layer", "label", "score (%)", "chance", "p", "random", "p", "effect (sd)"),
        *("experts with p < 0.05 (Holm)", "busiest, idlest expert / mean"),
    )
    return "## Scores\n\n" + markdown_table(head, rows)


def growth(results: Json) -> str:
    """The scores of each layer by step, where a run kept several checkpoints."""
    rows = [
        (
            f"{name}, layer {layer['layer']}",
            str(study["step"]),
            f"{study['loss']:.3f}",
            *(
                f"{100 * layer['scores'][label]['value']:.2f} "
                f"({100 * layer['scores'][label]['effect']:+.2f})"
                for label in LABELS
            ),
            f"{100 * layer['settled']:.0f}",
            f"{layer['busiest']:.2f}",
        )
        for name, result in results.items()
        if len(result["growth"]) > 1
        for index in range(len(result["layers"]))
        for study in result["growth"]
        for layer in [study["layers"][index]]
    ]
    if not rows:
        return ""
    head = (
        "layer",
        "step",
        "loss",
        *map(title_of, LABELS),
        "choices as at the end (%)",
        "busiest / mean",
    )
    return (
        "## Growth\n\nScores in percent, and their effect against random routers. Step 0 is the "
        "weights that the run began with.\n\n" + markdown_table(head, rows)
    )


def costs(results: Json) -> str:
    """What the loss rises by without each expert, a table for each size."""
    parts = ["## Each expert switched off\n\nNats a token, with the standard error over documents."]
    for size in dict.fromkeys(name.split("-")[0] for name in results):
        own = [
            (f"{name}, layer {layer['layer']}", layer["experts"])
            for name, layer, _ in _layers(results)
            if name.startswith(size) and layer["experts"][0]["off"]
        ]
        most = max((len(experts) for _, experts in own), default=0)
        rows = [(str(row), *(_cost(experts, row) for _, experts in own)) for row in range(most)]
        if rows:
            parts.append(markdown_table(("expert", *(title for title, _ in own)), rows))
    return "\n\n".join(parts) if len(parts) > 1 else ""


def pictures(results: Json, docs: Path) -> str:
    """The pictures of each layer, and of growth."""
    lines = ["## Pictures"]
    for name in results:
        for path in sorted((docs / "experts" / name).glob("*.png")):
            lines.append(f"![{name}: {path.stem}](experts/{name}/{path.name})")
    return "\n\n".join(lines)


def _layers(results: Json) -> Iterator[tuple[str, Json, Json]]:
    for name, result in results.items():
        for layer in result["layers"]:
            yield name, layer, layer["scores"]


def _significant(layer: Json, label: str) -> str:
    if label not in layer["experts"][0]["takes"]:
        return ""
    own = sum(expert["takes"][label]["p"] < SIGNIFICANT for expert in layer["experts"])
    return f"{own} of {len(layer['experts'])}"


def _cost(experts: list[Json], row: int) -> str:
    if row >= len(experts):
        return ""
    off = experts[row]["off"]
    return f"{off['nats']:+.4f} ± {off['stderr']:.4f}"
