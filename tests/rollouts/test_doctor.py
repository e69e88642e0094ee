"""`refergym doctor` finds what is missing, and names the command that mends it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from refergym.rollouts import doctor

HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {modules!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
"""


def consult(tmp_path: Path, *hidden: str) -> subprocess.CompletedProcess[str]:
    """Run the command, in which, and in whose children, modules can't be found."""
    (tmp_path / "sitecustomize.py").write_text(HIDE.format(modules=hidden))
    env = os.environ | {"PYTHONPATH": str(tmp_path), "COLUMNS": "200"}
    command = [sys.executable, "-m", "refergym.rollouts.cli", "doctor"]
    return subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def test_all_is_well_where_the_main_job_can_run_though_an_extra_is_missing(tmp_path: Path) -> None:
    done = consult(tmp_path, "moderngl")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the main job can run" in done.stdout
    assert "traced a ray" in done.stdout
    assert "every file as recorded" in done.stdout
    assert "gl: " in done.stdout
    assert "refergym[gl]" in done.stdout


def test_missing_core_parts_fail_and_are_mended_by_a_command_each(tmp_path: Path) -> None:
    done = consult(tmp_path, "embreex", "rich")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    for part, mend in (("embree", "embreex"), ("rich", "rich")):
        mends = [line for line in lines if line.startswith(f"{part}: ")]
        assert any(f"{sys.executable} -m pip install" in m and mend in m for m in mends)
    (last,) = (line for line in lines if line.startswith("the main job can't run without"))
    assert {"embree", "rich"} <= {word.strip(",") for word in last.split()}


def test_missing_pybullet_is_mended_by_a_wheel_or_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_call", lambda command: (False, "No module named 'pybullet'"))
    monkeypatch.setattr(sys, "version_info", (3, 11, 9))
    old = doctor._bullet()
    assert old.is_needed
    assert old.mend.endswith("-m pip install pybullet==3.2.7")
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    new = doctor._bullet()
    assert not new.is_needed
    assert "--no-binary pybullet pybullet==3.2.7" in new.mend
    assert "--no-build-isolation" in new.mend


def test_a_missing_pack_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from refergym.assets import library

    monkeypatch.setattr(library, "_SHIPPED", tmp_path / "manifest.json")
    check = next(c for c in doctor._files() if c.name == "pack")
    assert not check.is_ok
    assert check.is_needed
    assert "manifest.json" in check.detail


def test_isaac_sim_is_looked_for_and_never_imported() -> None:
    list(doctor._backends())
    assert "isaacsim" not in sys.modules
    source = Path(doctor.__file__).read_text()
    assert "import isaacsim" not in source
    assert "EULA" not in source
