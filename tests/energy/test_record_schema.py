"""The schema of a record, and the page that explains it, are those of the code."""

import json
import subprocess
import sys

import jsonschema
import pytest

from energy.quantity import Quantity
from energy.record import EnergyEntry, RunRecord, json_schema
from tests.support import ROOT
from tests.support.records import run_record

PAGE = (ROOT / "docs" / "record.md").read_text()


def test_a_record_is_valid_by_the_schema_that_the_command_prints():
    code = "import sys; sys.argv = ['energy', 'schema']; from energy.cli import main; main()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == json_schema()
    told = json.loads(run_record().model_dump_json())
    jsonschema.validate(told, json.loads(run.stdout))
    told["energy_kwh"] = 1.0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, json.loads(run.stdout))


def test_a_record_is_saved_and_found_again_by_words_too(tmp_path):
    run_record().save(str(tmp_path / "record.json"))
    assert RunRecord.load(str(tmp_path)) == run_record()


@pytest.mark.parametrize("field", [*RunRecord.model_fields, *Quantity.model_fields])
def test_the_page_explains_every_field_of_a_record_and_a_quantity(field):
    assert f"`{field}`" in PAGE or f'"{field}"' in PAGE


def test_the_page_names_no_field_that_an_entry_does_not_have():
    for field in ("phase", "api", "within"):
        assert field in EnergyEntry.model_fields
        assert f"`{field}`" in PAGE
