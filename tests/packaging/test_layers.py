"""Imports: what may import what, and what importing costs."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

OPTIONAL = (
    "coacd", "fast_simplification", "httpx", "isaaclab", "isaacsim", "moderngl", "mujoco",
    "mujoco_warp", "newton", "newton_usd_schemas", "pxr", "pyarrow", "pybullet", "ray",
    "stable_baselines3", "starlette", "torch", "uvicorn", "vllm", "warp", "xatlas",
)  # fmt: skip
MODELS = (
    "refergym.agents.continuing", "refergym.agents.refervlm", "refergym.agents.rft.learner",
    "refergym.agents.rft.likelihood", "refergym.agents.rft.losses", "refergym.agents.rft.spreading",
    "refergym.agents.sampling", "refergym.agents.sb3.networks", "refergym.agents.sft",
    "refergym.agents.vllm_engine", "refergym.agents.vlm", "refergym.rollouts.rft.checkpoints",
    "refergym.rollouts.rft.leading", "refergym.rollouts.rft.server",
    "refergym.rollouts.rft.training", "refergym.rollouts.rft.weights",
)  # fmt: skip
"""of torch's modules; nothing else may import them before they are needed"""
STAGES = tuple(
    f"refergym.assets.usd.{name}"
    for name in ("asset_files", "bodies", "cameras", "checks", "looks", "pixar", "reading", "robot",
                 "shapes", "stage")
)  # fmt: skip
"""of USD's: importing them needs it"""
ADAPTED = ("datasets", "openenv", "pydantic", "trl", "verl")
"""trainers and their parts, beside which refergym is installed: of rollouts/adapters alone"""
BESIDE = (
    "refergym.rollouts.adapters.openenv_server", "refergym.rollouts.adapters.openenv_types",
    "refergym.rollouts.adapters.verl_loop",
)  # fmt: skip
"""classes of such a trainer: importing them needs it"""
SCRIPTS = Path("assets", "infinigen")
"""run in an environment of their own"""
IMPORT_ALL_WITHOUT_EXTRAS = """
import importlib, pkgutil, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
import refergym
def walk(path, prefix):
    for m in pkgutil.iter_modules(path, prefix):
        if m.name in {models!r}:
            continue
        made = importlib.import_module(m.name)
        if m.ispkg:
            walk(made.__path__, m.name + ".")
walk(refergym.__path__, "refergym.")
"""
LIST_LOADED = f"print([m for m in {OPTIONAL!r} if m in sys.modules])"


@pytest.mark.parametrize("package", ["agents", "assets", "configs", "envs", "rollouts"])
def test_a_folder_refuses_to_be_imported_under_its_bare_name(
    package: str, root: Path, python: Run
) -> None:
    done = python(f"import {package}", cwd=root)
    assert done.returncode != 0
    assert f"ImportError: import refergym.{package}, not the bare package" in done.stderr


@pytest.mark.parametrize(
    ("folder", "line", "complaint"),
    [
        ("assets", "import refergym.envs.types", "refergym.assets.planted -> refergym.envs.types"),
        ("envs", "import refergym.agents", "refergym.envs.planted -> refergym.agents"),
        ("agents", "import refergym.rollouts", "refergym.agents.planted -> refergym.rollouts"),
        ("configs", "import refergym.assets", "refergym.configs.planted -> refergym.assets"),
        (
            "agents",
            "from refergym.envs.backends import bullet",
            "refergym.agents.planted -> refergym.envs.backends",
        ),
    ],
)
def test_a_planted_violation_is_caught(
    folder: str, line: str, complaint: str, tree: Path, run: Run
) -> None:
    (tree / folder / "planted.py").write_text(line + "\n")
    done = run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        PYTHONPATH=str(tree / ".pkg"),
    )
    assert done.returncode != 0
    assert complaint in done.stdout
    assert " broken" in done.stdout


def test_ruff_refuses_bare_and_relative_imports(tree: Path, run: Run) -> None:
    (tree / "agents" / "planted.py").write_text(
        '"""Planted."""\n\nimport envs\nfrom . import policy\n\n_ = (envs, policy)\n'
    )
    done = run([Path(sys.executable).with_name("ruff"), "check", "agents/planted.py"], cwd=tree)
    assert "TID251" in done.stdout
    assert "TID252" in done.stdout


def test_importing_every_module_loads_no_engine(python: Run, tmp_path: Path) -> None:
    done = python(
        IMPORT_ALL_WITHOUT_EXTRAS.format(names=(), models=MODELS + STAGES + BESIDE) + LIST_LOADED,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_every_module_imports_without_any_extra(python: Run, tmp_path: Path) -> None:
    script = IMPORT_ALL_WITHOUT_EXTRAS.format(
        names=OPTIONAL + ADAPTED, models=MODELS + STAGES + BESIDE
    )
    done = python(script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_import_is_a_declared_dependency(root: Path, packages: tuple[str, ...]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {normal(requirement) for group in lists for requirement in group}
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        f"{path.relative_to(root)}: {module}"
        for package in packages
        for path in (root / package).rglob("*.py")
        if path.parent != root / SCRIPTS
        for module in imported(path)
        if module not in sys.stdlib_module_names and module != "refergym"
        if not (module in ADAPTED and path.parent == root / "rollouts" / "adapters")
        # What is not installed here is known by its own name.
        if not {normal(d) for d in providers.get(module, [module])} & declared
    }
    assert undeclared == set()


def test_infinigen_and_blender_are_never_imported(root: Path, packages: tuple[str, ...]) -> None:
    assert not (root / SCRIPTS / "__init__.py").exists(), "scripts for another environment"
    foreign = {"bpy", "infinigen", "infinigen_examples", "mathutils", "offline", "gin"}
    scripts, found = set(), {}
    for package in packages:
        for path in (root / package).rglob("*.py"):
            names = imported(path) & foreign
            if path.parent == root / SCRIPTS:
                scripts |= names
            elif names:
                found[str(path)] = names
    assert found == {}
    assert {"bpy", "infinigen"} <= scripts, "nothing to look for"


def test_every_dependency_is_pinned(root: Path) -> None:
    alone = {"vllm"}  # pins torch and transformers itself, and is installed apart
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lines = (root / "constraints.txt").read_text().splitlines()
    pinned = {normal(line) for line in lines if "==" in line}
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = (
        {normal(requirement) for group in lists for requirement in group} - {"refergym"} - alone
    )
    assert wanted - pinned == set()


def imported(path: Path) -> set[str]:
    """The top-level names that a module imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def normal(requirement: str) -> str:
    """The normalised name of a requirement."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()
