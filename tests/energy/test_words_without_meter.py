"""Without a meter, every output of every verb labels its joules and watts modelled or assumed."""

import html
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

SPENT = re.compile(r"\d[\d.,e+-]*\s?[kMGTmµ]?(?:J|Wh|W)\b")
"""A number of joules, watt-hours or watts."""

WORDS = re.compile(r"modelled|assumed|missing")
FACT = re.compile(r"W busy|cpu_defaults|x \d\S* W|Teads|wall = |W per core|W per GiB|\(none\)")
"""Lines with a constant of the model and its source, or an empty axis: nothing that was spent."""

VERBS = {
    "run": ["run", "--out", "again", "--interval", "0.1", "--", "sleep", "0.2"],
    "record": ["record", "one"],
    "record as JSON": ["record", "one", "--json"],
    "doctor": ["doctor", "--seconds", "0.2"],
    "doctor as JSON": ["doctor", "--seconds", "0.2", "--json"],
    "watch": ["watch", "--seconds", "0.3", "--interval", "0.1"],
    "verify": ["verify", "one"],
    "verify as JSON": ["verify", "one", "--json"],
    "merge": ["merge", "one", "two", "--out", "both"],
    "merge as JSON": ["merge", "one", "two", "--out", "both", "--json"],
    "report": ["report", "one", "two"],
    "report as JSON": ["report", "one", "two", "--json"],
    "report as a page": ["report", "one", "two", "--html", "page.html"],
    "list": ["list", "one", "two"],
    "list as JSON": ["list", "one", "two", "--json"],
    "compare": ["compare", "one", "two"],
    "compare as JSON": ["compare", "one", "two", "--json"],
    "grid": ["grid", "FRA"],
    "grid as JSON": ["grid", "FRA", "--json"],
    "schema": ["schema"],
}
ENERGY = [sys.executable, "-c", "from energy.cli import main; main()"]


SEES_A_METER = (
    "from energy.meters.sources import open_sources\n"
    "print(any(domain.origin == 'measured' for domain in open_sources('auto')[1]))"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    # In a process of its own: tests before this one may have loaded the stand-in of a driver.
    seen = subprocess.run(
        [sys.executable, "-c", SEES_A_METER], capture_output=True, text=True, check=True
    )
    if seen.stdout.strip() == "True":
        pytest.skip("this machine has a meter: what it measures is not modelled")
    folder = tmp_path_factory.mktemp("words")
    for name in ("one", "two"):
        subprocess.run(
            [*ENERGY, "run", "--out", name, "--interval", "0.1", "--", "sleep", "0.3"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
    return folder


def bare_lines(text):
    """Lines with a number of joules or watts and without its origin."""
    return [
        line
        for line in text.splitlines()
        if SPENT.search(line) and not WORDS.search(line) and not FACT.search(line)
    ]


def bare_values(document, path=""):
    """Paths in a JSON document to joules or watts without their origin."""
    if isinstance(document, list):
        return [bad for i, part in enumerate(document) for bad in bare_values(part, f"{path}[{i}]")]
    if not isinstance(document, dict):
        return []
    bare = []
    # Zero needs no label: nothing was spent, as in "wasted" of a run that lost no work.
    if is_spent(document) and document.get("value") != 0:
        if document.get("origin") not in ("modelled", "assumed"):
            bare.append(path)
        if "measured" in document.get("shares", {}):
            bare.append(f"{path}.shares")
    children = document.items()
    return bare + [bad for key, part in children for bad in bare_values(part, f"{path}.{key}")]


def is_spent(row):
    """Whether a JSON object states joules or watts."""
    return (row.get("unit") in ("J", "W", "Wh") and row.get("value") is not None) or any(
        row.get(key) is not None for key in ("watts", "joules")
    )


@pytest.mark.parametrize("verb", VERBS)
def test_no_output_shows_a_modelled_joule_without_its_origin(place, verb):
    done = subprocess.run([*ENERGY, *VERBS[verb]], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert bare_lines(done.stderr) == []
    if verb.endswith("JSON"):
        assert bare_values(json.loads(done.stdout)) == []
    elif verb != "schema":
        assert bare_lines(done.stdout) == []
        assert verb == "verify" or not re.search(r"\bmeasured\b", done.stdout + done.stderr)


def test_the_page_and_its_pictures_say_the_word_with_every_joule(place):
    subprocess.run(
        [*ENERGY, "report", "one", "two", "--html", "page.html"],
        cwd=place,
        check=True,
        capture_output=True,
    )
    page = (place / "page.html").read_text()
    pictures = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    blocks = re.split(
        r"</(?:tr|h\d|p|li|figcaption|title)>", re.sub(r"(?s)<svg.*?</svg>", "", page)
    )
    texts = [html.unescape(re.sub(r"<[^>]*>", " ", block)) for block in [*blocks, *pictures]]
    axis = re.compile(r"\b(?:energy|power|joules?)\b[^\n]* / [kM]?[JW]")
    spent = [text for text in texts if SPENT.search(text) or axis.search(text)]
    assert len(spent) > 3
    assert [text for text in spent if not WORDS.search(text) and not FACT.search(text)] == []


def test_the_ledger_and_the_record_on_disk_name_the_origin_of_each_device(place):
    assert bare_values(json.loads((place / "one" / "record.json").read_text())) == []
    header = json.loads((place / "one" / "ledger.jsonl").read_text().splitlines()[0])
    assert {d["origin"] for d in header["domains"]} <= {"modelled", "assumed", "missing"}


def test_prometheus_is_told_the_origin_with_every_sample(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    watch = subprocess.Popen(
        [*ENERGY, "watch", "--prometheus", str(port), "--interval", "0.1"],
        stderr=subprocess.DEVNULL,
        env=os.environ,
    )
    try:
        text = ""
        for _ in range(100):
            try:
                url = f"http://127.0.0.1:{port}/metrics"
                with urllib.request.urlopen(url, timeout=1) as answer:
                    text = answer.read().decode()
            except OSError:
                text = ""
            if "energy_power_watts{" in text:
                break
            time.sleep(0.1)
    finally:
        watch.terminate()
        watch.wait(10)
    samples = [line for line in text.splitlines() if line.startswith("energy_")]
    assert len(samples) >= 4
    assert all(re.search(r'origin="(modelled|assumed)"', line) for line in samples)
