"""What every backend promises, as checks that can be run against any of them.

The tests run these over our backends; `refergym contract` runs them on a user's machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.errors import SpecError
from refergym.assets.spec import SceneSpec
from refergym.envs.errors import BackendError, ClosedError
from refergym.envs.geometry import heightmap
from refergym.envs.geometry.caster import Caster
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.types import Backend, Event, SkillResult, State

Array = NDArray[np.float64]
SAME_IDS = 0.97
"""share of pixels on which a backend's own camera and our renderer show the same thing"""
SAME_DEPTH = 0.005
"""m, median difference of their depths where they do"""
_MOVED = 0.02
"""m that settling may move a thing"""
_LIFTED = 0.1
"""m that a picked thing is higher, at least"""
_STAYS = 0.95
"""share of things that settling does not move; what stands on a narrow foot may tip over"""
_OFTEN = 0.75
"""share of scenes in which a graspable thing is picked"""
_ARRIVED = 0.05
"""m from the point to where a placed thing's middle is seen from above"""
_WHERE = np.array([0.45, 0.0, 0.0])
"""[3] m, a place on the table where often nothing stands"""


class Broken(AssertionError):
    """A promise that is not kept; says what was seen."""


class NotApplicable(Exception):
    """The backend does not offer what the check is about."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A backend, and scenes to try it on."""

    backend: Backend
    make: Callable[[], Backend]
    """makes another one, in the same way"""
    scenes: Sequence[SceneSpec]
    """as composed, each with two graspable things at least; four or more of them"""
    caster: Caster
    tolerance: float
    """m or rad between two states that should be equal; 0 asks for every bit"""

    def check_same(self, a: State, b: State, what: str) -> None:
        """Raise Broken unless two states are equal, by the tolerance."""
        if not self.tolerance:
            _hold(a.digest() == b.digest(), f"{what}: not the same bits")
            return
        off = float(np.abs(a.objects[:, :3] - b.objects[:, :3]).max(initial=0.0))
        chords = [
            np.linalg.norm(a.objects[:, 3:] + sign * b.objects[:, 3:], axis=1) for sign in (-1, 1)
        ]
        turned = 4 * float(np.arcsin(np.minimum(*chords).clip(0, 2) / 2).max(initial=0.0))
        bent = float(np.abs(a.joints - b.joints).max())
        worst = max(off, turned, bent)
        _hold(
            worst <= self.tolerance and a.held == b.held,
            f"{what}: {1000 * off:.2f} mm, {turned:.4f} rad, joints {bent:.4f} apart; allowed "
            f"{self.tolerance:g} m and rad; held {a.held} and {b.held}",
        )


def settled(backend: Backend, spec: SceneSpec) -> SceneSpec:
    """Return a scene with its poses at rest in a backend."""
    rest = {**spec.settled, backend.kind: backend.settle(spec)}
    return msgspec.structs.replace(spec, settled=rest)


def top_of(caster: Caster, spec: SceneSpec, state: State, index: int) -> Array:
    """Return a point [3] m on an object, near the middle of what an overhead view sees of it."""
    low, high = heightmap.bounds(caster, spec, state, index)
    view = heightmap.overhead(caster, spec, state, low[:2], high[:2])
    cells = np.argwhere(view.ids == index)
    middle = cells[np.argmin(((cells - cells.mean(axis=0)) ** 2).sum(axis=1))]
    return np.array([*view.centres(middle), view.heights[tuple(middle)]])


def graspable(caster: Caster, spec: SceneSpec) -> list[int]:
    """Return the indices of the objects within reach that the gripper is known to lift."""
    return [
        i
        for i, o in enumerate(spec.objects)
        if caster.pack[o.asset].grasp_rate(o.scale) >= 0.8 and np.hypot(*o.pose.position[:2]) <= 0.7
    ]


def it_is_a_backend(bench: Bench) -> None:
    """It has the methods of the protocol, and a kind."""
    _hold(isinstance(bench.backend, Backend), "a method of envs.types.Backend is missing")
    _hold(bool(bench.backend.kind), "its kind is empty")


