"""Suites: fixed starts are played as they stand; those that ship are what their names say."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from split_parts import SPLITS, problems

from refergym.assets import records
from refergym.assets.library import open_pack
from refergym.assets.spec import SceneSpec
from refergym.envs.registration import make_env
from refergym.envs.starts import Start, rest_state
from refergym.rollouts import evaluate, generate, suites, taskfile
from refergym.rollouts.episodes import Ended, Episode
from refergym.rollouts.errors import ConfigError

QUICK = ["renderer.shadows=false", "renderer.antialias=none", "workers=0", "pictures=false"]
PLAY = [*QUICK, "backend=kinematic", "video=false", "task=mixed"]
Raw = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tasks that point and one that moves."""
    out = tmp_path_factory.mktemp("suite") / "mine"
    few = ["task=mixed", "task.weights={point_at_object: 0}", "per_scene=1", "count=5", "seed=8"]
    generate.generate([*QUICK, *few, f"out={out}"])
    return out


@pytest.fixture(scope="module")
def entries(folder: Path) -> list[Raw]:
    return [json.loads(line) for line in (folder / taskfile.FILE).read_bytes().splitlines()]


def written(path: Path, entries: list[Raw]) -> Path:
    path.write_bytes(b"".join(json.dumps(e).encode() + b"\n" for e in entries))
    return path


def play(out: Path, suite: Path | str, *words: str) -> tuple[Episode, ...]:
    done = evaluate.evaluate([*PLAY, f"suite={suite}", f"out={out}", *words])
    return done.episodes


def test_an_unknown_suite_is_named_with_those_that_ship(tmp_path: Path) -> None:
    shipped = ", ".join(suites.names())
    with pytest.raises(ConfigError, match=f"one of {re.escape(shipped)}; got 'senn'"):
        play(tmp_path / "out", "senn")
    assert not (tmp_path / "out").exists()


def test_a_file_of_tasks_is_played_start_by_start(
    folder: Path, entries: list[Raw], tmp_path: Path
) -> None:
    assert suites.find(str(folder)) == suites.find(str(folder / taskfile.FILE))
    episodes = play(tmp_path / "out", folder, "episodes=5", "name=mine")
    assert [e.id.suite for e in episodes] == ["mine"] * 5
    for episode, raw in zip(episodes, entries, strict=True):
        start = msgspec.convert(raw["start"], Start)
        assert episode.scene_digest == start.scene.digest
        assert episode.task_digest == start.task.digest
        assert episode.start_digest == rest_state(start.scene, "kinematic").digest()
        assert episode.kind == start.task.kind
        assert episode.ended is Ended.SUCCESS
    assert len({e.kind for e in episodes}) == 2


def test_a_packed_suite_is_the_same(entries: list[Raw], tmp_path: Path) -> None:
    plain = written(tmp_path / "some.jsonl", entries)
    packed = tmp_path / "some.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert suites.load(packed) == suites.load(plain)
    assert suites.digest(packed) == suites.digest(plain)


def test_what_cannot_be_played_is_refused_before_anything_is_written(
    folder: Path, entries: list[Raw], tmp_path: Path
) -> None:
    foreign = json.loads(json.dumps(entries[:2]))
    scene = foreign[1]["start"]["scene"]
    scene["pack"] = "0" * 64
    foreign[1]["start"]["task"]["scene"] = msgspec.convert(scene, SceneSpec).digest
    other = written(tmp_path / "other.jsonl", foreign)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes((folder / taskfile.FILE).read_bytes()[:-9])
    empty = written(tmp_path / "empty.jsonl", [])
    kinds = ", ".join(sorted({e["start"]["task"]["kind"] for e in entries} - {"pick"}))
    refused: list[tuple[Path, tuple[str, ...], str]] = [
        (folder, ("episodes=6",), r"episodes: tasks\.jsonl has 5 starts, asked for 6"),
        (other, ("episodes=1",), "suite: other.jsonl was made with pack 000000000000, this one is"),
        (folder, ("episodes=1", "task=pick"), f"tasks of kind {kinds}; task=mixed plays them"),
        (cut, ("episodes=1",), r"cut\.jsonl:5: cut off"),
        (empty, ("episodes=1",), "holds no tasks"),
        (
            folder,
            ("episodes=1", "scene.width=160"),
            "pictures of 224x224 px, here they are 160x224",
        ),
    ]
    for suite, words, message in refused:
        with pytest.raises(ValueError, match=message):
            play(tmp_path / "out", suite, *words)
        assert not (tmp_path / "out").exists()


def test_starts_of_another_backend_are_settled_for_this_one(
    entries: list[Raw], tmp_path: Path
) -> None:
    raw = json.loads(json.dumps(entries[0]))
    settled = raw["start"]["scene"]["settled"]
    settled["dreamt"] = settled.pop("kinematic")
    raw["start"]["task"]["scene"] = msgspec.convert(raw["start"]["scene"], SceneSpec).digest
    path = written(tmp_path / "dreamt.jsonl", [raw])
    env = make_env("mixed", "kinematic")
    start = suites.start_for(path, 0, env.backend)
    assert set(start.scene.settled) == {"dreamt", "kinematic"}
    assert start.task.scene == start.scene.digest
    env.close()
    (episode,) = play(tmp_path / "out", path, "episodes=1")
    assert episode.ended is Ended.SUCCESS
    assert episode.scene_digest == start.scene.digest


SIZE = 200
"""starts of a suite that ships"""


def starts_of(name: str) -> tuple[Start, ...]:
    return suites.load(suites.find(name))


def test_each_split_ships_a_suite() -> None:
    assert suites.names() == sorted(SPLITS)
    assert suites.digests() == {n: suites.digest(suites.find(n)) for n in suites.names()}


@pytest.mark.parametrize("name", SPLITS)
def test_a_suite_that_ships_is_small_and_whole(name: str) -> None:
    starts = starts_of(name)
    assert len(starts) == SIZE
    assert len({records.digest(s.task) for s in starts}) == len(starts)
    assert suites.find(name).stat().st_size < 400_000
    suites.check_pack(suites.find(name), open_pack())


@pytest.mark.parametrize("name", SPLITS)
def test_all_starts_of_a_suite_belong_to_its_split(name: str) -> None:
    for start in starts_of(name):
        assert not list(problems(SPLITS[name], start, open_pack())), start.digest


def test_no_two_suites_share_a_scene() -> None:
    scenes = [{s.task.scene for s in starts_of(name)} for name in SPLITS]
    assert sum(map(len, scenes)) == len(set().union(*scenes))


@pytest.mark.parametrize("every", [20, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", SPLITS)
def test_suites_that_ship_are_played_in_kinematic(name: str, every: int) -> None:
    env = make_env("mixed", "kinematic", overrides=["pictures=false"])
    for k in range(0, SIZE, every):
        start = suites.start_for(suites.find(name), k, env.backend)
        _, info = env.reset(options={"episode": start})
        assert info["start"] is start
        assert info["truth"]["point_uv"] is not None
    env.close()
