"""Scores of generated answers, by the official rules of each data set.

Each returns exact match and F1 of one answer, 0 to 1; with `counts`, 0 where the data set's own
script leaves the item out. They have the form that lm-eval calls: an item, and the list of what
was generated for it.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from glam.evaluation.items import Item
from glam.evaluation.rows.reading import CANNOT_ANSWER, NO_ANSWER

Scores = dict[str, float]

LEAST_AGREEMENT = 0.4
"""QuAC counts no question whose references agree less, in F1, with each other."""

ARTICLES = re.compile(r"\b(a|an|the)\b")


def triviaqa(item: Item, texts: Sequence[str]) -> Scores:
    """TriviaQA: the best over the answer and its aliases, without case, marks and articles.

    The Beatles and beatles are the same answer; in lm-eval's own task they are not.
    """
    return _best(texts[0], item["references"], normalized_for_triviaqa)


def squad(item: Item, texts: Sequence[str]) -> Scores:
    """SQuAD (arXiv:1606.05250): the best over the references; also of open questions."""
    return _best(texts[0], item["references"], normalized)


def squadv2(item: Item, texts: Sequence[str]) -> Scores:
    """SQuAD 2.0: as SQuAD, but where there is no answer only saying so is right."""
    said = _known(texts[0], NO_ANSWER)
    references = [_known(text, NO_ANSWER) for text in item["references"]]
    if not all(references) or not said:
        right = float(not said and not all(references))
        return {"em": right, "f1": right}
    return _best(said, references, normalized)


def lambada(item: Item, texts: Sequence[str]) -> Scores:
    """LAMBADA: whether the first word is the last word of the text, but for marks around it."""
    words = texts[0].split()
    said = words[0].strip(string.punctuation) if words else ""
    right = float(said == item["continuation"].strip().strip(string.punctuation))
    return {"em": right, "f1": right}


def coqa(item: Item, texts: Sequence[str]) -> Scores:
    """CoQA: the mean over references left out of the best over the others, as people are scored."""
    references, said = item["references"], texts[0]
    scores = [_best(said, others, normalized) for others in _one_left_out(references)]
    return {name: sum(score[name] for score in scores) / len(scores) for name in ("em", "f1")}


def quac(item: Item, texts: Sequence[str]) -> Scores:
    """QuAC: as CoQA, over the references that the majority agrees with on having an answer.

    A question whose references have an F1 below 0.4 with each other is left out.
    """
    references = _majority(item["references"])
    said = texts[0].strip()
    best = [
        max(f1(said, other, normalized) for other in others) for others in _one_left_out(references)
    ]
    exact = max(float(normalized(said) == normalized(text)) for text in references)
    counts = float(agreement(references) >= LEAST_AGREEMENT)
    return {"em": exact, "f1": sum(best) / len(best), "counts": counts}


def drop(item: Item, texts: Sequence[str]) -> Scores:
    """DROP: the best over references, each of one or more spans, of which one can be said.

    A number must be equal to count at all; F1 of an answer with k spans is at most 1/k here.
    """
    said = texts[0].strip()
    scores = [_drop_reference(said, spans) for spans in item["references"]]
    return {name: max(score[name] for score in scores) for name in ("em", "f1")}


def normalized(text: str) -> str:
    """SQuAD's rule: without case, marks, articles and more than one space."""
    plain = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(ARTICLES.sub(" ", plain).split())


def normalized_for_triviaqa(text: str) -> str:
    """TriviaQA's rule: marks, also curled ones, become spaces before articles go."""
    marks = set(string.punctuation) | set("‘’´`_")
    plain = "".join(" " if letter in marks else letter for letter in text.lower())
    return " ".join(ARTICLES.sub(" ", plain).split())


def f1(said: str, reference: str, normalize: Callable[[str], str]) -> float:
    """F1 of the words of two texts: "the big cat" and "a cat" have 2/3; 0 without common words."""
    words, right = normalize(said).split(), normalize(reference).split()
    common = sum((Counter(words) & Counter(right)).values())
    return 2 * common / (len(words) + len(right)) if common else 0.0


def agreement(references: Sequence[str]) -> float:
    """QuAC's agreement of people: the mean F1 of each reference with the best of the others."""
    if len(references) == 1:
        return 1.0
    best = [
        max(f1(text, other, normalized) for other in others)
        for text, others in zip(references, _one_left_out(references), strict=True)
    ]
    return sum(best) / len(best)


def _best(said: str, references: Sequence[str], normalize: Callable[[str], str]) -> Scores:
    return {
        "em": max(float(normalize(said) == normalize(text)) for text in references),
        "f1": max(f1(said, text, normalize) for text in references),
    }


def _known(text: str, no_answer: str) -> str:
    """A text without its ends; empty where it says that there is no answer."""
    return "" if normalized(text) in {"", no_answer} else text


def _one_left_out(references: Sequence[str]) -> list[list[str]]:
    """All lists of references without one; a single reference stays."""
    if len(references) == 1:
        return [list(references)]
    return [[*references[:i], *references[i + 1 :]] for i in range(len(references))]


def _majority(references: Sequence[str]) -> list[str]:
    spans = [text for text in references if text != CANNOT_ANSWER]
    return [CANNOT_ANSWER] if len(references) - len(spans) >= len(spans) else spans


def _drop_reference(said: str, spans: Sequence[str]) -> Scores:
    """Exact match and F1 of one text against the spans of one reference."""
    bags = [set(_drop_words(span)) for span in spans]
    words = set(_drop_words(said))
    exact = len(spans) == 1 and _drop_words(said) == _drop_words(spans[0])
    best = max(_bag_f1(words, bag) for bag in bags)
    return {"em": float(exact), "f1": round(best / len(bags), 2)}


def _bag_f1(words: set[str], right: set[str]) -> float:
    numbers = {word for word in right if _is_number(word)}
    if numbers and not numbers & {word for word in words if _is_number(word)}:
        return 0.0
    if not words | right:
        return 1.0
    return 2 * len(words & right) / (len(words) + len(right))


def _drop_words(text: str) -> list[str]:
    """DROP's rule: words of letters and digits, split at spaces and hyphens; numbers as floats."""
    words = []
    for word in re.split(r" |-", text.lower()):
        plain = (
            word if _is_number(word) else "".join(c for c in word if c not in string.punctuation)
        )
        plain = str(float(plain)) if _is_number(plain) else plain
        words.append(ARTICLES.sub(" ", plain).strip())
    return [word for word in words if word]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


OF_TASK: dict[str, Callable[[Item, Sequence[str]], Any]] = {
    "triviaqa": triviaqa,
    "nq_open": squad,
    "webqs": squad,
    "lambada_openai": lambada,
    "drop": drop,
    "coqa": coqa,
    "quac": quac,
    "squadv2": squadv2,
}
"""The rule of each task whose answers are generated."""
