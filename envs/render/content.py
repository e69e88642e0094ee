"""What there is to draw: meshes and boxes with their places, colours and ids, for any renderer.

Supports and the pedestal are boxes with planar texture mapping; objects and robot links are
triangle meshes. Pixel ids are those of `refergym.envs.types`.
"""

import functools
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from refergym.assets.camera import pose_matrices, pose_matrix
from refergym.assets.library import Pack, open_pack
from refergym.assets.spec import RobotSpec, SceneSpec
from refergym.envs.errors import RenderError
from refergym.envs.render.look import F32, PEDESTAL, linear
from refergym.envs.render.textures import MipTexture
from refergym.envs.types import ID_ROBOT, ID_SUPPORT, State

Array = NDArray[np.float64]
V = TypeVar("V")

PEDESTAL_CENTRE = (-0.03, 0.0)
"""[2] m, in the robot's base frame"""
PEDESTAL_SIZE = (0.26, 0.26)
"""[2] m"""
CACHED_ASSETS = 128


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Triangles in their own frame, with a texture or with a colour for each face."""

    vertices: F32
    """[V, 3] m"""
    normals: F32
    """[V, 3] unit"""
    faces: NDArray[np.int32]
    """[F, 3]"""
    uv: F32 | None = None
    """[V, 2] origin at the texture's top left"""
    image: NDArray[np.uint8] | None = None
    """[h, w, 3] sRGB"""
    texture: MipTexture | None = None
    """the same with mip levels"""
    texels_per_metre: float = 0.0
    """of the full-size texture, on average over the surface"""
    colours: NDArray[np.uint8] | None = None
    """[F, 3] sRGB, where there is no texture"""

    @functools.cached_property
    def corners(self) -> Array:
        """[8, 3] m, of the bounding box."""
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        return np.array([[(low, high)[i >> a & 1][a] for a in range(3)] for i in range(8)])


@dataclass(frozen=True, kw_only=True, eq=False)
class Instance:
    """A part in the world."""

    key: Hashable
    """names the part across scenes"""
    part: Part
    matrix: Array
    """[4, 4] rigid, own frame to world; the scale comes before it"""
    scale: float = 1.0
    tint: F32
    """[3] multiplies linear colours"""
    id: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Box:
    """A box in the world."""

    key: Hashable = ()
    """names the texture across scenes"""
    matrix: Array
    """[4, 4] rigid, own frame (origin at the centre) to world"""
    half: Array
    """[3] m"""
    colour: F32
    """[3] linear; multiplies the texture"""
    image: NDArray[np.uint8] | None = None
    """[h, w, 3] sRGB"""
    texture: MipTexture | None = None
    """the same with mip levels"""
    texture_scale: float = 1.0
    """m per repetition"""
    id: int


FACE_AXES = ((1, 2), (0, 2), (0, 1))
"""for a box face across axis 0, 1 or 2: the axes that the texture's u and v follow"""


class Lru(Generic[V]):
    """A bounded dictionary that forgets what was used longest ago."""

    def __init__(self, size: int) -> None:
        """Hold at most `size` values."""
        self._size = size
        self._items: OrderedDict[Hashable, V] = OrderedDict()

    def __len__(self) -> int:
        """Count the values held."""
        return len(self._items)

    def get(self, key: Hashable) -> V | None:
        """Return a value and mark it as used, or None."""
        if key in self._items:
            self._items.move_to_end(key)
        return self._items.get(key)

    def put(self, key: Hashable, value: V) -> V:
        """Store and return a value."""
        self._items[key] = value
        self._items.move_to_end(key)
        while len(self._items) > self._size:
            self._items.popitem(last=False)
        return value


