"""Names of records as names of files and prims."""

import re
from collections.abc import Iterable


def identifiers(ids: Iterable[str]) -> tuple[str, ...]:
    """Return a name for each id: of ASCII letters, digits and "_", no two alike.

    Other characters become "_"; a name that would begin with a digit gets one more, and one that
    would come twice a number.
    """
    taken: dict[str, None] = {}
    for id_ in ids:
        name = plain = identifier(id_)
        number = 2
        while name in taken:
            name, number = f"{plain}_{number}", number + 1
        taken[name] = None
    return tuple(taken)


def identifier(text: str) -> str:
    """Return a text as a name; see `identifiers`."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    return f"_{name}" if not name or name[0].isdigit() else name
