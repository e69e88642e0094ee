"""Ray casting: triangle meshes through Embree, boxes in closed form, all in float32.

Each mesh keeps an Embree scene in its own frame, and rays are moved into that frame: nothing is
rebuilt when things move, and a mesh only costs the rays inside its bounding rectangle. Rays are
not normalised (z = 1 in the camera's frame), so the ray parameter is the depth.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refergym.assets.camera import pose_matrix
from refergym.assets.spec import CameraSpec
from refergym.envs.errors import RenderError
from refergym.envs.render.content import CACHED_ASSETS, Box, Instance, Lru
from refergym.envs.render.look import F32
from refergym.envs.render.parts import Array, Part

I32 = NDArray[np.int32]
Bools = NDArray[np.bool_]
Bounds = tuple[float, float, float, float]
"""least and greatest x, and least and greatest y, of rays"""

_SIGNS = np.array([[(i >> a & 1) * 2 - 1 for a in range(3)] for i in range(8)], np.float64)
"""[8, 3] of the corners of a box"""


class View:
    """A camera's rays. A ray is (x, y), its direction's first two parts in the camera's frame."""

    def __init__(self, camera: CameraSpec) -> None:
        """Work out the rays through the pixel centres."""
        self.camera = camera
        matrix = pose_matrix(camera.pose)
        self.eye: Array = matrix[:3, 3]
        """[3] m, world"""
        self.rotation: Array = matrix[:3, :3]
        """[3, 3] camera to world"""
        columns = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
        rows = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
        self.x: F32 = columns.astype(np.float32)
        """[W]"""
        self.y: F32 = rows.astype(np.float32)
        """[H]"""

    def directions(self, x: F32, y: F32) -> tuple[F32, F32, F32]:
        """Return the world directions of rays (x, y), part by part."""
        r = self.rotation.astype(np.float32)
        return tuple(r[i, 0] * x + r[i, 1] * y + r[i, 2] for i in range(3))

    def local(self, matrix: Array, scale: float) -> tuple[F32, F32]:
        """Return the eye [3] and the rays' basis [3, 3] in a body's own unscaled frame."""
        inverse = matrix[:3, :3].T / scale
        origin = inverse @ (self.eye - matrix[:3, 3])
        return origin.astype(np.float32), (inverse @ self.rotation).astype(np.float32)


class Group:
    """Bodies that rays are cast at together."""

    def __init__(self, bodies: Sequence[Instance]) -> None:
        """Work out where the bodies' bounding boxes are."""
        self.bodies = bodies
        matrices = np.array([b.matrix for b in bodies]).reshape(-1, 4, 4)
        corners = np.array([b.part.corners * b.scale for b in bodies]).reshape(-1, 8, 3)
        turned = corners @ matrices[:, :3, :3].transpose(0, 2, 1)
        self._corners_w: Array = turned + matrices[:, None, :3, 3]

    def in_view(self, view: View) -> Iterator[tuple[int, Bounds]]:
        """Give the bodies that rays may meet with those rays' bounds, the nearer first."""
        c = (self._corners_w - view.eye) @ view.rotation
        order = np.argsort(c[..., 2].mean(axis=1), kind="stable").tolist()
        bounds = _bounds(c)
        for k in order:
            seen = bounds[k]
            if seen is not None:
                yield k, seen

    def along(self, axes: Array) -> tuple[Array, Array]:
        """Return the bodies' least and greatest coordinates [N, 3] along axes [3, 3] (rows)."""
        c = self._corners_w @ axes.T
        return c.min(axis=1), c.max(axis=1)


@dataclass(kw_only=True, eq=False)
class Hits:
    """What rays meet first; arrays of one shape, [H, W] or [N]."""

    z: F32
    """m, the depth; where nothing is met, what it was before"""
    body: I32
    """index into the instances, or -1"""
    face: I32
    """of the body's part"""
    u: F32
    """barycentric weight of the face's second vertex"""
    v: F32
    """of its third"""
    is_back: Bools
    """the ray meets the face from behind"""

    @classmethod
    def nothing(cls, limit: F32) -> "Hits":
        """Begin with no hits, and the depths beyond which none count."""
        return cls(
            z=limit.copy(),
            body=np.full(limit.shape, -1, np.int32),
            face=np.zeros(limit.shape, np.int32),
            u=np.zeros(limit.shape, np.float32),
            v=np.zeros(limit.shape, np.float32),
            is_back=np.zeros(limit.shape, np.bool_),
        )

    def take(self, index: NDArray[np.intp]) -> "Hits":
        """Pick out rays by flat index."""
        return Hits(**{k: getattr(self, k).take(index) for k in _HIT_FIELDS})

    def joined(self, other: "Hits") -> "Hits":
        """Append the rays of another [N] list."""
        return Hits(
            **{k: np.concatenate([getattr(self, k), getattr(other, k)]) for k in _HIT_FIELDS}
        )


