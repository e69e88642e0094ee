"""Colours, normals and light at traced points, all in linear light and float32."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from refergym.envs.render.content import CACHED_ASSETS, FACE_AXES, Box, Instance, Lru
from refergym.envs.render.look import F32, GLOSS_SQUARINGS, HIGHLIGHT, Light, linear_of_srgb
from refergym.envs.render.parts import Array, Part
from refergym.envs.render.tracing import I32, Bools, Group, Hits, Tracer, View, box_occluded

_LIFT = 1e-3
"""m off the surface at which shadow rays start, so that a face does not shade itself"""


@dataclass(kw_only=True, eq=False)
class Surface:
    """What the rays see: N points."""

    points: F32
    """[3, N] m, world"""
    normals: F32
    """[3, N] unit, world, towards the viewer's side"""
    albedo: F32
    """[N, 3]"""


@dataclass(kw_only=True, eq=False)
class Lit:
    """Light that leaves N points towards the viewer."""

    ambient: F32
    """[N, 3]"""
    sun: F32
    """[N, 3], where nothing stands in the way"""
    faces_sun: Bools
    """[N]"""


class Shader:
    """Looks up surfaces and lights them; keeps the per-face tables of parts."""

    def __init__(self) -> None:
        """Begin with no tables."""
        self._tables: Lru[F32] = Lru(CACHED_ASSETS)

    def mesh_surface(self, view: View, group: Group, hits: Hits, x: F32, y: F32) -> Surface:
        """Return the surface where rays (x, y) [N] meet bodies; every ray must meet one."""
        normals = np.empty((3, len(x)), np.float32)
        albedo = np.empty((len(x), 3), np.float32)
        for k, body in enumerate(group.bodies):
            index = np.flatnonzero(hits.body == k)
            if not len(index):
                continue
            part = body.part
            table = self._table(body)
            width = table.shape[1] // 3
            rows = table.take(hits.face[index], axis=0)
            values = rows[:, :width]
            values += hits.u[index, None] * rows[:, width : 2 * width]
            values += hits.v[index, None] * rows[:, 2 * width :]
            turn = body.matrix[:3, :3].astype(np.float32)
            a, b, c = values[:, 0], values[:, 1], values[:, 2]
            n = np.stack([r[0] * a + r[1] * b + r[2] * c for r in turn])
            sign = np.where(hits.is_back[index], np.float32(-1), np.float32(1))
            normals[:, index] = n * (sign / np.sqrt(np.maximum((n * n).sum(axis=0), 1e-12)))
            texels = hits.z[index] * np.float32(part.texels_per_metre / body.scale / view.camera.fx)
            if part.texture is not None and part.texture.repeats:
                texels = _slanted(texels, view, normals[:, index], x[index], y[index])
            albedo[index] = _albedo(part, body, values, hits.face[index], texels)
        return Surface(points=_points(view, x, y, hits.z), normals=normals, albedo=albedo)

    def _table(self, body: Instance) -> F32:
        """[F, 3 * k]: k values at the first vertex, and what the other two add to them."""
        table = self._tables.get(body.key)
        if table is None:
            part = body.part
            values = part.normals if part.uv is None else np.hstack([part.normals, part.uv])
            first, second, third = (values[part.faces[:, i]] for i in range(3))
            table = np.hstack([first, second - first, third - first]).astype(np.float32)
            self._tables.put(body.key, table)
        return table


def box_surface(
    view: View, boxes: Sequence[Box], which: I32, face: I32, z: F32, x: F32, y: F32
) -> Surface:
    """Return the surface where rays (x, y) [N] meet boxes, by box and face code."""
    points = _points(view, x, y, z)
    normals = np.zeros((3, len(x)), np.float32)
    albedo = np.empty((len(x), 3), np.float32)
    for k, box in enumerate(boxes):
        inverse = box.matrix[:3, :3].T.astype(np.float32)
        offset = inverse @ box.matrix[:3, 3].astype(np.float32)
        for code in range(6):
            index = np.flatnonzero((which == k) & (face == code))
            if not len(index):
                continue
            axis, side = code % 3, np.float32(1 if code >= 3 else -1)
            normals[:, index] = (box.matrix[:3, axis].astype(np.float32) * side)[:, None]
            albedo[index] = box.colour
            if box.texture is None:
                continue
            p = points[:, index]
            u, v = (
                (inverse[a, 0] * p[0] + inverse[a, 1] * p[1] + inverse[a, 2] * p[2] - offset[a])
                / np.float32(box.texture_scale)
                for a in FACE_AXES[axis]
            )
            size = np.sqrt(float(box.texture.widths[0]) * float(box.texture.heights[0]))
            texels = z[index] * np.float32(size / box.texture_scale / view.camera.fx)
            level = box.texture.level(_slanted(texels, view, normals[:, index], x[index], y[index]))
            albedo[index] *= box.texture.sample(u, v, level)
    return Surface(points=points, normals=normals, albedo=albedo)


