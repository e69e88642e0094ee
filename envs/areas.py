"""Places as polygons: in a direction, beside, between, onto, into; and what is free there.

Pure functions over a `Layout`. Free space follows RefSpatial's 3D part (a sector of 90 degrees, a
candidate is visible if its depth agrees within 2.5 cm); pixels stand for what the camera sees.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from refergym.assets import camera as pinhole
from refergym.assets.footprints import support_polygon
from refergym.assets.records import Record
from refergym.assets.spec import NonNegative, Positive, SupportSpec
from refergym.envs.errors import TaskError
from refergym.envs.seen import Laid, Shown
from refergym.envs.task_spec import Area, PointAreaGoal, PutGoal
from refergym.envs.types import ID_SUPPORT, Array, Side
from refergym.envs.view import Layout, Thing, View

DIFFERENT = 0.015
"""m between two points that are worth trying one after the other"""
TALLEST_INSIDE = 2.5
"""a thing this many times as tall as the container is deep tips out of it"""
LOOSE = 0.004
"""m of room, at least, round what is put into something"""
NEAR = 0.025
"""m: a point is visible if the depth at its pixel agrees within this"""
INSET = 0.03
"""share of the picture at each of its edges in which nothing is asked to be put"""
_LEVEL, _HORIZON = 1e-3, 5.0
FLUSH = 0.003
"""m: a point this near to an upper face's height lies on it"""


class Room(Record, frozen=True, kw_only=True):
    """How much room a place needs, and where the arm gets to."""

    clearance: NonNegative = 0.03
    """m between what is put down and everything else"""
    nearest: NonNegative = 0.30
    """m from the robot's axis"""
    farthest: Positive = 0.70
    """m from the robot's axis"""
    beside: Positive = 0.20
    """m beyond the anchor's edge, at most, that still counts as beside it"""
    pixels: int = 40
    """least visible pixels of a free area, in a picture 224 px wide"""

    def holds(self, xy: Array) -> bool:
        """Tell whether the arm gets to a place [2] m."""
        return self.nearest <= float(np.hypot(*xy)) <= self.farthest and xy[0] > 0


def disc(layout: Layout, goal: Array, radius: float) -> Area:
    """Everything on the table within a distance of a point [2] m."""
    return area_of(shapely.Point(goal).buffer(radius, quad_segs=8), layout, goal)


def ahead(layout: Layout, anchor: Thing, side: Side, distance: float) -> Array:
    """Return the point [2] m at a distance from the anchor's middle, in a viewer's direction."""
    return anchor.centre + layout.direction(side) * distance


def beside(layout: Layout, anchor: Thing, side: Side, room: Room) -> Polygon:
    """Sector of 90 degrees on one side of the anchor, from its outline to `room.beside` beyond."""
    return sector(layout, anchor, layout.direction(side), room.beside)


def sector(layout: Laid, anchor: Shown, toward: Array, beyond: float) -> Polygon:
    """Sector of 90 degrees round a direction [2] from the anchor, on the table.

    It ends `beyond` m past the anchor's outline; past small things at least twice their radius.
    """
    turn = np.arctan2(toward[1], toward[0])
    angles = turn + np.linspace(-np.pi / 4, np.pi / 4, 13)
    reach = anchor.radius + max(beyond, 2 * anchor.radius)
    arc = anchor.centre + reach * np.column_stack([np.cos(angles), np.sin(angles)])
    whole = Polygon([anchor.centre, *arc]).intersection(layout.table)
    return largest(whole.difference(anchor.footprint))


def between(layout: Laid, a: Shown, b: Shown, width: float) -> Polygon:
    """Strip of `width` either side of what is free of the line that joins two middles."""
    line = shapely.LineString([a.centre, b.centre])
    if line.length < 1e-6:
        raise TaskError("two anchors stand at one place")
    middle = line.difference(a.footprint).difference(b.footprint)
    if middle.is_empty or middle.geom_type != "LineString":
        raise TaskError("no gap between the anchors")
    strip = middle.buffer(width, cap_style="flat").intersection(layout.table)
    strip = strip.difference(shapely.union_all([a.footprint, b.footprint]))
    parts = [p for p in shapely.get_parts(strip) if p.intersects(middle)]
    if not parts:
        raise TaskError("no gap between the anchors")
    return Polygon(max(parts, key=lambda p: p.area).exterior)


