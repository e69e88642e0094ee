"""The layout of RefSpatial-Bench: {Location,Placement,Unseen}/{image/,mask/,question.json}.

Its scripts join "Location" and `rgb_path`, send "prompt suffix", and take a mask's pixels above 0
as right (BAAI/RefSpatial-Bench; Zhoues/RoboRefer, Evaluation/).
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from refergym.assets import records
from refergym.assets.records import Record
from refergym.envs import grammar
from refergym.envs.task_spec import PointAreaGoal, PointObjectGoal, PutGoal
from refergym.rollouts.errors import DataError
from refergym.rollouts.refspatial.json_items import json_items
from refergym.rollouts.refspatial.questions import Question
from refergym.rollouts.refspatial.reading import Bad, is_file, log_bad
from refergym.rollouts.refspatial.scenes import Scene
from refergym.rollouts.refspatial.schema import SUFFIX

FILE = "question.json"
SPLITS = ("Location", "Placement", "Unseen")
AssetSplit = Literal["seen", "unseen_instance", "unseen_category"]


class Item(Record, frozen=True, kw_only=True):
    """One question of a bench."""

    split: str
    """the folder: Location, Placement or Unseen"""
    id: int
    """in the folder"""
    object: str
    """what is to be pointed at"""
    prompt: str
    suffix: str
    image: str
    """path"""
    mask: str
    """path"""
    category: str
    step: int
    """of the reasoning"""


class _Raw(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of question.json; fields that it adds are passed over."""

    id: int
    object: str
    prompt: str
    suffix: str
    rgb_path: str
    mask_path: str
    category: str
    step: int


def write_bench(
    folder: Path,
    scenes: Iterable[Scene],
    unseen: Iterable[AssetSplit],
    on_item: Callable[[Item], None] = lambda _: None,
) -> None:
    """Write each question where it belongs, and those about unseen things into Unseen once more.

    Args:
        folder: that exists, without a bench.
        scenes: what is asked, picture by picture.
        unseen: splits of the pack; a question goes to Unseen if a thing it names is of one.
        on_item: told of each item that was written.
    """
    held_out = frozenset(unseen)
    listed: dict[str, list[_Raw]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        for kind in ("image", "mask"):
            (folder / split / kind).mkdir(parents=True, exist_ok=True)
    for scene in scenes:
        for question in scene.questions:
            splits = ["Location" if question.kind == "location" else "Placement"]
            if held_out & _splits(scene, question):
                splits.append("Unseen")
            for split in splits:
                raw = _raw(len(listed[split]), question, scene.rgb.suffix)
                shutil.copyfile(scene.rgb, folder / split / raw.rgb_path)
                mask = question.mask.astype(np.uint8) * 255
                Image.fromarray(mask).save(folder / split / raw.mask_path)
                listed[split].append(raw)
                on_item(_item(raw, folder / split))
    for split, items in listed.items():
        text = msgspec.json.format(msgspec.json.encode(items), indent=2)
        part = folder / split / f"{FILE}.part"
        part.write_bytes(text + b"\n")
        part.replace(folder / split / FILE)


def read_bench(folder: Path | str, *, on_bad: Callable[[Bad], None] = log_bad) -> Iterator[Item]:
    """Read the items of all splits that are there, in the bench's order.

    Args:
        folder: with Location, Placement or Unseen in it.
        on_bad: told of each item that is left out: a field that is wrong, a picture or mask that
            is missing.

    Raises:
        DataError: at once, if there is no split.
    """
    folder = Path(folder)
    found = [folder / split for split in SPLITS if (folder / split / FILE).is_file()]
    if not found:
        raise DataError(
            f"{folder}: no RefSpatial-Bench; expected one of "
            f"{', '.join(f'{s}/{FILE}' for s in SPLITS)}"
        )
    return (item for split in found for item in _items(split, on_bad))


def read_mask(path: Path | str) -> NDArray[np.bool_]:
    """Read a mask [H, W]; right is what its first channel has above 0.

    Raises:
        DataError: if there is no readable picture.
    """
    try:
        with Image.open(path) as picture:
            mask = np.asarray(picture)
    except (OSError, SyntaxError) as e:
        raise DataError(f"{path}: no readable picture ({e})") from e
    return (mask if mask.ndim == 2 else mask[..., 0]) > 0


def _items(folder: Path, on_bad: Callable[[Bad], None]) -> Iterator[Item]:
    path = folder / FILE
    index = -1
    try:
        for index, plain in enumerate(json_items(path)):
            try:
                item = _item(records.convert(plain, _Raw, error=DataError), folder)
                for key, file in (("rgb_path", item.image), ("mask_path", item.mask)):
                    if not is_file(Path(file)):
                        raise DataError(f"{key}: no picture {file}")
            except DataError as e:
                on_bad(Bad(path=str(path), index=index, reason=str(e)))
                continue
            yield item
    except DataError as e:
        reason = str(e).removeprefix(f"{path}: ").removeprefix(f"item {index + 1}: ")
        on_bad(Bad(path=str(path), index=index + 1, reason=reason))


def _raw(index: int, question: Question, ending: str) -> _Raw:
    return _Raw(
        id=index,
        object=question.target,
        prompt=question.text,
        suffix=SUFFIX,
        rgb_path=f"image/{index}{ending}",
        mask_path=f"mask/{index}.png",
        category=question.kind,
        step=grammar.steps(question.task.program),
    )


def _item(raw: _Raw, folder: Path) -> Item:
    return Item(
        split=folder.name,
        id=raw.id,
        object=raw.object,
        prompt=raw.prompt,
        suffix=raw.suffix,
        image=str(folder / raw.rgb_path),
        mask=str(folder / raw.mask_path),
        category=raw.category,
        step=raw.step,
    )


def _splits(scene: Scene, question: Question) -> set[AssetSplit]:
    """Splits of the things that a question is about or names."""
    view, goal = scene.view, question.task.goal
    names = {name for bound in question.task.bound for name in bound.objects}
    if isinstance(goal, PointObjectGoal):
        names.add(goal.object)
    elif isinstance(goal, PointAreaGoal | PutGoal):
        names |= set(goal.anchors)  # furniture among them is of no split
    placed = zip(view.scene.objects, view.things, strict=True)
    return {thing.info.split for spec, thing in placed if spec.id in names}
