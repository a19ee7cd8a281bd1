"""The schema of a record, older records, and the page that explains the fields."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from energy.errors import InputError
from energy.quantity import Boundary, MissingPart, Origin, Quantity
from energy.record import SCHEMA_VERSION, EnergyEntry, RunRecord, Window, json_schema, totals
from tests.support import ROOT
from tests.support.records import run_record

PAGE = (ROOT / "docs" / "record.md").read_text()
OLD_RECORD = Path(__file__).parent / "data" / "record_1_0.json"


def test_a_record_is_valid_by_the_schema_that_the_command_prints():
    code = "import sys; sys.argv = ['energy', 'schema']; from energy.cli import main; main()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == json_schema()
    document = json.loads(run_record().model_dump_json())
    jsonschema.validate(document, json.loads(run.stdout))
    document["energy_kwh"] = 1.0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(run.stdout))


def test_a_record_is_saved_and_loaded_by_a_path_that_is_text(tmp_path):
    run_record().save(str(tmp_path / "record.json"))
    assert RunRecord.load(str(tmp_path)) == run_record()


def test_a_record_of_schema_1_0_loads_with_its_numbers_and_is_saved_as_the_newest(tmp_path):
    old = json.loads(OLD_RECORD.read_text())
    assert old["schema_version"] == "1.0"
    record = RunRecord.load(OLD_RECORD)
    assert record.totals[Boundary.CHIP].value == old["totals"]["chip"]["value"]
    assert record.totals[Boundary.CHIP].missing == (
        MissingPart(device="gpu-0", reason="no permission (ask for it)"),
        MissingPart(reason="a reason without a name"),
    )
    assert record.revision == 1
    assert {(entry.covered, entry.seconds, entry.why) for entry in record.energy} == {
        (None, None, None)
    }
    assert {(window.begin_s, window.end_s) for window in record.windows} == {(None, None)}
    record.save(tmp_path / "record.json")
    document = json.loads((tmp_path / "record.json").read_text())
    assert document["schema_version"] == SCHEMA_VERSION
    jsonschema.validate(document, json.loads(json_schema()))
    assert RunRecord.load(tmp_path) == record


def test_a_record_of_an_unknown_schema_is_refused_with_the_versions_that_can_be_read(tmp_path):
    document = json.loads(OLD_RECORD.read_text()) | {"schema_version": "3.0"}
    (tmp_path / "record.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"schema_version: .*version 3.0 is none of 1.0, 2.0"):
        RunRecord.load(tmp_path)


def test_a_stretch_without_readings_is_an_entry_of_its_own_that_is_listed_and_never_added():
    read = EnergyEntry(
        value=100.0, origin=Origin.MEASURED, device="gpu", boundary=Boundary.CHIP, covered=0.9
    )
    gap = EnergyEntry(
        value=None,
        origin=Origin.MISSING,
        source="no reading for 10 s",
        device="gpu",
        boundary=Boundary.CHIP,
        seconds=10.0,
        why="the machine was suspended",
    )
    inside = EnergyEntry(
        value=30.0, origin=Origin.MEASURED, device="hbm", boundary=Boundary.CHIP, within="gpu"
    )
    total = totals([read, gap, inside])[Boundary.CHIP]
    assert total.value == 100.0
    assert total.missing == (MissingPart(device="gpu", reason="no reading for 10 s"),)


def test_missing_parts_windows_and_revision_have_the_documented_json_form():
    absent = Quantity.absent("J", "not read")
    part = MissingPart(device="cpu", reason="permission")
    total = Quantity(value=1.0, unit="J", origin=Origin.MEASURED, source="counter", missing=(part,))
    window = Window(
        name="step",
        count=2,
        elapsed_s=Quantity.exact(3.0, "s", "clock"),
        energy_j=absent,
        begin_s=1.0,
        end_s=4.5,
    )
    record = run_record().model_copy(
        update={"totals": {Boundary.CHIP: total}, "windows": [window], "revision": 2}
    )
    document = json.loads(record.model_dump_json())
    assert document["totals"]["chip"]["missing"] == [{"device": "cpu", "reason": "permission"}]
    assert (document["windows"][0]["begin_s"], document["windows"][0]["end_s"]) == (1.0, 4.5)
    assert document["revision"] == 2


@pytest.mark.parametrize(
    "field",
    [
        *RunRecord.model_fields,
        *Quantity.model_fields,
        *EnergyEntry.model_fields,
        *Window.model_fields,
    ],
)
def test_the_page_explains_every_field_of_a_record_a_quantity_an_entry_and_a_window(field):
    assert f"`{field}`" in PAGE or f'"{field}"' in PAGE
