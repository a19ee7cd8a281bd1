"""Text becomes batches that depend only on seed and step, and never mix the splits."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError
from glam.config import Corpus, GlamConfig
from glam.data.corpus import Domain, TokenCorpus, load_corpus
from glam.data.mixtures import domain_weights, mixtures
from glam.data.sources import list_sources, read_documents
from glam.data.standard_library import docstrings, standard_library
from glam.data.survey import (
    HASH_RANGE,
    document_hashes,
    survey_corpus,
    validation_below,
    warn_of_skipped_text,
)
from glam.data.tokenizer import END, Tokenizer, cached_tokenizer, train_tokenizer
from tests.support import ROOT

VOCABULARY = 500
SOURCE = Path(json.__file__).with_name("decoder.py").read_text()


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([SOURCE], VOCABULARY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty documents in two domains, each of which repeats its own number."""
    path = tmp_path_factory.mktemp("documents")
    rows = [
        {"domain": "even" if number % 2 == 0 else "odd", "text": f"<{number}> " * 50 + SOURCE[:500]}
        for number in range(40)
    ]
    (path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture(scope="module")
def corpus(folder, tmp_path_factory):
    config = Corpus(paths=(str(folder),), validation_fraction=0.2)
    return load_corpus(config, VOCABULARY, tmp_path_factory.mktemp("cache"))


@settings(max_examples=200, deadline=None)
@given(text=st.text())
def test_every_text_survives_the_tokenizer(tokenizer, text):
    # U+2581 is SentencePiece's own mark of a space, and NUL ends a string in C++.
    text = text.replace("\u2581", "").replace("\0", "")
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_code_survives_the_tokenizer_and_gets_shorter(tokenizer):
    tokens = tokenizer.encode(SOURCE)
    assert tokenizer.decode(tokens) == SOURCE
    assert len(tokens) < len(SOURCE) / 2
    assert END not in tokens
    assert max(tokens) < len(tokenizer) == VOCABULARY


def test_the_same_text_trains_the_same_tokenizer(tokenizer):
    assert train_tokenizer([SOURCE], VOCABULARY).model == tokenizer.model


def test_a_vocabulary_too_large_or_too_small_for_the_text_is_an_error_with_a_fix():
    with pytest.raises(InputError, match="name more text, or a smaller vocab_size"):
        train_tokenizer(["one two three"], 1000)
    with pytest.raises(InputError, match="got 280; set a larger vocab_size"):
        train_tokenizer([SOURCE], 280)


def test_a_tokenizer_is_trained_once_per_text(tmp_path):
    first = cached_tokenizer([SOURCE], VOCABULARY, tmp_path)
    (path,) = tmp_path.glob("*.model")  # and its checksum
    modified_ns = path.stat().st_mtime_ns
    assert cached_tokenizer([SOURCE], VOCABULARY, tmp_path).fingerprint == first.fingerprint
    assert path.stat().st_mtime_ns == modified_ns
    cached_tokenizer([SOURCE.upper()], VOCABULARY, tmp_path)
    assert len(list(tmp_path.glob("*.model"))) == 2


def test_a_file_that_is_not_a_tokenizer_is_refused(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(InputError, match="expected a SentencePiece model"):
        Tokenizer.load(tmp_path / "tokenizer.model")
    with pytest.raises(InputError, match="no such file"):
        Tokenizer.load(tmp_path / "absent.model")


def batch(corpus, seed, step, **options):
    return corpus.batch(seed, step, **{"sequences": 4, "length": 33, **options})


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), step=st.integers(0, 10**9))
def test_a_batch_is_a_function_of_seed_and_step(corpus, seed, step):
    tokens = batch(corpus, seed, step)
    assert tokens.shape == (4, 33)
    assert np.array_equal(tokens, batch(corpus, seed, step))
    assert not np.array_equal(tokens, batch(corpus, seed, step + 1))
    assert not np.array_equal(tokens, batch(corpus, seed ^ 1, step))


def test_a_batch_does_not_depend_on_what_was_drawn_before(corpus):
    alone = batch(corpus, 0, 7)
    for step in range(7):
        batch(corpus, 0, step)
    assert np.array_equal(alone, batch(corpus, 0, 7))


def test_no_validation_document_is_ever_trained_on(corpus):
    """Each document repeats its own number, which identifies its tokens."""
    numbers = {}
    for split in ("train", "validation"):
        texts = [corpus.tokenizer.decode(domain.tokens[split][:]) for domain in corpus.domains]
        numbers[split] = {n for n in range(40) if any(f"<{n}> <" in text for text in texts)}
    assert 2 <= len(numbers["validation"]) < 20
    assert numbers["train"] | numbers["validation"] == set(range(40))
    assert not numbers["train"] & numbers["validation"]


