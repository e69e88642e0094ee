"""Plan a pick: whose point it is, a reachable antipodal grasp, and the arm's way there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refergym.assets.robots import kinematics
from refergym.assets.spec import SceneSpec
from refergym.envs.geometry import heightmap
from refergym.envs.geometry.caster import Caster
from refergym.envs.skills import grasp, ways
from refergym.envs.types import Event, Grasp, SkillResult, State

Array = NDArray[np.float64]

OWNER_RADIUS = 0.02
"""m; a point farther than this from every object belongs to none"""


@dataclass(frozen=True, kw_only=True)
class PickPlan:
    """A grasp that the arm can reach, and the postures that lead to it."""

    grasp: Grasp
    object: int
    """index of the object under the point"""
    above: Array
    """[7] rad, over the grasp, clear of everything"""
    down: tuple[Array, ...]
    """postures [7] from `above` to the grasp"""


def plan(caster: Caster, spec: SceneSpec, state: State, point_w: Array) -> PickPlan | SkillResult:
    """Find a grasp for what is at a world point [3] m, or the reason why there is none."""
    target = owner(caster, spec, state, point_w)
    if target < 0:
        if not ways.reachable(spec, point_w):
            return SkillResult(
                event=Event.OUT_OF_REACH, detail=f"nothing graspable near {_text(point_w)}"
            )
        return SkillResult(
            event=Event.NO_GRASP, detail=f"no object within 2 cm of {_text(point_w)}"
        )
    low, high = heightmap.bounds(caster, spec, state, target)
    margin = grasp.CLEARANCE
    view = heightmap.overhead(
        caster,
        spec,
        state,
        low[:2] - margin,
        high[:2] + margin,
        align=state.objects[target, :2],
    )
    found = 0
    for candidate in grasp.candidates(view, view.ids == target, point_w, float(low[2])):
        found += 1
        plan_ = _reach(spec, state, caster, candidate, target)
        if plan_ is not None:
            return plan_
        if found >= 40:
            break
    name = spec.objects[target].id
    if found:
        return SkillResult(
            event=Event.OUT_OF_REACH,
            object=target,
            detail=f"{found} grasps of {name}, none reached",
        )
    return SkillResult(
        event=Event.NO_GRASP,
        object=target,
        detail=f"no clear grasp of {name} round {_text(point_w)}",
    )


def owner(caster: Caster, spec: SceneSpec, state: State, point_w: Array) -> int:
    """Return the index of the object whose surface is nearest to a point, or -1 beyond 2 cm."""
    best, index = OWNER_RADIUS, -1
    for i in range(len(spec.objects)):
        if i == state.held:
            continue
        low, high = heightmap.bounds(caster, spec, state, i)
        if (point_w < low - OWNER_RADIUS).any() or (point_w > high + OWNER_RADIUS).any():
            continue
        distance = _distance(caster, spec, state, i, point_w)
        if distance < best:
            best, index = distance, i
    return index


def _distance(caster: Caster, spec: SceneSpec, state: State, index: int, point_w: Array) -> float:
    """Distance to the object's surface along 42 directions, both ways."""
    thing = spec.objects[index]
    starts = point_w - _SPHERE * 0.2
    t = caster.cast_object(thing.asset, thing.scale, state.objects[index], starts, _SPHERE)
    inward = np.abs(t - 0.2)
    t = caster.cast_object(
        thing.asset,
        thing.scale,
        state.objects[index],
        np.broadcast_to(point_w, starts.shape),
        _SPHERE,
    )
    return float(min(inward.min(), t.min()))


def _reach(
    spec: SceneSpec, state: State, caster: Caster, grasp_: Grasp, target: int
) -> PickPlan | None:
    top = ways.tallest(caster, spec, state)
    clear = max(
        top + kinematics.FINGERTIP - kinematics.TCP_OFFSET + 0.03, float(grasp_.position[2]) + 0.10
    )
    way = ways.vertical(spec, grasp_.position, grasp_.yaw, clear)
    if way is None:
        return None
    return PickPlan(grasp=grasp_, object=target, above=way[0], down=way[1:])


def _text(point: Array) -> str:
    return f"({point[0]:.3f}, {point[1]:.3f}, {point[2]:.3f})"


def _sphere(n: int) -> Array:
    k = np.arange(n) + 0.5
    z = 1 - 2 * k / n
    r, a = np.sqrt(1 - z * z), np.pi * (1 + 5**0.5) * k
    return np.stack([r * np.cos(a), r * np.sin(a), z], axis=1)


_SPHERE = _sphere(42)
