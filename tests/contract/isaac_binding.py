"""A fake `isaacsim` whose every call is bound against the published signatures.

Names that are not among them, arguments that do not fit, and calls that nothing answers fail where
they are made. What a call does, and when it may be made, is for a simulator: `isaac_standin`.
"""

import importlib.abc
import importlib.machinery
import inspect
import json
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

API: dict[str, str | dict[str, str]] = json.loads(
    Path(__file__).with_name("isaac_api.json").read_text()
)["symbols"]
FIRST = ("isaacsim", "isaacsim.simulation_app")
"""modules that there are before the app runs"""


class OutOfOrder(AssertionError):
    """A call that Isaac Sim would not take at this time."""


class Array:
    """What Isaac hands out: not NumPy's, but it can be asked for that."""

    __slots__ = ("_data",)

    def __init__(self, data: Any) -> None:
        self._data = data

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._data.shape)

    def numpy(self) -> Any:
        return self._data.copy()


Given = Mapping[str, Any]
"""arguments of a bound call by name, those of `self` and `cls` among them"""


class Simulator:
    """What stands behind the names: `do_<name>` answers a call, with the last two parts of it."""

    def may_import(self, module: str) -> None:
        """Raise what importing a module raises now."""

    def check(self, name: str, given: Given) -> None:
        """Raise OutOfOrder for a bound call that may not be made now."""

    def answer(self, name: str, given: Given) -> Any:
        """Carry out a bound call."""
        key = "_".join(part.strip("_") for part in name.split(".")[-2:])
        found = getattr(self, f"do_{key}", None)
        if found is None:
            raise NotImplementedError(f"{name}: the stand-in does not answer it")
        return found(given)


@contextmanager
def installed(simulator: Simulator) -> Iterator[list[str]]:
    """Let `isaacsim` be importable; yields the names of all calls, as they are made."""
    if any(name.partition(".")[0] == "isaacsim" for name in sys.modules):
        raise OutOfOrder("isaacsim is imported already")
    calls: list[str] = []
    finder = _Finder(simulator, calls)
    sys.meta_path.insert(0, finder)
    try:
        yield calls
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n in sys.modules if n.partition(".")[0] == "isaacsim"]:
            del sys.modules[name]


def signature_of(text: str) -> inspect.Signature:
    """Read "(self, path, *, resolution=)"."""
    given = re.sub(r"(\w+)=(?=[,)])", r"\1=None", text)
    made = eval(f"lambda {given[1:-1]}: None")
    return inspect.signature(made)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, simulator: Simulator, calls: list[str]) -> None:
        self._simulator, self._calls = simulator, calls
        self._made: dict[str, Any] = {}
        modules = {name.rpartition(".")[0] for name in API}
        self._modules = {m[: k.start()] for m in modules for k in re.finditer(r"\.|$", m)}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._modules:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        self._simulator.may_import(name)
        for symbol in API:
            owner, _, short = symbol.rpartition(".")
            if owner == name or (name == "isaacsim" and short == "SimulationApp"):
                setattr(module, short, self._symbol(symbol))

    def _symbol(self, symbol: str) -> Any:
        if symbol not in self._made:
            record = API[symbol]
            make = self._class if isinstance(record, dict) else self._function
            self._made[symbol] = make(symbol, record)  # type: ignore[operator]
        return self._made[symbol]

    def _function(self, name: str, text: str) -> Callable[..., Any]:
        signature = signature_of(text)

        def call(*args: Any, **kwargs: Any) -> Any:
            bound = _bind(name, signature, args, kwargs)
            self._calls.append(name)
            self._simulator.check(name, bound.arguments)
            return self._simulator.answer(name, bound.arguments)

        return call

    def _class(self, name: str, methods: dict[str, str]) -> type:
        body: dict[str, Any] = {"__slots__": ("inner",)}
        for method, text in methods.items():
            full = f"{name}.{method}"
            if text == "property":
                body[method] = property(self._function(full, "(self)"))
            elif text.startswith("(cls"):
                body[method] = classmethod(self._function(full, text))
            elif text.startswith("(self"):
                body[method] = self._function(full, text)
            else:
                body[method] = staticmethod(self._function(full, text))
        return type(name.rpartition(".")[2], (), body)


def _bind(
    name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as e:
        raise TypeError(f"{name}{signature}: {e}") from e
