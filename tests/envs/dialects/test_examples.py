"""Answers as models write them, and what is made of them. The image is 640 x 480."""

import pytest

from refergym.envs.dialects import (
    embodied_r1,
    gemini,
    mimo_embodied,
    molmo,
    molmo2,
    qwen2_5_vl,
    qwen3_vl,
    robobrain2,
    roborefer,
    robotracer,
    rynnbrain,
    seed,
)
from refergym.envs.dialects.base import AnswerError, Dialect, PointSeen

SIZE = (640, 480)
Case = tuple[Dialect, str, list[tuple[object, ...]] | str]

TUPLES = {
    "[(0.510, 0.255)]": [(0.51, 0.255)],
    "(0.341, 0.610)": [(0.341, 0.61)],
    "[(0.461, 0.527), (0.498, 0.521)]": [(0.461, 0.527), (0.498, 0.521)],
    "[(.5,\n  +5e-1)]": [(0.5, 0.5)],
    "[(0, 1)]": [(0, 1)],
    "[(1.0, -0.0)]": [(1, 0)],
    "[(0.2, 0.3, 0.4, 0.5)]": [(0.3, 0.4)],
    "[(0.4, 0.5, 0.2, 0.3)]": [(0.3, 0.4)],
    "[[((0.1, 0.2))]]": [(0.1, 0.2)],
    "[(0.1, 0.2,)]": [(0.1, 0.2)],
    "The cup (1) is at (0.1, 0.2) (see the image, left).": [(0.1, 0.2)],
    "```json\n[(0.1, 0.2)]\n```": [(0.1, 0.2)],
    "<answer>[(0.1, 0.2)]</answer>": [(0.1, 0.2)],
    "[(0.1, 0.2), (0.3, 0.4": [(0.1, 0.2)],
    "[(0.1, 0.2), (": [(0.1, 0.2)],
    "[(0.1, 0.2), (1e-999, 0.5)]": [(0.1, 0.2), (0, 0.5)],
    "[(0.510, 0.255": "malformed",
    "[(0.5": "malformed",
    "(0.1, 0.2 (0.3, 0.4)": "malformed",
    "[(0.1, 0.2), (nan, 0.4)]": "malformed",
    "[(0.1, -Infinity)]": "malformed",
    "[(0.1, 0.2, 0.3)]": "malformed",
    "[(0.1, 0.2, 0.3, 0.4, 0.5)]": "malformed",
    "[(0.1; 0.2), (0.1, 0,2)]": "malformed",
    "[(0.1, 0.2m)]": "malformed",
    "(\u0660.\u0665, \u0660.\u0665)": "malformed",
    "(0.5, \uff10.\uff15)": "malformed",
    "(0.1, (0.2))": "malformed",
    f"({'1' * 100}, 0.2)": "malformed",
    "[(0.1, 0_2)]": "malformed",
    "(__import__('os'), 1)": "no_point",
    "[[0.1, 0.2]]": "no_point",
    "[(x1, y1)]": "no_point",
    "There is no such cup.": "no_point",
    "0.5, 0.5": "no_point",
    "[]": "no_point",
    "[(320, 240)]": "out_of_range",
    "[(0.5, 1.001)]": "out_of_range",
    "[(-0.1, 0.5)]": "out_of_range",
    "[(1e999, 0.5)]": "out_of_range",
    "[(0.1, 0.2), (0.1, 2)]": "out_of_range",
    "[(0.2, 0.3, 0.4, 1.5)]": "out_of_range",
    "": "empty",
    " \n\t ": "empty",
    "(0.5, 0.5)" + " " * 100_000: "too_long",
}
TRACER = {
    "[(726, 624, 1.533), (738, 574, 1.499)]": [(0.726, 0.624, 1.533), (0.738, 0.574, 1.499)],
    "[(536, 776)]": [(0.536, 0.776, None)],
    "[(536, 776), (500.5, 0, .25)]": [(0.536, 0.776, None), (0.5005, 0, 0.25)],
    "(0.5, 0.5)": [(0.0005, 0.0005, None)],
    "[(1000, 1000, 2)]": [(1, 1, 2)],
    "[(726, 624, 1.533), (738, 574, 1.": [(0.726, 0.624, 1.533)],
    "[(726, 624, 1.5": "malformed",
    "[(726, 624, 1.5 m)]": "malformed",
    "[(1, 2, 3, 4)]": "malformed",
    "[(1, 2, inf)]": "malformed",
    "[(1001, 2)]": "out_of_range",
    "[(1, 2, 0)]": "out_of_range",
    "[(1, 2, -0.3)]": "out_of_range",
    "[(1, 2, 1e999)]": "out_of_range",
    "[[1, 2]]": "no_point",
}
BRAIN = {
    "[(376, 309), (332, 357)]": [(376 / 640, 309 / 480), (332 / 640, 357 / 480)],
    "[(320, 240)]": [(0.5, 0.5)],
    "(320.0, 240.5)": [(0.5, 240.5 / 480)],
    "[(0, 0), (640, 480)]": [(0, 0), (1, 1)],
    "<answer>[(320, 240)]</answer>": [(0.5, 0.5)],
    "[(0.5, 0.5)]": [(0.5 / 640, 0.5 / 480)],
    "I would grasp (320, 240).": [(0.5, 0.5)],
    "[(641, 100)]": "out_of_range",
    "[(100, 481)]": "out_of_range",
    "[(1, 2, 3, 4)]": "malformed",
    "[(320, 24": "malformed",
    "[320, 240]": "no_point",
}
OBJECTS = {
    '{"KEY": [X, Y], "label": "cup"}': [(0.5, 0.25, "cup")],
    '```json\n[\n\t{"KEY": [X, Y], "label": "cup"}\n]\n```': [(0.5, 0.25, "cup")],
    '```\n{"label": "cup", "KEY": [X, Y]}\n```\nDone.': [(0.5, 0.25, "cup")],
    "[{'KEY': [X, Y], 'label': 'the cup\\'s handle'}]": [(0.5, 0.25, "the cup's handle")],
    "{'KEY': [X, Y], 'label': 'the cup's handle'}": [(0.5, 0.25, "the cup's handle")],
    '{"KEY": [X, Y], "label": "the \\"red\\" cup"}': [(0.5, 0.25, 'the "red" cup')],
    '{"label": "the "red" cup", "KEY": [X, Y]}': [(0.5, 0.25, 'the "red" cup')],
    '{"KEY": [X, Y], "label": "a {cup} [1, 2], \\u00e9\\ud83d\\ude00"}': [
        (0.5, 0.25, "a {cup} [1, 2], é😀")
    ],
    '{"KEY": [X, Y], "label": "\\ud83d杯子"}': [(0.5, 0.25, "\ufffd杯子")],
    '{"KEY": [X, Y]} and {"KEY": [0, 0], "label": "b"}': [(0.5, 0.25, ""), (0, 0, "b")],
    '[{"KEY": [X, Y], "label": 3}, {"KEY": [0.0, 0e3], "ok": True, },]': [
        (0.5, 0.25, ""),
        (0, 0, ""),
    ],
    '{"found": {"all": [{"KEY": [X, Y]}]}}': [(0.5, 0.25, "")],
    'It\'s {here}: {"KEY": [X, Y]}': [(0.5, 0.25, "")],
    '{"KEY": [[X, Y], [0, 0]]}': [(0.5, 0.25, ""), (0, 0, "")],
    '{"label": "say \\"KEY\\": [1, 1]", "KEY": [X, Y]}': [(0.5, 0.25, 'say "KEY": [1, 1]')],
    '[{"KEY": [X, Y], "label": "the re': [(0.5, 0.25, "")],
    '[{"KEY": [X, Y], "label": "a"}, {"KEY": [1': [(0.5, 0.25, "a")],
    '[{"KEY": [X, Y]': [(0.5, 0.25, "")],
    '[{"KEY": [X, Y': "malformed",
    '[{"KEY": ': "malformed",
    '{"KEY": [X]}': "malformed",
    '{"KEY": [X}': "malformed",
    '{"KEY": [X, Y, 3]}': "malformed",
    '{"KEY": [NaN, Y]}': "malformed",
    '{"KEY": ["X", "Y"]}': "malformed",
    '{"KEY": "X, Y"}': "malformed",
    '{"KEY": null}': "malformed",
    '{"KEY": {"x": X, "y": Y}}': "malformed",
    '{"KEY": []}': "no_point",
    "[]": "no_point",
    '{"bbox_2d": [1, 2, 3, 4], "box_2d": [1, 2, 3, 4]}': "no_point",
    '"KEY": [X, Y]': "no_point",
    "[X, Y]": "no_point",
    '{"KEY": [-1, Y]}': "out_of_range",
    '{"KEY": [1e5, Y]}': "out_of_range",
    '{"KEY": [1e400, Y]}': "out_of_range",
    "  ": "empty",
}
MOLMO = {
    '<point x="63.5" y="44.5" alt="mug">mug</point>': [(0.635, 0.445, "mug")],
    ' <points x1="10.5" y1="20" x2="30" y2="40.0" alt="cups">cups</points>': [
        (0.105, 0.2, "cups"),
        (0.3, 0.4, "cups"),
    ],
    "<point x='63.5', y = '44.5'/>": [(0.635, 0.445, "")],
    '<point alt="a &quot;b&quot; &lt;c&gt;" x=" 1 " y="2"></point>': [(0.01, 0.02, 'a "b" <c>')],
    '<point x="1" y="2" alt="the "red" mug">the "red" mug</point>': [(0.01, 0.02, "the ")],
    'Two: <point x="1" y="2"> and <point x="3" y="4">.': [(0.01, 0.02, ""), (0.03, 0.04, "")],
    '<points y1="20" x1="10" x7="30" y7="40">': [(0.1, 0.2, ""), (0.3, 0.4, "")],
    '<point x="100.0" y="0">': [(1, 0, "")],
    '<point x="63.5" y="44.5" alt="the re': [(0.635, 0.445, "")],
    '<points x1="10" y1="20" x2="30" y2="4': [(0.1, 0.2, "")],
    '<points x1="10" y1="20" x2="30"': [(0.1, 0.2, "")],
    '<point x="63.5" y="44.': "malformed",
    '<point x="63.5"': "malformed",
    '<point x="63.5">mug</point>': "malformed",
    '<point x="63.5" y="">mug</point>': "malformed",
    '<point x="nan" y="1">': "malformed",
    '<points x1="1" y1="2" x1="3" y1="4">': "malformed",
    '<point x="٣" y="4">': "malformed",
    "<point x=63.5 y=44.5>": "no_point",
    '<points coords="1 1 990 800">': "no_point",
    "<point>63 44</point>": "no_point",
    "There are none.": "no_point",
    '<point x="635" y="44.5">': "out_of_range",
    '<point x="-1" y="44.5">': "out_of_range",
}
MOLMO2 = {
    '<points coords="1 1 990 800 2 900 700">cups</points>': [
        (0.99, 0.8, "cups"),
        (0.9, 0.7, "cups"),
    ],
    'Counting the <points coords="1 1 056 1000">cup</points> shows a total of 1.': [
        (0.056, 1, "cup")
    ],
    '<points alt="red cup" coords="1 1 5 7">cup</points>': [(0.005, 0.007, "red cup")],
    '<tracks coords="0.5 1 500 500">cup</tracks>': [(0.5, 0.5, "cup")],
    "<points coords='1 1 500 500'/>": [(0.5, 0.5, "")],
    '<points coords="1 1 500 500">a &amp; b</points> <points coords="1 2 0 0">c</points>': [
        (0.5, 0.5, "a & b"),
        (0, 0, "c"),
    ],
    '<points coords="2 1 500 500;2 2 250 250">cup': [(0.5, 0.5, "cup"), (0.25, 0.25, "cup")],
    '<points coords="1 1 990 800 2 900 70': [(0.99, 0.8, "")],
    '<points coords="1 1 990 800" alt="re': [(0.99, 0.8, "")],
    '<points coords="1 1 990 80': "malformed",
    '<points coords="1 1 990">': "malformed",
    '<points coords="1 1 990 800\t2 2 900 700">': "malformed",
    '<points coords="1 1 nan 800">': "malformed",
    '<points coords="1 1 (990, 800)">': "malformed",
    '<points coords="1">': "no_point",
    '<points coords="">': "no_point",
    "There are none.": "no_point",
    '<point x="1" y="2">': "no_point",
    '<points coords="1 1 1001 800">': "out_of_range",
    '<points coords="1 1 -5 800">': "out_of_range",
}
R1 = {
    "<point>[[320, 240]]</point>": [(0.5, 0.5)],
    "<point>[[320, 240], [64.0, 48]]</point>": [(0.5, 0.5), (0.1, 0.1)],
    "<answer><point>[[320,\n240]]</point></answer>": [(0.5, 0.5)],
    "<point>[320, 240]</point>": [(0.5, 0.5)],
    "<point>[[320, 240]]</point> or <point>[[640, 480]]</point>": [(0.5, 0.5), (1, 1)],
    "<point>[[320, 240]]<point>[[64, 48]]</point>": [(0.5, 0.5), (0.1, 0.1)],
    "<point>[[320, 240], [64, 4": [(0.5, 0.5)],
    "<point>[[320, 240]": [(0.5, 0.5)],
    "<point>[[320, 240</point>": "malformed",
    "<point>[[320, 24": "malformed",
    "<point>": "malformed",
    "<point></point>": "malformed",
    "<point>[[x1, y1], ...]</point>": "malformed",
    "<point>[[1, 2, 3]]</point>": "malformed",
    "<point>320 240</point>": "malformed",
    "[[320, 240]]": "no_point",
    "</point>": "no_point",
    "<point>[[641, 240]]</point>": "out_of_range",
    "<point>[[-1, 240]]</point>": "out_of_range",
}
RYNN = {
    "<affordance><frame 0>: (235, 419)</affordance>": [(0.235, 0.419)],
    "The affordance is at <affordance> <frame 6>:; (235, 419) </affordance>\n": [(0.235, 0.419)],
    "#### <answer><affordance><frame 2> (235, 419) </affordance></answer>": [(0.235, 0.419)],
    "<affordance> (235, 419) </affordance>": [(0.235, 0.419)],
    "<area> <frame 5>: ; (328, 812), (308, 817) </area>": [(0.328, 0.812), (0.308, 0.817)],
    "<object> <frame53>; (333, 430), (453, 650) </object>": [(0.393, 0.54)],
    "Move <affordance><frame 0>: (100, 200)</affordance> of <object><frame 0>: (0, 0), (200, 400)"
    "</object> to <area><frame 0>: (500, 500)</area>": [(0.1, 0.2), (0.1, 0.2), (0.5, 0.5)],
    "<area><frame 0>: (328, 812), (308, 8": [(0.328, 0.812)],
    "<trajectory><frame 1>: (1, 2), (1000, 0)": [(0.001, 0.002), (1, 0)],
    "<affordance><frame 0>: (235, 4": "malformed",
    "<affordance><frame 0>: </affordance>": "malformed",
    "<affordance><frame 0>: (235)</affordance>": "malformed",
    "<object><frame 0>: (235, 419)</object>": "malformed",
    "<area><frame 0>: (1, 2)</area><area><frame 1>: (1, 2)</area>": "malformed",
    "<affordance>(nan, 2)</affordance>": "malformed",
    "(235, 419)": "no_point",
    "<affordance><frame 0>: (235, 1419)</affordance>": "out_of_range",
    "<object>(-1, 0), (2, 3)</object>": "out_of_range",
}
SEED = {
    "<point>450 417</point>": [(0.45, 0.417)],
    "Action: click(point='<point>450 417</point>')": [(0.45, 0.417)],
    "<point>450, 417</point>": [(0.45, 0.417)],
    "<|box_start|>(450,417)<|box_end|>": [(0.45, 0.417)],
    "click(start_box='<|box_start|>(450,417)<|box_end|>')": [(0.45, 0.417)],
    "click(start_box='(450,417)')": [(0.45, 0.417)],
    "<bbox>100 200 300 400</bbox>": [(0.2, 0.3)],
    "<|box_start|>(100,200),(300,400)<|box_end|>": [(0.2, 0.3)],
    "<point>0 1000</point> <point>999 5.5</point>": [(0, 1), (0.999, 0.0055)],
    "drag(start_box='(1,2)', end_box='(3,4)')": [(0.001, 0.002), (0.003, 0.004)],
    "<point>450 417</point><point>45": [(0.45, 0.417)],
    "<point>450 41": "malformed",
    "<|box_start|>(450,417)": "malformed",
    "<point>x1 y1</point>": "malformed",
    "<point>1 2 3 4</point>": "malformed",
    "<bbox>1 2</bbox>": "malformed",
    "<point></point>": "malformed",
    "<point>\uff11 \uff12</point>": "malformed",
    "450 417": "no_point",
    "(450,417)": "no_point",
    "<point>450 1417</point>": "out_of_range",
    "<point>-450 417</point>": "out_of_range",
}


