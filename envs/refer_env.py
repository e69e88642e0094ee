"""ReferEnv: point at a pixel, and the robot acts on it.

One step: (u, v) -> pixel -> ray -> metric depth with the sensor's noise -> 3D point -> pick (empty
gripper) or place (full gripper) -> settle -> new picture. Where the goal asks for a turn, a place
takes two points: where, and then which way. Tasks that only point skip the robot.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import msgspec
import numpy as np
from numpy.typing import NDArray

from refergym.assets import camera as pinhole
from refergym.assets.composers.base import Composer, Wants
from refergym.assets.library import Pack, open_pack
from refergym.assets.randomisation import Randomisation, Randomised
from refergym.assets.seeding import generator
from refergym.assets.spec import SceneSpec, SensorSpec
from refergym.envs import spaces, turning
from refergym.envs.drawing import draw_points
from refergym.envs.errors import ClosedError, EnvError, TaskError
from refergym.envs.looking import Looker
from refergym.envs.sensor import believed_camera, observe
from refergym.envs.starts import Start, check_start, load_start, make_start
from refergym.envs.task_spec import Act, Task, part_for
from refergym.envs.truth import Truth
from refergym.envs.types import ID_NOTHING, Backend, Event, Frame, Renderer, Verdict
from refergym.envs.view import Layout, View

CHECKED = 512
"""starts that are remembered as checked; a digest takes longer than a fast reset"""
OPTIONS = ("episode", "index")
"""keys that reset's options may hold"""
IMAGE_SIZE = (224, 224)
"""px (width, height), where the composer does not say its own"""
_WORKED = (Event.PICKED, Event.PLACED, Event.DROPPED, Event.UNSTABLE)
FAR = 10.0
"""m, greatest depth in an observation"""