def test_each_document_ends_with_the_end_token_and_none_is_lost(corpus):
    ends = sum(
        int((stream[:] == END).sum())
        for domain in corpus.domains
        for stream in domain.tokens.values()
    )
    assert ends == 40
    assert corpus.count("train") + corpus.count("validation") == sum(
        len(stream) for domain in corpus.domains for stream in domain.tokens.values()
    )


HASHES = st.lists(st.integers(0, HASH_RANGE - 1), min_size=2, max_size=60, unique=True)


@given(hashes=HASHES, fractions=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_each_split_has_documents_and_validation_more_with_a_larger_fraction(hashes, fractions):
    limits = [validation_below(min(hashes), max(hashes), f) for f in sorted(fractions)]
    few, many = (sum(value < limit for value in hashes) for limit in limits)
    assert 1 <= few <= many <= len(hashes) - 1


@given(hashes=HASHES, new=st.integers(0, HASH_RANGE - 1), fraction=st.floats(0.2, 0.8))
def test_a_new_document_moves_no_other_unless_a_split_would_be_empty(hashes, new, fraction):
    before, after = (
        validation_below(min(values), max(values), fraction) for values in (hashes, [*hashes, new])
    )
    if min(hashes) < fraction * HASH_RANGE <= max(hashes):
        assert [value < before for value in hashes] == [value < after for value in hashes]


def test_equal_texts_are_in_the_same_split(tmp_path, tokenizer):
    rows = [{"text": f"<{number % 10}> " * 100} for number in range(60)]
    path = tmp_path / "repeated.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in [*rows, {"text": SOURCE}]))
    corpus = load_corpus(
        Corpus(paths=(str(path),), validation_fraction=0.3), 400, tmp_path / "cache"
    )
    (domain,) = corpus.domains
    texts = [corpus.tokenizer.decode(domain.tokens[split][:]) for split in ("train", "validation")]
    numbers = [{n for n in range(10) if f"<{n}> <" in text} for text in texts]
    assert numbers[0] | numbers[1] == set(range(10))
    assert not numbers[0] & numbers[1]


def test_domains_are_drawn_by_weight(tokenizer):
    def domain(token, weight):
        stream = np.full(100, token, dtype=np.uint32)
        return Domain(str(token), weight, {"train": stream, "validation": stream})

    mixed = TokenCorpus(tokenizer, (domain(1, 0.7), domain(2, 0.3)))
    first = np.concatenate([batch(mixed, 0, step, sequences=64)[:, 0] for step in range(40)])
    # 2,560 draws: three standard deviations of a fraction of 0.7 are 0.027.
    assert abs((first == 1).mean() - 0.7) < 0.03


def test_a_weight_of_zero_excludes_a_domain(folder, tmp_path):
    config = Corpus(paths=(str(folder),), weights={"even": 1.0}, validation_fraction=0.2)
    corpus = load_corpus(config, VOCABULARY, tmp_path)
    assert [domain.name for domain in corpus.domains] == ["even"]


def test_weights_sum_to_one_and_an_unknown_domain_is_an_error():
    weights = domain_weights(Corpus(weights={"code": 3, "prose": 1}), ["code", "prose", "tests"])
    assert weights == {"code": 0.75, "prose": 0.25, "tests": 0.0}
    with pytest.raises(InputError, match="got poetry; its domains are code"):
        domain_weights(Corpus(weights={"poetry": 1}), ["code"])
    with pytest.raises(InputError, match="a weight above 0"):
        domain_weights(Corpus(weights={"code": 0}), ["code"])


def test_a_corpus_that_is_moved_keeps_its_split(folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    here, there = (
        load_corpus(
            Corpus(paths=(str(path),), validation_fraction=0.2), VOCABULARY, tmp_path / "cache"
        )
        for path in (folder, moved)
    )
    for split in ("train", "validation"):
        assert np.array_equal(batch(here, 0, 0, split=split), batch(there, 0, 0, split=split))


def test_incomplete_token_files_are_written_again(folder, tmp_path):
    config = Corpus(paths=(str(folder),), validation_fraction=0.2)
    whole = batch(load_corpus(config, VOCABULARY, tmp_path), 0, 0)
    (base,) = tmp_path.glob("corpus-*")
    (base / "manifest.json").unlink()
    (base / "shard-00000000.u16").write_bytes(b"")
    assert np.array_equal(whole, batch(load_corpus(config, VOCABULARY, tmp_path), 0, 0))


def test_a_changed_document_changes_its_tokens(folder, tmp_path):
    text = tmp_path / "a.txt"
    config = Corpus(paths=(str(folder), str(text)), validation_fraction=0.2)
    text.write_text(SOURCE)
    before = load_corpus(config, VOCABULARY, tmp_path / "cache").count()
    text.write_text(SOURCE + SOURCE)
    assert load_corpus(config, VOCABULARY, tmp_path / "cache").count() > before


def test_a_single_document_gives_both_splits_without_sharing_a_token(tmp_path):
    (tmp_path / "one.txt").write_text(SOURCE)
    corpus = load_corpus(Corpus(paths=(str(tmp_path / "one.txt"),)), VOCABULARY, tmp_path / "cache")
    tokens = corpus.domains[0].tokens
    both = [*tokens["train"][:], *tokens["validation"][:]]
    assert both == [*corpus.tokenizer.encode(SOURCE), END]
    assert len(tokens["validation"]) >= 2


def test_a_sequence_longer_than_the_text_repeats_it(tmp_path):
    (tmp_path / "one.txt").write_text(SOURCE[:4000])
    corpus = load_corpus(Corpus(paths=(str(tmp_path / "one.txt"),)), 400, tmp_path / "cache")
    assert batch(corpus, 0, 0, length=100_000).shape == (4, 100_000)


def kept_texts(config, cache):
    """Return the texts that are kept, by domain, and the survey's domains."""
    sources = list_sources(config, cache)
    survey = survey_corpus(config, sources)
    warn_of_skipped_text(survey, config, sources)
    texts = {}
    for domain, document in read_documents(config, sources):
        if document_hashes(document.text)[1] < survey.domains[domain].keep_below:
            texts.setdefault(domain, []).append(document.text)
    return texts, survey.domains


def test_a_limit_keeps_a_sample_that_grows_with_it(tmp_path):
    small, domains = kept_texts(Corpus(max_mb=0.2), tmp_path)
    large, _ = kept_texts(Corpus(max_mb=0.4), tmp_path)
    for domain, texts in small.items():
        assert set(texts) <= set(large[domain])
        sizes = [len(text.encode()) for text in texts]
        assert sum(sizes) == domains[domain].kept_bytes
        # The last document may exceed the limit, by at most its own size.
        assert sum(sizes) - max(sizes) < 0.2e6 <= sum(sizes)


def test_the_standard_library_has_prose_code_and_tables():
    names = {}
    for domain, document in standard_library():
        names.setdefault(domain, []).append(document.name)
    # Some distributions ship Python without its tests; the other domains are always there.
    assert {"prose", "code", "tables"} <= set(names) <= {"prose", "code", "tables", "tests"}
    everything = [name for group in names.values() for name in group]
    assert len(everything) == len(set(everything))
    assert not [name for name in everything if "site-packages" in name]


def test_docstrings_are_in_order_and_empty_for_code_that_does_not_parse():
    source = '"""One."""\nclass A:\n    """Two."""\n    def b(self):\n        """Three."""\n'
    assert docstrings(source) == "One.\n\nTwo.\n\nThree."
    assert docstrings("def (:") == ""


def test_hidden_and_binary_files_of_a_folder_are_skipped(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "secret").write_text("secret")
    (tmp_path / "picture").write_bytes(b"\x89\xff\x00")
    (tmp_path / "a.txt").write_text("words")
    config = Corpus(paths=(str(tmp_path),))
    documents = read_documents(config, list_sources(config, tmp_path))
    assert [(domain, document.text) for domain, document in documents] == [("text", "words")]


def test_text_beyond_the_limit_is_skipped_with_a_warning(tmp_path, caplog):
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text(f"{number} words" * 100_000)
    whole, _ = kept_texts(Corpus(paths=(str(tmp_path),), max_mb=3), tmp_path)
    assert len(whole["text"]) == 4
    assert caplog.text == ""
    some, _ = kept_texts(Corpus(paths=(str(tmp_path),), max_mb=1), tmp_path)
    assert len(some["text"]) == 2
    assert "text 1.4 MB" in caplog.text


def test_the_mixture_of_the_paper_applies_to_its_domains():
    assert all(sum(weights.values()) == pytest.approx(1) for weights in mixtures().values())
    weights = domain_weights(Corpus(), ["books", "webpages"])
    assert weights == pytest.approx({"books": 0.20 / 0.62, "webpages": 0.42 / 0.62})
    assert domain_weights(Corpus(), ["books", "mine"]) == {"books": 0.5, "mine": 0.5}
    with pytest.raises(InputError, match=r"got news; its domains are text: .* --data news=PATH"):
        domain_weights(Corpus(weights={"news": 1.0}), ["text"])


def test_the_recipe_of_the_page_trains_on_whatever_text_is_named_with_it(tmp_path):
    page = (ROOT / "docs" / "trainer.md").read_text()
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(page.split("```toml\n")[1].split("```")[0])
    config = GlamConfig.of(recipe)
    assert config.training.steps == 60
    assert (config.corpus, config.training.tensorboard) == (Corpus(), False)