def reset_puts_every_object_at_its_settled_pose(bench: Bench) -> None:
    """After a reset everything is where settling left it, and the arm is parked."""
    backend = bench.backend
    for scene in bench.scenes:
        spec = settled(backend, scene)
        backend.reset(spec)
        state = backend.state()
        wanted = np.array([poses.as_row(p) for p in spec.settled[backend.kind]])
        _hold(state.objects.shape == wanted.shape, f"{state.objects.shape}, not {wanted.shape}")
        off = np.abs(state.objects - wanted)
        off[:, 3:] = np.minimum(off[:, 3:], np.abs(state.objects + wanted)[:, 3:])
        _hold(off.max(initial=0.0) < 1e-6, f"an object is {off.max():.2e} off")
        bent = np.abs(state.joints[:7] - spec.robot.parked).max()
        _hold(bent < 1e-6, f"a joint is {bent:.2e} rad off")
        _hold(state.held == -1, f"it holds {state.held}")


def settling_leaves_things_where_the_composer_put_them(bench: Bench) -> None:
    """At least 95 % of the things stay within 2 cm; what has a narrow foot may tip over."""
    moved = []
    for scene in bench.scenes:
        spec = settled(bench.backend, scene)
        moved += [
            np.linalg.norm(np.subtract(p.position, o.pose.position))
            for p, o in zip(spec.settled[bench.backend.kind], spec.objects, strict=True)
        ]
    share = float(np.mean(np.array(moved) < _MOVED))
    _hold(share >= _STAYS, f"{share:.0%} stay, the worst moves {1000 * max(moved):.0f} mm")


def reset_is_repeatable(bench: Bench) -> None:
    """Settling and resetting twice give the same state, with another scene in between."""
    backend = bench.backend
    first, second = (settled(backend, s) for s in bench.scenes[:2])
    backend.reset(first)
    before = backend.state()
    again = settled(backend, bench.scenes[0])
    backend.reset(second)
    _hold(backend.state().digest() != before.digest(), "two scenes have one state")
    backend.reset(first)
    bench.check_same(before, backend.state(), "two resets")
    backend.reset(again)
    bench.check_same(before, backend.state(), "settled twice")


def a_snapshot_is_the_spec_and_the_actions_so_far(bench: Bench) -> None:
    """The same actions from the same start lead to the same state."""
    backend = bench.backend
    spec = settled(backend, bench.scenes[1])
    ends: list[list[tuple[SkillResult, State]]] = []
    for _ in range(2):
        backend.reset(spec)
        ends.append([])
        for i in graspable(bench.caster, spec)[:2]:
            result = backend.pick(top_of(bench.caster, spec, backend.state(), i))
            if result.event is Event.PICKED:
                result = backend.place(_WHERE)
            ends[-1].append((result, backend.state()))
            if backend.state().held >= 0:
                break
    _hold(len(ends[0]) == len(ends[1]), "one of two runs came further")
    for (a, one), (b, other) in zip(*ends, strict=True):
        _hold(a.event == b.event, f"{a.event.name} and {b.event.name} from the same start")
        bench.check_same(one, other, "the same actions twice")


def picking_lifts_the_object_under_the_point(bench: Bench) -> None:
    """In three of four scenes a graspable thing is in the hand afterwards, and the arm parked."""
    backend, lifted = bench.backend, 0
    for scene in bench.scenes:
        spec = settled(backend, scene)
        target = graspable(bench.caster, spec)[0]
        backend.reset(spec)
        before = backend.state()
        result = backend.pick(top_of(bench.caster, spec, before, target))
        after = backend.state()
        if result.event is Event.PICKED:
            lifted += 1
            _hold(result.object == target == after.held, f"it holds {after.held}, not {target}")
            rise = float(after.objects[target, 2] - before.objects[target, 2])
            _hold(rise > _LIFTED, f"{target} rises by {rise:.3f} m")
        bent = float(np.abs(after.joints[:7] - spec.robot.parked).max())
        _hold(bent < 0.03, f"the arm is {bent:.3f} rad from its parked posture")
    share = f"picked in {lifted} of {len(bench.scenes)} scenes"
    _hold(lifted >= _OFTEN * len(bench.scenes), share)


