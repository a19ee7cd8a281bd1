"""Live intensity, against a server on this machine that answers as the services do."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from energy.cli import command
from energy.errors import InputError, MissingDataError
from energy.verbs import live_intensity


class Service(BaseHTTPRequestHandler):
    """Answers as Electricity Maps and WattTime do."""

    value: object = 302
    silent = threading.Event()

    def do_GET(self):
        if self.silent.is_set():
            self.silent.wait(0.0)
            threading.Event().wait(3.0)
            return
        path = self.path.partition("?")[0]
        if path == "/v3/carbon-intensity/latest" and self.headers["auth-token"] == "mine":
            answer = {
                "zone": "DE",
                "carbonIntensity": self.value,
                "datetime": "2026-05-01T10:00:00.000Z",
                "emissionFactorType": "lifecycle",
                "isEstimated": True,
            }
        elif path == "/login" and self.headers["Authorization"].startswith("Basic "):
            answer = {"token": "short"}
        elif path == "/v3/historical" and self.headers["Authorization"] == "Bearer short":
            answer = {"data": [{"point_time": "2026-05-01T10:00:00+00:00", "value": 870}]}
        else:
            self.send_error(401)
            return
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def url(monkeypatch):
    monkeypatch.setenv("ELECTRICITYMAPS_TOKEN", "mine")
    monkeypatch.setenv("WATTTIME_USER", "me")
    monkeypatch.setenv("WATTTIME_PASSWORD", "mine")
    monkeypatch.setattr(Service, "value", 302)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    Service.silent.clear()
    server.shutdown()
    server.server_close()


def test_the_average_and_the_marginal_are_told_apart(url):
    average = live_intensity.now("electricity-maps", "DE", url=url)
    assert (average.g_per_kwh, average.signal) == (302, "average, life cycle")
    assert average.estimated
    marginal = live_intensity.now("watttime", "CAISO_NORTH", url=url)
    # 870 lb/MWh x 453.59237 g/lb / 1,000
    assert marginal.g_per_kwh == pytest.approx(394.625, abs=1e-3)
    assert marginal.signal == "marginal"


def test_the_command_prints_a_line_and_json(url):
    words = ["grid", "DE", "--live", "electricity-maps", "--url", url]
    line = CliRunner().invoke(command(), words).stdout
    assert line.startswith("DE: 302 g/kWh, average, life cycle, estimated")
    (answer,) = json.loads(CliRunner().invoke(command(), [*words, "--json"]).stdout)
    assert answer["g_per_kwh"] == 302


def test_an_address_without_the_service_is_refused_and_so_is_one_without_the_option():
    alone = CliRunner().invoke(command(), ["grid", "DE", "--url", "http://x"])
    assert alone.exit_code == 2
    assert "--live beside --url" in alone.output


def test_a_closed_door_is_named_in_plain_words(url):
    with pytest.raises(MissingDataError) as error:
        live_intensity.now("electricity-maps", "DE", url="http://127.0.0.1:1")
    assert "got connection refused" in str(error.value)
    assert "leave --live out" in error.value.fix


@pytest.mark.parametrize("value", [-1, None, "302", 50_000, True])
def test_what_cannot_be_true_is_refused(url, value, monkeypatch):
    monkeypatch.setattr(Service, "value", value)
    with pytest.raises(MissingDataError, match="an intensity of"):
        live_intensity.now("electricity-maps", "DE", url=url)


def test_without_access_or_an_answer_there_is_no_number(url, monkeypatch):
    with pytest.raises(InputError, match="--live"):
        live_intensity.now("oracle", "DE", url=url)
    with pytest.raises(InputError, match="http"):
        live_intensity.now("electricity-maps", "DE", url="file:///etc/passwd")
    monkeypatch.setenv("ELECTRICITYMAPS_TOKEN", "another")
    with pytest.raises(MissingDataError, match="401"):
        live_intensity.now("electricity-maps", "DE", url=url)
    monkeypatch.delenv("ELECTRICITYMAPS_TOKEN")
    with pytest.raises(MissingDataError, match="ELECTRICITYMAPS_TOKEN"):
        live_intensity.now("electricity-maps", "DE", url=url)
    with pytest.raises(MissingDataError, match="expected an answer"):
        live_intensity.now("watttime", "CAISO_NORTH", url="http://127.0.0.1:9")


def test_a_service_that_hangs_ends_with_the_timeout(url):
    Service.silent.set()
    with pytest.raises(MissingDataError, match="expected an answer"):
        live_intensity.now("electricity-maps", "DE", url=url, timeout_s=0.3)
