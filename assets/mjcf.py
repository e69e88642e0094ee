"""A scene's objects and supports as one MJCF model: FOLDER/scene.xml, and the meshes it names.

Each object is a body with a free joint, at the pose where it starts; the table and the floor are
boxes. Parts that collide are meshes of group 3, what is seen is of group 2 and collides with
nothing. MuJoCo takes the larger friction of two that touch.

Source: https://mujoco.readthedocs.io/en/stable/XMLreference.html.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from refergym.assets import records
from refergym.assets.hull_meshes import hull_mesh
from refergym.assets.identifiers import identifiers
from refergym.assets.inertia import ROLLING_FRICTION, SPINNING_FRICTION, dynamics
from refergym.assets.library import Pack
from refergym.assets.obj_files import MeshFiles, scene_meshes
from refergym.assets.slabs import convex_parts
from refergym.assets.spec import ObjectSpec, Pose, SceneSpec, SupportSpec

FILE, SCENE = "scene.xml", "scene.json"
SEEN, SOLID = "2", "3"
"""groups of geoms"""


def write_mjcf(scene: SceneSpec, pack: Pack, folder: Path, poses: str | None = None) -> Path:
    """Write a scene's objects and supports, without robot and cameras; returns the model's file.

    Args:
        scene: any scene.
        pack: where its assets are.
        folder: gets scene.xml, scene.json (the SceneSpec) and meshes/.
        poses: kind of backend whose poses at rest the objects start at; None takes the composed.

    Raises:
        SpecError: if the scene was not settled for `poses`.
        PackError: if the pack lacks an asset, or is damaged.
        OSError: if the folder cannot be written.
    """
    start = [t.pose for t in scene.objects] if poses is None else scene.poses(poses)
    folder.mkdir(parents=True, exist_ok=True)
    files = scene_meshes(scene, pack, folder)
    (folder / SCENE).write_bytes(records.canonical_json(scene))
    root = Element("mujoco", model="refergym")
    SubElement(root, "compiler", angle="radian", autolimits="true")
    SubElement(root, "option", gravity="0 0 -9.81")
    assets, world = SubElement(root, "asset"), SubElement(root, "worldbody")
    sun = [-v for v in scene.light.direction]
    SubElement(world, "light", directional="true", pos="0 0 3", dir=_text(sun))
    supports = identifiers(s.id for s in scene.supports)
    for name, support in zip(supports, scene.supports, strict=True):
        _support(world, assets, name, support, pack)
    for meshes in files.values():
        SubElement(assets, "texture", name=meshes.name, type="2d", file=meshes.texture)
        SubElement(assets, "material", name=meshes.name, texture=meshes.name)
    names = identifiers(t.id for t in scene.objects)
    for name, thing, pose in zip(names, scene.objects, start, strict=True):
        _object(world, assets, name, thing, pose, pack, files[thing.asset])
    ElementTree.indent(root)
    path = folder / FILE
    path.write_text(ElementTree.tostring(root, encoding="unicode") + "\n")
    return path


def _object(
    world: Element,
    assets: Element,
    name: str,
    thing: ObjectSpec,
    pose: Pose,
    pack: Pack,
    meshes: MeshFiles,
) -> None:
    moves = dynamics(pack[thing.asset], thing)
    body = SubElement(world, "body", {"name": name, **_at(pose)})
    SubElement(body, "freejoint", name=name)
    SubElement(
        body,
        "inertial",
        pos=_text(moves.com),
        quat=_text(moves.axes),
        mass=_text([moves.mass]),
        diaginertia=_text(moves.moments),
    )
    scale = _text([thing.scale] * 3)
    SubElement(assets, "mesh", name=name, file=meshes.visual, scale=scale, inertia="shell")
    geom = {"type": "mesh", "mesh": name, "material": meshes.name}
    SubElement(body, "geom", geom, group=SEEN, contype="0", conaffinity="0")
    friction = _text([moves.friction, SPINNING_FRICTION, ROLLING_FRICTION])
    for k, file in enumerate(meshes.parts):
        part = f"{name}_part_{k}"
        SubElement(assets, "mesh", name=part, file=file, scale=scale)
        geom = {"type": "mesh", "mesh": part, "condim": "6", "friction": friction}
        SubElement(body, "geom", geom, group=SOLID)


def _support(world: Element, assets: Element, name: str, support: SupportSpec, pack: Pack) -> None:
    body = SubElement(world, "body", {"name": name, **_at(support.pose)})
    friction = _text([support.friction, SPINNING_FRICTION, ROLLING_FRICTION])
    colour = _text([*support.colour, 1.0])
    if support.outline is None:
        half = _text(np.array(support.size) / 2)
        SubElement(body, "geom", type="box", size=half, friction=friction, rgba=colour)
    for k, points in enumerate(convex_parts(pack, support)):
        corners, faces = hull_mesh(points)
        part = {"vertex": _text(corners.reshape(-1)), "face": " ".join(map(str, faces.reshape(-1)))}
        SubElement(assets, "mesh", part, name=f"{name}_part_{k}")
        geom = {"type": "mesh", "mesh": f"{name}_part_{k}", "friction": friction}
        SubElement(body, "geom", geom, rgba=colour)


def _at(pose: Pose) -> dict[str, str]:
    return {"pos": _text(pose.position), "quat": _text(pose.orientation)}


def _text(values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    return " ".join(f"{float(v):.9g}" for v in values)
