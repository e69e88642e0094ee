"""The renderer for GPUs: OpenGL through EGL, no display. RGB, depth and ids come from one pass.

Same light, textures and tone curve as the embree renderer; shadows come from a shadow map (of
meshes) and in closed form (of boxes). Runs on llvmpipe without a GPU; set LP_NUM_THREADS=1 there.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refergym.assets.camera import pose_matrix
from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec, SceneSpec
from refergym.envs.errors import RenderError
from refergym.envs.render import gl_shaders, look
from refergym.envs.render.content import CACHED_ASSETS, Box, Content, Instance
from refergym.envs.render.gl_vertices import box_vertices, part_vertices
from refergym.envs.render.look import F32, Light
from refergym.envs.render.parts import Array, Part
from refergym.envs.render.tracing import Group
from refergym.envs.types import ID_SUPPORT, Frame, State

_NEAR = 0.02
"""m"""
_LIFT = 1e-3
"""m off the surface, from which a shadow is looked up"""
_SHADE_SIZE = 2048
"""px"""
_SHADE_OFFSET = (2.0, 4.0)
"""times the slope, and least steps, by which large flat meshes lie deeper in the shadow map: else
they shade themselves in stripes"""
_SRGB8_ALPHA8 = 0x8C43
_HELP = (
    "run: pip install 'refergym[gl]'; an EGL driver is needed too (without a GPU, on Debian or "
    "Ubuntu: apt-get install libegl1 libgl1-mesa-dri libopengl0)"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Drawable:
    """A part in the GPU's memory."""

    vertices: Any
    mesh: Any
    shade: Any
    picture: Any

    def release(self) -> None:
        for resource in (self.mesh, self.shade, self.vertices, self.picture):
            if resource is not None:
                resource.release()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Target:
    """A framebuffer with colour, depth and ids."""

    buffer: Any
    parts: tuple[Any, ...]

    def release(self) -> None:
        for resource in (self.buffer, *self.parts):
            resource.release()


