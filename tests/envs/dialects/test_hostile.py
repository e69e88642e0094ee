"""Texts that no model should write: nothing crashes, nothing takes more than linear time."""

import math
import random
import time

import pytest

from refergym.envs.dialects.base import AnswerError, Dialect, PointSeen

SIZE = (640, 480)
PIECES = [
    *"()[]{}<>\"'`\\/,:;=|&. \n\t0123456789+-eE_x",
    "0.5", "512", "1e5", "-3", "nan", "inf", "1e999", "٣", "é", "😀", "\ud800", "\x00", "\ufeff",
    "point_2d", "point", "points", "label", '"point_2d": [', '"point": [', '"points": [[',
    '"label": "', "'label': '", "<point>", "</point>", "<points ", '<point x="', "x1='", ' y="',
    'coords="1 1 ', ' alt="', "<affordance>", "</affordance>", "<object>", "<frame 0>",
    "<|box_start|>", "<|box_end|>", "start_box='(", "<bbox>", "<answer>", "```json", "null",
    "(1, 2",
]  # fmt: skip
REPEATED = [
    "(", "[", "{", "<", '"', "'", "\\", "9", " ", "a", ",", "((1,", "(1,2)", "(1,", "[[1,",
    "[1,2],",
    "(a", "(9" + "9" * 50, '{"', "{'", '{"a":', '{"a":"', '{"a":[', '{"a":"\'},{\'', '{"a":1,',
    '{"point_2d":[1,2],"label":"', '{"point_2d":[', '"label":"\\', '{"a":"b" ', "{'\":1,'\":1,\"",
    '"a":1,', '{"a":"" "', '"  ', "<point>", "<point", '<point x="', "<point x='\"",
    '<points x1="1" ', 'x1="1" y1="1" ', '<points coords="', "1 2 3 ", "<points coords='1 1 2 3' ",
    "<point x", "= ", "<points  ", "{ ", "{'a':\"",
    "<affordance>", "<affordance>(1,2)", "<frame ", "<|box_start|>", "<|box_start|>(", "start_box=",
    "start_box='(", "</point>", "<bbox>1 2 3 4", "&quot;", "&#", "é", "\n", "- ", "e1",
]  # fmt: skip
BEGINNINGS = ["(1, 2", '{"point_2d": [', '{"label": "', "<point>[[", '<points coords="1 ',
              '<point x="1" y="2" alt="', "<points", "<affordance>(", "<|box_start|>",
              "<points x1=", '{"point_2d"', '{"a":"b"']  # fmt: skip


def seconds(dialect: Dialect, text: str, rounds: int = 3) -> float:
    """CPU seconds of reading a text, the least of some rounds."""
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        outcome(dialect, text)
        times.append(time.process_time() - begin)
    return min(times)


def grows_linearly(dialect: Dialect, text: str) -> bool:
    """Whether a text takes about ten times as long as its first tenth; 100 would be quadratic."""
    if seconds(dialect, text, rounds=1) < 0.02:
        return True  # too little to tell apart, and little enough
    return seconds(dialect, text) < 40 * seconds(dialect, text[: len(text) // 10])


def outcome(dialect: Dialect, text: str) -> tuple[PointSeen, ...] | AnswerError:
    try:
        return dialect.parse(text, SIZE)
    except AnswerError as e:
        return e


def mutated(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 6)):
        a, b = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        match rng.randrange(5):
            case 0:
                text = text[:a] + rng.choice(PIECES) + text[a:]
            case 1:
                text = text[:a] + text[min(b, a + 5) :]
            case 2:
                text = text[:a] + text[a:b] * 2 + text[b:]
            case 3:
                text = text[:b]
            case _:
                text = text[:a] + rng.choice(PIECES) + text[a + 1 :]
    return text


def test_ten_thousand_random_and_mutated_texts_give_points_or_an_answer_error(
    dialect: Dialect,
) -> None:
    rng = random.Random(dialect.name)
    kinds: set[str] = set()
    for i in range(10_000):
        if i % 2:
            points = [
                PointSeen(u=rng.random(), v=rng.random(), label=rng.choice(["", "cup", "a 'b\""]))
                for _ in range(rng.randint(1, 3))
            ]
            text = mutated(dialect.format(points, SIZE), rng)
        else:
            text = "".join(rng.choice(PIECES) for _ in range(rng.randint(0, 40)))
        result = outcome(dialect, text)
        if isinstance(result, AnswerError):
            kinds.add(result.kind)
            assert "\n" not in str(result)
            assert len(str(result)) < 200
            continue
        assert result
        kinds.add("read")
        for p in result:
            assert 0 <= p.u <= 1
            assert 0 <= p.v <= 1
            assert p.depth is None or 0 < p.depth < math.inf
            if "\ud800" not in text:
                p.label.encode()
    assert kinds >= {"read", "no_point", "malformed", "out_of_range"}


@pytest.mark.parametrize("unit", REPEATED, ids=ascii)
def test_reading_takes_linear_time(dialect: Dialect, unit: str) -> None:
    assert grows_linearly(dialect, (unit * 40_000)[:40_000])


@pytest.mark.slow
@pytest.mark.parametrize("beginning", BEGINNINGS, ids=ascii)
def test_reading_on_from_any_beginning_takes_linear_time(dialect: Dialect, beginning: str) -> None:
    for unit in REPEATED:
        assert grows_linearly(dialect, (beginning + unit * 99_000)[:99_000]), unit


def test_a_text_above_the_limit_is_not_looked_at(dialect: Dialect) -> None:
    text = dialect.format([PointSeen(u=0.5, v=0.5)], SIZE)
    assert dialect.parse(text.ljust(100_000), SIZE)
    with pytest.raises(AnswerError) as caught:
        dialect.parse(text.ljust(100_001), SIZE)
    assert caught.value.kind == "too_long"
