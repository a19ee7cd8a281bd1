"""Waiting threads of torch spin for a bounded time, unless the user says otherwise."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, "20000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")],
    ids=["nothing set", "a count set", "a policy set"],
)
def test_the_spin_is_bounded_before_torch_is_imported_unless_the_user_set_it(settings, expected):
    code = (
        "import glam, os, sys; assert 'torch' not in sys.modules\n"
        "print(os.environ.get('GOMP_SPINCOUNT'))"
    )
    unset = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    run = subprocess.run(
        [sys.executable, "-c", code], env={**unset, **settings}, capture_output=True, text=True
    )
    assert run.stdout.strip() == expected, run.stderr
