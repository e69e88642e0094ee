"""The samples of RefSpatial (arXiv 2506.04308): as they stand in JSON, and as records.

All parts of the release have one schema; `depth` and `think` may be missing, and one name may stand
where a list could. A sample has as many thoughts as questions, or none.
"""

import re
from typing import Any

import msgspec

from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts.errors import DataError

SUFFIX = (
    "Your answer should be formatted as a list of tuples, i.e. [(x1, y1)],  where each tuple "
    "contains the x and y coordinates of a point satisfying the conditions above. The coordinates "
    "should be between 0 and 1, indicating the normalized pixel locations of the points in the "
    "image."
)
"""what the public server and the bench put behind a question, two spaces included"""
IMAGE = "<image>"
_MARKERS = re.compile(r"(?:<image>|<depth>)[ ]?\n?")


class Thought(Record, frozen=True, kw_only=True):
    """How an answer is reasoned."""

    question_type: str
    thinking: str
    """steps, a line each: "Step 1: [Position] [the cup]: [(0.245, 0.147)]" """


class Turn(Record, frozen=True, kw_only=True):
    """One question on a sample's pictures."""

    question: str
    """without the markers of the pictures"""
    answer: str
    """a point "[(0.275, 0.443)]", several, a letter with a choice, or a sentence"""
    thought: Thought | None = None


class Sample(Record, frozen=True, kw_only=True):
    """Questions on one picture, or on several together."""

    part: str
    """of the release that it is from: "3D/multi_view_qa" """
    id: str
    images: tuple[str, ...]
    """paths"""
    depths: tuple[str, ...] = ()
    """paths of as many pictures of relative inverse depth, or none"""
    turns: tuple[Turn, ...]


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    sender: str = msgspec.field(name="from")
    value: str


class _Think(msgspec.Struct, frozen=True, kw_only=True):
    question_type: str
    thinking: str


class _Raw(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sample as the files have it; fields that they add are passed over."""

    id: str | int | None = None
    image: str | list[str]
    depth: str | list[str] | None = None
    conversations: list[_Message]
    think: list[_Think] | None = None


def encode(sample: Sample) -> bytes:
    """Write a sample as the release does: pictures by name, their markers in the first question.

    Raises:
        DataError: if some of its turns have a thought and some have none.
    """
    thoughts = [t.thought for t in sample.turns if t.thought is not None]
    if thoughts and len(thoughts) < len(sample.turns):
        raise DataError(f"{sample.id}: {len(thoughts)} thoughts for {len(sample.turns)} questions")
    messages = []
    for k, turn in enumerate(sample.turns):
        markers = f"{IMAGE}\n" * len(sample.images) if k == 0 else ""
        messages.append(_Message(sender="human", value=markers + turn.question))
        messages.append(_Message(sender="gpt", value=turn.answer))
    think = [_Think(question_type=t.question_type, thinking=t.thinking) for t in thoughts]
    raw = _Raw(
        id=sample.id,
        image=[_name(path) for path in sample.images],
        depth=[_name(path) for path in sample.depths] or None,
        conversations=messages,
        think=think or None,
    )
    return msgspec.json.encode(raw)


def decode(item: Any, index: int, part: str) -> Sample:
    """Check one item of a file; its pictures keep their names.

    Args:
        item: plain data.
        index: from 0; names a sample without an id.
        part: of the release.

    Raises:
        DataError: naming the field, what was expected and what was found.
    """
    raw = records.convert(item, _Raw, error=DataError)
    images = _listed(raw.image)
    depths = _listed(raw.depth) if raw.depth is not None else ()
    if not images:
        raise DataError("image: expected one at least")
    if depths and len(depths) != len(images):
        raise DataError(f"depth: expected as many as images, got {len(depths)} for {len(images)}")
    return Sample(
        part=part,
        id=str(index if raw.id is None else raw.id),
        images=images,
        depths=depths,
        turns=_turns(raw),
    )


def _turns(raw: _Raw) -> tuple[Turn, ...]:
    messages = raw.conversations
    if not messages or len(messages) % 2:
        raise DataError(f"conversations: expected pairs, got {len(messages)} messages")
    for k, message in enumerate(messages):
        sender = ("human", "gpt")[k % 2]
        if message.sender != sender:
            raise DataError(f"conversations[{k}].from: expected {sender!r}, got {message.sender!r}")
        if not _plain(message.value):
            raise DataError(f"conversations[{k}].value: expected words, got none")
    questions, answers = messages[::2], messages[1::2]
    thoughts: list[Thought | None] = [None] * len(questions)
    if raw.think:
        if len(raw.think) != len(questions):
            raise DataError(
                f"think: expected {len(questions)}, one for each question, got {len(raw.think)}"
            )
        thoughts = [Thought(question_type=t.question_type, thinking=t.thinking) for t in raw.think]
    return tuple(
        Turn(question=_plain(asked.value), answer=answered.value, thought=thought)
        for asked, answered, thought in zip(questions, answers, thoughts, strict=True)
    )


def _plain(question: str) -> str:
    """Take the pictures' markers out, wherever they stand, as the public trainer does."""
    return _MARKERS.sub("", question).strip()


def _listed(names: str | list[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]
