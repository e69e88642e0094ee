"""The default renderer: a ray caster on Embree and numpy. No GL, no driver, exact depth and ids.

What does not move in an episode (room, furniture, parked arm, backdrop) is drawn once for each
camera and kept; a frame then costs the objects' pixels and the shadows that they cast. Frames are a
function of (scene, state, camera): nothing that is kept changes a pixel.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec, SceneSpec
from refergym.envs.errors import RenderError
from refergym.envs.render.content import Content, Instance, Lru
from refergym.envs.render.look import F32, encode
from refergym.envs.render.shading import Shader, Shadows, light_up
from refergym.envs.render.still import (
    OFFSETS,
    STEP_PIXELS,
    Index,
    Still,
    StillPainter,
    folds,
    mark_edges,
    soften,
    spread,
    still_geometry,
)
from refergym.envs.render.tracing import I32, Bools, Group, Hits, Tracer, View
from refergym.envs.types import ID_NOTHING, Frame, State

Antialias = Literal["none", "edges", "full"]
Bytes = NDArray[np.uint8]


class EmbreeRenderer:
    """Renders scenes on one core.

    Pictures of one scene and state are byte-identical on one machine; on another, Embree may pick
    other instructions and differ in the last bit of a depth.
    """

    name = "embree"

    def __init__(
        self,
        pack: Pack | None = None,
        *,
        shadows: bool = True,
        antialias: Antialias = "edges",
        kept_views: int = 4,
    ) -> None:
        """Start the ray caster.

        Args:
            pack: where meshes and textures come from; None takes the one that ships.
            shadows: whether the light casts them.
            antialias: extra rays nowhere, at the edges of things, or in every pixel.
            kept_views: how many unmoving backgrounds are kept, 4 MB each at 224 x 224.

        Raises:
            RenderError: if embreex is missing or an argument is not one of those allowed.
        """
        if antialias not in ("none", "edges", "full"):
            raise RenderError(f"antialias: expected 'none', 'edges' or 'full', got {antialias!r}")
        if kept_views < 1:
            raise RenderError(f"kept_views: expected >= 1, got {kept_views}")
        self._shadows = shadows
        self._antialias: Antialias = antialias
        self._content = Content(pack)
        self._tracer = Tracer()
        self._shader = Shader()
        self._painter = StillPainter(self._tracer, self._shader, shadows=shadows)
        self._stills: Lru[Still] = Lru(kept_views)
        self._is_closed = False

    def render(self, spec: SceneSpec, state: State, camera: CameraSpec | None = None) -> Frame:
        """Render one frame with the scene's camera, or with another one.

        Raises:
            RenderError: after close, or if the state does not fit the scene.
            PackError: for an asset or texture that the pack lacks or that is damaged.
        """
        self._check_open()
        camera = camera or spec.camera
        group = Group(self._content.objects(spec, state))
        still = self._still(spec, state, camera)
        hits = self._tracer.cast_grid(still.view, group, still.z)
        is_object = hits.body >= 0
        depth, ids = hits.z.copy(), still.ids.copy()
        np.copyto(ids, hits.body, where=is_object)
        depth[ids == ID_NOTHING] = 0
        rgb = self._paint(still, group, hits, is_object.ravel())
        return Frame(rgb=rgb, depth=depth, ids=ids)

    def render_ids(
        self, spec: SceneSpec, state: State, camera: CameraSpec | None = None
    ) -> tuple[F32, I32]:
        """Return the depth [H, W] m and ids [H, W] of a frame, without its colours."""
        self._check_open()
        view = View(camera or spec.camera)
        group = Group(self._content.objects(spec, state))
        fixed = Group(self._fixed(spec, state))
        behind = still_geometry(self._tracer, view, self._content.boxes(spec), fixed)
        hits = self._tracer.cast_grid(view, group, behind.hits.z)
        np.copyto(behind.ids, hits.body, where=hits.body >= 0)
        hits.z[behind.ids == ID_NOTHING] = 0
        return hits.z, behind.ids

    def close(self) -> None:
        """Forget everything kept; idempotent."""
        self._is_closed = True
        self._stills = Lru(1)

    def _check_open(self) -> None:
        if self._is_closed:
            raise RenderError("the embree renderer was closed; make a new one")

    def _still(self, spec: SceneSpec, state: State, camera: CameraSpec) -> Still:
        joints = np.asarray(state.joints, np.float64).tobytes()
        pack = self._content.pack.digest
        key = (pack, spec.supports, spec.fixtures, spec.light, spec.robot, camera, joints)
        found = self._stills.get(key)
        if found is None:
            boxes, fixed = self._content.boxes(spec), self._fixed(spec, state)
            found = self._painter.draw(camera, spec.light, boxes, fixed, self._antialias)
            self._stills.put(key, found)
        return found

    def _fixed(self, spec: SceneSpec, state: State) -> list[Instance]:
        return [*self._content.furnishings(spec), *self._content.robot(spec.robot, state)]

    def _paint(self, still: Still, group: Group, hits: Hits, is_object: Bools) -> Bytes:
        """Colour a frame [H, W, 3] whose pixel centres were traced."""
        view, width = still.view, hits.body.shape[1]
        pixels = np.flatnonzero(is_object)
        steps = folds(hits, view) if self._antialias == "edges" else None
        edges = mark_edges(self._antialias, hits.body, steps)
        ex, ey = spread(view, edges)
        limit = still.z.take(edges).repeat(len(OFFSETS))
        extra = self._tracer.cast_list(view, group, ex, ey, limit)
        alike, fresh = _split(extra, hits, edges, view)

        x = np.concatenate([view.x.take(pixels % width), ex[fresh]])
        y = np.concatenate([view.y.take(pixels // width), ey[fresh]])
        points = hits.take(pixels).joined(extra.take(fresh))
        colour = self._shade(still, group, points, x, y)

        rgb = still.rgb.copy()
        sunlit = self._sunlit(still, group, is_object, edges)
        dimmed = np.flatnonzero((sunlit != still.sunlit) & ~is_object)
        rgb[dimmed] = encode(still.colour(dimmed, sunlit))
        rgb[pixels] = encode(colour[: len(pixels)])
        if len(edges):
            samples = still.colour(edges, sunlit).repeat(len(OFFSETS), axis=0)
            samples[fresh] = colour[len(pixels) :]
            centres = edges.take(alike // len(OFFSETS))
            samples[alike] = colour.take(np.searchsorted(pixels, centres), axis=0)
            rgb[edges] = encode(samples.reshape(-1, len(OFFSETS), 3).mean(axis=1))
        return rgb.reshape(*hits.body.shape, 3)

    def _shade(self, still: Still, group: Group, hits: Hits, x: F32, y: F32) -> F32:
        """Colour [N, 3], linear, of what rays (x, y) [N] meet of the objects."""
        surface = self._shader.mesh_surface(still.view, group, hits, x, y)
        lit = light_up(still.view, still.light, surface, glossy=True)
        if self._shadows:
            shadows = Shadows(still.light, surface.points, surface.normals, lit.faces_sun)
            dark = shadows.cast(self._tracer, group)
            dark |= shadows.cast(self._tracer, still.fixed)
            dark |= shadows.cast_boxes(still.boxes)
            lit.sun[dark] = 0
        return lit.ambient + lit.sun

    def _sunlit(self, still: Still, group: Group, is_object: Bools, edges: Index) -> F32:
        """Share of the sun [P] that reaches the background."""
        if still.shadows is None:
            return still.sunlit
        seen = ~is_object
        seen[edges] = True
        dark = still.shadows.cast(self._tracer, group, seen)
        return soften(dark | still.dark, still.ids.shape)


def _split(extra: Hits, hits: Hits, edges: Index, view: View) -> tuple[Index, Index]:
    """Part the extra rays that meet a body: those that may take their pixel's colour, and others.

    An extra ray that meets the body of its pixel's centre, close to it, would look the same.
    """
    count = len(OFFSETS)
    body, z = hits.body.take(edges).repeat(count), hits.z.take(edges).repeat(count)
    met = extra.body >= 0
    close = np.abs(extra.z - z) <= z * (STEP_PIXELS / np.float32(view.camera.fx))
    alike = met & close & (extra.body == body)
    return np.flatnonzero(alike), np.flatnonzero(met & ~alike)
