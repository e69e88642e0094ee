"""Film an episode: a strip of its steps as PNG, and an MP4 that shows what the points did.

The strip shows what the policy saw. The video is rendered larger, from the states that the
backend's `recorder` hook hands out while the arm moves; a backend without the hook gives pictures
before and after each step only.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np

from refergym.assets.spec import CameraSpec
from refergym.envs.refer_env import ReferEnv
from refergym.envs.types import Observation, State
from refergym.rollouts import pictures
from refergym.rollouts.episodes import Episode, StepRecord
from refergym.rollouts.pictures import Picture
from refergym.rollouts.plan import Media

log = logging.getLogger(__name__)

FPS = 12
HOLD = 1.0
"""s that a picture with a point, and the last one, stays"""
MOTION = 2.0
"""s of video given to one step's motion, at most; longer motions run faster"""
PANELS = 6
"""steps in a strip; of longer episodes the first ones and the last"""


def episode_file(media: Media, kind: str, policy: str, index: int, member: int = 0) -> Path:
    """Name an episode's picture ("png") or video ("mp4")."""
    folder = {"png": "pictures", "mp4": "videos"}[kind]
    tail = f"-{member}" if member else ""
    return Path(media.folder) / folder / policy / f"{index:05d}{tail}.{kind}"


class Film:
    """Follows one episode. Changes nothing in it."""

    def __init__(
        self, media: Media, env: ReferEnv, observation: Observation, info: dict[str, Any]
    ) -> None:
        """Take the first picture.

        Args:
            media: what to make, and where.
            env: the environment, just reset.
            observation: the first one.
            info: that came with it.
        """
        self._media = media
        self._env = env
        self._instruction = observation["instruction"]
        self._panels: list[Picture] = []
        self._titles: list[str] = []
        self._scene = info["truth"]["scene"]
        self._camera = scaled(self._scene.camera, media.video_size)
        self._rgb = observation["rgb"]
        self._state: State = info["truth"]["state"]
        self._motion: list[State] = []
        self._frames: list[Picture] = []
        self._point: tuple[float, float] | None = None

    def before_step(self, point_uv: tuple[float, float] | None) -> None:
        """Note the point, and start to record the motion."""
        self._point = point_uv
        self._panels.append(pictures.mark_point(self._rgb, point_uv))
        self._motion = []
        if self._media.video and hasattr(self._env.backend, "recorder"):
            self._env.backend.recorder = self._motion.append

    def after_step(self, observation: Observation, info: dict[str, Any], step: StepRecord) -> None:
        """Note what the step did."""
        title = f"{len(self._titles) + 1}: {step.event.replace('_', ' ')}"
        self._titles.append(title)
        if self._media.video:
            if hasattr(self._env.backend, "recorder"):
                self._env.backend.recorder = None
            self._film_step(title)
        self._rgb, self._state = observation["rgb"], info["truth"]["state"]

    def finish(self, episode: Episode) -> None:
        """Write the files; each appears whole or not at all."""
        end = "success" if episode.success else f"{episode.ended.value}: {episode.stage}"
        key = (episode.policy, episode.id.index, episode.id.member)
        colour = pictures.GOOD if episode.success else pictures.BAD
        if self._media.pictures:
            titled = [
                pictures.caption(p, t, pictures.MUTED)
                for p, t in zip(self._panels, self._titles, strict=True)
            ]
            last = pictures.caption(self._rgb, end, colour)
            strip = pictures.row([*_shortened(titled), last])
            head = f"{episode.policy} {episode.id.index}: {self._instruction}"
            strip = pictures.caption(strip, head, size=16)
            pictures.save(strip, episode_file(self._media, "png", *key))
        if self._media.video:
            self._frames += self._hold(self._render(self._state), end, colour)
            _write_mp4(self._frames, episode_file(self._media, "mp4", *key))

    def _film_step(self, title: str) -> None:
        """Render before the point, with the point, and the motion."""
        start = self._render(self._state)
        self._frames += self._hold(pictures.mark_point(start, self._point), title.split(":")[0])
        count = min(len(self._motion), round(MOTION * FPS))
        for i in np.linspace(0, len(self._motion) - 1, count).round().astype(int):
            state = self._motion[i]
            self._frames.append(self._titled(self._render(state), title))

    def _render(self, state: State) -> Picture:
        return self._env.renderer.render(self._scene, state, self._camera).rgb

    def _titled(
        self, picture: Picture, title: str, colour: pictures.Colour = pictures.INK
    ) -> Picture:
        width = picture.shape[1]
        head = pictures.text_block(self._instruction, width, size=15, lines=2)
        foot = pictures.text_block(title, width, colour, size=15, lines=1)
        return np.concatenate([head, picture, foot])

    def _hold(
        self, picture: Picture, title: str, colour: pictures.Colour = pictures.INK
    ) -> list[Picture]:
        return [self._titled(picture, title, colour)] * round(HOLD * FPS)


def scaled(camera: CameraSpec, width: int) -> CameraSpec:
    """Return the same view with another number of pixels; the height keeps the shape."""
    height = max(1, round(camera.height * width / camera.width))
    x, y = width / camera.width, height / camera.height
    return msgspec.structs.replace(
        camera,
        width=width,
        height=height,
        fx=camera.fx * x,
        fy=camera.fy * y,
        cx=camera.cx * x,
        cy=camera.cy * y,
    )


def _shortened(panels: Sequence[Picture]) -> list[Picture]:
    if len(panels) <= PANELS:
        return list(panels)
    return [*panels[: PANELS - 1], panels[-1]]


def _write_mp4(frames: Sequence[Picture], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.stem + ".part.mp4")
    # 4:2:0 chroma needs even sides
    height, width = (side - side % 2 for side in frames[0].shape[:2])
    with av.open(part, "w") as file:
        # one thread: several workers share the machine
        options = {"preset": "veryfast", "crf": "23", "threads": "1"}
        stream = file.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            cut = np.ascontiguousarray(frame[:height, :width])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(cut, format="rgb24")))
        file.mux(stream.encode())
    part.replace(path)
