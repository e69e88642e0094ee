"""Directions of things that are built here, at any turn, and of things of the pack."""

from collections.abc import Callable

import numpy as np
import pytest
import trimesh
from mesh_parts import Mesh, box, joined

from refergym.assets.builder import directions
from refergym.assets.builder.directions import measured
from refergym.assets.library import open_pack

UP = (0.0, 0.0, 1.0)


def revolved(*profile: tuple[float, float]) -> trimesh.Trimesh:
    return trimesh.creation.revolve(np.array(profile), sections=48)


def cup() -> trimesh.Trimesh:
    """80 mm wide, 90 mm high, 3 mm thick."""
    return revolved((0, 0), (0.04, 0), (0.04, 0.09), (0.037, 0.09), (0.037, 0.003), (0, 0.003))


def ear(angle: float) -> trimesh.Trimesh:
    ring = trimesh.creation.torus(0.022, 0.004)
    ring.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    ring.apply_translation([0.045, 0, 0.045])
    ring.apply_transform(trimesh.transformations.rotation_matrix(angle, [0, 0, 1]))
    return ring


def spoon() -> list[trimesh.Trimesh]:
    """A blade 40 mm wide at +x, a grip 10 mm wide at -x."""
    return [box((0.02, 0.08), (-0.02, 0.02), (0, 0.003)),
            box((-0.1, 0.02), (-0.005, 0.005), (0, 0.003))]  # fmt: skip


def fork(tines: int) -> Mesh:
    left = np.linspace(-0.012, 0.012 - 0.004, tines)
    return joined(
        box((-0.12, 0.01), (-0.004, 0.004), (0, 0.002)),
        box((0.01, 0.03), (-0.012, 0.012), (0, 0.002)),
        *(box((0.03, 0.07), (y, y + 0.004), (0, 0.002)) for y in left),
    )


def knife(heel: float = 0.02, point: float = 0.0) -> Mesh:
    """Grip at -x, 6 mm thick; blade at +x, a wedge whose edge is at y = 8 mm + heel.

    The blade's point is at y = `point`.
    """
    y = 0.008 + heel
    profile = np.array([(0.0, -0.001), (0.0, 0.001), (y, 0.0002), (y, -0.0002)])
    tip = np.array([(0.0, -0.001), (0.0, 0.001), (0.004, 0.0009), (0.004, -0.0009)])
    ends = ((0.0, profile), (0.09, profile * [0.9, 1]), (0.12, tip + np.array([point, 0])))
    corners = np.concatenate([np.column_stack([np.full(4, x), yz]) for x, yz in ends])
    blade = trimesh.convex.convex_hull(corners)
    blade.apply_translation([0, 0, 0.003])
    return joined(blade, box((-0.1, 0.0), (0, 0.008), (0, 0.006)))


def turned(mesh: Mesh, angle: float) -> Mesh:
    c, s = np.cos(angle), np.sin(angle)
    return mesh[0] @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]), mesh[1]


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.0, -np.pi / 2])
def test_a_handle_is_found_at_any_turn(angle: float) -> None:
    found = measured("handle", *turned(joined(cup(), ear(0)), angle))
    assert found == pytest.approx((np.cos(angle), np.sin(angle), 0), abs=0.05)


def test_two_handles_or_none_are_no_direction() -> None:
    assert measured("handle", *joined(cup())) is None
    assert measured("handle", *joined(cup(), ear(0), ear(np.pi))) is None


def test_near_an_axis_a_direction_is_that_axis() -> None:
    assert measured("handle", *turned(joined(cup(), ear(0)), 0.03)) == (1, 0, 0)


@pytest.mark.parametrize("angle", [0.0, 1.0, np.pi])
def test_a_tools_grip_is_its_narrow_half(angle: float) -> None:
    mesh = turned(joined(*spoon()), angle)
    out = (np.cos(angle), np.sin(angle), 0)
    assert measured("bowl", *mesh) == pytest.approx(out, abs=0.02)
    assert measured("handle", *mesh) == pytest.approx(-np.array(out), abs=0.02)


