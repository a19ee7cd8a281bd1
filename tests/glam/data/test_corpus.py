"""Text becomes batches: by (seed, step) alone, by weight, and never what is held out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError
from glam.config import Corpus
from glam.data.corpus import Domain, TokenCorpus, load_corpus
from glam.data.mixtures import domain_weights, mixtures
from glam.data.sources import documents, sources
from glam.data.standard_library import docstrings, standard_library
from glam.data.survey import ALL, digests, held_below, survey, tell_what_is_left_out
from glam.data.tokenizer import END, Tokenizer, cached_tokenizer, train_tokenizer

VOCABULARY = 500
SOURCE = Path(json.__file__).with_name("decoder.py").read_text()


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([SOURCE], VOCABULARY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty documents, of which each says its own number again and again, in two domains."""
    place = tmp_path_factory.mktemp("documents")
    rows = [
        {"domain": "even" if number % 2 == 0 else "odd", "text": f"<{number}> " * 50 + SOURCE[:500]}
        for number in range(40)
    ]
    (place / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return place


@pytest.fixture(scope="module")
def corpus(folder, tmp_path_factory):
    config = Corpus(paths=(str(folder),), held_out=0.2)
    return load_corpus(config, VOCABULARY, tmp_path_factory.mktemp("cache"))


@settings(max_examples=200, deadline=None)
@given(text=st.text())
def test_every_text_survives_the_tokenizer(tokenizer, text):
    # U+2581 is SentencePiece's own mark of a blank, and NUL ends a string of its C++ side.
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


def test_a_vocabulary_too_large_or_too_small_for_the_text_is_told_with_its_own_fix():
    with pytest.raises(InputError, match="name more text, or a smaller vocab_size"):
        train_tokenizer(["one two three"], 1000)
    with pytest.raises(InputError, match="got 280; set a larger vocab_size"):
        train_tokenizer([SOURCE], 280)


def test_a_tokenizer_is_trained_once_and_another_text_gets_another(tmp_path):
    first = cached_tokenizer([SOURCE], VOCABULARY, tmp_path)
    (place,) = tmp_path.iterdir()
    written = place.stat().st_mtime_ns
    assert cached_tokenizer([SOURCE], VOCABULARY, tmp_path).fingerprint == first.fingerprint
    assert place.stat().st_mtime_ns == written
    cached_tokenizer([SOURCE.upper()], VOCABULARY, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(InputError, match="expected a SentencePiece model"):
        Tokenizer.load(tmp_path / "tokenizer.model")
    with pytest.raises(InputError, match="no such file"):
        Tokenizer.load(tmp_path / "absent.model")


def batch(corpus, seed, step, **more):
    return corpus.batch(seed, step, **{"sequences": 4, "length": 33, **more})


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), step=st.integers(0, 10**9))
def test_a_batch_is_a_function_of_seed_and_step(corpus, seed, step):
    once = batch(corpus, seed, step)
    assert once.shape == (4, 33)
    assert np.array_equal(once, batch(corpus, seed, step))
    assert not np.array_equal(once, batch(corpus, seed, step + 1))
    assert not np.array_equal(once, batch(corpus, seed ^ 1, step))


def test_a_batch_does_not_depend_on_what_was_drawn_before(corpus):
    alone = batch(corpus, 0, 7)
    for step in range(7):
        batch(corpus, 0, step)
    assert np.array_equal(alone, batch(corpus, 0, 7))


def test_no_held_out_document_is_ever_trained_on(corpus):
    """Each document repeats its own number, so its tokens betray where they came from."""
    found = {}
    for split in ("train", "held_out"):
        texts = [corpus.tokenizer.decode(domain.tokens[split][:]) for domain in corpus.domains]
        found[split] = {n for n in range(40) if any(f"<{n}> <" in text for text in texts)}
    assert 2 <= len(found["held_out"]) < 20
    assert found["train"] | found["held_out"] == set(range(40))
    assert not found["train"] & found["held_out"]


def test_each_document_ends_with_the_end_and_none_is_lost(corpus):
    ends = sum(
        int((stream[:] == END).sum())
        for domain in corpus.domains
        for stream in domain.tokens.values()
    )
    assert ends == 40
    assert corpus.count("train") + corpus.count("held_out") == sum(
        len(stream) for domain in corpus.domains for stream in domain.tokens.values()
    )