def cases() -> list[Case]:
    made: list[Case] = []
    plain: list[tuple[Dialect, dict[str, object]]] = [
        (roborefer.RoboRefer(), TUPLES),
        (robotracer.RoboTracer(), TRACER),
        (robobrain2.RoboBrain2(), BRAIN),
        (molmo.Molmo(), MOLMO),
        (molmo2.Molmo2(), MOLMO2),
        (embodied_r1.EmbodiedR1(), R1),
        (rynnbrain.RynnBrain(), RYNN),
        (seed.Seed("point"), SEED),
        (seed.Seed("box"), SEED),
    ]
    for dialect, table in plain:
        made += [(dialect, text, wanted) for text, wanted in table.items()]  # type: ignore[misc]
    for dialect, key, x, y in (
        (qwen2_5_vl.Qwen25VL(), "point_2d", "320", "120"),
        (qwen3_vl.Qwen3VL(), "point_2d", "500", "250"),
        (gemini.Gemini(), "point", "250", "500"),
        (mimo_embodied.MiMoEmbodied(), "points", "320", "120"),
    ):
        for text, wanted in OBJECTS.items():
            if isinstance(wanted, list):
                wanted = [(u, v, label.replace("KEY", key)) for u, v, label in wanted]
            filled = text.replace("KEY", key).replace("X", x).replace("Y", y)
            made.append((dialect, filled, wanted))  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize(
    ("dialect", "text", "wanted"),
    [pytest.param(*case, id=f"{case[0].name}:{case[1][:40]!a}") for case in cases()],
)
def test_an_answer_is_read(
    dialect: Dialect, text: str, wanted: list[tuple[object, ...]] | str
) -> None:
    if isinstance(wanted, str):
        with pytest.raises(AnswerError) as caught:
            dialect.parse(text, SIZE)
        assert caught.value.kind == wanted
        return
    points = dialect.parse(text, SIZE)
    assert len(points) == len(wanted)
    for point, expected in zip(points, wanted, strict=True):
        check(point, expected)


def check(point: PointSeen, expected: tuple[object, ...]) -> None:
    assert point.u == pytest.approx(expected[0], abs=1e-12)
    assert point.v == pytest.approx(expected[1], abs=1e-12)
    extra = expected[2] if len(expected) > 2 else ""
    if isinstance(extra, str):
        assert (point.depth, point.label) == (None, extra)
    else:
        assert (point.depth, point.label) == (extra, "")
