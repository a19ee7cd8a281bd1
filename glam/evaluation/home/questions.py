"""The three questions that are made of a text: last word, docstring of a function, completion.

They are short, so that two of them fit in the window of a small model. The wrong options are of
the same document, so that its subject does not tell which is right.
"""

from __future__ import annotations

import ast
import hashlib
import random
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from glam.data.standard_library import Document, docstrings
from glam.evaluation.home.unseen import Window, module_of, words
from glam.evaluation.items import Item, choice, schema

OPTIONS = 4

MOST_CHARACTERS = 90
"""Of the text before an answer."""

DOCSTRING_CHARACTERS = range(16, 49)

LINE_CHARACTERS = range(24, 65)

SENTENCE_CHARACTERS = range(40, 111)

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

LAST_WORD = re.compile(r"([A-Z].*) ([a-z]{4,})\.")

NEW_WORDS = 10
"""A question whose last so many words and marks stand in training text is left out."""

NEW_WORDS_OF_DOCSTRING = 6


@dataclass(frozen=True)
class Question:
    """An item, and what tells whether its text was trained on.

    Attributes:
        task: of the suite home.
        item: the item.
        window: the last words of the text that it asks for.
    """

    task: str
    item: Item
    window: Window


def questions(document: Document) -> Iterator[Question]:
    """Yield all questions of a document."""
    group = str(module_of(document))
    python = document.name.endswith(".py")
    for task, item, text, length in (
        *_last_words(docstrings(document.text) if python else document.text, group),
        *(_docstrings(document.text, group) if python else ()),
        *(_completions(document.text, group) if document.name == group else ()),
    ):
        window = tuple(words(text)[-length:])
        if len(window) == length:
            yield Question(task, {**item, "group": group}, window)


_Made = tuple[str, Item, str, int]
"""Task, item, the text that it asks for with what is before it, and how much of it is compared."""


def _last_words(text: str, group: str) -> Iterator[_Made]:
    """Yield for sentences of a text the question which of four words is the last."""
    sentences: dict[str, str] = {}
    for paragraph in re.split(r"\n\s*\n", text):
        for sentence in SENTENCE_END.split(" ".join(paragraph.split())):
            match = LAST_WORD.fullmatch(sentence)
            if match and len(sentence) in SENTENCE_CHARACTERS:
                sentences[match[1]] = match[2]
    known = list(dict.fromkeys(sentences.values()))
    for before, word in sentences.items():
        if len(known) >= OPTIONS:
            options, gold = _mixed(word, known, f"{group} {before}")
            yield "home_last_word", choice(before, options, gold), f"{before} {word}", NEW_WORDS


def _docstrings(source: str, group: str) -> Iterator[_Made]:
    """Yield for each docstring of a module the question which of four functions has it."""
    functions = _functions(source)
    signatures = list({_name(signature): signature for signature in functions}.values())
    for signature in signatures:
        line = functions[signature]
        if len(line) in DOCSTRING_CHARACTERS and len(signatures) >= OPTIONS:
            options, gold = _mixed(signature, signatures, f"{group} {line}")
            yield "home_docstring", schema(options, line, gold), line, NEW_WORDS_OF_DOCSTRING


def _functions(source: str) -> dict[str, str]:
    """Return the first line of the docstring of each function, empty without, by signature."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    functions = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
            signature = f"def {node.name}({ast.unparse(node.args)}):"
            if len(signature) <= MOST_CHARACTERS:
                functions[signature] = (ast.get_docstring(node) or "").partition("\n")[0]
    return functions


def _name(signature: str) -> str:
    return signature.partition("(")[0]


def _completions(text: str, group: str) -> Iterator[_Made]:
    """Yield for lines of a text, after the two before, the question which second half is theirs."""
    lines = [line.rstrip() for line in text.split("\n")]
    ends = list(dict.fromkeys(half[1] for half in map(_halves, lines) if half))
    for first, second, line in zip(lines, lines[1:], lines[2:], strict=False):
        halves = _halves(line)
        if not (halves and first and second and len(ends) >= OPTIONS):
            continue
        before = f"{first}\n{second}\n{halves[0]}"
        if len(before) <= MOST_CHARACTERS:
            options, gold = _mixed(halves[1], ends, f"{group} {before}")
            item = choice(before, options, gold)
            yield "home_completion", item, f"{before}{halves[1]}", NEW_WORDS


def _halves(line: str) -> tuple[str, str] | None:
    """Return the halves of a line of middle length, cut after a character."""
    text = line.strip()
    middle = len(line) - len(text) // 2
    if len(text) not in LINE_CHARACTERS or line[middle - 1] == " ":
        return None
    return line[:middle], line[middle:]


def _mixed(right: str, options: list[str], key: str) -> tuple[list[str], int]:
    """Return the right and three other options, and the place of the right one.

    Choice and order depend on the key alone.
    """
    chance = random.Random(hashlib.blake2b(key.encode(), digest_size=8).digest())
    others = [options[i] for i in chance.sample(range(len(options)), OPTIONS)]
    others = [other for other in others if other != right][: OPTIONS - 1]
    gold = chance.randrange(OPTIONS)
    return [*others[:gold], right, *others[gold:]], gold
