"""CA-1M captures: what is read of them, and what is said of damaged ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ca1m_parts import Members, png, write_tar

from refergym.assets import camera as pinhole
from refergym.envs.annotated.ca1m import read_ca1m
from refergym.envs.annotated.checks import Refused
from refergym.envs.annotated.frame import AnnotatedFrame
from refergym.envs.annotated.pixels import corners_of, points_of
from refergym.envs.errors import SourceError

TURN = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
DOWN = np.radians(30.0)
"""by which the camera looks below the horizon"""
GRAVITY = np.array(
    [[1, 0, 0], [0, np.cos(DOWN), -np.sin(DOWN)], [0, np.sin(DOWN), np.cos(DOWN)]]
)  # fmt: skip
"""an upright camera's axes as one sees them that is turned down: its ahead is up in the picture"""


def members(time: int = 1) -> Members:
    """A picture of 64 x 48 with depth of 32 x 24 and two boxes before the camera."""
    at = f"7/{time}"
    boxes = [
        {"id": "a", "category": "Coffee_Table", "position": [0.0, 0.0, 2.0],
         "scale": [0.4, 0.2, 0.6], "R": TURN.tolist(), "caption": "a low table"},
        {"id": "b", "category": "cup", "position": [0.1, -0.1, 1.5], "scale": [0.1, 0.1, 0.1],
         "R": np.eye(3).tolist()},
    ]  # fmt: skip
    depth = np.full((24, 32), 2000, np.uint16)
    depth[0, 0] = 0
    return {
        f"{at}._wide/image/size": b"[64, 48]",
        f"{at}._gt/depth/size": b"[32, 24]",
        f"{at}._wide/depth/size": b"[16, 12]",
        f"{at}.wide/image.png": png(np.full((48, 64, 3), 90, np.uint8)),
        f"{at}.wide/image/K.json": json.dumps([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]]).encode(),
        f"{at}.wide/depth.png": png(np.full((12, 16), 1500, np.uint16)),
        f"{at}.wide/depth/K.json": json.dumps([[15.0, 0, 8], [0, 15, 6], [0, 0, 1]]).encode(),
        f"{at}.wide/T_gravity.json": json.dumps(GRAVITY.tolist()).encode(),
        f"{at}.wide/instances.json": json.dumps(boxes).encode(),
        f"{at}.gt/RT.json": json.dumps(np.eye(4).tolist()).encode(),
        f"{at}.gt/depth.png": png(depth),
        f"{at}.gt/depth/K.json": json.dumps([30.0, 0, 16, 0, 30, 12, 0, 0, 1]).encode(),
    }


def read(tmp_path: Path, given: Members, **options: Any) -> list[AnnotatedFrame | Refused]:
    return list(read_ca1m(write_tar(tmp_path / "ca1m-val-7.tar", given), **options))


def test_a_frame_has_its_boxes_depth_and_camera(tmp_path: Path) -> None:
    world = {"7/world.gt/instances.json": b"[]"}
    (frame,) = read(tmp_path, members() | world)
    assert isinstance(frame, AnnotatedFrame)
    assert (frame.name, frame.rgb.shape, frame.depth.shape) == ("7/1", (48, 64, 3), (48, 64))
    table, cup = frame.objects
    assert (table.id, table.category, table.caption) == ("a", "coffee table", "a low table")
    assert (cup.category, cup.caption, cup.colour) == ("cup", None, None)
    px, z = pinhole.project(frame.camera, np.stack([table.box.centre, cup.box.centre]))
    np.testing.assert_allclose(px, [[32, 24], [36, 20]], atol=1e-6)
    np.testing.assert_allclose(z, [2.0, 1.5])
    # the columns of R are the box's axes: the first side, 0.4 m, is along the camera's y
    m = pinhole.pose_matrix(frame.camera.pose)
    corners_c = (corners_of(table.box) - m[:3, 3]) @ m[:3, :3]
    np.testing.assert_allclose(np.ptp(corners_c, axis=0), [0.6, 0.4, 0.2])


def test_the_world_is_upright_whatever_the_camera(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, members())
    assert isinstance(frame, AnnotatedFrame)
    m = pinhole.pose_matrix(frame.camera.pose)
    assert m[2, 2] == pytest.approx(-np.sin(DOWN))  # the optical axis points below the horizon
    assert m[2, 0] == pytest.approx(0)  # the picture's x stays level
    assert m[2, 1] == pytest.approx(-np.cos(DOWN))


def test_depth_is_that_of_the_same_ray_and_holes_stay_holes(tmp_path: Path) -> None:
    (frame,) = read(tmp_path, members())
    assert isinstance(frame, AnnotatedFrame)
    assert (frame.depth[:2, :2] == 0).all()
    assert (frame.depth > 0).sum() == 48 * 64 - 4
    assert frame.depth.max() == np.float32(2.0)
    assert np.isnan(points_of(frame)[0, 0]).all()
    (other,) = read(tmp_path, members(), depth="wide")
    assert isinstance(other, AnnotatedFrame)
    assert other.depth.min() == other.depth.max() == np.float32(1.5)


