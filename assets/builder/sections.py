"""A long thing that lies (a tool, a piece of cutlery), cut across: which end does what."""

import math
from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

SAMPLES = 6000
STATIONS = 60
"""cross-sections along a tool"""
SNAP = math.radians(9)
"""of an axis of the frame: a level direction that is nearer is that axis, as makers model things
along axes and the centre of gravity of a knife is a little off its line"""
LONG = 2.6
"""length by width and height of a tool"""
WIDER = (1.2, 1.6)
"""ratios of the mean widths of a tool's halves that tell its working end from its grip: by
themselves, and whatever the thickness"""
THINNER = 0.85
"""ratio of the thicknesses of a tool's halves that tells a knife's blade from its grip"""


@dataclass(frozen=True, kw_only=True)
class Station:
    """One cross-section."""

    low: float
    high: float
    """m, ends of the cross-section across the tool"""
    pieces: int
    """parts into which gaps cut it"""
    outline: Points
    """[N, 2, 2] m, segments; across and up"""

    def thickness(self, share: float) -> float:
        """Height of the cross-section at a share of its width, m."""
        at = self.low + share * (self.high - self.low)
        a, b = self.outline[:, 0], self.outline[:, 1]
        crossed = (a[:, 0] - at) * (b[:, 0] - at) <= 0
        a, b = a[crossed], b[crossed]
        step = b[:, 0] - a[:, 0]
        t = np.where(np.abs(step) > 1e-12, (at - a[:, 0]) / np.where(step == 0, 1, step), 0.5)
        up = a[:, 1] + t * (b[:, 1] - a[:, 1])
        return float(np.ptp(up)) if len(up) else 0.0


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A long thing that lies, cut across."""

    along: Points
    across: Points
    """[3] level unit vectors"""
    stations: tuple[Station, ...]
    grip: Points | None
    """[3] away from the much wider half, or else the thinner, or else the wider"""

    @classmethod
    def of(cls, vertices: Points, faces: Faces) -> "Tool | None":
        """Cut a thing up: [V, 3] m, z up, and [F, 3]. None if it is not long and lying."""
        mesh = trimesh.Trimesh(vertices, faces, process=False)
        samples, _ = trimesh.sample.sample_surface(mesh, SAMPLES, seed=0)
        points = np.asarray(samples, np.float64)
        flat = points[:, :2] - points[:, :2].mean(0)
        axis = np.linalg.eigh(flat.T @ flat)[1][:, 1]
        along = level_unit(axis if axis[np.abs(axis).argmax()] > 0 else -axis)
        across = np.array([-along[1], along[0], 0.0])
        corners = vertices[np.unique(faces)]
        a, b = corners @ along, corners @ across
        if np.ptp(a) < LONG * max(np.ptp(b), np.ptp(corners[:, 2])):
            return None
        cuts = a.min() + (np.arange(STATIONS) + 0.5) / STATIONS * np.ptp(a)
        stations = tuple(_station(mesh, along, across, float(c)) for c in cuts)
        end = _working_end(stations)
        grip = None if end == 0 else -end * along
        return cls(along=along, across=across, stations=stations, grip=grip)


def _working_end(stations: tuple[Station, ...]) -> int:
    """1 where the later stations are a tool's blade or head, -1 the earlier ones, 0 unknown."""
    width = np.array([s.high - s.low for s in stations])
    thick = np.array([s.thickness(0.5) for s in stations])
    wider = _ratio(width[STATIONS // 2 :].mean(), width[: STATIONS // 2].mean())
    ends = slice(-STATIONS // 3, -STATIONS // 20), slice(STATIONS // 20, STATIONS // 3)
    thinner = _ratio(*(float(np.median(thick[e])) for e in ends))
    if max(wider, 1 / wider) >= WIDER[1]:
        return 1 if wider > 1 else -1
    if min(thinner, 1 / thinner) <= THINNER:
        return 1 if thinner < 1 else -1
    if max(wider, 1 / wider) >= WIDER[0]:
        return 1 if wider > 1 else -1
    return 0


def _ratio(a: float, b: float) -> float:
    return max(float(a), 1e-9) / max(float(b), 1e-9)


def level_unit(v: Points) -> Points:
    """Level unit vector [3] of [2], on the frame's axis where it is near."""
    angle = math.atan2(v[1], v[0])
    quarter = round(angle / (math.pi / 2))
    if abs(angle - quarter * math.pi / 2) < SNAP:
        turns = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
        return np.array([*turns[quarter % 4], 0.0])
    return np.array([math.cos(angle), math.sin(angle), 0.0])


def _station(mesh: trimesh.Trimesh, along: Points, across: Points, at: float) -> Station:
    lines = trimesh.intersections.mesh_plane(  # type: ignore[no-untyped-call]
        mesh, along, at * along
    )
    outline = np.stack([lines @ across, lines[..., 2]], axis=-1).reshape(-1, 2, 2)
    if len(outline) == 0:
        return Station(low=0.0, high=0.0, pieces=0, outline=outline)
    spans = np.sort(outline[..., 0], axis=1)
    spans = spans[np.argsort(spans[:, 0])]
    reach = np.maximum.accumulate(spans[:, 1])
    gap = 0.02 * (reach[-1] - spans[0, 0])
    pieces = 1 + int((spans[1:, 0] > reach[:-1] + gap).sum())
    return Station(low=float(spans[0, 0]), high=float(reach[-1]), pieces=pieces, outline=outline)
