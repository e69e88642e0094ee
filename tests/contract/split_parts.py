"""What each split is, written down a second time, to check starts without the code that makes them.

`problems` lists how a start does not belong to a split.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from refergym.assets import records
from refergym.assets.camera import pose_matrix
from refergym.assets.library import Pack
from refergym.envs.grammar import steps
from refergym.envs.language import Voice
from refergym.envs.language.place_forms import DO, PICK, POINT
from refergym.envs.starts import Start

SEEN = frozenset({"seen"})
REGIONS = (
    "direction", "between", "onto", "into", "beside", "meets", "turn", "edge", "corner", "missing",
    "facing",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Split:
    """Ranges are in degrees; `shapes` of all things; `named` of one thing that is named."""

    pitch: tuple[float, float] = (-52, -30)
    azimuth: tuple[float, float] = (-25, 25)
    steps: tuple[int, int] = (1, 3)
    forms: str = "training"
    is_held_out: bool = False
    shapes: frozenset[str] = field(default=SEEN)
    named: str | None = None


SPLITS = {
    "train": Split(),
    "seen": Split(),
    "unseen_category": Split(shapes=SEEN | {"unseen_category"}, named="unseen_category"),
    "unseen_instance": Split(shapes=SEEN | {"unseen_instance"}, named="unseen_instance"),
    "unseen_combination": Split(is_held_out=True),
    "more_steps": Split(steps=(4, 5)),
    "held_out_words": Split(forms="held_out"),
    "held_out_camera": Split(pitch=(-60, -53), azimuth=(27, 35)),
}


def problems(split: Split, start: Start, pack: Pack) -> Iterator[str]:
    """Yield what about a start does not belong to a split."""
    forward = pose_matrix(start.scene.camera.pose)[:3, 2]
    pitch = math.degrees(math.asin(float(forward[2])))
    azimuth = math.degrees(math.atan2(-float(forward[1]), -float(forward[0])))
    for name, value, (low, high) in (
        ("pitch", pitch, split.pitch), ("azimuth", azimuth, split.azimuth),
        ("steps", steps(start.task.program), split.steps),
    ):  # fmt: skip
        if not low - 1e-3 <= value <= high + 1e-3:
            yield f"{name} {value}"
    shapes = {o.id: pack[o.asset].split for o in start.scene.objects}
    if not set(shapes.values()) <= split.shapes:
        yield f"shapes {set(shapes.values())}"
    if split.named and split.named not in {shapes[n] for b in start.task.bound for n in b.objects}:
        yield f"nothing {split.named} named"
    if is_held_out(start) != split.is_held_out:
        yield f"combination {'' if split.is_held_out else 'not '}to be held out"
    is_frame_held = any(_framed(f, start) for f in frames("held_out"))
    if is_frame_held != (split.forms == "held_out"):
        yield f"words {start.task.instruction!r}"
    if not is_frame_held and not any(_framed(f, start) for f in frames("training")):
        yield f"words {start.task.instruction!r}"


def frames(forms: str) -> list[str]:
    """What sentences are made of, with a gap."""
    voice = Voice(forms=forms)  # type: ignore[arg-type]
    return [f for table in (DO, PICK, POINT) for f in table.of(voice)]


def _framed(form: str, start: Start) -> bool:
    pattern = re.escape(form).replace(re.escape("{what}"), ".+")
    return re.fullmatch(pattern, start.task.instruction, re.IGNORECASE) is not None


def is_held_out(start: Start) -> bool:
    """Tell whether what is asked holds a combination that is never trained on."""
    program = json.loads(records.canonical_json(start.task.program))
    parts = program["parts"] if program["op"] == "moves" else [program]
    for part in parts:
        names = "+".join(sorted(set(_names(part))))
        first = hashlib.sha256(names.encode()).hexdigest()[:16]
        if "+" in names and int(first, 16) % 5 == 0:
            return True
    return False


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _names(one)
    if isinstance(node, dict):
        if node["op"] in REGIONS:
            yield node["op"]
        elif node["op"] == "where":
            yield node["relation"]
        elif node["op"] == "rank":
            yield f"rank {node['axis']}"
        for one in node.values():
            yield from _names(one) if isinstance(one, list | dict) else ()
