"""A policy's words, taken apart: what it thought, the steps of its reasoning, its answer.

The form is `<think>...</think><answer>...</answer>`, as RoboRefer's fine-tuned model writes it
(arXiv 2506.04308, section 3.3). `check_form` is strict, for format rewards; `read_reply` takes what
models really write, for acting. Both go over the same tags. Nothing is ever evaluated, and all of
it takes time in proportion to the text.
"""

import itertools
import math
import re
from typing import Literal, NamedTuple

from refergym.assets.records import Record
from refergym.envs.errors import AnswerError
from refergym.envs.key_steps import Perception

LONGEST = 100_000
"""characters of an answer at most"""
LONGEST_TARGET = 300
"""characters of a step's target at most"""
MOST_STEPS = 1000
"""steps that are read; an honest answer has a handful"""
UNIT = 0.05
"""by how much the length of an orientation may differ from 1"""

# Without ASCII the dotless i is an "i", the long s an "s", and digits are of any script.
_FLAGS = re.IGNORECASE | re.ASCII
_TAG = re.compile(r"<\s{0,8}(/?)\s{0,8}(think|answer)\s{0,8}>", _FLAGS)
_FORM = ("<think>", "</think>", "<answer>", "</answer>")
_HEAD = re.compile(
    r"\*{0,2}\[\s{0,8}(position|orientation|size)\s{0,8}\]\*{0,2}:?\s{0,8}\*{0,2}"
    rf"\[([^\[\]\n]{{1,{LONGEST_TARGET}}})\]\*{{0,2}}",
    _FLAGS,
)
_NUMBERED = re.compile(
    r"(?:^|\n)[ \t*#-]{0,8}(?:step[ \t]{1,4}\d{1,3}[ \t]{0,4}[:.)]?|\d{1,3}[ \t]{0,4}[.)](?!\d))",
    _FLAGS,
)
_N = r"[-+]?(?:\d{1,12}(?:\.\d{0,17})?|\.\d{1,17})(?:[eE][-+]?\d{1,2})?"
_NUMBER = re.compile(_N, re.ASCII)
_LEAD = re.compile(
    r"[ \t*]{0,8}(?::|=|is at|is|at)?[ \t*]{0,8}(?:the )?(?:point|(?:unit )?vector)?s?"
    r"[ \t]{0,8}:?[ \t*]{0,8}",
    _FLAGS,
)
"""ahead of a value, on its line: the number that the next line begins with is none"""
_TUPLE = re.compile(rf"\(\s{{0,8}}({_N}(?:\s{{0,8}},\s{{0,8}}{_N}){{1,2}})\s{{0,8}}\)", re.ASCII)
_BARE = re.compile(rf"\[\s{{0,8}}({_N}(?:\s{{0,8}},\s{{0,8}}{_N}){{1,2}})\s{{0,8}}\]", re.ASCII)
_COMMA = re.compile(r"\s{0,8},\s{0,8}")
_OPEN, _CLOSE = re.compile(r"\[\s{0,8}"), re.compile(r"\s{0,8}\]")
_UNITS = r"(?:(?:milli|centi)?met(?:er|re)s?|mm|cm|m)\b"
_SIZE = re.compile(
    rf"(?:about |approximately |~ ?)?({_N})(?!\d|[.,]\d|e[-+]?\d)[ \t]{{0,8}}({_UNITS})?", _FLAGS
)
_D = r"[01]\.\d{1,6}"
_SIGNED = rf"-?{_D}"
_EXACT = {
    "Position": re.compile(
        rf"\[Position\] \[[^\[\]\n]+\]: \[\({_D}, {_D}\)(?:, \({_D}, {_D}\))*\]", re.ASCII
    ),
    "Orientation": re.compile(
        rf"\[Orientation\] \[[^\[\]\n]+\]: \({_SIGNED}, {_SIGNED}, {_SIGNED}\)", re.ASCII
    ),
    "Size": re.compile(
        r"\[Size\] \[[^\[\]\n]+\]: \d{1,3}\.\d{1,6}"
        rf"(?![\d.]|,\d|[eE][-+]?\d|[ \t]{{0,8}}(?i:{_UNITS}))",
        re.ASCII,
    ),
}
"""the forms that the paper gives, to the letter"""
_METRES = {"": 1.0, "m": 1.0, "c": 0.01}
"""first letters of a unit -> m; "mm" and "millimetres" stand apart"""


