"""`refergym doctor`: what works on this machine, and the exact command that mends the rest.

Engines and drivers are started in processes of their own, so that one that crashes is a finding.
Nothing here asks a question, and Isaac Sim is looked for but never imported: importing it asks for
a licence that only the user may accept.
"""

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PYTHONS = ((3, 11), (3, 12))
PYBULLET = "pybullet==3.2.7"
MODULES = {
    "hydra-core": "hydra",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "stable-baselines3": "stable_baselines3",
    "fast-simplification": "fast_simplification",
    "import-linter": "importlinter",
    "pytest-timeout": "pytest_timeout",
    "pytest-xdist": "xdist",
    "usd-core": "pxr",
}
"""distributions whose module has another name"""
STUBS = ("scipy-stubs", "types-")
"""beginnings of distributions that have no module"""

_EMBREE = """
import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
scene = EmbreeScene()
TriangleMesh(scene, np.array([[[-1, -1, 2], [1, -1, 2], [0, 1, 2]]], np.float32))
ray = [np.array([v], np.float32) for v in ((0, 0, 0), (0, 0, 1))]
hit = scene.run(*ray, query="DISTANCE")[0]
assert abs(hit - 2) < 1e-5, f"a ray came back with {hit} m instead of 2"
print("traced a ray")
"""
_MODERNGL = """
import moderngl
context = moderngl.create_context(standalone=True, backend="egl", require=330)
print(context.info["GL_RENDERER"])
"""
_BULLET = """
import pybullet
assert pybullet.connect(pybullet.DIRECT) >= 0, "no physics server"
assert pybullet.isNumpyEnabled(), "it was built without numpy"
print("DIRECT, with numpy")
"""
_ABSENT = "not installed"
_NEWTON = """
from refergym.envs.backends import newton_model
print(newton_model.engine().__version__, "on", newton_model.device_named(None))
"""
_TORCH = """
import torch
cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA"
print(f"{torch.__version__}, {cuda}")
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One finding."""

    group: str
    name: str
    is_ok: bool
    detail: str
    mend: str = ""
    """the command that mends it; empty where there is nothing to mend"""
    is_needed: bool = False
    """whether the main job fails without it"""


def main(argv: Sequence[str]) -> int:
    """Check everything and print a table.

    Returns:
        0, or 1 if something that the main job needs is missing or broken.
    """
    parser = argparse.ArgumentParser(prog="refergym doctor", description=__doc__)
    parser.parse_args(list(argv))
    checks = list(examine())
    _show(checks)
    return int(any(c.is_needed and not c.is_ok for c in checks))


def examine() -> Iterator[Check]:
    """Look at Python, machine, dependencies, assets, renderers, backends and extras in turn."""
    yield _python()
    yield from _machine()
    requirements = _requirements()
    yield from _core(requirements)
    yield from _files()
    yield from _renderers()
    yield from _backends()
    yield from _extras(requirements)


def _python() -> Check:
    version = platform.python_version()
    return Check(
        group="Python",
        name=version,
        is_ok=sys.version_info[:2] in PYTHONS,
        detail=sys.executable,
        mend="make clean && make doctor PYTHON=python3.11",
        is_needed=True,
    )


