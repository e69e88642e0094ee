"""Isaac's own camera: a picture, its depth, and the ids of prims as our ids.

Principal points off the middle are written as aperture offsets; that Isaac's renderer heeds them
was not seen here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.spec import CameraSpec
from refergym.envs.backends.isaac_app import IsaacApp
from refergym.envs.backends.isaac_stage import CAMERAS, Stage
from refergym.envs.backends.prims import id_of, ids_of_prims
from refergym.envs.errors import BackendError
from refergym.envs.types import ID_NOTHING, Frame

APERTURE = 20.955
"""horizontal, in tenths of a unit; only its ratio to the focal length matters"""
NEAR = 0.01
"""m"""
ANNOTATORS = ("rgb", "distance_to_image_plane", "instance_id_segmentation")
_WARM_UP = 60
"""frames until a camera has to have data"""
_AFTER = 3
"""frames that the picture gets to become clear"""
_FLIP = np.array([0.0, 1.0, 0.0, 0.0])
"""wxyz, half a turn about x: USD's cameras look along -z with y up"""


class IsaacCameras:
    """The cameras of one open stage, made when they are first looked through."""

    def __init__(self, app: IsaacApp, stage: Stage) -> None:
        """Take an app whose open stage this is."""
        self._app = app
        self._ids = prim_ids(stage)
        self._sensors: dict[CameraSpec, Any] = {}

    def look(self, camera: CameraSpec) -> Frame:
        """Take a picture; physics stands still meanwhile.

        Raises:
            BackendError: if its pixels are not square, or no picture comes.
        """
        if camera not in self._sensors:
            self._sensors[camera] = self._add(camera)
        sensor = self._sensors[camera]
        for _ in range(_WARM_UP):
            self._app.draw()
            if all(sensor.get_data(name)[0] is not None for name in ANNOTATORS):
                break
        else:
            raise BackendError(f"Isaac's camera gave no picture in {_WARM_UP} frames")
        self._app.draw(_AFTER)
        taken = {name: sensor.get_data(name) for name in ANNOTATORS}
        rgb, depth, ids = (_pixels(data) for data, _ in taken.values())
        labels = taken[ANNOTATORS[2]][1].get("idToLabels", {})
        return Frame(
            rgb=rgb[:, :, :3].astype(np.uint8),
            depth=returns(depth[:, :, 0], camera.far),
            ids=our_ids(ids[:, :, 0], labels, self._ids),
        )

    def _add(self, camera: CameraSpec) -> Any:
        from isaacsim.sensors.experimental.rtx import CameraSensor, RtxCamera

        if abs(camera.fx - camera.fy) > 1e-6 * camera.fx:
            raise BackendError("camera: Isaac's has square pixels; fx and fy differ")
        position, turn = np.array(camera.pose.position), np.array(camera.pose.orientation)
        made = RtxCamera(
            f"{CAMERAS}/isaac_{len(self._sensors)}",
            positions=position.reshape(1, 3),
            orientations=poses.multiply(turn, _FLIP).reshape(1, 4),
        )
        wide, high = APERTURE, APERTURE * camera.height / camera.width
        lens = made.camera
        lens.set_focal_lengths([camera.fx * APERTURE / camera.width])
        lens.set_apertures(horizontal_apertures=[wide], vertical_apertures=[high])
        lens.set_aperture_offsets(
            horizontal_offsets=[wide * (0.5 - camera.cx / camera.width)],
            vertical_offsets=[high * (camera.cy / camera.height - 0.5)],
        )
        lens.set_clipping_ranges(near_distances=[NEAR], far_distances=[camera.far])
        size = (camera.height, camera.width)
        return CameraSensor(made, resolution=size, annotators=list(ANNOTATORS))


def prim_ids(stage: Stage) -> dict[str, int]:
    """Our id of each prim of a stage that has one; what is below a prim has its id."""
    return ids_of_prims(stage.objects, stage.supports, stage.fixtures)


def our_ids(
    shown: NDArray[Any], labels: Mapping[Any, str], ids: Mapping[str, int]
) -> NDArray[np.int32]:
    """Turn Isaac's ids of instances into ours.

    Args:
        shown: [H, W] Isaac's ids.
        labels: path of the prim of each, by id (a number, or its text).
        ids: our ids, by path.

    Returns:
        [H, W]; ID_NOTHING where a prim has none.
    """
    known = {int(number): id_of(path, ids) for number, path in labels.items()}
    numbers, places = np.unique(shown, return_inverse=True)
    table = np.array([known.get(int(n), ID_NOTHING) for n in numbers], np.int32)
    return table[places].reshape(shown.shape)


def returns(depth: NDArray[Any], far: float) -> NDArray[np.float32]:
    """Depth [H, W] m with 0 where nothing is, or it is farther than `far`."""
    is_there = np.isfinite(depth) & (depth <= far)
    return np.where(is_there, depth, 0).astype(np.float32)


def _pixels(data: Any) -> NDArray[Any]:
    """Copy one of Isaac's pictures [H, W, C] (Warp's array, on any device)."""
    return np.array(data.numpy() if hasattr(data, "numpy") else data)
