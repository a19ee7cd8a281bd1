"""The page of a run in a real browser: wide and narrow, light and dark."""

import pytest

from energy.disclosure.formats import write
from energy.quantity import Boundary
from energy.record import Kind
from tests.energy.disclosure.runs import known, metered
from tests.support.browser import browser

SIZES = {"wide": 1280, "phone": 390}


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    window = browser(tmp_path_factory.mktemp("profile"))
    yield window
    window.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "run.html"
    run = metered("a run with a long-name-that-has-no-space-in-it", boundary=Boundary.CHIP)
    path.write_text(write("html", known(run, queries="1000"), "x"), encoding="utf-8")
    return path


def show(window, page, width, scheme):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    window.get(page.as_uri())


def brightness(window, name):
    """Mean of red, green and blue of the body's color, 0 to 255."""
    script = f"return getComputedStyle(document.body).{name}"
    text = window.execute_script(script)
    channels = [float(part) for part in text[text.index("(") + 1 : -1].split(",")[:3]]
    return sum(channels) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_is_readable_and_logs_nothing(window, page, size, scheme):
    show(window, page, SIZES[size], scheme)
    assert window.get_log("browser") == []
    fits = "return document.documentElement.scrollWidth <= window.innerWidth"
    assert window.execute_script(fits)
    paper, ink = brightness(window, "backgroundColor"), brightness(window, "color")
    assert (paper > ink) == (scheme == "light")
    assert abs(paper - ink) > 150
    bars = window.find_elements("css selector", ".bar")
    assert len(bars) == 5  # chip to generation
    for bar in bars:
        assert bar.rect["width"] > 300
        value, band = bar.find_element("tag name", "i"), bar.find_element("tag name", "u")
        assert band.rect["x"] - 1 <= value.rect["x"] <= band.rect["x"] + band.rect["width"] + 1
    cards = [card.text for card in window.find_elements("css selector", ".card")]
    assert len(cards) == 4
    assert "missing" in next(card for card in cards if "by market" in card)


def test_a_prediction_says_at_the_top_that_nothing_was_measured(window, tmp_path):
    path = tmp_path / "plan.html"
    path.write_text(write("html", known(metered(kind=Kind.PREDICTED)), "x"), encoding="utf-8")
    show(window, path, 390, "light")
    assert "nothing was measured" in window.find_element("css selector", ".headline").text
