"""No password, key or token of a command line reaches a ledger or a record."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import Tracker
from energy.ledger.secrets import is_secret, masked

SECRETS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=9)
NAMED = """
api-key api_key apiKey KEY auth HF_TOKEN token hftoken password db.password passwd pwd PGPASSWORD
secret client_secret AWS_SECRET_ACCESS_KEY passphrase credentials sas
"""
NAMES = st.sampled_from(NAMED.split())
FORMS = st.sampled_from(
    [
        "--{name}|{secret}",
        "--{name}={secret}",
        "-{name}|{secret}",
        "{name}={secret}",
        "+trainer.{name}={secret}",
        '--{name}="{secret} {secret}"',
        "--config={{'{name}': '{secret}'}}",
        '{{"{name}": "{secret}", "lr": 1}}',
        "-c|{name}='{secret}'; train()",
        "-c|{name}={secret} python train.py --lr 1",
        "-c|python train.py --{name} {secret} --lr 1",
        "-H|X-{name}: {secret}",
        "-c|curl -H 'Authorization: Bearer {secret}' host",
        "--header=Authorization: Bearer {secret}",
        "https://user:{secret}@host:8080/path",
        "--proxy=http://{secret}@host",
        "https://host/path?lr=1&{name}={secret}&x=2",
        "-u|user:{secret}",
        "sk-{secret}{secret}",
        "--x|hf_{secret}{secret}",
    ]
)


@given(NAMES, FORMS, SECRETS)
def test_a_secret_is_in_no_form_of_a_command_line_that_is_recorded(name, form, secret):
    arguments = form.format(name=name, secret=secret).split("|")
    shown = masked(["train.py", "--steps", "100", *arguments, "--lr", "0.1"])
    assert secret not in shown
    assert "***" in shown
    assert shown.startswith("train.py --steps 100 ")
    assert shown.endswith(" --lr 0.1")


@pytest.mark.parametrize(
    "line",
    [
        "python train.py --tokens 300e9 --max-tokens=5 --tokenizer gpt2 data/",
        "energy run --out runs/a -- sh -c 'for i in 1 2 3; do echo $i; done'",
        "model.layers=3 seed=1 --key-value-heads 8 --keyboard x",
        "torchrun --rdzv-endpoint host:29500 train.py",
        "wget https://host/path?size=3",
        "python -c print(1)",
    ],
)
def test_a_command_line_without_secrets_is_recorded_as_it_is(line):
    assert masked(line.split(" ")) == line


def test_an_option_after_a_flag_that_looks_like_a_secret_is_not_hidden():
    assert masked(["--use-auth", "--lr", "1"]) == "--use-auth --lr 1"
    assert masked(["--token=abc", "train.py"]) == "--token=*** train.py"
    assert not is_secret("--")


@pytest.mark.process
def test_ledger_and_record_of_a_run_contain_no_secret_of_its_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "--api-key", "SESAME", "DB_PASSWORD=SESAME"])
    with Tracker(tmp_path / "run", interval_s=0.05, meters=["cpu_model"]):
        pass
    for file in (tmp_path / "run").iterdir():
        assert "SESAME" not in file.read_text()
    record = json.loads((tmp_path / "run" / "record.json").read_text())
    assert record["environment"]["command"] == "train.py --api-key *** DB_PASSWORD=***"
