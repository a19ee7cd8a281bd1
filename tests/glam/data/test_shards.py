"""Shards: the same bits whatever the processes and the kills, from every kind of source."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from glam.config import Corpus
from glam.data.corpus import Stream, load_corpus
from glam.data.shards import token_dtype

SOURCE = Path(json.__file__).with_name("decoder.py").read_text()
VOCABULARY = 400
SHARD_BYTES = 20_000
CHILD = f"""
import sys
from glam.config import Corpus
from glam.data.corpus import load_corpus
from pathlib import Path
if __name__ == "__main__":
    load_corpus(Corpus(paths=(sys.argv[1],)), {VOCABULARY}, Path(sys.argv[2]),
                workers=int(sys.argv[3]), shard_bytes={SHARD_BYTES})
"""


def rows(count=300):
    return [
        {"domain": ("books", "news")[n % 2], "text": f"<{n}> {SOURCE[n * 20 :][:1500]}"}
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    place = tmp_path_factory.mktemp("lines") / "rows.jsonl"
    place.write_text("\n".join(json.dumps(row) for row in rows()))
    return place


def loaded(path, cache, **more):
    return load_corpus(Corpus(paths=(str(path),)), VOCABULARY, cache, **more)


def bits(cache):
    (base,) = cache.glob("corpus-*")
    # A process that dies while it writes leaves a file with a dot, which nobody reads.
    return {path.name: path.read_bytes() for path in base.glob("[!.]*")}


@pytest.fixture(scope="module")
def whole(lines, tmp_path_factory):
    """Tokenised in one process, without a break."""
    cache = tmp_path_factory.mktemp("whole")
    loaded(lines, cache, workers=1, shard_bytes=SHARD_BYTES)
    return cache


def test_two_processes_write_the_bits_of_one(lines, whole, tmp_path):
    loaded(lines, tmp_path, workers=2, shard_bytes=SHARD_BYTES)
    assert bits(tmp_path) == bits(whole)


def test_a_killed_tokenising_goes_on_at_its_first_missing_shard(lines, whole, tmp_path):
    program = tmp_path / "child.py"
    program.write_text(CHILD)
    cache = tmp_path / "cache"
    command = [sys.executable, str(program), str(lines), str(cache), "2"]
    run = subprocess.Popen(command, start_new_session=True)
    while run.poll() is None and len(list(cache.glob("corpus-*/shard-*.json"))) < 3:
        time.sleep(0.001)
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = list(cache.glob("corpus-*/shard-*.json"))
    assert len(done) >= 3
    if not list(cache.glob("corpus-*/manifest.json")):
        time.sleep(0.5)  # its processes end with it
    before = {path: path.stat().st_mtime_ns for path in done}
    assert subprocess.run(command).returncode == 0
    assert bits(cache) == bits(whole)
    assert {path: path.stat().st_mtime_ns for path in done} == before


def test_a_damaged_shard_is_made_again(lines, whole, tmp_path):
    loaded(lines, tmp_path, workers=1, shard_bytes=SHARD_BYTES)
    (base,) = tmp_path.glob("corpus-*")
    shard = base / "shard-00000002.u16"
    sound = shard.read_bytes()
    shard.write_bytes(sound[:-2])
    loaded(lines, tmp_path, workers=1, shard_bytes=SHARD_BYTES)
    assert shard.read_bytes() == sound


def test_the_manifest_tells_sources_documents_tokens_and_checksums(lines, whole):
    import hashlib

    (base,) = whole.glob("corpus-*")
    manifest = json.loads((base / "manifest.json").read_text())
    assert manifest["sources"] == [{"path": str(lines), "bytes": lines.stat().st_size}]
    assert set(manifest["domains"]) == {"books", "news"}
    for name, domain in manifest["domains"].items():
        assert domain["documents"]["train"] + domain["documents"]["held_out"] == 150
        assert domain["documents"]["held_out"] >= 1
        held = sum(s["tokens"]["held_out"] for s in manifest["shards"] if s["domain"] == name)
        assert domain["tokens"]["held_out"] == held > 0
    for shard in manifest["shards"]:
        data = (base / shard["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == shard["sha256"]
        assert len(data) == 2 * sum(shard["tokens"].values())


def test_every_kind_of_source_gives_the_same_tokens(lines, whole, tmp_path):
    import datasets
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist(rows())
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=70)
    datasets.Dataset.from_list(rows()).save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": datasets.Dataset.from_list(rows())}).save_to_disk(
        str(tmp_path / "split")
    )
    stream = tmp_path / "hub"
    stream.mkdir()
    (stream / "train.jsonl").write_text(lines.read_text())
    theirs = loaded(lines, whole, shard_bytes=SHARD_BYTES, workers=1)
    for place in (tmp_path / "rows.parquet", tmp_path / "one", tmp_path / "split", f"hf:{stream}"):
        ours = loaded(place, tmp_path / "cache", shard_bytes=SHARD_BYTES, workers=1)
        for split in ("train", "held_out"):
            assert ours.count(split) == theirs.count(split)
            batches = [
                one.batch(0, 3, sequences=4, length=65, split=split) for one in (ours, theirs)
            ]
            assert np.array_equal(*batches)


@given(sizes=st.lists(st.integers(0, 9), max_size=8), ends=st.tuples(*[st.integers(0, 80)] * 2))
def test_a_stream_is_the_concatenation_of_its_shards(sizes, ends):
    parts = [np.arange(size) + 100 * number for number, size in enumerate(sizes)]
    whole = np.concatenate([*parts, np.empty(0, np.int64)])
    stream = Stream(parts)
    assert len(stream) == len(whole)
    assert np.array_equal(stream[slice(*sorted(ends))], whole[slice(*sorted(ends))])


@pytest.mark.parametrize(("vocab_size", "bits_"), [(400, 16), (2**16, 16), (2**16 + 1, 32)])
def test_tokens_take_as_few_bytes_as_the_vocabulary_lets_them(vocab_size, bits_):
    assert 8 * token_dtype(vocab_size).itemsize == bits_


def test_a_long_text_file_is_read_in_pieces(tmp_path):
    from glam.data.sources import PIECE_BYTES, documents, sources

    (tmp_path / "long.txt").write_text("words and words\n" * (2 * PIECE_BYTES // 16 + 10))
    config = Corpus(paths=(str(tmp_path / "long.txt"),))
    found = [document for _, document in documents(config, sources(config, tmp_path))]
    assert [document.name for document in found] == [
        "long.txt",
        "long.txt part 2",
        "long.txt part 3",
    ]
    assert sum(len(document.text) for document in found) == os.path.getsize(tmp_path / "long.txt")


def refused(path, cache, **corpus):
    with pytest.raises(InputError) as told:
        load_corpus(Corpus(paths=(str(path),), **corpus), VOCABULARY, cache)
    return str(told.value)


def test_a_parquet_file_without_text_names_its_columns(tmp_path):
    import pyarrow
    from pyarrow import parquet

    place = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"body": ["one"], "id": [1]}), place)
    told = refused(place, tmp_path)
    assert "columns body, id" in told
    assert "set [corpus] text_column" in told
    assert "int" in refused(place, tmp_path, text_column="id")
    place.write_bytes(place.read_bytes()[:40])
    assert "expected a Parquet file" in refused(place, tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert "expected to read /proc/self/mem" in refused("/proc/self/mem", tmp_path)


def test_an_empty_domain_is_named(tmp_path):
    (tmp_path / "void.txt").write_text("")
    told = refused(f"books={tmp_path / 'void.txt'}", tmp_path)
    assert "for domain books" in told


def test_a_malformed_line_in_a_folder_is_named_with_its_number(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n\n{"text": 5}\n')
    told = refused(tmp_path, tmp_path / "cache")
    assert "line 3" in told
    assert "a.jsonl" in told


def test_a_stream_of_a_network_wants_a_bound(tmp_path):
    assert "set [corpus] max_mb" in refused("hf:nobody/nothing", tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_told_and_leaves_no_half_shard(lines, tmp_path, workers):
    """A limit on the size of files refuses a shard's write as a full disk would."""
    code = CHILD.replace(f"shard_bytes={SHARD_BYTES}", "shard_bytes=100_000").replace(
        "    load_corpus",
        "    import resource\n    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "    load_corpus",
    )
    (tmp_path / "child.py").write_text(code)
    cache = tmp_path / "cache"
    loaded(lines, cache, workers=1)  # survey and tokenizer are in the cache
    command = [sys.executable, str(tmp_path / "child.py"), str(lines), str(cache), str(workers)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert "InputError: expected to write" in run.stderr
    (half,) = [base for base in cache.glob("corpus-*") if not (base / "manifest.json").exists()]
    assert [path.name for path in half.iterdir() if path.name.startswith(".")] == []
