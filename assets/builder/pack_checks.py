"""What has to hold between the assets of a pack, and of its textures and scenes."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refergym.assets.builder import likeness
from refergym.assets.errors import AssetError
from refergym.assets.library import AssetInfo, Manifest, Pack
from refergym.assets.solved import load_solved

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""names of assets, which are names of folders too"""
VARIANT = 0.02
"""difference up to which colour variants may differ in shape (decimated apart)"""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong."""

    subject: str
    """asset, texture, scene or file"""
    text: str
    is_warning: bool = False

    def __str__(self) -> str:
        """Return the line that people read."""
        return f"{self.subject}: {self.text}"


def manifest_faults(manifest: Manifest) -> Iterator[Fault]:
    """Check names, splits and grasps over all records."""
    for info in manifest.assets:
        if not NAME.fullmatch(info.name):
            yield Fault(
                subject=info.name, text="name: expected letters, digits, '_', '-' and '.' only"
            )
    yield from _splits(manifest)
    untried = [a for a in manifest.assets if a.use == "item" and not a.grasps]
    if untried:
        names = ", ".join(a.name for a in untried[:3]) + (", ..." if len(untried) > 3 else "")
        yield Fault(
            subject="grasps",
            text=f"never measured on {len(untried)} items ({names}); run `refergym graspability`",
            is_warning=True,
        )
    if not manifest.assets:
        yield Fault(subject="assets", text="the pack holds none", is_warning=True)


def _splits(manifest: Manifest) -> Iterator[Fault]:
    shapes, categories = defaultdict(list), defaultdict(list)
    for info in manifest.assets:
        shapes[info.shape].append(info)
        categories[info.category].append(info)
    for shape, infos in shapes.items():
        first = infos[0]
        for info in infos[1:]:
            if info.split != first.split:
                yield Fault(
                    subject=info.name,
                    text=f"split: {info.split}, but {first.name} of the same shape {shape!r} is"
                    f" {first.split}",
                )
            if info.category != first.category:
                yield Fault(
                    subject=info.name,
                    text=f"shape: {shape!r} is shared with {first.name}, a {first.category}",
                )
    for category, infos in categories.items():
        hidden = [i for i in infos if i.split == "unseen_category"]
        for info in infos:
            if hidden and info.split != "unseen_category":
                yield Fault(
                    subject=info.name,
                    text=f"split: {info.split}, but {hidden[0].name} keeps the category"
                    f" {category!r} unseen",
                )


def duplicates(shapes: Sequence[tuple[AssetInfo, NDArray[np.float64]]]) -> Iterator[Fault]:
    """Find assets that claim to be of different shapes but are alike, and the other way round.

    Args:
        shapes: records, and descriptors of their meshes.
    """
    for j, (other, b) in enumerate(shapes):
        for info, a in shapes[:j]:
            apart = likeness.difference(a, b)
            if info.shape != other.shape and apart < likeness.ALIKE:
                yield Fault(
                    subject=other.name,
                    text=f"shape: the mesh is that of {info.name} (difference {apart:.4f}), but its"
                    f" shape is called {other.shape!r}, not {info.shape!r}",
                    is_warning=info.category != other.category,
                )
            if info.shape == other.shape and apart > VARIANT:
                yield Fault(
                    subject=other.name,
                    text=f"shape: {info.name} has the same shape {info.shape!r}, but the meshes"
                    f" differ ({apart:.4f})",
                )


def texture_faults(pack: Pack) -> Iterator[Fault]:
    """Check that every texture can be read."""
    for info in pack.manifest.textures:
        try:
            picture = pack.texture(info.name)
        except AssetError as e:
            yield Fault(subject=info.name, text=str(e).removeprefix(f"{pack.folder}/"))
            continue
        if min(picture.shape[:2]) < 8:
            yield Fault(
                subject=info.name,
                text=f"expected a picture of 8 px at least, got {picture.shape[:2]}",
            )


def scene_faults(pack: Pack) -> Iterator[Fault]:
    """Check that every solved scene can be read and fits the pack."""
    for info in pack.manifest.scenes:
        try:
            scene = load_solved(pack, info.name)
        except AssetError as e:
            text = str(e).removeprefix(f"scene {info.name!r}: ").removeprefix(f"{pack.folder}/")
            yield Fault(subject=info.name, text=f"scene: {text}")
            continue
        for field in ("name", "kind"):
            if getattr(scene, field) != getattr(info, field):
                yield Fault(
                    subject=info.name,
                    text=f"scene: {field} is {getattr(scene, field)!r} in its file,"
                    f" {getattr(info, field)!r} in the manifest",
                )
