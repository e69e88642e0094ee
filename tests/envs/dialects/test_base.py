import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refergym.envs.dialects.base import AnswerError, Dialect, PointSeen, choose
from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.dialects.seed import Seed
from refergym.envs.errors import EnvError

POINTS = (
    PointSeen(u=0.2, v=0.4, depth=1.0, label="cup"),
    PointSeen(u=0.4, v=0.8, depth=2.0, label="cup"),
)
SHARES = st.floats(0, 1)


def test_the_first_of_several_points_is_taken() -> None:
    assert choose(POINTS, "first") is POINTS[0]


def test_the_mean_of_several_points_is_taken() -> None:
    mean = choose(POINTS, "mean")
    assert (mean.u, mean.v) == pytest.approx((0.3, 0.6))
    assert (mean.depth, mean.label) == (1.5, "cup")


def test_a_mean_has_a_depth_only_of_all_and_a_label_only_of_one() -> None:
    mean = choose((*POINTS, PointSeen(u=0.5, v=0.5, label="can")), "mean")
    assert (mean.depth, mean.label) == (None, "")


@given(st.lists(st.builds(PointSeen, u=SHARES, v=SHARES), min_size=1))
def test_a_mean_lies_among_its_points(points: list[PointSeen]) -> None:
    mean = choose(points, "mean")
    assert min(p.u for p in points) <= mean.u <= max(p.u for p in points)
    assert min(p.v for p in points) <= mean.v <= max(p.v for p in points)


def test_several_points_are_refused() -> None:
    with pytest.raises(AnswerError, match="expected one point, got 2") as caught:
        choose(POINTS, "reject")
    assert caught.value.kind == "several"


@pytest.mark.parametrize("several", ["first", "mean", "reject"])
def test_one_point_is_itself_and_none_is_an_error(several: str) -> None:
    assert choose(POINTS[:1], several) is POINTS[0]  # type: ignore[arg-type]
    with pytest.raises(AnswerError) as caught:
        choose((), several)  # type: ignore[arg-type]
    assert caught.value.kind == "no_point"


def test_an_error_quotes_at_most_80_characters_and_comes_whole_through_a_pipe() -> None:
    text = "\x00'\n" * 1000 + "no point"
    with pytest.raises(AnswerError) as caught:
        RoboRefer().parse(text, (640, 480))
    message = str(caught.value)
    assert len(message.split("got ")[1]) <= 80
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.kind, str(copy)) == (caught.value.kind, message)
    assert isinstance(copy, EnvError)


def test_every_dialect_has_a_name_and_a_suffix(dialect: Dialect) -> None:
    assert dialect.name
    assert dialect.suffix
    assert dialect.wraps == (dialect.name in ("robobrain2", "embodied_r1"))


def test_every_dialect_has_a_yaml_and_two_names_of_it_agree(dialect: Dialect) -> None:
    from refergym import configs

    folder = Path(configs.__file__).parent / "dialect"
    assert (folder / f"{dialect.name}.yaml").is_file()
    assert len(list(folder.glob("*.yaml"))) == 15


def test_the_words_of_roborefer_s_server_are_kept() -> None:
    assert RoboRefer.suffix == (
        "Your answer should be formatted as a list of tuples, i.e. [(x1, y1)],  where each tuple "
        "contains the x and y coordinates of a point satisfying the conditions above. The "
        "coordinates should be between 0 and 1, indicating the normalized pixel locations of the "
        "points in the image."
    )


def test_a_suffix_s_own_placeholders_are_no_point(dialect: Dialect) -> None:
    with pytest.raises(AnswerError):
        dialect.parse(dialect.suffix, (640, 480))


def test_an_answer_in_answer_tags_reads_as_without(dialect: Dialect) -> None:
    text = dialect.format(POINTS, (640, 480))
    read = dialect.parse(text, (640, 480))
    assert dialect.parse(f"<answer>{text}</answer>", (640, 480)) == read


def test_seed_writes_one_of_two_forms() -> None:
    assert Seed("point").format(POINTS[:1], (1, 1)) == "<point>200 400</point>"
    assert Seed("box").format(POINTS[:1], (1, 1)) == "<|box_start|>(200,400)<|box_end|>"
    with pytest.raises(EnvError, match="form: expected"):
        Seed("tag")  # type: ignore[arg-type]
