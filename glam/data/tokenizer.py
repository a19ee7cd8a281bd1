"""A SentencePiece tokenizer, trained on the corpus once and cached.

Byte-pair encoding with byte fallback, so any text can be encoded and any token sequence decoded.
It is trained in one thread on a fixed sample, so that the same text gives the same tokenizer.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from energy.errors import InputError
from energy.files import write_atomic, write_text_atomic
from energy.inputs import read_bytes, read_text

END = 0
"""End-of-document token."""


SAMPLE_CHARACTERS = 2_000_000
"""Characters of text that a tokenizer is trained on."""


REPLACEMENT, MOST_BYTES = "\N{REPLACEMENT CHARACTER}", 4
"""What bytes that are no character decode as, and the most bytes of a character in UTF-8."""


MAX_LINE_BYTES = 65_536
"""Bytes of the longest line that SentencePiece is trained on."""


class Tokenizer:
    """Encodes text as token ids and decodes them.

    Args:
        model: a serialized SentencePiece model.

    Raises:
        RuntimeError, ValueError: it is not one.
    """

    def __init__(self, model: bytes) -> None:
        import sentencepiece

        if not model:  # which SentencePiece takes, and encodes nothing
            raise RuntimeError("no SentencePiece model")
        self.model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    def __len__(self) -> int:
        return int(self._processor.get_piece_size())

    @property
    def fingerprint(self) -> str:
        """A short hash that identifies the tokenizer."""
        return _sha256(self.model)[:16]

    def pieces(self) -> list[str]:
        """Return the text of every token, with spaces as SentencePiece writes them."""
        return [str(self._processor.id_to_piece(token)) for token in range(len(self))]

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text, without an end-of-document token."""
        return list(self._processor.encode(text))

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of tokens; end-of-document tokens are skipped."""
        return str(self._processor.decode([int(token) for token in tokens if token != END]))

    def save(self, path: Path) -> None:
        """Write the model atomically, then its checksum beside it, as `sha256sum -c` reads it."""
        write_atomic(path, lambda file: file.write(self.model))
        write_text_atomic(_checksum_file(path), f"{_sha256(self.model)}  {path.name}\n")

    @classmethod
    def load(cls, path: Path, *, sealed: bool = False) -> Tokenizer:
        """Read a SentencePiece model.

        Args:
            path: of the model.
            sealed: whether its checksum must be beside it, as runs before it was written lack.

        Raises:
            InputError: there is no such file, it is not a SentencePiece model, or it was changed
                after it was written.
        """
        model = read_bytes(path, "a tokenizer", "name a folder that `glam train` wrote")
        expectation, fix = "expected a SentencePiece model", "copy it again, or train again"
        try:
            tokenizer = cls(model)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{expectation} at {path}", "another kind of file", fix) from error
        beside = _checksum_file(path)
        written = read_text(beside, "a checksum", fix) if sealed or beside.exists() else None
        if written is not None and written.split()[:1] != [_sha256(model)]:
            raise InputError(f"{expectation} with the checksum in {beside}", "another", fix)
        return tokenizer


class StreamDecoder:
    """The text of tokens as they come.

    A character that the vocabulary lacks is several tokens, a byte each, and decodes as
    replacement characters until the last of them is there; so these wait.

    Args:
        tokenizer: decodes the tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._pending: list[int] = []

    def add(self, token: int) -> str:
        """Return the text that is complete with one more token; empty while it waits."""
        self._pending.append(token)
        text = self._tokenizer.decode(self._pending)
        if not text.endswith(REPLACEMENT):
            self._pending.clear()
            return text
        if len(self._pending) < MOST_BYTES:
            return ""
        # No character begins with the oldest byte.
        return self._tokenizer.decode([self._pending.pop(0)])

    def rest(self) -> str:
        """Return the text of the tokens that still wait."""
        text = self._tokenizer.decode(self._pending)
        self._pending.clear()
        return text


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train a tokenizer on the first `SAMPLE_CHARACTERS` characters of texts.

    Raises:
        InputError: there is too little text for the vocabulary size, or the vocabulary is too
            small for the characters of the text.
    """
    import sentencepiece

    file = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(texts),
            model_writer=file,
            vocab_size=vocab_size,
            model_type="bpe",
            byte_fallback=True,
            character_coverage=0.9995,
            num_threads=1,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            split_digits=True,
            user_defined_symbols=["\n"],
            eos_id=END,
            unk_id=1,
            bos_id=-1,
            pad_id=-1,
            max_sentence_length=MAX_LINE_BYTES,
            minloglevel=2,
        )
    except RuntimeError as error:
        if "required_chars" in str(error):
            raise InputError(
                "expected a vocabulary with room for 256 bytes and each letter of the text",
                f"{vocab_size}",
                "set a larger vocab_size",
            ) from error
        raise InputError(
            f"expected enough text for a vocabulary of {vocab_size}",
            "too little",
            "name more text, or a smaller vocab_size",
        ) from error
    return Tokenizer(file.getvalue())


def cached_tokenizer(texts: Iterable[str], vocab_size: int, folder: Path) -> Tokenizer:
    """Return the tokenizer of sample texts from the cache; train it if it is new or damaged."""
    sample = list(truncated(texts))
    key = hashlib.sha256(f"bpe-1 {vocab_size}".encode())
    for text in sample:
        key.update(text.encode())
    path = folder / f"tokenizer-{key.hexdigest()[:16]}.model"
    with contextlib.suppress(InputError):  # none, or it was damaged
        return Tokenizer.load(path, sealed=True)
    tokenizer = train_tokenizer(sample, vocab_size)
    tokenizer.save(path)
    return tokenizer


def cache_folder() -> Path:
    """Return the cache of tokenizers and token files: glam-energy in XDG_CACHE_HOME or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "glam-energy"


def truncated(texts: Iterable[str]) -> Iterator[str]:
    """Yield the first `SAMPLE_CHARACTERS` characters of texts."""
    remaining = SAMPLE_CHARACTERS
    for text in texts:
        if remaining <= 0:
            return
        yield text[:remaining]
        remaining -= len(text)


def _checksum_file(path: Path) -> Path:
    """The file beside a model that has its checksum."""
    return path.with_name(f"{path.name}.sha256")


def _sha256(model: bytes) -> str:
    return hashlib.sha256(model).hexdigest()


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Yield lines, since SentencePiece learns nothing across line ends; long ones in parts.

    SentencePiece leaves out longer lines without a word, such as a book on a single line.
    """
    for text in truncated(texts):
        for line in text.split("\n"):
            if not line.strip():
                continue
            if len(line.encode()) <= MAX_LINE_BYTES:
                yield line
                continue
            # A character has at most four bytes.
            step = MAX_LINE_BYTES // 4
            yield from (line[start : start + step] for start in range(0, len(line), step))
