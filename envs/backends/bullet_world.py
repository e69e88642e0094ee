"""One PyBullet world built from a SceneSpec: bodies, contacts, the arm's motors.

Facts this rests on: a world is bitwise repeatable only when it is rebuilt (restoring or continuing
is not), and only resetSimulation + rebuild does not leak.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.inertia import ROLLING_FRICTION, SPINNING_FRICTION, principal
from refergym.assets.library import AssetInfo, Pack
from refergym.assets.robots.panda_model import GRIP_FORCE, PAD_FRICTION, panda_urdf
from refergym.assets.slabs import convex_parts
from refergym.assets.spec import Pose, SceneSpec, SupportSpec
from refergym.envs.backends.frames import from_body, to_body, wxyz, xyzw
from refergym.envs.backends.muted import muted
from refergym.envs.backends.rows import shared_rows
from refergym.envs.errors import BackendError
from refergym.envs.skills.execute import between_fingers
from refergym.envs.skills.pacing import paced
from refergym.envs.types import State

Array = NDArray[np.float64]

STEP = 1 / 240
"""s"""
ARM_JOINTS = tuple(range(7))
FINGER_JOINTS = (9, 10)
_ARM_FORCE = 240.0
_CALM_SPEED, _CALM_TURN = 0.005, 0.05
_CHECK_EVERY = 24
_RECORD_EVERY = 16


@lru_cache(maxsize=1)
def load_pybullet() -> ModuleType:
    """Import PyBullet without its build banner; raises BackendError when it is missing."""
    try:
        with muted(2):
            import pybullet
    except ImportError as e:
        raise BackendError(
            "PyBullet is not installed (wheels exist for Python 3.11 at most); use "
            "backend=kinematic, or see `refergym doctor` for the command that builds it"
        ) from e
    if not pybullet.isNumpyEnabled():
        raise BackendError("this PyBullet was built without NumPy; reinstall it with NumPy present")
    return pybullet  # type: ignore[no-any-return]


class BulletWorld:
    """A physics client and what is in it. Poses in and out are those of the assets' own frames."""

    def __init__(self, pack: Pack) -> None:
        """Connect; `build` fills the world."""
        self._p = load_pybullet()
        self._client = self._p.connect(self._p.DIRECT)
        self._pack = pack
        self._robot = -1
        self._bodies: list[int] = []
        self._frames: list[tuple[Array, Array]] = []
        self._index: dict[int, int] = {}
        self._points: list[Array] = []
        self._target = np.zeros(9)
        self.held = -1
        self.recorder: Callable[[State], None] | None = None
        """called about every 1/15 s of simulated time while things move"""
        self._ticks = 0
        self._sleepless: set[int] = set()

    def close(self) -> None:
        """Disconnect."""
        self._p.disconnect(physicsClientId=self._client)

    def build(self, spec: SceneSpec, start: Sequence[Pose], *, asleep: bool = True) -> None:
        """Empty the world and fill it from a spec, its objects at the given poses, at rest.

        Args:
            spec: the scene.
            start: pose of each object.
            asleep: whether the objects stay exactly there until they are touched.
        """
        p, c = self._p, self._client
        p.resetSimulation(physicsClientId=c)
        p.setPhysicsEngineParameter(
            fixedTimeStep=STEP,
            numSolverIterations=50,
            numSubSteps=0,
            contactBreakingThreshold=0.003,  # m; the default of 0.02 keeps twice the contacts
            physicsClientId=c,
        )
        p.setGravity(0, 0, -9.81, physicsClientId=c)
        self._bodies, self._frames, self._points, self._index = [], [], [], {}
        self.held, self._ticks, self._sleepless = -1, 0, set()
        for support in spec.supports:
            self._add_support(support)
        self._add_robot(spec)
        for i, (thing, pose) in enumerate(zip(spec.objects, start, strict=True)):
            info = self._pack[thing.asset]
            friction = info.friction if thing.friction is None else thing.friction
            body = self._add_object(
                info, thing.scale, thing.mass_scale, friction, poses.as_row(pose)
            )
            self._bodies.append(body)
            self._index[body] = i
        if asleep:
            self._sleep_all()

    def _add_support(self, support: SupportSpec) -> None:
        p, c = self._p, self._client
        shapes = []
        if support.outline is None:
            half = [v / 2 for v in support.size]
            shapes = [p.createCollisionShape(p.GEOM_BOX, halfExtents=half, physicsClientId=c)]
        if support.outline is not None or support.asset is not None:
            for part in convex_parts(self._pack, support):
                rows = shared_rows(part)
                shape = p.createCollisionShape(p.GEOM_MESH, vertices=rows, physicsClientId=c)
                shapes.append(shape)
        place = support.pose.position, xyzw(support.pose.orientation)
        for k, shape in enumerate(shapes):
            body = p.createMultiBody(0, shape, -1, *place, physicsClientId=c)
            p.changeDynamics(body, -1, lateralFriction=support.friction, physicsClientId=c)
            if k or support.outline is not None:
                # boxes keep their margin inside, hulls add it: things would stand 1 mm too high
                p.changeDynamics(body, -1, collisionMargin=0.0, physicsClientId=c)

    def _add_robot(self, spec: SceneSpec) -> None:
        p, c = self._p, self._client
        base = spec.robot.base
        self._robot = p.loadURDF(
            str(panda_urdf()),
            base.position,
            xyzw(base.orientation),
            useFixedBase=True,
            flags=p.URDF_IGNORE_VISUAL_SHAPES,
            physicsClientId=c,
        )
        self._target = np.array([*spec.robot.parked, 0.04, 0.04])
        for joint, q in zip((*ARM_JOINTS, *FINGER_JOINTS), self._target, strict=True):
            p.resetJointState(self._robot, joint, q, physicsClientId=c)
        lateral, spinning, rolling = PAD_FRICTION
        p.changeDynamics(
            self._robot, -1, activationState=p.ACTIVATION_STATE_DISABLE_SLEEPING, physicsClientId=c
        )
        for finger in FINGER_JOINTS:
            p.changeDynamics(
                self._robot,
                finger,
                lateralFriction=lateral,
                spinningFriction=spinning,
                rollingFriction=rolling,
                physicsClientId=c,
            )
        # the real fingers share one motor: without this, what they hold slides along their axis
        gear = p.createConstraint(
            self._robot, FINGER_JOINTS[0], self._robot, FINGER_JOINTS[1], p.JOINT_GEAR,
            [1, 0, 0], [0, 0, 0], [0, 0, 0], physicsClientId=c,
        )  # fmt: skip
        p.changeConstraint(gear, gearRatio=-1, erp=0.1, maxForce=100, physicsClientId=c)
        self._drive()

    def _add_object(
        self, info: AssetInfo, scale: float, mass_scale: float, friction: float, pose: Array
    ) -> int:
        p, c = self._p, self._client
        com, axes, moments = principal(info.com, info.inertia)
        com = com * scale
        # the body's frame is the principal frame at the centre of mass, so PyBullet needs no offset
        shape = p.createCollisionShape(
            p.GEOM_MESH,
            fileName=str(self._pack.hull_file(info.name)),
            meshScale=[scale] * 3,
            collisionFramePosition=(-axes.T @ com).tolist(),
            collisionFrameOrientation=xyzw(poses.quaternion(axes.T)),
            physicsClientId=c,
        )
        frame = (com, poses.quaternion(axes))
        self._frames.append(frame)
        self._points.append(np.concatenate(self._pack.hulls(info.name)) * scale)
        position, turn = to_body(pose, frame)
        mass = info.mass * scale**3 * mass_scale
        body: int = p.createMultiBody(
            mass,
            shape,
            -1,
            position.tolist(),
            xyzw(turn),
            useMaximalCoordinates=True,  # plain rigid bodies: only these really sleep
            physicsClientId=c,
        )
        p.changeDynamics(
            body,
            -1,
            mass=mass,  # without it PyBullet takes 0 and the body becomes NaN
            localInertiaDiagonal=(moments * scale**5 * mass_scale).tolist(),
            lateralFriction=friction,
            rollingFriction=ROLLING_FRICTION,
            spinningFriction=SPINNING_FRICTION,
            activationState=p.ACTIVATION_STATE_ENABLE_SLEEPING,
            physicsClientId=c,
        )
        return body

    def state(self) -> State:
        """Read all poses and joints."""
        p, c = self._p, self._client
        objects = np.empty((len(self._bodies), 7))
        for i, body in enumerate(self._bodies):
            position, turn = p.getBasePositionAndOrientation(body, physicsClientId=c)
            objects[i] = from_body(np.array(position), wxyz(turn), self._frames[i])
        joints = p.getJointStates(self._robot, (*ARM_JOINTS, *FINGER_JOINTS), physicsClientId=c)
        return State(objects=objects, joints=np.array([j[0] for j in joints]), held=self.held)

    def box(self, index: int) -> tuple[Array, Array]:
        """See `execute.ArmWorld`."""
        p, c = self._p, self._client
        position, turn = p.getBasePositionAndOrientation(self._bodies[index], physicsClientId=c)
        row = from_body(np.array(position), wxyz(turn), self._frames[index])
        points = self._points[index] @ poses.rotation(row[3:]).T + row[:3]
        return points.min(axis=0), points.max(axis=0)

    def set_pose(self, index: int, pose: Array) -> None:
        """Put an object at a pose [7], at rest."""
        position, turn = to_body(pose, self._frames[index])
        body = self._bodies[index]
        self._p.resetBasePositionAndOrientation(
            body, position.tolist(), xyzw(turn), physicsClientId=self._client
        )
        self._p.resetBaseVelocity(body, [0, 0, 0], [0, 0, 0], physicsClientId=self._client)
        self._p.changeDynamics(
            body, -1, activationState=self._p.ACTIVATION_STATE_WAKE_UP, physicsClientId=self._client
        )

    def set_velocity(self, index: int, linear: Array, angular: Array) -> None:
        """Give an object a velocity [3] m/s of its centre of mass, and [3] rad/s; it wakes up."""
        p, c, body = self._p, self._client, self._bodies[index]
        p.resetBaseVelocity(body, list(linear), list(angular), physicsClientId=c)
        p.changeDynamics(body, -1, activationState=p.ACTIVATION_STATE_WAKE_UP, physicsClientId=c)

    def attach(self, index: int) -> int:
        """Fix an object to the hand as it is now; returns the constraint."""
        p, c = self._p, self._client
        hand = p.getLinkState(self._robot, 8, computeForwardKinematics=1, physicsClientId=c)
        inverse = p.invertTransform(hand[0], hand[1])
        body = p.getBasePositionAndOrientation(self._bodies[index], physicsClientId=c)
        position, turn = p.multiplyTransforms(*inverse, *body)
        constraint: int = p.createConstraint(
            self._robot, 8, self._bodies[index], -1, p.JOINT_FIXED, [0, 0, 0],
            position, [0, 0, 0], turn, [0, 0, 0, 1], physicsClientId=c,
        )  # fmt: skip
        return constraint

    def detach(self, constraint: int) -> None:
        """Undo `attach`."""
        self._p.removeConstraint(constraint, physicsClientId=self._client)

    def step(self, n: int = 1) -> None:
        """Advance by n steps, telling the recorder."""
        for _ in range(n):
            self._p.stepSimulation(physicsClientId=self._client)
            self._ticks += 1
            if self.recorder is not None and self._ticks % _RECORD_EVERY == 0:
                self.recorder(self.state())

    def follow(self, way: Sequence[Array], speed: float) -> None:
        """See `execute.ArmWorld`."""
        for target in paced(self._target[:7].copy(), way, speed, STEP):
            self._target[:7] = target
            self._drive()
            self.step()
        self.step(12)

    def grip(self, finger: float, seconds: float) -> None:
        """See `execute.ArmWorld`."""
        self._target[7:] = finger
        self._drive()
        self.step(round(seconds / STEP))
        # an object that falls asleep in the hand takes the fingers along: they would not open
        for index in self._touching(FINGER_JOINTS[0]) | self._touching(FINGER_JOINTS[1]):
            self._allow_sleep(index, allowed=False)

    def gripped(self) -> int:
        """See `execute.ArmWorld`."""
        left, right = FINGER_JOINTS
        self.held = between_fingers(
            lambda: (self._touching(left), self._touching(right)), self.step
        )
        return self.held

    def rest(self, seconds: float) -> None:
        """See `execute.ArmWorld`."""
        for _ in range(round(seconds / STEP / _CHECK_EVERY)):
            self.step(_CHECK_EVERY)
            if self._calm():
                self._sleep_all()
                break
        for index in list(self._sleepless - {self.held}):
            self._allow_sleep(index, allowed=True)

    def _allow_sleep(self, index: int, *, allowed: bool) -> None:
        p = self._p
        if allowed:
            self._sleepless.discard(index)
            state = p.ACTIVATION_STATE_ENABLE_SLEEPING
        else:
            self._sleepless.add(index)
            state = p.ACTIVATION_STATE_DISABLE_SLEEPING | p.ACTIVATION_STATE_WAKE_UP
        p.changeDynamics(
            self._bodies[index], -1, activationState=state, physicsClientId=self._client
        )

    def _sleep_all(self) -> None:
        """Put all but the held object to sleep; touching wakes them. Saves most of the time."""
        p = self._p
        state = p.ACTIVATION_STATE_ENABLE_SLEEPING | p.ACTIVATION_STATE_SLEEP
        for index, body in enumerate(self._bodies):
            if index != self.held:
                p.changeDynamics(body, -1, activationState=state, physicsClientId=self._client)
                self._sleepless.discard(index)

    def _calm(self) -> bool:
        for i, body in enumerate(self._bodies):
            if i == self.held:
                continue
            v, w = self._p.getBaseVelocity(body, physicsClientId=self._client)
            if max(map(abs, v)) > _CALM_SPEED or max(map(abs, w)) > _CALM_TURN:
                return False
        return True

    def _touching(self, finger: int) -> set[int]:
        contacts = self._p.getContactPoints(
            bodyA=self._robot, linkIndexA=finger, physicsClientId=self._client
        )
        return {self._index[c[2]] for c in contacts if c[2] in self._index}

    def _drive(self) -> None:
        p, c = self._p, self._client
        p.setJointMotorControlArray(
            self._robot,
            (*ARM_JOINTS, *FINGER_JOINTS),
            p.POSITION_CONTROL,
            targetPositions=self._target.tolist(),
            forces=[_ARM_FORCE] * 7 + [GRIP_FORCE] * 2,
            physicsClientId=c,
        )
