"""A job of two hosts whose network goes away for 20 seconds; the hosts are network namespaces."""

import os

import pytest

from benchmarks.distributed.hosts import missing, trained


@pytest.mark.slow
@pytest.mark.process
def test_a_job_of_two_hosts_goes_on_after_an_outage_of_20_s_with_its_totals_right():
    if lacking := missing():
        message = f"needs two network namespaces: {lacking}"
        pytest.fail(message) if os.environ.get("CI") == "1" else pytest.skip(message)
    answer = trained(timeout_s=60, outage_s=20)
    assert answer["passed"], answer
    assert answer["exit_codes"] == [0, 0], answer
    assert answer["tokens"] == answer["steps_times_batch"]
    assert answer["ranks"] == 2
