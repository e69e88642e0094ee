"""URDF files of a scene's objects, loaded by PyBullet."""

from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest

from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.inertia import dynamics
from refergym.assets.library import open_pack
from refergym.assets.spec import load_scene
from refergym.assets.urdf import write_urdf

MARGIN = 0.004
"""m round a hull, PyBullet's"""


@pytest.fixture(scope="module")
def pack():
    return open_pack()


@pytest.fixture(scope="module")
def scene():
    composed = Tabletop(counts=(4, 4)).compose(1)
    heavy = msgspec.structs.replace(composed.objects[0], mass_scale=2.5, friction=0.33, id="a b")
    return msgspec.structs.replace(composed, objects=(heavy, *composed.objects[1:]))


@pytest.fixture(scope="module")
def written(scene, pack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("urdf")
    return folder, write_urdf(scene, pack, folder)


@pytest.mark.bullet
def test_pybullet_loads_what_the_scene_has(written, scene, pack):
    from refergym.envs.backends.bullet_world import load_pybullet

    p = load_pybullet()
    client = p.connect(p.DIRECT)
    try:
        for path, thing in zip(written[1], scene.objects, strict=True):
            body = p.loadURDF(str(path), flags=p.URDF_USE_INERTIA_FROM_FILE, physicsClientId=client)
            moves = dynamics(pack[thing.asset], thing)
            found = p.getDynamicsInfo(body, -1, physicsClientId=client)
            assert found[0] == pytest.approx(moves.mass, rel=1e-6)
            assert found[1] == pytest.approx(moves.friction, rel=1e-6)
            assert sorted(found[2]) == pytest.approx(sorted(moves.moments), rel=1e-3)
            # PyBullet's body stands at its centre of mass
            at = p.getBasePositionAndOrientation(body, physicsClientId=client)[0]
            assert at == pytest.approx(moves.com, abs=1e-6)
            assert len(p.getVisualShapeData(body, physicsClientId=client)) == 1
            # with the file's inertia its box is that of the principal frame
            box = p.loadURDF(str(path), physicsClientId=client)
            points = np.concatenate(pack.hulls(thing.asset)) * thing.scale
            low, high = p.getAABB(box, physicsClientId=client)
            assert low == pytest.approx(points.min(axis=0) - MARGIN, abs=0.001)
            assert high == pytest.approx(points.max(axis=0) + MARGIN, abs=0.001)
    finally:
        p.disconnect(physicsClientId=client)


def test_the_inertia_is_the_manifests_grown_by_scale(written, scene, pack):
    for path, thing in zip(written[1], scene.objects, strict=True):
        found = ElementTree.parse(path).find("link/inertial/inertia").attrib
        xx, yy, zz, xy, xz, yz = pack[thing.asset].inertia
        factor = thing.scale**5 * thing.mass_scale
        for key, value in {
            "ixx": xx,
            "iyy": yy,
            "izz": zz,
            "ixy": xy,
            "ixz": xz,
            "iyz": yz,
        }.items():
            assert float(found[key]) == pytest.approx(value * factor, abs=1e-6 * xx * factor)


def test_files_are_named_after_the_objects_and_lie_below_the_folder(written, scene):
    folder, paths = written
    assert paths[0].name == "a_b.urdf"
    assert [p.stem for p in paths[1:]] == [t.id for t in scene.objects[1:]]
    for path in paths:
        files = [m.attrib["filename"] for m in ElementTree.parse(path).iter("mesh")]
        assert len(files) > 1
        for file in files:
            assert (path.parent / file).resolve().is_relative_to(folder.resolve())
            assert (path.parent / file).is_file()
    assert load_scene((folder / "scene.json").read_bytes()) == scene


def test_the_visual_mesh_names_its_texture(written, scene, pack):
    folder, _ = written
    for place in (folder / "meshes").iterdir():
        text = (place / "visual.obj").read_text()
        mesh = pack.mesh(place.name)
        assert text.count("\nv ") == len(mesh.vertices)
        assert text.count("\nf ") == len(mesh.faces)
        assert pack[place.name].licence in text.splitlines()[0]
        material = (place / text.split("mtllib ")[1].split()[0]).read_text()
        assert (place / material.split("map_Kd ")[1].strip()).is_file()
