"""The rules of the layout: who may import whom, and where a library may be loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath as Path

# The drawing of each package, from the command line down to the words that all of it uses. A part
# imports only what stands on a lower line; parts of one line do not import each other.
LINES: dict[str, tuple[str, ...]] = {
    "energy": (
        "__main__",
        "cli",
        "commands",
        "verbs callbacks notebook",
        "tracking",
        "sampler",
        "reports disclosure importers",
        "ledger claims",
        "footprint calibration",
        "facts record flops",
        "display",
        "amounts arithmetic app configurations parallel stated_total",
        "console tables trace",
        "rows",
        "meters quantity shape files",
        "guard inputs local_time shapes typed",
        "errors units letters colors minutes outside allocator _lazy _ctrl_c",
    ),
    "glam": (
        "__main__",
        "cli",
        "verbs",
        "finetuning",
        "evaluation specialization",
        "training probing",
        "generation",
        "distributed",
        "model data",
        "checkpoints moe progress adafactor",
        "config feed_forward",
        "family activations relatives",
        "architecture precision",
        "recipe device uncompiled",
    ),
    "simulator": (
        "__main__",
        "cli",
        "questions",
        "serving",
        "runs",
        "fit quality",
        "plans published scenarios kit",
        "physics facts terms",
    ),
}

# Which packages a package may import besides itself, and which parts of them are not for it.
MAY_IMPORT_PACKAGES = {"energy": (), "glam": ("energy",), "simulator": ("energy",)}
PRIVATE_TO_ENERGY = (
    "energy.cli",
    "energy.commands",
    "energy.verbs",
    "energy.callbacks",
    "energy.sampler",
)

# In the simulator, the lower parts that each part may import; a question may import all of them.
MAY_IMPORT = {
    "terms": "",
    "facts": "",
    "physics": "",
    "plans": "physics",
    "published": "physics facts",
    "scenarios": "physics facts",
    "kit": "terms",
    "fit": "physics facts published",
    "quality": "scenarios",
    "runs": "physics facts plans scenarios fit quality terms",
    "serving": "physics facts scenarios published fit runs",
    "cli": "kit questions",
}


def _inside(*places: str) -> Callable[[Path], bool]:
    """Whether a file is one of these, or stands in one of these folders."""
    return lambda path: any(path.is_relative_to(place) for place in places)


def _pictures(path: Path) -> bool:
    return (
        path.stem.startswith("picture")
        or path == Path("simulator/kit/style.py")
        or (path.is_relative_to("energy/reports") and path.stem.endswith("plots"))
    )


def _commands(path: Path) -> bool:
    return (
        path.match("simulator/questions/*/command.py")
        or path.is_relative_to("energy/commands")
        or path.is_relative_to("glam/verbs")
        or path in {Path("simulator/kit/options.py"), Path("energy/app.py")}
        or (path.stem == "cli" and len(path.parts) == 2)
    )


def _terminal_pages(path: Path) -> bool:
    return path.stem.startswith("page") or path.stem in {
        "cli",
        "console",
        "progress",
        "watch",
        "terminal",
        "run_tables",
    }


# Where the packages may import a library of others. One that is not listed is not imported.
LIBRARIES: dict[str, Callable[[Path], bool]] = {
    "IPython": _inside("energy/notebook.py"),
    "amdsmi": _inside("energy/meters/amd.py"),
    "codecarbon": lambda path: "codecarbon" in path.stem,
    "cyclonedx": _inside("energy/disclosure/writers/cyclonedx.py"),
    "datasets": _inside("glam/data/parquet.py"),
    "jinja2": _inside("energy/reports", "energy/disclosure"),
    "libtpu": _inside("energy/meters/tpu.py"),
    "lightning": _inside("energy/callbacks/lightning.py"),
    "lm_eval": _inside("glam/evaluation"),
    "matplotlib": _pictures,
    "mlflow": _inside("energy/callbacks/loggers.py"),
    "numpy": _inside("energy", "glam", "simulator"),
    "pandas": _inside(),  # in functions called to_frame only, see FUNCTIONS
    "peft": _inside("glam/finetuning"),
    "prometheus_client": _inside("energy/verbs/watch.py"),
    "pyarrow": _inside("glam/data/parquet.py", "glam/data/compressed.py"),
    "pydantic": _inside(
        "energy/amounts.py",
        "energy/parallel.py",
        "energy/quantity.py",
        "energy/record.py",
        "energy/typed.py",
        "simulator/fit/saved.py",
        "simulator/scenarios",
    ),
    "pynvml": _inside("energy/meters/nvml.py"),
    "rich": _terminal_pages,
    "safetensors": _inside("glam/checkpoints"),
    "sentencepiece": _inside("glam"),
    "spdx_python_model": _inside("energy/disclosure/writers/spdx.py"),
    "torch": _inside("glam"),
    "transformers": _inside("energy/callbacks"),
    "typer": _commands,
    "wandb": _inside("energy/callbacks/loggers.py"),
    "zeus_apple_silicon": _inside("energy/meters/apple.py"),
}

# Libraries that a function of this name may import wherever it stands.
FUNCTIONS = {"pandas": "to_frame"}

# `--help` and `import energy` load none of these.
HEAVY = [
    "codecarbon",
    "datasets",
    "jax",
    "jinja2",
    "lightning",
    "lm_eval",
    "marimo",
    "matplotlib",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "pynvml",
    "scipy",
    "torch",
    "transformers",
]
