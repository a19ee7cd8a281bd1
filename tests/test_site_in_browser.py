"""The documentation's site in a browser: it opens, leads on, is searched, and asks nobody else."""

import functools
import http.server
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from scripts.website.__main__ import gather
from tests.support import ROOT
from tests.support.browser import browser

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.slow]

WIDE_TABLES = (
    "",
    "accuracy/",
    "architecture/",
    "data/chips/",
    "results/",
    "start/plan/",
    "formulas/",
)
"""Pages with tables or code that are wider than a phone, and the home."""

LEAST_CONTRAST = 4.5
"""Of text on its ground: level AA of WCAG 2.2, criterion 1.4.3."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of the site, built in a folder of its own."""
    place = tmp_path_factory.mktemp("site")
    gather(place / "docs")
    config = (ROOT / "mkdocs.yml").read_text("utf-8")
    (place / "mkdocs.yml").write_text(config.replace("docs_dir: build/docs", "docs_dir: docs"))
    program = Path(sys.executable).with_name("zensical")  # a virtual environment may not be on PATH
    subprocess.run([program, "build", "--strict"], cwd=place, check=True, capture_output=True)
    handler = functools.partial(Quiet, directory=str(place / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    window = browser(tmp_path_factory.mktemp("profile"))
    yield window
    window.quit()


def show(window, page, width=1280, scheme="light"):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    window.get(page)


def contrast(window, selector):
    """The ratio of the luminances of a text and of what is behind it, by WCAG 2.2."""
    script = """
      let at = document.querySelector(arguments[0]), ground;
      const ink = getComputedStyle(at).color;
      for (; at; at = at.parentElement) {
        ground = getComputedStyle(at).backgroundColor;
        if (!/rgba\\(.*, 0\\)|transparent/.test(ground)) break;
      }
      const dot = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
      return [ground, ink].map(color => {
        dot.fillStyle = color; dot.fillRect(0, 0, 1, 1);
        return [...dot.getImageData(0, 0, 1, 1).data].slice(0, 3);
      });"""
    light = []
    for channels in window.execute_script(script, selector):
        parts = [c / 255 for c in channels]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_the_home_opens_and_its_navigation_leads_to_a_page(window, address):
    show(window, address)
    assert "glam-energy" in window.title
    link = window.find_element("css selector", "nav a[href*='start/']")
    window.execute_script("arguments[0].click()", link)
    WebDriverWait(window, 20).until(lambda page: "/start/" in page.current_url)
    assert window.find_element("tag name", "h1").text


def test_a_word_is_found_by_the_search(window, address):
    show(window, address)
    WebDriverWait(window, 20).until(
        lambda page: page.execute_script(
            "return !!document.querySelector('button.md-search__button')"
        )
    )
    window.execute_script("document.querySelector('button.md-search__button').click()")
    word = window.switch_to.active_element
    word.send_keys("goodput")
    WebDriverWait(window, 60).until(lambda page: hits(page))
    word.send_keys(Keys.ESCAPE)


def hits(window):
    """Links of the results of the search, wherever the theme has them."""
    return window.execute_script("""
      const all = root => [...root.querySelectorAll("*")].flatMap(
        each => [each, ...(each.shadowRoot ? all(each.shadowRoot) : [])]);
      return all(document).filter(each => each.tagName == "A" && /goodput/i.test(each.textContent)
        && each.getClientRects().length).map(each => each.href);""")


@pytest.mark.parametrize("page", WIDE_TABLES)
def test_a_page_fits_a_phone_and_its_tables_scroll_by_themselves(window, address, page):
    show(window, address + page, width=390)
    assert window.execute_script("return document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(window, address, scheme):
    show(window, address + "accuracy/", scheme=scheme)
    for selector in ("h1", "article p", "article td", "article a", "article code"):
        assert contrast(window, selector) >= LEAST_CONTRAST, selector


def test_the_architecture_shows_what_imports_what_in_place_of_its_drawings(window, address):
    show(window, address + "architecture/")
    words = window.find_element("tag name", "article").text
    assert "flowchart" not in words
    assert re.search(r"^ledger +.*record", words, re.MULTILINE)


def test_nothing_is_logged_and_nothing_is_fetched_from_elsewhere(window, address):
    window.get_log("browser")  # of the pages before
    for page in ("", "architecture/", "reference/", "experiment/"):
        show(window, address + page)
        fetched = window.execute_script(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )
        assert [name for name in fetched if not name.startswith((address, "data:", "blob:"))] == []
        assert window.get_log("browser") == []
