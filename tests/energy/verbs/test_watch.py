"""`energy watch`: the table and the Prometheus metrics, each with its origin."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

WATCH = [sys.executable, "-c", "from energy.cli import main; main()", "watch"]


def test_the_table_states_the_origin_of_every_watt():
    run = subprocess.run(
        [*WATCH, "--seconds", "0.4", "--interval", "0.1"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    powered = [line for line in run.stdout.splitlines() if " W " in line]
    assert powered
    assert all("modelled" in line or "assumed" in line or "measured" in line for line in powered)


def test_prometheus_reads_joules_with_device_boundary_and_origin():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = subprocess.Popen(
        [*WATCH, "--prometheus", str(port), "--seconds", "5", "--interval", "0.1"],
        stderr=subprocess.PIPE,
    )
    try:
        text = ""
        for _ in range(100):
            time.sleep(0.1)
            with contextlib.suppress(OSError):
                address = f"http://127.0.0.1:{port}/metrics"
                text = urllib.request.urlopen(address, timeout=2).read().decode()
            if "energy_power_watts{" in text:
                break
        families = {family.name: family for family in text_string_to_metric_families(text)}
        samples = families["energy_joules"].samples
        assert samples
        assert all(sample.labels["origin"] for sample in samples)
    finally:
        run.kill()
        run.communicate()


def test_a_port_that_is_taken_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = subprocess.run([*WATCH, "--prometheus", str(port)], capture_output=True, text=True)
    assert run.returncode == 2
    assert f"expected port {port} to be free; got address already in use" in run.stderr
