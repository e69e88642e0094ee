"""Read one raw asset of the first pack and mend it; recolour copies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from refergym.assets.builder import colours, finish
from refergym.assets.builder.curation import Category, Curation, Variant
from refergym.assets.builder.finish import Body, RawMesh
from refergym.assets.errors import PackError
from refergym.assets.meshes import load_glb, load_parts

_LAID = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""a quarter turn round x: +y comes up"""


def mended(raw: Path, entry: dict[str, Any], category: Category, curation: Curation) -> Body:
    """Read and mend one asset.

    Args:
        raw: the raw folder.
        entry: the asset's entry in the raw manifest.
        category: what it is.
        curation: resizings and turns.

    Raises:
        PackError: naming the file that cannot be read.
    """
    name = entry["name"]
    visual = raw / entry["path"] / f"{name}.glb"
    collision = raw / entry["path"] / f"{name}_col.obj"
    mesh = load_glb(_bytes(visual), visual)
    factor = curation.rescaled.get(name, 1.0)
    turn = _LAID if name in curation.laid else np.eye(3)
    parts = [p * factor @ turn.T for p in load_parts(_bytes(collision), collision)]
    return finish.finished(
        RawMesh(
            vertices=np.asarray(mesh.vertices, np.float64) * factor @ turn.T,
            uv=np.asarray(mesh.uv, np.float64),
            faces=np.asarray(mesh.faces, np.int64),
            texture=mesh.texture,
        ),
        category,
        name,
        shape="_".join(str(name).split("_")[:2]),
        factory=str(entry["factory"]),
        factory_seed=int(entry["seed"]),
        given=parts,
    )


def recoloured(body: Body, variant: Variant) -> Body:
    """Replace the texture's colour, keeping its light and dark."""
    linear = colours.srgb_to_linear(body.texture)
    rgb, weights = finish.samples(body)
    level = linear @ [0.2126, 0.7152, 0.0722]
    mean = float((colours.srgb_to_linear(rgb) @ [0.2126, 0.7152, 0.0722] * weights).sum())
    mean /= float(weights.sum())
    paint = colours.srgb_to_linear(np.array(variant.rgb, np.uint8))
    texture = colours.linear_to_srgb(np.clip(level / mean, 0.5, 1.6)[..., None] * paint)
    return replace(body, name=variant.name, texture=texture)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise PackError(f"{path}: cannot read the file ({e.strerror})") from e