_HIT_FIELDS = ("z", "body", "face", "u", "v", "is_back")


class Tracer:
    """Casts rays at instances; keeps an Embree scene for each part."""

    def __init__(self) -> None:
        """Start Embree; raises RenderError naming the package if it is missing."""
        try:
            from embreex import rtcore, rtcore_scene
            from embreex.mesh_construction import TriangleMesh
        except ImportError as e:
            raise RenderError(
                f"the embree renderer needs embreex ({e}): pip install embreex"
            ) from e
        self._device = rtcore.EmbreeDevice()
        self._new_scene = rtcore_scene.EmbreeScene
        self._new_mesh = TriangleMesh
        self._scenes: Lru[Any] = Lru(CACHED_ASSETS)

    def cast_grid(self, view: View, group: Group, limit: F32) -> Hits:
        """Cast the rays of all pixel centres as far as `limit` [H, W] m."""
        hits = Hits.nothing(limit)
        for k, bounds in group.in_view(view):
            x0, x1 = np.searchsorted(view.x, bounds[:2])
            y0, y1 = np.searchsorted(view.y, bounds[2:])
            if x0 >= x1 or y0 >= y1:
                continue
            body = group.bodies[k]
            origin, m = view.local(body.matrix, body.scale)
            rows = m[:, 1] * view.y[y0:y1, None] + m[:, 2]
            d = m[:, 0] * view.x[None, x0:x1, None] + rows[:, None, :]
            area = np.s_[y0:y1, x0:x1]
            shape = d.shape[:2]
            d = d.reshape(-1, 3)
            out = self._cast(body, origin, d, hits.z[area].reshape(-1))
            hit = out["primID"] >= 0
            back = np.einsum("ij,ij->i", out["Ng"], d) > 0
            where = hit.reshape(shape)
            hits.body[area][where] = k
            for name, values in _results(out, back):
                np.copyto(getattr(hits, name)[area], values.reshape(shape), where=where)
        return hits

    def cast_list(self, view: View, group: Group, x: F32, y: F32, limit: F32) -> Hits:
        """Cast rays (x, y) [N] as far as `limit` [N] m."""
        hits = Hits.nothing(limit)
        for k, (x0, x1, y0, y1) in group.in_view(view):
            index = np.flatnonzero((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))
            if not len(index):
                continue
            body = group.bodies[k]
            origin, m = view.local(body.matrix, body.scale)
            d = x[index, None] * m[:, 0] + (y[index, None] * m[:, 1] + m[:, 2])
            out = self._cast(body, origin, d, hits.z[index])
            hit = np.flatnonzero(out["primID"] >= 0)
            back = np.einsum("ij,ij->i", out["Ng"], d) > 0
            met = index[hit]
            hits.body[met] = k
            for name, values in _results(out, back):
                getattr(hits, name)[met] = values[hit]
        return hits

    def occluded(self, body: Instance, points_w: F32, direction_w: F32) -> Bools:
        """Tell which rays from points [3, N] m, world, in one direction [3] meet a body."""
        inverse = (body.matrix[:3, :3].T / body.scale).astype(np.float32)
        offset = (inverse @ body.matrix[:3, 3]).astype(np.float32)
        origins = _turned(inverse, points_w) - offset[:, None]
        d = np.ascontiguousarray(_turned(inverse, direction_w[:, None])[:, 0])
        d = np.lib.stride_tricks.as_strided(d, origins.T.shape, (0, d.itemsize))
        out = self._scene(body).run(origins.T, d, query="OCCLUDED")
        hit: Bools = out >= 0
        return hit

    def _cast(self, body: Instance, origin: F32, d: F32, limit: F32) -> dict[str, Any]:
        origins = np.lib.stride_tricks.as_strided(origin, d.shape, (0, origin.itemsize))
        out: dict[str, Any] = self._scene(body).run(origins, d, dists=limit.copy(), output=True)
        return out

    def _scene(self, body: Instance) -> Any:
        scene = self._scenes.get(body.key)
        if scene is None:
            scene = self._new_scene(self._device)
            part: Part = body.part
            vertices = np.array(part.vertices, np.float32)
            self._new_mesh(scene, vertices, np.array(part.faces, np.int32))
            self._scenes.put(body.key, scene)
        return scene


