"""Where things stand in a stage: the paths of its prims."""

from collections.abc import Iterable

from refergym.assets.identifiers import identifiers
from refergym.assets.spec import SceneSpec

FILE = "scene.usda"
"""of a stage, in its folder"""
ROOM = "room.usdc"
"""its layer of supports and fixtures"""
WORLD = "/World"
PHYSICS_SCENE = f"{WORLD}/physics_scene"
OBJECTS = f"{WORLD}/objects"
SUPPORTS = f"{WORLD}/supports"
FIXTURES = f"{WORLD}/fixtures"
CAMERAS = f"{WORLD}/cameras"
LIGHTS = f"{WORLD}/lights"
ROBOT = f"{WORLD}/robot"
PEDESTAL = f"{WORLD}/pedestal"
ROBOT_LINK = "panda_"
"""comes before a link's name in kinematics.LINKS"""


def object_paths(scene: SceneSpec) -> tuple[str, ...]:
    """Return the path of each object's rigid body, in the order of `objects`."""
    return paths(OBJECTS, (thing.id for thing in scene.objects))


def support_paths(scene: SceneSpec) -> tuple[str, ...]:
    """Return the path of each support, in the order of `supports`."""
    return paths(SUPPORTS, (support.id for support in scene.supports))


def fixture_paths(scene: SceneSpec) -> tuple[str, ...]:
    """Return the path of each fixture, in the order of `fixtures`."""
    return paths(FIXTURES, (fixture.id for fixture in scene.fixtures))


def camera_path(scene: SceneSpec) -> str:
    """Return the path of the scene's camera."""
    return paths(CAMERAS, [scene.camera.id])[0]


def link_path(link: str) -> str:
    """Return the path of one of kinematics.LINKS."""
    return f"{ROBOT}/{ROBOT_LINK}{link}"


def joint_paths() -> tuple[str, ...]:
    """Return the paths of the arm's seven joints and the two fingers', in the order of a state."""
    arm = [f"{ROBOT}/joints/panda_joint{k}" for k in range(1, 8)]
    return (*arm, *(f"{ROBOT}/joints/panda_finger_joint{k}" for k in (1, 2)))


def paths(parent: str, ids: Iterable[str]) -> tuple[str, ...]:
    """Return a path under a parent for each id, which need not be the name of a prim."""
    return tuple(f"{parent}/{name}" for name in identifiers(ids))
