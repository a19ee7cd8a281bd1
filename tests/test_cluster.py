"""The pages' script for Slurm, and their manifest for Kubernetes, which two local nodes follow."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from energy import RunRecord
from energy.ledger.merge import merge
from tests.support import ROOT

MANIFEST = ROOT / "docs" / "cluster" / "job.yaml"
SCRIPT = ROOT / "docs" / "cluster" / "job.sbatch"


def table(required, **fields):
    """A table with these fields and no other."""
    return {
        "type": "object",
        "properties": fields,
        "required": required.split(),
        "additionalProperties": False,
    }


def rows(item):
    return {"type": "array", "items": item, "minItems": 1}


TEXT, COUNT = {"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0}
NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"}
CONTAINER = table(
    "name image",
    name=NAME,
    image=TEXT,
    command=rows(TEXT),
    args=rows(TEXT),
    env=rows(table("name value", name=TEXT, value=TEXT)),
    resources=table("", limits={"type": "object"}, requests={"type": "object"}),
    volumeMounts=rows(table("name mountPath", name=NAME, mountPath=TEXT)),
)
POD = table(
    "containers restartPolicy",
    subdomain=NAME,
    restartPolicy={"enum": ["Never", "OnFailure"]},
    containers=rows(CONTAINER),
    volumes=rows(
        table(
            "name",
            name=NAME,
            persistentVolumeClaim=table("claimName", claimName=NAME),
            emptyDir=table("", medium={"enum": ["", "Memory"]}, sizeLimit=TEXT),
        )
    ),
)
NAMED = table("name", name=NAME, labels={"type": "object"})
SCHEMAS = {
    "Job": table(
        "apiVersion kind metadata spec",
        apiVersion={"const": "batch/v1"},
        kind={"const": "Job"},
        metadata=NAMED,
        spec=table(
            "template",
            completionMode={"enum": ["NonIndexed", "Indexed"]},
            completions=COUNT,
            parallelism=COUNT,
            backoffLimit=COUNT,
            template=table("spec", metadata={"type": "object"}, spec=POD),
        ),
    ),
    "Service": table(
        "apiVersion kind metadata spec",
        apiVersion={"const": "v1"},
        kind={"const": "Service"},
        metadata=NAMED,
        spec=table(
            "selector",
            clusterIP={"const": "None"},
            publishNotReadyAddresses={"type": "boolean"},
            selector={"type": "object", "additionalProperties": TEXT},
            ports=rows(table("port", name=NAME, port={"type": "integer", "maximum": 65535})),
        ),
    ),
}
"""Those fields of the Kubernetes API (batch/v1 and v1, release 1.34) that the manifest uses."""


@pytest.fixture(scope="module")
def parts():
    return {part["kind"]: part for part in yaml.safe_load_all(MANIFEST.read_text())}


def test_the_manifest_has_fields_of_the_api_and_its_parts_fit_each_other(parts):
    assert parts.keys() == SCHEMAS.keys()
    for kind, part in parts.items():
        jsonschema.validate(part, SCHEMAS[kind])
    service, job = parts["Service"], parts["Job"]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    values = {row["name"]: row["value"] for row in container["env"]}
    name = job["metadata"]["name"]
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": name}
    host, port = values["RENDEZVOUS"].split(":")
    assert host == f"{name}-0.{pod['subdomain']}"
    assert int(port) in [row["port"] for row in service["spec"]["ports"]]
    assert int(values["NODES"]) == job["spec"]["completions"] == job["spec"]["parallelism"]
    assert int(values["RANKS_PER_NODE"]) == container["resources"]["limits"]["nvidia.com/gpu"]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    assert set(re.findall(r"\$\((\w+)\)", " ".join(container["args"]))) == values.keys()


def filled(text, values):
    """A text of a manifest, with the variables that Kubernetes fills in."""
    return re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], text)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.torch
def test_two_nodes_follow_the_command_line_of_the_manifest_and_their_ranks_merge(parts, tmp_path):
    (container,) = parts["Job"]["spec"]["template"]["spec"]["containers"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = {"RENDEZVOUS": f"127.0.0.1:{port}", "RANKS_PER_NODE": "1", "RUNS": str(tmp_path)}
    values = {row["name"]: row["value"] for row in container["env"]} | here
    words = [filled(word, values) for word in (*container["command"], *container["args"])]
    (tmp_path / "train.py").write_text("import os; print('rank', os.environ['RANK'])\n")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = {**os.environ, **values, "PATH": path, "PYTHONPATH": str(ROOT)}
    nodes = [
        subprocess.Popen(
            words,
            cwd=tmp_path,
            env={**settings, "JOB_COMPLETION_INDEX": str(node)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for node in range(int(values["NODES"]))
    ]
    printed = [node.communicate(timeout=300) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], printed
    assert sorted(line for out, _ in printed for line in out.splitlines()) == ["rank 0", "rank 1"]
    folder = tmp_path / values["JOB"]
    assert sum(f"energy merge {folder}" in err for _, err in printed) == 1
    run = merge([folder], "training")
    assert run.environment["job"]["id"] == values["JOB"]
    assert run.totals["chip"].missing == ()
    assert [rank.rank for rank in run.ranks] == [0, 1]
    assert RunRecord.load(folder / "rank-1").labels["zone"] == values["ZONE"]


def test_the_script_for_slurm_is_valid_and_merges_the_folder_that_its_ranks_write():
    subprocess.run(["bash", "-n", SCRIPT], check=True)
    script = SCRIPT.read_text()
    (out,) = re.findall(r"--out (\S+)", script)
    assert script.rstrip().endswith(f"energy merge {out}")
