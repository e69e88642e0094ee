"""Where the parts of a thing point: handle, opening, blade, spine, screen... measured, not assumed.

Each measurer takes a mesh (z up, standing or lying as on a table) and gives a unit vector in the
mesh's frame, or None where the shape does not tell: a pot with two handles, a cup without one.
Level directions near an axis of the frame are put on it (`sections.level_unit`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import trimesh
from numpy.typing import NDArray

from refergym.assets.builder import colours, turned
from refergym.assets.builder.sections import STATIONS, Tool, level_unit
from refergym.assets.spec import Vec3

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

SAMPLES = 6000
TINE_STATIONS = 4
"""cross-sections in two or more pieces that make tines"""
SHARPER = 0.9
"""ratio of thickness near the two sides of a blade that tells its edge from its back"""
HEEL = 0.08
"""of the blade's width: how much further its edge stands out beyond the grip than its back"""
POINT = 0.4
"""of the blade's width: least distance of its point from the edge's line"""
STICKS_OUT = 0.004
"""m beyond the body from which a point belongs to a handle"""
LEAST_HANDLE = 0.012
"""m beyond the body that a handle reaches"""
ONE_HANDLE = 0.8
"""length of the mean direction of a handle's points; two opposite handles have 0"""
RINGS = 0.85
"""share of level rays from the middle of a hollow that meet its wall; it may have holes"""
LEAST_HOLLOW = 0.2
"""of the height: depth of a hollow worth the name"""
NARROWER = 0.65
"""radius of a neck by that of its body"""
STEM_SLICE = 0.07
"""of the height: slices at top and bottom in which a stem shows"""
THIN = 0.25
"""width of a stem by that of its fruit"""
RAGGED = 0.3
"""spread of the distances from the axis by their mean, of leaves"""
LONG_FRUIT = 0.3
"""squared spread across a long fruit by that along it"""
PAGES_INSET = 0.002
"""m that a cover overhangs its pages"""
ALIKE, UNLIKE = 12.0, 15.0
"""CIE Lab distances: sides of one kind, and of two"""
FLATTER = 0.05
"""difference in the share of flat surface that tells a screen from a back"""
FRAME = 0.001
"""m that a frame stands out before its picture"""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a measurer may look at."""

    vertices: Points
    """[V, 3] m, bottom at z = 0"""
    faces: Faces
    """[F, 3]"""
    uv: Points | None
    """[V, 2] origin at the texture's top left"""
    texture: NDArray[np.uint8] | None
    """[h, w, 3] sRGB"""

    @property
    def mesh(self) -> trimesh.Trimesh:
        """The triangles as trimesh has them."""
        return trimesh.Trimesh(self.vertices, self.faces, process=False)

    def samples(self) -> Points:
        """Points spread over the surface, [SAMPLES, 3] m."""
        points, _ = trimesh.sample.sample_surface(self.mesh, SAMPLES, seed=0)
        return np.asarray(points, np.float64)


def measured(
    kind: str,
    vertices: Points,
    faces: Faces,
    uv: Points | None = None,
    texture: NDArray[np.uint8] | None = None,
) -> Vec3 | None:
    """Measure one direction of a thing.

    Args:
        kind: a key of MEASURERS.
        vertices: [V, 3] m, z up.
        faces: [F, 3] counter-clockwise from outside.
        uv: [V, 2] origin at the texture's top left; "spine", "cover" and "face" may need it.
        texture: [h, w, 3] sRGB.

    Returns:
        [3] unit vector in the mesh's frame, or None where the shape does not tell.

    Raises:
        ValueError: for a kind that is not in MEASURERS.
    """
    if kind not in MEASURERS:
        raise ValueError(f"direction {kind!r}: expected one of {', '.join(sorted(MEASURERS))}")
    standing = vertices - [0.0, 0.0, float(vertices[faces][..., 2].min())]
    found = MEASURERS[kind](Shape(vertices=standing, faces=faces, uv=uv, texture=texture))
    if found is None:
        return None
    x, y, z = (round(float(v), 5) + 0.0 for v in found / np.linalg.norm(found))
    return (x, y, z)


