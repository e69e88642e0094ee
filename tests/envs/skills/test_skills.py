import msgspec
import numpy as np
import pytest

from refergym.assets import poses
from refergym.assets.robots import kinematics
from refergym.assets.spec import Pose
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.geometry import heightmap
from refergym.envs.skills import pick, place, ways
from refergym.envs.skills.pick import PickPlan
from refergym.envs.skills.place import PlacePlan
from refergym.envs.types import Event, SkillResult, State


def top(caster, name: str, x: float, y: float) -> np.ndarray:
    return np.array([x, y, caster.pack[name].size[2]])


def test_a_box_is_gripped_across_its_narrow_side(caster, scene, role) -> None:
    x, y, _ = caster.pack[role("box")].size
    across = np.pi / 2 if y < x else 0.0
    for yaw in (0.0, 0.5, 1.2):
        spec, state = scene((role("box"), 0.5, 0.0, 0.0, yaw))
        plan = pick.plan(caster, spec, state, top(caster, role("box"), 0.5, 0.0))
        assert isinstance(plan, PickPlan)
        assert plan.grasp.width == pytest.approx(min(x, y), abs=0.01)
        assert abs(np.sin(plan.grasp.yaw - (yaw + across))) < 0.25
        np.testing.assert_allclose(plan.grasp.position[:2], [0.5, 0.0], atol=0.03)


def test_a_bowl_is_gripped_by_its_rim_on_the_side_of_the_point(caster, scene, role) -> None:
    spec, state = scene((role("bowl"), 0.5, 0.0, 0.0, 0.0))
    _, y, z = caster.pack[role("bowl")].size
    for side in (-1, 1):
        point = np.array([0.5, side * (y / 2 - 0.012), z - 0.005])
        plan = pick.plan(caster, spec, state, point)
        assert isinstance(plan, PickPlan)
        assert plan.grasp.width < 0.03
        assert np.hypot(*(plan.grasp.position[:2] - [0.5, 0.0])) > 0.25 * y
        assert plan.grasp.position[1] * side > -0.02


def test_the_fingers_and_the_palm_stay_clear_of_everything(caster, scene, role) -> None:
    spec, state = scene((role("box"), 0.5, 0.0, 0.0, 0.0), (role("bottle"), 0.56, 0.1, 0.0, 0.0))
    plan = pick.plan(caster, spec, state, top(caster, role("box"), 0.5, 0.0))
    assert isinstance(plan, PickPlan)
    axis = np.array([np.cos(plan.grasp.yaw), np.sin(plan.grasp.yaw)])
    view = heightmap.overhead(caster, spec, state, np.array([0.3, -0.2]), np.array([0.7, 0.2]))
    tip = plan.grasp.position[2] - (kinematics.FINGERTIP - kinematics.TCP_OFFSET)
    for sign in (-1, 1):
        finger = sign * np.linspace(0.042, 0.056, 6)
        across = np.linspace(-0.009, 0.009, 5)
        assert not view.rises_above(plan.grasp.position[:2], axis, finger, across, tip + 0.002)


def test_postures_come_straight_down_and_within_limits(caster, scene, role) -> None:
    spec, state = scene((role("box"), 0.55, 0.1, 0.0, 0.3))
    plan = pick.plan(caster, spec, state, top(caster, role("box"), 0.55, 0.1))
    assert isinstance(plan, PickPlan)
    way = [plan.above, *plan.down]
    points = np.array([ways.tcp(spec, q)[:3, 3] for q in way])
    assert np.ptp(points[:, :2], axis=0).max() < 1e-6
    assert (np.diff(points[:, 2]) < 0).all()
    assert np.abs(np.diff(np.array(way), axis=0)).max() < 0.5


@pytest.mark.parametrize(
    ("point", "event"),
    [
        ((1.8, 0.0, -0.75), Event.OUT_OF_REACH),
        ((0.0, 0.0, 0.3), Event.OUT_OF_REACH),
        ((0.45, 0.2, 0.0), Event.NO_GRASP),
    ],
)
def test_points_beside_things_are_refused_by_name(caster, scene, role, point, event) -> None:
    spec, state = scene((role("ball"), 0.5, 0.0, 0.0, 0.0))
    result = pick.plan(caster, spec, state, np.array(point))
    assert isinstance(result, SkillResult)
    assert result.event is event


def test_a_thing_beyond_reach_is_out_of_reach(caster, scene, role) -> None:
    spec, state = scene((role("box"), 0.95, 0.3, 0.0, 0.0))
    result = pick.plan(caster, spec, state, top(caster, role("box"), 0.95, 0.3))
    assert isinstance(result, SkillResult)
    assert result.event is Event.OUT_OF_REACH


def test_a_thing_too_wide_for_the_gripper_has_no_grasp(caster, scene, role) -> None:
    spec, state = scene((role("wide box"), 0.5, 0.0, 0.0, 0.0), scale=1.3)
    point = top(caster, role("wide box"), 0.5, 0.0) * [1, 1, 1.3]
    result = pick.plan(caster, spec, state, point)
    assert isinstance(result, SkillResult)
    assert result.event is Event.NO_GRASP


@pytest.fixture
def held(caster, scene):
    def make(*things):
        spec, state = scene(*things)
        backend = KinematicBackend()
        backend.reset(spec)
        size = caster.pack[things[0][0]].size
        result = backend.pick(state.objects[0, :3] + [0, 0, size[2]])
        assert result.event is Event.PICKED, result
        return backend, state

    return make


