import json
import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refergym.assets import records
from refergym.assets.errors import SpecError
from refergym.assets.spec import (
    CameraSpec,
    LightSpec,
    ObjectSpec,
    Pose,
    SceneSpec,
    SensorSpec,
    SupportSpec,
    check_scene,
    load_scene,
)


def scene(objects: int = 3) -> SceneSpec:
    things = tuple(
        ObjectSpec(id=f"cup_{k}", asset="Cup", pose=Pose(position=(0.4, 0.1 * k, 0.0)))
        for k in range(objects)
    )
    return SceneSpec(
        seed=7,
        composer="test",
        pack="0" * 64,
        supports=(
            SupportSpec(id="table", pose=Pose(position=(0.6, 0.0, -0.02)), size=(0.8, 1.3, 0.04)),
        ),
        objects=things,
        camera=CameraSpec(fx=200.0, fy=200.0, cx=112.0, cy=112.0, pose=Pose(position=(1, 0, 0.5))),
        settled={"kinematic": tuple(o.pose for o in things)},
    )


def edited(path: list[str | int], value: Any) -> bytes:
    raw = json.loads(records.canonical_json(scene()))
    at = raw
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return json.dumps(raw).encode()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["objects", 2, "scale"], -1, "objects[2].scale: expected > 0, got -1"),
        (["objects", 2, "scale"], 0.0, "objects[2].scale: expected > 0, got 0.0"),
        (["objects", 0, "scale"], "big", "objects[0].scale: expected float, got 'big'"),
        (["objects", 0, "friction"], -0.5, "objects[0].friction: expected >= 0, got -0.5"),
        (["objects", 1, "tint", 2], None, "objects[1].tint[2]: expected float, got null"),
        (["objects", 1, "colour"], "red", "objects[1].colour: unknown field"),
        (["wind"], 3, "wind: unknown field"),
        (["camera", "width"], 0, "camera.width: expected >= 1, got 0"),
        (["camera", "width"], 1.5, "camera.width: expected int, got 1.5"),
        (["supports", 0, "colour", 1], 1.5, "supports[0].colour[1]: expected <= 1, got 1.5"),
        (["supports"], [], "supports: expected at least one, got none"),
        (
            ["sensor", "depth_noise"],
            "fog",
            "sensor.depth_noise: expected one of 'gaussian', 'none', 'stereo', got 'fog'",
        ),
        (
            ["objects", 0, "pose", "position"],
            [1, 2],
            "objects[0].pose.position: expected array of length 3, got 2",
        ),
        (
            ["settled", "kinematic", 1, "position", 2],
            "low",
            "settled.kinematic[1].position[2]: expected float, got 'low'",
        ),
        (["settled", "kinematic"], [], "settled.kinematic: expected 3 poses, got 0"),
        (
            ["objects", 1, "pose", "orientation"],
            [1, 1, 0, 0],
            "objects[1].pose.orientation: expected unit length, got length 1.414",
        ),
        (["objects", 2, "id"], "cup_0", "objects[2].id: 'cup_0' is already objects[0]"),
        (["version"], 99, "version: expected 2, got 99"),
    ],
)
def test_a_wrong_field_is_refused_by_its_path(
    path: list[str | int], value: Any, message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        load_scene(edited(path, value))
    assert str(caught.value) == message


def test_a_missing_field_is_named() -> None:
    raw = json.loads(records.canonical_json(scene()))
    del raw["objects"][1]["asset"]
    with pytest.raises(SpecError) as caught:
        load_scene(json.dumps(raw))
    assert str(caught.value) == "objects[1].asset: required, but missing"


@pytest.mark.parametrize("text", ["", "{", '{"version": 1e999}', "NaN", "[]", "null"])
def test_text_that_is_no_scene_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"not valid JSON|\(top level\): expected object"):
        load_scene(text)


def test_a_number_that_json_cannot_hold_is_refused_by_its_path() -> None:
    broken = msgspec.structs.replace(scene(), light=LightSpec(intensity=float("nan")))
    with pytest.raises(SpecError) as caught:
        records.canonical_json(broken)
    assert str(caught.value) == "light.intensity: expected a finite number, got nan"


