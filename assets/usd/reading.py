"""Read a stage of ours back as a scene.

From the prims: which objects, supports and fixtures there are, their poses, the objects' scales,
the robot's base, the camera's pose and lens. The rest from the records that they carry.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from refergym.assets import poses, records
from refergym.assets.errors import SpecError
from refergym.assets.spec import (
    CameraSpec,
    FixtureSpec,
    ObjectSpec,
    Pose,
    SceneSpec,
    SupportSpec,
    check_scene,
)
from refergym.assets.usd import names, shapes
from refergym.assets.usd.cameras import read_camera
from refergym.assets.usd.pixar import Tf, Usd
from refergym.assets.usd.stage import POSES, RECORD

R = TypeVar("R")
S = TypeVar("S", SupportSpec, FixtureSpec)


def read_stage(path: Path) -> SceneSpec:
    """Return the scene that a stage of ours shows.

    The digest is that of the scene which was written, unless prims were moved, scaled, added or
    removed since: then the objects' poses are those of the stage, and nothing is settled.

    Args:
        path: of the stage: usda, usdc or usdz.

    Raises:
        SpecError: naming the file, and the prim that is none of ours or broken.
    """
    try:
        stage = Usd.Stage.Open(str(path))
    except Tf.ErrorException as e:
        raise SpecError(f"{path}: not a readable USD stage") from e
    try:
        return _read(stage)
    except SpecError as e:
        raise SpecError(f"{path}: {e}") from e


def _read(stage: Usd.Stage) -> SceneSpec:
    world = _prim(stage, names.WORLD)
    things = _children(stage, names.OBJECTS, ObjectSpec)
    cameras = _children(stage, names.CAMERAS, CameraSpec)
    if len(cameras) != 1:
        raise SpecError(f"{names.CAMERAS}: expected one camera of ours, got {len(cameras)}")
    parts = {
        "objects": [thing for _, thing in things],
        "supports": [_as_placed(*found) for found in _children(stage, names.SUPPORTS, SupportSpec)],
        "fixtures": [_as_placed(*found) for found in _children(stage, names.FIXTURES, FixtureSpec)],
        "camera": read_camera(*cameras[0]),
    }
    with _named(world):
        rest = records.decode(_text(world, RECORD), dict[str, Any])
        scene = records.convert({**rest, **msgspec.to_builtins(parts)}, SceneSpec)
    if robot := stage.GetPrimAtPath(names.ROBOT):
        base = msgspec.structs.replace(scene.robot, base=shapes.placed(robot))
        scene = msgspec.structs.replace(scene, robot=base)
    scene = _as_shown(scene, [prim for prim, _ in things], _text(world, POSES, ""))
    check_scene(scene)
    return scene


def _as_shown(scene: SceneSpec, prims: list[Usd.Prim], kind: str) -> SceneSpec:
    """Take the objects' poses and scales from prims that are not as they were written."""
    poses_then = scene.settled.get(kind, ()) if kind else tuple(t.pose for t in scene.objects)
    poses_now = tuple(shapes.placed(prim) for prim in prims)
    scales = tuple(_scale(prim) for prim in prims)
    is_whole = all(len(rest) == len(prims) for rest in scene.settled.values())
    is_same = poses_now == poses_then and scales == tuple(t.scale for t in scene.objects)
    if is_whole and is_same:
        return scene
    objects = tuple(
        msgspec.structs.replace(thing, pose=_canonical(pose), scale=scale)
        for thing, pose, scale in zip(scene.objects, poses_now, scales, strict=True)
    )
    return msgspec.structs.replace(scene, objects=objects, settled={})


def _children(stage: Usd.Stage, path: str, kind: type[R]) -> list[tuple[Usd.Prim, R]]:
    """Return the prims below a path with the record that each carries."""
    found = []
    for prim in _prim(stage, path).GetChildren():
        with _named(prim):
            found.append((prim, records.decode(_text(prim, RECORD), kind)))
    return found


def _as_placed(prim: Usd.Prim, record: S) -> S:
    return msgspec.structs.replace(record, pose=shapes.placed(prim))


def _scale(prim: Usd.Prim) -> float:
    """Return the uniform scale of an object's geometry."""
    geometry = prim.GetChild("geometry")
    x, y, z = (float(v) for v in geometry.GetAttribute("xformOp:scale").Get())
    if max(x, y, z) - min(x, y, z) > 1e-6 * x:
        raise SpecError(f"{geometry.GetPath()}: expected a uniform scale, got {(x, y, z)}")
    return x


def _prim(stage: Usd.Stage, path: str) -> Usd.Prim:
    prim = stage.GetPrimAtPath(path)
    if not prim:
        raise SpecError(f"no prim {path}: not a stage that refergym wrote")
    return prim


def _text(prim: Usd.Prim, name: str, default: str | None = None) -> str:
    attribute = prim.GetAttribute(name)
    value = attribute.Get() if attribute else default
    if not isinstance(value, str):
        raise SpecError(f"no attribute {name}; leave it where refergym wrote it")
    return value


@contextlib.contextmanager
def _named(prim: Usd.Prim) -> Iterator[None]:
    """Put the path of a prim before the message of a SpecError."""
    try:
        yield
    except SpecError as e:
        raise SpecError(f"{prim.GetPath()}: {e}") from e


def _canonical(pose: Pose) -> Pose:
    """Return the same pose with a unit quaternion, w >= 0; as it is if it has one."""
    turn = np.array(pose.orientation)
    if turn[0] >= 0 and abs(turn @ turn - 1) < 1e-6:
        return pose
    w, x, y, z = (float(v) for v in poses.canonical(turn))
    return msgspec.structs.replace(pose, orientation=(w, x, y, z))