class Content:
    """Turns scenes and states into instances and boxes; keeps prepared meshes."""

    def __init__(self, pack: Pack | None) -> None:
        """Draw from a pack; None takes the one that ships with the package."""
        self._given = pack
        self._parts: Lru[Part] = Lru(CACHED_ASSETS)
        self._textures: Lru[MipTexture] = Lru(16)
        self._links: tuple[tuple[int, Part], ...] | None = None

    @property
    def pack(self) -> Pack:
        """The pack, opened when first needed."""
        if self._given is None:
            self._given = open_pack()
        return self._given

    def objects(self, spec: SceneSpec, state: State) -> list[Instance]:
        """Return the objects where the state has them.

        Raises:
            RenderError: if the state does not fit the scene or has a pose that is not finite.
            PackError: for an asset that the pack lacks.
        """
        poses = np.asarray(state.objects, np.float64)
        if poses.shape != (len(spec.objects), 7):
            raise RenderError(
                f"state.objects: expected shape {(len(spec.objects), 7)}, got {poses.shape}; "
                "render a scene with the state of the same scene"
            )
        if not np.isfinite(poses).all():
            bad = int(np.nonzero(~np.isfinite(poses))[0][0])
            raise RenderError(f"state.objects[{bad}]: expected finite numbers, got {poses[bad]}")
        return [
            Instance(
                key=(self.pack.digest, thing.asset),
                part=self._asset(thing.asset),
                matrix=matrix,
                scale=thing.scale,
                tint=np.array(thing.tint, np.float32),
                id=i,
            )
            for i, (thing, matrix) in enumerate(
                zip(spec.objects, pose_matrices(poses), strict=True)
            )
        ]

    def boxes(self, spec: SceneSpec) -> list[Box]:
        """Return the supports, and the pedestal under the robot's base where there is room."""
        out = []
        for k, s in enumerate(spec.supports):
            out.append(
                Box(
                    key=(self.pack.digest, s.texture),
                    matrix=pose_matrix(s.pose),
                    half=np.array(s.size) / 2,
                    colour=linear(s.colour),
                    image=self.pack.texture(s.texture) if s.texture else None,
                    texture=self._texture(s.texture) if s.texture else None,
                    texture_scale=s.texture_scale,
                    id=ID_SUPPORT - k,
                )
            )
        base = pose_matrix(spec.robot.base)
        height = float(base[2, 3]) - min(s.top for s in spec.supports)
        if height > 1e-3:
            local = np.eye(4)
            local[:3, 3] = (*PEDESTAL_CENTRE, -height / 2)
            half = np.array([*PEDESTAL_SIZE, height]) / 2
            colour = linear(PEDESTAL)
            out.append(Box(matrix=base @ local, half=half, colour=colour, id=ID_ROBOT))
        return out

    def robot(self, robot: RobotSpec, state: State) -> list[Instance]:
        """Return the arm's links at the state's joints."""
        from refergym.assets.robots.kinematics import link_poses

        joints = np.asarray(state.joints, np.float64)
        if joints.shape != (9,):
            raise RenderError(f"state.joints: expected shape (9,), got {joints.shape}")
        matrices = pose_matrix(robot.base) @ link_poses(joints)
        white = np.ones(3, np.float32)
        return [
            Instance(key=("panda", n), part=part, matrix=matrices[link], tint=white, id=ID_ROBOT)
            for n, (link, part) in enumerate(self._panda())
        ]

    def _panda(self) -> tuple[tuple[int, Part], ...]:
        if self._links is None:
            from refergym.assets.robots.kinematics import LINKS
            from refergym.assets.robots.panda_model import panda_visuals

            self._links = tuple(
                (
                    LINKS.index(v.link),
                    Part(vertices=v.vertices, normals=v.normals, faces=v.faces, colours=v.colours),
                )
                for v in panda_visuals()
            )
        return self._links

    def _asset(self, name: str) -> Part:
        key = (self.pack.digest, name)
        part = self._parts.get(key)
        if part is None:
            mesh = self.pack.mesh(name)
            part = Part(
                vertices=mesh.vertices,
                normals=mesh.normals,
                faces=mesh.faces,
                uv=mesh.uv,
                image=mesh.texture,
                texture=MipTexture.build(mesh.texture, repeats=False),
                texels_per_metre=_density(mesh.vertices, mesh.uv, mesh.faces, mesh.texture.shape),
            )
            self._parts.put(key, part)
        return part

    def _texture(self, name: str) -> MipTexture:
        key = (self.pack.digest, name)
        found = self._textures.get(key)
        if found is None:
            image = self.pack.texture(name)
            found = self._textures.put(key, MipTexture.build(image, repeats=True))
        return found


def _density(v: F32, uv: F32, faces: NDArray[np.int32], shape: tuple[int, ...]) -> float:
    """Texels per metre: the root of the ratio of all triangles' areas in texture and in space."""
    a, b, c = (v[faces[:, k]].astype(np.float64) for k in range(3))
    surface = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())
    p, q, r = (uv[faces[:, k]].astype(np.float64) * (shape[1], shape[0]) for k in range(3))
    s, t = q - p, r - p
    texels = float(np.abs(s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum())
    return float(np.sqrt(texels / surface)) if surface > 0 else 0.0
