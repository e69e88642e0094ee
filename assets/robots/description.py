"""Read a robot's URDF: its links that have mass, and the joints between them.

Links without mass are frames; they are carried by what they are fixed to.
Source: https://wiki.ros.org/urdf/XML.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from refergym.assets.errors import PackError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """A rigid body."""

    name: str
    mass: float
    """kg"""
    com: Array
    """[3] m, link's frame"""
    inertia: Array
    """[3, 3] kg m2 about the centre of mass, along the link's axes"""
    collision: Path
    """mesh file"""
    collision_origin: Array
    """[4, 4] of the mesh in the link's frame"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Joint:
    """What holds a link to another one."""

    name: str
    kind: str
    """ "fixed", "revolute" or "prismatic" """
    parent: str
    child: str
    origin: Array
    """[4, 4] the child's frame in the parent's where the joint is at zero"""
    axis: Array
    """[3] unit, child's frame"""
    lower: float
    """rad or m"""
    upper: float
    effort: float
    """N m or N"""
    mimics: str
    """the joint that this one follows; empty for none"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """A place on a link that has a name and no mass."""

    name: str
    link: str
    origin: Array
    """[4, 4] in the link's frame"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Description:
    """A robot. The first link is its base."""

    links: tuple[Link, ...]
    joints: tuple[Joint, ...]
    frames: tuple[Frame, ...]


def read_urdf(path: Path) -> Description:
    """Read a URDF.

    Raises:
        PackError: naming the file, if it cannot be read or lacks something.
    """
    try:
        root = ElementTree.fromstring(path.read_text())
        links = [_link(node, path.parent) for node in root.iter("link") if _mass(node) > 0]
        joints = [_joint(node) for node in root.iter("joint")]
    except OSError as e:
        raise PackError(f"{path}: cannot read the robot's URDF ({e.strerror})") from e
    except (ElementTree.ParseError, KeyError, ValueError, AttributeError) as e:
        raise PackError(f"{path}: not a readable URDF ({type(e).__name__}: {e})") from e
    return _without_frames(links, joints)


def _without_frames(links: Sequence[Link], joints: Sequence[Joint]) -> Description:
    """Carry the joints over links without mass, which become frames."""
    solid = {link.name for link in links}
    held: dict[str, tuple[str, Array]] = {}
    kept, frames = [], []
    for joint in joints:
        parent, before = held.get(joint.parent, (joint.parent, np.eye(4)))
        origin = before @ joint.origin
        if joint.child in solid:
            kept.append(replace(joint, parent=parent, origin=origin))
        else:
            held[joint.child] = parent, origin
            frames.append(Frame(name=joint.child, link=parent, origin=origin))
    return Description(links=tuple(links), joints=tuple(kept), frames=tuple(frames))


def _link(node: ElementTree.Element, folder: Path) -> Link:
    inertial = _child(node, "inertial")
    tensor = {k: float(v) for k, v in _child(inertial, "inertia").attrib.items()}
    origin = _origin(inertial)
    xx, yy, zz, xy, xz, yz = (tensor[k] for k in ("ixx", "iyy", "izz", "ixy", "ixz", "iyz"))
    own = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    collision = _child(node, "collision")
    return Link(
        name=node.attrib["name"],
        mass=_mass(node),
        com=origin[:3, 3],
        inertia=origin[:3, :3] @ own @ origin[:3, :3].T,
        collision=folder / _child(_child(collision, "geometry"), "mesh").attrib["filename"],
        collision_origin=_origin(collision),
    )


def _joint(node: ElementTree.Element) -> Joint:
    kind = node.attrib["type"]
    if kind not in ("fixed", "revolute", "prismatic"):
        raise ValueError(f"joint {node.attrib['name']!r} is of type {kind!r}")
    limit, axis, mimic = node.find("limit"), node.find("axis"), node.find("mimic")
    limits = {} if limit is None else limit.attrib
    return Joint(
        name=node.attrib["name"],
        kind=kind,
        parent=_child(node, "parent").attrib["link"],
        child=_child(node, "child").attrib["link"],
        origin=_origin(node),
        axis=np.array([1.0, 0, 0] if axis is None else _numbers(axis.attrib["xyz"])),
        lower=float(limits.get("lower", 0)),
        upper=float(limits.get("upper", 0)),
        effort=float(limits.get("effort", 0)),
        mimics="" if mimic is None else mimic.attrib["joint"],
    )


def _mass(node: ElementTree.Element) -> float:
    mass = node.find("inertial/mass")
    return 0.0 if mass is None else float(mass.attrib["value"])


def _origin(node: ElementTree.Element) -> Array:
    """Return a node's origin as [4, 4]; fixed axes: roll about x, pitch about y, yaw about z."""
    found = node.find("origin")
    out = np.eye(4)
    if found is not None:
        out[:3, 3] = _numbers(found.get("xyz", "0 0 0"))
        (cr, cp, cy), (sr, sp, sy) = (
            [f(a) for a in _numbers(found.get("rpy", "0 0 0"))] for f in (math.cos, math.sin)
        )
        out[:3, :3] = [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    return out


def _child(node: ElementTree.Element, name: str) -> ElementTree.Element:
    found = node.find(name)
    if found is None:
        raise ValueError(f"{node.tag} {node.get('name', '')!r} has no {name}")
    return found


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]
