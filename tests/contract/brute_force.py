"""What words mean, worked out a second time: from a scene's JSON, the pack's files and the ids.

It shares no code with the programs, the relations or the generator, so that a mistake there does
not hide itself. Plain rather than quick.
"""

import functools
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import shapely

Scene = dict[str, Any]
TIES = {
    "close": 0.02, "far": 0.02, "above": 1.0, "below": 1.0, "depth": 0.02, "left": 0.02,
    "right": 0.02, "front": 0.02, "behind": 0.02, "tall": 0.01, "short": 0.01, "big": 0.005,
    "small": 0.005, "wide": 0.01, "thin": 0.01, "world_above": 0.02, "world_below": 0.02,
    "distance": 0.01, "between": 0.01, "face": 8.0, "back": 8.0, "edge": 0.02, "corner": 0.03,
    "inside": 0.005, "outside": 0.005, "touch": 0.003, "far_from": 0.02, "vertical_rotate": 5.0,
    "horizontal_rotate": 5.0, "angle": 5.0,
}  # fmt: skip
SHARED = 0.1
"""sizes within a tenth of each other are a tie"""
OPPOSITE = {
    "far": "close", "below": "above", "left": "right", "behind": "front", "short": "tall",
    "small": "big", "thin": "wide", "world_below": "world_above", "outside": "inside",
}  # fmt: skip
SIZES = {"tall": "height", "short": "height", "wide": "width", "thin": "width", "big": "cube",
         "small": "cube"}  # fmt: skip
LENGTH, ANGLE = 0.03, 15.0


class Ambiguous(Exception):
    """The words mean nothing, several things, or one by a hair."""


def turned(q: list[float]) -> np.ndarray:
    """Matrix of a quaternion (w, x, y, z)."""
    w, v = q[0], np.array(q[1:])
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


@functools.lru_cache(maxsize=4)
def manifest(folder: Path) -> dict[str, Any]:
    """Records of a pack's assets by name."""
    return {a["name"]: a for a in json.loads((folder / "manifest.json").read_text())["assets"]}


@functools.lru_cache(maxsize=512)
def hull_corners(path: Path) -> np.ndarray:
    """Corners of an asset's convex parts."""
    rows = [line.split()[1:4] for line in path.read_text().splitlines() if line.startswith("v ")]
    return np.array(rows, float)


class Thing:
    """One object, from its JSON."""

    def __init__(self, spec: dict[str, Any], pose: dict[str, Any], folder: Path) -> None:
        """Read what there is to know."""
        info = manifest(folder)[spec["asset"]]
        scale, self.turn = spec.get("scale", 1.0), turned(pose["orientation"])
        at = np.array(pose["position"])
        self.info, self.id = info, spec["id"]
        self.category, self.colour = info["category"], info.get("colour")
        self.material = info.get("material")
        self.is_tinted = spec.get("tint", [1, 1, 1]) != [1, 1, 1]
        self.sides = np.array(info["size"]) * scale
        self.middle = at + self.turn @ [0, 0, self.sides[2] / 2]
        corners = at + (hull_corners(folder / info["collision"]) * scale) @ self.turn.T
        self.low, self.high = corners[:, 2].min(), corners[:, 2].max()
        self.outline = shapely.MultiPoint(corners[:, :2]).convex_hull
        self.height = self.high - self.low
        standing = int(np.argmax(np.abs(self.turn[2])))
        self.width = max(s for k, s in enumerate(self.sides) if k != standing)
        self.cube, self.diagonal = np.prod(self.sides) ** (1 / 3), np.linalg.norm(self.sides)
        self.hole = info.get("cavity")
        self.scale, self.at = scale, at

    def facing(self, word: str) -> float:
        """Angle of a direction seen from above, rad."""
        x, y, z = self.turn @ np.array(self.info["directions"][word])
        if abs(z) > 0.87:
            raise Ambiguous(f"{word} points up")
        return math.atan2(y, x)


