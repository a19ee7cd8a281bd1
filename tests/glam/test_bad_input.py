"""Bad input to `glam` is one line that says what to do, and leaves nothing behind."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.small_models import DENSE_TOML

TINY = f"""
{DENSE_TOML}
[training]
steps = 3
batch_sequences = 2
threads = 1
evaluate_batches = 1
"""


@pytest.fixture
def glam(monkeypatch, capsys, tmp_path):
    """Run the command `glam` in an empty folder; give its exit code and what it said on stderr."""
    from glam.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["glam", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, capsys.readouterr().err

    return run


@pytest.fixture
def text(tmp_path):
    """Documents enough for a vocabulary of 400."""
    folder = tmp_path / "texts"
    folder.mkdir()
    source = Path(json.__file__).with_name("decoder.py").read_text()
    for number in range(20):
        (folder / f"{number}.txt").write_text(source[number * 500 : (number + 1) * 500 + 500])
    return folder


def told(err: str) -> str:
    """The one line on stderr."""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line


BAD_CORPORA = {
    "a path that does not exist": ("nowhere", None, "no such file or folder"),
    "an empty file": ("void.txt", b"", "an empty file"),
    "a file of blanks": ("blank.txt", b" \n\n", "an empty file"),
    "a file that is no text": ("picture.txt", b"\x89PNG\x00\xff", "expected UTF-8 text"),
    "a line that is no JSON": ("a.jsonl", b'{"text": "one"}\n{"text"', "line 2"),
    "a line without text": ("b.jsonl", b'{"body": "one"}\n', "line 1: 'text'"),
    "a line that is a number": ("c.jsonl", b"5\n", "line 1"),
    "a text that is a number": ("d.jsonl", b'{"text": 5}\n', "line 1"),
    "too little text": ("short.txt", b"one two three " * 20, "enough for a vocabulary of 400"),
}


@pytest.mark.parametrize(("name", "content", "words"), BAD_CORPORA.values(), ids=BAD_CORPORA)
def test_bad_text_is_told_in_one_line(glam, tmp_path, name, content, words):
    (tmp_path / "tiny.toml").write_text(TINY)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, err = glam("train", "--model", "tiny.toml", "--data", name, "--out", "run")
    assert code == 2
    assert words in told(err)
    assert not (tmp_path / "run").exists()


BAD_FILES = {
    "not TOML": ("steps = = 3", "expected TOML"),
    "an unknown section": ("[trianing]\nsteps = 3", "did you mean training"),
    "an unknown training key": ("[training]\nlerning_rate = 1.0", "did you mean learning_rate"),
    "an unknown shape key": ("[shape]\nn_layer = 3", "did you mean n_layers"),
    "an unknown model": ('model = "glam-mini-16"', "did you mean glam-mini-16e"),
    "a word for a number": ('[training]\nsteps = "many"', "expected int for steps"),
    "a value out of range": ("[training]\nsteps = 0", "expected steps to be at least 1"),
    "an unknown optimizer": ('[training]\noptimizer = "sgd"', "one of adafactor, adamw"),
    "a shape not of this family": ('model = "mixtral-8x7b"', "in a GLaM"),
    "a share of documents above 1": ("[corpus]\nheld_out = 2.0", "between 0 and 1"),
    "a section that is a number": ("training = 3", "expected a table"),
    "a word for a size": ('[shape]\nn_layers = "four"', "n_layers to be a whole number"),
    "half a layer": ("[shape]\nn_layers = 2.5", "n_layers to be a whole number"),
    "a negative width": ("[shape]\nd_model = -8", "d_model to be at least 1"),
    "a network of no width": ("[shape]\nd_ff = 0", "d_ff to be at least 1"),
    "an uneven MoE": (
        "[shape]\nn_moe_layers = 3\nn_experts = 4\nd_expert = 8",
        "a divisor of 4 layers",
    ),
    "an expert of odd width": (
        "[shape]\nn_moe_layers = 2\nn_experts = 4\nd_expert = 10",
        "d_expert to be a multiple of 4",
    ),
    "a MoE of odd width": (
        "[shape]\nd_model = 34\nn_moe_layers = 2\nn_experts = 4\nd_expert = 8",
        "d_model to be a multiple of 8",
    ),
    "a model that is a number": ("model = 3", "model to be a text"),
    "a name that is a number": ("name = 3", "name to be a text"),
    "a weight that is a word": (
        '[corpus]\nweights = {code = "all"}',
        "weights.code to be a number",
    ),
    "a rate without end": ("[training]\nlearning_rate = inf", "finite"),
}


@pytest.mark.parametrize(("content", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_configuration_is_told_in_one_line(glam, tmp_path, content, words):
    complete = (
        content if content.startswith(("model", "steps")) else ('model = "glam-mini"\n' + content)
    )
    (tmp_path / "bad.toml").write_text(complete)
    code, err = glam("train", "--model", "bad.toml", "--out", "run")
    assert code == 2
    assert words in told(err)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--model", "glam-mini-16"), 2, "did you mean glam-mini-16e"),
        (("--model", "nowhere.toml"), 2, "no such file"),
        (("--model", "mixtral-8x7b"), 2, "in a GLaM"),
        (("--model", "glam-64b-64e"), 3, "got 9.29 TB; choose a smaller model"),
        (("--model", "glam-mini", "--optimizer", "sgd"), 2, "one of adafactor, adamw"),
        (("--model", "glam-mini", "--device", "tpu"), 2, "one of auto, cpu, cuda"),
        (("--model", "glam-mini", "--resume"), 2, "leave --resume away"),
        (("--model", "glam-mini", "--zone", "Atlantis"), 4, "Atlantis"),
        (("--model", "glam-mini", "--machine", "nowhere.toml"), 2, "no such file"),
    ],
)
def test_a_bad_argument_is_told_in_one_line(glam, tmp_path, arguments, code, words):
    found, err = glam("train", *arguments, "--out", "run")
    assert found == code
    assert words in told(err)
    assert not (tmp_path / "run").exists()


def test_a_wish_for_a_gpu_that_is_not_there_is_infeasible(glam, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, err = glam("train", "--model", "glam-mini", "--device", "cuda", "--out", "run")
    assert code == 3
    assert "use --device cpu" in told(err)


def test_a_folder_that_holds_a_run_or_is_a_file_is_not_written_over(glam, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("precious\n")
    code, err = glam("train", "--model", "glam-mini", "--out", "run")
    assert code == 2
    assert "add --resume or choose another folder" in told(err)
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == "precious\n"
    (tmp_path / "file").write_text("precious")
    code, err = glam("train", "--model", "glam-mini", "--out", "file")
    assert code == 2
    assert "to be a folder" in told(err)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_finished_run_resumes_with_its_own_settings_only(glam, tmp_path, text):
    (tmp_path / "tiny.toml").write_text(TINY)
    asked = ("train", "--model", "tiny.toml", "--data", text, "--out", "run")
    assert glam(*asked)[0] == 0
    code, err = glam(*asked, "--seed", "5", "--resume")
    assert code == 2
    assert "training.seed = 5 (was 0)" in told(err)


def test_a_damaged_checkpoint_is_refused_whatever_byte_is_wrong(glam, tmp_path, text):
    (tmp_path / "tiny.toml").write_text(TINY)
    assert glam("train", "--model", "tiny.toml", "--data", text, "--out", "run")[0] == 0
    (place,) = (tmp_path / "run" / "checkpoints").iterdir()
    sound = place.read_bytes()
    flipped = bytearray(sound)
    flipped[-3] ^= 1
    for damaged in (b"", sound[:5], sound[: len(sound) // 2], b"x" * len(sound), bytes(flipped)):
        place.write_bytes(damaged)
        code, err = glam("generate", "run", "--prompt", "def")
        assert code == 2
        assert "expected a sound checkpoint" in told(err)
        assert place.name in err


def test_generating_from_no_run_is_told_in_one_line(glam):
    code, err = glam("generate", "nowhere")
    assert code == 2
    assert "nowhere" in told(err)


def test_a_full_disk_is_told_in_one_line_and_leaves_no_half_checkpoint(tmp_path, text):
    """A limit on the size of files refuses the checkpoint's write as a full disk would."""
    (tmp_path / "tiny.toml").write_text(TINY)
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from glam.cli import main; main()",
            "train",
            "--model",
            tmp_path / "tiny.toml",
            "--data",
            text,
            "--out",
            tmp_path / "run",
        ],
        capture_output=True,
        text=True,
        env={"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": ":".join(sys.path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )
    assert run.returncode == 2, run.stderr
    assert "expected to write" in told(run.stderr)
    left = [
        path.name
        for path in (tmp_path / "run").rglob("*")
        if path.suffix == ".safetensors" or path.name.startswith(".")
    ]
    assert left == []
    assert not (tmp_path / "run" / "record.json").exists()
