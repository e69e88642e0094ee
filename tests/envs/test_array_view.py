"""Observations as arrays: what each number is, whatever the picture's size."""

import numpy as np
import pytest

from refergym.assets import records
from refergym.envs.array_view import WIDEST, ArrayView, action_space, point_of
from refergym.envs.errors import EnvError
from refergym.envs.types import Event

PLAIN = ArrayView(size=36, depth=True, nearest=0.3, words=())


def observation(size=72, **changes):
    rgb = np.zeros((size, size, 3), np.uint8)
    rgb[: size // 2, :, 0] = 200
    depth = np.full((size, size), 0.6, np.float32)
    depth[:, : size // 2] = 0.0
    k = np.array([[size, 0, size / 2], [0, size / 2, size / 4], [0, 0, 1]], np.float64)
    seen = {"rgb": rgb, "depth": depth, "intrinsics": k, "instruction": "Take the red mug.",
            "holding": 1, "event": int(Event.NO_GRASP)}  # fmt: skip
    return {**seen, **changes}


@pytest.mark.parametrize("size", [36, 72, 224])
def test_a_picture_of_any_size_gives_the_same_arrays(size):
    arrays = PLAIN.encode(observation(size))
    assert PLAIN.space.contains(arrays)
    image = arrays["image"]
    assert image.shape == (4, 36, 36)
    assert (image[0, :18] == 200).all()
    assert (image[0, 18:] == 0).all()
    assert (image[1:3] == 0).all()


def test_depth_is_inverse_and_nothing_stays_nothing():
    inverse = PLAIN.encode(observation())["image"][3]
    assert (inverse[:, :18] == 0).all(), "no return"
    assert (inverse[:, 18:] == round(255 * 0.3 / 0.6)).all()
    near = observation(depth=np.full((72, 72), 0.1, np.float32))
    assert (PLAIN.encode(near)["image"][3] == 255).all()


def test_depth_can_be_left_out():
    view = ArrayView(size=36, depth=False, nearest=0.3, words=())
    assert view.encode(observation())["image"].shape == (3, 36, 36)


def test_the_vector_says_what_is_held_what_happened_and_how_wide_the_view_is():
    vector = PLAIN.encode(observation())["vector"]
    assert vector[0] == 1
    event = vector[1 : 1 + len(Event)]
    assert event.sum() == 1
    assert event[Event.NO_GRASP] == 1
    np.testing.assert_allclose(vector[-4:], [0.5, 1.0, 0.5, 0.25])
    narrow = observation(intrinsics=np.array([[1.0, 0, 36], [0, 1.0, 36], [0, 0, 1]]))
    assert PLAIN.encode(narrow)["vector"].max() == WIDEST


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Take the red mug.", [1, 0]),
        ("Take the mugs to the boxes", [1, 1]),
        ("Take the smug boxer", [0, 0]),
    ],
)
def test_words_are_found_whole(said, found):
    view = ArrayView(size=36, depth=True, nearest=0.3, words=("mug", "box"))
    arrays = view.encode(observation(instruction=said))
    assert view.space.contains(arrays)
    assert arrays["vector"][-2:].tolist() == found


def test_actions_are_points_and_what_is_outside_goes_to_the_edge():
    assert point_of(np.array([-1.0, 1.0])) == (0.0, 1.0)
    assert point_of(np.array([0.0, 0.5], np.float32)) == (0.5, 0.75)
    assert point_of(np.array([-7.0, 1.0001])) == (0.0, 1.0)
    assert action_space().contains(np.array([-1, 1], np.float32))


@pytest.mark.parametrize("wrong", [{"size": 35}, {"nearest": 0}, {"word": []}])
def test_wrong_settings_are_named(wrong):
    given = {"size": 64, "depth": True, "nearest": 0.3, "words": [], **wrong}
    with pytest.raises(EnvError, match=next(iter(wrong))):
        records.convert(given, ArrayView, error=EnvError)