class ReferEnv(gym.Env[dict[str, Any], NDArray[np.float64]]):
    """Refer to a thing or a place by one point; see `envs.types.Observation` for what is seen.

    Attributes:
        start: the running episode's start.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012 (Gymnasium's)

    def __init__(
        self,
        *,
        composer: Composer,
        task: Task,
        backend: Backend | Callable[[], Backend],
        renderer: Renderer | Callable[[], Renderer],
        sensor: SensorSpec | None = None,
        randomisation: Randomisation | None = None,
        max_steps: int | None = None,
        pictures: bool = True,
        render_mode: str | None = "rgb_array",
        pack: Pack | None = None,
    ) -> None:
        """Put the parts together; nothing is built before the first reset.

        Args:
            composer: makes scenes.
            task: makes tasks in them, and judges.
            backend: a simulator, or what makes one (called at the first reset).
            renderer: a renderer, or what makes one (called when a picture is first needed).
            sensor: noise of new episodes; None leaves it to the composer.
            randomisation: changes the scenes of new episodes before a task is chosen in them; None
                leaves them as they are composed.
            max_steps: steps until truncation; None takes the task's.
            pictures: False leaves rgb and depth out of the observations (for speed); the depth at
                the point is then cast exactly.
            render_mode: "rgb_array" or None.
            pack: assets; None takes the package's own.

        Raises:
            EnvError: if an argument is out of range.
        """
        if max_steps is not None and max_steps < 1:
            raise EnvError(f"max_steps: expected >= 1, got {max_steps}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            allowed = ", ".join(self.metadata["render_modes"])
            raise EnvError(f"render_mode: expected {allowed} or None, got {render_mode!r}")
        self.composer = composer
        self.task = task
        self.sensor = sensor
        self.randomisation = randomisation
        self.max_steps = max_steps or task.max_steps
        self._given_steps = max_steps
        self.pictures = pictures
        self.render_mode = render_mode
        self.start: Start | None = None
        self._size = _image_size(composer)
        self._pack = pack
        self._looker = Looker(renderer, pack)
        self._make_backend = _maker(backend)
        self._backend: Backend | None = None
        self._closed = False
        self._checked: dict[int, Start] = {}
        self._seed: int | None = None
        self._index = 0
        self._acts: list[Act] | None = None
        self.action_space = spaces.action_space()
        self._has_first = pictures and self.max_steps > 1
        self.observation_space = spaces.observation_space(
            self._size, FAR, pictures=pictures, first=self._has_first
        )

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: of the run; the next episodes follow from it by their number.
            options: "episode": a Start (or its JSON), begin there; "index": the episode's number.

        Returns:
            The observation, and info with "start" (Start), "truth" (see `envs.truth`), "event".

        Raises:
            EnvError: if the options are wrong.
            TaskError: if no start can be made, or the given one does not fit this environment.
        """
        self._check_open()
        if not isinstance(options, Mapping | None):
            raise EnvError(f"options: expected a dict, got {options!r:.80}")
        given = dict(options or {})
        unknown = sorted(set(given) - set(OPTIONS), key=str)
        if unknown:
            raise EnvError(f"options: unknown {unknown}, expected some of {list(OPTIONS)}")
        index = _whole_number(given.get("index"))
        super().reset(seed=seed)
        self._acts = None
        self._count(seed, index)
        start = self._find_start(given.get("episode"))
        self.backend.reset(start.scene)
        self._state = self._first_state = self.backend.state()
        self._acts = []
        self._is_over = False
        self._named: NDArray[np.float64] | None = None
        self._before_pick = self._state
        self.start = start
        self._part = part_for(self.task, start.task.kind) or self.task
        self._limit = self._given_steps or self._part.max_steps
        self._verdict: Verdict | None = None
        self._first_rgb: NDArray[np.uint8] | None = None
        observation = self._observe(Event.NONE)
        if self._has_first:
            self._first_rgb = self._rgb
            observation["first_rgb"] = self._rgb.copy()
        return observation, {"start": start, **self._info(Event.NONE)}

    def step(
        self, action: NDArray[np.float64]
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act on a point.

        Args:
            action: (u right, v down) in [0, 1].

        Returns:
            Observation, reward (1 on success), terminated (the task is decided), truncated (no
            steps left), info; "verdict" (Verdict) is in info when the episode ends.

        Raises:
            ActionError: if the action is not such a point; the step does not count.
            EnvError: before reset, or after the end.
        """
        self._check_running()
        return self._take(self._act(spaces.check_point(action)))

    def fail_step(self, reason: str) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Use up a step for an answer without a usable point; returns what `step` returns."""
        self._check_running()
        act = Act(point_uv=None, point_w=None, hit_w=None, hit=ID_NOTHING, event=Event.INVALID)
        return self._take((act, reason))

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture [H, W, 3] with the points so far drawn; None without render mode."""
        if self.render_mode is None:
            return None
        self._check_open()
        if self._acts is None or self.start is None:
            raise EnvError("render: no picture yet; call reset() first")
        rgb = self._rgb if self.pictures else self._looker.frame(self.start.scene, self._state).rgb
        return draw_points(rgb, [a.point_uv for a in self._acts if a.point_uv is not None])

    def close(self) -> None:
        """Release the simulator and the renderer; idempotent."""
        if self._backend is not None:
            self._backend.close()
        self._backend = None
        self._looker.close()
        self._closed = True
        self._acts = None

    @property
    def backend(self) -> Backend:
        """The simulator, made when first needed; ClosedError after close()."""
        self._check_open()
        if self._backend is None:
            self._backend = self._make_backend()
        return self._backend

    @property
    def renderer(self) -> Renderer:
        """The renderer, made when first needed; ClosedError after close()."""
        self._check_open()
        return self._looker.renderer

    @property
    def scenes(self) -> Composer:
        """The composer, with the sensor and the randomisation of this environment."""
        composer = self.composer
        if self.sensor is not None:
            composer = _Sensing(composer, self.sensor)
        if self.randomisation is not None:
            composer = Randomised(composer, self.randomisation)
        return composer

    @property
    def acts(self) -> tuple[Act, ...]:
        """The steps of the running episode, or of the one that ended last."""
        return tuple(self._acts or ())

    @property
    def verdict(self) -> Verdict:
        """What the task says of the state now; EnvError before reset()."""
        if self._acts is None:
            raise EnvError("verdict: no episode yet; call reset() first")
        if self._verdict is None:
            self._verdict = self._judge()
        return self._verdict

    @property
    def layout(self) -> Layout:
        """What stands where in the running episode; EnvError before reset()."""
        if self._acts is None or self.start is None:
            raise EnvError("layout: no episode yet; call reset() first")
        return Layout(self.start.scene, self._state, self._pack or open_pack())

    @property
    def frame(self) -> Frame:
        """The current picture, without noise; EnvError before reset() or without pictures."""
        if self._acts is None or self._frame is None:
            raise EnvError("frame: no picture; call reset(), with pictures=True")
        return self._frame

    @property
    def limit(self) -> int:
        """Steps until the running episode is cut off."""
        return self._limit

    def _count(self, seed: int | None, index: int | None) -> None:
        if seed is not None or self._seed is None:
            self._seed = seed if seed is not None else int(self.np_random.integers(2**31))
            self._index = 0
        elif index is None:
            self._index += 1
        if index is not None:
            self._index = index

    def _find_start(self, given: Start | bytes | str | None) -> Start:
        if given is None:
            assert self._seed is not None, "counted"
            start = make_start(
                self.scenes, self.task, self.backend, self.renderer, self._seed, self._index
            )
            self._check_sensor(start.scene.sensor)
            return start
        start = load_start(given) if isinstance(given, bytes | str) else given
        if not isinstance(start, Start):
            raise EnvError(f"options.episode: expected a Start, got {type(given).__name__}")
        if self._checked.get(id(start)) is not start:
            self._check_start(start)
            if len(self._checked) >= CHECKED:
                self._checked.clear()
            self._checked[id(start)] = start
        return start

    def _check_start(self, start: Start) -> None:
        check_start(start)
        if start.seed < 0 or start.index < 0:
            got = f"{start.seed} and {start.index}"
            raise TaskError(f"seed and index: expected >= 0, got {got}")
        if part_for(self.task, start.task.kind) is None:
            raise TaskError(f"task.kind: this environment plays {self.task.kind!r}, "
                            f"got {start.task.kind!r}")  # fmt: skip
        camera = start.scene.camera
        if self.pictures and (camera.width, camera.height) != self._size:
            raise TaskError(
                f"scene.camera: expected {self._size[0]}x{self._size[1]} px as in the observation "
                f"space, got {camera.width}x{camera.height}; set the scene's picture size"
            )
        self._check_sensor(start.scene.sensor)

    def _check_sensor(self, sensor: SensorSpec) -> None:
        if sensor.depth_noise != "none" and not self.pictures:
            raise TaskError(
                "sensor: pictures=False has no depth noise; use sensor=none, and no axis "
                "depth_noise in randomisation"
            )

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the environment was closed; make a new one")

    def _check_running(self) -> None:
        self._check_open()
        if self._acts is None:
            raise EnvError("step: no episode is running; call reset() first")
        if self._is_over:
            raise EnvError("step: the episode has ended; call reset()")

    def _act(self, point: tuple[float, float]) -> tuple[Act, str]:
        """Look up a point, and let the robot act on it."""
        assert self.start is not None, "running"
        scene = self.start.scene
        camera = scene.camera
        x, y = pinhole.pixel_of_point(camera, *point)
        if self._frame is not None:
            true, hit = float(self._frame.depth[y, x]), int(self._frame.ids[y, x])
            seen = float(self._depth[y, x])
        else:
            true, hit = self._looker.pixel(scene, self._state, x, y)
            seen = true
        px = [(x + 0.5, y + 0.5)]
        hit_w = pinhole.unproject(camera, px, [true])[0] if true > 0 else None
        # the robot knows the noisy depth, and the camera as its calibration has it
        believed = believed_camera(camera, scene.sensor)
        point_w = pinhole.unproject(believed, px, [seen])[0] if seen > 0 else None
        event, index, detail = Event.POINTED, -1, ""
        if point_w is None:
            event = Event.NO_SURFACE
        elif self._part.moves:
            event, index, detail = self._move(point_w)
        act = Act(point_uv=point, point_w=point_w, hit_w=hit_w, hit=hit, event=event, object=index)
        return act, detail

    def _move(self, point_w: NDArray[np.float64]) -> tuple[Event, int, str]:
        """Pick at a point, put down at it, or keep it as the place until the direction is told."""
        assert self.start is not None, "running"
        before = self._state
        if before.held < 0:
            result = self.backend.pick(point_w)
        elif self._named is None and turning.is_asked(self.start.task.goal):
            self._named = point_w
            return Event.AIMED, before.held, ""
        else:
            place, yaw = point_w, None
            if self._named is not None:
                layout = Layout(self.start.scene, self._before_pick, self._pack or open_pack())
                yaw = turning.yaw(self.start.task.goal, layout, before.held, self._named, point_w)
                place = self._named
            result = self.backend.place(place, yaw)
            self._named = None
        self._state = self.backend.state()
        if result.event == Event.PICKED:
            self._before_pick = before
        return result.event, result.object, result.detail

    def _take(
        self, acted: tuple[Act, str]
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        assert self.start is not None
        assert self._acts is not None
        act, detail = acted
        self._acts.append(act)
        self._verdict = verdict = self._judge()
        task, scene = self.start.task, self.start.scene
        terminated = self._part.is_over(task, scene, self._acts, verdict)
        truncated = not terminated and len(self._acts) >= self._limit
        self._is_over = terminated or truncated
        info = self._info_of_step(act, detail, verdict)
        reward = 1.0 if verdict.success and self._is_over else 0.0
        observation = self._observe(act.event)
        return observation, reward, terminated, truncated, {**self._info(act.event), **info}

    def _judge(self) -> Verdict:
        assert self.start is not None, "running"
        assert self._acts is not None, "running"
        task, scene = self.start.task, self.start.scene
        return self._part.judge(task, scene, self._first_state, self._state, self._acts)

    def _info_of_step(self, act: Act, detail: str, verdict: Verdict) -> dict[str, Any]:
        assert self.start is not None, "running"
        camera, point = self.start.scene.camera, act.point_uv
        info: dict[str, Any] = {
            "detail": detail,
            "pixel": None if point is None else pinhole.pixel_of_point(camera, *point),
            "point_w": None if act.point_w is None else act.point_w.copy(),
            "object": act.object,
            "hit": act.hit,
            "progress": verdict.progress,
        }
        if self._is_over:
            info["verdict"] = verdict
        return info

    def _info(self, event: Event) -> dict[str, Any]:
        assert self.start is not None, "running"
        scene, state, frame = self.start.scene, self._state, self._frame

        @functools.cache
        def look() -> View:
            shown = frame or self._looker.cast(scene, state)
            return View(scene, state, shown, self._pack or open_pack())

        return {"truth": Truth(self.start.task, look, self._tried(), self._named), "event": event}

    def _tried(self) -> list[NDArray[np.float64]]:
        """Points that failed since something was last picked or put down.

        Of a place that took two points, the first: the second only told the way.
        """
        since: list[Act] = []
        for act in reversed(self._acts or ()):
            if act.event in _WORKED:
                break
            since.append(act)
        aimed = [a for a in since if a.event == Event.AIMED]
        return [a.hit_w for a in aimed or since if a.hit_w is not None]

    def _observe(self, event: Event) -> dict[str, Any]:
        assert self.start is not None
        assert self._acts is not None
        scene = self.start.scene
        observation: dict[str, Any] = {
            "intrinsics": pinhole.intrinsics(believed_camera(scene.camera, scene.sensor)),
            "instruction": self.start.task.instruction,
            "holding": int(self._state.held >= 0),
            "event": int(event),
        }
        self._frame: Frame | None = None
        if self.pictures:
            self._frame = self._looker.frame(scene, self._state)
            rng = generator(self.start.seed, "sensor", self.start.index, len(self._acts))
            rgb, depth = observe(self._frame, scene.sensor, scene.camera, rng)
            self._rgb, self._depth = rgb, np.minimum(depth, np.float32(FAR))
            observation["rgb"], observation["depth"] = rgb.copy(), self._depth.copy()
            if self._first_rgb is not None:
                observation["first_rgb"] = self._first_rgb.copy()
        return observation


class _Sensing:
    """A composer whose scenes have another sensor."""

    def __init__(self, composer: Composer, sensor: SensorSpec) -> None:
        self._composer, self._sensor = composer, sensor

    def compose(self, seed: int, index: int = 0, wants: Wants = Wants()) -> SceneSpec:  # noqa: B008
        """Compose, then put the sensor in."""
        scene = self._composer.compose(seed, index, wants)
        return msgspec.structs.replace(scene, sensor=self._sensor)


def _whole_number(index: object) -> int | None:
    if index is None:
        return None
    if isinstance(index, bool) or not isinstance(index, int | np.integer) or index < 0:
        raise EnvError(f"options.index: expected a whole number >= 0, got {index!r:.80}")
    return int(index)


def _image_size(composer: Composer) -> tuple[int, int]:
    """Read a composer's picture size: its `image_size`, or width and height of its `params`."""
    params = getattr(composer, "params", None)
    size = (getattr(params, "width", IMAGE_SIZE[0]), getattr(params, "height", IMAGE_SIZE[1]))
    width, height = getattr(composer, "image_size", size)
    return int(width), int(height)


def _maker(part: Any) -> Callable[[], Any]:
    """Return what makes a part; a part that is already there makes itself."""
    return part if callable(part) else lambda: part
