"""Lessons on disk: what a number stands for never changes."""

import os
import shutil
import signal
import subprocess
import sys
import time

import msgspec
import pytest

from refergym.rollouts.errors import DataError, OutputError
from refergym.rollouts.lessons import sources
from refergym.rollouts.lessons.lesson import read_lessons, write_lessons
from refergym.rollouts.lessons.making import lessons
from refergym.rollouts.lessons.shards import Shards

BARREN = ["scene.counts=[2,2]", "data.related.task.steps=[5,5]"]


@pytest.fixture
def plan(make_plan):
    return make_plan("named")


@pytest.fixture
def opened():
    """Open shards; they end with the test."""
    made = []

    def make(*args, workers=0):
        made.append(Shards(*args, workers))
        return made[-1]

    yield make
    for shards in made:
        shards.close()


def test_what_is_written_is_read(lesson, told, tmp_path):
    found = [lesson(3, questions=2), lesson(5, questions=0)]
    write_lessons(tmp_path / "a.npz", found)
    assert told(read_lessons(tmp_path / "a.npz")) == told(found)
    write_lessons(tmp_path / "none.npz", [])
    assert read_lessons(tmp_path / "none.npz") == []
    assert {p.name for p in tmp_path.iterdir()} == {"a.npz", "none.npz"}


def test_a_shard_has_the_lessons_of_its_scenes_and_is_made_once(plan, told, opened, tmp_path):
    shards = opened(tmp_path, plan, 2)
    shards.begin(1)
    second = shards.get(1)
    stream = lessons(plan, 2, 0)
    assert told(second) == told([*next(stream), *next(stream)])
    stream.close()
    when = shards.path(1).stat().st_mtime_ns
    assert told(opened(tmp_path, plan, 2).get(1)) == told(second)
    assert shards.path(1).stat().st_mtime_ns == when


@pytest.mark.slow
def test_after_a_kill_in_the_middle_they_are_the_same(plan, told, opened, tmp_path):
    whole = opened(tmp_path / "whole", plan, 3)
    expected = [told(whole.get(k)) for k in range(2)]
    code = (
        "import sys, msgspec, pathlib\n"
        "from refergym.rollouts.lessons.making import Plan\n"
        "from refergym.rollouts.lessons.shards import Shards\n"
        "plan = msgspec.json.decode(sys.argv[2], type=Plan)\n"
        "shards = Shards(pathlib.Path(sys.argv[1]), plan, 3, 0)\n"
        "for k in range(1000): shards.get(k)\n"
    )
    folder = tmp_path / "killed"
    words = [sys.executable, "-c", code, str(folder), msgspec.json.encode(plan).decode()]
    process = subprocess.Popen(words)
    until = time.monotonic() + 300
    while not (folder / "00000.npz").exists():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (folder / "00001.part").write_bytes(b"PK cut off")
    after = opened(folder, plan, 3)
    assert [told(after.get(k)) for k in range(2)] == expected


def test_another_plan_is_refused(plan, make_plan, opened, tmp_path):
    opened(tmp_path, plan, 2)
    opened(tmp_path, plan, 2)
    for other, size in ((make_plan("named", played=5), 2), (make_plan("free"), 2), (plan, 3)):
        with pytest.raises(OutputError, match="by another plan; choose another folder"):
            opened(tmp_path, other, size)
    (tmp_path / "lessons.json").write_text('{"cut')
    with pytest.raises(OutputError, match=r"lessons\.json: these lessons were made by another"):
        opened(tmp_path, plan, 2)


def test_a_damaged_shard_is_named(plan, opened, tmp_path):
    shards = opened(tmp_path, plan, 1)
    shards.get(0)
    data = shards.path(0).read_bytes()
    for cut in (b"", b"no zip", data[: len(data) // 2]):
        shards.path(0).write_bytes(cut)
        with pytest.raises(OutputError, match=r"00000\.npz: damaged; delete it"):
            shards.get(0)


def test_scenes_without_tasks_make_an_empty_shard_and_a_barren_source_is_given_up(
    make_plan, opened, tmp_path, monkeypatch
):
    monkeypatch.setattr(sources, "BARREN", 2)
    shards = opened(tmp_path, make_plan("related", *BARREN), 1)
    assert shards.get(0) == []
    with pytest.raises(DataError, match="related: no lesson in 2 groups; change its scene"):
        sources.Source("related", shards, seed=0).next()


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("begun", [True, False])
def test_why_a_shard_cannot_be_made_is_said_where_it_is_waited_for(
    workers, begun, make_plan, opened, tmp_path
):
    plan = make_plan("named", dialect={"_target_": "refergym.nowhere"})
    shards = opened(tmp_path, plan, 1, workers=workers)
    if begun:
        shards.begin(0)
    with pytest.raises(Exception, match=r"refergym\.nowhere"):
        shards.get(0)


def test_a_folder_that_cannot_be_written_is_named(plan, opened, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        opened(tmp_path / "file" / "lessons", plan, 1)
    shards = opened(tmp_path / "gone", plan, 1)
    shutil.rmtree(tmp_path / "gone")
    with pytest.raises(OutputError, match=r"00000\.npz: cannot be written"):
        shards.get(0)


def test_closing_ends_what_is_being_made(plan, tmp_path):
    shards = Shards(tmp_path, plan, 10_000, 0)
    shards.begin(0)
    shards.close()
    assert not shards.path(0).exists()
