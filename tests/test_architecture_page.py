"""The page docs/architecture.md shows the source as it is."""

import re

import pytest

from benchmarks.pages import split_at_marks
from scripts.architecture.page import PAGE, blocks
from tests.support import ROOT

LINKS = sorted(set(re.findall(r"\]\(([^)#]+)\)", PAGE.read_text())))


@pytest.mark.parametrize("mark", blocks())
def test_a_generated_part_of_the_page_is_that_of_the_source(mark):
    _, shown, _ = split_at_marks(PAGE, mark)
    assert shown.strip() == blocks()[mark], "run make architecture"


def test_every_link_of_the_page_leads_to_a_file():
    assert [link for link in LINKS if not (PAGE.parent / link).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")))
def test_a_decision_gives_context_decision_and_consequences(page):
    heads = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
    assert heads == ["Context", "Decision", "Consequences"]
    assert page.name in (page.parent / "README.md").read_text()
