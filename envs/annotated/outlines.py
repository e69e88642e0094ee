"""Relations between things of which only boxes are known.

A box says where a thing ends along its own axes, not what its outline is in between: relations
that rest on outlines are read twice, with the boxes and with the ellipses inside them, and hold or
fail by the lesser of both margins; where the two readings disagree, it is a tie. Relations that
boxes say nothing of are refused by name.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from refergym.envs.annotated.frame import AnnotatedObject
from refergym.envs.annotated.pixels import corners_of
from refergym.envs.errors import TaskError
from refergym.envs.relations.bodies import Body
from refergym.envs.relations.table import RELATIONS, Relation, Terms

BY_OUTLINE = ("between", "edge", "corner", "touch", "far_from")
"""read with boxes and with ellipses"""
NOT_TOLD: Mapping[str, str] = {
    "inside": "needs to know which things are open, and boxes do not say",
    "outside": "needs to know which things are open, and boxes do not say",
    "vertical_rotate": "needs to know which side of a thing is up, and boxes do not say",
}
ROUND = 24
"""corners that an ellipse is drawn with"""


def body_of(o: AnnotatedObject) -> Body:
    """Return an object as relations see it; of its box's axes the most upright is its own up."""
    up = int(np.argmax(np.abs(o.box.rotation[2])))
    order = [(up + 1) % 3, (up + 2) % 3, up]
    turn = o.box.rotation[:, order]
    if turn[2, 2] < 0:
        turn = turn * (1.0, -1.0, -1.0)
    return Body(
        name=o.id,
        category=o.category,
        rotation=turn,
        middle=np.asarray(o.box.centre),
        half=np.asarray(o.box.sides)[order] / 2,
        corners=corners_of(o.box),
        colour=o.colour,
        material=o.material,
    )


def rounded(body: Body) -> Body:
    """Return a body with the ellipse inside its box, seen from its own top, as its outline."""
    angles = np.linspace(0, 2 * np.pi, ROUND, endpoint=False)
    x, y, z = body.half
    local = np.array([[x * np.cos(a), y * np.sin(a), s] for a in angles for s in (-z, z)])
    return dataclasses.replace(body, corners=body.middle + local @ body.rotation.T)


def relation_of(name: str, round_of: Callable[[Body], Body]) -> Relation:
    """Return a relation as it can be told of boxes.

    Args:
        name: one of `RELATIONS`.
        round_of: gives each body's `rounded` one.

    Raises:
        TaskError: if boxes do not tell it.
    """
    if name in NOT_TOLD:
        raise TaskError(f"{name}: {NOT_TOLD[name]}")
    relation = RELATIONS[name]
    if name not in BY_OUTLINE:
        return relation
    margin = relation.margin

    def both(terms: Terms) -> float:
        inner = dataclasses.replace(
            terms,
            a=None if terms.a is None else round_of(terms.a),
            anchors=[round_of(b) for b in terms.anchors],
        )
        one, other = margin(terms), margin(inner)
        if one * other <= 0:
            return 0.0
        return one if abs(one) < abs(other) else other

    return dataclasses.replace(relation, margin=both)


def only_of(relation: Relation, fits: Callable[[Body], bool]) -> Relation:
    """Return a relation that is told of some bodies alone; of others it raises TaskError."""
    margin = relation.margin

    def checked(terms: Terms) -> float:
        if terms.a is not None and not fits(terms.a):
            raise TaskError(f"{relation.name}: a {terms.a.category} does not stand on the surface")
        return margin(terms)

    return dataclasses.replace(relation, margin=checked)
