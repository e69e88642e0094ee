"""What a dialect writes it reads again: the same points in the same order.

On points that the dialect can write: three digits of a share in RoboRefer, one digit of a percent
in Molmo, whole pixels or thousandths elsewhere; depths of whole mm in RoboTracer; labels where the
form has room for them, in Molmo2 without space at their ends.
"""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refergym.envs.dialects.base import AnswerError, Dialect, PointSeen, Size
from refergym.envs.dialects.embodied_r1 import EmbodiedR1
from refergym.envs.dialects.mimo_embodied import MiMoEmbodied
from refergym.envs.dialects.qwen2_5_vl import Qwen25VL
from refergym.envs.dialects.robobrain2 import RoboBrain2
from refergym.envs.errors import EnvError

PIXELS = ("robobrain2", "qwen2_5_vl", "embodied_r1", "mimo_embodied")
LABELLED = ("qwen2_5_vl", "qwen3_vl", "gemini", "mimo_embodied", "molmo", "molmo2")
LABELS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ['the "red" cup', "a 'b' {c} [1, 2]", "<point x='1'>&amp;", "\\", '"},{"', "杯子😀\n"]
)
SIZES = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@st.composite
def writable(draw: st.DrawFn, name: str, size: Size) -> PointSeen:
    wide, high = size if name in PIXELS else (1000, 1000)
    depth = draw(st.none() | st.integers(1, 10**6)) if name == "robotracer" else None
    label = draw(LABELS) if name in LABELLED else ""
    return PointSeen(
        u=draw(st.integers(0, wide)) / wide,
        v=draw(st.integers(0, high)) / high,
        depth=None if depth is None else depth / 1000,
        label=label.strip() if name == "molmo2" else label,
    )


@given(data=st.data(), size=SIZES)
def test_what_is_written_is_read_again(dialect: Dialect, data: st.DataObject, size: Size) -> None:
    points = data.draw(st.lists(writable(dialect.name, size), min_size=1, max_size=5))
    text = dialect.format(points, size)
    read = dialect.parse(text, size)
    assert [(p.depth, p.label) for p in read] == [(p.depth, p.label) for p in points]
    for got, wanted in zip(read, points, strict=True):
        assert (got.u, got.v) == pytest.approx((wanted.u, wanted.v), abs=1e-12)
    assert dialect.format(read, size) == text
    assert dialect.parse(f"It is here:\n{text}\nI hope so.", size) == read


@given(u=st.floats(0, 1), v=st.floats(0, 1), size=SIZES)
def test_any_point_is_written_within_half_a_step(
    dialect: Dialect, u: float, v: float, size: Size
) -> None:
    (read,) = dialect.parse(dialect.format([PointSeen(u=u, v=v)], size), size)
    wide, high = size if dialect.name in PIXELS else (1000, 1000)
    assert abs(read.u - u) <= 0.5 / wide + 1e-6
    assert abs(read.v - v) <= 0.5 / high + 1e-6


@pytest.mark.parametrize("width", [224, 320, 448, 490, 644, 1092, 4321])
@pytest.mark.parametrize("pixels", [RoboBrain2(), Qwen25VL(), EmbodiedR1(), MiMoEmbodied()])
def test_a_pixel_s_number_falls_into_that_pixel(pixels: Dialect, width: int) -> None:
    assert pixels.name in PIXELS
    size = (width, width)
    for x in range(width):
        middle = PointSeen(u=(x + 0.5) / width, v=(x + 0.5) / width)
        (read,) = pixels.parse(pixels.format([middle], size), size)
        assert math.floor(read.u * width) == math.floor(read.v * width) == x


@pytest.mark.parametrize("pixels", [RoboBrain2(), Qwen25VL(), EmbodiedR1(), MiMoEmbodied()])
@pytest.mark.parametrize("size", [(0, 480), (640, -1)])
def test_an_image_without_size_is_the_caller_s_mistake(pixels: Dialect, size: Size) -> None:
    with pytest.raises(EnvError, match="image_size") as caught:
        pixels.parse("[(1, 1)]", size)
    assert not isinstance(caught.value, AnswerError)


@pytest.mark.parametrize(
    ("points", "kind"),
    [
        ([], "no_point"),
        ([PointSeen(u=1.5, v=0.5)], "out_of_range"),
        ([PointSeen(u=0.5, v=0.5), PointSeen(u=math.nan, v=0.5)], "out_of_range"),
        ([PointSeen(u=0.5, v=0.5, depth=0.0)], "out_of_range"),
    ],
)
def test_what_is_no_point_is_not_written(
    dialect: Dialect, points: list[PointSeen], kind: str
) -> None:
    with pytest.raises(AnswerError) as caught:
        dialect.format(points, (640, 480))
    assert caught.value.kind == kind
