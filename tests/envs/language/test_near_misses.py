"""A description with one thing changed is another description: its words never match."""

from collections.abc import Iterator

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from program_parts import ASKED, is_good, trees

from refergym.envs.errors import TaskError
from refergym.envs.language import Speaker, Voice, noun_phrase, spot
from refergym.envs.language.naming import names
from refergym.envs.programs import AXES, Beside, Rank, Select, Where
from refergym.envs.types import SIDES

SYMMETRIC = ("between", "angle")


def changed(node: Select | Rank | Where) -> Iterator[Select | Rank | Where]:
    """Yield what differs from a node in one thing, anywhere below it."""
    if isinstance(node, Select):
        yield from (replace(node, category=c) for c in ("cup", "plate", None))
        yield from (replace(node, colour=c) for c in ("red", "green", None))
        yield from (replace(node, material=m) for m in ("metal", None))
        for k, clause in enumerate(node.where):
            before, after = node.where[:k], node.where[k + 1 :]
            yield replace(node, where=before + after)
            yield from (replace(node, where=(*before, c, *after)) for c in changed(clause))
        if node.rank is not None:
            yield replace(node, rank=None)
            yield from (replace(node, rank=r) for r in changed(node.rank))
    elif isinstance(node, Rank):
        yield from (replace(node, position=p) for p in (1, 2, 3, -1, -2, -node.position))
        if node.anchor is not None:
            yield from (replace(node, anchor=a) for a in changed(node.anchor))
        else:
            yield from (replace(node, axis=a) for a in AXES if a != "distance")
    else:
        yield from (replace(node, relation=r.name) for r in ASKED)
        if node.side:
            yield from (replace(node, side=s) for s in ("spine", "handle"))
        if node.value:
            yield replace(node, value=node.value + 0.25)
        if node.relation not in SYMMETRIC:
            yield replace(node, anchors=node.anchors[::-1])
        for k, anchor in enumerate(node.anchors):
            before, after = node.anchors[:k], node.anchors[k + 1 :]
            yield from (replace(node, anchors=(*before, a, *after)) for a in changed(anchor))


@given(trees, st.integers(0, 9999))
@settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_one_change_makes_another_description(node: Select, seed: int) -> None:
    rng = np.random.default_rng(seed)
    others = [o for o in changed(node) if isinstance(o, Select) and is_good(o)]
    assume(others)
    speakers = [Speaker(), *(Speaker(voice=Voice(forms=f), rng=rng) for f in
                             ("training", "held_out"))]  # fmt: skip
    for k in rng.permutation(len(others))[:12]:
        if noun_phrase(others[k]) == noun_phrase(node):
            continue
        for speaker in speakers:
            phrase = noun_phrase(others[k], speaker)
            # a noun may be said twice: "the mug, the largest mug", so "glass glass" is a glass
            assert "glass glass" in phrase or not names(phrase, node), phrase


@given(trees, st.sampled_from(SIDES), st.sampled_from(["viewer", "robot"]), st.integers(0, 999))
@settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_another_side_is_another_place(anchor: Select, side: str, frame: str, seed: int) -> None:
    place = Beside(anchor=anchor, side=side, frame=frame)  # type: ignore[arg-type]
    assume(is_good(place))
    for other_side in SIDES:
        for other_frame in ("viewer", "robot"):
            other = replace(place, side=other_side, frame=other_frame)
            rng = np.random.default_rng(seed)
            for forms in ("training", "held_out"):
                voice = Voice(forms=forms)
                try:
                    phrase = spot(other, Speaker(voice=voice, rng=rng))
                except TaskError:
                    continue
                assert names(phrase, place) == (other == place) or len(phrase) > 300, phrase
