"""Tokens of servers, in each dialect of metrics and in logs, with restarts in the middle."""

import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from energy.errors import InputError
from energy.verbs.server_tokens import ANSWER, PROMPT, ServerTokens, counters_of, metrics

DIALECTS = {
    "vllm": ("vllm:prompt_tokens_total", "vllm:generation_tokens_total"),
    "sglang": ("sglang:prompt_tokens_total", "sglang:generation_tokens_total"),
    "tensorrt-llm": ("trtllm_prompt_tokens_total", "trtllm_generation_tokens_total"),
}

SHOWN = (0, 10, 30, 5, 25)
"""Answers that a server has counted at each reading: it restarts before the fourth."""

COUNTED = 10 + 20 + 5 + 20

STAND_IN = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
shown, left = [10, 30, 5, 25], 7
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        global left
        left -= 1
        value = shown.pop(0) if len(shown) > 1 else shown[0]
        page = f'vllm:generation_tokens_total{{model_name="m"}} {value}\\n'
        self.send_response(200)
        self.end_headers()
        self.wfile.write(page.encode())
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
while left > 0:
    server.handle_request()
"""


def page(prompt, answer, values):
    """A page of metrics of a server with two engines."""
    lines = ["# HELP a counter", f"# TYPE {answer} counter"]
    for engine, share in (("0", 1), ("1", 0)):
        labels = f'{{engine="{engine}",model_name="a b"}}'
        lines += [f"{prompt}{labels} {100 * share * values:.1f}"]
        lines += [f"{answer}{labels} {share * values:.6e}"]
    return "\n".join([*lines, "other_total 1e9", ""])


@pytest.fixture
def serve():
    """Start a server that shows the pages one after another, the last for ever."""
    servers = []

    def start(pages):
        left = list(pages)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = (left.pop(0) if len(left) > 1 else left[0]).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/metrics"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.process
@pytest.mark.parametrize("names", DIALECTS.values(), ids=DIALECTS)
def test_each_dialect_is_counted_through_a_restart(serve, names):
    url = serve([page(*names, value) for value in SHOWN])
    counts = []
    with ServerTokens(url, lambda phase, count: counts.append((phase, count)), 0.01) as tokens:
        wait_for(lambda: tokens.tokens[ANSWER] >= COUNTED)
    assert tokens.tokens == {PROMPT: 100 * COUNTED, ANSWER: COUNTED}
    assert sum(count for phase, count in counts if phase == ANSWER) == COUNTED
    assert "began again 1 times" in tokens.note


@pytest.mark.process
def test_what_a_server_counted_before_the_command_is_not_its(serve):
    names = DIALECTS["vllm"]
    url = serve([page(*names, value) for value in (1000, 1000, 1040)])
    with ServerTokens(url, lambda *_: None, 0.01) as tokens:
        wait_for(lambda: tokens.tokens[ANSWER] >= 40)
    assert tokens.tokens[ANSWER] == 40


def test_the_counters_of_the_table_are_those_of_three_servers():
    assert set(metrics()) == {name for names in DIALECTS.values() for name in names}


def test_a_page_without_counters_is_named(serve):
    url = serve(["up 1\n"])
    with ServerTokens(url, lambda *_: None, 60) as tokens:
        pass
    assert "none of the counters" in tokens.note


def test_nobody_at_the_address_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/metrics"
        with ServerTokens(url, lambda *_: None, 60) as tokens:
            pass
    assert "no tokens were counted" in tokens.note


def test_damaged_lines_of_a_page_are_passed_over():
    text = 'vllm:generation_tokens_total 1e\nvllm:generation_tokens_total{a="b"} 7\n{} 3\n'
    assert list(counters_of(text).values()) == [(ANSWER, 7.0)]


def test_a_log_is_counted_from_its_end_on_and_once(tmp_path):
    log = tmp_path / "server.log"
    log.write_text('{"usage": {"prompt_tokens": 5, "completion_tokens": 900}}\n')
    with ServerTokens(str(log), lambda *_: None, 60) as tokens, log.open("a") as file:
        file.write('{"usage": {"prompt_tokens": 12, "completion_tokens": 34}}\nnoise\n')
        file.write('{"usage": {"prompt_tokens": 1, "completion_tokens": 6}}\n')
    assert tokens.tokens == {PROMPT: 13, ANSWER: 40}


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(InputError, match="address of http"):
        ServerTokens("ftp://host/metrics", lambda *_: None)


@pytest.mark.process
def test_joules_a_token_of_a_server_that_nobody_instrumented(tmp_path):
    (tmp_path / "wave.csv").write_text("t_s,device,watts\n0,board,100\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = subprocess.run(
        [
            *(sys.executable, "-m", "energy", "run", "--out", str(tmp_path / "r")),
            *("--meter", f"replay:{tmp_path / 'wave.csv'}", "--interval", "0.2"),
            *("--tokens-from", f"http://127.0.0.1:{port}/metrics", "--"),
            *(sys.executable, "-c", STAND_IN, str(port)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    assert record["tokens"]["value"] == COUNTED
    joules = record["totals"]["chip"]["value"]
    assert record["metrics"]["chip_j_per_token"]["value"] == pytest.approx(joules / COUNTED)
    assert any("began again 1 times" in note for note in record["notes"])
