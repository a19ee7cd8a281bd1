"""Tokens of a server that nobody instrumented: from its Prometheus endpoint, or from a log.

A counter that goes down was begun again by a restarted server: what it shows then is new. Counts
are read once a second and once when the command has ended; what a server answered after the last
reading that it lived through is not counted. A log has the usage of the OpenAI protocol:
"prompt_tokens": N and "completion_tokens": N, as its responses are written.
"""

from __future__ import annotations

import csv
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Self

from energy.errors import InputError, reason

PROMPT, ANSWER = "prompt", "answer"

LARGEST_PAGE = 16 * 2**20

TIMEOUT_S = 2.0

SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(\{[^}]*\})?\s+([0-9.eE+-]+)", re.MULTILINE)
"""A line of the exposition format: metric, labels, value."""

USAGE = re.compile(rb'"(prompt|completion)_tokens"\s*:\s*(\d{1,12})')

LOG_PHASES = {b"prompt": PROMPT, b"completion": ANSWER}

OnTokens = Callable[[str, float], None]
"""Called with a phase and its new tokens."""


class ServerTokens:
    """Counts tokens while a command runs.

    Args:
        place: address of a Prometheus endpoint, or path of a log.
        on_tokens: called from a thread of its own with each count.
        interval_s: seconds between readings.

    Raises:
        InputError: the address is not of http or https.
    """

    def __init__(self, place: str, on_tokens: OnTokens, interval_s: float = 1.0) -> None:
        is_address = "://" in place
        if is_address and not place.startswith(("http://", "https://")):
            raise InputError(
                "expected an address of http, or a log", place, "http://127.0.0.1:8000/metrics"
            )
        self._source = _Endpoint(place) if is_address else _Log(Path(place))
        self._on_tokens, self._interval_s = on_tokens, interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="server tokens", daemon=True)
        self._tokens: dict[str, float] = {PROMPT: 0.0, ANSWER: 0.0}
        self.place = place

    def __enter__(self) -> Self:
        self._source.begin()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._read()

    @property
    def tokens(self) -> dict[str, float]:
        """Tokens by phase."""
        return dict(self._tokens)

    @property
    def note(self) -> str:
        """What a reader must know of the count."""
        if self._source.readings == 0:
            return f"no tokens were counted at {self.place}: {self._source.problem or 'no counter'}"
        text = f"tokens were read {self._source.readings:,} times at {self.place}"
        restarts = self._source.restarts
        return f"{text}; its counters began again {restarts} times" if restarts else text

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._read()

    def _read(self) -> None:
        for phase, count in self._source.read().items():
            if count > 0:
                self._tokens[phase] += count
                self._on_tokens(phase, count)


class _Endpoint:
    """Counters of a Prometheus endpoint, each with its labels."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._last: dict[tuple[str, str], float] = {}
        self.readings = self.restarts = 0
        self.problem = ""

    def begin(self) -> None:
        """Take what a server that is already up has counted as its beginning."""
        self._last = {key: value for key, (_, value) in self._counters().items()}

    def read(self) -> dict[str, float]:
        """New tokens by phase since the last reading; none where nobody answers."""
        new = {PROMPT: 0.0, ANSWER: 0.0}
        counters = self._counters()
        has_restarted = False
        for key, (phase, value) in counters.items():
            before = self._last.get(key, 0.0)
            has_restarted |= value < before
            new[phase] += value - before if value >= before else value
            self._last[key] = value
        self.restarts += has_restarted
        self.readings += bool(counters)
        return new

    def _counters(self) -> dict[tuple[str, str], tuple[str, float]]:
        try:
            with urllib.request.urlopen(self._url, timeout=TIMEOUT_S) as answer:
                text = answer.read(LARGEST_PAGE).decode("utf-8", "replace")
        except (OSError, ValueError, urllib.error.URLError) as error:
            self.problem = reason(error)
            return {}
        counters = counters_of(text)
        if not counters:
            self.problem = "none of the counters of vLLM, SGLang or TensorRT-LLM"
        return counters


class _Log:
    """Usage of responses that are appended to a log."""

    def __init__(self, path: Path) -> None:
        self._path, self._place, self._rest = path, 0, b""
        self.readings = self.restarts = 0
        self.problem = ""

    def begin(self) -> None:
        """Start at the end of a log that is already there."""
        try:
            self._place = self._path.stat().st_size
        except OSError:
            self._place = 0

    def read(self) -> dict[str, float]:
        """Tokens by phase in the lines that are new."""
        new = {PROMPT: 0.0, ANSWER: 0.0}
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._place:  # cut, or begun again
                    self._place, self._rest = 0, b""
                    self.restarts += 1
                file.seek(self._place)
                text = self._rest + file.read(LARGEST_PAGE)
                self._place = file.tell()
        except OSError as error:
            self.problem = reason(error)
            return new
        # A number at the end may go on in what is written next.
        whole, newline, self._rest = text.rpartition(b"\n")
        for word, digits in USAGE.findall(whole + newline):
            new[LOG_PHASES[word]] += int(digits)
        self.readings += 1
        return new


def counters_of(text: str) -> dict[tuple[str, str], tuple[str, float]]:
    """The counters of tokens on a page of metrics: phase and value by metric and labels.

    'vllm:generation_tokens_total{model_name="m"} 5' is an answer of 5 tokens.
    """
    phases = metrics()
    counters = {}
    for name, labels, value in SAMPLE.findall(text):
        if name in phases:
            try:
                counters[name, labels] = (phases[name], float(value))
            except ValueError:
                continue
    return counters


@cache
def metrics() -> dict[str, str]:
    """Phase of each counter that is known, from `server_counters.csv`."""
    text = files("energy.facts.data").joinpath("server_counters.csv").read_text(encoding="utf-8")
    return {row["metric"]: row["phase"] for row in csv.DictReader(text.splitlines())}
