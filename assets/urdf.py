"""Objects of a scene as URDF files: one for each, its scale, mass and friction worked in.

    FOLDER/objects/ID.urdf    one link, "body", at the asset's own frame
    FOLDER/meshes/ASSET/      visual.obj with texture.png, part_K.obj
    FOLDER/scene.json         the SceneSpec: where each of them stands

Source: https://wiki.ros.org/urdf/XML; `contact` is PyBullet's.
"""

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from refergym.assets import records
from refergym.assets.identifiers import identifiers
from refergym.assets.inertia import ROLLING_FRICTION, SPINNING_FRICTION, Dynamics, dynamics
from refergym.assets.library import Pack
from refergym.assets.obj_files import MeshFiles, scene_meshes
from refergym.assets.spec import ObjectSpec, SceneSpec

SCENE = "scene.json"


def write_urdf(scene: SceneSpec, pack: Pack, folder: Path) -> tuple[Path, ...]:
    """Write the objects of a scene; returns the file of each, in the order of `objects`.

    Raises:
        PackError: if the pack lacks an asset, or is damaged.
        OSError: if the folder cannot be written.
    """
    (folder / "objects").mkdir(parents=True, exist_ok=True)
    meshes = scene_meshes(scene, pack, folder)
    (folder / SCENE).write_bytes(records.canonical_json(scene))
    names = identifiers(thing.id for thing in scene.objects)
    written = []
    for name, thing in zip(names, scene.objects, strict=True):
        moves = dynamics(pack[thing.asset], thing)
        robot = _robot(name, thing, moves, meshes[thing.asset])
        ElementTree.indent(robot)
        path = folder / "objects" / f"{name}.urdf"
        path.write_text(ElementTree.tostring(robot, encoding="unicode") + "\n")
        written.append(path)
    return tuple(written)


def _robot(name: str, thing: ObjectSpec, moves: Dynamics, meshes: MeshFiles) -> Element:
    robot = Element("robot", name=name)
    link = SubElement(robot, "link", name="body")
    contact = SubElement(link, "contact")
    for key, value in (
        ("lateral", moves.friction),
        ("rolling", ROLLING_FRICTION),
        ("spinning", SPINNING_FRICTION),
    ):
        SubElement(contact, f"{key}_friction", value=_text(value))
    inertial = SubElement(link, "inertial")
    SubElement(inertial, "origin", xyz=_text(*moves.com.tolist()), rpy="0 0 0")
    SubElement(inertial, "mass", value=_text(moves.mass))
    tensor = moves.inertia
    pairs = {"ixx": (0, 0), "iyy": (1, 1), "izz": (2, 2), "ixy": (0, 1), "ixz": (0, 2),
             "iyz": (1, 2)}  # fmt: skip
    SubElement(inertial, "inertia", {k: _text(float(tensor[at])) for k, at in pairs.items()})
    for kind, file in (("visual", meshes.visual), *(("collision", f) for f in meshes.parts)):
        geometry = SubElement(SubElement(link, kind), "geometry")
        scale = _text(thing.scale, thing.scale, thing.scale)
        SubElement(geometry, "mesh", filename=f"../{file}", scale=scale)
    return robot


def _text(*values: float) -> str:
    return " ".join(f"{v:.9g}" for v in values)