def test_a_plain_rod_has_no_grip() -> None:
    rod = joined(box((-0.1, 0.1), (-0.005, 0.005), (0, 0.004)))
    for kind in ("handle", "bowl", "tines", "blade", "edge"):
        assert measured(kind, *rod) is None


def test_thickness_decides_unless_one_half_is_much_wider() -> None:
    thin = box((0.0, 0.1), (-0.008, 0.008), (0.002, 0.004))
    butter = joined(thin, box((-0.1, 0.0), (-0.01, 0.01), (0, 0.006)))
    assert measured("blade", *butter) == (1, 0, 0)
    ladle = joined(
        box((0.05, 0.12), (-0.03, 0.03), (0, 0.02)), box((-0.12, 0.05), (-0.006, 0.006), (0, 0.006))
    )
    assert measured("bowl", *ladle) == (1, 0, 0)


@pytest.mark.parametrize("tines", [2, 3, 4])
def test_tines_are_where_a_fork_falls_apart(tines: int) -> None:
    assert measured("tines", *fork(tines)) == (1, 0, 0)
    assert measured("tines", *turned(fork(tines), np.pi)) == (-1, 0, 0)
    assert measured("tines", *joined(*spoon())) is None


def test_a_knife_is_thin_at_its_blade_and_thinner_at_its_edge() -> None:
    assert measured("blade", *knife()) == (1, 0, 0)
    assert measured("edge", *knife()) == (0, 1, 0)
    assert measured("blade", *turned(knife(), np.pi)) == (-1, 0, 0)
    assert measured("edge", *turned(knife(), np.pi)) == (0, -1, 0)
    assert measured("grip", *turned(knife(), np.pi)) == (1, 0, 0)


def test_a_blade_no_wider_than_its_grip_has_no_sure_edge() -> None:
    assert measured("blade", *knife(heel=0.0)) == (1, 0, 0)
    assert measured("edge", *knife(heel=0.0)) is None


def test_a_point_in_line_with_the_edge_leaves_it_open() -> None:
    assert measured("edge", *knife(point=0.004)) == (0, 1, 0)
    assert measured("edge", *knife(point=0.024)) is None


def test_an_opening_needs_a_hollow_with_a_wall() -> None:
    assert measured("opening", *joined(cup())) == UP
    lid = trimesh.creation.cylinder(0.04, 0.003, sections=48)
    lid.apply_translation([0, 0, 0.0885])
    assert measured("opening", *joined(cup(), lid)) is None
    vertices, faces = joined(cup())
    over = vertices * [1, 1, -1]
    assert measured("opening", over, faces[:, ::-1]) is None


def test_a_basket_with_holes_for_hands_is_open() -> None:
    walls = [
        box((-0.12, 0.12), (-0.1, -0.097), (0, 0.1)), box((-0.12, 0.12), (0.097, 0.1), (0, 0.1)),
        box((-0.12, -0.117), (-0.1, 0.1), (0, 0.06)), box((0.117, 0.12), (-0.1, 0.1), (0, 0.06)),
        box((-0.12, 0.12), (-0.1, 0.1), (0, 0.003)),
    ]  # fmt: skip
    assert measured("opening", *joined(*walls)) == UP
    assert measured("opening", *joined(walls[0], walls[4])) is None


def test_a_neck_is_narrow_above_a_body() -> None:
    bottle = revolved((0, 0), (0.035, 0), (0.035, 0.12), (0.012, 0.17), (0.012, 0.22), (0, 0.22))
    assert measured("neck", *joined(bottle)) == UP
    assert measured("cap", *joined(bottle)) == UP
    jar = revolved((0, 0), (0.035, 0), (0.035, 0.2), (0, 0.2))
    assert measured("neck", *joined(jar)) is None
    vertices, faces = joined(bottle)
    assert measured("neck", vertices * [1, 1, -1], faces[:, ::-1]) is None


