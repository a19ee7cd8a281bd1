"""Names at the top of a package that are loaded when they are first used.

`import energy` costs a training script nothing, and `from energy import Tracker` loads the tracker
alone. The mechanism is that of PEP 562: `__getattr__` and `__dir__` of a module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import FunctionType
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


class LazyFunction:
    """A function whose module is loaded when it is first called or looked at.

    `from simulator import predict` then loads no library, whatever `predict` needs.
    """

    def __init__(self, package: str, module: str, name: str) -> None:
        self.__module__, self.__name__, self.__qualname__ = module, name, name
        self._public = f"{package}.{name}"

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function itself; `inspect.signature` and `help` follow it."""
        function: Callable[..., Any] = getattr(import_module(self.__module__), self.__name__)
        return function

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call the function."""
        return self.__wrapped__(*args, **options)

    def __getattribute__(self, name: str) -> Any:
        """What `help` and notebooks ask of a function is answered by the function."""
        if name in ("__doc__", "__annotations__"):
            return getattr(self.__wrapped__, name)
        return FunctionType if name == "__class__" else super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        """Its code and defaults, for whoever inspects it."""
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return f"<function {self._public}>"


def exports(
    package: str,
    homes: Mapping[str, tuple[str, ...]],
    functions: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package that loads its names lazily.

    `__version__` and the errors of `energy.errors` are exported by every package. A type checker
    does not read this table: repeat each name as an import under `if TYPE_CHECKING`.

    Args:
        package: the package's own `__name__`.
        homes: the names that each module defines, as in
            `{"energy.quantity": ("Boundary", "Origin", "Quantity")}`; "load as load_scenario" is
            a name that is exported under another one.
        functions: likewise, of functions whose module is loaded only when they are called.
    """
    home_of = _homes({"energy.errors": ERRORS, **homes})
    function_of = _homes(functions or {})
    public = sorted([*home_of, *function_of, "__version__"])

    def load(name: str) -> Any:
        if name == "__version__":
            value: Any = version()
        elif name in home_of:
            module, attribute = home_of[name]
            value = getattr(import_module(module), attribute)
        elif name in function_of:
            value = LazyFunction(package, *function_of[name])
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    return load, public.copy, public


def _homes(names_of: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, str]]:
    """The module and the name there of each exported name."""
    return {
        words.split(" as ")[-1]: (module, words.split(" as ")[0])
        for module, names in names_of.items()
        for words in names
    }


def version() -> str:
    """The installed version of this distribution; "0+unknown" where only its source files are."""
    from importlib import metadata

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "0+unknown"