def light_up(view: View, light: Light, s: Surface, *, glossy: bool) -> Lit:
    """Light a surface, all of it in the sun."""
    n, direction = s.normals, light.direction
    lambert = n[0] * direction[0] + n[1] * direction[1] + n[2] * direction[2]
    faces_sun: Bools = lambert > 0
    lambert = np.maximum(lambert, 0)
    ambient = s.albedo * (light.ambient + n[2][:, None] * light.ambient_slope)
    sun = s.albedo * lambert[:, None]
    if glossy:
        to_eye = view.eye.astype(np.float32)[:, None] - s.points
        to_eye *= 1 / np.sqrt((to_eye * to_eye).sum(axis=0))
        half = to_eye + direction[:, None]
        cosine = (half * n).sum(axis=0)
        square = cosine * cosine / np.maximum((half * half).sum(axis=0), 1e-6)
        square[(cosine < 0) | ~faces_sun] = 0
        for _ in range(GLOSS_SQUARINGS - 1):
            square *= square
        sun += (HIGHLIGHT * square)[:, None]
    sun *= light.sun
    return Lit(ambient=ambient, sun=sun, faces_sun=faces_sun)


class Shadows:
    """Points that could be in shadow, arranged along the light so that few rays are needed."""

    def __init__(self, light: Light, points: F32, normals: F32, wanted: Bools) -> None:
        """Take points [3, N] m, world, with normals [3, N]; only `wanted` [N] are looked at."""
        self._light = light
        toward = light.direction.astype(np.float64)
        side = np.cross(toward, (1.0, 0, 0) if abs(toward[0]) < 0.7 else (0, 1.0, 0))
        side /= np.linalg.norm(side)
        self._axes: Array = np.stack([side, np.cross(toward, side), toward])
        self._points = points + normals * np.float32(_LIFT)
        p = self._points
        self._along: F32 = np.stack(
            [
                np.float32(a[0]) * p[0] + np.float32(a[1]) * p[1] + np.float32(a[2]) * p[2]
                for a in self._axes
            ]
        )
        self._along[0, ~wanted] = np.nan

    def cast(self, tracer: Tracer, group: Group, among: Bools | None = None) -> Bools:
        """Tell which points [N] lie in the shadow of bodies; only those in `among`."""
        dark = np.zeros(self._points.shape[1], np.bool_)
        low, high = group.along(self._axes)
        if not len(low):
            return dark
        near = _within(self._along, low.min(axis=0), high.max(axis=0))
        if among is not None:
            near &= among
        index = np.flatnonzero(near)
        along, points = self._along.take(index, axis=1), self._points.take(index, axis=1)
        hidden = np.zeros(len(index), np.bool_)
        for k, body in enumerate(group.bodies):
            some = np.flatnonzero(_within(along, low[k], high[k]) & ~hidden)
            if len(some):
                rays = points.take(some, axis=1)
                hidden[some] = tracer.occluded(body, rays, self._light.direction)
        dark[index] = hidden
        return dark

    def cast_boxes(self, boxes: Sequence[Box]) -> Bools:
        """Tell which points [N] lie in the shadow of boxes."""
        dark = np.zeros(self._points.shape[1], np.bool_)
        wanted = ~np.isnan(self._along[0])
        if not wanted.any():
            return dark
        lowest = float(self._points[2][wanted].min())
        for box in boxes:
            top = float(box.matrix[2, 3] + np.abs(box.matrix[2, :3]) @ box.half)
            if lowest >= top and self._light.direction[2] >= 0:
                continue
            dark |= box_occluded(box, self._points, self._light.direction)
        return cast(Bools, dark & wanted)


def _within(along: F32, low: Array, high: Array) -> Bools:
    """Points [3, N] that lie inside [low, high] across the light, and not beyond it along."""
    a, b, c = along
    out: Bools = a >= low[0]
    out &= a <= high[0]
    out &= b >= low[1]
    out &= b <= high[1]
    out &= c <= high[2]
    return out


def _albedo(part: Part, body: Instance, values: F32, face: I32, texels: F32) -> F32:
    if part.texture is None:
        colours = cast(NDArray[np.uint8], part.colours)
        return linear_of_srgb().take(colours.take(face, axis=0)) * body.tint
    level = part.texture.level(texels)
    return part.texture.sample(values[:, 3], values[:, 4], level) * body.tint


def _slanted(texels: F32, view: View, normals: F32, x: F32, y: F32) -> F32:
    """Texels [N] across a pixel of a large face that the rays meet at a slant."""
    ray = np.stack(view.directions(x, y))
    length = np.sqrt((ray * ray).sum(axis=0))
    slant = np.abs((ray * normals).sum(axis=0)) / length
    out: F32 = texels / np.sqrt(np.maximum(slant, 0.05))
    return out


def _points(view: View, x: F32, y: F32, z: F32) -> F32:
    eye = view.eye.astype(np.float32)
    return np.stack([eye[i] + z * d for i, d in enumerate(view.directions(x, y))])