def _machine() -> Iterator[Check]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    detail = f"{platform.system()} {platform.machine()}, {cores} cores, {memory:.1f} GiB"
    yield Check(group="machine", name="computer", is_ok=True, detail=detail)
    found, said = _call(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
    yield Check(
        group="machine",
        name="GPU",
        is_ok=True,
        detail=said if found else "no NVIDIA GPU; nothing here needs one",
    )


def _core(requirements: dict[str, list[str]]) -> Iterator[Check]:
    if not requirements:
        yield Check(
            group="core",
            name="refergym",
            is_ok=False,
            detail="runs from a folder without being installed",
            mend=_pip("-e", "."),
            is_needed=True,
        )
    for requirement in requirements.get("", ()):
        if not requirement.startswith("pybullet"):  # a backend, looked at below
            yield _distribution("core", requirement, is_needed=True)


def _files() -> Iterator[Check]:
    yield _try("assets", "pack", _read_pack, mend=_restore("assets/pack"))
    yield _try("assets", "robot", _read_robot, mend=_restore("assets/robots"))
    yield _try("assets", "configs", _read_configs, mend=_restore("configs"))


def _read_pack() -> str:
    from refergym.assets.library import open_pack

    pack = open_pack()
    for asset in pack.manifest.assets:
        pack.mesh(asset.name)
        pack.hulls(asset.name)
    return f"{pack.manifest.name}: {len(pack.manifest.assets)} assets, every file as recorded"


def _read_robot() -> str:
    from refergym.assets.robots.panda_model import panda_urdf, panda_visuals

    triangles = sum(len(v.faces) for v in panda_visuals())
    return f"{panda_urdf().name}, {triangles} triangles"


def _read_configs() -> str:
    import refergym.configs

    folder = Path(refergym.configs.__file__).parent
    if not (folder / "evaluate.yaml").exists():
        raise FileNotFoundError(folder / "evaluate.yaml")
    return f"{len(list(folder.rglob('*.yaml')))} files"


def _renderers() -> Iterator[Check]:
    yield _probe("renderer", "embree", _EMBREE, mend=_pip("embreex"), is_needed=True)
    gl = "sudo apt install libegl1 libgl1-mesa-dri libopengl0"
    if not _is_there("moderngl"):
        gl = _pip("refergym[gl]")
    yield _probe("renderer", "moderngl (EGL)", _MODERNGL, mend=gl)


def _backends() -> Iterator[Check]:
    yield _try("backend", "kinematic", _read_kinematic)
    yield _bullet()
    newton = _pip("refergym[newton]")
    if _is_there("newton"):
        yield _probe("backend", "newton", _NEWTON, mend=newton)
    else:
        yield Check(group="backend", name="newton", is_ok=False, detail=_ABSENT, mend=newton)
    is_there = _is_there("isaacsim")
    yield Check(
        group="backend",
        name="isaac",
        is_ok=is_there,
        detail="installed, not started" if is_there else _ABSENT,
        mend="see NVIDIA's guide; its licence is yours to accept",
    )


def _read_kinematic() -> str:
    importlib.import_module("refergym.envs.backends.kinematic")
    return "needs nothing"


def _bullet() -> Check:
    has_wheels = sys.version_info < (3, 12)
    # Built in pip's isolation it would not find numpy and hand out pictures as tuples; a wheel
    # built that way may lie in the cache.
    flags = ("--no-build-isolation", "--no-cache-dir", "--no-binary", "pybullet")
    build = _pip("numpy", "setuptools", "wheel") + " && "
    build += _pip("--force-reinstall", "--no-deps", *flags, PYBULLET)
    build += "  # takes 10 minutes and a C++ compiler"
    mend = _pip(PYBULLET) if has_wheels else build
    return _probe("backend", "bullet", _BULLET, mend=mend, is_needed=has_wheels)


def _extras(requirements: dict[str, list[str]]) -> Iterator[Check]:
    for extra in sorted(requirements.keys() - {""}):
        parts = [_distribution(extra, r) for r in requirements[extra] if _is_module(r)]
        lacking = [p.name for p in parts if not p.is_ok]
        is_ok, detail = not lacking, "complete"
        if lacking:
            detail = f"not installed: {', '.join(lacking)}"
        elif extra == "vlm":
            is_ok, detail = _call([sys.executable, "-c", _TORCH])
        yield Check(
            group="extra", name=extra, is_ok=is_ok, detail=detail, mend=_pip(f"refergym[{extra}]")
        )


def _requirements() -> dict[str, list[str]]:
    """Distributions with their versions, by extra; "" is the core. Empty if not installed."""
    try:
        lines = importlib.metadata.requires("refergym") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for line in lines:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", marker)
        found.setdefault(extra[1] if extra else "", []).append(requirement.strip())
    return found


def _is_module(requirement: str) -> bool:
    return not requirement.startswith(("refergym", *STUBS))


def _is_there(module: str) -> bool:
    """Tell whether a module could be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _distribution(group: str, requirement: str, is_needed: bool = False) -> Check:
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    module = MODULES.get(name, name.replace("-", "_"))

    def load() -> str:
        # Extras may be heavy: looking is enough there.
        if is_needed:
            importlib.import_module(module)
        elif not _is_there(module):
            raise ModuleNotFoundError(f"No module named {module!r}")
        return importlib.metadata.version(name)

    return _try(group, name, load, mend=_pip(requirement), is_needed=is_needed)


def _try(
    group: str, name: str, load: Callable[[], str], mend: str = "", is_needed: bool = True
) -> Check:
    try:
        detail, is_ok = load(), True
    except Exception as e:  # noqa: BLE001 - whatever a broken part raises is the finding
        detail, is_ok = f"{type(e).__name__}: {e}", False
    return Check(group=group, name=name, is_ok=is_ok, detail=detail, mend=mend, is_needed=is_needed)


def _probe(group: str, name: str, code: str, mend: str, is_needed: bool = False) -> Check:
    is_ok, detail = _call([sys.executable, "-c", code])
    return Check(group=group, name=name, is_ok=is_ok, detail=detail, mend=mend, is_needed=is_needed)


def _call(command: Sequence[str]) -> tuple[bool, str]:
    """Run a command; return whether it succeeded and the last line that it said."""
    if shutil.which(command[0]) is None:
        return False, f"no command {command[0]}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return False, f"{type(e).__name__}: {command[0]}"
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    last = said[-1] if said else f"ended with status {done.returncode}"
    return done.returncode == 0, last


def _pip(*words: str) -> str:
    """Return the command that installs something into this interpreter's environment."""
    if words[0].startswith("refergym["):
        checkout = Path.cwd() / ".pkg" / "refergym"
        words = ("-e", words[0].replace("refergym", ".")) if checkout.is_dir() else words
    return shlex.join([sys.executable, "-m", "pip", "install", *words])


def _restore(folder: str) -> str:
    """Return the command that brings back files of the package itself."""
    if (Path.cwd() / ".git").exists():
        return f"git checkout -- {folder}"
    return _pip("--force-reinstall", "--no-deps", "refergym")


def _show(checks: Sequence[Check]) -> None:
    """Print the table, then each command on a line of its own, unbroken, to be copied."""
    lines = [(c.group, c.name, _status(c), c.detail) for c in checks]
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:  # the doctor has to work where rich is what is missing
        for line in lines:
            sys.stdout.write("  ".join(line) + "\n")
    else:
        table = Table("", "part", "state", "found")
        colours = {"ok": "green", "MISSING": "red", "absent": "yellow"}
        for i, (group, name, status, detail) in enumerate(lines):
            is_new = i == 0 or lines[i - 1][0] != group
            state = f"[{colours[status]}]{status}[/]"
            table.add_row(group if is_new else "", name, state, detail.replace("[", r"\["))
        Console().print(table)
    for check in checks:
        if not check.is_ok and check.mend:
            sys.stdout.write(f"{check.name}: {check.mend}\n")
    broken = [c.name for c in checks if c.is_needed and not c.is_ok]
    if broken:
        sys.stdout.write(f"the main job can't run without: {', '.join(broken)}\n")
    else:
        sys.stdout.write("the main job can run: refergym evaluate\n")


def _status(check: Check) -> str:
    if check.is_ok:
        return "ok"
    return "MISSING" if check.is_needed else "absent"