class ReasoningStep(Record, frozen=True, kw_only=True):
    """One step of a policy's reasoning: `[Perception] [target]: value`."""

    perception: Perception | None
    """none of a numbered step that names none"""
    target: str = ""
    """what it is about, in the policy's words"""
    value: tuple[float, ...] | None = None
    """as in `KeyStep`; none where it could not be read"""
    is_exact: bool = False
    """whether it has the form to the letter, with a value that can be one"""


class Reply(Record, frozen=True, kw_only=True):
    """A policy's words, taken apart."""

    thought: str = ""
    """what stands in the think block; empty without one"""
    answer: str = ""
    """what is left to be read in the policy's dialect"""


class StatedPoint(NamedTuple):
    """A point that a step of a thought states."""

    start: int
    end: int
    """the two numbers and their comma are thought[start:end]"""
    value: tuple[float, float]


class Tag(NamedTuple):
    """One tag of a text."""

    name: Literal["<think>", "</think>", "<answer>", "</answer>"]
    start: int
    end: int
    is_exact: bool
    """whether it is written to the letter"""


def tags(text: str) -> list[Tag]:
    """Find the think and answer tags of a text, in their order."""
    found = []
    for match in _TAG.finditer(text):
        name = f"<{match[1]}{match[2].lower()}>"
        found.append(Tag(name, match.start(), match.end(), match[0] == name))  # type: ignore[arg-type]
    return found


def check_form(text: str) -> Reply:
    """Read a text that is exactly one think block and then one answer block.

    White space may stand round the blocks.

    Raises:
        AnswerError: "form", naming what is wrong; "too_long".
    """
    _check_length(text)
    found = tags(text)
    if tuple(t.name for t in found) != _FORM or not all(t.is_exact for t in found):
        got = " ".join(text[t.start : t.end] for t in found[:6]) or "no tags"
        raise AnswerError("form", f"expected {' '.join(_FORM)}, got {got!r:.80}")
    opened, thought_end, answer, end = found
    outside = (text[: opened.start], text[thought_end.end : answer.start], text[end.end :])
    for words in outside:
        if words.strip():
            raise AnswerError(
                "form", f"expected nothing outside the blocks, got {words.strip()!r:.60}"
            )
    return Reply(thought=text[opened.end : thought_end.start], answer=text[answer.end : end.start])


def is_in_form(text: str) -> bool:
    """Tell whether `check_form` accepts a text."""
    try:
        check_form(text)
    except AnswerError:
        return False
    return True


def read_reply(text: str) -> Reply:
    """Take apart whatever a model wrote.

    The answer is what stands behind the last <answer>, up to the next tag; without one, what
    stands behind the last </think>; without any tag, all of it. The thought is what stands behind
    the first <think>, or before the first </think> of a text that was begun for the model.

    Raises:
        AnswerError: "empty", "too_long", or "no_answer" for a thought that never ends.
    """
    _check_length(text)
    if not text.strip():
        raise AnswerError("empty", "expected an answer, got no words")
    found = tags(text)
    thought = _thought(text, found)
    opened = [k for k, t in enumerate(found) if t.name == "<answer>"]
    closed = [k for k, t in enumerate(found) if t.name == "</think>"]
    if opened:
        k = opened[-1]
    elif closed:
        k = closed[-1]
    elif any(t.name == "<think>" for t in found):
        raise AnswerError("no_answer", "the thought never ends: no </think> and no <answer>")
    else:
        end = found[0].start if found else len(text)
        return Reply(thought="", answer=text[:end].strip())
    end = found[k + 1].start if k + 1 < len(found) else len(text)
    return Reply(thought=thought, answer=text[found[k].end : end].strip())


def read_steps(thought: str) -> tuple[ReasoningStep, ...]:
    """Read the steps of a thought, MOST_STEPS at most.

    Beside the form itself these are understood: a prefix such as "Step 3:" or "3.", stars for bold,
    "point (x, y)" without a list, "Vector (x, y, z)", sizes with a unit. A value begins on the line
    of its step. A numbered line without a perception type, and a value that is none, are steps
    too: without a value.
    """
    heads = []
    for match in _HEAD.finditer(thought):
        heads.append(match)
        if len(heads) == MOST_STEPS:
            break
    steps = [(m.start(), _step(thought, m)) for m in heads]
    starts = sorted(at for at, _ in steps)
    k = 0
    for match in _NUMBERED.finditer(thought):
        if len(steps) >= MOST_STEPS:
            break
        while k < len(starts) and starts[k] < match.end():
            k += 1
        between = thought[match.end() : starts[k]] if k < len(starts) else "nothing"
        if len(between) > 8 or between.strip(" \t*:-"):
            steps.append((match.start(), ReasoningStep(perception=None)))
    return tuple(step for _, step in sorted(steps, key=lambda s: s[0]))


