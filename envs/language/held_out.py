"""Sentences that people say, each with its program, for evaluation alone.

None of them comes from the forms of this package; never train on them.
"""

from pathlib import Path
from typing import Literal

from refergym.assets import records
from refergym.assets.records import Record
from refergym.envs.errors import TaskError
from refergym.envs.grammar import check_program
from refergym.envs.programs import Program

SENTENCES = Path(__file__).with_name("held_out.jsonl")


class HeldOut(Record, frozen=True, kw_only=True):
    """One sentence and what it means."""

    text: str
    kind: Literal["point", "pick", "move"]
    program: Program


def held_out_sentences(path: Path = SENTENCES) -> tuple[HeldOut, ...]:
    """Return the held-out sentences, in the order of their file.

    Args:
        path: JSON lines, one `HeldOut` each.

    Raises:
        TaskError: naming the line and the field, or the node of the program, that is wrong.
    """
    found = []
    for k, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            sentence = records.decode(line, HeldOut, error=TaskError)
            check_program(sentence.program)
        except TaskError as e:
            raise TaskError(f"{path.name}, line {k}: {e}") from e
        found.append(sentence)
    return tuple(found)
