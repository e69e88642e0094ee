"""SceneSpec: what stands where, as plain data. Everything downstream is rebuilt from it.

World frame: z up, metres, origin at the robot's base. Quaternions are wxyz with w >= 0.
"""

from typing import Annotated, Literal

import msgspec

from refergym.assets import records
from refergym.assets.errors import SpecError
from refergym.assets.records import Record

VERSION = 2

Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NonNegative = Annotated[float, msgspec.Meta(ge=0)]
Unit = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(gt=0)]


class Pose(Record, frozen=True, kw_only=True):
    """A rigid pose in its parent frame."""

    position: Vec3
    """[3] m"""
    orientation: Quat = (1.0, 0.0, 0.0, 0.0)
    """[4] wxyz, unit length, w >= 0"""


class ObjectSpec(Record, frozen=True, kw_only=True):
    """One movable object."""

    id: str
    """unique in the scene, e.g. "cup_0"; never shown to a policy"""
    asset: str
    """name of the asset in the pack"""
    pose: Pose
    """of the asset's own frame (z up, origin under the middle of its bounding box), world"""
    scale: Positive = 1.0
    """uniform; mass goes with its cube"""
    tint: Vec3 = (1.0, 1.0, 1.0)
    """[3] multiplies the texture's linear RGB"""
    mass_scale: Positive = 1.0
    """multiplies the scaled mass"""
    friction: NonNegative | None = None
    """lateral friction instead of the asset's own"""


class SupportSpec(Record, frozen=True, kw_only=True):
    """A fixed slab with a level upper face that things stand on: the table, or the floor."""

    id: str
    pose: Pose
    """centre of the box, world"""
    size: tuple[Positive, Positive, Positive]
    """[3] m, full extents"""
    outline: tuple[tuple[float, float], ...] | None = None
    """[K, 2] m, corners of a convex upper face about the slab's centre, counter-clockwise, within
    `size`; none makes the slab a box"""
    asset: str | None = None
    """furniture of the pack that is seen instead of the slab, upright, its upper face at `top`, its
    origin over the slab's centre, turned with it; pixels that show it bear the support's id"""
    texture: str | None = None
    """name of a texture in the pack; none gives the plain colour"""
    texture_scale: Positive = 0.5
    """m covered by one repetition of the texture"""
    colour: tuple[Unit, Unit, Unit] = (0.7, 0.7, 0.7)
    """[3] sRGB in [0, 1]; multiplies the texture where there is one; furniture has its own"""
    friction: NonNegative = 0.8

    @property
    def top(self) -> float:
        """Height of the upper face, m, world."""
        return self.pose.position[2] + self.size[2] / 2


class FixtureSpec(Record, frozen=True, kw_only=True):
    """A fixed box that is only seen: a wall, a window. It casts no shadow, and nothing hits it."""

    id: str
    pose: Pose
    """centre of the box, world"""
    size: tuple[Positive, Positive, Positive]
    """[3] m, full extents"""
    texture: str | None = None
    """name of a texture in the pack; none gives the plain colour"""
    texture_scale: Positive = 1.0
    """m covered by one repetition of the texture"""
    colour: tuple[Unit, Unit, Unit] = (0.8, 0.8, 0.8)
    """[3] sRGB in [0, 1]; multiplies the texture where there is one"""
    glow: Unit = 0.0
    """how much of the colour is seen whatever the light: 0 a wall, 1 a bright window"""


class LightSpec(Record, frozen=True, kw_only=True):
    """One distant light that casts shadows, and ambient light."""

    direction: Vec3 = (0.3, -0.4, 1.0)
    """[3] from the scene towards the light, world; need not be unit length"""
    intensity: NonNegative = 1.0
    """scales the nominal light"""
    ambient: NonNegative = 1.0
    """scales the nominal ambient light"""


class CameraSpec(Record, frozen=True, kw_only=True):
    """A pinhole camera, OpenCV convention (x right, y down, z forward)."""

    id: str = "view"
    width: Count = 224
    """px"""
    height: Count = 224
    """px"""
    fx: Positive
    """px"""
    fy: Positive
    """px"""
    cx: float
    """px; the image's left edge is 0, its right edge `width`"""
    cy: float
    """px"""
    pose: Pose
    """camera to world"""
    far: Positive = 10.0
    """m along the optical axis; nothing beyond is seen"""


