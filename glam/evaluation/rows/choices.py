"""Completions, schemas and questions with options."""

from __future__ import annotations

import re

from glam.evaluation.items import Item, Row, choice, rows, schema


@rows
def hellaswag(row: Row) -> Item:
    """A row of HellaSwag (arXiv:1905.07830); marks of WikiHow in brackets are left out."""
    context = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
    endings = [_without_marks(ending) for ending in row["endings"]]
    return choice(_without_marks(context), endings, int(row["label"]))


@rows
def storycloze(row: Row) -> Item:
    """A row of StoryCloze (arXiv:1604.01696): four sentences and two endings, right 1 or 2."""
    story = " ".join(row[f"input_sentence_{number}"] for number in (1, 2, 3, 4))
    endings = [row["sentence_quiz1"], row["sentence_quiz2"]]
    return choice(story, endings, int(row["answer_right_ending"]) - 1)


@rows
def wsc273(row: Row) -> Item:
    """A Winograd schema: the text up to the pronoun, with each noun in its place, and the rest."""
    before = row["text"][: row["pronoun_loc"]]
    rest = row["text"][row["pronoun_loc"] + len(row["pronoun"]) :]
    return schema([before + noun for noun in row["options"]], rest.strip(), int(row["label"]))


@rows
def winogrande(row: Row) -> Item:
    """A row of WinoGrande (arXiv:1907.10641): a sentence with a gap, and two words for it."""
    before, _, rest = row["sentence"].partition("_")
    options = [before + row["option1"], before + row["option2"]]
    return schema(options, rest.strip(), int(row["answer"]) - 1)


@rows
def piqa(row: Row) -> Item:
    """A row of PIQA (arXiv:1911.11641): a goal and two ways to it."""
    return choice(f"Question: {row['goal']}", [row["sol1"], row["sol2"]], int(row["label"]))


@rows
def arc(row: Row) -> Item:
    """A row of ARC (arXiv:1803.05457): a question with options that have letters or numbers."""
    return _lettered(f"Question: {row['question']}", row)


@rows
def openbookqa(row: Row) -> Item:
    """A row of OpenBookQA (arXiv:1809.02789): the beginning of a sentence and four endings."""
    return _lettered(row["question_stem"], row)


@rows
def race(row: Row) -> Item:
    """A question of RACE (arXiv:1704.04683), middle or high school, with its article.

    Options of a question with a gap are the words for the gap.
    """
    query = f"Article: {row['article']}\nQuestion: {row['question']}"
    return choice(query, row["options"], "ABCD".index(row["answer"]))


def _lettered(query: str, row: Row) -> Item:
    options = row["choices"]
    return choice(query, options["text"], list(options["label"]).index(row["answerKey"]))


def _without_marks(text: str) -> str:
    """HellaSwag's rule: a title's mark ends a sentence, other marks in brackets go."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ").strip()