def placing_puts_the_held_object_at_the_point(bench: Bench) -> None:
    """What is picked stands within 5 cm of where it is put, and the hand is empty."""
    backend, seen = bench.backend, []
    for scene in bench.scenes:
        spec = settled(backend, scene)
        target = graspable(bench.caster, spec)[0]
        backend.reset(spec)
        result = backend.pick(top_of(bench.caster, spec, backend.state(), target))
        if result.event is Event.PICKED:
            seen.append(_put(bench, spec, target))
    _hold(bool(seen), "nothing was picked")
    placed = sum(e is Event.PLACED for e in seen)
    tried = sum(e is not Event.PLACE_BLOCKED for e in seen)
    _hold(tried == 0 or placed >= _OFTEN * tried, f"placed {placed} of {tried}")


def states_share_no_memory_and_do_change(bench: Bench) -> None:
    """A state is a copy, and a pick changes it."""
    backend = bench.backend
    spec = settled(backend, bench.scenes[0])
    backend.reset(spec)
    a, b = backend.state(), backend.state()
    _hold(not np.shares_memory(a.objects, b.objects), "two states share memory")
    a.objects[:] = 7.0
    _hold(bool((backend.state().objects == b.objects).all()), "writing to a state moves things")
    target = graspable(bench.caster, spec)[0]
    backend.pick(top_of(bench.caster, spec, b, target))
    _hold(backend.state().digest() != b.digest(), "a pick changes nothing")


def two_of_them_do_not_disturb_each_other(bench: Bench) -> None:
    """What one does is the same whether another one works beside it or not."""
    one, other = bench.backend, bench.make()
    try:
        spec, third = settled(one, bench.scenes[0]), settled(one, bench.scenes[1])
        target = graspable(bench.caster, spec)[0]
        one.reset(spec)
        point = top_of(bench.caster, spec, one.state(), target)
        one.pick(point)
        alone = one.state()
        one.reset(spec)
        other.reset(third)
        one.pick(point)
        third_target = graspable(bench.caster, third)[0]
        other.pick(top_of(bench.caster, third, other.state(), third_target))
        bench.check_same(alone, one.state(), "beside another")
        other.close()
        bench.check_same(alone, one.state(), "after the other was closed")
    finally:
        other.close()


def points_on_nothing_graspable_have_a_named_cause(bench: Bench) -> None:
    """Floor, robot, sky and bare table each give their event, with a reason in words."""
    backend = bench.backend
    spec = settled(backend, bench.scenes[0])
    backend.reset(spec)
    causes = {
        "floor": ((1.6, 0.3, -0.75), {Event.OUT_OF_REACH}),
        "robot": ((0.0, 0.0, 0.2), {Event.OUT_OF_REACH, Event.NO_GRASP}),
        "sky": ((-3.0, 0.0, 2.0), {Event.OUT_OF_REACH}),
        "bare table": ((0.30, 0.60, 0.0), {Event.NO_GRASP, Event.OUT_OF_REACH}),
    }
    for name, (point, events) in causes.items():
        result = backend.pick(np.array(point))
        _hold(result.event in events, f"{name}: {result.event.name}")
        _hold(bool(result.detail), f"{name}: {result.event.name} without a reason")


