"""One program compiled, in a process of its own: libtpu can abort where Python would raise.

Reads what `Case.sizes` says, with the name of the slice, as JSON from stdin; prints JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from importlib.metadata import version
from typing import Any

ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",  # no TPU is looked for
    "TPU_SKIP_MDS_QUERY": "1",  # no metadata server is looked for
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_MIN_LOG_LEVEL": "3",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

SIZES = ("argument", "output", "alias", "temp", "generated_code", "peak_memory")

USED = re.compile(r"Used ([\d.]+)([MGT]) of ([\d.]+)G hbm")
EXCEEDS = re.compile(r"([\d.]+)([MGT])\S* ?(?:\w+ )*exceeds available HBM \(([\d.]+)G\)")

PACKAGES = ("jax", "jaxlib", "libtpu")


def main() -> None:
    """Compile one program and print what the compiler says of it."""
    os.environ.update(ENVIRONMENT)
    question = json.load(sys.stdin)
    answer = compiled(question.pop("slice"), question, os.environ.get("TPU_ORACLE_TEXT"))
    print(json.dumps(answer))


def compiled(slice_name: str, sizes: dict[str, Any], keep: str | None = None) -> dict[str, Any]:
    """What the compiler says: its counts, or how much did not fit.

    Args:
        slice_name: "4x4x4".
        sizes: as `Case.sizes` says them.
        keep: file for the program's text.
    """
    from jax.experimental import topologies
    from jax.experimental.mesh_utils import create_device_mesh
    from jax.sharding import Mesh

    from benchmarks.tpu_oracle.program import Layers, program
    from benchmarks.tpu_oracle.walk import walk
    from benchmarks.tpu_oracle.whole import step

    begin = time.monotonic()
    chips = topologies.get_topology_desc(
        platform="tpu", topology_name=f"v4:{slice_name}", chip_config_name="megacore"
    )
    scan = sizes.pop("scan")
    sizes["mesh"] = tuple(sizes["mesh"])
    # The degrees of a plan need not be those of the torus: an axis of it may be cut.
    placed = create_device_mesh(sizes["mesh"], chips.devices, allow_split_physical_axes=True)
    mesh = Mesh(placed, ("r", "x", "y"))
    layers = Layers(**sizes)
    jitted, arguments = step(layers, mesh, **scan) if scan else program(layers, mesh)
    answer: dict[str, Any] = {"packages": {name: version(name) for name in PACKAGES}}
    try:
        executable = jitted.lower(*arguments).compile()
    except Exception as error:  # the compiler's refusals have no type of their own
        return answer | {"refused": _refusal(str(error)), "seconds": _since(begin)}
    text = executable.as_text()
    if keep:
        with open(keep, "w", encoding="utf-8") as file:
            file.write(text)
    counted, sized = walk(text), executable.memory_analysis()
    return answer | {
        "flop": counted.flop,
        "flop_by_cost_analysis": executable.cost_analysis()["flops"],
        "product_cycles": counted.product_cycles,
        "other_cycles": counted.other_cycles,
        "messages": [[*vars(each).values(), times] for each, times in counted.messages.items()],
        "bytes": {name.removesuffix("_memory"): getattr(sized, _attribute(name)) for name in SIZES},
        "seconds": _since(begin),
    }


def _attribute(name: str) -> str:
    return f"{name}_in_bytes" if name == "peak_memory" else f"{name}_size_in_bytes"


def _since(begin: float) -> float:
    return round(time.monotonic() - begin, 1)


def _refusal(message: str) -> dict[str, Any]:
    """How much the program needs of how much, in GiB, from a message of the compiler.

    Raises:
        ValueError: the message is not about memory.
    """
    for pattern in (USED, EXCEEDS):
        if amounts := pattern.search(message):
            needed = float(amounts[1]) * {"M": 1 / 1024, "G": 1, "T": 1024}[amounts[2]]
            return {"needs_gib": needed, "limit_gib": float(amounts[3])}
    if "hbm" in message.lower():
        return {"needs_gib": None, "limit_gib": None, "message": message[:300]}
    raise ValueError(message[:2000])


if __name__ == "__main__":
    main()
