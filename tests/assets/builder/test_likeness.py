"""Shapes are told apart from their siblings, and recognised under other sizes and triangles."""

import math

import numpy as np
import pytest
import trimesh

from refergym.assets.builder import likeness
from refergym.assets.library import AssetInfo, open_pack

PACK = open_pack()


def _first_of_each_shape() -> dict[str, AssetInfo]:
    found: dict[str, AssetInfo] = {}
    for info in PACK.manifest.assets:
        found.setdefault(info.shape, info)
    return found


def _described(name: str) -> np.ndarray:
    mesh = PACK.mesh(name)
    return likeness.descriptor(mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64))


def test_no_two_shapes_of_the_shipped_pack_count_as_one() -> None:
    names = [info.name for info in _first_of_each_shape().values()]
    shapes = [_described(name) for name in names]
    alike = [
        (names[j], names[i])
        for i, a in enumerate(shapes)
        for j, b in enumerate(shapes[:i])
        if likeness.difference(a, b) < likeness.ALIKE
    ]
    assert alike == []


@pytest.mark.parametrize("info", list(_first_of_each_shape().values())[::9], ids=lambda i: i.name)
def test_a_turned_rescaled_and_subdivided_copy_is_recognised(info: AssetInfo) -> None:
    mesh = PACK.mesh(info.name)
    v, f = trimesh.remesh.subdivide(mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64))
    c, s = math.cos(2.1), math.sin(2.1)
    v = 1.7 * v @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + [0.3, 0.1, 0.0]
    copy = likeness.descriptor(v, f)
    assert likeness.difference(_described(info.name), copy) < likeness.ALIKE


def test_a_box_a_little_longer_is_another_shape() -> None:
    a, b = (trimesh.creation.box((0.1 * k, 0.06, 0.03)) for k in (1.0, 1.1))
    apart = likeness.difference(
        likeness.descriptor(a.vertices, a.faces), likeness.descriptor(b.vertices, b.faces)
    )
    assert apart > likeness.ALIKE
