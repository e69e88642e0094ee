import msgspec
import pytest

from refergym.rollouts.episodes import (
    Ended,
    Episode,
    EpisodeId,
    EpisodeWriter,
    StepRecord,
    last_attempts,
    read_episodes,
)
from refergym.rollouts.errors import EpisodeError, OutputError


def make(index, **changes):
    fields = {
        "id": EpisodeId(suite="pick-s0", index=index),
        "policy": "oracle",
        "task": "pick",
        "seed": 0,
        "steps": (
            StepRecord(
                point_uv=(0.1, 0.2), pixel=(22, 44), point_w=(0.5, 0.0, 0.1), event="picked"
            ),
        ),
        "success": True,
        "ended": Ended.SUCCESS,
        "stage": "success",
    }
    return Episode(**(fields | changes))


def write(path, *episodes):
    with EpisodeWriter(path) as writer:
        for episode in episodes:
            writer.write(episode)


def test_episodes_come_back_as_they_were(tmp_path):
    path = tmp_path / "episodes.jsonl"
    episodes = [make(0), make(1, instruction="the “left” cup\nthere", measures={"m": 1e-9})]
    write(path, *episodes)
    assert read_episodes(path) == episodes
    assert len(path.read_bytes().splitlines()) == 2


def test_a_cut_last_line_is_dropped_and_writing_goes_on_after_the_last_whole_one(tmp_path):
    path = tmp_path / "episodes.jsonl"
    write(path, make(0), make(1))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in {first, first + 1, *range(first, len(whole), 29), len(whole) - 1}:
        path.write_bytes(whole[:cut])
        with EpisodeWriter(path) as writer:
            assert writer.found == [make(0)]
            writer.write(make(2))
        assert read_episodes(path) == [make(0), make(2)]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "episodes.jsonl"
    write(path, make(0), make(1), make(2))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:40] + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(EpisodeError, match=r"episodes\.jsonl:2: not valid JSON"):
        EpisodeWriter(path)
    assert path.read_bytes() == b"".join(lines)


def test_an_episode_of_another_version_is_refused(tmp_path):
    path = tmp_path / "episodes.jsonl"
    write(path, make(0, version=99))
    with pytest.raises(EpisodeError, match="version: expected 2, got 99"):
        read_episodes(path)


def test_two_writers_of_one_file_are_refused(tmp_path):
    path = tmp_path / "episodes.jsonl"
    with EpisodeWriter(path), pytest.raises(OutputError, match="another process"):
        EpisodeWriter(path)
    with EpisodeWriter(path) as writer:
        assert writer.found == []


def test_a_later_attempt_replaces_an_infrastructure_error():
    failed = make(3, ended=Ended.ERROR, success=False, stage="infrastructure", error="OSError: x")
    mended = make(3, id=EpisodeId(suite="pick-s0", index=3, attempt=1))
    assert last_attempts([make(7), failed, mended]) == [mended, make(7)]


def test_the_outcome_leaves_out_time_and_attempt_but_nothing_else():
    base = make(0)
    later = make(0, id=EpisodeId(suite="pick-s0", index=0, attempt=2), seconds=3.0)
    assert later.outcome == base.outcome
    step = msgspec.structs.replace(base.steps[0], state="other")
    for change in ({"steps": (step,)}, {"stage": "grasp"}, {"start_digest": "d"}, {"seed": 1}):
        assert make(0, **change).outcome != base.outcome


def test_a_path_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write here: Is a directory"):
        EpisodeWriter(tmp_path)
