"""The study of a run's experts, for a terminal."""

from __future__ import annotations

import math

from energy.reports.terminal import console, table
from glam.specialization.results import SIGNIFICANT, Experts
from glam.specialization.study import LABELS, LayerStudy
from glam.specialization.switch_off import Cost
from glam.specialization.windows import SPACE

SPACES = "\N{OPEN BOX}"


def show(experts: Experts) -> None:
    """Print the scores of each layer, its experts, and how they grew."""
    out, last = console(), experts.last
    windows, length = experts.windows.size
    print(
        f"{experts.name} at step {last.step}: {windows * length:,} validation tokens of "
        f"{sum(experts.windows.documents_by_domain().values())} documents, "
        f"loss {last.loss:.3f} nats"
    )
    out.print()
    out.print(_scores(experts))
    for layer in last.layers:
        out.print()
        out.print(_layer(layer))
    if len(experts.studies) > 1:
        out.print()
        out.print(_growth(experts))
    out.print()
    for note in notes(experts):
        print(note)


def notes(experts: Experts) -> list[str]:
    """Return in sentences what the tables do not say."""
    plan = experts.plan
    lines = [
        "score: share of the label's entropy that the expert of a token removes (uncertainty "
        "coefficient)",
        f"chance: {plan.permutations:,} permutations of labels, over documents or within windows",
        f"*: p < {SIGNIFICANT:g} after Holm's correction over {experts.tested} experts",
    ]
    if plan.routers:
        lines.append(
            f"random: {plan.routers} routers with random weights on the same hidden states; "
            "effect: score less theirs"
        )
    if experts.tested > SIGNIFICANT * (plan.permutations + 1):
        lines.append(
            f"with {plan.permutations:,} permutations no expert can be significant; "
            f"raise --permutations to {int(experts.tested / SIGNIFICANT * 2):,}"
        )
    if plan.off_windows:
        tokens = plan.off_windows * experts.windows.size[1]
        lines.append(
            f"off: nats a token that the loss rises by without the expert, over {tokens:,} tokens, "
            "with its standard error over documents"
        )
    return lines


def visible(token: str) -> str:
    """A token with its spaces and line ends as signs, many spaces by their number."""
    spaces = len(token) - len(token.lstrip(SPACE))
    before = SPACES * spaces if spaces < 3 else f"{spaces} x {SPACES}"
    return before + token[spaces:].replace("\n", "\N{RETURN SYMBOL}").replace(SPACE, SPACES)


def title_of(name: str) -> str:
    """The name of a label in words."""
    return name.replace("_", " ").replace("of same token", "of the same token")


def chance_word(p: float) -> str:
    """A p value in words short enough for a table."""
    return "-" if math.isnan(p) else f"{p:.2g}"


def _scores(experts: Experts) -> object:
    columns = (
        "layer",
        "score",
        "chance",
        "p",
        "random",
        "p random",
        "effect",
        "experts with p < 0.05",
    )
    lines = table("label", *columns, title="What the expert of a token tells of it, percent")
    for layer in experts.last.layers:
        for name, score in layer.scores.items():
            count = ""
            if name in layer.specialties:
                significant = int((layer.specialties[name].p < SIGNIFICANT).sum())
                count = f"{significant} of {len(layer.load)}"
            lines.add_row(
                title_of(name),
                str(layer.layer),
                f"{100 * score.value:.2f}",
                f"{100 * score.chance:.2f}",
                chance_word(score.p),
                _percent(score.random),
                chance_word(score.random_p),
                _percent(score.effect, sign="+"),
                count,
            )
    return lines


def _percent(value: float, sign: str = "") -> str:
    return "-" if math.isnan(value) else f"{100 * value:{sign}.2f}"


def _layer(layer: LayerStudy) -> object:
    n_experts = len(layer.load)
    title = (
        f"Layer {layer.layer}: busiest expert {layer.load.max() * n_experts:.2f} x mean load, "
        f"idlest {layer.load.min() * n_experts:.2f} x"
    )
    titles = [title_of(name) for name in LABELS]
    columns = ("expert", "load", *titles, *(["off"] if layer.costs else []), "tokens")
    lines = table(*columns, title=title, left=(*titles, "tokens"))
    for expert in range(n_experts):
        cost = layer.costs[expert] if layer.costs else None
        price = [_price(cost)] if cost else []
        lines.add_row(
            str(expert),
            f"{layer.load[expert] * n_experts:.2f} x",
            *(_taken(layer, name, expert) for name in LABELS),
            *price,
            " ".join(visible(token) for token in layer.tokens[expert][:5]),
        )
    return lines


def _price(cost: Cost) -> str:
    error = "" if math.isnan(cost.stderr) else f" +- {cost.stderr:.4f}"
    return f"{cost.nats:+.4f}{error}"


def _taken(layer: LayerStudy, name: str, expert: int) -> str:
    """The label that an expert takes most above the others, "code 1.4 x *"."""
    specialty = layer.specialties[name]
    most = int(specialty.lift[expert].argmax())
    star = " *" if specialty.p[expert] < SIGNIFICANT else ""
    return f"{specialty.labels[most]} {specialty.lift[expert, most]:.1f} x{star}"


def _growth(experts: Experts) -> object:
    names = list(experts.last.layers[0].scores)
    columns = ("step", "loss", "layer", *map(title_of, names), "as at the end", "busiest")
    lines = table(*columns, title="How it grew: score less that of random routers, percent")
    for study in experts.studies:
        settled = experts.settled(study)
        for index, layer in enumerate(study.layers):
            lines.add_row(
                str(study.step),
                f"{study.loss:.3f}",
                str(layer.layer),
                *(_percent(layer.scores[name].effect, sign="+") for name in names),
                f"{100 * settled[index]:.0f}",
                f"{layer.load.max() * len(layer.load):.2f} x",
            )
    return lines
