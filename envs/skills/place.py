"""Plan a place: how low the held object comes down at a point, whether it fits and would stand."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.robots import kinematics
from refergym.assets.spec import SceneSpec
from refergym.envs.geometry import heightmap
from refergym.envs.geometry.caster import Caster
from refergym.envs.geometry.heightmap import HeightMap
from refergym.envs.skills import grasp, ways
from refergym.envs.types import Event, SkillResult, State

Array = NDArray[np.float64]

GAP = 0.004
"""m, the object is released this much above where it touches"""
LEVEL_TOLERANCE = 0.025
"""m, the object may touch this much above the pointed surface; more means that it does not fit"""
CONTACT_BAND = 0.003
"""m, cells this near to touching count as contacts"""
BALANCE_MARGIN = 0.004
"""m, the centre of mass may lie this far outside the contacts"""
OPENING = 0.012
"""m that each finger opens at release"""
_HIGH = 1.0


@dataclass(frozen=True, kw_only=True)
class PlacePlan:
    """Where the held object will stand, and the postures that bring it there."""

    point: Array
    """[3] m, world, where the middle of its footprint shall be"""
    pose: Array
    """[7] of the object at rest, as geometry has it"""
    balanced: bool
    """its centre of mass lies over its contacts"""
    opening: float
    """m, finger position that lets go"""
    above: Array
    """[7] rad, over the place, clear of everything"""
    down: tuple[Array, ...]
    """postures [7] from `above` to the release"""


def plan(
    caster: Caster,
    spec: SceneSpec,
    state: State,
    point_w: Array,
    *,
    hand_yaw: float,
    turn: float | None = None,
) -> PlacePlan | SkillResult:
    """Find where the held object comes to stand at a world point, or why it can't.

    Args:
        caster: ray caster of the scene's pack.
        spec: the scene.
        state: now; `held` names the object, its pose relative to the TCP is what was measured.
        point_w: [3] m, world, where the middle of its footprint shall be.
        hand_yaw: rad, the closing axis when the object was grasped; keeps the object's yaw.
        turn: rad about world z, on top of the kept yaw; None keeps it, or turns it by half a turn
            where the hand gets there only so.
    """
    if not ways.reachable(spec, point_w):
        return SkillResult(
            event=Event.OUT_OF_REACH, object=state.held, detail="the point is out of reach"
        )
    yaw = hand_yaw + (turn or 0.0)
    planned = _plan_at(caster, spec, state, point_w, yaw)
    is_far = isinstance(planned, SkillResult) and planned.event is Event.OUT_OF_REACH
    if is_far and turn is None:
        # the last joint has a dead zone of 28 degrees; half a turn of the hand leaves it
        planned = _plan_at(caster, spec, state, point_w, yaw + np.pi)
    return planned


def _plan_at(
    caster: Caster, spec: SceneSpec, state: State, point_w: Array, yaw: float
) -> PlacePlan | SkillResult:
    raised, hand = _turned(caster, spec, state, point_w, yaw)
    low, high = heightmap.bounds(caster, spec, raised, state.held)
    margin = grasp.CLEARANCE
    belly = heightmap.underside(caster, spec, raised, state.held)
    view = heightmap.overhead(
        caster,
        spec,
        raised,
        low[:2] - margin,
        high[:2] + margin,
        skip=state.held,
        align=belly.origin,
    )
    under = _under(view, belly)
    gaps = belly.heights - under
    gap = float(gaps.min())
    drop = -gap
    lowest = float(belly.heights.min()) + drop
    if lowest > point_w[2] + LEVEL_TOLERANCE:
        return SkillResult(
            event=Event.PLACE_BLOCKED,
            object=state.held,
            detail=f"it would stand {1000 * (lowest - point_w[2]):.0f} mm above the point",
        )
    if lowest < point_w[2] - 2 * LEVEL_TOLERANCE:
        return SkillResult(
            event=Event.PLACE_BLOCKED, object=state.held, detail="the surface is not there"
        )
    touching = np.argwhere(gaps <= gap + CONTACT_BAND)
    rest = raised.objects[state.held].copy()
    rest[2] += drop
    balanced = _balanced(
        belly.centres(touching), _centre_of_mass(caster, spec, state.held, rest)[:2]
    )
    tcp = hand + np.array([0.0, 0.0, drop + GAP])
    opening = min(kinematics.FINGER_MAX, float(state.joints[7:].max()) + OPENING)
    if _hand_hits(view, tcp, yaw, opening):
        return SkillResult(
            event=Event.PLACE_BLOCKED, object=state.held, detail="no room for the fingers"
        )
    hang = float(tcp[2] - lowest)
    clear = ways.tallest(caster, spec, state, skip=state.held) + hang + 0.03
    way = ways.vertical(spec, tcp, yaw, max(clear, float(tcp[2]) + 0.10), exact=True)
    if way is None:
        return SkillResult(
            event=Event.OUT_OF_REACH, object=state.held, detail="no posture over the place"
        )
    return PlacePlan(
        point=point_w, pose=rest, balanced=balanced, opening=opening, above=way[0], down=way[1:]
    )


def _turned(
    caster: Caster, spec: SceneSpec, state: State, point_w: Array, yaw: float
) -> tuple[State, Array]:
    """The held object high over the point in a hand at `yaw`: (state, TCP [3] m)."""
    tcp = ways.tcp(spec, state.joints)
    spin = poses.about_z(yaw - ways.closing_yaw(spec, state.joints))
    row = state.objects[state.held]
    turned = np.r_[poses.rotation(spin) @ (row[:3] - tcp[:3, 3]), poses.multiply(spin, row[3:])]
    thing = spec.objects[state.held]
    low, high = heightmap.pose_bounds(caster, thing.asset, thing.scale, turned)
    hand = np.array([*(point_w - (low + high) / 2)[:2], _HIGH])
    turned[:3] += hand
    objects = state.objects.copy()
    objects[state.held] = turned
    return State(objects=objects, joints=state.joints, held=state.held), hand


def _under(view: HeightMap, belly: HeightMap) -> Array:
    shift = np.rint((belly.origin - view.origin) / heightmap.RESOLUTION).astype(int)
    nx, ny = belly.heights.shape
    return view.heights[shift[0] : shift[0] + nx, shift[1] : shift[1] + ny]


def _centre_of_mass(caster: Caster, spec: SceneSpec, index: int, pose: Array) -> Array:
    thing = spec.objects[index]
    com = np.array(caster.pack[thing.asset].com) * thing.scale
    world: Array = poses.rotation(pose[3:]) @ com + pose[:3]
    return world


def _balanced(contacts: Array, com: Array) -> bool:
    # a line through all contacts has their hull, and is quick to make
    outline = shapely.convex_hull(shapely.linestrings(np.vstack([contacts, contacts[:1]])))
    return bool(shapely.dwithin(outline, shapely.Point(com), BALANCE_MARGIN))


def _hand_hits(view: HeightMap, tcp: Array, yaw: float, opening: float) -> bool:
    tip = float(tcp[2]) - (kinematics.FINGERTIP - kinematics.TCP_OFFSET)
    axis = np.array([np.cos(yaw), np.sin(yaw)])
    side = np.linspace(opening, opening + 0.018, 7)
    fingers = np.concatenate([side, -side])
    return view.rises_above(
        tcp[:2], axis, fingers, np.linspace(-0.011, 0.011, 7), tip
    ) or grasp.palm_hits(view, tcp[:2], axis, tip)