class SensorSpec(Record, frozen=True, kw_only=True):
    """What the camera's pictures are like, and how wrong the robot is about the camera.

    Noise is drawn from the episode's seed and the step's number. A point is lifted to 3D with the
    camera that the robot believes; what is true of the scene is judged with the true one.
    """

    depth_noise: Literal["none", "gaussian", "stereo"] = "none"
    depth_sigma: NonNegative = 0.003
    """m at 1 m (gaussian: grows with z squared), or px of disparity x 100 (stereo: see sensor)"""
    stereo_baseline: Positive = 0.05
    """m"""
    rgb_sigma: NonNegative = 0.0
    """standard deviation of additive noise, in 1/255"""
    exposure: Positive = 1.0
    """multiplies linear RGB"""
    white_balance: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)
    """[3] multiply linear red, green and blue"""
    believed_shift: Vec3 = (0.0, 0.0, 0.0)
    """[3] m, camera frame: from where the camera is to where the robot believes it to be"""
    believed_turn: Vec3 = (0.0, 0.0, 0.0)
    """[3] rad, rotation vector, camera frame: how the believed camera is turned against the true"""
    believed_focal: Positive = 1.0
    """the focal length that the robot believes, over the true one"""
    believed_centre: tuple[float, float] = (0.0, 0.0)
    """[2] px: the principal point that the robot believes, less the true one"""


class RobotSpec(Record, frozen=True, kw_only=True):
    """The arm and where it waits."""

    kind: Literal["panda"] = "panda"
    base: Pose = Pose(position=(0.0, 0.0, 0.0))
    parked: tuple[float, float, float, float, float, float, float] = (
        1.9, -0.91977991, 0.0, -2.38668048, 0.0, 1.46690057, 0.78539816,
    )  # fmt: skip
    """[7] rad, the joint positions at the start and after each skill, out of the camera's view"""


class SceneSpec(Record, frozen=True, kw_only=True):
    """A whole scene. Two scenes are the same if and only if their digests are equal."""

    version: int = VERSION
    seed: int = 0
    """what the composer was given; information only"""
    composer: str = ""
    """which composer made it"""
    pack: str
    """digest of the asset pack's manifest"""
    supports: tuple[SupportSpec, ...]
    """the first is the one that tasks play on, the second the floor"""
    objects: tuple[ObjectSpec, ...]
    fixtures: tuple[FixtureSpec, ...] = ()
    """walls and windows"""
    light: LightSpec = LightSpec()
    camera: CameraSpec
    sensor: SensorSpec = SensorSpec()
    robot: RobotSpec = RobotSpec()
    settled: dict[str, tuple[Pose, ...]] = msgspec.field(default_factory=dict)
    """per backend kind: the objects' poses at rest, in the order of `objects`; reset uses them"""

    @property
    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON."""
        return records.digest(self)

    def poses(self, kind: str) -> tuple[Pose, ...]:
        """Return the objects' start poses for a backend kind.

        Raises:
            SpecError: if the scene was never settled in that kind of backend.
        """
        if kind not in self.settled:
            known = ", ".join(sorted(self.settled)) or "none"
            raise SpecError(
                f"settled: no poses for backend kind {kind!r} (has: {known}); settle first"
            )
        return self.settled[kind]

    def index(self, object_id: str) -> int:
        """Return the place of an object in `objects`; raises SpecError if it is not there."""
        for i, o in enumerate(self.objects):
            if o.id == object_id:
                return i
        raise SpecError(
            f"objects: no object {object_id!r} (has: {', '.join(o.id for o in self.objects)})"
        )


def load_scene(data: bytes | str) -> SceneSpec:
    """Decode and check a scene.

    Raises:
        SpecError: naming the field by path: "objects[2].scale: expected > 0, got -1".
    """
    spec = records.decode(data, SceneSpec)
    check_scene(spec)
    return spec


def check_scene(spec: SceneSpec) -> None:
    """Check what types alone cannot: version, unique ids, unit quaternions, settled lengths."""
    if spec.version != VERSION:
        raise SpecError(f"version: expected {VERSION}, got {spec.version}")
    if not spec.supports:
        raise SpecError("supports: expected at least one, got none")
    seen: dict[str, int] = {}
    for i, o in enumerate(spec.objects):
        if o.id in seen:
            raise SpecError(f"objects[{i}].id: {o.id!r} is already objects[{seen[o.id]}]")
        seen[o.id] = i
        _check_pose(o.pose, f"objects[{i}].pose")
    for k, support in enumerate(spec.supports):
        _check_pose(support.pose, f"supports[{k}].pose")
    for k, fixture in enumerate(spec.fixtures):
        _check_pose(fixture.pose, f"fixtures[{k}].pose")
    _check_pose(spec.robot.base, "robot.base")
    _check_pose(spec.camera.pose, "camera.pose")
    for kind, poses in spec.settled.items():
        if len(poses) != len(spec.objects):
            raise SpecError(f"settled.{kind}: expected {len(spec.objects)} poses, got {len(poses)}")
        for i, pose in enumerate(poses):
            _check_pose(pose, f"settled.{kind}[{i}]")


def _check_pose(pose: Pose, path: str) -> None:
    norm = sum(q * q for q in pose.orientation) ** 0.5
    if abs(norm - 1) > 1e-4:
        raise SpecError(f"{path}.orientation: expected unit length, got length {norm:.4g}")
