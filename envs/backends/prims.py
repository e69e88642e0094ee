"""Which of our ids (see `envs.types`) a prim of a stage has, for cameras that tell prims apart."""

from collections.abc import Mapping, Sequence

from refergym.assets.usd import names
from refergym.envs.types import ID_FIXTURE, ID_NOTHING, ID_ROBOT, ID_SUPPORT


def ids_of_prims(
    objects: Sequence[str], supports: Sequence[str], fixtures: Sequence[str]
) -> dict[str, int]:
    """Return the id of each prim that has one of its own; what is below it has the same.

    Args:
        objects: path of each object, in the scene's order.
        supports: the same of the supports.
        fixtures: the same of the fixtures.
    """
    return {
        **{path: k for k, path in enumerate(objects)},
        **{path: ID_SUPPORT - k for k, path in enumerate(supports)},
        **{path: ID_FIXTURE - k for k, path in enumerate(fixtures)},
        names.ROBOT: ID_ROBOT,
        names.PEDESTAL: ID_ROBOT,
    }


def id_of(path: str, ids: Mapping[str, int]) -> int:
    """Return the id of a prim, or of the nearest one above that has one; else ID_NOTHING."""
    parts = path.split("/")
    for k in range(len(parts), 1, -1):
        if (above := "/".join(parts[:k])) in ids:
            return ids[above]
    return ID_NOTHING