def test_a_placed_thing_stands_upright_on_the_point_with_its_yaw_kept(held, role) -> None:
    backend, before = held((role("box"), 0.5, 0.0, 0.0, 0.4))
    assert backend.place(np.array([0.45, 0.2, 0.0])).event is Event.PLACED
    after = backend.state()
    np.testing.assert_allclose(after.objects[0, :3], [0.45, 0.2, 0.0], atol=0.004)
    turned = poses.rotation(after.objects[0, 3:]) @ poses.rotation(before.objects[0, 3:]).T
    np.testing.assert_allclose(turned, np.eye(3), atol=1e-6)


def test_a_given_yaw_turns_the_placed_thing(held, role) -> None:
    backend, before = held((role("box"), 0.5, 0.0, 0.0, 0.4))
    assert backend.place(np.array([0.45, 0.2, 0.0]), yaw=0.5).event is Event.PLACED
    turned = (
        poses.rotation(backend.state().objects[0, 3:]) @ poses.rotation(before.objects[0, 3:]).T
    )
    assert np.arctan2(turned[1, 0], turned[0, 0]) == pytest.approx(0.5, abs=1e-6)


def test_a_place_that_is_taken_is_blocked_and_the_thing_stays_in_the_hand(held, role) -> None:
    backend, _ = held((role("box"), 0.5, 0.0, 0.0, 0.0), (role("bottle"), 0.5, 0.25, 0.0, 0.0))
    for point in ([0.5, 0.25, 0.0], [0.5, 0.20, 0.0]):
        result = backend.place(np.array(point))
        assert result.event is Event.PLACE_BLOCKED, result
        assert backend.state().held == 0


def test_a_thing_can_be_put_into_a_bowl_and_travels_with_it(caster, scene, role) -> None:
    spec, state = scene((role("box"), 0.5, 0.0, 0.0, 0.0), (role("bowl"), 0.5, 0.2, 0.0, 0.0))
    spec = msgspec.structs.replace(
        spec, objects=(msgspec.structs.replace(spec.objects[0], scale=0.75), spec.objects[1])
    )
    backend = KinematicBackend()
    backend.reset(spec)
    box = caster.pack[role("box")].size[2] * 0.75
    assert backend.pick(np.array([0.5, 0.0, box])).event is Event.PICKED
    t, _ = caster.cast(spec, state, np.array([[0.5, 0.2, 1.0]]), np.array([[0, 0, -1.0]]))
    floor = float(1 - t[0])
    assert backend.place(np.array([0.5, 0.2, floor])).event is Event.PLACED
    inside = backend.state().objects[0]
    assert floor - 0.005 < inside[2] < floor + 0.03
    width, _, height = caster.pack[role("bowl")].size
    result = backend.pick(np.array([0.5, 0.2 + width / 2 - 0.006, height]))
    assert result.event is Event.PICKED, result
    assert result.object == 1
    moved = backend.state().objects
    assert np.linalg.norm(moved[0, :3] - moved[1, :3]) == pytest.approx(
        np.linalg.norm(inside[:3] - state.objects[1, :3]), abs=1e-6
    )


def test_a_thing_put_over_the_table_edge_does_not_stay(held, role) -> None:
    backend, _ = held((role("box"), 0.5, 0.0, 0.0, 0.0))
    result = backend.place(np.array([0.195, 0.3, 0.0]))
    assert result.event in (Event.UNSTABLE, Event.OUT_OF_REACH, Event.PLACE_BLOCKED)


def test_what_is_too_heavy_is_not_held(scene, caster, role) -> None:
    spec, _ = scene((role("box"), 0.5, 0.0, 0.0, 0.0))
    heavy = msgspec.structs.replace(spec.objects[0], mass_scale=100.0)
    backend = KinematicBackend()
    backend.reset(msgspec.structs.replace(spec, objects=(heavy,)))
    result = backend.pick(top(caster, role("box"), 0.5, 0.0))
    assert result.event is Event.NOTHING_HELD
    assert backend.state().held == -1


def test_a_robot_elsewhere_reaches_what_is_in_front_of_it(caster, scene, role) -> None:
    spec, state = scene((role("box"), 0.65, 0.6, 0.0, 0.0))
    point = top(caster, role("box"), 0.65, 0.6)
    assert isinstance(pick.plan(caster, spec, state, point), SkillResult)
    turned = msgspec.structs.replace(
        spec.robot, base=Pose(position=(0.0, 0.4, 0.0), orientation=(0.98877108, 0, 0, 0.14943813))
    )
    plan = pick.plan(caster, msgspec.structs.replace(spec, robot=turned), state, point)
    assert isinstance(plan, PickPlan)
    tcp = ways.tcp(msgspec.structs.replace(spec, robot=turned), plan.down[-1])
    np.testing.assert_allclose(tcp[:3, 3], plan.grasp.position, atol=1e-6)


def test_the_plan_for_a_tilted_thing_uses_its_real_underside(caster, scene, role) -> None:
    spec, state = scene((role("box"), 0.5, 0.0, 0.0, 0.0))
    tilted = poses.multiply(np.array([np.cos(0.3), np.sin(0.3), 0, 0]), state.objects[0, 3:])
    tcp = ways.tcp(spec, state.joints)[:3, 3]
    held_state = State(
        objects=np.array([[*(tcp - [0, 0, 0.15]), *tilted]]), joints=state.joints, held=0
    )
    yaw = ways.closing_yaw(spec, state.joints)
    plan = place.plan(caster, spec, held_state, np.array([0.5, 0.0, 0.0]), hand_yaw=yaw)
    assert isinstance(plan, PlacePlan)
    low, _ = heightmap.pose_bounds(caster, role("box"), 1.0, plan.pose)
    assert low[2] == pytest.approx(0.0, abs=0.004)
    assert not plan.balanced