HASHES = st.lists(st.integers(0, ALL - 1), min_size=2, max_size=60, unique=True)


@given(hashes=HASHES, shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_something_is_held_out_something_trained_on_and_more_with_a_larger_share(hashes, shares):
    few, many = (held_below(min(hashes), max(hashes), share) for share in sorted(shares))
    held = [sum(one < below for one in hashes) for below in (few, many)]
    assert 1 <= held[0] <= held[1] <= len(hashes) - 1


@given(hashes=HASHES, new=st.integers(0, ALL - 1), share=st.floats(0.2, 0.8))
def test_a_new_document_moves_no_old_one_but_the_last_resort(hashes, new, share):
    before, after = (held_below(min(all_), max(all_), share) for all_ in (hashes, [*hashes, new]))
    if min(hashes) < share * ALL <= max(hashes):
        assert [one < before for one in hashes] == [one < after for one in hashes]


def test_equal_texts_never_cross_the_split(tmp_path, tokenizer):
    rows = [{"text": f"<{number % 10}> " * 100} for number in range(60)]
    place = tmp_path / "twice.jsonl"
    place.write_text("\n".join(json.dumps(row) for row in [*rows, {"text": SOURCE}]))
    found = load_corpus(Corpus(paths=(str(place),), held_out=0.3), 400, tmp_path / "cache")
    (domain,) = found.domains
    texts = [found.tokenizer.decode(domain.tokens[split][:]) for split in ("train", "held_out")]
    seen = [{n for n in range(10) if f"<{n}> <" in text} for text in texts]
    assert seen[0] | seen[1] == set(range(10))
    assert not seen[0] & seen[1]


def test_domains_are_drawn_by_weight(tokenizer):
    def domain(token, weight):
        stream = np.full(100, token, dtype=np.uint32)
        return Domain(str(token), weight, {"train": stream, "held_out": stream})

    mixed = TokenCorpus(tokenizer, (domain(1, 0.7), domain(2, 0.3)))
    first = np.concatenate([batch(mixed, 0, step, sequences=64)[:, 0] for step in range(40)])
    # 2,560 draws: three standard deviations of a share of 0.7 are 0.027.
    assert abs((first == 1).mean() - 0.7) < 0.03


def test_a_weight_of_zero_leaves_a_domain_out(folder, tmp_path):
    config = Corpus(paths=(str(folder),), weights={"even": 1.0}, held_out=0.2)
    found = load_corpus(config, VOCABULARY, tmp_path)
    assert [domain.name for domain in found.domains] == ["even"]


def test_weights_sum_to_one_and_an_unknown_domain_is_named():
    shares = domain_weights(Corpus(weights={"code": 3, "prose": 1}), ["code", "prose", "tests"])
    assert shares == {"code": 0.75, "prose": 0.25, "tests": 0.0}
    with pytest.raises(InputError, match="got poetry; domains: code"):
        domain_weights(Corpus(weights={"poetry": 1}), ["code"])
    with pytest.raises(InputError, match="a weight above 0"):
        domain_weights(Corpus(weights={"code": 0}), ["code"])


def test_a_corpus_that_moves_keeps_its_split(folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    here, there = (
        load_corpus(Corpus(paths=(str(place),), held_out=0.2), VOCABULARY, tmp_path / "cache")
        for place in (folder, moved)
    )
    for split in ("train", "held_out"):
        assert np.array_equal(batch(here, 0, 0, split=split), batch(there, 0, 0, split=split))


def test_half_made_token_files_are_made_again(folder, tmp_path):
    config = Corpus(paths=(str(folder),), held_out=0.2)
    whole = batch(load_corpus(config, VOCABULARY, tmp_path), 0, 0)
    (place,) = tmp_path.glob("corpus-*")
    (place / "manifest.json").unlink()
    (place / "shard-00000000.u16").write_bytes(b"")
    assert np.array_equal(whole, batch(load_corpus(config, VOCABULARY, tmp_path), 0, 0))


def test_a_changed_document_changes_its_tokens(folder, tmp_path):
    text = tmp_path / "a.txt"
    config = Corpus(paths=(str(folder), str(text)), held_out=0.2)
    text.write_text(SOURCE)
    before = load_corpus(config, VOCABULARY, tmp_path / "cache").count()
    text.write_text(SOURCE + SOURCE)
    assert load_corpus(config, VOCABULARY, tmp_path / "cache").count() > before


def test_one_document_gives_both_splits_without_sharing_a_token(tmp_path):
    (tmp_path / "one.txt").write_text(SOURCE)
    found = load_corpus(Corpus(paths=(str(tmp_path / "one.txt"),)), VOCABULARY, tmp_path / "cache")
    tokens = found.domains[0].tokens
    both = [*tokens["train"][:], *tokens["held_out"][:]]
    assert both == [*found.tokenizer.encode(SOURCE), END]
    assert len(tokens["held_out"]) >= 2


def test_a_sequence_longer_than_the_text_goes_round(tmp_path):
    (tmp_path / "one.txt").write_text(SOURCE[:4000])
    found = load_corpus(Corpus(paths=(str(tmp_path / "one.txt"),)), 400, tmp_path / "cache")
    assert batch(found, 0, 0, length=100_000).shape == (4, 100_000)


def kept(config, tmp_path):
    """Texts that stay, by domain, and the survey."""
    files = sources(config, tmp_path)
    seen = survey(config, files)
    tell_what_is_left_out(seen, config)
    parts, found = seen.parts, {}
    for domain, document in documents(config, files):
        if digests(document.text)[1] < parts[domain].kept_below:
            found.setdefault(domain, []).append(document.text)
    return found, parts


def test_a_bound_keeps_a_sample_that_grows_with_it(tmp_path):
    small, parts = kept(Corpus(max_mb=0.2), tmp_path)
    large, _ = kept(Corpus(max_mb=0.4), tmp_path)
    for domain, texts in small.items():
        assert set(texts) <= set(large[domain])
        sizes = [len(text.encode()) for text in texts]
        assert sum(sizes) == parts[domain].kept_bytes
        # The last document may reach over the bound, by at most its own length.
        assert sum(sizes) - max(sizes) < 0.2e6 <= sum(sizes)


def test_the_standard_library_gives_prose_code_and_data():
    found = {}
    for domain, document in standard_library():
        found.setdefault(domain, []).append(document.name)
    # Some distributions ship Python without its tests; the other domains are always there.
    assert {"prose", "code", "tables"} <= set(found) <= {"prose", "code", "tables", "tests"}
    names = [name for group in found.values() for name in group]
    assert len(names) == len(set(names))
    assert not [name for name in names if "site-packages" in name]


def test_docstrings_come_in_order_and_code_that_does_not_parse_has_none():
    source = '"""One."""\nclass A:\n    """Two."""\n    def b(self):\n        """Three."""\n'
    assert docstrings(source) == "One.\n\nTwo.\n\nThree."
    assert docstrings("def (:") == ""


def test_hidden_and_binary_files_of_a_folder_are_passed_over(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "secret").write_text("secret")
    (tmp_path / "picture").write_bytes(b"\x89\xff\x00")
    (tmp_path / "a.txt").write_text("words")
    config = Corpus(paths=(str(tmp_path),))
    found = list(documents(config, sources(config, tmp_path)))
    assert [(domain, document.text) for domain, document in found] == [("text", "words")]


def test_text_that_does_not_fit_is_never_left_out_in_silence(tmp_path, capsys):
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text(f"{number} words" * 100_000)
    whole, _ = kept(Corpus(paths=(str(tmp_path),), max_mb=3), tmp_path)
    assert len(whole["text"]) == 4
    assert capsys.readouterr().err == ""
    some, _ = kept(Corpus(paths=(str(tmp_path),), max_mb=1), tmp_path)
    assert len(some["text"]) == 2
    assert "text 1.4 MB" in capsys.readouterr().err


def test_the_mixture_of_the_paper_stands_where_its_domains_do():
    assert all(sum(weights.values()) == pytest.approx(1) for weights in mixtures().values())
    shares = domain_weights(Corpus(), ["books", "webpages"])
    assert shares == pytest.approx({"books": 0.20 / 0.62, "webpages": 0.42 / 0.62})
    assert domain_weights(Corpus(), ["books", "mine"]) == {"books": 0.5, "mine": 0.5}