def handle(shape: Shape) -> Points | None:
    """From a vessel's axis to the middle of its one handle, or from a tool's head to its grip."""
    tool = Tool.of(shape.vertices, shape.faces)
    return _vessel_handle(shape) if tool is None else tool.grip


def working_end(shape: Shape) -> Points | None:
    """From a tool's grip to its blade, bowl or head."""
    tool = Tool.of(shape.vertices, shape.faces)
    return None if tool is None or tool.grip is None else -tool.grip


def edge(shape: Shape) -> Points | None:
    """To the sharp side of a knife: thinner there, wider than the grip, away from the point."""
    tool = Tool.of(shape.vertices, shape.faces)
    if tool is None or tool.grip is None:
        return None
    outward = tool.stations if tool.grip @ tool.along < 0 else tool.stations[::-1]
    held, body = outward[STATIONS // 10 : STATIONS // 5], outward[STATIONS // 2 : -STATIONS // 5]
    low = float(np.median([s.thickness(0.1) for s in body]))
    high = float(np.median([s.thickness(0.9) for s in body]))
    ends = np.array([[s.low, s.high] for s in body])
    width = float((ends[:, 1] - ends[:, 0]).max())
    handle_ends = np.median([[s.low, s.high] for s in held], axis=0)
    heel = np.array([handle_ends[0] - ends[:, 0].min(), ends[:, 1].max() - handle_ends[1]]) / width
    tip = (outward[-1].low + outward[-1].high) / 2
    point = np.array([tip - ends[:, 0].min(), ends[:, 1].max() - tip]) / width
    side = int(high < low)
    is_thin = min(low, high) < SHARPER * max(low, high)
    is_heel = heel[side] - heel[1 - side] > HEEL
    if not (is_thin and is_heel and point[side] > POINT):
        return None
    return tool.across if side else -tool.across


def tines(shape: Shape) -> Points | None:
    """To the end of a fork at which its cross-sections fall apart into tines."""
    tool = Tool.of(shape.vertices, shape.faces)
    if tool is None:
        return None
    split = np.array([s.pieces >= 2 for s in tool.stations])
    third = STATIONS // 3
    near, far = int(split[:third].sum()), int(split[-third:].sum())
    if max(near, far) < TINE_STATIONS or min(near, far) > 0:
        return None
    return tool.along if far > near else -tool.along


def opening(shape: Shape) -> Points | None:
    """Up, where a hollow with a wall round it is open to the sky."""
    mesh = shape.mesh
    middle, height = _turned(shape)
    angle = np.arange(48) * (2 * np.pi / 48) + 0.013
    out = np.stack([np.cos(angle), np.sin(angle), np.zeros(48)], axis=1)
    axis = np.array([*middle, 0.0])
    down = np.tile([0.0, 0.0, -1.0], (48, 1))
    starts = axis + 0.06 * height * out * [1, 1, 0] + [0, 0, height + 0.1]
    hit, ray, _ = mesh.ray.intersects_location(starts, down, multiple_hits=False)
    if len(np.unique(ray)) < 0.9 * len(starts):
        return None
    floor = float(np.median(hit[:, 2]))
    if floor > (1 - LEAST_HOLLOW) * height:
        return None
    met = []
    for share in (0.25, 0.5, 0.75):
        level = np.tile(axis + np.array([0, 0, floor + share * (height - floor)]), (48, 1))
        _, ray, _ = mesh.ray.intersects_location(level, out, multiple_hits=False)
        met.append(len(np.unique(ray)) / len(out))
    return _UP if np.median(met) >= RINGS else None


def neck(shape: Shape) -> Points | None:
    """Up, where a bottle is narrower at its top than in its body and not at its foot."""
    try:
        profile = turned.measured_profile(shape.vertices, shape.faces)
    except ValueError:
        return None
    height, widest = profile.z[-1], float(profile.outer.max())
    top = float(np.median(profile.outer[profile.z > 0.88 * height]))
    foot = float(np.median(profile.outer[(profile.z > 0.05 * height) & (profile.z < 0.2 * height)]))
    if top > NARROWER * widest or foot < top / NARROWER:
        return None
    return _UP


def spine(shape: Shape) -> Points | None:
    """To the side of a lying book where its pages do not show, by inset or else by colour."""
    size = np.ptp(shape.vertices, axis=0)
    if size[2] > 0.6 * size[:2].min():
        return None
    sides = [_looked_at(shape, d, (0.15, 0.85), (0.3, 0.7)) for d in _LEVEL]
    if any(len(s.inset) == 0 for s in sides):
        return None
    inset = np.array([np.median(s.inset) for s in sides])
    nearest = int(inset.argmin())
    if np.delete(inset, nearest).min() > inset[nearest] + PAGES_INSET:
        return _LEVEL[nearest]
    if any(s.lab is None for s in sides):
        return None
    found = [k for k in range(4) if _differs([s.lab for s in sides], k)]
    return _LEVEL[found[0]] if len(found) == 1 else None


def cover(shape: Shape) -> Points | None:
    """Up, for a lying book: the cover that one sees. None where `spine` does not know the book."""
    return None if spine(shape) is None else _UP


def face(shape: Shape) -> Points | None:
    """Out of a screen or picture: level, from the back to the side that is flat and framed."""
    size = np.ptp(shape.vertices, axis=0)
    thin = int(size[:2].argmin())
    if size[thin] > 0.6 * size[1 - thin]:
        return None
    both = [_LEVEL[k] for k in range(4) if abs(_LEVEL[k][thin]) == 1]
    sides = [_looked_at(shape, d, (0.06, 0.94), (0.3, 0.94)) for d in both]
    if any(len(s.inset) == 0 for s in sides):
        return None
    inset = np.array([np.median(s.inset) for s in sides])
    flat = np.array(
        [(np.abs(s.inset - m) < 0.015 * size[2]).mean() for s, m in zip(sides, inset, strict=True)]
    )
    if abs(flat[0] - flat[1]) > FLATTER:
        return both[int(flat.argmax())]
    is_framed = inset > FRAME
    if is_framed.sum() != 1 or inset.min() > FRAME / 3:
        return None
    return both[int(is_framed.argmax())]


def head(shape: Shape) -> Points | None:
    """From a lamp's foot to its shade, level; None for a lamp that stands straight."""
    points = shape.samples()
    height = float(shape.vertices[:, 2].max())
    low = points[points[:, 2] < 0.08 * height][:, :2]
    high = points[points[:, 2] > 0.6 * height][:, :2]
    if len(low) < 20 or len(high) < 20:
        return None
    foot = (low.min(0) + low.max(0)) / 2
    off = (high.min(0) + high.max(0)) / 2 - foot
    if np.linalg.norm(off) < 0.5 * np.ptp(low, axis=0).max() / 2:
        return None
    return level_unit(off)


def stem(shape: Shape) -> Points | None:
    """Up, where a fruit ends in something thin above but not below."""
    points = shape.samples()
    share = points[:, 2] / points[:, 2].max()
    widest = float(np.ptp(points[:, :2], axis=0).max())
    top, foot = points[share > 1 - STEM_SLICE], points[share < STEM_SLICE]
    if len(top) < 3 or len(foot) < 3:
        return None
    width = [float(np.ptp(p[:, :2], axis=0).max()) / widest for p in (top, foot)]
    return _UP if width[0] < THIN and width[1] > 1.3 * THIN else None


def leaves(shape: Shape) -> Points | None:
    """Along a long fruit, from its smooth body to the ragged crown at the other end."""
    points = shape.samples()
    points = points - points.mean(0)
    spread, axes = np.linalg.eigh(points.T @ points)
    if spread[1] > LONG_FRUIT * spread[2]:
        return None
    axis = axes[:, 2]
    along = points @ axis
    radius = np.linalg.norm(points - np.outer(along, axis), axis=1)
    for sign in (1.0, -1.0):
        share = sign * along - (sign * along).min()
        share /= share.max()
        body = radius[(share > 0.1) & (share < 0.3)]
        crown = radius[(share > 0.7) & (share < 0.85)]
        if len(body) < 30 or len(crown) < 30:
            continue
        if crown.std() / crown.mean() > RAGGED > 2 * body.std() / body.mean():
            return np.asarray(sign * axis)
    return None


MEASURERS: Mapping[str, Callable[[Shape], Points | None]] = MappingProxyType(
    {
        "blade": working_end,
        "bowl": working_end,
        "cap": neck,
        "cover": cover,
        "edge": edge,
        "face": face,
        "grip": handle,
        "handle": handle,
        "head": head,
        "leaves": leaves,
        "neck": neck,
        "opening": opening,
        "shade": head,
        "spine": spine,
        "spout": neck,
        "stem": stem,
        "tines": tines,
        "tip": working_end,
    }
)
"""direction's name in a manifest -> what measures it"""

_UP = np.array([0.0, 0.0, 1.0])
_LEVEL = tuple(np.array([x, y, 0.0]) for x, y in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)))


