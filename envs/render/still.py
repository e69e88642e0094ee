"""The part of a picture that does not move: the room, the furniture, the arm, without objects.

It is drawn once for each camera and kept, with what is needed to let objects throw shadows on it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refergym.assets.spec import CameraSpec, LightSpec
from refergym.envs.render.content import Box, Instance
from refergym.envs.render.look import F32, Light, backdrop, encode
from refergym.envs.render.shading import Lit, Shader, Shadows, Surface, box_surface, light_up
from refergym.envs.render.tracing import (
    I32,
    Bools,
    Group,
    Hits,
    Tracer,
    View,
    box_depth,
    boxes_in_view,
)
from refergym.envs.types import ID_NOTHING, ID_SUPPORT

Index = NDArray[np.intp]

OFFSETS = np.array([(-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125)])
"""[4, 2] px, where in a pixel its extra rays go: a rotated grid"""
STEP_PIXELS = np.float32(6)
"""a jump in depth over this many pixels' width between neighbours is an edge of a body"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Still:
    """All of a picture but the objects. P = H * W pixels."""

    view: View
    light: Light
    boxes: list[Box]
    """those that throw shadows"""
    fixed: Group
    """arm and furniture"""
    z: F32
    """[H, W] m; the camera's far limit where nothing is"""
    ids: I32
    """[H, W]"""
    ambient: F32
    """[P, 3] linear"""
    sun: F32
    """[P, 3] linear, where nothing stands in the way"""
    dark: Bools
    """[P] shaded by what does not move"""
    sunlit: F32
    """[P] share of the sun that is left by what does not move"""
    rgb: NDArray[np.uint8]
    """[P, 3] without the objects' shadows"""
    shadows: Shadows | None
    """the pixels' points that objects may shade; none without shadows"""

    def colour(self, pixels: Index, sunlit: F32) -> F32:
        """Linear colour [N, 3] of pixels under a share [P] of the sun."""
        sun = self.sun.take(pixels, axis=0)
        sun *= sunlit.take(pixels)[:, None]
        sun += self.ambient.take(pixels, axis=0)
        return sun


@dataclass(frozen=True, kw_only=True, eq=False)
class Geometry:
    """What does not move, at the pixel centres; arrays [H, W]."""

    ids: I32
    box: I32
    """index of the nearest box, or -1"""
    face: I32
    """that box's face code"""
    hits: Hits
    """of the meshes; its `z` is the depth of everything here"""


def still_geometry(tracer: Tracer, view: View, boxes: list[Box], fixed: Group) -> Geometry:
    """Return the depths and ids of what does not move."""
    which, face, limit = _nearest_in_grid(view, boxes)
    hits = tracer.cast_grid(view, fixed, limit)
    ids = np.array([ID_NOTHING, *(b.id for b in boxes)], np.int32).take(which + 1)
    if fixed.bodies:
        bodies = np.array([body.id for body in fixed.bodies], np.int32)
        np.copyto(ids, bodies.take(hits.body, mode="clip"), where=hits.body >= 0)
    return Geometry(ids=ids, box=which, face=face, hits=hits)


