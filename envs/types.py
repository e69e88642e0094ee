"""The types that pass between backends, skills, tasks and the environment.

Frames are named by suffix: `_w` world, `_c` camera (OpenCV), `_uv` normalised image point.
"""

import enum
from dataclasses import dataclass, field
from typing import Literal, NotRequired, Protocol, TypedDict, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from refergym.assets.spec import CameraSpec, Pose, SceneSpec

Array = NDArray[np.float64]
Side = Literal["left", "right", "front", "behind"]
SIDES: tuple[Side, ...] = ("left", "right", "front", "behind")


class Event(enum.IntEnum):
    """What the last step did; the observation's `event` code."""

    NONE = 0
    """nothing yet (after reset)"""
    POINTED = 1
    """the task only points; the point was taken"""
    PICKED = 2
    PLACED = 3
    NO_SURFACE = 4
    """the point's ray meets nothing, or the depth has a hole there"""
    OUT_OF_REACH = 5
    """no arm posture reaches the grasp or the place (floor, far table, robot)"""
    NO_GRASP = 6
    """no antipodal grasp with clearance round the point"""
    NOTHING_HELD = 7
    """the gripper closed and lifted, and holds nothing"""
    DROPPED = 8
    """something was held and lost before it was placed"""
    PLACE_BLOCKED = 9
    """the held object or the hand does not fit there; the object stays in the hand"""
    UNSTABLE = 10
    """released, but it did not come to rest where it was put"""
    INVALID = 11
    """the answer had no usable point"""
    AIMED = 12
    """the place was named; the next point tells which way the held object is to be turned there"""


class Observation(TypedDict):
    """What a policy sees. Plain arrays, made anew for each step."""

    rgb: NDArray[np.uint8]
    """[H, W, 3]"""
    depth: NDArray[np.float32]
    """[H, W] m along the optical axis, finite; 0 = no return"""
    intrinsics: NDArray[np.float64]
    """[3, 3] px, as the robot's calibration has them"""
    instruction: str
    holding: int
    """1 while the gripper holds something"""
    event: int
    """an Event's value"""
    feedback: NotRequired[str]
    """the same in words, from environments that take words"""


@dataclass(frozen=True, kw_only=True)
class State:
    """Where everything is. Copies; nothing in it aliases the simulator's memory."""

    objects: Array
    """[N, 7] position m (world) and quaternion wxyz of each object's own frame"""
    joints: Array
    """[9] rad for the seven arm joints, m for the two fingers"""
    held: int = -1
    """index of the held object, or -1"""

    def digest(self) -> str:
        """sha256 (hex) of the raw numbers; equal only for bitwise equal states."""
        import hashlib

        h = hashlib.sha256()
        for a in (self.objects, self.joints, np.array([self.held], np.int64)):
            h.update(np.ascontiguousarray(a).tobytes())
        return h.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One rendered picture with its exact depth and ids."""

    rgb: NDArray[np.uint8]
    """[H, W, 3]"""
    depth: NDArray[np.float32]
    """[H, W] m along the optical axis; 0 = nothing there"""
    ids: NDArray[np.int32]
    """[H, W] index of the object; or one of the ID_ constants"""


ID_NOTHING = -1
ID_ROBOT = -2
ID_SUPPORT = -10
"""support number k (of SceneSpec.supports) has id ID_SUPPORT - k, furniture included"""
ID_FIXTURE = -1000
"""fixture number k (of SceneSpec.fixtures) has id ID_FIXTURE - k; it is only seen, never hit"""


@dataclass(frozen=True, kw_only=True)
class Grasp:
    """A parallel-jaw grasp from above."""

    position: Array
    """[3] m, world: the point between the fingertips"""
    yaw: float
    """rad, about world z, of the closing axis from world x; in (-pi/2, pi/2]"""
    width: float
    """m between the contacts"""
    score: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SkillResult:
    """How a skill ended."""

    event: Event
    object: int = -1
    """index of the object picked or placed, or -1"""
    detail: str = ""
    """for people: which phase failed and why"""


@runtime_checkable
class Backend(Protocol):
    """A simulator of one scene at a time. Made with no world; `reset` builds one.

    Every method but `reset` raises BackendError before the first reset; every method raises
    ClosedError after `close`.
    """

    @property
    def kind(self) -> str:
        """Names the poses in SceneSpec.settled and stands in every result."""
        ...

    def settle(self, spec: SceneSpec) -> tuple[Pose, ...]:
        """Put the objects down at their composed poses, let them rest, return canonical poses."""
        ...

    def reset(self, spec: SceneSpec) -> None:
        """Rebuild the world from a spec that was settled for this kind. Never settles."""
        ...

    def state(self) -> State:
        """Return where everything is."""
        ...

    def pick(self, point_w: Array) -> SkillResult:
        """Grasp what is at a world point [3] m; ends lifted and parked. Event PICKED or a cause."""
        ...

    def place(self, point_w: Array, yaw: float | None = None) -> SkillResult:
        """Put the held object's footprint centre at a world point [3] m; ends parked and settled.

        `yaw` turns the held object by that many rad about world z, counted from how it stood
        before it was picked; None keeps that, or turns it by half a turn where the arm gets there
        only so.
        """
        ...

    def close(self) -> None:
        """Release everything; idempotent."""
        ...


@runtime_checkable
class Renderer(Protocol):
    """RGB, depth and ids from (scene, state); equal states give equal pictures on any backend."""

    name: str

    def render(self, spec: SceneSpec, state: State, camera: CameraSpec | None = None) -> Frame:
        """Render one frame with the scene's camera, or with another one."""
        ...

    def close(self) -> None:
        """Release contexts; idempotent."""
        ...


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A task's judgement of a state."""

    success: bool
    progress: float
    """share of the subgoals reached, [0, 1]"""
    stage: str
    """"success", or the first stage that failed: "invalid", "wrong_object", "point", "grasp",
    "place", "unstable"..."""
    measures: dict[str, float] = field(default_factory=dict)
    """what was measured, e.g. {"distance_m": 0.012}"""
