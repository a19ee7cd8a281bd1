"""SuperGLUE (arXiv:1905.00537) and ANLI (arXiv:1910.14599)."""

from __future__ import annotations

import re

from glam.evaluation.items import Item, Row, choice, rows


@rows
def boolq(row: Row) -> Item:
    """A passage and a question of yes or no."""
    query = f"Passage: {row['passage']}\nQuestion: {row['question'].rstrip('?')}?"
    return choice(query, ["no", "yes"], int(row["label"]))


@rows
def cb(row: Row) -> Item:
    """A premise and what follows from it (0), contradicts it (1), or neither (2)."""
    query = f"{row['premise']}\nQuestion: {_stop(row['hypothesis'])} True, False, or Neither?"
    return choice(query, ["True", "False", "Neither"], int(row["label"]))


@rows
def copa(row: Row) -> Item:
    """A premise, and which of two sentences is its cause or its effect."""
    link = {"cause": "because", "effect": "therefore"}[row["question"]]
    query = f"{row['premise'].strip().rstrip('.')} {link}"
    options = [text[:1].lower() + text[1:] for text in (row["choice1"], row["choice2"])]
    return choice(query, options, int(row["label"]))


@rows
def rte(row: Row) -> Item:
    """A premise and what follows from it (0) or not (1)."""
    query = f"{row['premise']}\nQuestion: {_stop(row['hypothesis'])} True or False?"
    return choice(query, ["True", "False"], int(row["label"]))


@rows
def wic(row: Row) -> Item:
    """A word in two sentences, with the same meaning (1) or not (0)."""
    sentence = f"Is the word '{row['word']}' used in the same way in the two sentences above?"
    query = f"Sentence 1: {row['sentence1']}\nSentence 2: {row['sentence2']}\nQuestion: {sentence}"
    return choice(query, ["no", "yes"], int(row["label"]))


@rows
def wsc(row: Row) -> Item:
    """A passage, and whether a pronoun in it means a noun (1) or not (0)."""
    noun, pronoun = row["span1_text"], row["span2_text"]
    sentence = f"In the passage above, does the pronoun '{pronoun}' refer to '{noun}'?"
    return choice(f"Passage: {row['text']}\nQuestion: {sentence}", ["no", "yes"], int(row["label"]))


@rows
def multirc(row: Row) -> Item:
    """A paragraph, a question and one of its answers, which is right (1) or not (0)."""
    query = (
        f"{row['paragraph']}\nQuestion: {row['question']}\nProposed answer: {row['answer']}\n"
        "Question: Is the proposed answer correct?"
    )
    paragraph = str(row["idx"]["paragraph"])
    return choice(query, ["no", "yes"], int(row["label"]), group=paragraph)


@rows
def record(row: Row) -> Item:
    """A passage, and a sentence with a gap for one of its entities; several can be right."""
    passage = re.sub(r"(\.|\?|!|\"|')\n@highlight\n", r"\1 ", row["passage"])
    passage = passage.replace("\n@highlight\n", ". ")
    entities = list(dict.fromkeys(row["entities"]))
    golds = [place for place, entity in enumerate(entities) if entity in set(row["answers"])]
    options = [row["query"].replace("@placeholder", entity) for entity in entities]
    return choice(passage, options, *golds)


@rows
def anli(row: Row) -> Item:
    """A premise and what follows from it (0), neither (1), or contradicts it (2)."""
    query = f"{row['premise']}\nQuestion: {_stop(row['hypothesis'])} True, False, or Neither?"
    return choice(query, ["True", "Neither", "False"], int(row["label"]))


def _stop(sentence: str) -> str:
    """A sentence with its full stop."""
    return f"{sentence.strip().rstrip('.')}."