def free(
    layout: Laid, radius: float, clearance: float, without: Iterable[int] = ()
) -> BaseGeometry:
    """Where the middle of something round may stand on the table, touching nothing.

    Args:
        layout: what stands where.
        radius: m, of the thing.
        clearance: m, to everything else.
        without: indices of objects that are not in the way.
    """
    left_out = set(without)
    others = [t.footprint for t in layout.things if t.index not in left_out]
    blocked = shapely.buffer(shapely.union_all(others), radius + clearance, quad_segs=4)
    return layout.table.buffer(-radius).difference(blocked)


def in_picture(view: View, inset: float = INSET) -> Polygon:
    """Return the part of the table's plane that the picture shows, but for a margin.

    Args:
        view: whose camera it is.
        inset: share of the picture's width and height that is left out on each side.
    """
    camera = view.scene.camera
    m = pinhole.pose_matrix(camera.pose)
    corners = []
    for u, v in ((inset, inset), (1 - inset, inset), (1 - inset, 1 - inset), (inset, 1 - inset)):
        x, y = (
            (u * camera.width - camera.cx) / camera.fx,
            (v * camera.height - camera.cy) / camera.fy,
        )
        ray = m[:3, :3] @ (x, y, 1.0)
        down = (m[2, 3] - view.scene.supports[0].top) / max(-float(ray[2]), _LEVEL)
        corners.append(m[:2, 3] + min(down, _HORIZON) * ray[:2])
    return shapely.convex_hull(shapely.multipoints(np.array(corners)))


def nearest_free(where: BaseGeometry, wish: Array, room: Room) -> Array:
    """Return the point [2] m of a region nearest to a wish that the arm reaches; else TaskError."""
    ring = shapely.Point(0, 0).buffer(room.farthest - 0.005, quad_segs=16)
    ring = ring.difference(shapely.Point(0, 0).buffer(room.nearest + 0.005, quad_segs=16))
    where = where.intersection(ring).intersection(shapely.box(0, -2, 2, 2))
    if where.is_empty:
        raise TaskError("no free place that the arm reaches")
    point = shapely.get_coordinates(shapely.shortest_line(where, shapely.Point(wish)))
    nearest: Array = point[0]
    return nearest


def inside_fits(anchor: Thing, thing: Thing) -> bool:
    """Tell whether a thing goes into an open container, and is not so tall that it tips out."""
    cavity = anchor.info.cavity
    if cavity is None:
        return False
    narrow = thing.radius + LOOSE <= cavity.radius * anchor.scale
    return narrow and thing.top - thing.bottom <= TALLEST_INSIDE * cavity.depth * anchor.scale


def top_fits(anchor: Thing, thing: Thing) -> bool:
    """Tell whether a thing stands well on a flat object."""
    circle = shapely.Point(anchor.centre).buffer(thing.radius * 0.8)
    return anchor.info.flat_top and anchor.footprint.buffer(0.005).contains(circle)


def cavity_area(layout: Layout, anchor: Thing, shift: Array | None = None) -> Area:
    """Return the mouth of a container; the goal is on its floor, [2] m off the middle."""
    cavity = anchor.info.cavity
    if cavity is None:
        raise TaskError(f"a {anchor.category} is not an open container")
    circle = shapely.Point(anchor.centre).buffer(cavity.radius * anchor.scale, quad_segs=8)
    height = anchor.bottom + cavity.floor * anchor.scale
    goal = anchor.centre if shift is None else anchor.centre + shift
    return area_of(circle, layout, goal, height)


def top_area(layout: Layout, anchor: Thing) -> Area:
    """Return the top of an object, with its middle as the goal."""
    return area_of(anchor.footprint, layout, anchor.centre, anchor.top)


def place_of(goal: PointAreaGoal | PutGoal, layout: Layout) -> tuple[Area, int]:
    """Return a goal's area as it is now (anchors may have moved) and what its pixels show."""
    if isinstance(goal, PointAreaGoal):
        return goal.area, ID_SUPPORT - goal.support
    indices = [layout.scene.index(a) for a in goal.anchors]
    if goal.relation == "into":
        shift = np.array(goal.area.goal[:2]) - np.array(goal.anchors_xy[0])
        return cavity_area(layout, layout.thing(indices[0]), shift), indices[0]
    if goal.relation == "onto":
        return top_area(layout, layout.thing(indices[0])), indices[0]
    if not indices:
        return goal.area, ID_SUPPORT
    now = np.array([layout.thing(i).centre for i in indices])
    x, y = (now - np.array(goal.anchors_xy)).mean(0)
    if np.hypot(x, y) < 0.001:
        return goal.area, ID_SUPPORT
    area = goal.area
    ring = tuple((_short(a + x), _short(b + y)) for a, b in area.ring)
    to = (_short(area.goal[0] + x), _short(area.goal[1] + y), area.goal[2])
    return Area(ring=ring, height=area.height, goal=to), ID_SUPPORT


