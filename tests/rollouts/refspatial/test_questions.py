"""What is asked in a task's picture, and that the rounded answer is right."""

from itertools import pairwise
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refergym.assets.library import open_pack
from refergym.envs import programs
from refergym.envs.key_steps import key_steps
from refergym.envs.programs import Select, Where
from refergym.envs.starts import rest_state
from refergym.envs.task_spec import PutGoal, RowGoal, SeveralGoal, TaskSpec
from refergym.envs.types import ID_NOTHING, Frame
from refergym.envs.view import View
from refergym.rollouts import taskfile
from refergym.rollouts.errors import DataError
from refergym.rollouts.refspatial.questions import (
    PLACES,
    answer_point,
    question_type,
    questions,
)

CUP, BOWL = Select(category="cup"), Select(category="bowl")


@given(
    st.integers(4, 960), st.integers(4, 960), st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
)  # fmt: skip
def test_a_pixel_of_pictures_up_to_960_px_survives_the_rounding(
    width: int, height: int, u: float, v: float
) -> None:
    x, y = int(u * width), int(v * height)
    mask = np.zeros((height, width), bool)
    mask[y, x] = True
    point = answer_point(((x + 0.5) / width, (y + 0.5) / height), mask)
    assert point is not None
    assert point == (float(f"{point[0]:.3f}"), float(f"{point[1]:.3f}"))
    assert mask[int(point[1] * height), int(point[0] * width)]


def test_the_nearest_point_that_is_right_is_taken() -> None:
    mask = np.zeros((1000, 2000), bool)
    mask[500, 1003:1010] = True
    # 0.501 shows column 1002, which is wrong; 0.502 shows 1004
    assert answer_point((0.50125, 0.5), mask) == (0.502, 0.5)
    mask[500, 1002] = True
    assert answer_point((0.50125, 0.5), mask) == (0.501, 0.5)
    assert answer_point((0.9, 0.5), mask) is None


def test_points_at_the_rim_stay_in_the_picture() -> None:
    mask = np.ones((100, 100), bool)
    assert answer_point((0.9999, 0.9999), mask) == (0.999, 0.999)
    assert answer_point((0.0001, -0.0001), mask) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (CUP, "Identifying key object features"),
        (Select(category="cup", rank=programs.Rank(axis="height", position=1)), "key object feat"),
        (
            Select(category="cup", rank=programs.Rank(axis="distance", position=1, anchor=BOWL)),
            "Identifying object distances",
        ),
        (
            Select(category="cup", where=(Where(relation="distance", anchors=(BOWL,), value=0.1),)),
            "Identifying object distances",
        ),
        (Select(category="cup", where=(Where(relation="edge"),)), "along the edges of a tabletop"),
        (programs.Direction(anchor=CUP, side="left", distance=0.1), "orientation and distance"),
        (programs.Between(a=CUP, b=BOWL), "between two reference objects"),
        (programs.Edge(side="left"), "desktop edges"),
        (programs.Missing(category="cup"), "equidistant arrangement"),
        (programs.Onto(anchor=CUP), "top of an object"),
        (programs.Floor(furniture="table", side="left"), "free floor"),
    ],
)
def test_questions_are_sorted_as_the_release_sorts_its_own(
    program: programs.Node, words: str
) -> None:
    assert words in question_type(program)


def test_every_place_has_a_type() -> None:
    assert set(PLACES) == {*get_args(programs.Region), programs.Floor}


@pytest.fixture(scope="module")
def puts(generated: dict[str, Path]) -> list[tuple[TaskSpec, View]]:
    folder = generated["put"]
    found = []
    for entry in taskfile.read_tasks(folder / taskfile.FILE)[0]:
        start = entry.start
        state = rest_state(start.scene, start.task.certificate.backend)
        assert entry.picture is not None
        frame = taskfile.read_pictures(folder, entry.picture)
        found.append((start.task, View(start.scene, state, frame, open_pack())))
    return found