def book() -> list[trimesh.Trimesh]:
    """Spine at -x; covers overhang the pages by 4 mm on the other sides."""
    return [
        box((-0.07, 0.07), (-0.1, 0.1), (0, 0.003)), box((-0.07, 0.07), (-0.1, 0.1), (0.027, 0.03)),
        box((-0.07, -0.067), (-0.1, 0.1), (0, 0.03)),
        box((-0.067, 0.066), (-0.096, 0.096), (0.003, 0.027)),
    ]  # fmt: skip


@pytest.mark.parametrize("quarter", range(4))
def test_a_spine_is_where_the_cover_does_not_overhang(quarter: int) -> None:
    mesh = turned(joined(*book()), quarter * np.pi / 2)
    out = ((-1, 0, 0), (0, -1, 0), (1, 0, 0), (0, 1, 0))[quarter]
    assert measured("spine", *mesh) == out
    assert measured("cover", *mesh) == UP


def painted(block: trimesh.Trimesh, dark: Callable[[np.ndarray], np.ndarray]) -> tuple[
    np.ndarray, np.ndarray, np.ndarray, np.ndarray
]:  # fmt: skip
    """A block whose faces are blue where `dark` says so of their normals, else white."""
    triangles = np.asarray(block.triangles)
    is_dark = dark(np.asarray(block.face_normals))
    uv = np.repeat(np.where(is_dark, 0.25, 0.75), 3)
    texture = np.array([[[30, 40, 120], [240, 238, 230]]], np.uint8)
    faces = np.arange(3 * len(triangles)).reshape(-1, 3)
    return triangles.reshape(-1, 3), faces, np.column_stack([uv, np.full(len(uv), 0.5)]), texture


def test_a_flush_spine_is_told_by_its_colour() -> None:
    block = box((-0.07, 0.07), (-0.1, 0.1), (0, 0.03))
    vertices, faces, uv, texture = painted(block, lambda n: (n[:, 1] > 0.5) | (n[:, 2] != 0))
    assert measured("spine", vertices, faces, uv, texture) == (0, 1, 0)
    assert measured("spine", vertices, faces) is None
    vertices, faces, uv, texture = painted(block, lambda n: np.abs(n[:, 1]) > 0.5)
    assert measured("spine", vertices, faces, uv, texture) is None
    assert measured("cover", vertices, faces, uv, texture) is None


def test_a_screen_faces_away_from_its_back() -> None:
    screen = [
        box((0, 0.01), (-0.15, 0.15), (0.08, 0.3)), box((-0.03, 0), (-0.08, 0.08), (0.12, 0.25)),
        box((-0.03, -0.02), (-0.02, 0.02), (0, 0.2)), box((-0.07, 0.02), (-0.06, 0.06), (0, 0.008)),
    ]  # fmt: skip
    assert measured("face", *joined(*screen)) == (1, 0, 0)
    assert measured("face", *turned(joined(*screen), np.pi / 2)) == (0, 1, 0)
    assert measured("face", *joined(box((0, 0.01), (-0.1, 0.1), (0, 0.2)))) is None


def test_a_picture_lies_behind_its_frame() -> None:
    frame = [
        box((0, 0.006), (-0.1, -0.09), (0, 0.2)), box((0, 0.006), (0.09, 0.1), (0, 0.2)),
        box((0, 0.006), (-0.1, 0.1), (0, 0.01)), box((0, 0.006), (-0.1, 0.1), (0.19, 0.2)),
        box((0, 0.001), (-0.1, 0.1), (0, 0.2)),
    ]  # fmt: skip
    assert measured("face", *joined(*frame)) == (1, 0, 0)


