import functools

import numpy as np
import pytest

from refergym.assets import records
from refergym.rollouts import config, generation
from refergym.rollouts.lessons.lesson import Lesson, Question
from refergym.rollouts.lessons.making import Plan
from refergym.rollouts.sft import Settings

QUICK = ["model=tiny", "scene.width=64", "scene.height=64", "renderer.shadows=false",
         "renderer.antialias=none"]  # fmt: skip


@functools.cache
def settings(words):
    return records.convert(
        config.compose("sft", [*QUICK, *words]).config, Settings, error=ValueError
    )


@pytest.fixture
def make_plan():
    """Make a plan of lessons for a source of configs/data/nano: make_plan("carry", played=0)."""

    def make(source, *words, per_scene=2, dialect=None, **changes):
        made = settings(words)
        tasks = generation.Plan(
            env={**made.env, "task": made.data[source]["task"]}, pack=None, seed=5, prove=False,
            per_scene=per_scene, only=made.only, folder=None,
        )  # fmt: skip
        fields = {"dialect": dialect or config.choice("dialect", "roborefer")}
        return Plan(tasks=tasks, **fields, **changes)

    return make


def _told(lesson):
    return (
        lesson.rgb.tobytes(), lesson.disparity.tobytes(), lesson.ids.tobytes(), lesson.names,
        lesson.questions,
    )  # fmt: skip


@pytest.fixture
def told():
    """Return all that lessons say, so that they can be compared."""
    return lambda lessons: [_told(lesson) for lesson in lessons]


@pytest.fixture
def lesson():
    """Make a lesson with a made-up picture: lesson(7, questions=3)."""

    def make(value, questions=1):
        asked = tuple(
            Question(words=f"{value}, {k}?", answer="[(0.500, 0.250)]", kind="point")
            for k in range(questions)
        )
        return Lesson(
            rgb=np.full((4, 4, 3), value, np.uint8), disparity=np.zeros((4, 4), np.uint8),
            ids=np.zeros((4, 4), np.int32), names=(("mug", "red"),), questions=asked,
        )  # fmt: skip

    return make
