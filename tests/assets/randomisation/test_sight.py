"""What the camera sees by outlines, on scenes made by hand."""

import msgspec
import numpy as np
import pytest

from refergym.assets.camera import camera_from_fov, look_at, project
from refergym.assets.library import Pack
from refergym.assets.randomisation.shapes import apart, arm_gap, body, box, links
from refergym.assets.randomisation.sight import Sight, arm_share, is_kept, outlines, sights
from refergym.assets.robots import kinematics
from refergym.assets.spec import (
    FixtureSpec,
    ObjectSpec,
    Pose,
    RobotSpec,
    SceneSpec,
    SupportSpec,
)

TABLE = SupportSpec(id="table", pose=Pose(position=(0.6, 0.0, -0.02)), size=(0.8, 1.2, 0.04))


def scene(pack: Pack, *places: tuple[float, float], scale: float = 1.0) -> SceneSpec:
    apple = next(a.name for a in pack.manifest.assets if a.category == "apple")
    objects = tuple(
        ObjectSpec(id=f"apple_{k}", asset=apple, pose=Pose(position=(x, y, 0.0)), scale=scale)
        for k, (x, y) in enumerate(places)
    )
    return SceneSpec(
        pack=pack.digest,
        supports=(TABLE,),
        objects=objects,
        camera=camera_from_fov(200, 100, 60, look_at((1.4, 0.0, 0.3), (0.6, 0.0, 0.0))),
    )


def test_an_outline_holds_the_body_s_pixels_and_nothing_behind_the_camera(pack: Pack) -> None:
    one = scene(pack, (0.6, 0.1))
    points = body(pack, one.objects[0])
    px, _ = project(one.camera, points)
    behind = points + np.array([1.0, 0.0, 0.0])
    shape, nothing = outlines(one.camera, [points, behind])
    assert shape is not None
    np.testing.assert_allclose(shape.bounds, [*px.min(0), *px.max(0)])
    assert nothing is None


def test_an_object_alone_is_whole_and_shown(pack: Pack) -> None:
    (alone,) = sights(scene(pack, (0.6, 0.1)), pack)
    assert alone.is_whole
    assert alone.shown == pytest.approx(1)
    assert 0.001 < alone.area < 0.1


def test_the_nearer_of_two_hides_the_other(pack: Pack) -> None:
    far, near = sights(scene(pack, (0.5, 0.0), (0.7, 0.0)), pack)
    assert near.shown == 1
    assert far.shown < 0.9
    apart_far, _ = sights(scene(pack, (0.5, 0.0), (0.7, 0.3)), pack)
    assert apart_far.shown == 1


def test_what_leaves_the_picture_is_not_whole(pack: Pack) -> None:
    (half,) = sights(scene(pack, (0.6, 0.5)), pack)
    assert not half.is_whole
    assert half.shown < 1


def test_a_wall_before_an_object_is_noticed(pack: Pack) -> None:
    bare = scene(pack, (0.6, 0.0))

    def walled(x: float) -> SceneSpec:
        wall = FixtureSpec(id="wall", pose=Pose(position=(x, 0, 0)), size=(0.02, 3.0, 3.0))
        return msgspec.structs.replace(bare, fixtures=(wall,))

    assert sights(walled(0.1), pack)[0].is_whole
    assert sights(walled(1.6), pack)[0].is_whole
    assert not sights(walled(1.1), pack)[0].is_whole


def test_the_arm_can_be_in_the_way(pack: Pack) -> None:
    bare = scene(pack, (0.5, 0.0))
    (free,) = sights(bare, pack)
    assert arm_share(bare) < 0.2
    low = kinematics.solve_down(np.array([0.62, 0.0, 0.05]), np.pi / 2)
    assert low is not None
    reaching = RobotSpec(parked=tuple(float(q) for q in low))
    (covered,) = sights(msgspec.structs.replace(bare, robot=reaching), pack)
    assert covered.shown < free.shown


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        (Sight(is_whole=True, shown=0.6, area=0.003), True),
        (Sight(is_whole=False, shown=0.9, area=0.01), False),
        (Sight(is_whole=True, shown=0.4, area=0.01), False),
        (Sight(is_whole=True, shown=0.9, area=0.001), False),
    ],
)
def test_less_may_be_seen_but_not_too_little(after: Sight, kept: bool) -> None:
    before = Sight(is_whole=True, shown=0.9, area=0.01)
    assert is_kept((before,), (after,)) is kept
    hidden = Sight(is_whole=False, shown=0.1, area=0.0001)
    assert is_kept((hidden,), (hidden, after))


def test_boxes_are_as_far_apart_as_their_nearest_corners() -> None:
    a = (np.zeros(3), np.ones(3))
    assert apart(a, (np.array([2.0, 3.0, 0.0]), np.array([3.0, 4.0, 1.0]))) == np.hypot(1, 2)
    assert apart(a, (np.full(3, 0.5), np.full(3, 2.0))) == 0


def test_the_arm_s_bodies_lie_where_its_joints_put_them(pack: Pack) -> None:
    robot = RobotSpec(base=Pose(position=(0.1, 0.2, 0.3)))
    bodies = links(robot)
    assert len(bodies) == len(kinematics.LINKS)
    low, high = box(np.concatenate(bodies[9:]))
    tcp = kinematics.tcp_pose(np.array(robot.parked))[:3, 3] + (0.1, 0.2, 0.3)
    assert (low - 0.01 < tcp).all()
    assert (tcp < high + 0.01).all()
    one = scene(pack, (0.5, 0.0))
    under = msgspec.structs.replace(one.objects[0], pose=Pose(position=(-0.084, 0.246, 0.4)))
    assert arm_gap(msgspec.structs.replace(one, objects=(under,)), pack) < 0.05
