"""Generated descriptions mean one thing under a second, independent reading of the scene."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from brute_force import Ambiguous, World

from refergym.assets.library import PACK_DIR
from refergym.assets.records import canonical_json
from refergym.rollouts import generate, taskfile

QUICK = ["renderer.shadows=false", "renderer.antialias=none"]


def check(out: Path, steps: int, count: int, seed: int) -> int:
    """Generate tasks, read each a second time; returns how many there were."""
    generate.generate(
        [*QUICK, f"steps=[{steps},{steps}]", f"count={count}", f"seed={seed}", "workers=0",
         f"out={out}"]
    )  # fmt: skip
    entries, bad = taskfile.read_tasks(out / taskfile.FILE)
    assert not bad
    for entry in entries:
        scene = json.loads(canonical_json(entry.start.scene))
        task = json.loads(canonical_json(entry.start.task))
        assert entry.picture is not None
        world = World(scene, taskfile.read_pictures(out, entry.picture).ids, PACK_DIR)
        try:
            meant = world.meaning(task["program"])
        except Ambiguous as e:
            raise AssertionError(f"{entry.id}: {task['instruction']} ({e})") from e
        assert meant.id == task["goal"]["object"], (entry.id, task["instruction"])
        assert world.seen(meant) >= 60
        assert world.seen(meant) == task["certificate"]["target_pixels"]
    return len(entries)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_generated_descriptions_mean_one_thing(steps: int, tmp_path: Path) -> None:
    assert check(tmp_path / "out", steps, 20, seed=steps) == 20


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_a_thousand_descriptions_mean_one_thing(steps: int, tmp_path: Path) -> None:
    assert check(tmp_path / "out", steps, 1000, seed=100 + steps) == 1000


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_generated_places_are_where_the_words_say(steps: int, tmp_path: Path) -> None:
    """Over points of the table: in the area if and only if the words hold, but for its very rim."""
    out = tmp_path / "out"
    generate.generate(
        [*QUICK, "task=point_at_free_space", f"steps=[{steps},{steps}]", "count=15", "seed=3",
         "workers=0", f"out={out}"]
    )  # fmt: skip
    entries, _ = taskfile.read_tasks(out / taskfile.FILE)
    assert len(entries) == 15
    rng = np.random.default_rng(0)
    for entry in entries:
        scene = json.loads(canonical_json(entry.start.scene))
        task = json.loads(canonical_json(entry.start.task))
        assert entry.picture is not None
        world = World(scene, taskfile.read_pictures(out, entry.picture).ids, PACK_DIR)
        ring = shapely.Polygon(task["goal"]["area"]["ring"])
        goal = np.array(task["goal"]["area"]["goal"][:2])
        words = (entry.id, task["instruction"])
        assert world.is_at(task["program"], goal), words
        low, high = np.array(world.table.bounds).reshape(2, 2)
        points = np.vstack([rng.uniform(low, high, (60, 2)), goal + rng.normal(0, 0.06, (60, 2))])
        for p in points:
            if ring.exterior.distance(shapely.Point(p)) > 0.012:
                assert world.is_at(task["program"], p) == ring.contains(shapely.Point(p)), words


def test_the_second_reading_can_fail(tmp_path: Path) -> None:
    """With a thing moved next to another, or a word changed, it says no."""
    out = tmp_path / "out"
    generate.generate([*QUICK, "steps=[2,3]", "count=20", "seed=7", "workers=0", f"out={out}"])
    entries, _ = taskfile.read_tasks(out / taskfile.FILE)
    refused = 0
    for entry in entries:
        scene = json.loads(canonical_json(entry.start.scene))
        task = json.loads(canonical_json(entry.start.task))
        poses = scene["settled"]["kinematic"]
        rng = np.random.default_rng(1)
        for k in rng.permutation(len(poses)):
            poses[k]["position"][:2] = [0.5, float(rng.uniform(-0.3, 0.3))]
        try:
            world = World(scene, np.zeros((224, 224), int), PACK_DIR)
            refused += world.meaning(task["program"]).id != task["goal"]["object"]
        except Ambiguous:
            refused += 1
    assert refused >= 12