def test_frames_come_in_the_order_of_time(tmp_path: Path) -> None:
    given = members(30) | members(4) | members(200)
    frames = read(tmp_path, given)
    assert [f.name for f in frames if isinstance(f, AnnotatedFrame)] == ["7/4", "7/30", "7/200"]
    assert len(read(tmp_path, given, every=2)) == 2


def instances(change: Callable[[list[dict[str, Any]]], None]) -> Callable[[Members], None]:
    def apply(given: Members) -> None:
        rows = json.loads(given["7/1.wide/instances.json"])
        change(rows)
        given["7/1.wide/instances.json"] = json.dumps(rows).encode()

    return apply


def without(name: str) -> Callable[[Members], None]:
    return lambda given: given.pop(f"7/1.{name}") and None


def with_(name: str, data: bytes) -> Callable[[Members], None]:
    return lambda given: given.update({f"7/1.{name}": data})


DAMAGE: list[tuple[Callable[[Members], None], str]] = [
    (without("wide/image.png"), "wide/image.png: missing"),
    (without("wide/T_gravity.json"), "wide/T_gravity.json: missing"),
    (without("gt/depth/K.json"), "gt/depth/K.json: missing"),
    (without("_wide/image/size"), "_wide/image/size: missing"),
    (with_("wide/image.png", b"no png"), "wide/image.png: no readable picture"),
    (
        with_("wide/image.png", png(np.zeros((40, 64, 3), np.uint8))),
        "got 64 x 40",
    ),
    (
        with_("gt/depth.png", png(np.zeros((24, 30), np.uint16))),
        "got 30 x 24",
    ),
    (
        with_("gt/depth.png", png(np.zeros((24, 32), np.uint8))),
        "expected 16 bits of mm",
    ),
    (with_("wide/image/K.json", b"[1, 2, 3]"), "wide/image/K.json: expected [3, 3] numbers"),
    (with_("wide/image/K.json", b"[0,0,0,0,0,0,0,0,1]"), "expected positive focal lengths"),
    (with_("wide/image/K.json", b"{"), "wide/image/K.json: not valid JSON"),
    (with_("_gt/depth/size", b"large"), "_gt/depth/size: expected [width, height]"),
    (
        with_("wide/T_gravity.json", json.dumps((2 * np.eye(3)).tolist()).encode()),
        "expected a rotation",
    ),
    (with_("wide/instances.json", b"{}"), "wide/instances.json: expected a list"),
    (instances(lambda r: r[1].pop("scale")), "wide/instances.json[1].scale: missing"),
    (instances(lambda r: r[1].update(scale=[0.1, 0.0, 0.1])), "[1].scale: expected > 0"),
    (
        instances(lambda r: r[0].update(position=[0, float("nan"), 1])),
        "[0].position: expected finite",
    ),
    (instances(lambda r: r[0].update(position=[0, 1])), "[0].position: expected [3] numbers"),
    (instances(lambda r: r[0].update(position="here")), "[0].position: expected numbers"),
    (instances(lambda r: r[1].update(R=np.ones((3, 3)).tolist())), "[1].R: expected a rotation"),
    (
        instances(lambda r: r[1].update(R=np.diag([1, 1, -1]).tolist())),
        "[1].R: expected a rotation",
    ),
    (instances(lambda r: r[1].update(category="")), "[1].category: expected a noun"),
    (instances(lambda r: r[1].update(id="a")), "objects[1].id: 'a' is already objects[0]"),
]


@pytest.mark.parametrize(("damage", "reason"), DAMAGE, ids=[r for _, r in DAMAGE])
def test_a_damaged_frame_is_named_and_the_others_are_kept(
    tmp_path: Path, damage: Callable[[Members], None], reason: str
) -> None:
    broken = members()
    damage(broken)
    bad, good = read(tmp_path, broken | members(2))
    assert isinstance(bad, Refused)
    assert isinstance(good, AnnotatedFrame)
    assert bad.item == "7/1"
    assert reason in bad.reason
    assert good.name == "7/2"


def test_a_file_that_is_no_capture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.tar").write_bytes(b"nothing of the kind")
    with pytest.raises(SourceError, match="not readable as a tar"):
        list(read_ca1m(tmp_path / "no.tar"))
    with pytest.raises(SourceError, match="not readable as a tar"):
        list(read_ca1m(tmp_path / "missing.tar"))
    with pytest.raises(SourceError, match="no frames"):
        read(tmp_path, {"readme.txt": b"hello"})
