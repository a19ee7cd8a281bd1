"""Files of prompts: each line is a prompt, or one line says what is wrong."""

import json
import re

import pytest

from energy.errors import InputError
from glam.generation.prompts import read_prompts


def test_lines_of_text_and_of_json_are_the_same_prompts(tmp_path):
    texts = ["  def f(x):", "a cat", "{not json"]
    (tmp_path / "p.txt").write_text("\n\n".join(texts) + "\n")
    (tmp_path / "p.jsonl").write_text("\n".join(json.dumps({"prompt": text}) for text in texts))
    assert read_prompts(tmp_path / "p.txt") == texts
    assert read_prompts(tmp_path / "p.jsonl") == texts


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "expected prompts in"),
        ('{"prompt": "a"}\n{"prompt": ', "line 2 of"),
        ('{"text": "a"}', 'write {"prompt": "..."}'),
        ('{"prompt": 3}', "expected a text prompt in line 1"),
        ("[" * 100_000, "expected a JSON object in line 1"),
    ],
)
def test_a_broken_line_is_named(tmp_path, content, words):
    (tmp_path / "p.jsonl").write_text(content)
    with pytest.raises(InputError, match=re.escape(words)):
        read_prompts(tmp_path / "p.jsonl")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="a file of prompts"):
        read_prompts(tmp_path / "none.txt")
