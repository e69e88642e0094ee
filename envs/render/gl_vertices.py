"""Vertex tables for the OpenGL renderer."""

import itertools
from collections.abc import Iterable

import numpy as np

from refergym.envs.render.content import FACE_AXES, Box
from refergym.envs.render.look import F32, linear_of_srgb
from refergym.envs.render.parts import Part


def part_vertices(part: Part) -> F32:
    """[3 F, 11]: position, normal, uv, linear colour of each corner of each face."""
    corners = part.faces.ravel()
    count = len(corners)
    uv: F32 = np.zeros((count, 2), np.float32) if part.uv is None else part.uv[corners]
    colour: F32 = np.ones((count, 3), np.float32)
    if part.colours is not None and part.image is None:
        colour = linear_of_srgb()[part.colours].repeat(3, axis=0)
    table = [part.vertices[corners], part.normals[corners], uv, colour]
    return np.hstack(table).astype(np.float32)


def box_vertices(box: Box) -> F32:
    """[36, 11]: a box's corners, with the planar texture mapping of the embree renderer."""
    rows: list[Iterable[float]] = []
    for axis, side in itertools.product(range(3), (-1, 1)):
        i, j = FACE_AXES[axis]
        # The corners run counter-clockwise seen from outside.
        turn = side if axis != 1 else -side
        square = [(-1, -1), (1, -1), (1, 1), (-1, -1), (1, 1), (-1, 1)]
        for a, b in square if turn > 0 else square[::-1]:
            p, n = np.zeros(3), np.zeros(3)
            p[axis], p[i], p[j] = side * box.half[axis], a * box.half[i], b * box.half[j]
            n[axis] = side
            rows.append([*p, *n, p[i] / box.texture_scale, p[j] / box.texture_scale, 1, 1, 1])
    return np.array(rows, np.float32)
