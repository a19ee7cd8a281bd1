"""Questions about a text whose answers are generated; dialogues give an item a question."""

from __future__ import annotations

from typing import Any

from glam.evaluation.items import Item, Row, question, rows

NO_ANSWER = "unanswerable"
"""What a model is to say where the text of SQuAD 2.0 has no answer."""

CANNOT_ANSWER = "CANNOTANSWER"
"""The same in QuAC."""


@rows
def drop(row: Row) -> Item:
    """A question of DROP (arXiv:1903.00161): each reference is the list of its spans."""
    answers = [row["answer"], *_records(row["validated_answers"])]
    references = [list(spans) for spans in dict.fromkeys(map(_spans, answers)) if any(spans)]
    context = f"Passage: {row['passage']}\nQuestion: {row['question']}\nAnswer:"
    return question(context, ", ".join(references[0]), references=references)


@rows
def coqa(row: Row) -> list[Item]:
    """A dialogue of CoQA (arXiv:1808.07042): an item a question, after those before it."""
    questions, own = row["questions"]["input_text"], row["answers"]["input_text"]
    others = [more["input_text"] for more in (row.get("additional_answers") or {}).values()]
    references = [[answer, *(more[i] for more in others)] for i, answer in enumerate(own)]
    return _turns(row["story"], questions, own, references, str(row["id"]))


@rows
def quac(row: Row) -> list[Item]:
    """A dialogue of QuAC (arXiv:1808.07036): an item a question, after those before it."""
    text = f"Title: {row['wikipedia_page_title']}, {row['section_title']}\n{row['context']}"
    text = text.removesuffix(CANNOT_ANSWER).rstrip()
    references = [list(texts) for texts in row["answers"]["texts"]]
    own = row["orig_answers"]["texts"]
    return _turns(text, row["questions"], own, references, row["dialogue_id"])


@rows
def squadv2(row: Row) -> Item:
    """A question of SQuAD 2.0 (arXiv:1806.03822), whose text may have no answer."""
    answers = list(dict.fromkeys(row["answers"]["text"])) or [NO_ANSWER]
    context = (
        f"Title: {row['title']}\nBackground: {row['context']}\nQuestion: {row['question']}\n"
        f'Answer (say "{NO_ANSWER}" where the background does not say):'
    )
    return question(context, answers[0], answers[1:])


def _turns(
    text: str, questions: list[str], own: list[str], references: list[list[str]], dialogue: str
) -> list[Item]:
    """Return an item for each question of a dialogue; items of one dialogue are no independent."""
    items, said = [], text
    for words, answer, right in zip(questions, own, references, strict=True):
        said = f"{said}\nQ: {words}\nA:"
        items.append(question(said, answer, references=right, group=dialogue))
        said = f"{said} {answer}"
    return items


def _spans(answer: Row) -> tuple[str, ...]:
    """The spans of an answer of DROP: a number, a date, or pieces of the passage."""
    if answer["number"]:
        return (str(answer["number"]),)
    if answer["spans"]:
        return tuple(answer["spans"])
    date = answer["date"]
    return (" ".join(filter(None, (date["day"], date["month"], date["year"]))).strip(),)


def _records(columns: Any) -> list[Row]:
    """Return answers as records, which the hub has as columns."""
    if isinstance(columns, list):
        return columns
    count = len(columns["number"])
    return [{name: values[i] for name, values in columns.items()} for i in range(count)]
