"""A corpus is read as hubs hand it out: as many documents as it has, and nothing else."""

import bz2
import gzip
import json
import logging
import lzma
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from energy.errors import InputError
from glam.config import Corpus
from glam.data.corpus import load_corpus
from glam.data.sources import Tally, list_sources, read_documents
from glam.data.tokenizer import train_tokenizer

TEXTS = [f"Document {number}.\n" + "Words of a text, " * 8 for number in range(60)]
URL = "https://example.com/page"


def zst(data):
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def lines(key="text", **others):
    return "".join(json.dumps({key: text, **others}) + "\n" for text in TEXTS).encode()


def parquet(path, column):
    pyarrow.parquet.write_table(pyarrow.table({column: TEXTS, "id": TEXTS}), path)


def c4(folder):
    rows = lines(timestamp="2019-04-25T12:57:54Z", url=URL)
    (folder / "c4-train.00000-of-01024.json").write_bytes(rows)


def c4_as_handed_out(folder):
    (folder / "en").mkdir()
    rows = lines(timestamp="2019-04-25T12:57:54Z", url=URL)
    (folder / "en" / "c4-train.00000-of-01024.json.gz").write_bytes(gzip.compress(rows))
    (folder / "README.md").write_text("# Dataset Card for C4\n")
    (folder / ".gitattributes").write_text("*.gz filter=lfs\n")


def dolma(folder):
    rows = lines(id="a", source="wiki", metadata={"length": 10})
    (folder / "wiki-0000.json.gz").write_bytes(gzip.compress(rows))
    (folder / "LICENSE").write_text("Open Data Commons\n")


def redpajama(folder):
    (folder / "arxiv.jsonl").write_bytes(lines(meta={"url": URL, "language": "en"}))
    (folder / "dataset_infos.json").write_text(json.dumps({"default": {"splits": {}}}, indent=1))
    (folder / "urls.txt").write_text(f"{URL}\n")


def slimpajama(folder):
    (folder / "chunk1").mkdir()
    rows = lines(meta={"redpajama_set_name": "RedPajamaBook"})
    (folder / "chunk1" / "example_0.jsonl.zst").write_bytes(zst(rows))
    (folder / "chunk1" / "checksum.sha256").write_text("0f3a  example_0.jsonl.zst\n")


def fineweb(folder):
    (folder / "data").mkdir()
    parquet(folder / "data" / "000_00000.parquet", "text")
    (folder / "README.md").write_text("# FineWeb\n")


def the_stack(folder):
    (folder / "data").mkdir()
    parquet(folder / "data" / "train-00000-of-00206.parquet", "content")


def array(folder):
    (folder / "train.json").write_text(json.dumps([{"text": text} for text in TEXTS], indent=2))


def an_object_a_file(folder):
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.json").write_text(json.dumps({"text": text, "title": "T"}, indent=2))


def plain_and_compressed(folder):
    for number, text in enumerate(TEXTS):
        compress = (bytes, gzip.compress, bz2.compress, lzma.compress)[number % 4]
        suffix = ("", ".gz", ".bz2", ".xz")[number % 4]
        (folder / f"{number}.txt{suffix}").write_bytes(compress(text.encode()))


LAYOUTS = [
    c4,
    c4_as_handed_out,
    dolma,
    redpajama,
    slimpajama,
    fineweb,
    the_stack,
    array,
    an_object_a_file,
    plain_and_compressed,
]