class ModernGLRenderer:
    """Renders scenes through OpenGL 3.3. One instance belongs to the thread that made it."""

    name = "moderngl"

    def __init__(
        self,
        pack: Pack | None = None,
        *,
        shadows: bool = True,
        antialias: Literal["none", "full"] = "full",
        device: int | None = None,
    ) -> None:
        """Open a context without a display.

        Args:
            pack: where meshes and textures come from; None takes the one that ships.
            shadows: whether the light casts them.
            antialias: one sample a pixel, or four for the colours.
            device: number of the EGL device; None takes the first.

        Raises:
            RenderError: if moderngl or an EGL driver is missing; says what to install.
        """
        if antialias not in ("none", "full"):
            raise RenderError(f"antialias: expected 'none' or 'full', got {antialias!r}")
        try:
            import moderngl as gl
        except ImportError as e:
            raise RenderError(f"renderer moderngl: {e}; {_HELP}") from e
        options: dict[str, Any] = {"backend": "egl"}
        if device is not None:
            options["device_index"] = device
        try:
            ctx: Any = gl.create_context(standalone=True, **options)
        except Exception as e:  # glcontext raises bare Exception
            raise RenderError(f"renderer moderngl: no EGL context ({e}); {_HELP}") from e
        self._gl: Any = gl
        self._ctx = ctx
        self._shadows = shadows
        self._antialias = antialias
        self._content = Content(pack)
        self._drawables: OrderedDict[Hashable, _Drawable] = OrderedDict()
        self._targets: OrderedDict[tuple[int, int], _Target] = OrderedDict()
        self._is_closed = False
        self._mesh: Any = ctx.program(gl_shaders.MESH_VERTEX, gl_shaders.MESH_FRAGMENT)
        self._shade: Any = ctx.program(gl_shaders.SHADE_VERTEX, gl_shaders.SHADE_FRAGMENT)
        self._sky: Any = ctx.program(gl_shaders.BACKDROP_VERTEX, gl_shaders.BACKDROP_FRAGMENT)
        self._sky_array = ctx.vertex_array(self._sky, [])
        self._white = ctx.texture((1, 1), 4, b"\xff" * 4)
        self._shade_map = ctx.depth_texture((_SHADE_SIZE, _SHADE_SIZE))
        self._shade_map.compare_func = "<="
        self._shade_map.repeat_x = self._shade_map.repeat_y = False
        self._shade_buffer = ctx.framebuffer(depth_attachment=self._shade_map)
        self._mesh["picture"].value = 0
        self._mesh["shade"].value = 1
        ctx.front_face = "cw"  # the picture's rows run down, so everything is mirrored once

    def render(self, spec: SceneSpec, state: State, camera: CameraSpec | None = None) -> Frame:
        """Render one frame with the scene's camera, or with another one.

        Raises:
            RenderError: after close, or if the state does not fit the scene.
            PackError: for an asset or texture that the pack lacks or that is damaged.
        """
        return self._draw(spec, state, camera or spec.camera, for_people=True)

    def render_ids(
        self, spec: SceneSpec, state: State, camera: CameraSpec | None = None
    ) -> tuple[F32, NDArray[np.int32]]:
        """Return the depth [H, W] m and ids [H, W] of a frame, without its colours."""
        frame = self._draw(spec, state, camera or spec.camera, for_people=False)
        return frame.depth, frame.ids

    def close(self) -> None:
        """Release the context; idempotent."""
        if not self._is_closed:
            self._is_closed = True
            with self._ctx:
                for drawable in self._drawables.values():
                    drawable.release()
                for target in self._targets.values():
                    target.release()
            self._ctx.release()

    def _draw(
        self, spec: SceneSpec, state: State, camera: CameraSpec, *, for_people: bool
    ) -> Frame:
        if self._is_closed:
            raise RenderError("the moderngl renderer was closed; make a new one")
        light = Light.of(spec.light)
        boxes = [b for b in self._content.boxes(spec) if not _holds(b, camera)]
        bodies = [*self._content.objects(spec, state), *self._content.robot(spec.robot, state)]
        furnishings = self._content.furnishings(spec)
        shading = [b for b in boxes if b.throws_shadow]
        if len(shading) > gl_shaders.MAX_BOXES:
            raise RenderError(
                f"supports: moderngl draws at most {gl_shaders.MAX_BOXES - 1}, "
                f"got {len(spec.supports)}; use renderer=embree"
            )
        with self._ctx:
            self._set_light(light, shading)
            self._mesh["has_shadows"].value = self._shadows and for_people
            if self._shadows and for_people:
                self._draw_shade(light, bodies, _above_floor(spec, furnishings))
            bodies += furnishings
            target = self._pass(camera, boxes, bodies, 1)
            depth = _read(target, 1, "f4", 1)[..., 0]
            ids = _read(target, 2, "i4", 1)[..., 0]
            if not for_people or self._antialias == "none":
                colour = _read(target, 0, "f4", 3)
            else:
                fine = _read(self._pass(camera, boxes, bodies, 2), 0, "f4", 3)
                colour = fine.reshape(camera.height, 2, camera.width, 2, 3).mean(axis=(1, 3))
        return Frame(rgb=look.encode(colour), depth=depth, ids=ids)

    def _set_light(self, light: Light, boxes: Sequence[Box]) -> None:
        values: dict[str, Any] = {
            "light": tuple(light.direction.tolist()),
            "sun": tuple(light.sun.tolist()),
            "ambient": tuple(light.ambient.tolist()),
            "ambient_slope": tuple(light.ambient_slope.tolist()),
            "highlight": look.HIGHLIGHT,
            "gloss": float(2 ** (look.GLOSS_SQUARINGS)),
            "lift": _LIFT,
            "boxes": len(boxes),
            "shade_step": 1.2 / _SHADE_SIZE,
        }
        for name, value in values.items():
            self._mesh[name].value = value
        inverse = np.tile(np.eye(4), (gl_shaders.MAX_BOXES, 1, 1))
        half = np.zeros((gl_shaders.MAX_BOXES, 3))
        for k, box in enumerate(boxes):
            inverse[k], half[k] = np.linalg.inv(box.matrix), box.half
        self._mesh["box_inverse"].write(_columns(inverse))
        self._mesh["box_half"].write(half.astype(np.float32).tobytes())

    def _draw_shade(
        self, light: Light, bodies: Sequence[Instance], furnishings: Sequence[Instance]
    ) -> None:
        """Draw the shadow map: the meshes as the light sees them."""
        toward = light.direction.astype(np.float64)
        side = np.cross(toward, (1.0, 0, 0) if abs(toward[0]) < 0.7 else (0, 1.0, 0))
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(toward, side), -toward])
        low, high = Group([*bodies, *furnishings]).along(axes)
        low, high = low.min(axis=0) - 0.01, high.max(axis=0) + 0.01
        matrix = np.eye(4)
        matrix[:3, :3] = axes * (2 / (high - low))[:, None]
        matrix[:3, 3] = -(high + low) / (high - low)
        self._shade["to_shade"].write(_columns(matrix))
        self._mesh["to_shade"].write(_columns(matrix))
        self._shade_buffer.use()
        self._shade_buffer.clear(depth=1.0)
        self._ctx.enable_only(self._gl.DEPTH_TEST)
        for group, offset in ((bodies, (0.0, 0.0)), (furnishings, _SHADE_OFFSET)):
            self._ctx.polygon_offset = offset
            for body in group:
                self._shade["model"].write(_columns(_scaled(body)))
                self._drawable(body.key, body.part).shade.render()
        self._ctx.polygon_offset = (0.0, 0.0)

    def _pass(
        self, camera: CameraSpec, boxes: Sequence[Box], bodies: Sequence[Instance], factor: int
    ) -> _Target:
        """Draw everything, `factor` times as many pixels each way."""
        target = self._target(camera.width * factor, camera.height * factor)
        target.buffer.use()
        target.buffer.clear(depth=1.0)
        to_world = pose_matrix(camera.pose)
        self._draw_backdrop(camera, to_world)
        self._ctx.enable_only(self._gl.DEPTH_TEST)
        self._shade_map.use(1)
        program = self._mesh
        program["to_camera"].write(_columns(np.linalg.inv(to_world)))
        program["to_clip"].write(_columns(_projection(camera)))
        program["eye"].value = tuple(to_world[:3, 3].tolist())
        for box in boxes:
            key = ("box", box.key, *box.half.tolist(), box.texture_scale)
            part = self._drawable(key, None, box)
            self._mesh["glow"].value = box.glow
            self._draw_one(part, box.matrix, box.matrix, box.colour, box.id, is_glossy=False)
        self._mesh["glow"].value = 0.0
        for body in bodies:
            part = self._drawable(body.key, body.part)
            model, glossy = _scaled(body), body.is_glossy
            self._draw_one(part, model, body.matrix, body.tint, body.id, is_glossy=glossy)
        return target

    def _draw_backdrop(self, camera: CameraSpec, to_world: Array) -> None:
        self._ctx.enable_only(self._gl.NOTHING)
        self._sky["to_world"].write(_columns(to_world[:3, :3]))
        w, h = camera.width / camera.fx, camera.height / camera.fy
        middle = (w / 2 - camera.cx / camera.fx, h / 2 - camera.cy / camera.fy)
        self._sky["ray_scale"].value = (w / 2, h / 2, *middle)
        self._sky["low"].value, self._sky["high"].value = look.BACKDROP
        self._sky_array.render(self._gl.TRIANGLES, vertices=3)

    def _draw_one(
        self, part: _Drawable, model: Array, turn: Array, tint: F32, id_: int, *, is_glossy: bool
    ) -> None:
        program = self._mesh
        program["model"].write(_columns(model))
        program["turn"].write(_columns(turn[:3, :3]))
        program["tint"].value = tuple(tint.tolist())
        program["id"].value = id_
        program["is_glossy"].value = is_glossy
        program["has_picture"].value = part.picture is not None
        (part.picture or self._white).use(0)
        part.mesh.render()

    def _drawable(self, key: Hashable, part: Part | None, box: Box | None = None) -> _Drawable:
        found = self._drawables.get(key)
        if found is None:
            if part is not None:
                repeats = part.texture is not None and part.texture.repeats
                image, vertices = part.image, part_vertices(part)
            else:
                assert box is not None
                image, repeats, vertices = box.image, True, box_vertices(box)
            found = self._upload(vertices, image, repeats=repeats)
            self._drawables[key] = found
            while len(self._drawables) > 2 * CACHED_ASSETS:
                self._drawables.popitem(last=False)[1].release()
        self._drawables.move_to_end(key)
        return found

    def _upload(
        self, vertices: F32, image: NDArray[np.uint8] | None, *, repeats: bool
    ) -> _Drawable:
        buffer = self._ctx.buffer(vertices.tobytes())
        names = ("in_position", "in_normal", "in_uv", "in_colour")
        picture = None
        if image is not None:
            rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
            size = (image.shape[1], image.shape[0])
            picture = self._ctx.texture(size, 4, rgba.tobytes(), internal_format=_SRGB8_ALPHA8)
            picture.repeat_x = picture.repeat_y = repeats
            picture.build_mipmaps()
            picture.filter = (self._gl.LINEAR_MIPMAP_LINEAR, self._gl.LINEAR)
        return _Drawable(
            vertices=buffer,
            mesh=self._ctx.vertex_array(self._mesh, [(buffer, "3f 3f 2f 3f", *names)]),
            shade=self._ctx.vertex_array(self._shade, [(buffer, "3f 32x", "in_position")]),
            picture=picture,
        )

    def _target(self, width: int, height: int) -> _Target:
        found = self._targets.get((width, height))
        if found is None:
            size = (width, height)
            parts = (
                self._ctx.texture(size, 4, dtype="f4"),
                self._ctx.texture(size, 1, dtype="f4"),
                self._ctx.texture(size, 1, dtype="i4"),
                self._ctx.depth_renderbuffer(size),
            )
            found = _Target(buffer=self._ctx.framebuffer(parts[:3], parts[3]), parts=parts)
            self._targets[size] = found
            while len(self._targets) > 4:
                self._targets.popitem(last=False)[1].release()
        self._targets.move_to_end((width, height))
        return found


