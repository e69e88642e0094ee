"""Try until a scene comes together, and count what was in the way."""

from collections import Counter
from collections.abc import Callable

from refergym.assets.composers.base import Wants
from refergym.assets.errors import ComposeError
from refergym.assets.spec import SceneSpec


class Misfit(Exception):
    """One try at a scene failed; its text is the constraint. Never leaves the composer."""


def search(
    attempt: Callable[[int], SceneSpec], tries: int, what: str
) -> tuple[SceneSpec, dict[str, int]]:
    """Return the first scene that comes together, and how often each constraint failed before.

    Args:
        attempt: makes try number 1, 2, ...; raises Misfit.
        tries: at most.
        what: begins the message.

    Raises:
        ComposeError: which constraint failed how often, if no try succeeds.
    """
    causes: Counter[str] = Counter()
    for k in range(1, tries + 1):
        try:
            return attempt(k), dict(causes)
        except Misfit as e:
            causes[str(e)] += 1
    told = "; ".join(
        f"{cause}: {n}" + (f" of {tries} tries" if k == 0 else "")
        for k, (cause, n) in enumerate(causes.most_common())
    )
    raise ComposeError(f"{what}: {told}")


def check_count(wants: Wants, most: int) -> None:
    """Raise ComposeError if a request takes more objects than a scene may have."""
    if wants.least > most:
        raise ComposeError(
            f"wants: {wants.least} objects wanted, but scene.counts allows {most} at most"
        )