def stated_points(thought: str) -> tuple[StatedPoint, ...]:
    """Find the points that the steps of a thought state as positions, in their order.

    They are those that `read_steps` reads.
    """
    found = []
    for head in itertools.islice(_HEAD.finditer(thought), MOST_STEPS):
        if head[1].capitalize() == "Position":
            for match in _tuple_matches(thought, _behind(thought, head), 2) or ():
                u, v = _numbers(match[1])
                found.append(StatedPoint(*match.span(1), (u, v)))
    return tuple(found)


def _check_length(text: str) -> None:
    if len(text) > LONGEST:
        raise AnswerError("too_long", f"{len(text)} characters: expected {LONGEST} at most")


def _thought(text: str, found: list[Tag]) -> str:
    opened = next((t for t in found if t.name == "<think>"), None)
    closed = next((t for t in found if t.name == "</think>"), None)
    if opened is not None and (closed is None or opened.end <= closed.start):
        after = [t.start for t in found if t.start >= opened.end and t.name != "<think>"]
        return text[opened.end : after[0] if after else len(text)]
    return text[: closed.start] if closed is not None else ""


def _step(text: str, head: re.Match[str]) -> ReasoningStep:
    perception: Perception = head[1].capitalize()  # type: ignore[assignment]
    target = " ".join(head[2].split())
    at = _behind(text, head)
    value = _size(text, at) if perception == "Size" else _tuples(text, at, perception)
    exact = _EXACT[perception].match(text, head.start() + len(head[0]) - len(head[0].lstrip("*")))
    return ReasoningStep(
        perception=perception,
        target=target,
        value=value,
        is_exact=exact is not None and value is not None and _can_be(perception, value),
    )


def _behind(text: str, head: re.Match[str]) -> int:
    """Return where the value of a step begins."""
    lead = _LEAD.match(text, head.end())
    return lead.end() if lead else head.end()


def _tuples(text: str, at: int, perception: str) -> tuple[float, ...] | None:
    """Read "(x, y)", "[(x, y), ...]", "(x, y, z)" or "[x, y, z]"."""
    found = _tuple_matches(text, at, 2 if perception == "Position" else 3)
    if not found or (perception == "Orientation" and len(found) > 1):
        return None
    return tuple(number for match in found for number in _numbers(match[1]))


def _tuple_matches(text: str, at: int, wanted: int) -> list[re.Match[str]] | None:
    """Match tuples of so many numbers, whose numbers are group 1; None if they are no such list."""
    bare = _BARE.match(text, at)
    if bare is not None:
        return [bare] if len(_numbers(bare[1])) == wanted else None
    opened = _OPEN.match(text, at)
    at = opened.end() if opened else at
    matches: list[re.Match[str]] = []
    while (found := _TUPLE.match(text, at)) is not None:
        if len(_numbers(found[1])) != wanted:
            return None
        matches.append(found)
        at = found.end()
        comma = _COMMA.match(text, at)
        if not opened or comma is None:
            break
        at = comma.end()
    closed = not opened or _CLOSE.match(text, at) is not None
    return matches if closed else None


def _size(text: str, at: int) -> tuple[float, ...] | None:
    found = _SIZE.match(text, at)
    if found is None:
        return None
    unit = (found[2] or "").lower()
    scale = 0.001 if unit.startswith(("mm", "mil")) else _METRES[unit[:1]]
    value = scale * float(found[1])
    return (value,) if math.isfinite(value) else None


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(n) for n in _NUMBER.findall(text))


def _can_be(perception: str, value: tuple[float, ...]) -> bool:
    """Tell whether a value can be a point of a picture, a unit vector or a size."""
    if perception == "Position":
        return all(0 <= v <= 1 for v in value)
    if perception == "Orientation":
        return abs(math.hypot(*value) - 1) <= UNIT
    return value[0] > 0
