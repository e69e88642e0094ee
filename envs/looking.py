"""What a pixel, or the whole picture, shows: by a renderer, or by a few cast rays without one."""

from collections.abc import Callable

import numpy as np

from refergym.assets import camera as pinhole
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs.types import ID_NOTHING, Frame, Renderer, State

STRIDE = 2
"""px between the rays of a coarse picture"""


class Looker:
    """Makes the renderer and the caster when they are first needed."""

    def __init__(self, renderer: Renderer | Callable[[], Renderer], pack: Pack | None) -> None:
        """Keep what makes them."""
        self._make = renderer
        self._pack = pack
        self._renderer: Renderer | None = None
        self._caster: object | None = None

    @property
    def renderer(self) -> Renderer:
        """The renderer."""
        if self._renderer is None:
            self._renderer = self._make() if callable(self._make) else self._make
        return self._renderer

    def frame(self, scene: SceneSpec, state: State) -> Frame:
        """Render a frame."""
        return self.renderer.render(scene, state)

    def pixel(self, scene: SceneSpec, state: State, x: int, y: int) -> tuple[float, int]:
        """Depth (m along the optical axis, 0 for none) and id at the centre of one pixel."""
        depth, ids = self._cast(scene, state, np.array([x]), np.array([y]))
        return float(depth[0]), int(ids[0])

    def cast(self, scene: SceneSpec, state: State) -> Frame:
        """Cast a coarse picture of depth and ids: every `STRIDE`-th pixel, the rest empty."""
        camera = scene.camera
        ys, xs = np.mgrid[0 : camera.height : STRIDE, 0 : camera.width : STRIDE]
        depth, ids = self._cast(scene, state, xs.ravel(), ys.ravel())
        size = (camera.height, camera.width)
        full_depth = np.zeros(size, np.float32)
        full_ids = np.full(size, ID_NOTHING, np.int32)
        full_depth[ys.ravel(), xs.ravel()] = depth
        full_ids[ys.ravel(), xs.ravel()] = ids
        return Frame(rgb=np.zeros((*size, 3), np.uint8), depth=full_depth, ids=full_ids)

    def close(self) -> None:
        """Release the renderer; idempotent."""
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = None
        self._caster = None

    def _cast(
        self, scene: SceneSpec, state: State, xs: np.ndarray, ys: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        from refergym.envs.geometry.caster import Caster

        if not isinstance(self._caster, Caster):
            self._caster = Caster(self._pack)
        camera = scene.camera
        m = pinhole.pose_matrix(camera.pose)
        rays = np.column_stack(
            [
                (xs + 0.5 - camera.cx) / camera.fx,
                (ys + 0.5 - camera.cy) / camera.fy,
                np.ones(len(xs)),
            ]
        )
        origins = np.broadcast_to(m[:3, 3], rays.shape)
        depth, ids = self._caster.cast(scene, state, origins, rays @ m[:3, :3].T)
        gone = depth > camera.far
        return np.where(gone, 0.0, depth), np.where(gone, ID_NOTHING, ids)
