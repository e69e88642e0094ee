"""A renderer that remembers: a scene in a state that it has drawn before costs nothing.

For training, where the same starts come back and most steps leave all things where they are.
"""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from refergym.assets.spec import CameraSpec, SceneSpec
from refergym.envs.types import Frame, Renderer, State


class RememberingRenderer:
    """Draws by another renderer, and keeps the last pictures. They must not be changed."""

    def __init__(self, renderer: Renderer | Callable[[], Renderer], pictures: int) -> None:
        """Keep at most so many pictures: 11 bytes a pixel."""
        self._renderer: Renderer = renderer() if callable(renderer) else renderer
        self._most = pictures
        self._kept: OrderedDict[tuple[int, bytes], tuple[SceneSpec, Frame]] = OrderedDict()
        self.name = self._renderer.name
        self.render_ids = getattr(self._renderer, "render_ids", None)
        """draws depth and ids alone, where the renderer can do that; see `starts.look`"""

    def render(self, spec: SceneSpec, state: State, camera: CameraSpec | None = None) -> Frame:
        """Return a frame, drawn now or before."""
        if camera is not None:
            return self._renderer.render(spec, state, camera)
        key = (id(spec), state.objects.tobytes() + np.asarray(state.joints).tobytes())
        found = self._kept.get(key)
        if found is not None and found[0] is spec:  # an id may be that of a scene that is gone
            self._kept.move_to_end(key)
            return found[1]
        frame = self._renderer.render(spec, state)
        self._kept[key] = (spec, frame)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return frame

    def close(self) -> None:
        """Forget everything, and release the renderer; idempotent."""
        self._kept.clear()
        self._renderer.close()


class LentRenderer:
    """Draws by a renderer that several environments share; closing it closes nothing."""

    def __init__(self, renderer: Renderer) -> None:
        """Take a renderer that somebody else closes."""
        self._renderer = renderer
        self.name = renderer.name
        self.render_ids = getattr(renderer, "render_ids", None)

    def render(self, spec: SceneSpec, state: State, camera: CameraSpec | None = None) -> Frame:
        """Return a frame."""
        return self._renderer.render(spec, state, camera)

    def close(self) -> None:
        """Leave the renderer to the others."""
