"""Names at the top of a package that are loaded when they are first used.

`import energy` costs a training script nothing, and `from energy import Tracker` loads the tracker
alone. The mechanism is that of PEP 562: `__getattr__` and `__dir__` of a module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

DISTRIBUTION = "glam-energy"

ERRORS = (
    "AccountingError",
    "BoundaryError",
    "CommandError",
    "InfeasibleError",
    "InputError",
    "MissingDataError",
    "ToleranceError",
    "UnitError",
)


def exports(
    package: str, homes: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package that loads its names lazily.

    `__version__` and the errors of `energy.errors` are exported by every package. A type checker
    does not read this table: repeat each name as an import under `if TYPE_CHECKING`.

    Args:
        package: the package's own `__name__`.
        homes: the names that each module defines, as in
            `{"energy.quantity": ("Boundary", "Origin", "Quantity")}`; "load as load_scenario" is
            a name that is exported under another one.
    """
    home_of = {
        words.split(" as ")[-1]: (module, words.split(" as ")[0])
        for module, names in {"energy.errors": ERRORS, **homes}.items()
        for words in names
    }
    public = sorted([*home_of, "__version__"])

    def load(name: str) -> Any:
        if name == "__version__":
            value: Any = version()
        elif name in home_of:
            module, attribute = home_of[name]
            value = getattr(import_module(module), attribute)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    return load, public.copy, public


def version() -> str:
    """The installed version of this distribution; "0+unknown" where only its source files are."""
    from importlib import metadata

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"
