"""Rows and grids with a place missing, made of points."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from refergym.assets.composers import Composer, Infinigen, Tabletop, Wants, infinigen, tabletop
from refergym.assets.composers.base import Arrangement
from refergym.assets.composers.rows import Row, draw_row
from refergym.assets.library import open_pack
from refergym.envs import rows
from refergym.envs.areas import disc, is_bare
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.errors import TaskError
from refergym.envs.registration import make_env
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.starts import look, rest_state, settle
from refergym.envs.view import Layout, View

SIDES = {"left": (0, -1), "right": (0, 1), "front": (1, 0), "behind": (-1, 0)}


def layout(points: np.ndarray) -> Any:
    things = [SimpleNamespace(centre=p) for p in points]
    return SimpleNamespace(
        thing=lambda i: things[i], direction=lambda side: np.array(SIDES[side], float)
    )


def missing(points: Any, place: str) -> np.ndarray:
    points = np.array(points, float)
    return rows.missing(layout(points), range(len(points)), place)


def row(n: int, step: float = 0.1, degrees: float = 90.0) -> np.ndarray:
    to = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    return np.array([0.5, -0.2]) + np.arange(n)[:, None] * step * to


@pytest.mark.parametrize("n", [4, 5, 6])
@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
def test_the_gap_of_a_row_is_found_whatever_the_order(n: int, degrees: float) -> None:
    rng = np.random.default_rng(n)
    for k in range(1, n - 1):
        whole = row(n, 0.08, degrees)
        rest = np.delete(whole, k, axis=0) + rng.uniform(-0.002, 0.002, (n - 1, 2))
        found = missing(rng.permutation(rest), "gap")
        assert found == pytest.approx(whole[k], abs=0.006)


@pytest.mark.parametrize(
    ("side", "degrees", "expected"),
    [("right", 90, (0.5, 0.2)), ("left", 90, (0.5, -0.3)), ("front", 0, (0.9, -0.2)),
     ("behind", 0, (0.4, -0.2)), ("right", -90, (0.5, -0.1))],
)  # fmt: skip
def test_a_row_goes_on_at_its_ends(
    side: str, degrees: float, expected: tuple[float, float]
) -> None:
    assert missing(row(4, 0.1, degrees), side) == pytest.approx(expected)


def test_a_row_does_not_go_on_sideways() -> None:
    with pytest.raises(TaskError, match="another way"):
        missing(row(4), "front")
    with pytest.raises(TaskError, match="another way"):
        missing(row(4, degrees=45), "right")


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (2, 2)])
def test_the_free_place_of_a_grid_is_found(shape: tuple[int, int]) -> None:
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    cells = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 2)
    whole = np.array([0.5, 0.0]) + (cells * [0.1, 0.13]) @ turn.T
    for k in range(len(whole)):
        if len(whole) == 4:
            with pytest.raises(TaskError, match="no row or grid"):
                missing(np.delete(whole, k, axis=0), "gap")
            continue
        found = missing(np.delete(whole, k, axis=0), "gap")
        assert found == pytest.approx(whole[k], abs=1e-6)


@pytest.mark.parametrize(
    ("points", "place", "message"),
    [
        (row(2), "gap", "2 things make no row"),
        (row(5), "gap", "no gap, or more than one"),
        (np.delete(row(7), [2, 4], axis=0), "gap", "no gap, or more than one"),
        (np.delete(row(5), 2, axis=0), "right", "not evenly spaced"),
        ([(0.4, 0), (0.5, 0.1), (0.4, 0.21), (0.7, 0.3)], "gap", "no row or grid"),
        ([(0.4, 0), (0.5, 0.1), (0.4, 0.2)], "left", "do not stand in a row"),
    ],
)
def test_what_is_no_row_with_one_gap_is_refused(points: Any, place: str, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        missing(points, place)


@pytest.mark.parametrize(
    ("kind", "composer", "count"),
    [
        ("row", Tabletop(), 40),
        ("grid", Tabletop(), 40),
        ("any", Tabletop(), 40),
        ("any", Infinigen(), 12),
    ],
    ids=["row", "grid", "any", "any infinigen"],
)
def test_composed_rows_are_found_with_their_free_place(
    kind: Arrangement, composer: Composer, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Row] = []

    def noted(*args: Any) -> Row:
        drawn.append(draw_row(*args))
        return drawn[-1]

    monkeypatch.setattr(tabletop, "draw_row", noted)
    monkeypatch.setattr(infinigen, "draw_row", noted)
    backend, renderer, pack = KinematicBackend(), EmbreeRenderer(), open_pack()
    found, ends = 0, 0
    for index in range(count):
        scene = settle(composer.compose(8, index, Wants(arrangement=kind)), backend)
        layout = Layout(scene, rest_state(scene, "kinematic"), pack)
        row = drawn[-1]
        view = View(scene, layout.state, look(renderer, scene, layout.state), pack)
        for x, y, _ in row.spot():
            assert is_bare(view, disc(view, np.array([x, y]), 0.01)), "nothing hides it"
        kinds = [t.index for t in layout.things if t.category == row.items[0].info.category]
        assert len(kinds) == len(row.items)
        for place in ("gap", *SIDES):
            try:
                at = rows.missing(layout, kinds, place)
            except TaskError:
                continue
            is_there = np.hypot(*(at - (row.free.x, row.free.y))) < 0.01
            assert is_there or place != "gap"
            found += is_there
            ends += is_there and place != "gap"
    assert found == count, "each free place has one name"
    assert (ends > 0) == (kind != "grid")


@pytest.mark.parametrize("scene", ["tabletop", "infinigen"])
@pytest.mark.parametrize("backend", ["kinematic", pytest.param("bullet", marks=pytest.mark.bullet)])
def test_places_that_are_missing_in_rows_are_asked_for_and_pointed_at(
    backend: str, scene: str
) -> None:
    asked = ["task.steps=[1,1]", "task.regions=[missing]"]
    env = make_env("point_at_free_space", backend, scene=scene, overrides=asked)
    told = set()
    for index in range(8 if scene == "tabletop" else 4):
        _, info = env.reset(seed=4, options={"index": index})
        told.add(info["start"].task.program.place)
        *_, info = env.step(np.array(info["truth"]["point_uv"]))
        assert info["verdict"].success
    env.close()
    assert len(told) >= 2
