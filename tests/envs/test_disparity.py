"""Relative inverse depth: near is bright, least black, greatest white."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refergym.envs.disparity import relative_inverse_depth


def test_disparity_is_scaled_from_its_least_to_its_greatest() -> None:
    # 1 / z is 4, 2, 1: 1 is black, 4 is white, 2 a third of the way
    picture = relative_inverse_depth(np.array([[0.25, 0.5, 1.0]], np.float32))
    assert picture.shape == (1, 3, 3)
    assert picture.dtype == np.uint8
    assert picture[0].tolist() == [[255] * 3, [85] * 3, [0] * 3]


def test_values_are_rounded_down() -> None:
    # 1 / z is 1, 0.5, 0; 127.5 becomes 127
    assert relative_inverse_depth(np.array([[1.0, 2.0, 0.0]]))[0, 1, 0] == 127


@pytest.mark.parametrize("nothing", [0.0, -1.0, np.inf, -np.inf, np.nan])
def test_what_had_no_return_is_as_far_as_can_be(nothing: float) -> None:
    picture = relative_inverse_depth(np.array([[0.5, nothing, 1.0]]))
    assert picture[0, :, 0].tolist() == [255, 0, 127]


@pytest.mark.parametrize("depth", [0.0, 0.7, np.inf])
def test_one_depth_alone_is_black(depth: float) -> None:
    assert not relative_inverse_depth(np.full((2, 3), depth)).any()


def test_an_empty_picture_stays_empty() -> None:
    assert relative_inverse_depth(np.empty((0, 4))).shape == (0, 4, 3)


@given(
    hnp.arrays(np.float32, (4, 5), elements=st.floats(0.125, 64, width=32)),
    st.sampled_from([0.25, 2.0, 8.0]),
)
def test_only_relative_depth_counts_and_nearer_is_never_darker(
    depth: np.ndarray, scale: float
) -> None:
    grey = relative_inverse_depth(depth)[..., 0]
    assert np.array_equal(grey, relative_inverse_depth(depth * np.float32(scale))[..., 0])
    order = np.argsort(depth, axis=None)
    assert (np.diff(grey.ravel()[order].astype(int)) <= 0).all()