def polygon_of(area: Area) -> BaseGeometry:
    """Return an area's polygon, seen from above, m, world."""
    whole = Polygon(area.ring)
    if not area.without:
        return whole
    return whole.difference(shapely.union_all([Polygon(ring) for ring in area.without]))


def on_face(support: SupportSpec, point: Array) -> bool:
    """Tell whether a point [3] m lies on a support's upper face, not on its sides or legs."""
    level = abs(float(point[2]) - support.top) <= FLUSH
    return level and bool(shapely.intersects_xy(support_polygon(support), point[0], point[1]))


def area_of(polygon: BaseGeometry, layout: Laid, goal: Array, height: float | None = None) -> Area:
    """Make a record of a polygon on the table, or at another height."""
    shape = largest(polygon)
    z = layout.table_top if height is None else height
    ring = shapely.get_coordinates(shape.exterior)[:-1]
    return Area(
        ring=tuple((_short(x), _short(y)) for x, y in ring),
        height=_short(z),
        goal=(_short(goal[0]), _short(goal[1]), _short(z)),
    )


def largest(shape: BaseGeometry) -> Polygon:
    """Return the largest part of a shape; raises TaskError if it has none."""
    parts = [p for p in shapely.get_parts(shape) if isinstance(p, Polygon) and p.area > 1e-6]
    if not parts:
        raise TaskError("no such place on the table")
    return max(parts, key=lambda p: p.area)


def pixels_of(view: View, area: Area, shows: int = ID_SUPPORT) -> NDArray[np.int64]:
    """Pixels [K, 2] (x, y) that show a support's upper face (or an object) inside an area."""
    ring = np.array(area.ring)
    corners = np.column_stack([ring, np.full(len(ring), area.height)])
    rows, columns = view.window(corners)
    ys, xs = np.nonzero(view.frame.ids[rows, columns] == shows)
    ys, xs = ys + rows.start, xs + columns.start
    if not len(ys):
        return np.empty((0, 2), np.int64)
    points, where = view.points(ys, xs), polygon_of(area)
    level = np.ones(len(points), bool)
    if shows <= ID_SUPPORT:
        support = view.scene.supports[ID_SUPPORT - shows]
        level = np.abs(points[:, 2] - support.top) <= FLUSH
        where = where.intersection(support_polygon(support))
    shapely.prepare(where)
    keep = level & shapely.contains_xy(where, points[:, 0], points[:, 1])
    return np.column_stack([xs[keep], ys[keep]])


def is_bare(view: View, area: Area) -> bool:
    """Tell whether the very pixel of an area's goal shows the first support there."""
    camera = view.scene.camera
    px, z = view.project(np.array([area.goal]))
    if not np.isfinite(px).all():
        return False
    x, y = (int(v) for v in np.floor(px[0]))
    if not (0 <= x < camera.width and 0 <= y < camera.height):
        return False
    near = abs(float(view.frame.depth[y, x]) - float(z[0])) <= NEAR
    if not near or int(view.frame.ids[y, x]) != ID_SUPPORT:
        return False
    return on_face(view.scene.supports[0], view.points(np.array([y]), np.array([x]))[0])


def goal_pixel(
    view: View,
    area: Area,
    shows: int = ID_SUPPORT,
    tried: Sequence[Array] = (),
    within: float = NEAR,
) -> tuple[int, int] | None:
    """Return the pixel (x, y) that shows the area's goal, or what is nearest to it in the area.

    None if nothing of the area that is nearer to the goal than `within` m (seen from above) is
    visible. Where points [3] m were tried in vain, the nearest one that differs from them, at any
    distance.
    """
    near = pixels_of(view, area, shows)
    if not len(near):
        return None
    points = view.points(near[:, 1], near[:, 0])
    distance = np.hypot(*(points[:, :2] - area.goal[:2]).T)
    distance[is_tried(points, tried)] = np.inf
    best = int(distance.argmin())
    limit = np.inf if tried else within
    return (int(near[best, 0]), int(near[best, 1])) if distance[best] <= limit else None


def is_tried(points: Array, tried: Sequence[Array]) -> NDArray[np.bool_]:
    """Tell which points [K, 3] m are about the same as one of those tried."""
    same = np.zeros(len(points), bool)
    for point in tried:
        same |= np.linalg.norm(points - point, axis=1) < DIFFERENT
    return same


def _short(value: float) -> float:
    return round(float(value), 5) + 0.0
