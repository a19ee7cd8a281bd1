"""Questions without a text, and last words."""

from __future__ import annotations

from glam.evaluation.items import Item, Row, cloze, question, rows


@rows
def triviaqa(row: Row) -> Item:
    """A row of TriviaQA (arXiv:1705.03551): question and answer with its aliases."""
    answer = row["answer"]
    return question(_prompt(row["question"]), answer["value"], answer["aliases"])


@rows
def nq_open(row: Row) -> Item:
    """A row of the open Natural Questions (arXiv:1906.00300): question and list of answers."""
    return question(_prompt(f"{row['question'].rstrip('?')}?"), *_first_and_rest(row["answer"]))


@rows
def webqs(row: Row) -> Item:
    """A row of WebQuestions (EMNLP 2013, D13-1160): question and list of answers."""
    return question(_prompt(row["question"]), *_first_and_rest(row["answers"]))


@rows
def lambada(row: Row) -> Item:
    """A row of LAMBADA (arXiv:1606.06031): a text, whose last word is the answer."""
    context, _, word = row["text"].rpartition(" ")
    return cloze(context, word)


def _prompt(text: str) -> str:
    return f"Question: {text}\nAnswer:"


def _first_and_rest(answers: list[str]) -> tuple[str, list[str]]:
    return answers[0], list(answers[1:])
