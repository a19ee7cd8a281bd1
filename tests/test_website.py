"""The documentation's site has every name, formula and row, and shows pages as a code host does."""

import csv
import os
import re

import pytest
import yaml
from markdown_it import MarkdownIt

from scripts.architecture.imports import PACKAGES, ROOT, modules
from scripts.website.data import LONG, data_pages
from scripts.website.docstrings import markdown, module
from scripts.website.formulas import formulas_page
from scripts.website.links import broken
from scripts.website.notebooks import notebook_pages
from scripts.website.reference import public_names, reference_pages
from scripts.website.written import DOCS, linked_sources, written_pages

CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())


@pytest.fixture(scope="module")
def pages():
    written = written_pages()[0]
    made = written | reference_pages() | formulas_page() | data_pages() | notebook_pages()
    return made | linked_sources(made)


def entries(nav):
    for item in nav:
        for target in item.values():
            yield from entries(target) if isinstance(target, list) else [target]


def test_the_navigation_or_a_link_leads_to_every_page_that_people_wrote(pages):
    listed = list(entries(CONFIG["nav"]))
    assert sorted(set(listed)) == sorted(listed)
    assert set(listed) - set(pages) == set()
    written = written_pages()[0]
    reached = set(listed)
    for name, text in written.items():
        links = re.findall(r"\]\(([^)#\s]+)", text)
        reached |= {os.path.normpath(os.path.join(os.path.dirname(name), link)) for link in links}
    assert set(written) - reached == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_reference_lists_what_users_import(package, pages):
    import importlib

    names = {name for name, _, _ in public_names(package)}
    errors = {name for name in names if name.endswith("Error")}
    assert set(importlib.import_module(package).__all__) - {"__version__"} <= names | errors
    for name in names:
        assert f"[`{name}`]" in pages["reference/index.md"]


def test_every_public_definition_stands_in_the_reference(pages):
    text = "\n".join(page for name, page in pages.items() if name.startswith("reference/"))
    shown = set(re.findall(r"^#{3,4} `([\w.]+)`", text, re.MULTILINE))
    for path in modules().values():
        for entry in module(path)[1]:
            assert entry.name in shown


def test_every_row_of_the_facts_is_shown_with_its_source(pages):
    shown = 0
    for folder in ("energy/facts/data", "simulator/published", "simulator/facts"):
        for path in (ROOT / folder).glob("*.csv"):
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            page = pages[f"data/{path.stem}.md"]
            assert f"`{path.relative_to(ROOT).as_posix()}`" in pages["data/index.md"]
            if len(rows) <= LONG:
                lines = page.count("\n| ") - 2 if "\n| " in page else page.count("\n- **")
                assert lines == len(rows), path
                shown += len(rows)
    assert shown > 900


def test_a_formula_leads_to_its_paper(pages):
    line = next(line for line in pages["formulas.md"].splitlines() if "[`bubble_s`]" in line)
    assert "https://arxiv.org/abs/2104.04473" in line
    assert "reference/simulator.physics.md#simulator-physics-pipeline-bubble_s" in line


def test_a_docstring_is_taken_literally_but_for_its_code():
    text = "Forward 2*(M*h + h*M) of `a*b`, see arXiv:2104.04473."
    text += "\n\nArgs:\n    x_s: seconds,\n        at least 0."
    made = markdown(text)
    assert r"2\*(M\*h + h\*M) of `a*b`" in made
    assert "[arXiv:2104.04473](https://arxiv.org/abs/2104.04473)" in made
    assert made.endswith("**Args**\n\n- `x_s`: seconds, at least 0.")


def test_a_link_that_leads_nowhere_and_a_script_from_elsewhere_are_found(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "index.html").write_text('<h2 id="a">A</h2>')
    page = (
        '<a href="there/#a">good</a><a href="https://example.org">good</a>'
        '<a href="there/#b">no heading</a><a href="gone/">no page</a>'
        '<script src="https://cdn.example.org/x.js"></script>'
    )
    (tmp_path / "index.html").write_text(page)
    assert broken(tmp_path) == [
        "index.html: there/#b: no such heading",
        "index.html: gone/",
        "index.html: loads https://cdn.example.org/x.js",
    ]


TAGS = ("li", "ol", "ul", "table", "tr", "h2", "h3", "blockquote")


def counted(html):
    return {tag: len(re.findall(f"<{tag}[ >]", html)) for tag in TAGS}


@pytest.mark.slow
def test_the_site_has_the_lists_and_tables_that_a_code_host_shows():
    site = pytest.importorskip("markdown")  # comes with the builder of the site
    host = MarkdownIt("commonmark").enable("table")
    for name, text in written_pages()[0].items():
        source = DOCS / name
        if source.exists() and not name.startswith("agent/"):  # begins with metadata
            names = [
                name
                for extension in CONFIG["markdown_extensions"]
                for name in ([extension] if isinstance(extension, str) else extension)
            ]
            html = site.markdown(text, extensions=names)
            assert counted(html) == counted(host.render(source.read_text())), name
