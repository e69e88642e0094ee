"""`refergym suites`: each split is made from the seed alone, and wrong words end before any is."""

from pathlib import Path

import pytest

from refergym.rollouts import make_suites, suites, taskfile
from refergym.rollouts.errors import ConfigError, OutputError


def made(out: Path, *words: str) -> int:
    few = ["splits=[seen]", "count=2", "played_in=kinematic", "workers=0"]
    return make_suites.main([*few, f"out={out}", *words])


def test_a_suite_is_the_same_however_it_is_made(tmp_path: Path) -> None:
    assert made(tmp_path / "one") == made(tmp_path / "two", "workers=1") == 0
    one, two = (tmp_path / name / f"seen{suites.ENDING}" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    entries, bad = taskfile.read_tasks(one)
    assert (len(entries), bad) == (2, [])
    assert all("kinematic" in entry.start.scene.settled for entry in entries)
    digests = (tmp_path / "one" / suites.DIGESTS).read_text()
    assert suites.digest(one) in digests


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("splits=[seen,senn]", "split: no choice 'senn'; did you mean seen"),
        ("splits=[]", "splits: "),
        ("played_in=mujoco", "backend: no choice 'mujoco'"),
    ],
)
def test_wrong_words_end_before_anything_is_made(word: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        made(tmp_path / "out", word)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"out: cannot write .*file: File exists"):
        made(tmp_path / "file")
