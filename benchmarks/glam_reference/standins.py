"""Empty stand-ins for what Praxis imports but the layers of GLaM do not use.

TensorFlow, Lingvo, seqio and clu serve the framework's input code, the other two a loss and an
optimizer. `NestedMap`, its container of weights, comes from Lingvo: here a dict whose items are
attributes too, which Praxis itself makes a tree of JAX.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

ABSENT = (
    "tensorflow",
    "tensorflow_datasets",
    "lingvo",
    "seqio",
    "clu",
    "tensorflow_text",
    "jax_bitempered_loss",
    "optax_shampoo",
)


class NestedMap(dict[str, Any]):
    """A dict whose items are attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error

    __setattr__ = dict.__setitem__


class _Anything(type):
    """A class whose attributes are classes like it, but for NestedMap."""

    def __getattr__(cls, name: str) -> Any:
        return _named(name)


class _Module(types.ModuleType):
    """A module in which every name is such a class."""

    def __getattr__(self, name: str) -> Any:
        return _named(name)


def _named(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return NestedMap if name == "NestedMap" else _Anything(name, (), {})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds an empty module under each of the absent names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] in ABSENT:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        return None


def install() -> None:
    """Let Praxis be imported in this process without its input code."""
    sys.meta_path.insert(0, _Finder())