def _vessel_handle(shape: Shape) -> Points | None:
    try:
        profile = turned.measured_profile(shape.vertices, shape.faces)
    except ValueError:
        return None
    points = shape.samples()
    arm = points[:, :2] - profile.axis
    beyond = np.linalg.norm(arm, axis=1) - np.interp(points[:, 2], profile.z, profile.outer)
    is_out = beyond > STICKS_OUT
    if beyond.max() < LEAST_HANDLE:
        return None
    out = arm[is_out] / np.linalg.norm(arm[is_out], axis=1, keepdims=True)
    mean = np.average(out, axis=0, weights=beyond[is_out])
    return level_unit(mean) if np.linalg.norm(mean) > ONE_HANDLE else None


def _turned(shape: Shape) -> tuple[Points, float]:
    """Axis [2] m and rim's height of a turned thing, or of the bounding box of any other."""
    low, high = shape.vertices.min(0), shape.vertices.max(0)
    try:
        profile = turned.measured_profile(shape.vertices, shape.faces)
    except ValueError:
        return (low + high)[:2] / 2, float(high[2])
    return profile.axis, float(profile.z[-1])


@dataclass(frozen=True, kw_only=True)
class _Side:
    inset: Points
    """[N] m, of the surface behind the bounding box's side"""
    lab: Points | None
    """[N, 3] CIE Lab of the texture there"""