def misuse_is_refused_with_the_fix(bench: Bench) -> None:
    """Use before reset, of unsettled scenes, of an empty hand and after close is refused."""
    backend = bench.make()
    try:
        _refused(backend.state, BackendError, "call reset")
        unsettled = msgspec.structs.replace(bench.scenes[0], settled={})
        _refused(lambda: backend.reset(unsettled), SpecError, "settle first")
        backend.reset(settled(backend, bench.scenes[0]))
        _refused(lambda: backend.place(np.array([0.5, 0, 0])), BackendError, "call pick first")
        backend.close()
    finally:
        backend.close()
    _refused(backend.state, ClosedError, "closed")
    _refused(lambda: backend.reset(bench.scenes[0]), ClosedError, "closed")
    _refused(lambda: backend.pick(np.zeros(3)), ClosedError, "closed")


def its_own_camera_shows_what_our_renderer_shows(bench: Bench) -> None:
    """Ids agree on 97 % of the pixels; depth, where they do, within 5 mm (median)."""
    backend = bench.backend
    spec = settled(backend, bench.scenes[0])
    backend.reset(spec)
    look = getattr(backend, "look", None)
    try:
        if look is None:
            raise NotApplicable("it has no camera of its own")
        own = look()
    except BackendError as e:
        if "no camera of its own" not in str(e):
            raise
        raise NotApplicable(str(e)) from e
    renderer = EmbreeRenderer(bench.caster.pack)
    ours = renderer.render(spec, backend.state())
    renderer.close()
    _hold(own.ids.shape == ours.ids.shape, f"{own.ids.shape}, not {ours.ids.shape}")
    same = own.ids == ours.ids
    _hold(same.mean() >= SAME_IDS, f"the same thing on {same.mean():.1%} of the pixels")
    off = float(np.median(np.abs(own.depth - ours.depth)[same]))
    _hold(off <= SAME_DEPTH, f"depth {1000 * off:.1f} mm off (median)")


CHECKS: tuple[Callable[[Bench], None], ...] = (
    it_is_a_backend,
    reset_puts_every_object_at_its_settled_pose,
    settling_leaves_things_where_the_composer_put_them,
    reset_is_repeatable,
    a_snapshot_is_the_spec_and_the_actions_so_far,
    picking_lifts_the_object_under_the_point,
    placing_puts_the_held_object_at_the_point,
    states_share_no_memory_and_do_change,
    points_on_nothing_graspable_have_a_named_cause,
    its_own_camera_shows_what_our_renderer_shows,
    two_of_them_do_not_disturb_each_other,
    misuse_is_refused_with_the_fix,
)
"""in the order in which they are run; each raises Broken, or NotApplicable"""


def _put(bench: Bench, spec: SceneSpec, target: int) -> Event:
    backend = bench.backend
    point = _free(spec, backend.state(), target)
    event = backend.place(point).event
    state = backend.state()
    if event is not Event.PLACE_BLOCKED:
        _hold(state.held == -1, f"after {event.name} it still holds {state.held}")
    if event is Event.PLACED:
        low, high = heightmap.bounds(bench.caster, spec, state, target)
        off = float(np.linalg.norm(((low + high) / 2 - point)[:2]))
        _hold(off <= _ARRIVED, f"PLACED, and {1000 * off:.0f} mm from the point")
    return event


def _free(spec: SceneSpec, state: State, skip: int) -> Array:
    """Return the point [3] m of the table, in reach, that is farthest from all other things."""
    xs, ys = np.meshgrid(np.linspace(0.35, 0.55, 9), np.linspace(-0.3, 0.3, 25))
    points = np.column_stack([xs.ravel(), ys.ravel()])
    others = np.delete(state.objects[:, :2], skip, axis=0)
    room = np.linalg.norm(points[:, None] - others[None], axis=2).min(axis=1, initial=np.inf)
    return np.array([*points[int(np.argmax(room))], spec.supports[0].top])


def _refused(call: Callable[[], object], kind: type[ValueError], words: str) -> None:
    try:
        call()
    except kind as e:
        _hold(words in str(e), f"{e} (does not say {words!r})")
    else:
        raise Broken(f"not refused: {kind.__name__} ({words}) was expected")


def _hold(is_kept: bool, seen: str) -> None:
    if not is_kept:
        raise Broken(seen)