def read(config, cache):
    sources = list_sources(config, cache)
    tallies = [Tally() for _ in sources]
    return list(read_documents(config, sources, tallies)), dict(
        zip([source.name for source in sources], tallies, strict=True)
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_its_texts_and_its_number_of_documents(tmp_path, layout):
    folder = tmp_path / "corpus"
    folder.mkdir()
    layout(folder)
    column = "content" if layout is the_stack else "text"
    config = Corpus(paths=(str(folder),), text_column=column)
    documents, tallies = read(config, tmp_path)
    assert sorted(document.text for _, document in documents) == sorted(TEXTS)
    assert sum(tally.documents for tally in tallies.values()) == len(TEXTS)
    for name, tally in tallies.items():
        assert tally.documents or tally.why == "it describes the data beside it", name


def test_the_manifest_names_every_source_and_what_was_left_out_of_it(tmp_path, caplog):
    folder = tmp_path / "corpus"
    folder.mkdir()
    c4_as_handed_out(folder)
    (folder / "picture").write_bytes(b"\x89PNG\xff")
    (folder / "more.tar.gz").write_bytes(b"\x1f\x8b")
    (folder / "rows.jsonl").write_bytes(lines() + b'{"text": null}\n{"text": "  "}\n')
    with caplog.at_level(logging.WARNING):
        load_corpus(Corpus(paths=(str(folder),)), 300, tmp_path / "cache")
    (path,) = (tmp_path / "cache").glob("corpus-*/manifest.json")
    rows = {Path(row["path"]).name: row for row in json.loads(path.read_text())["sources"]}
    counts = {
        name: (row["documents"], row["left_out"], bool(row["why"])) for name, row in rows.items()
    }
    assert counts == {
        "README.md": (0, 1, True),
        "c4-train.00000-of-01024.json.gz": (60, 0, False),
        "more.tar.gz": (0, 1, True),
        "picture": (0, 1, True),
        "rows.jsonl": (60, 2, True),
    }
    for name in ("README.md", "picture", "more.tar.gz", "rows.jsonl"):
        assert name in caplog.text


def test_another_key_of_the_text_is_named_and_never_trained_on_as_it_stands(tmp_path):
    (tmp_path / "a.json").write_bytes(lines("content", url=URL))
    with pytest.raises(InputError, match='text_column to the key of the text, such as "content"'):
        read(Corpus(paths=(str(tmp_path),)), tmp_path)


def test_settings_within_a_folder_of_code_are_text_like_code(tmp_path):
    (tmp_path / "package.json").write_text('{\n "name": "x"\n}')
    (tmp_path / "main.py").write_text("print(1)\n")
    documents, _ = read(Corpus(paths=(str(tmp_path),)), tmp_path)
    assert [document.text for _, document in documents] == ["print(1)\n", '{\n "name": "x"\n}']


def test_a_readme_without_data_beside_it_is_a_text(tmp_path):
    (tmp_path / "README.md").write_text("words")
    assert len(read(Corpus(paths=(str(tmp_path),)), tmp_path)[0]) == 1


def test_zstandard_files_of_several_frames_are_read_to_their_end(tmp_path):
    half = len(lines()) // 2
    data = lines()
    (tmp_path / "a.jsonl.zst").write_bytes(zst(data[:half]) + zst(data[half:]))
    assert len(read(Corpus(paths=(str(tmp_path),)), tmp_path)[0]) == 60


def test_a_cut_off_file_is_an_error_that_names_it(tmp_path):
    whole = gzip.compress(lines())
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.jsonl\.gz"):
        read(Corpus(paths=(str(tmp_path),)), tmp_path)


def test_a_book_on_a_single_line_is_enough_for_a_tokenizer():
    words = " ".join(TEXTS).replace("\n", " ") * 20
    assert len(words.encode()) > 2 * 65_536
    assert len(train_tokenizer([words], 300)) == 300


def test_tokens_that_were_changed_on_disk_are_never_trained_on(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines())
    config = Corpus(paths=(str(tmp_path / "a.jsonl"),))
    before = load_corpus(config, 300, tmp_path / "cache").domains[0].tokens["train"][:].tolist()
    (shard,) = (tmp_path / "cache").glob("corpus-*/shard-*.u16")
    data = bytearray(shard.read_bytes())
    data[10] ^= 1
    shard.write_bytes(data)
    after = load_corpus(config, 300, tmp_path / "cache").domains[0].tokens["train"][:].tolist()
    assert after == before


def test_a_small_parquet_file_of_large_equal_texts_needs_the_memory_of_one(tmp_path):
    import tracemalloc

    text = "word " * 400_000  # 2 MB, a thousand times
    table = pyarrow.table({"text": pyarrow.array([text] * 1000).dictionary_encode()})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", compression="zstd")
    del table
    config = Corpus(paths=(str(tmp_path / "a.parquet"),))
    tracemalloc.start()
    arrow = pyarrow.total_allocated_bytes()
    highest = 0
    for _ in read_documents(config, list_sources(config, tmp_path)):
        highest = max(highest, pyarrow.total_allocated_bytes() - arrow)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert python < 30e6
    assert highest < 100e6
