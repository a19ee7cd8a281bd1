"""BoAmps' five published schemas, where a copy of them lies beside the checkout, on our report."""

import json

import pytest
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from energy.disclosure.formats import write
from energy.record import Kind
from tests.energy.disclosure.runs import known, metered
from tests.support import ROOT

SCHEMAS = ROOT.parent / "shared" / "schemas" / "boamps"


@pytest.fixture(scope="module")
def validator():
    if not SCHEMAS.is_dir():
        pytest.skip("no copy of BoAmps' schemas beside the checkout")
    schemas = [json.loads(path.read_text()) for path in SCHEMAS.glob("*_schema.json")]
    assert len(schemas) == 5
    resources = [(own["id"], DRAFT4.create_resource(own)) for own in schemas]
    (report,) = (own for own in schemas if own["title"] == "report")
    return Draft4Validator(report, registry=Registry().with_resources(resources))


@pytest.mark.parametrize("kind", [Kind.MEASURED, Kind.PREDICTED])
def test_the_report_is_one_by_the_published_schemas(kind, validator):
    document = json.loads(write("boamps", known(metered(kind=kind)), "x"))
    assert [error.message for error in validator.iter_errors(document)] == []


def test_the_schemas_notice_a_word_in_the_place_of_a_number(validator):
    document = json.loads(write("boamps", known(), "x"))
    document["measures"][0]["powerConsumption"] = "4 MWh"
    assert [error.message for error in validator.iter_errors(document)]
