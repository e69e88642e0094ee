"""What there is to draw: meshes and boxes with their places, colours and ids, for any renderer.

Rectangular supports, the pedestal and fixtures are boxes with planar texture mapping; objects,
robot links, furniture and supports with an outline are triangle meshes. Pixel ids are those of
`refergym.envs.types`.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from refergym.assets.camera import pose_matrices, pose_matrix
from refergym.assets.footprints import furniture_pose, support_corners
from refergym.assets.library import Pack, open_pack
from refergym.assets.robots.panda_model import PEDESTAL_CENTRE, PEDESTAL_COLOUR, PEDESTAL_SIZE
from refergym.assets.spec import FixtureSpec, RobotSpec, SceneSpec, SupportSpec
from refergym.envs.errors import RenderError
from refergym.envs.render.look import F32, linear
from refergym.envs.render.parts import Array, Part, density, prism
from refergym.envs.render.textures import MipTexture
from refergym.envs.types import ID_FIXTURE, ID_ROBOT, ID_SUPPORT, State

V = TypeVar("V")

CACHED_ASSETS = 128


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
    is_glossy: bool = True
    """whether it shows a highlight"""
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
    glow: float = 0.0
    """share of the colour that is seen whatever the light"""
    throws_shadow: bool = True
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
        """Return the rectangular supports, the fixtures, and the pedestal under the robot's base.

        There is a pedestal where there is room for one; the fixtures come last.
        """
        out = []
        for k, s in enumerate(spec.supports):
            if s.outline is None and s.asset is None:
                out.append(self._box(s, ID_SUPPORT - k))
        base = pose_matrix(spec.robot.base)
        height = float(base[2, 3]) - min(s.top for s in spec.supports)
        if height > 1e-3:
            local = np.eye(4)
            local[:3, 3] = (*PEDESTAL_CENTRE, -height / 2)
            half = np.array([*PEDESTAL_SIZE, height]) / 2
            colour = linear(PEDESTAL_COLOUR)
            out.append(Box(matrix=base @ local, half=half, colour=colour, id=ID_ROBOT))
        for k, f in enumerate(spec.fixtures):
            out.append(self._box(f, ID_FIXTURE - k, glow=f.glow, throws_shadow=False))
        return out

    def furnishings(self, spec: SceneSpec) -> list[Instance]:
        """Return the supports that are not boxes: furniture, and slabs with an outline.

        Raises:
            SpecError: for an outline or a piece of furniture that is none.
            PackError: for an asset that the pack lacks.
        """
        return [
            self._furniture(s, ID_SUPPORT - k) if s.asset else self._prism(s, ID_SUPPORT - k)
            for k, s in enumerate(spec.supports)
            if s.asset is not None or s.outline is not None
        ]

    def _box(
        self,
        s: SupportSpec | FixtureSpec,
        id_: int,
        *,
        glow: float = 0.0,
        throws_shadow: bool = True,
    ) -> Box:
        return Box(
            key=(self.pack.digest, s.texture),
            matrix=pose_matrix(s.pose),
            half=np.array(s.size) / 2,
            colour=linear(s.colour),
            image=self.pack.texture(s.texture) if s.texture else None,
            texture=self._texture(s.texture) if s.texture else None,
            texture_scale=s.texture_scale,
            glow=glow,
            throws_shadow=throws_shadow,
            id=id_,
        )

    def _furniture(self, support: SupportSpec, id_: int) -> Instance:
        assert support.asset is not None, "asked for furniture only"
        return Instance(
            key=(self.pack.digest, support.asset),
            part=self._asset(support.asset),
            matrix=pose_matrix(furniture_pose(self.pack, support)),
            tint=np.ones(3, np.float32),
            is_glossy=False,
            id=id_,
        )

    def _prism(self, support: SupportSpec, id_: int) -> Instance:
        s = support
        key = (self.pack.digest, "prism", s.outline, s.size[2], s.texture, s.texture_scale)
        part = self._parts.get(key)
        if part is None:
            texture = self._texture(s.texture) if s.texture else None
            image = self.pack.texture(s.texture) if s.texture else None
            part = prism(support_corners(s), s.size[2], s.texture_scale, texture, image)
            self._parts.put(key, part)
        return Instance(
            key=key,
            part=part,
            matrix=pose_matrix(s.pose),
            tint=linear(s.colour),
            is_glossy=False,
            id=id_,
        )

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
                texels_per_metre=density(mesh.vertices, mesh.uv, mesh.faces, mesh.texture.shape),
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