def _read(target: _Target, attachment: int, dtype: str, components: int) -> NDArray[Any]:
    width, height = target.buffer.size
    data = target.buffer.read(
        components=components, attachment=attachment, dtype=dtype, alignment=1
    )
    return np.frombuffer(data, dtype).reshape(height, width, components).copy()


def _columns(matrix: NDArray[Any]) -> bytes:
    """Matrices [..., n, n] as OpenGL reads them, column by column, float32."""
    return np.ascontiguousarray(np.swapaxes(matrix, -1, -2), np.float32).tobytes()


def _holds(box: Box, camera: CameraSpec) -> bool:
    """Tell whether the eye is inside a box, which then is not seen."""
    away = box.matrix[:3, :3].T @ (np.array(camera.pose.position) - box.matrix[:3, 3])
    return bool((np.abs(away) < box.half).all())


def _above_floor(spec: SceneSpec, furnishings: Sequence[Instance]) -> list[Instance]:
    """Leave out the lowest slab: it shades nothing, and would make the shadow map coarse."""
    lowest = min(s.top for s in spec.supports)
    supports = [spec.supports[ID_SUPPORT - f.id] for f in furnishings]
    pairs = zip(furnishings, supports, strict=True)
    return [f for f, s in pairs if s.asset is not None or s.top > lowest]


def _scaled(body: Instance) -> Array:
    out = body.matrix.copy()
    out[:3, :3] *= body.scale
    return out


def _projection(camera: CameraSpec) -> Array:
    """Camera frame to clip space; the first row that is read back is the picture's top."""
    n, f = _NEAR, max(camera.far, 2 * _NEAR)
    out = np.zeros((4, 4))
    out[0, 0], out[0, 2] = 2 * camera.fx / camera.width, 2 * camera.cx / camera.width - 1
    out[1, 1], out[1, 2] = 2 * camera.fy / camera.height, 2 * camera.cy / camera.height - 1
    out[2, 2], out[2, 3] = (f + n) / (f - n), -2 * f * n / (f - n)
    out[3, 2] = 1
    return out
