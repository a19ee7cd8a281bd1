"""The what-if page in a browser, from its start to the file that it saves: one session for all."""

import json
import re
import subprocess
import sys
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from energy.record import RunRecord
from simulator.questions.what_if.answer import figures
from simulator.scenarios.what_if import FILE, WhatIf
from tests.simulator.scenarios.test_what_if import CONFIG
from tests.support.browser import browser
from tests.support.what_if import ROOT, served, until

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.slow]

LINK = "?model=mixtral-8x7b&chip=h100&chips=64&tokens=100B&place=FRA&price=2"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with served(folder) as (_, address):
        yield address
    assert "Traceback" not in (folder / "log").read_text()


class Page:
    """The page in a window."""

    def __init__(self, window, address, downloads):
        self.window, self.address, self.downloads = window, address, downloads
        where = {"behavior": "allow", "downloadPath": str(downloads)}
        window.execute_cdp_cmd("Browser.setDownloadBehavior", where)

    def open(self, link):
        # To go there with `get` waits for the whole page, at most two minutes.
        self.script("location.assign(arguments[0])", self.address + link)
        until(lambda: self.window.current_url.startswith(self.address))
        until(lambda: self.words("#command") and self.words(".scatter"))

    def seen(self, width, scheme):
        """Show it on a screen of this width to a reader with this scheme."""
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self.window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.window.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def is_light(self):
        """Whether its letters are light."""
        ink = "return getComputedStyle(document.querySelector('.headline')).color"
        channels = [float(part) for part in re.findall(r"[\d.]+", self.script(ink))[:3]]
        return sum(channels) > (1.5 if max(channels) <= 1 else 384)

    def words(self, selector):
        return self.script("return document.querySelector(arguments[0])?.textContent", selector)

    def script(self, text, *arguments):
        return self.window.execute_script(text, *arguments)

    def inside(self, selector, part):
        """A part of one of marimo's elements, which have documents of their own."""
        place = f"document.querySelector({selector!r})?.shadowRoot?.querySelector({part!r})"
        return until(lambda: self.script(f"return {place}"))

    @property
    def link(self):
        return dict(parse_qsl(urlsplit(self.window.current_url).query))

    def save(self, said):
        """Save the scenario until it says what was chosen; the path of the file."""
        path = self.downloads / FILE

        def saved():
            path.unlink(missing_ok=True)
            button = self.inside(".take marimo-download", "a, button")
            self.script("arguments[0].click()", button)
            until(lambda: path.is_file() and path.stat().st_size)
            return said in path.read_text()

        until(saved)
        return path

    def shows(self, record):
        """Whether the figures of a record stand on the page."""
        shown = [each.text for each in self.window.find_elements(By.CSS_SELECTOR, ".figure b")]
        wanted = [quantity.human() for quantity in figures(record).values()]
        return shown[::2] == wanted


@pytest.fixture(scope="module")
def page(address, tmp_path_factory):
    window = browser(tmp_path_factory.mktemp("profile"))
    try:
        yield Page(window, address, tmp_path_factory.mktemp("downloads"))
    finally:
        window.quit()


def predicted(*words):
    """The record that the command line predicts."""
    command = [sys.executable, "-m", "simulator", "predict", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    return RunRecord.model_validate(json.loads(done.stdout))


def test_the_page_answers_as_the_command_line_does(page, tmp_path):
    # A start of the page is the slow part: everything that one start can show is shown here.
    page.open(LINK)
    fits = "return document.documentElement.scrollWidth <= window.innerWidth"
    for width, scheme in ((390, "dark"), (1280, "dark"), (390, "light"), (1280, "light")):
        page.seen(width, scheme)
        until(lambda: page.script(fits))
        until(lambda scheme=scheme: page.is_light() == (scheme == "dark"))
    fetched = page.script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert len(fetched) > 50
    assert [name for name in fetched if not name.startswith((page.address, "data:"))] == []

    before = page.words("#headline")
    page.inside("#chips marimo-slider", "[role=slider]").send_keys(Keys.ARROW_RIGHT)
    until(lambda: page.link.get("chips") == "128" and page.words("#headline") != before)
    assert page.words("#command") == f"simulator predict {FILE}"
    record = predicted(page.save("count = 128"))
    assert record.scenario["hardware"]["count"] == 128
    until(lambda: page.shows(record))

    odd, good = tmp_path / "odd.json", tmp_path / "mine.json"
    odd.write_text(json.dumps(CONFIG | {"num_local_experts": "many"}))
    good.write_text(json.dumps(CONFIG))
    page.inside("#config marimo-file", "input[type=file]").send_keys(str(odd))
    until(lambda: "expected num_local_experts" in (page.words("#refused") or ""))
    page.inside("#config marimo-file", "input[type=file]").send_keys(str(good))
    until(lambda: page.link.get("model") == "mine" and not page.words("#refused"))
    record = predicted(page.save('name = "mine"'))
    until(lambda: page.shows(record))

    # The address is a link that others open.
    page.open("?" + urlencode(page.link | {"measured": "41% MFU"}))
    command = f"simulator predict {FILE} --measured '41% MFU'"
    until(lambda: page.words("#command") == command)
    assert page.shows(predicted(page.save("--measured"), "--measured", "41% MFU"))
    assert [row for row in page.window.get_log("browser") if row["level"] == "SEVERE"] == []


def test_a_link_that_says_what_is_not_possible_is_refused_in_a_line():
    from notebooks.what_if import opened

    assert opened({"chips": "many"}) == (
        WhatIf(),
        "expected chips as a number; got many; such as 15T, 300B or 512 "
        "(this link is not followed)",
    )
