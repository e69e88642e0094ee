"""Published names of RoboRefer's weights, as "folder/name", and ours."""

from collections.abc import Collection, Mapping, Sequence

from refergym.agents.errors import ConversionError

FOLDERS = {
    "rgb_tower": "vision_tower",
    "depth_tower": "depth_tower",
    "rgb_projector": "mm_projector",
    "depth_projector": "depth_projector",
    "language_model": "llm",
}
"""where each of our parts was saved"""
UNUSED = ("vision_model.head.", "position_ids", "rotary_emb.inv_freq")
"""marks of what older releases of transformers also saved, and no forward pass here reads"""
Shapes = Mapping[str, Sequence[int]]


def published_name(ours: str) -> str:
    """Return the published name of one of our weights, as "folder/name".

    Towers stand under `vision_model.`; projectors count the module that joins tokens as layer 0.
    """
    part, _, rest = ours.partition(".")
    if part.endswith("_tower"):
        rest = f"vision_model.{rest}"
    elif part.endswith("_projector"):
        layers, number, name = rest.split(".")
        rest = f"{layers}.{int(number) + 1}.{name}"
    return f"{FOLDERS[part]}/{rest}"


def matched(ours: Shapes, theirs: Shapes, growing: Collection[str] = ()) -> dict[str, str]:
    """Find what each of our weights is made from.

    Args:
        ours: name: shape.
        theirs: "folder/name": shape, without what is left out on purpose.
        growing: ours that may have more rows than theirs.

    Returns:
        Our name: theirs; each of both exactly once.

    Raises:
        ConversionError: in one line, if weights are missing, left over or of another shape.
    """
    found = {name: published_name(name) for name in ours}
    missing = [source for source in found.values() if source not in theirs]
    extra = sorted(set(theirs) - set(found.values()))
    wrong = [
        f"{source} {list(theirs[source])}, expected {list(ours[name])}"
        for name, source in found.items()
        if source in theirs and not _fits(ours[name], theirs[source], name in growing)
    ]
    told = [
        f"{len(names)} {what} ({names[0]}{', ...' if len(names) > 1 else ''})"
        for what, names in (("missing", missing), ("left over", extra), ("of another shape", wrong))
        if names
    ]
    if told:
        raise ConversionError(f"weights: {'; '.join(told)}")
    return found


def is_unused(name: str) -> bool:
    """Say whether a published weight is one that nothing reads."""
    return any(mark in name for mark in UNUSED)


def _fits(ours: Sequence[int], theirs: Sequence[int], may_grow: bool) -> bool:
    if may_grow and len(ours) == len(theirs) and ours[0] > theirs[0]:
        return list(ours[1:]) == list(theirs[1:])
    return list(ours) == list(theirs)
