"""Who follows the pages and the error messages to the letter gets what they say."""

import ast
import json
import os
import re
import shlex
import shutil
import sys
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tests.fuzz.harness import command, outcome
from tests.fuzz.simulator_files import probe
from tests.support import ROOT, ledgers
from tests.test_docs import COMMANDS, FENCE, MANUAL, sessions, what_is_wrong

NOT_RUN = {
    r"make ": "the tests of the repository itself",
    r"glam train --model glam-mini-16e": "minutes; tests/glam trains a smaller one",
    r"glam train --model recipe\.toml": "own books; tests/glam/test_bad_input.py resumes a run",
    r"glam probe ": "a minute; tests/contracts probes with fewer sizes",
    r"glam generate ": "a model that was trained for minutes",
    r"glam experts ": "a mixture that was trained; tests/glam/specialization has a small one",
    r"glam (items|eval|compare|finetune) ": "the same, and items; tests/glam has small ones",
    r"simulator (pareto|feasible|plan) ": "minutes; the tests of the verbs run them",
    r"energy run --meter (cmd|redfish)": "a plug and a server's own controller on a network",
    r"energy doctor --meter cmd": "a plug on a network",
    r"simulator calibrate --serving": "half a minute; tests/simulator/serving fits fewer rows",
    r"simulator validate --serving published --folds": "ten seconds; tests of serve do it",
    r"energy run --tokens-from http": "a server; tests/energy/verbs has a stand-in",
    r"energy merge /runs/training": "a cluster's volume; tests/test_cluster.py runs the manifest",
    r"energy watch --prometheus": "a server that runs until it is stopped",
}
"""What the pages show and no test can run here, with the reason."""

TRAINING = "import time\ntime.sleep(1)\nprint('trained')\n"
"""Long enough for a sampler to start, also where the machine is busy."""

LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
}
"""The configuration of a small model, as its hub hands it out."""

SHOWN = [
    pytest.param(line, id=f"{page.name}: {' '.join(line.split()[:5])}")
    for page in MANUAL
    if page.parent.name != "add"  # tests/test_added.py changes a checkout as they say
    for line, _ in sessions(page)
    if line.split(" ")[0] in COMMANDS and not any(re.match(what, line) for what in NOT_RUN)
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """What the pages take for granted: a script, a table, a model, and the run of a Tracker."""
    folder = tmp_path_factory.mktemp("workplace")
    probe(folder, Random(1))
    (folder / "work.py").write_text("sum(range(10**6))\n")
    (folder / "train.py").write_text(f"#!{sys.executable}\n{TRAINING}")
    (folder / "train.py").chmod(0o755)
    rows = [f"gpu,m{n % 4},{100 + n},{20_000 + 10 * n},{24_000 + 20 * n}" for n in range(12)]
    header = "device,model,duration_s,codecarbon_j,wall_j"
    (folder / "wall.csv").write_text("\n".join([header, *rows]) + "\n")
    for rank in range(2):
        place = {"rank": rank, "ranks": 2, "local_rank": rank, "local_ranks": 2}
        board = [ledgers.domain(f"gpu-{rank}")]
        samples = [ledgers.sample(second, 300.0 * second) for second in range(5)]
        header = ledgers.header(board, job={"launcher": "torchrun", **place})
        ledgers.record_of(folder / f"runs/night/rank-{rank}", [header, *samples, ledgers.end(4)])
    model = folder / "downloads" / "my-model"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(LLAMA))
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [f"{(now + timedelta(hours=n)).isoformat()},{60 + n}" for n in range(-3, 27)]
    for name in ("grid.csv", "contracts.csv"):
        (folder / name).write_text("\n".join(["time,g_per_kwh", *hours]) + "\n")
    shutil.copytree(ROOT / "docs" / "disclosure", folder / "docs" / "disclosure")
    shutil.copy(ROOT / "simulator" / "published" / "runs_2026.csv", folder / "runs.csv")
    shutil.copy(ROOT / "tests/energy/importers/data/codecarbon.csv", folder / "emissions.csv")
    return folder


def _tracked(folder):
    """The page's own example of a Tracker, with a loop to fill in."""
    blocks = FENCE.findall((ROOT / "docs" / "meters.md").read_text())
    (example,) = (
        block
        for kind, block in blocks
        if kind == "python" and "runs/mine" in block and "with Tracker" in block
    )
    filled = {"train_one_step": lambda: sum(range(1000)), "validate": lambda: None}
    exec(compile(example, "docs/meters.md", "exec"), filled)  # the page, as its reader runs it
    shutil.copytree(folder / "runs" / "mine", folder / "runs" / "killed")
    (folder / "runs" / "killed" / "record.json").unlink()


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("line", SHOWN)
def test_a_command_of_a_page_runs_in_its_order(line, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    monkeypatch.setenv("PATH", f"{workplace}:{os.environ['PATH']}")
    if not (workplace / "runs" / "mine").exists():
        _tracked(workplace)
    words = shlex.split(line, comments=True)
    if words[:2] == ["simulator", "init"]:  # each path begins in an empty folder
        (workplace / words[2]).unlink(missing_ok=True)
    end = outcome(command(*words))
    assert end.kind == "read", f"{line}: {end}"


def test_what_is_not_run_stands_on_a_page():
    lines = [line for page in MANUAL for line, _ in sessions(page)]
    for what in NOT_RUN:
        assert any(re.match(what, line) for line in lines) or "prometheus" in what, what


def texts(path):
    """The texts of a module that are no docstrings; X stands for what is filled in."""
    tree = ast.parse(path.read_text())
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    inner = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(p.value if isinstance(p, ast.Constant) else "X" for p in node.values)
        elif isinstance(node, ast.Constant) and id(node) not in documented | inner:
            yield str(node.value)


NAMES = r"--[\w-]+|[A-Z][\w.\[\]=|-]*|[\w./]+\.(?:json|csv|toml)"
CALL = re.compile(rf"\b(?:{'|'.join(COMMANDS)}) [a-z]+(?: (?:{NAMES}))*")


@pytest.mark.parametrize("package", COMMANDS)
def test_a_command_in_a_message_has_a_verb_and_options_that_exist(package):
    from tests.test_docs import command as parser

    wrong = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        for text in texts(path):
            for call in CALL.findall(text):
                words = call.split()
                # Prose may follow a name: "energy had no meter".
                known = words[1] in parser(words[0]).commands
                if known and (why := what_is_wrong(words)):
                    wrong[f"{path.relative_to(ROOT)}: {call}"] = why
    assert wrong == {}, json.dumps(wrong, indent=1)
