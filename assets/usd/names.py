"""Where things stand in a stage: the paths of its prims."""

import re
from collections.abc import Iterable

from refergym.assets.spec import SceneSpec

FILE = "scene.usda"
"""of a stage, in its folder"""
WORLD = "/World"
PHYSICS_SCENE = f"{WORLD}/physics_scene"
OBJECTS = f"{WORLD}/objects"
SUPPORTS = f"{WORLD}/supports"
FIXTURES = f"{WORLD}/fixtures"
CAMERAS = f"{WORLD}/cameras"
LIGHTS = f"{WORLD}/lights"
ROBOT = f"{WORLD}/robot"
PEDESTAL = f"{WORLD}/pedestal"
LOOKS = f"{WORLD}/looks"
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
    """Return a path under a parent for each id: characters that USD refuses become "_".

    Names that would come twice get a number.
    """
    taken: dict[str, None] = {}
    for id_ in ids:
        name = plain = prim_name(id_)
        number = 2
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        taken[name] = None
    return tuple(f"{parent}/{name}" for name in taken)


def prim_name(text: str) -> str:
    """Return a text as the name of a prim."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return f"_{name}" if not name or name[0].isdigit() else name
