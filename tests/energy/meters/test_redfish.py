"""A management controller by Redfish: a local HTTP server, with and without TLS and a password."""

import base64
import http.server
import json
import shutil
import ssl
import subprocess
import sys
import threading
import time

import pytest

from energy.errors import InputError
from energy.meters.redfish import CLIENT, Redfish
from energy.meters.redfish_client import ask, reading
from energy.meters.sources import require
from energy.tracking.tracker import Tracker

POWER = {"PowerControl": [{"Name": "System", "PowerConsumedWatts": 344, "PowerCapacityWatts": 800}]}
RESOURCES = {
    "/redfish/v1/Chassis/1/Power": POWER,
    "/redfish/v1/Chassis/1/EnvironmentMetrics": {"PowerWatts": {"Reading": 351.5}},
    "/redfish/v1/Chassis/1/Energy": {"EnergykWh": {"Reading": 2.0}},
    "/redfish/v1/Chassis/1/Sensors/Total": {"Reading": 340.0, "ReadingUnits": "W"},
    "/redfish/v1/Chassis/1/Off": {"PowerControl": [{"PowerConsumedWatts": 0}]},
    "/redfish/v1/Chassis": {"Members": []},
}


class Controller(http.server.BaseHTTPRequestHandler):
    """A controller that wants a password below /secret and redirects below /moved."""

    requests = []  # noqa: RUF012

    def do_GET(self):
        self.requests.append((self.path, self.headers.get("Authorization")))
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
            return
        expected = "Basic " + base64.b64encode(b"reader:geheim").decode()
        if self.path.startswith("/secret") and self.headers.get("Authorization") != expected:
            self.send_error(401)
            return
        resource = RESOURCES.get(self.path.removeprefix("/secret"))
        if resource is None:
            self.send_error(404)
            return
        body = json.dumps(resource).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing is printed."""


def served(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Controller)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


@pytest.fixture
def controller(monkeypatch, tmp_path):
    """The address of a controller; no password is known."""
    monkeypatch.delenv("REDFISH_USERNAME", raising=False)
    monkeypatch.delenv("REDFISH_PASSWORD", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Controller.requests.clear()
    server = served()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def next_watts(meter):
    stop_s = time.monotonic() + 5
    while time.monotonic() < stop_s:
        if watts := meter.watts():
            return watts
        time.sleep(0.02)
    raise AssertionError("no answer came")


@pytest.mark.parametrize(
    ("resource", "watts", "limit_w"),
    [("Power", 344.0, 800.0), ("EnvironmentMetrics", 351.5, 0.0), ("Sensors/Total", 340.0, 0.0)],
)
def test_the_power_of_a_node_is_read_from_each_resource_that_states_it(
    controller, resource, watts, limit_w
):
    meter = Redfish(f"{controller}/redfish/v1/Chassis/1/{resource}")
    meter.check()
    (domain,) = meter.probe()
    assert (domain.boundary, domain.method, domain.reason) == ("node", "power", "")
    assert domain.limit_w == limit_w
    assert next_watts(meter) == {domain.id: watts}
    meter.close()


def test_a_controller_that_only_counts_energy_is_read_as_a_counter(controller):
    meter = Redfish(f"{controller}/redfish/v1/Chassis/1/Energy")
    (domain,) = meter.probe()
    assert domain.method == "counter"
    assert meter.read() == {domain.id: 7.2e6}
    meter.close()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/redfish/v1/Chassis/1/Off", "neither PowerWatts"),
        ("/redfish/v1/Chassis", "neither PowerWatts"),
        ("/redfish/v1/Chassis/9/Power", "HTTP 404"),
        ("/secret/redfish/v1/Chassis/1/Power", "HTTP 401"),
    ],
    ids=["0 W", "no power", "no such resource", "no password"],
)
def test_a_node_without_an_answer_is_missing_with_the_reason_and_never_0(controller, path, said):
    meter = Redfish(controller + path)
    (domain,) = meter.probe()
    assert (domain.origin, domain.method) == ("missing", "counter")
    assert said in domain.reason
    assert ("REDFISH_PASSWORD" in domain.fix) == ("401" in said)


@pytest.mark.parametrize("place", ["environment", "netrc"])
def test_name_and_password_come_from_the_environment_or_netrc(
    controller, monkeypatch, tmp_path, place
):
    if place == "netrc":
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login reader password geheim\n")
        (tmp_path / "netrc").chmod(0o600)
    else:
        monkeypatch.setenv("REDFISH_USERNAME", "reader")
        monkeypatch.setenv("REDFISH_PASSWORD", "geheim")
    meter = Redfish(f"{controller}/secret/redfish/v1/Chassis/1/Power")
    (domain,) = meter.probe()
    assert domain.reason == ""
    meter.close()


def test_a_redirected_request_does_not_take_the_password_along(controller, monkeypatch):
    monkeypatch.setenv("REDFISH_USERNAME", "reader")
    monkeypatch.setenv("REDFISH_PASSWORD", "geheim")
    answer = ask(f"{controller}/moved/redfish/v1/Chassis/1/Power")
    assert answer == {"watts": 344.0, "limit_w": 800.0}
    assert [sent is None for _, sent in Controller.requests] == [False, True]


def test_a_password_stands_neither_in_the_ledger_nor_in_the_arguments_of_a_process(
    controller, monkeypatch, tmp_path
):
    monkeypatch.setenv("REDFISH_USERNAME", "reader")
    monkeypatch.setenv("REDFISH_PASSWORD", "geheim")
    name = f"redfish:{controller}/secret/redfish/v1/Chassis/1/Power"
    with Tracker(tmp_path / "run", meters=[name], interval_s=0.1) as tracker:
        shown = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True).stdout
        time.sleep(1.5)
    assert "redfish_client" in shown
    assert "geheim" not in shown
    ledger = (tmp_path / "run" / "ledger.jsonl").read_text()
    assert "geheim" not in ledger
    assert "344" in ledger
    assert "geheim" not in tracker.record().model_dump_json()


def test_a_controller_that_stops_answering_is_a_gap(controller, monkeypatch):
    meter = Redfish(f"{controller}/redfish/v1/Chassis/1/Power")
    meter.probe()
    next_watts(meter)
    monkeypatch.setitem(RESOURCES, "/redfish/v1/Chassis/1/Power", {})
    stop_s = time.monotonic() + 5
    while None not in meter.watts().values():
        assert time.monotonic() < stop_s, "the last watts went on"
        time.sleep(0.02)
    meter.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl for a certificate")
def test_a_certificate_that_nobody_vouches_for_is_refused_until_it_is_trusted(
    controller, monkeypatch, tmp_path
):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=bmc",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = served(context)
    url = f"https://127.0.0.1:{server.server_port}/redfish/v1/Chassis/1/Power"
    (domain,) = Redfish(url).probe()
    assert "certificate is not trusted" in domain.reason
    assert "SSL_CERT_FILE" in domain.fix
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    meter = Redfish(url)
    (domain,) = meter.probe()
    assert domain.reason == ""
    meter.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://reader:geheim@bmc/redfish/v1/Chassis/1/Power", "without name and password"),
        ("http://bmc/redfish/v1/Chassis/1/Power", "expected https"),
        ("https://bmc", "resource after the host"),
        ("bmc/redfish", "address after redfish:"),
    ],
)
def test_an_address_that_is_incomplete_or_unsafe_is_refused_before_the_run(url, said):
    with pytest.raises(InputError, match=said) as refused:
        require([f"redfish:{url}"])
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        3,
        {"PowerControl": [3]},
        {"PowerWatts": 9},
        {"PowerWatts": {"Reading": True}},
        {"PowerControl": [{"PowerConsumedWatts": -4}]},
    ],
)
def test_an_answer_in_another_shape_is_no_reading(payload):
    assert reading(payload) is None


def test_the_client_starts_by_path_and_imports_nothing_of_energy():
    code = "import sys, runpy; runpy.run_path(sys.argv[1]); print('energy' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-I", "-c", code, str(CLIENT)],
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == "False", run.stderr