class World:
    """A scene as its picture shows it."""

    def __init__(self, scene: Scene, ids: np.ndarray, folder: Path) -> None:
        """Put the things and the camera together."""
        poses = scene["settled"]["kinematic"]
        self.things = [Thing(o, p, folder) for o, p in zip(scene["objects"], poses, strict=True)]
        self.camera, self.ids = scene["camera"], ids
        self.eye = np.array(self.camera["pose"]["position"])
        self.look = turned(self.camera["pose"]["orientation"])
        self.across = self.look[:2, 0] / np.linalg.norm(self.look[:2, 0])
        self.away = self.look[:2, 2] / np.linalg.norm(self.look[:2, 2])
        s = scene["supports"][0]
        (x, y, _), t = s["pose"]["position"], turned(s["pose"]["orientation"])[:2, :2]
        corners = s.get("outline") or [
            (a * s["size"][0] / 2, b * s["size"][1] / 2)
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        self.table = shapely.Polygon(np.array(corners) @ t.T + [x, y])

    def meaning(self, select: dict[str, Any]) -> Thing:
        """The one thing that a description means; raises Ambiguous."""
        family = [t for t in self.things if select.get("category") in (None, t.category)]
        for t in self.things:
            word = select.get("category")
            if (
                word
                and t.category != word
                and (t.category.endswith(f" {word}") or word.endswith(f" {t.category}"))
            ):
                raise Ambiguous(f"a {t.category} is a {word}")
        for key in ("colour", "material"):
            if select.get(key) is not None:
                if any(getattr(t, key) is None or t.is_tinted for t in family):
                    raise Ambiguous(f"{key} unknown")
                family = [t for t in family if getattr(t, key) == select[key]]
        for clause in select.get("where", []):
            anchors = [self.meaning(a) for a in clause.get("anchors", [])]
            family = [t for t in family if t not in anchors and self.holds(clause, t, anchors)]
        if select.get("rank"):
            return self.ranked(select["rank"], family)
        if len(family) != 1:
            raise Ambiguous(f"{len(family)} things fit")
        return family[0]

    def ranked(self, rank: dict[str, Any], family: list[Thing]) -> Thing:
        """The thing at a place in an order."""
        axis = rank["axis"]
        origin = self.meaning(rank["anchor"]) if rank.get("anchor") else None
        family = [t for t in family if t is not origin]
        keys = {
            "left-right": lambda t: t.middle[:2] @ self.across,
            "front-back": lambda t: t.middle[:2] @ self.away,
            "distance": lambda t: math.dist(t.middle[:2], origin.middle[:2]),  # type: ignore[union-attr]
            "height": lambda t: -t.height,
            "width": lambda t: -t.width,
            "size": lambda t: -t.cube,
        }
        place = abs(rank["position"]) - 1
        if len(family) < 2 or place >= len(family):
            raise Ambiguous("an order of too few")
        order = sorted(family, key=keys[axis], reverse=rank["position"] < 0)
        for one, other in itertools.pairwise(order[max(0, place - 1) : place + 2]):
            gap = abs(keys[axis](one) - keys[axis](other))
            if axis in ("height", "width", "size"):
                a, b = abs(keys[axis](one)), abs(keys[axis](other))
                if max(a, b) / min(a, b) < 1 + SHARED - 1e-6:
                    raise Ambiguous(f"{axis}: nearly alike")
            elif gap < 0.02 - 1e-6:
                raise Ambiguous(f"{axis}: {gap:.3f}")
        return order[place]

    def holds(self, clause: dict[str, Any], t: Thing, anchors: list[Thing]) -> bool:
        """Whether a relation holds of a thing; raises Ambiguous where it is a tie."""
        name = clause["relation"]
        margin = self.margin(OPPOSITE.get(name, name), clause, t, anchors)
        margin = -margin if name in OPPOSITE else margin
        tie = TIES[name]
        if name in SIZES:
            tie = max(tie, SHARED * max(getattr(x, SIZES[name]) for x in (t, *anchors)))
        if abs(margin) <= tie - 1e-6:
            raise Ambiguous(f"{name}: {margin:.3f}")
        return bool(margin > 0)

    def margin(self, name: str, clause: dict[str, Any], t: Thing, anchors: list[Thing]) -> float:
        """By how much a relation holds."""
        value = clause.get("value") or 0.0
        a = anchors[0] if anchors else t
        off = t.middle - a.middle
        if clause.get("frame") == "robot":
            raise Ambiguous("no robot's frame is proposed")
        if name in ("right", "front"):
            sight = [self.eye - x.middle for x in (t, a)]
            if name == "right":
                table, seen = off[:2] @ self.across, self.pixel(t)[0] - self.pixel(a)[0]
            else:
                table = -off[:2] @ self.away
                seen = math.hypot(*sight[1][:2]) - math.hypot(*sight[0][:2])
            # a contradiction of table and picture is a tie; the lesser of both is what counts
            if table * seen <= 0:
                return 0.0
            in_metres = seen
            if name == "right":
                depth = (self.pixel(t)[2] + self.pixel(a)[2]) / 2
                in_metres = seen / self.camera["fx"] * depth
            return float(math.copysign(min(abs(table), abs(in_metres)), table))
        if name == "close":
            return float(np.linalg.norm(a.middle - self.eye) - np.linalg.norm(t.middle - self.eye))
        if name == "depth":
            return float(self.pixel(a)[2] - self.pixel(t)[2])
        if name == "above":
            down = [math.degrees(math.atan2(p[1] - self.camera["cy"], self.camera["fy"]))
                    for p in (self.pixel(t), self.pixel(a))]  # fmt: skip
            return down[1] - down[0]
        if name == "tall":
            return float(t.height - a.height)
        if name == "wide":
            return float(t.width - a.width)
        if name == "big":
            cube, diagonal = t.cube - a.cube, t.diagonal - a.diagonal
            if cube * diagonal <= 0:
                return 0.0
            return float(min((cube, diagonal), key=abs))
        if name == "world_above":
            return float((t.low + t.high - a.low - a.high) / 2)
        if name == "distance":
            return LENGTH - abs(math.hypot(*off[:2]) - value)
        if name == "between":
            return self.between(t, *anchors)
        if name in ("face", "back"):
            angle = math.atan2(off[1], off[0]) - a.facing(clause["side"])
            angle += math.pi if name == "back" else 0.0
            return 45.0 - abs(math.degrees(math.remainder(angle, 2 * math.pi)))
        if name == "edge":
            inside = self.table.contains(t.outline)
            return 0.1 - (t.outline.distance(self.table.boundary) if inside else 0.0)
        if name == "corner":
            ring = shapely.get_coordinates(self.table.boundary)[:-1]
            assert len(ring) == 4, "tabletop's tables are rectangles"
            return 0.2 - min(t.outline.distance(shapely.Point(p)) for p in ring)
        if name == "inside":
            return self.inside(t, a)
        if name in ("touch", "far_from"):
            gap = math.hypot(
                t.outline.distance(a.outline), max(0.0, t.low - a.high, a.low - t.high)
            )
            return 0.005 - gap if name == "touch" else gap - 0.2
        if name == "vertical_rotate":
            return ANGLE - abs(math.degrees(math.acos(min(1.0, t.turn[2, 2]))) - value)
        if name == "horizontal_rotate":
            yaw = math.degrees(t.facing(clause["side"]) - a.facing(clause["side"])) - value
            orders = [x.info.get("symmetry", 1) for x in (t, a)]
            if 0 in orders:
                return ANGLE
            return ANGLE - abs(math.remainder(yaw, 360 / math.lcm(*orders)))
        if name == "angle":
            one, other = (x.middle[:2] - t.middle[:2] for x in anchors)
            cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
            return float(ANGLE - abs(math.degrees(math.acos(np.clip(cosine, -1, 1))) - value))
        raise AssertionError(name)

    def between(self, t: Thing, b: Thing, c: Thing) -> float:
        """How deep a thing is in the strip between two."""
        line = shapely.LineString([b.middle[:2], c.middle[:2]])
        free = line - b.outline - c.outline
        if free.geom_type != "LineString" or free.is_empty:
            return -1.0
        start, end = (np.array(q) for q in free.coords)
        along, length = (t.middle[:2] - start) @ (end - start) / free.length, free.length
        foot = start + along / length * (end - start)
        return float(min(along, length - along, 0.06 - math.dist(foot, t.middle[:2])))

    def is_at(self, region: dict[str, Any], p: np.ndarray) -> bool:
        """Whether a point [2] of the table lies where a region's words say."""
        op = region["op"]
        if not self.table.contains(shapely.Point(p)):
            return False
        if op == "meets":
            return all(self.is_beside(part, p, math.inf) for part in region["parts"])
        if op == "beside":
            return self.is_beside(region, p, 0.2)
        if op == "direction":
            t = self.meaning(region["anchor"])
            goal = t.middle[:2] + self.toward(region, t) * region["distance"]
            return math.dist(goal, p) < 0.05
        if op == "turn":
            a, b = (self.meaning(region[k]).middle[:2] for k in ("anchor", "toward"))
            angle = math.atan2(*(b - a)[::-1]) + math.radians(region["angle"])
            goal = a + region["distance"] * np.array([math.cos(angle), math.sin(angle)])
            return math.dist(goal, p) < 0.05
        if op == "between":
            a, b = (self.meaning(region[k]) for k in ("a", "b"))
            free = shapely.LineString([a.middle[:2], b.middle[:2]]) - a.outline - b.outline
            start, end = (np.array(q) for q in free.coords)
            along = (p - start) @ (end - start) / free.length
            foot = start + along / free.length * (end - start)
            is_near = math.dist(foot, p) < 0.05 and 0 < along < free.length
            at = shapely.Point(p)
            return is_near and not a.outline.contains(at) and not b.outline.contains(at)
        if op == "edge":
            return not self.table.contains(shapely.Point(p + 0.12 * self.side(region["side"])))
        if op == "missing":
            return any(math.dist(q, p) < 0.05 for q in self.left_out(region))
        assert op == "corner", op
        steps = (0.2 * self.side(region[k]) for k in ("side", "depth"))
        return not any(self.table.contains(shapely.Point(p + step)) for step in steps)

    def left_out(self, region: dict[str, Any]) -> list[np.ndarray]:
        """Places [2] that would complete a row, or a corner of a grid."""
        at = [t.middle[:2] for t in self.things if t.category == region["category"]
              and region.get("colour") in (None, t.colour)]  # fmt: skip
        first, last = max(itertools.combinations(at, 2), key=lambda pair: math.dist(*pair))
        axis = (last - first) / math.dist(first, last)
        along = sorted(float((q - first) @ axis) for q in at)
        steps = np.diff(along)
        if region["place"] != "gap":
            step = float(np.median(steps))
            ends = ((first - step * axis, -axis), (last + step * axis, axis))
            return [q for q, to in ends if to @ self.side(region["place"]) > 0.8]
        if all(abs(axis[0] * (q - first)[1] - axis[1] * (q - first)[0]) < 0.016 for q in at):
            widest = int(np.argmax(steps))
            return [first + axis * (along[widest] + along[widest + 1]) / 2]
        return [a + b - c for a, b, c in itertools.permutations(at, 3)]

    def is_beside(self, region: dict[str, Any], p: np.ndarray, beyond: float) -> bool:
        """Whether a point is in the quarter on one side of a thing."""
        t = self.meaning(region["anchor"])
        off = p - t.middle[:2]
        away = float(np.linalg.norm(off))
        corners = shapely.get_coordinates(t.outline)
        radius = max(math.dist(c, t.middle[:2]) for c in corners)
        if t.outline.contains(shapely.Point(p)) or away > radius + max(beyond, 2 * radius):
            return False
        return bool(off @ self.toward(region, t) > away * math.cos(math.pi / 4))

    def toward(self, region: dict[str, Any], t: Thing) -> np.ndarray:
        """A side of a thing, [2]."""
        if region.get("frame", "viewer") == "viewer":
            return self.side(region["side"])
        angle = t.facing(region["facing"])
        angle += {"front": 0.0, "left": 0.5, "behind": 1.0, "right": -0.5}[region["side"]] * math.pi
        return np.array([math.cos(angle), math.sin(angle)])

    def side(self, side: str) -> np.ndarray:
        """A side as the viewer sees it, [2]."""
        return {"left": -self.across, "right": self.across, "front": -self.away,
                "behind": self.away}[side]  # fmt: skip

    def inside(self, t: Thing, a: Thing) -> float:
        """How deep a thing is in a container."""
        if a.hole is None or a.turn[2, 2] <= 0.95:
            local = a.turn.T @ (t.middle - a.middle)
            return float((a.sides / 2 - np.abs(local)).min())
        floor = a.at[2] + a.hole["floor"] * a.scale
        rim = floor + a.hole["depth"] * a.scale
        level = a.hole["radius"] * a.scale - math.dist(t.middle[:2], a.middle[:2])
        return float(min(level, rim - t.low, t.low - floor + 0.01))

    def pixel(self, t: Thing) -> tuple[float, float, float]:
        """Where a thing's middle is in the picture, and how deep."""
        x, y, z = self.look.T @ (t.middle - self.eye)
        c = self.camera
        return c["fx"] * x / z + c["cx"], c["fy"] * y / z + c["cy"], z

    def seen(self, t: Thing) -> int:
        """Pixels that show a thing."""
        return int((self.ids == self.things.index(t)).sum())