def test_canonical_json_is_sorted_and_writes_equal_numbers_alike() -> None:
    text = records.canonical_json(scene())
    raw = json.loads(text)
    assert text == json.dumps(raw, sort_keys=True, separators=(",", ":")).encode()
    one = msgspec.structs.replace(scene(), light=LightSpec(direction=(0.0, -0.0, 1.0)))
    two = msgspec.structs.replace(scene(), light=LightSpec(direction=(0, 0, 1)))
    assert records.canonical_json(one) == records.canonical_json(two)
    assert b'"direction":[0,0,1]' in records.canonical_json(one)


def test_the_digest_is_equal_in_another_process() -> None:
    code = (
        "import sys; from refergym.assets.spec import load_scene; "
        "print(load_scene(sys.stdin.buffer.read()).digest)"
    )
    for hashing in ("0", "77"):
        out = subprocess.run(
            [sys.executable, "-c", code],
            input=records.canonical_json(scene()),
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hashing},
        )
        assert out.stdout.decode().strip() == scene().digest


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in leaves(v, (*path, k))]
    if isinstance(value, list):
        return [p for k, v in enumerate(value) for p in leaves(v, (*path, k))]
    return [path]


def test_the_digest_changes_with_any_field() -> None:
    base = msgspec.to_builtins(scene(1))
    found = set()
    paths = leaves(json.loads(json.dumps(base)))
    for path in paths:
        raw = json.loads(json.dumps(base))
        at = raw
        for part in path[:-1]:
            at = at[part]
        old = at[path[-1]]
        at[path[-1]] = f"{old}x" if isinstance(old, str) else 0.123 if old is None else old + 1
        found.add(records.digest(raw))
    assert records.digest(base) == scene(1).digest
    assert len(found - {scene(1).digest}) == len(paths) > 50


def test_poses_and_objects_that_are_not_there_are_named() -> None:
    with pytest.raises(SpecError, match="settled: no poses for backend kind 'bullet'"):
        scene().poses("bullet")
    with pytest.raises(SpecError, match="no object 'mug_0'"):
        scene().index("mug_0")
    assert scene().index("cup_2") == 2


finite = st.floats(-1e6, 1e6, allow_nan=False)
positive = st.floats(1e-6, 1e6)
axis = st.tuples(finite, finite, finite)
turns = st.sampled_from([(1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.6, 0.0, 0.8, 0.0)])
pose_specs = st.builds(Pose, position=axis, orientation=turns)
names = st.text(min_size=1, max_size=12)
things = st.lists(
    st.builds(
        ObjectSpec,
        id=names,
        asset=names,
        pose=pose_specs,
        scale=positive,
        tint=axis,
        mass_scale=positive,
        friction=st.none() | st.floats(0, 10),
    ),
    max_size=4,
    unique_by=lambda o: o.id,
).map(tuple)
scenes = st.builds(
    SceneSpec,
    seed=st.integers(0, 2**53),
    composer=names,
    pack=names,
    supports=st.just(scene().supports),
    objects=things,
    light=st.builds(LightSpec, direction=axis, intensity=st.floats(0, 10)),
    sensor=st.builds(SensorSpec, depth_noise=st.sampled_from(["none", "gaussian", "stereo"])),
    camera=st.builds(
        CameraSpec,
        fx=positive,
        fy=positive,
        cx=finite,
        cy=finite,
        pose=pose_specs,
        width=st.just(9),
    ),
)


@settings(max_examples=60, deadline=None)
@given(scenes)
def test_a_scene_survives_the_round_trip_through_json(spec: SceneSpec) -> None:
    spec = msgspec.structs.replace(spec, settled={"x": tuple(o.pose for o in spec.objects)})
    check_scene(spec)
    text = records.canonical_json(spec)
    again = load_scene(text)
    assert again == spec
    assert records.canonical_json(again) == text
    assert again.digest == spec.digest


@pytest.mark.parametrize("text", ['{"x": ' * 101 + "1" + "}" * 101, "[" * 101, "[" * 100_000])
def test_what_is_nested_too_deeply_is_refused_however_much_stack_is_left(text: str) -> None:
    for data in (text, text.encode()):
        with pytest.raises(SpecError, match="nested too deeply: more than 100 levels"):
            records.decode(data, dict)


def test_brackets_in_texts_and_beside_each_other_are_no_levels() -> None:
    many = [{"text": "[" * 200 + '"\\'}] * 200
    assert records.decode(json.dumps(many), list) == many
    deep = "[" * 100 + '"]"' + "]" * 100
    assert isinstance(records.decode(deep, list), list)
