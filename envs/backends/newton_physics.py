"""Worlds of one Newton model, stepped together by MuJoCo's solver: on the CPU one, on a GPU many.

What is kept here of each world (coordinates, speeds) is what counts between two calls; a world that
is not advanced stands still while others go on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.envs.backends.frames import wxyz, xyzw
from refergym.envs.backends.newton_model import (
    STEP,
    WorldModel,
    boxes,
    device_named,
    engine,
    padded,
)
from refergym.envs.errors import BackendError

Array = NDArray[np.float64]
Single = NDArray[np.float32]

ARM = 9
"""coordinates of the arm and its fingers, the first of each world"""
CONTACTS = 256
"""points of contact that a world may have, where worlds are solved together"""
_ROWS_PER_CONTACT = 6


class NewtonPhysics:
    """See the module. Worlds are known by their number."""

    def __init__(
        self, models: Sequence[WorldModel], device: str, *, together: bool = False
    ) -> None:
        """Build worlds; where their objects are is said by `put`.

        Args:
            models: of each world; the same one may be there many times.
            device: of Warp: "cpu", "cuda:0".
            together: True has MuJoCo Warp solve them, which is what a GPU always does; False lets
                MuJoCo's own code solve one world on the CPU.

        Raises:
            BackendError: if the scenes cannot be solved together, or the device is not there.
        """
        newton = engine()
        import warp

        self._wp, self._newton = warp, newton
        self._device = warp.get_device(device_named(device))
        unique = {id(m): m for m in models}
        sizes = {key: (m.builder.body_count, boxes(m)) for key, m in unique.items()}
        bodies, slabs = (max(each) for each in zip(*sizes.values(), strict=True))
        fitting = {
            key: m if sizes[key] == (bodies, slabs) else padded(m, bodies, slabs)
            for key, m in unique.items()
        }
        self._models = [fitting[id(m)] for m in models]
        builder = newton.ModelBuilder()
        newton.solvers.SolverMuJoCo.register_custom_attributes(builder)
        for m in self._models:
            builder.add_world(m.builder)
        with warp.ScopedDevice(self._device):
            self._model = builder.finalize(self._device)
            self._solver = self._make_solver(not (together or self._device.is_cuda))
            self._state = self._model.state()
            self._control = self._model.control()
            self._contacts = newton.Contacts(self._solver.get_max_contact_count(), 0)
        self._count = len(models)
        self._q = self._of(self._model.joint_q)
        self._qd = self._of(self._model.joint_qd)
        self._warm = np.zeros_like(self._qd)
        self._target_q = self._of(self._control.joint_target_q)
        self._target_qd = self._of(self._control.joint_target_qd)
        self._bodies = self._model.body_count // self._count
        self._shape_body = self._model.shape_body.numpy()
        self._fresh = np.ones(self._count, bool)
        self._is_dirty = True
        self._touched: list[tuple[set[int], set[int]]] | None = None
        self._graph: Any = None

    @property
    def device(self) -> str:
        """Where it runs."""
        return str(self._device)

    @property
    def is_together(self) -> bool:
        """Whether worlds are solved by MuJoCo Warp, rather than the one by MuJoCo's own code."""
        return not self._solver.use_mujoco_cpu

    def put(self, world: int, objects: Array, joints: Array) -> None:
        """Put everything somewhere, at rest.

        Args:
            world: its number.
            objects: [N, 7] poses, position m and quaternion wxyz.
            joints: [9] rad and m; also what the drives aim at.
        """
        self._qd[world] = 0.0
        self._q[world, :ARM] = joints
        for index, row in enumerate(objects):
            self._place(world, index, row)
        self._target_q[world, :ARM] = joints
        self._target_qd[world, :ARM] = 0.0
        self._fresh[world] = True
        self._is_dirty = True

    def place(self, world: int, index: int, pose: Array) -> None:
        """Put an object at a pose [7], at rest."""
        self._place(world, index, pose)
        start = self._models[world].dofs[index]
        self._qd[world, start : start + 6] = 0.0
        self._is_dirty = True

    def set_velocity(self, world: int, index: int, velocity: Array) -> None:
        """Give an object a velocity [6]: m/s of its centre of mass, and rad/s."""
        start = self._models[world].dofs[index]
        self._qd[world, start : start + 6] = velocity
        self._is_dirty = True

    def take(self, world: int, other: "NewtonPhysics") -> None:
        """Take over what a world of the same number and model is like elsewhere."""
        n = min(self._q.shape[1], other._q.shape[1])
        m = min(self._qd.shape[1], other._qd.shape[1])
        for mine, theirs in (
            (self._q, other._q),
            (self._target_q, other._target_q),
        ):
            mine[world, :n] = theirs[world, :n]
        for mine, theirs in (
            (self._qd, other._qd),
            (self._target_qd, other._target_qd),
            (self._warm, other._warm),
        ):
            mine[world, :m] = theirs[world, :m]
        self._fresh[world] = other._fresh[world]
        self._is_dirty = True

    def joints(self, world: int) -> Array:
        """[9] rad and m."""
        return self._q[world, :ARM].astype(np.float64)

    def objects(self, world: int) -> Array:
        """[N, 7] canonical poses."""
        starts = self._models[world].coordinates
        rows = np.array([self._q[world, s : s + 7] for s in starts], np.float64).reshape(-1, 7)
        unit = rows[:, 3:] / np.linalg.norm(rows[:, 3:], axis=1, keepdims=True)
        return np.column_stack([rows[:, :3], _turns(unit)])

    def speeds(self, world: int) -> Array:
        """[N, 6] m/s and rad/s of each object."""
        starts = self._models[world].dofs
        return np.array([self._qd[world, s : s + 6] for s in starts], np.float64).reshape(-1, 6)

    def advance(self, targets: Mapping[int, Array]) -> tuple[int, ...]:
        """Step some worlds, as often as their targets have rows; the others stand still.

        Args:
            targets: for each world, what its drives aim at: [n, 9] rad and m, n alike for all.

        Returns:
            Those that diverged; they are what they were before, as all are if this is interrupted.
        """
        moving = sorted(targets)
        steps = len(targets[moving[0]])
        with self._wp.ScopedDevice(self._device):
            self._push()
            self._is_dirty = True
            self._fresh[moving] = True
            for k in range(steps):
                for world in moving:
                    now = self._target_q[world, :ARM]
                    self._target_qd[world, :ARM] = (targets[world][k] - now) / STEP
                    self._target_q[world, :ARM] = targets[world][k]
                self._control.joint_target_q.assign(self._target_q.reshape(-1))
                self._control.joint_target_qd.assign(self._target_qd.reshape(-1))
                self._step()
            return self._pull(moving)

    def touched(self, world: int) -> tuple[set[int], set[int]]:
        """Return the objects that the left and the right finger touched in the last step."""
        if self._touched is None:
            with self._wp.ScopedDevice(self._device):
                self._touched = self._find_touched()
        return self._touched[world]

    def _make_solver(self, on_cpu: bool) -> Any:
        contacts = CONTACTS if not on_cpu else 4 * CONTACTS
        try:
            solver = self._newton.solvers.SolverMuJoCo(
                self._model,
                use_mujoco_cpu=on_cpu,
                integrator="implicitfast",
                cone="elliptic",
                impratio=100.0,  # with less, what is held creeps out of the fingers
                enable_multiccd=True,  # else hulls sink in by 4 mm
                kinematic_switchable_roots=False,
                nconmax=contacts,
                njmax=_ROWS_PER_CONTACT * contacts,
            )
        except ValueError as e:
            text = " ".join(str(e).split())
            raise BackendError(f"these scenes cannot be solved together: {text}") from e
        if on_cpu:  # MuJoCo would begin anew without a word where it diverges
            import mujoco

            solver.mj_model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
        return solver

    def _step(self) -> None:
        """One step of all worlds; on a GPU recorded once, and then replayed."""
        if self._device.is_cpu:
            self._solve()
            return
        if self._graph is None:
            self._solve()  # kernels are compiled and buffers made outside of the recording
            with self._wp.ScopedCapture() as capture:
                self._solve()
            self._graph = capture.graph
            return
        self._wp.capture_launch(self._graph)

    def _solve(self) -> None:
        self._state.clear_forces()
        self._solver.step(self._state, self._state, self._control, None, STEP)

    def _push(self) -> None:
        if not self._is_dirty:
            return
        self._state.joint_q.assign(self._q.reshape(-1))
        self._state.joint_qd.assign(self._qd.reshape(-1))
        if self.is_together:
            self._warm[self._fresh] = 0.0
            self._solver.mjw_data.qacc_warmstart.assign(self._warm)
        elif self._fresh.any():
            self._solver.reset(self._state, flags=0)
        self._fresh[:] = False
        self._newton.eval_fk(self._model, self._state.joint_q, self._state.joint_qd, self._state)
        self._is_dirty = False

    def _pull(self, moving: Sequence[int]) -> tuple[int, ...]:
        """Read the worlds that moved; returns those that diverged."""
        q, qd = self._of(self._state.joint_q), self._of(self._state.joint_qd)
        bad = [w for w in moving if not (np.isfinite(q[w]).all() and np.isfinite(qd[w]).all())]
        well = [w for w in moving if w not in bad]
        self._touched = None
        self._q[well], self._qd[well] = q[well], qd[well]
        if self.is_together:
            self._warm[well] = self._solver.mjw_data.qacc_warmstart.numpy()[well]
        self._fresh[well] = False
        self._is_dirty = len(well) < self._count
        return tuple(bad)

    def _find_touched(self) -> list[tuple[set[int], set[int]]]:
        self._solver.update_contacts(self._contacts)
        n = int(self._contacts.rigid_contact_count.numpy()[0])
        sides = [
            self._shape_body[shapes.numpy()[:n]]
            for shapes in (self._contacts.rigid_contact_shape0, self._contacts.rigid_contact_shape1)
        ]
        found: list[tuple[set[int], set[int]]] = [(set(), set()) for _ in self._models]
        for pair in np.unique(np.sort(np.stack(sides), axis=0), axis=1).T.tolist():
            if pair[0] < 0:
                continue
            world = pair[0] // self._bodies
            model = self._models[world]
            a, b = (body % self._bodies for body in pair)
            for finger, thing in ((a, b), (b, a)):
                if finger in model.fingers and thing in model.objects:
                    found[world][model.fingers.index(finger)].add(model.objects.index(thing))
        return found

    def _place(self, world: int, index: int, pose: Array) -> None:
        start = self._models[world].coordinates[index]
        self._q[world, start : start + 7] = (*pose[:3], *xyzw(pose[3:]))

    def _of(self, array: Any) -> Single:
        """Copy an array of Newton's, a row for each world."""
        rows: Single = array.numpy().astype(np.float32).reshape(self._count, -1)
        return rows.copy()


def _turns(rows: Array) -> Array:
    """Turn quaternions [N, 4] xyzw into canonical ones, wxyz."""
    return np.array([poses.canonical(wxyz(row)) for row in rows]).reshape(-1, 4)
