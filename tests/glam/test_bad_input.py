"""Bad input to `glam` gives a one-line error that says what to do, and writes no files."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.tiny import DENSE_TOML

TINY = f"""
{DENSE_TOML}
[training]
steps = 3
batch_sequences = 2
threads = 1
evaluate_batches = 1
"""


@pytest.fixture
def text(tmp_path):
    """A folder with enough text for a vocabulary of 400."""
    folder = tmp_path / "texts"
    folder.mkdir()
    source = Path(json.__file__).with_name("decoder.py").read_text()
    for number in range(20):
        (folder / f"{number}.txt").write_text(source[number * 500 : (number + 1) * 500 + 500])
    return folder


def error_line(err: str) -> str:
    """Return the only line on stderr besides those of a training's progress."""
    (line,) = (line for line in err.splitlines() if not line.startswith("step "))
    assert line.startswith("error: ")
    return line


BAD_CORPORA = {
    "a path that does not exist": ("nowhere", None, "no such file or folder"),
    "an empty file": ("void.txt", b"", "an empty file"),
    "a file of blanks": ("blank.txt", b" \n\n", "an empty file"),
    "a file that is not text": ("picture.txt", b"\x89PNG\x00\xff", "expected UTF-8 text"),
    "a line that is not JSON": ("a.jsonl", b'{"text": "one"}\n{"text"', "line 2"),
    "a line without text": (
        "b.jsonl",
        b'{"body": "one"}\n',
        "text_column to the key of the text, such",
    ),
    "a line that is a number": ("c.jsonl", b"5\n", "line 1"),
    "a text that is a number": ("d.jsonl", b'{"text": 5}\n', "line 1"),
    "an archive": ("docs.tar.gz", b"", "unpack it"),
    "a damaged gzip file": ("a.jsonl.gz", b"\x1f\x8b\x08\x00broken", "a.jsonl.gz"),
    "a file that is not gzip": ("b.jsonl.gz", b'{"text": "one"}\n', "b.jsonl.gz"),
    "settings": ("settings.json", b'{"steps": 5}', "text_column"),
    "brackets without end": ("deep.jsonl", b"[" * 100_000, "line 1"),
    "too little text": ("short.txt", b"one two three " * 20, "enough text for a vocabulary of 400"),
}


@pytest.mark.parametrize(("name", "content", "words"), BAD_CORPORA.values(), ids=BAD_CORPORA)
def test_bad_text_is_a_one_line_error(glam, tmp_path, name, content, words):
    (tmp_path / "tiny.toml").write_text(TINY)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, _, err = glam("train", "--model", "tiny.toml", "--data", name, "--out", "run")
    assert code == 2
    assert words in error_line(err)
    assert not (tmp_path / "run").exists()


BAD_FILES = {
    "not TOML": ("steps = = 3", "text that is not TOML"),
    "an unknown section": ("[trianing]\nsteps = 3", "did you mean training"),
    "an unknown training key": ("[training]\nlerning_rate = 1.0", "did you mean learning_rate"),
    "an unknown shape key": ("[shape]\nn_layer = 3", "did you mean n_layers"),
    "an unknown model": ('model = "glam-mini-16"', "did you mean glam-mini-16e"),
    "a word for a number": ('[training]\nsteps = "many"', "expected int for steps"),
    "a value out of range": ("[training]\nsteps = 0", "expected steps to be at least 1"),
    "an unknown optimizer": ('[training]\noptimizer = "sgd"', "one of adafactor, adamw"),
    "a shape of another family": ('model = "mixtral-8x7b"', "in a GLaM"),
    "a fraction of documents above 1": ("[corpus]\nvalidation_fraction = 2.0", "between 0 and 1"),
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
def test_a_bad_configuration_is_a_one_line_error(glam, tmp_path, content, words):
    complete = (
        content if content.startswith(("model", "steps")) else ('model = "glam-mini"\n' + content)
    )
    (tmp_path / "bad.toml").write_text(complete)
    code, _, err = glam("train", "--model", "bad.toml", "--out", "run")
    assert code == 2
    assert words in error_line(err)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--model", "glam-mini-16"), 2, "did you mean glam-mini-16e"),
        (("--model", "zzz"), 2, "list them with: glam sizes"),
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
def test_a_bad_argument_is_a_one_line_error(glam, tmp_path, arguments, code, words):
    result = glam("train", *arguments, "--out", "run")
    assert result.code == code
    assert words in error_line(result.err)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("probe", "--out", "probe.json", "--device", "tpu"), "one of auto, cpu, cuda; got tpu"),
        (("probe", "--out", "/proc/probe.json"), "expected to write /proc/probe.json"),
        (("generate", "a-file"), "expected a valid checkpoint at a-file"),
        (("generate", "run", "--prompt", "a", "--prompts", "a-file"), "leave one of them away"),
        (("generate", "run", "--prompts", "a-file"), "expected prompts in a-file; got none"),
        (("generate", "nowhere"), "expected a checkpoint in nowhere/checkpoints"),
    ],
)
def test_other_verbs_refuse_bad_arguments_before_they_work(glam, tmp_path, arguments, words):
    (tmp_path / "a-file").write_text("")
    result = glam(*arguments)
    assert result.code == 2
    assert words in error_line(result.err)


