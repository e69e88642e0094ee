"""A remembered picture is the one that would be drawn."""

import msgspec
import numpy as np

from refergym.envs.render.remembering import RememberingRenderer
from refergym.envs.types import Frame, State


class Counting:
    """A renderer that counts what it draws."""

    name = "counting"

    def __init__(self):
        self.drawn = 0
        self.is_closed = False

    def render(self, spec, state, camera=None):
        self.drawn += 1
        shade = np.full((2, 2, 3), self.drawn, np.uint8)
        return Frame(rgb=shade, depth=np.zeros((2, 2), np.float32), ids=np.zeros((2, 2), np.int32))

    def close(self):
        self.is_closed = True


class Scene(msgspec.Struct):
    """Stands for a scene: only its identity counts."""


def state(x):
    return State(objects=np.full((1, 7), x), joints=np.zeros(9))


def test_equal_states_of_a_scene_are_drawn_once():
    inner, scene = Counting(), Scene()
    renderer = RememberingRenderer(lambda: inner, 8)
    assert renderer.name == "counting"
    first = renderer.render(scene, state(0.0))
    assert renderer.render(scene, state(0.0)) is first
    assert inner.drawn == 1
    assert renderer.render(scene, state(1.0)) is not first
    assert renderer.render(Scene(), state(0.0)) is not first
    assert inner.drawn == 3


def test_the_oldest_is_forgotten_and_another_camera_is_always_drawn():
    inner, scene = Counting(), Scene()
    renderer = RememberingRenderer(inner, 2)
    for x in (0.0, 1.0, 0.0, 2.0, 0.0):
        renderer.render(scene, state(x))
    assert inner.drawn == 3
    renderer.render(scene, state(1.0))
    assert inner.drawn == 4, "it was used longest ago"
    renderer.render(scene, state(1.0), camera=object())
    assert inner.drawn == 5
    renderer.close()
    assert inner.is_closed
