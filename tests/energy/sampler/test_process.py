"""What the sampler process loads, and how it waits for its input."""

import subprocess
import sys
from dataclasses import replace

import pytest

from energy.meters.base import Domain
from energy.sampler.metering import interval_for
from tests.support import ROOT

LIGHT_FOLDERS = ("energy.ledger", "energy.meters", "energy.sampler")
LIGHT_MODULES = {
    "energy",
    "energy._lazy",
    "energy.errors",
    "energy.files",
    "energy.inputs",
    "energy.outside",
}


def test_the_sampler_loads_only_the_standard_library_and_light_modules_of_energy():
    code = (
        "import sys; sys.path.insert(0, '.'); import energy.sampler.__main__\n"
        "print(*sorted(sys.modules), sep='\\n')"
    )
    run = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    loaded = set(run.stdout.split())
    others = {name for name in loaded if name.split(".")[0] not in sys.stdlib_module_names}
    others.discard("__main__")
    energy = {name for name in others if name == "energy" or name.startswith("energy.")}
    assert others == energy
    assert [name for name in energy - LIGHT_MODULES if not name.startswith(LIGHT_FOLDERS)] == []
    # These compute records, with pydantic, in the process of the run.
    assert not energy & {"energy.ledger.accounting", "energy.ledger.joules", "energy.ledger.merge"}


def test_a_file_that_has_ended_ends_a_single_wait_of_the_inbox():
    code = (
        "import os; from energy.sampler.inbox import Inbox\n"
        "inbox, (ours, theirs) = Inbox(), os.pipe()\n"
        "assert inbox.wait([ours], 1_000_000) == set()\n"
        "os.close(theirs)\n"
        "assert inbox.wait([ours], 10**12) == {ours}\n"
        "assert inbox.wait([], 1_000_000) == set()\n"
        "assert inbox.lines() == []\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as run:
        assert run.wait(20) == 0


def test_a_counter_that_could_turn_between_two_samples_is_sampled_at_least_twice_a_turn():
    package = Domain(id="cpu", kind="cpu", boundary="chip", wrap_j=65_712.0, limit_w=250.0)
    turn_s = 65_712 / (1.5 * 250)
    assert interval_for([package], 3600.0) == pytest.approx(turn_s / 2, rel=0.01)
    assert interval_for([package], 1.0) == 1.0
    unread = replace(package, reason="permission")
    board = Domain(id="gpu", kind="gpu", boundary="chip")
    assert interval_for([unread, board], 3600.0) == 3600.0
