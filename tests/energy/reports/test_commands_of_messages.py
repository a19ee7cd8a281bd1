"""Commands that messages of reports name."""

import shlex

import pytest

from energy.errors import InputError
from energy.ledger.lines import FILE
from energy.reports.runs import find


def test_the_command_for_a_ledger_alone_works_in_a_folder_with_spaces(tmp_path):
    folder = tmp_path / "a night; long"
    folder.mkdir()
    (folder / FILE).write_text("{}\n")
    with pytest.raises(InputError) as error:
        find(tmp_path)
    assert shlex.split(error.value.fix)[-1] == str(folder)