def as_one(first: TaskSpec, second: TaskSpec) -> TaskSpec:
    """Two tasks of one scene, one after the other."""
    goals = [t.goal for t in (first, second) if isinstance(t.goal, PutGoal)]
    moves = [t.program for t in (first, second) if isinstance(t.program, programs.Move)]
    bound = [
        msgspec.structs.replace(b, path=f"parts[{k}].{b.path}")
        for k, t in enumerate((first, second))
        for b in t.bound
    ]
    return msgspec.structs.replace(
        first,
        program=programs.Moves(parts=tuple(moves)),
        goal=SeveralGoal(parts=tuple(goals), ordered=True),
        bound=tuple(bound),
    )


def test_each_move_of_several_is_asked_as_if_it_were_alone(
    puts: list[tuple[TaskSpec, View]],
) -> None:
    (first, view), (second, _) = next(
        (a, b) for a, b in pairwise(puts) if a[0].scene == b[0].scene and not clash(a[0], b[0])
    )
    alone = [*questions(first, view), *questions(second, view)]
    together = questions(as_one(first, second), view)
    assert len(together) == len(alone) >= 3
    for a, b in zip(together, alone, strict=True):
        assert (a.kind, a.text, a.target, a.point) == (b.kind, b.text, b.target, b.point)
        assert np.array_equal(a.mask, b.mask)
        assert key_steps(a.task, view) == key_steps(b.task, view)
        assert a.task.bound == b.task.bound


def clash(first: TaskSpec, second: TaskSpec) -> bool:
    goals = [t.goal for t in (first, second) if isinstance(t.goal, PutGoal)]
    return goals[0].object in goals[1].anchors or goals[1].object in goals[0].anchors


def test_a_place_beside_what_moves_too_is_not_asked(puts: list[tuple[TaskSpec, View]]) -> None:
    task, view = next(p for p in puts if isinstance(p[0].goal, PutGoal) and p[0].goal.anchors)
    goal = task.goal
    assert isinstance(goal, PutGoal)
    other = msgspec.structs.replace(goal, object=goal.anchors[0], anchors=())
    both = as_one(task, msgspec.structs.replace(task, goal=other))
    kinds = [q.kind for q in questions(both, view)]
    assert kinds[:2] == ["location", "location"]


def test_rows_are_not_asked_and_it_is_said(puts: list[tuple[TaskSpec, View]]) -> None:
    task, view = puts[0]
    names = tuple(o.id for o in view.scene.objects[:3])
    row = RowGoal(objects=names, along=(1.0, 0.0), slots=((0.0, 0.0),) * 3, straight=0.1,
                  even=0.1, angle=5.0, tolerance=0.02)  # fmt: skip
    with pytest.raises(DataError, match="rows ask for no single point"):
        questions(msgspec.structs.replace(task, goal=row), view)
    gathered = SeveralGoal(parts=(task.goal,) if isinstance(task.goal, PutGoal) else (),
                           ordered=False)  # fmt: skip
    with pytest.raises(DataError, match="several objects at once ask for no single point"):
        questions(msgspec.structs.replace(task, goal=gathered), view)


def test_a_place_that_cannot_be_seen_is_left_out_alone(
    puts: list[tuple[TaskSpec, View]],
) -> None:
    task, view = puts[0]
    frame = view.frame
    dark = View(view.scene, view.state, but_for(frame, task, view), view.pack)
    assert [q.kind for q in questions(task, dark)] == ["location"]


def but_for(frame: Frame, task: TaskSpec, view: View) -> Frame:
    """The frame with nothing to be seen but the object that is moved."""
    assert isinstance(task.goal, PutGoal)
    keep = frame.ids == view.scene.index(task.goal.object)
    return Frame(rgb=frame.rgb, depth=frame.depth, ids=np.where(keep, frame.ids, ID_NOTHING))
