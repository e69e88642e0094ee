"""What a wheel, an sdist and an editable install hold."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

LIST_EVERYTHING = """
import pkgutil, refergym
names = [m.name for m in pkgutil.walk_packages(refergym.__path__, "refergym.")]
print(refergym.__file__)
print(*names)
"""
LOAD_A_MESH = """
from refergym.assets.library import open_pack
pack = open_pack()
print(len(pack.mesh(pack.manifest.assets[0].name).faces))
"""


@pytest.fixture(scope="module")
def built(pristine: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist of the sources."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel"]
    done = run([*command, "--outdir", out, pristine])
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob("*.whl")))


@pytest.fixture(scope="module")
def unpacked(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    wheel.extractall(folder)
    return folder


def files(root: Path, packages: tuple[str, ...]) -> set[str]:
    """Every file of the packages on disk."""
    found = {p.relative_to(root).as_posix() for f in packages for p in (root / f).rglob("*")}
    return {name for name in found if (root / name).is_file()}


def test_a_wheel_holds_every_file_of_the_packages_and_nothing_else(
    wheel: zipfile.ZipFile, pristine: Path, packages: tuple[str, ...]
) -> None:
    held = {n for n in wheel.namelist() if ".dist-info/" not in n and not n.endswith("/")}
    expected = {f"refergym/{name}" for name in files(pristine, packages)}
    assert held == expected | {"refergym/__init__.py", "refergym/py.typed"}
    assert any(name.endswith(".yaml") for name in held)
    assert any(name.endswith(".glb") for name in held)


def test_a_wheel_holds_the_licence_the_notice_and_the_command(wheel: zipfile.ZipFile) -> None:
    info = next(n.split("/")[0] for n in wheel.namelist() if ".dist-info/" in n)
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(wheel.namelist())
    commands = wheel.read(f"{info}/entry_points.txt").decode()
    assert "refergym = refergym.rollouts.cli:main" in commands


def test_an_sdist_holds_every_file_of_the_packages_and_tests(
    built: Path, pristine: Path, packages: tuple[str, ...]
) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    expected = files(pristine, (*packages, "tests"))
    assert expected - held == set()
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "Makefile"} <= held
    assert {"constraints.txt", ".ci/run", ".ci/environment", ".pkg/refergym/__init__.py"} <= held


def test_the_wheel_made_from_the_sdist_is_the_wheel_made_from_the_sources(
    built: Path, wheel: zipfile.ZipFile, run: Run, tmp_path: Path
) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path, filter="data")
    source = next(tmp_path.iterdir())
    done = run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "out"],
        cwd=source,
    )
    assert done.returncode == 0, done.stderr
    again = zipfile.ZipFile(next((tmp_path / "out").glob("*.whl")))
    assert sorted(again.namelist()) == sorted(wheel.namelist())


def test_an_unpacked_wheel_imports_and_reads_its_pack(
    unpacked: Path, pristine: Path, packages: tuple[str, ...], python: Run, tmp_path: Path
) -> None:
    done = python(LIST_EVERYTHING, cwd=tmp_path, PYTHONPATH=str(unpacked))
    assert done.returncode == 0, done.stderr
    where, names = done.stdout.splitlines()
    assert Path(where) == unpacked / "refergym" / "__init__.py"
    modules = {
        f"refergym.{n}"
        for n in files(pristine, packages)
        if n.endswith(".py") and "assets/infinigen/" not in n
    }
    dotted = {m[:-3].replace("/", ".").removesuffix(".__init__") for m in modules}
    assert set(names.split()) == dotted
    done = python(LOAD_A_MESH, cwd=tmp_path, PYTHONPATH=str(unpacked))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_an_editable_install_sees_a_new_module_without_reinstalling(
    tree: Path, python: Run, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    hook = f"import hatchling.build; hatchling.build.build_editable({str(tmp_path)!r})"
    done = python(hook, cwd=tree)
    assert done.returncode == 0, done.stderr
    zipfile.ZipFile(next(tmp_path.glob("*.whl"))).extractall(site)

    def look(module: str) -> subprocess.CompletedProcess[str]:
        code = f"import site; site.addsitedir({str(site)!r}); import {module} as m; print(m.ANSWER)"
        return python(code, "-I", "-S", cwd=tmp_path)

    assert "No module named 'refergym.agents.newcomer'" in look("refergym.agents.newcomer").stderr
    (tree / "agents" / "newcomer.py").write_text("ANSWER = 42\n")
    (tree / "configs" / "deeper").mkdir()
    (tree / "configs" / "deeper" / "newcomer.py").write_text("ANSWER = 43\n")
    assert look("refergym.agents.newcomer").stdout == "42\n"
    assert look("refergym.configs.deeper.newcomer").stdout == "43\n"
