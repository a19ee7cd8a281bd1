"""A job of two hosts, of which one loses its network for a while: it goes on, or ends with why.

    python -m benchmarks.distributed.hosts --timeout 60 --outage 20 [--json]

The hosts are two network namespaces of this machine, joined by a pair of virtual interfaces, so
that it needs root and `ip` (iproute2). torchrun starts a process of a small training on each. The
network is away from the fifth step on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.distributed.launch import TORCHRUN, environment
from benchmarks.distributed.small_job import prepare
from energy import RunRecord
from energy.console import print_json
from energy.errors import InputError, ToleranceError
from energy.guard import guard
from energy.ledger.merge import merge

STEPS = 40

PATIENCE_S = 400.0
"""For what takes long on a machine that others use too."""

ADDRESSES = ("10.77.0.1", "10.77.0.2")


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--timeout", type=float, default=60.0, help="of a message, in seconds")
    parser.add_argument("--outage", type=float, default=20.0, help="seconds without network")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Train on two hosts through an outage; print how it ended.

    Raises:
        ToleranceError: it ended without a reason, or with wrong totals.
    """
    answer = trained(options.timeout, options.outage)
    if options.json:
        print_json(answer)
    else:
        print(*(f"{key}: {value}" for key, value in answer.items()), sep="\n")
    if not answer["passed"]:
        raise ToleranceError("expected a job that goes on or says why it ends", "neither")


def missing() -> str:
    """Return what this machine lacks for namespaces; empty where it lacks nothing."""
    if shutil.which("ip") is None:
        return "ip (iproute2) is not installed"
    if os.geteuid() != 0:
        return "network namespaces need root"
    made = ip("netns", "add", f"try-{os.getpid()}")
    ip("netns", "del", f"try-{os.getpid()}")
    return made.stderr.strip() if made.returncode else ""


def trained(timeout_s: float, outage_s: float) -> dict[str, Any]:
    """Train through an outage; return exit codes, reasons, steps and totals.

    Raises:
        InputError: this machine has no namespaces.
    """
    if lacking := missing():
        raise InputError("expected network namespaces", lacking)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        prepare(folder, STEPS)
        names = stack.enter_context(joined())
        jobs = [
            stack.enter_context(launched(folder, host, address, timeout_s))
            for host, address in zip(names, ADDRESSES, strict=True)
        ]
        wait_until_step(folder, jobs)
        network(names[1], "down")
        time.sleep(outage_s)
        network(names[1], "up")
        codes = [job.wait(PATIENCE_S) for job in jobs]
        return outcome(folder, codes)


def outcome(folder: Path, codes: list[int]) -> dict[str, Any]:
    """Return how a job ended, and what its ledgers say."""
    logs = [(folder / f"{address}.log").read_text() for address in ADDRESSES]
    reasons = [
        next((line for line in log.splitlines() if line.startswith("error:")), "") for log in logs
    ]
    lines = (folder / "out" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    merged = merge([folder / "out"], "restarts")
    joules = merged.totals["chip"].numbers()[0]  # type: ignore[index]
    answer: dict[str, Any] = {
        "exit_codes": codes,
        "reasons": reasons,
        "last_step": rows[-1]["step"],
        "joules": joules,
        "ranks": len(merged.ranks),
    }
    ended = not any(codes)
    right = [row["step"] for row in rows] == list(range(1, len(rows) + 1)) and joules > 0
    if ended:
        record = RunRecord.load(folder / "out" / "record.json")
        answer["tokens"] = record.tokens.value
        answer["steps_times_batch"] = STEPS * rows[-1]["tokens"] / rows[-1]["step"]
        right = right and answer["tokens"] == answer["steps_times_batch"]
    answer["passed"] = right and (ended or any(reasons))
    if not answer["passed"]:
        answer["logs"] = [log[-1500:] for log in logs]
    return answer


@contextmanager
def joined() -> Iterator[list[str]]:
    """Make two namespaces with addresses of one network; remove them at the end."""
    names = [f"glam-{os.getpid()}-{letter}" for letter in "ab"]
    ends = [f"v{os.getpid()}{letter}" for letter in "ab"]
    try:
        for name in names:
            require(ip("netns", "add", name))
        require(ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1]))
        for name, end, address in zip(names, ends, ADDRESSES, strict=True):
            require(ip("link", "set", end, "netns", name, "name", "wire"))
            require(ip("-n", name, "address", "add", f"{address}/24", "dev", "wire"))
            require(ip("-n", name, "link", "set", "lo", "up"))
            require(ip("-n", name, "link", "set", "wire", "up"))
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


def network(host: str, state: str) -> None:
    """Take a host off its network (`down`), or give it back (`up`)."""
    require(ip("-n", host, "link", "set", "wire", state))


@contextmanager
def launched(
    folder: Path, host: str, address: str, timeout_s: float
) -> Iterator[subprocess.Popen[str]]:
    """Start torchrun with one process on a host; its output goes to a file."""
    rendezvous = ["--rdzv-backend=c10d", f"--rdzv-endpoint={ADDRESSES[0]}:29500", "--rdzv-id=job"]
    # In a namespace the name of this machine does not lead to the address of the host.
    is_host = int(address == ADDRESSES[0])
    rendezvous += [f"--rdzv-conf=join_timeout=60,last_call_timeout=1,is_host={is_host}"]
    rendezvous += [f"--local-addr={address}"]
    train = ["train", "--model", "run.toml", "--out", "out", "--timeout", str(timeout_s)]
    nodes = [*TORCHRUN, "--nnodes=2", "--nproc-per-node=1", "--max-restarts=3"]
    with (folder / f"{address}.log").open("w") as log:
        job = subprocess.Popen(
            ["ip", "netns", "exec", host, *nodes, *rendezvous, "-m", "glam", *train],
            cwd=folder,
            env={**environment(folder), "GLOO_SOCKET_IFNAME": "wire"},
            stdout=log,
            stderr=log,
            text=True,
        )
    try:
        yield job
    finally:
        if job.poll() is None:
            job.terminate()
            job.wait(60)


def wait_until_step(folder: Path, jobs: list[subprocess.Popen[str]]) -> None:
    """Wait for five steps."""
    until_s, metrics = time.monotonic() + PATIENCE_S, folder / "out" / "metrics.jsonl"
    while time.monotonic() < until_s and all(job.poll() is None for job in jobs):
        if metrics.exists() and metrics.read_text().count("\n") >= 5:
            return
        time.sleep(0.05)
    log = (folder / f"{ADDRESSES[0]}.log").read_text()
    raise ToleranceError("expected a job that begins", log[-800:])


def ip(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `ip`."""
    return subprocess.run(["ip", *words], capture_output=True, text=True)


def require(done: subprocess.CompletedProcess[str]) -> None:
    """Raise InputError with what a command said, if it failed."""
    if done.returncode:
        raise InputError(f"expected {' '.join(done.args)} to work", done.stderr.strip())


if __name__ == "__main__":
    main()
