"""Items of the suite: what a task asks, in one of four forms.

| form | fields |
|---|---|
| choice | `query`, `choices`, `gold`: the index of the right one, or a list of indices |
| schema | `context_options`, `continuation`, `gold`: the same ending after several beginnings |
| cloze | `context`, `continuation`: the last word of a text |
| question | `context`, `answer`, `aliases`: a short text, and what else is right |

These are the fields of the public MosaicML evaluation set. Files may have them, or the fields that
a data set has on the hub, which `glam.evaluation.rows` turns into these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]
Item = dict[str, Any]

FORMS = {
    "choice": ("query", "choices", "gold"),
    "schema": ("context_options", "continuation", "gold"),
    "question": ("context", "answer", "aliases"),
    "cloze": ("context", "continuation"),
}


class Items(list[Item]):
    """Items of a task, with what lm-eval reads of a data set."""

    @property
    def features(self) -> dict[str, None]:
        """The fields that all items have."""
        return dict.fromkeys(self[0] if self else ())


def rows(convert: Callable[[Row], Item | list[Item]]) -> Callable[[Iterable[Row]], Items]:
    """Make a function of one row one of all rows of a split, as lm-eval calls it.

    Args:
        convert: makes an item of a row of a data set, or all items of a dialogue. Rows that are
            items already it does not see.
    """

    def process(docs: Iterable[Row]) -> Items:
        items = Items()
        for row in docs:
            made = as_item(row) if is_item(row) else convert(row)
            items.extend(made if isinstance(made, list) else [made])
        return items

    process.__doc__ = convert.__doc__
    return process


def is_item(row: Row) -> bool:
    """Whether a row has the fields of one of the forms."""
    return any(all(field in row for field in fields) for fields in FORMS.values())


def as_item(row: Row) -> Item:
    """Return a row of a form as an item with all fields that prompts and scores read."""
    item = dict(row)
    if "references" in row:
        return item
    if "aliases" in row:
        return question(row["context"], row["answer"], row["aliases"])
    if "gold" not in row:
        return cloze(row["context"], row["continuation"])
    golds = row.get("golds") or (row["gold"] if isinstance(row["gold"], list) else [row["gold"]])
    return {**item, "gold": golds[0], "golds": list(golds)}


def choice(query: str, choices: Iterable[str], *golds: int, **more: Any) -> Item:
    """Return an item of options, of which those at `golds` are right."""
    options = list(choices)
    return {"query": query, "choices": options, "gold": golds[0], "golds": list(golds), **more}


def schema(options: Iterable[str], continuation: str, gold: int) -> Item:
    """Return an item of one ending after several beginnings."""
    beginnings = list(options)
    return {
        "context_options": beginnings,
        "continuation": continuation,
        "gold": gold,
        "golds": [gold],
    }


def question(context: str, answer: str, aliases: Iterable[Any] = (), **more: Any) -> Item:
    """Return an item whose answer is generated; each alias is as right as the answer."""
    others = list(aliases)
    return {
        "context": context,
        "answer": answer,
        "aliases": others,
        "references": more.pop("references", list(dict.fromkeys([answer, *others]))),
        **more,
    }


def cloze(context: str, word: str) -> Item:
    """Return an item whose last word is generated."""
    return {"context": context, "continuation": word, "answer": word, "references": [word]}