def boxes_in_view(view: View, boxes: Sequence[Box]) -> Iterator[tuple[int, Bounds]]:
    """Give the boxes that rays may meet with those rays' bounds, in their own order."""
    if not boxes:
        return
    corners = np.stack([(b.half * _SIGNS) @ b.matrix[:3, :3].T + b.matrix[:3, 3] for b in boxes])
    for k, seen in enumerate(_bounds((corners - view.eye) @ view.rotation)):
        if seen is not None:
            yield k, seen


def box_depth(box: Box, view: View, x: F32, y: F32) -> tuple[F32, I32]:
    """Return where rays (x, y) enter a box.

    Args:
        box: the box.
        view: whose rays they are.
        x: [...] broadcasts with y.
        y: [...]

    Returns:
        depth [...] in m (inf for a miss or a box that holds the eye), and the face [...]: the
        axis that it lies across, plus 3 on that axis' positive side.
    """
    origin, m = view.local(box.matrix, 1.0)
    half = box.half.astype(np.float32)
    enter: F32 = np.full(np.broadcast_shapes(x.shape, y.shape), -np.inf, np.float32)
    leave: F32 = np.full(enter.shape, np.inf, np.float32)
    face: I32 = np.zeros(enter.shape, np.int32)
    for a in range(3):
        d = m[a, 0] * x + (m[a, 1] * y + m[a, 2])
        d = np.where(np.abs(d) < 1e-12, np.float32(1e-12), d)
        first = (np.copysign(half[a], -d) - origin[a]) / d
        last = (np.copysign(half[a], d) - origin[a]) / d
        later = first > enter
        np.copyto(enter, first, where=later)
        np.copyto(face, np.where(d < 0, a + 3, a), where=later, casting="unsafe")
        np.minimum(leave, last, out=leave)
    enter[(enter > leave) | (enter <= 0)] = np.inf
    return enter, face


def box_occluded(box: Box, points_w: F32, direction_w: F32) -> Bools:
    """Tell which rays from points [3, N] m, world, in one direction [3] meet a box."""
    inverse = box.matrix[:3, :3].T.astype(np.float32)
    offset = (inverse @ box.matrix[:3, 3].astype(np.float32))[:, None]
    p, d = _turned(inverse, points_w) - offset, _turned(inverse, direction_w[:, None])[:, 0]
    half = box.half.astype(np.float32)
    enter: F32 = np.zeros(p.shape[1], np.float32)
    leave: F32 = np.full(p.shape[1], np.inf, np.float32)
    for a in range(3):
        step = d[a] if abs(d[a]) > 1e-12 else np.float32(1e-12)
        np.maximum(enter, (-np.copysign(half[a], step) - p[a]) / step, out=enter)
        np.minimum(leave, (np.copysign(half[a], step) - p[a]) / step, out=leave)
    out: Bools = enter < leave
    return out


def _bounds(corners_c: Array) -> list[Bounds | None]:
    """Which rays may meet what lies inside corners [N, K, 3] m, camera frame; None: none do."""
    z = corners_c[..., 2]
    is_near = (z.min(axis=1) < 1e-3).tolist()
    is_behind = (z.max(axis=1) <= 0).tolist()
    safe = np.maximum(z, 1e-3)
    x, y = corners_c[..., 0] / safe, corners_c[..., 1] / safe
    slack = 1e-5
    ends = zip(
        (x.min(axis=1) - slack).tolist(),
        (x.max(axis=1) + slack).tolist(),
        (y.min(axis=1) - slack).tolist(),
        (y.max(axis=1) + slack).tolist(),
        strict=True,
    )
    everywhere = (-math.inf, math.inf, -math.inf, math.inf)
    return [
        None if behind else everywhere if near else seen
        for seen, near, behind in zip(ends, is_near, is_behind, strict=True)
    ]


def _results(out: dict[str, Any], back: Bools) -> tuple[tuple[str, NDArray[Any]], ...]:
    return (
        ("z", out["tfar"]),
        ("face", out["primID"]),
        ("u", out["u"]),
        ("v", out["v"]),
        ("is_back", back),
    )


def _turned(rotation: F32, vectors: F32) -> F32:
    """Turn vectors [3, N]; spelled out, because small matrix products are slower through BLAS."""
    x, y, z = vectors
    return np.stack([r[0] * x + r[1] * y + r[2] * z for r in rotation])
