"""The README's example of a task of one's own: one file and one yaml."""

import re
import shutil
from pathlib import Path

import pytest

from refergym.rollouts.evaluate import evaluate

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"


def test_the_readme_shows_the_file_that_is_tested() -> None:
    assert (HERE / "own_task.py").read_text() in README.read_text()


def test_it_is_played_by_its_import_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(HERE / "own_task.py", tmp_path / "my_task.py")
    yaml = re.search(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert yaml is not None
    (tmp_path / "configs" / "task").mkdir(parents=True)
    (tmp_path / "configs" / "task" / "tallest.yaml").write_text(yaml[1])
    monkeypatch.syspath_prepend(tmp_path)
    done = evaluate(
        ["task=tallest", "episodes=4", "workers=0", "backend=kinematic", "pictures=false",
         "video=false", f"out={tmp_path / 'out'}"],
        tmp_path / "configs",
    )  # fmt: skip
    assert [e.success for e in done.episodes] == [True] * 4
    assert {e.instruction for e in done.episodes} == {"Point at the tallest thing."}