def test_a_gpu_that_is_not_there_is_infeasible(glam, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, err = glam("train", "--model", "glam-mini", "--device", "cuda", "--out", "run")
    assert code == 3
    assert "use --device cpu" in error_line(err)


def test_a_folder_with_a_run_and_a_file_are_never_overwritten(glam, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("precious\n")
    code, _, err = glam("train", "--model", "glam-mini", "--out", "run")
    assert code == 2
    assert "add --resume or choose another folder" in error_line(err)
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == "precious\n"
    (tmp_path / "file").write_text("precious")
    code, _, err = glam("train", "--model", "glam-mini", "--out", "file")
    assert code == 2
    assert "to be a folder" in error_line(err)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_run_resumes_only_with_its_own_settings(glam, tmp_path, text):
    (tmp_path / "tiny.toml").write_text(TINY)
    train = ("train", "--model", "tiny.toml", "--data", text, "--out", "run")
    assert glam(*train).code == 0
    code, _, err = glam(*train, "--seed", "5", "--resume")
    assert code == 2
    assert "training.seed = 5 (was 0)" in error_line(err)


def test_resuming_a_finished_run_changes_nothing_and_more_steps_go_on(glam, tmp_path, text):
    (tmp_path / "tiny.toml").write_text(TINY)
    train = ("train", "--model", "tiny.toml", "--data", text, "--out", "run")
    assert glam(*train).code == 0
    files = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    code, _, err = glam(*train, "--resume")
    assert code == 0
    assert "all 3 steps are done" in err
    for path, content in files.items():
        assert path.read_bytes() == content
    assert glam(*train, "--resume", "--steps", "5").code == 0
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["metrics"]["steps"]["value"] == 5
    code, _, err = glam(*train, "--resume", "--steps", "4")
    assert code == 2
    assert "add --steps 5, or more" in error_line(err)


def test_a_log_file_gets_the_first_line_each_evaluation_and_the_last_line(glam, tmp_path, text):
    toml = TINY.replace("steps = 3", "steps = 9\nlog_every = 1\nevaluate_every = 4")
    (tmp_path / "tiny.toml").write_text(toml)
    code, _, err = glam("train", "--model", "tiny.toml", "--data", text, "--out", "run")
    assert code == 0
    lines = [line for line in err.splitlines() if line.startswith("step ")]
    assert [line.split()[1] for line in lines] == ["1", "4", "8", "9"]
    assert ["validation loss" in line for line in lines] == [False, True, True, True]
    assert all("left" in line for line in lines[:-1])
    assert "left" not in lines[-1]


def test_a_damaged_checkpoint_is_refused_wherever_the_damage_is(glam, tmp_path, text):
    (tmp_path / "tiny.toml").write_text(TINY)
    assert glam("train", "--model", "tiny.toml", "--data", text, "--out", "run").code == 0
    (path,) = (tmp_path / "run" / "checkpoints").iterdir()
    for file in path.iterdir():
        valid = file.read_bytes()
        flipped = bytearray(valid)
        flipped[-3] ^= 1
        for damaged in (b"", valid[: len(valid) // 2], b"x" * len(valid), bytes(flipped)):
            file.write_bytes(damaged)
            for named in ("run", path):
                code, _, err = glam("generate", named, "--prompt", "def")
                assert code == 2
                assert "expected a valid checkpoint" in error_line(err)
                assert path.name in err
        file.write_bytes(valid)
    assert glam("generate", path, "--tokens", 2).code == 0


def test_generating_without_a_run_is_a_one_line_error(glam):
    code, _, err = glam("generate", "nowhere")
    assert code == 2
    assert "nowhere" in error_line(err)


def test_a_full_disk_is_a_one_line_error_and_leaves_no_partial_checkpoint(tmp_path, text):
    """A limit on file sizes makes the write of the checkpoint fail as a full disk would."""
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
    assert "expected to write" in error_line(run.stderr)
    leftovers = [
        path.name for path in (tmp_path / "run").rglob("*") if path.name.startswith(("step-", "."))
    ]
    assert leftovers == []
    assert not (tmp_path / "run" / "record.json").exists()
