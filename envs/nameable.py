"""What can be named in a view: found once, and shared by all that propose descriptions in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from refergym.envs.errors import TaskError
from refergym.envs.programs import Select
from refergym.envs.referents import Clarity, is_clear, means, ordered
from refergym.envs.seen import Seen


@dataclass(frozen=True, kw_only=True)
class Nameable:
    """Objects of a view by how they can be named; indices."""

    clear: Sequence[int]
    """seen well, and of a category that nothing else there may be taken for"""
    plain: Mapping[int, Sequence[Select]]
    """of these, those that kind and colour alone tell; with such names"""
    several: Sequence[int]
    """of the clear ones, those of which there are more of a kind"""
    refused: Mapping[str, int]
    """why the others are not clear"""


def nameable(view: Seen, clarity: Clarity) -> Nameable:
    """Find what can be named in a view; asked again for the same view, it is not looked for."""
    global _last
    if _last is None or _last[0] is not view or _last[1] is not clarity:
        _last = (view, clarity, _find(view, clarity))
    return _last[2]


_last: tuple[Seen, Clarity, Nameable] | None = None


def shortened(reason: str) -> str:
    """Leave the numbers out of a reason, so that equal ones are counted together."""
    return reason.partition(":")[0]


def _find(view: Seen, clarity: Clarity) -> Nameable:
    refused: Counter[str] = Counter()
    sure = set()
    for category in sorted({t.category for t in view.things}):
        try:
            if ordered(Select(category=category), "left-right", view, clarity):
                sure.add(category)
        except TaskError as e:
            refused[shortened(str(e))] += 1
    seen = [t.index for t in view.things if t.category in sure]
    clear = [i for i in seen if is_clear(i, view, clarity)]
    kinds = Counter(t.category for t in view.things)
    plain = {i: forms for i in clear if (forms := _plain(i, view, clarity))}
    several = [i for i in clear if kinds[view.thing(i).category] > 1]
    return Nameable(clear=clear, plain=plain, several=several, refused=refused)


def _plain(index: int, view: Seen, clarity: Clarity) -> list[Select]:
    """Names by kind and colour alone that mean an object."""
    thing = view.thing(index)
    forms = [Select(category=thing.category)]
    if thing.colour is not None:
        forms.append(Select(category=thing.category, colour=thing.colour))
    return [f for f in forms if means(f, index, view, clarity)]