def _looked_at(
    shape: Shape, out: Points, across: tuple[float, float], up: tuple[float, float]
) -> _Side:
    """Look at one side along parallel rays, over shares of its width and height."""
    low, high = shape.vertices.min(0), shape.vertices.max(0)
    normal = int(np.abs(out).argmax())
    other = 1 - normal
    a, b = np.meshgrid(np.linspace(*across, 24), np.linspace(*up, 16))
    starts = np.empty((a.size, 3))
    starts[:, other] = low[other] + a.ravel() * (high - low)[other]
    starts[:, 2] = low[2] + b.ravel() * (high - low)[2]
    wall = (high if out[normal] > 0 else low)[normal]
    starts[:, normal] = wall + 0.1 * out[normal]
    points, _, triangle = shape.mesh.ray.intersects_location(
        starts, np.tile(-out, (len(starts), 1)), multiple_hits=False
    )
    inset = np.abs(points[:, normal] - wall)
    if shape.uv is None or shape.texture is None or len(points) == 0:
        return _Side(inset=inset, lab=None)
    corners = shape.faces[triangle]
    bary = trimesh.triangles.points_to_barycentric(  # type: ignore[no-untyped-call]
        shape.vertices[corners], points
    )
    at = np.einsum("nk,nkd->nd", bary, shape.uv[corners])
    h, w = shape.texture.shape[:2]
    px = np.clip((at * [w, h]).astype(int), 0, [w - 1, h - 1])
    return _Side(inset=inset, lab=colours.lab(shape.texture[px[:, 1], px[:, 0]]))


def _differs(labs: list[Points | None], k: int) -> bool:
    """Tell whether side k has another colour than the rest, which are plain and alike."""
    sides = [lab for lab in labs if lab is not None]
    middle = np.array([np.median(lab, axis=0) for lab in sides])
    spread = np.array(
        [np.linalg.norm(s - m, axis=1).mean() for s, m in zip(sides, middle, strict=True)]
    )
    rest = [j for j in range(len(sides)) if j != k]
    pages = middle[rest].mean(0)
    is_plain = np.linalg.norm(middle[rest] - pages, axis=1).max() < ALIKE
    off = float(np.linalg.norm(sides[k] - pages, axis=1).mean())
    return bool(is_plain and spread[rest].max() < ALIKE and off > UNLIKE)