class StillPainter:
    """Draws stills."""

    def __init__(self, tracer: Tracer, shader: Shader, *, shadows: bool) -> None:
        """Draw with a tracer and a shader that are shared with the objects."""
        self._tracer = tracer
        self._shader = shader
        self._shadows = shadows

    def draw(
        self,
        camera: CameraSpec,
        light_spec: LightSpec,
        boxes: list[Box],
        fixed: list[Instance],
        antialias: str,
    ) -> Still:
        """Draw what does not move."""
        view, light, group = View(camera), Light.of(light_spec), Group(fixed)
        shading = [b for b in boxes if b.throws_shadow]
        g = still_geometry(self._tracer, view, boxes, group)
        flat = np.arange(g.ids.size)
        x, y = view.x.take(flat % camera.width), view.y.take(flat // camera.width)
        scene = (view, light, boxes, group)
        ambient, sun, sunny, surface = self._shade(
            *scene, g.box.ravel(), g.face.ravel(), g.hits.take(flat), x, y
        )
        dark, shadows = np.zeros(len(flat), np.bool_), None
        if self._shadows:
            shadows = Shadows(light, surface.points, surface.normals, sunny)
            dark = shadows.cast(self._tracer, group) | shadows.cast_boxes(shading)
            shadows = Shadows(light, surface.points, surface.normals, sunny & ~dark)
        sunlit = soften(dark, g.ids.shape)
        kind = np.where(g.hits.body >= 0, g.ids, g.box * 8 + g.face)
        has_furniture = any(b.id <= ID_SUPPORT for b in fixed)
        edges = mark_edges(antialias, kind, folds(g.hits, view) if has_furniture else None)
        if len(edges):
            ex, ey = spread(view, edges)
            which, face, limit = _nearest_box(view, boxes, ex, ey)
            hits = self._tracer.cast_list(view, group, ex, ey, limit)
            fine = self._shade(*scene, which, face, hits, ex, ey)
            for coarse, values in ((ambient, fine[0]), (sun, fine[1])):
                coarse[edges] = values.reshape(-1, len(OFFSETS), 3).mean(axis=1)
        return Still(
            view=view,
            light=light,
            boxes=shading,
            fixed=group,
            z=g.hits.z,
            ids=g.ids,
            ambient=ambient,
            sun=sun,
            dark=dark,
            sunlit=sunlit,
            rgb=encode(ambient + sun * sunlit[:, None]),
            shadows=shadows,
        )

    def _shade(
        self,
        view: View,
        light: Light,
        boxes: list[Box],
        fixed: Group,
        which: I32,
        face: I32,
        hits: Hits,
        x: F32,
        y: F32,
    ) -> tuple[F32, F32, Bools, Surface]:
        """Colour rays [N]: ambient [N, 3], sun [N, 3], whether it shines there, and the surface."""
        ambient, sun = np.empty((len(x), 3), np.float32), np.zeros((len(x), 3), np.float32)
        every = Surface(
            points=np.zeros((3, len(x)), np.float32),
            normals=np.zeros((3, len(x)), np.float32),
            albedo=ambient,
        )
        sunny: Bools = np.zeros(len(x), np.bool_)
        on_mesh = hits.body >= 0
        on_box = ~on_mesh & (which >= 0)
        nothing = np.flatnonzero(~on_mesh & ~on_box)
        glossy = np.array([*(b.is_glossy for b in fixed.bodies), False]).take(hits.body)
        ray = np.stack(view.directions(x[nothing], y[nothing]))
        ambient[nothing] = backdrop(ray[2] / np.sqrt((ray * ray).sum(axis=0)))
        for where in (on_mesh & glossy, on_mesh & ~glossy, on_box):
            index = np.flatnonzero(where)
            if not len(index):
                continue
            some, sx, sy = hits.take(index), x[index], y[index]
            if on_mesh[index[0]]:
                surface = self._shader.mesh_surface(view, fixed, some, sx, sy)
            else:
                surface = box_surface(view, boxes, which[index], face[index], some.z, sx, sy)
            lit = light_up(view, light, surface, glossy=bool(glossy[index[0]]))
            if not on_mesh[index[0]] and any(b.glow for b in boxes):
                _glow(lit, surface, boxes, which[index])
            ambient[index], sun[index] = lit.ambient, lit.sun
            every.points[:, index], every.normals[:, index] = surface.points, surface.normals
            sunny[index] = lit.faces_sun
        return ambient, sun, sunny, every


def folds(hits: Hits, view: View) -> tuple[Bools, Bools]:
    """Where a body stands before itself: [H, W - 1] between columns, [H - 1, W] between rows."""
    z, on_body = hits.z, hits.body >= 0
    far = z * (STEP_PIXELS / np.float32(view.camera.fx))
    across = (np.abs(z[:, 1:] - z[:, :-1]) > far[:, 1:]) & on_body[:, 1:]
    down = (np.abs(z[1:] - z[:-1]) > far[1:]) & on_body[1:]
    return across, down


def soften(dark: Bools, shape: tuple[int, ...]) -> F32:
    """Return the share [P] of the sun, blurred over 3 x 3 pixels, for dark pixels [P]."""
    light = np.pad((~dark).astype(np.float32).reshape(shape), 1, mode="edge")
    rows = light[:-2] + light[1:-1] + light[2:]
    total = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    share: F32 = total.ravel() / np.float32(9)
    return share


def mark_edges(antialias: str, kind: I32, folds: tuple[Bools, Bools] | None = None) -> Index:
    """Return the flat indices of the pixels that get extra rays.

    Args:
        antialias: "none", "edges" or "full".
        kind: [H, W] what is seen; an edge lies between neighbours that differ.
        folds: more edges: [H, W - 1] between columns and [H - 1, W] between rows.
    """
    if antialias == "none":
        return np.zeros(0, np.intp)
    if antialias == "full":
        return np.arange(kind.size)
    across, down = kind[:, 1:] != kind[:, :-1], kind[1:] != kind[:-1]
    if folds is not None:
        across |= folds[0]
        down |= folds[1]
    mark = np.zeros(kind.shape, np.bool_)
    mark[:, 1:] |= across
    mark[:, :-1] |= across
    mark[1:] |= down
    mark[:-1] |= down
    return np.flatnonzero(mark)


def spread(view: View, pixels: Index) -> tuple[F32, F32]:
    """Return the extra rays (x, y) of pixels, [len(pixels) * 4], pixel by pixel."""
    camera = view.camera
    columns = (pixels % camera.width)[:, None] + 0.5 + OFFSETS[:, 0]
    rows = (pixels // camera.width)[:, None] + 0.5 + OFFSETS[:, 1]
    x = ((columns - camera.cx) / camera.fx).astype(np.float32).ravel()
    y = ((rows - camera.cy) / camera.fy).astype(np.float32).ravel()
    return x, y


def _glow(lit: Lit, surface: Surface, boxes: list[Box], which: I32) -> None:
    """Let boxes show a share of their colour whatever the light."""
    glow = np.array([b.glow for b in boxes], np.float32).take(which)[:, None]
    lit.ambient += glow * (surface.albedo - lit.ambient)
    lit.sun *= 1 - glow


def _nearest_in_grid(view: View, boxes: list[Box]) -> tuple[I32, I32, F32]:
    """As `_nearest_box`, for the rays of all pixel centres: [H, W]."""
    z = np.full((len(view.y), len(view.x)), view.camera.far, np.float32)
    which, face = np.full(z.shape, -1, np.int32), np.zeros(z.shape, np.int32)
    for k, (x0, x1, y0, y1) in boxes_in_view(view, boxes):
        columns = slice(*np.searchsorted(view.x, (x0, x1)))
        rows = slice(*np.searchsorted(view.y, (y0, y1)))
        depth, code = box_depth(boxes[k], view, view.x[None, columns], view.y[rows, None])
        nearer = depth < z[rows, columns]
        np.copyto(z[rows, columns], depth, where=nearer)
        np.copyto(face[rows, columns], code, where=nearer)
        which[rows, columns][nearer] = k
    return which, face, z


def _nearest_box(view: View, boxes: list[Box], x: F32, y: F32) -> tuple[I32, I32, F32]:
    """Index of the first box that rays meet (or -1), its face code, and the depth or `far`."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    z = np.full(shape, view.camera.far, np.float32)
    which, face = np.full(shape, -1, np.int32), np.zeros(shape, np.int32)
    for k, box in enumerate(boxes):
        depth, code = box_depth(box, view, x, y)
        nearer = depth < z
        np.copyto(z, depth, where=nearer)
        np.copyto(face, code, where=nearer)
        which[nearer] = k
    return which, face, z