def test_a_lamp_leans_or_stands_straight() -> None:
    foot = revolved((0, 0), (0.06, 0), (0.06, 0.02), (0, 0.02))
    pole = box((-0.005, 0.005), (-0.005, 0.005), (0.02, 0.3))
    shade = trimesh.creation.cylinder(0.05, 0.08, sections=32)
    shade.apply_translation([0, 0, 0.3])
    assert measured("shade", *joined(foot, pole, shade)) is None
    arm = box((-0.005, 0.005), (-0.15, 0.005), (0.3, 0.31))
    shade.apply_translation([0, -0.15, 0])
    assert measured("shade", *joined(foot, pole, arm, shade)) == (0, -1, 0)


def test_a_fruit_has_a_stem_above_or_none() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.04)
    ball.apply_translation([0, 0, 0.04])
    stem = box((-0.002, 0.002), (-0.002, 0.002), (0.07, 0.095))
    assert measured("stem", *joined(ball, stem)) == UP
    assert measured("stem", *joined(ball)) is None
    vertices, faces = joined(ball, stem)
    assert measured("stem", vertices * [1, 1, -1], faces[:, ::-1]) is None


def test_a_crown_of_leaves_is_ragged() -> None:
    body = trimesh.creation.icosphere(subdivisions=3, radius=0.05)
    body.apply_scale([1, 1, 1.2])
    body.apply_translation([0, 0, 0.06])
    leaves = []
    for k in range(12):
        leaf = box((-0.004, 0.004), (-0.0005, 0.0005), (0, 0.13))
        tilt = trimesh.transformations.rotation_matrix(0.08 * (k % 6), [0, 1, 0])
        spin = trimesh.transformations.rotation_matrix(k * np.pi / 6, [0, 0, 1])
        leaf.apply_transform(spin @ tilt)
        leaf.apply_translation([0, 0, 0.115])
        leaves.append(leaf)
    vertices, faces = joined(body, *leaves)
    for turn in (np.eye(3), np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])):
        found = measured("leaves", vertices @ turn.T, faces)
        assert found is not None
        assert np.dot(found, turn @ UP) > 0.98
    assert measured("leaves", *joined(body)) is None


def test_an_unknown_direction_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'wing': expected one of blade, bowl, cap"):
        measured("wing", *joined(cup()))


@pytest.mark.parametrize(
    ("noun", "kind", "opposite"),
    [("fork", "tines", "handle"), ("spoon", "bowl", "handle"), ("knife", "blade", None),
     ("pan", "handle", None), ("book", "spine", None)],
)  # fmt: skip
def test_things_of_the_pack_point_along_their_sides(
    noun: str, kind: str, opposite: str | None
) -> None:
    pack = open_pack()
    names = [a.name for a in pack.manifest.assets if a.category == noun]
    known = 0
    for name in names[:4]:
        m = pack.mesh(name)
        mesh = (
            np.asarray(m.vertices, np.float64), np.asarray(m.faces, np.int64),
            np.asarray(m.uv, np.float64), m.texture,
        )  # fmt: skip
        found = measured(kind, *mesh)
        if found is None:
            continue
        known += 1
        side = int(np.argmax(pack[name].size[:2])) if noun != "book" else 0
        assert abs(found[side]) == 1, name
        if opposite:
            assert measured(opposite, *mesh) == tuple(-v + 0.0 for v in found), name
    assert known >= min(2, len(names))


def test_every_measurer_copes_with_every_category_of_the_pack() -> None:
    pack = open_pack()
    chosen = {a.category: a.name for a in pack.manifest.assets}
    for name in list(chosen.values())[::4]:
        m = pack.mesh(name)
        for kind in directions.MEASURERS:
            found = measured(
                kind, np.asarray(m.vertices, np.float64), np.asarray(m.faces, np.int64),
                np.asarray(m.uv, np.float64), m.texture,
            )  # fmt: skip
            assert found is None or np.linalg.norm(found) == pytest.approx(1, abs=1e-4)
