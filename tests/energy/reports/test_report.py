"""The report page and its plots: complete in a browser, every modelled joule labeled."""

import json
import re
import time

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from energy import Tracker
from energy.errors import InputError
from energy.facts.site import site_from_options
from energy.footprint.apply import at_site
from energy.quantity import Boundary, Origin, Quantity
from energy.record import EnergyEntry, Kind, totals
from energy.reports import runs as reading
from energy.reports.html import page, write
from tests.support.browser import browser

MOE = {"n_moe_layers": 2, "n_experts": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two metered runs of this machine, with their predictions."""
    place = tmp_path_factory.mktemp("runs")
    for name, shape in (("sparse", MOE), ("plain", {"n_moe_layers": 0})):
        lines = []
        with Tracker(place / name, name=name, interval_s=0.25, meters=["cpu_model"]) as tracker:
            for step in range(1, 31):
                with tracker.window("step"):
                    time.sleep(0.06)  # long enough for several samples
                spent = tracker.snapshot()
                load = [[0.4, 0.3, 0.2, 0.1]] * 2 if name == "sparse" else []
                lines.append(
                    {
                        "step": step,
                        "tokens": step,
                        "loss": 8 / step**0.2,
                        "energy_j": spent.energy.value,
                        "expert_load": load,
                    }
                )
        record = tracker.record(shape=shape, tokens=Quantity.exact(30, "1", "test"))
        record = at_site(record, site_from_options(None, None))
        record.save(place / name / "record.json")
        text = "\n".join(json.dumps(line) for line in lines)
        (place / name / "metrics.jsonl").write_text(text)
        predicted_j = record.totals[Boundary.CHIP].value * 0.9
        entry = EnergyEntry(
            value=predicted_j,
            low=predicted_j / 2,
            high=predicted_j * 2,
            source="test",
            origin=Origin.MODELLED,
            device="cpu",
            boundary="chip",
        )
        guess = record.model_copy(
            update={"kind": Kind.PREDICTED, "energy": [entry], "totals": totals([entry])}
        )
        at_site(guess, site_from_options(None, None)).save(
            place / f"{name}-predicted" / "record.json"
        )
    return place


def test_a_run_is_paired_with_the_prediction_of_the_same_name(folder):
    runs = reading.find(folder)
    assert [(run.record.name, run.measured) for run in runs] == [
        ("plain", True),
        ("plain", False),
        ("sparse", True),
        ("sparse", False),
    ]
    assert {pair.measured.record.name for pair in reading.pairs(runs)} == {"plain", "sparse"}


def test_a_ledger_without_record_is_named_with_the_command_that_writes_one(folder, tmp_path):
    with Tracker(tmp_path / "killed", meters="cpu_model", leave_record=False) as tracker:
        pass
    with pytest.raises(InputError, match=f"energy record {tracker.out_dir}"):
        reading.find(tmp_path)
    with pytest.raises(InputError, match="no such file or folder"):
        reading.find(tmp_path / "nowhere")
    runs = reading.find(folder / "sparse" / "record.json")
    assert [run.record.name for run in runs] == ["sparse"]


def test_the_page_fetches_nothing_from_the_network(folder):
    text = page(reading.find(folder))
    for word in ("<script", "<link", "src=", "@import", "url(http"):
        assert word not in text


def test_a_picture_without_data_is_left_out_and_a_run_without_a_model_is_not_called_dense(folder):
    runs = reading.find(folder)
    plain, _, _, predicted = runs
    alone = page([plain, predicted])  # a run and the prediction of another
    heading = "measured numbers are within the predicted 80 % band</h2>"
    assert (heading in page(runs), heading in alone) == (True, False)
    assert ("plain (dense): " in alone, "plain: " in alone) == (True, False)
    plain.record.shape.clear()
    assert "plain: " in page([plain, predicted])


def test_joules_and_watts_are_labeled_modelled_wherever_they_are_shown(folder):
    text = page(reading.find(folder))
    headline = text[text.index("<h1>") : text.index("</h1>")]
    assert headline.count("modelled") == 2
    assert "energy so far / J (modelled" in text
    assert "power / W" in text
    rows = re.findall(r"<tr><td>energy, .*?</tr>", text)
    assert len(rows) >= 8
    assert all("modelled" in row or "assumed" in row for row in rows)
    assert not any("<td>measured</td>" in row for row in rows)
    assert "measured" not in headline


def test_the_page_is_complete_in_a_real_browser(folder, tmp_path):
    path = tmp_path / "report.html"
    write(reading.find(folder), path)
    window = browser(tmp_path / "profile")
    try:
        window.get(path.as_uri())
        assert window.get_log("browser") == []
        pictures = window.find_elements("css selector", "figure svg")
        assert len(pictures) == 4  # without a ledger there is no power over time
        for picture in pictures:
            assert picture.rect["width"] > 300
            assert picture.rect["height"] > 100
        assert "modelled" in window.find_element("tag name", "h1").text
        # On a phone, only the tables and pictures are wider than the screen, and scroll.
        window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SCREEN | {"width": 390})
        narrow = "return document.documentElement.scrollWidth <= window.innerWidth"
        WebDriverWait(window, 5).until(lambda page: page.execute_script(narrow))
    finally:
        window.quit()


SCREENS, SCREEN = 3, {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}


def test_the_report_of_two_runs_is_at_most_three_screens_before_its_details(folder, tmp_path):
    path = tmp_path / "report.html"
    write(reading.find(folder), path)
    window = browser(tmp_path / "profile")
    try:
        window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SCREEN)
        window.get(path.as_uri())
        assert len(window.find_elements("css selector", "figure svg")) == 4
        details = window.find_element("id", "details")
        assert details.rect["y"] <= SCREENS * SCREEN["height"]
        assert not any(
            each.get_attribute("open") for each in window.find_elements("tag name", "details")
        )
    finally:
        window.quit()


def test_a_page_of_any_command_says_joules_kilowatt_hours_grams_and_duration(tmp_path):
    with Tracker(tmp_path / "mine", name="mine", interval_s=0.1, meters=["cpu_model"]) as tracker:
        time.sleep(0.5)
    at_site(tracker.record(), site_from_options(None, None)).save(tmp_path / "mine" / "record.json")
    text = page(reading.find(tmp_path))
    headline = text[text.index("<h1>") + 4 : text.index("</h1>")]
    assert re.fullmatch(
        r"mine: [\d.]+ J .*modelled.* \(\S+ kWh\), [\d.]+ (mg|g) CO2e, [\d.]+ (ms|s)", headline
    )
    assert re.findall("<figure><h2>(.*?)</h2>", text) == []  # too short for watts over time


def test_each_picture_has_its_answer_as_title(folder):
    text = page(reading.find(folder))
    titles = re.findall("<figure><h2>(.*?)</h2>", text)
    assert re.fullmatch(
        r"To a loss of \d\.\d\d nats: plain [\d.]+ k?J, sparse [\d.]+ k?J", titles[0]
    )
    assert re.fullmatch("[0-6] of 6 measured numbers are within the .* 80 % band", titles[1])
    assert titles[-1] == "sparse: the fullest expert has 1.60 times an even share"


def test_the_same_runs_give_the_same_pictures(folder):
    from energy.reports.page_plots import pictures

    first, second = (pictures(reading.find(folder)) for _ in range(2))
    assert [len(svg) for _, _, svg in first] == [len(svg) for _, _, svg in second]
