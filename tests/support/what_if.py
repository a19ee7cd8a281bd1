"""The what-if page, served on a free port of this machine."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

ROOT = Path(__file__).parents[2]
DEADLINE_S = 240


def until(condition: Callable[[], Result]) -> Result:
    """What a condition gives once it is true.

    Raises:
        TimeoutError: it is not before the deadline.
    """
    end = time.monotonic() + DEADLINE_S
    while not (result := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not in {DEADLINE_S} s")
        time.sleep(0.05)
    return result


@contextmanager
def served(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The process of the page and its address; ends when nobody uses it any more.

    Args:
        folder: for its log and its settings.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page, log = ROOT / "notebooks/what_if.py", folder / "log"
    words = ["-m", "marimo", "run", str(page), "--headless", "--no-token", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder)}
    address = f"http://127.0.0.1:{port}/"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environment, stdout=file, stderr=file
        )

    def answers() -> bool:
        if server.poll() is not None:
            raise OSError(log.read_text())
        try:
            return bool(urllib.request.urlopen(f"{address}health", timeout=10).status == 200)
        except (urllib.error.URLError, TimeoutError):
            return False

    try:
        until(answers)
        yield server, address
    finally:
        server.terminate()
        server.wait(60)
