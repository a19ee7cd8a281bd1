"""The files around the packages agree with each other: versions, targets, marks."""

import re
import subprocess
import tokenize
import tomllib

from tests.conftest import MARKED, TESTS
from tests.support import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_citation_has_the_version_of_the_project():
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {PROJECT['project']['version']}\n" in citation


def test_the_changelog_has_unreleased_changes_and_the_version_of_the_project():
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert "Unreleased" in heads
    assert any(head.startswith(PROJECT["project"]["version"]) for head in heads)


def test_every_make_target_that_a_page_names_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / ".ci" / "run"]
    named = {
        (page.name, target)
        for page in pages
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert {(page, target) for page, target in named if target not in targets} == set()


def test_every_folder_and_file_that_is_marked_is_there():
    places = [place for places in MARKED.values() for place in places]
    assert [place for place in places if not (TESTS / place).exists()] == []


def test_the_scripts_are_valid_for_bash():
    scripts = [
        ROOT / ".ci" / "run",
        *(path for path in (ROOT / "scripts").iterdir() if path.is_file()),
    ]
    for script in scripts:
        assert script.read_text().startswith("#!/usr/bin/env bash\n")
        subprocess.run(["bash", "-n", script], check=True)


# Words that say little: a tenth of the 519 that stood in 0.1.
EMPTY_WORDS = re.compile(r"\b(found|told|held|asked|given|laid)\b")
EMPTY_WORDS_AT_MOST = 51
LISTS_OF_FORMER_NAMES = {"changes.md"}


def test_comments_docstrings_and_pages_use_few_empty_words():
    count = 0
    for folder in ("energy", "glam", "simulator", "tests", "benchmarks", "experiments"):
        for path in (ROOT / folder).rglob("*.py"):
            with path.open("rb") as file:
                for token in tokenize.tokenize(file.readline):
                    if token.type in (tokenize.STRING, tokenize.COMMENT):
                        count += len(EMPTY_WORDS.findall(token.string))
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        if page.name not in LISTS_OF_FORMER_NAMES:
            count += len(EMPTY_WORDS.findall(page.read_text()))
    assert count <= EMPTY_WORDS_AT_MOST


def test_a_color_is_named_once_for_all_pictures_and_pages():
    palette = ROOT / "energy" / "colors.py"
    files = [
        path
        for folder in ("energy", "glam", "simulator", "experiments", "benchmarks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".html", ".css") and path != palette
    ]
    assert palette.is_file()
    color = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}[\"; ]")
    assert [path for path in files if color.search(path.read_text("utf-8"))] == []
