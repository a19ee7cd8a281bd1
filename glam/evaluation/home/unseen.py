"""Text that a run was not trained on, and a check that it was not trained on its words elsewhere.

A document is unseen if it is for validation, or was left out of the corpus for its size, or is
of another source. A line of it may stand in a training document all the same, as the docstrings of
a module do, which are a document of their own; so questions are compared with all training text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from energy.errors import InputError
from glam.config import GlamConfig
from glam.data.corpus import cached_survey
from glam.data.sources import list_sources, read_documents
from glam.data.standard_library import Document
from glam.data.survey import document_hashes
from glam.data.tokenizer import Tokenizer, cache_folder, cached_tokenizer

WORD = re.compile(r"\w+|[^\w\s]")

Window = tuple[str, ...]
"""Some words and marks that follow each other in a text."""


def words(text: str) -> list[str]:
    """Return words and marks of a text, without its spaces and line ends."""
    return WORD.findall(text)


class Unseen:
    """The documents of a run's corpus by whether it was trained on them.

    Args:
        config: of the run.
        tokenizer: of the run; it must be that of this text.
        others: files and folders of more text, as of `glam train --data`.

    Raises:
        InputError: the text of the corpus is not there, or is no longer what it was.
    """

    def __init__(
        self, config: GlamConfig, tokenizer: Tokenizer, others: Iterable[str] = ()
    ) -> None:
        folder = cache_folder()
        self._corpus = config.corpus
        self._sources = list_sources(config.corpus, folder)
        self._survey = cached_survey(config.corpus, self._sources, folder)
        vocabulary = int(config.shape.vocab_size)
        now = cached_tokenizer(self._survey.sample, vocabulary, folder)
        if now.fingerprint != tokenizer.fingerprint:
            raise InputError(
                "expected the text that the run was trained on",
                "another, of which another tokenizer would be made",
                "bring that text back; that of the standard library is of its version of Python",
            )
        self._others = replace(config.corpus, paths=tuple(others), max_mb=0.0)
        self._more = list_sources(self._others, folder) if others else []

    @property
    def content(self) -> str:
        """Hash of the text of the corpus."""
        return self._survey.content

    def documents(self) -> list[Document]:
        """Return the documents that the run was not trained on, each name and text once."""
        texts = {}
        for trained, document in self._split():
            if not trained:
                texts[document.name, document.text] = document
        if self._more:
            for _, document in read_documents(self._others, self._more):
                texts[document.name, document.text] = document
        return list(texts.values())

    def trained_on(self, windows: set[Window]) -> set[Window]:
        """Return the windows that stand in the text that the run was trained on."""
        seen: set[Window] = set()
        lengths = {len(window) for window in windows}
        for trained, document in self._split():
            if trained:
                text = words(document.text)
                for length in lengths:
                    following = zip(*(text[i:] for i in range(length)), strict=False)
                    seen.update(filter(windows.__contains__, following))
        return seen

    def _split(self) -> Iterator[tuple[bool, Document]]:
        """Yield all documents of the corpus, and whether the run was trained on them."""
        for domain, document in read_documents(self._corpus, self._sources):
            limits = self._survey.domains[domain]
            split_hash, order_hash = document_hashes(document.text)
            for_validation = split_hash < (limits.validation_below or 0)
            yield order_hash < limits.keep_below and not for_validation, document


def module_of(document: Document) -> Path:
    """Return the path of a document without what says that it is the docstrings of a module."""
    return Path(document.name.removesuffix(" docstrings"))
