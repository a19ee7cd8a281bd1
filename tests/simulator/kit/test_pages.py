"""`--plot FILE.html`: one page that fetches nothing, with the picture and the printed answer."""

import re

import pytest
from matplotlib.figure import Figure
from selenium.webdriver.common.keys import Keys

from simulator.questions.budget.inverse import most_tokens
from simulator.questions.regions.answer import regions
from simulator.questions.regions.picture_places import MOST_PLACES
from tests.support.browser import browser

VERBS = {
    "compare": ("glam-64b-64e", "gpt3-175b"),
    "sensitivity": ("glam-mini-16e",),
    "failures": ("--chips", "512", "--days", "10", "--mw", "1"),
    "regions": ("--kind", "site"),
    "inverse": ("glam-64b-64e", "--mwh", "456", "--days", "60"),
    "models": (),
    "chips": (),
    "prices": (),
    "predict": ("glam-8b-64e",),
    "crossover": (
        "glam-64b-64e",
        "glam-137b",
        "--over",
        "run.tokens",
        "--from",
        "1e10",
        "--to",
        "1e12",
        "--points",
        "3",
        "--mfu",
        "0.3",
        "--beyond-range",
    ),
    "pareto": ("glam-8b-64e", "glam-8b", "--tokens", "1e11"),
    "power": ("glam-8b-64e",),
    "feasible": (
        "glam-8b-64e",
        "glam-8b",
        "--tokens",
        "1e11",
        "--max-mw",
        "1",
        "--start",
        "2027-01-01",
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_has_the_picture_the_printed_answer_and_the_command(simulator, tmp_path, verb):
    code, out, err = simulator(verb, *VERBS[verb], "--plot", "a.html")
    assert (code, err) == (0, "")
    text = (tmp_path / "a.html").read_text()
    assert text.count("<svg") == 1
    printed = text[text.index("</figure>") :]
    for word in re.findall(r"[A-Za-z0-9.,-]{4,}", out):
        assert word in printed
    assert f"<code>simulator {verb} " in text
    assert f"<title>simulator {verb}" in text


@pytest.mark.parametrize("verb", ["compare", "power"])
def test_a_page_requests_nothing_from_the_network_and_is_complete_in_a_browser(
    simulator, tmp_path, verb
):
    simulator(verb, *VERBS[verb], "--plot", "a.html")
    text = (tmp_path / "a.html").read_text()
    for word in ("<script", "<link", "src=", "@import", "url(http", 'href="http', "<!DOCTYPE svg"):
        assert word not in text
    window = browser(tmp_path / "profile")
    try:
        window.get((tmp_path / "a.html").as_uri())
        assert window.get_log("browser") == []
        fetched = "return performance.getEntriesByType('resource').length"
        assert window.execute_script(fetched) == 0
        picture = window.find_element("css selector", "figure svg")
        assert picture.rect["width"] > 500
        assert picture.rect["height"] > 300
        assert "MW" in window.find_element("tag name", "body").text
    finally:
        window.quit()


def test_a_sweep_has_a_table_that_sorts_and_marks_that_know_their_rows(simulator, tmp_path):
    words = (
        "pareto",
        "glam-64b-64e",
        "glam-137b",
        "--chip",
        "tpu-v4,h100",
        "--chips",
        "256,512,1024,2048,4096",
    )
    assert simulator(*words, "--plot", "a.html")[0] == 0
    text = (tmp_path / "a.html").read_text()
    for word in ("<link", " src=", "@import", "url(http", 'href="http'):
        assert word not in text
    window = browser(tmp_path / "profile")
    try:
        window.get((tmp_path / "a.html").as_uri())
        rows = (
            "return [...document.querySelectorAll('.sortable tbody tr')].map(r => r.cells[%d].%s)"
        )
        energy = rows % (6, "dataset.key")
        numbers = [float(key) for key in window.execute_script(energy)]
        assert len(numbers) > 2
        head = window.find_elements("css selector", ".sortable th button")[6]
        for order in (sorted(numbers), sorted(numbers, reverse=True)):
            head.send_keys(Keys.ENTER)
            assert [float(key) for key in window.execute_script(energy)] == order
        titles = window.execute_script(
            "return [...document.querySelectorAll('#mark-0-1 title')].map(t => t.textContent)"
        )
        row = window.find_element("css selector", 'tr[data-number="1"]')
        (title,) = titles
        for cell in row.find_elements("tag name", "td"):
            assert cell.text in title
        window.execute_script(
            "document.querySelector('#mark-0-1').dispatchEvent(new PointerEvent('pointerenter'))"
        )
        assert "shown" in row.get_attribute("class")
        assert window.get_log("browser") == []
    finally:
        window.quit()


def test_the_same_answer_gives_the_same_page(simulator, tmp_path):
    texts = []
    for _ in range(2):
        simulator("regions", "--kind", "site", "--plot", "a.html")
        texts.append((tmp_path / "a.html").read_text())
    assert texts[0] == texts[1]


def test_places_are_drawn_with_a_unit_and_a_word_for_a_missing_value():
    answer = regions(kind="site")
    (panel,) = answer.panels()
    axes, places = panel(Figure().subplots()), answer.rows
    assert axes.get_xlabel() == "CO2e of the grid / (g/kWh)"
    assert [text.get_text() for text in axes.get_yticklabels()] == [place.id for place in places]
    missing = [place for place in places if place.location.value is None]
    assert [text.get_text() for text in axes.texts] == [" missing"] * len(missing)
    assert len(axes.patches) == len(places) - len(missing)


def test_a_long_list_of_places_says_how_much_of_it_is_drawn():
    answer = regions()
    (panel,) = answer.panels()
    axes = panel(Figure().subplots())
    assert len(axes.get_yticklabels()) == MOST_PLACES
    assert f"of {len(answer.rows)} places" in axes.get_xlabel()


def test_a_budget_is_drawn_as_the_part_used_with_a_mark_at_the_one_that_binds():
    answer = most_tokens("glam-64b-64e", basis="published", mwh=456, days=60)
    (panel,) = answer.panels()
    axes = panel(Figure().subplots())
    assert "%" in axes.get_xlabel()
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == pytest.approx([100 * part for part in answer.used.values()])
    assert "(binds)" in axes.get_yticklabels()[list(answer.budgets).index("mwh")].get_text()


def test_inverse_explains_its_energy_by_the_publication(simulator):
    code, out, _ = simulator("inverse", "glam-64b-64e", "--mwh", "456", "--explain")
    assert code == 0
    (energy,) = (line for line in out.splitlines() if line.startswith("energy 456 MWh"))
    assert "arXiv:2112.06905" in energy
