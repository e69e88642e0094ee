"""Whether a sentence is one of those that `instruct` may say for a program, in any voice."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from refergym.envs.errors import TaskError
from refergym.envs.language.sentences import sentence
from refergym.envs.language.voices import (
    ABOUT,
    CANONICAL,
    LENGTH,
    ROUND,
    WITHIN,
    Forms,
    Speaker,
    Voice,
)
from refergym.envs.language.words import centimetres, metres, near, number
from refergym.envs.programs import Program

_VOICES = [Voice(forms=forms) for forms in ("training", "held_out")]
_SLOT = re.compile(r"\{\w*\}")
_SPECIAL = re.compile(r"([.?*+()|\[\]\\^$])")
_TRIMMED = re.compile(r"^(in|at) ")
_TRIMMED_HERE = re.compile(r"(\(\?:|\|)(in|at) ")
_LOOSE = re.compile(r"(\(\?:|\|) +")


def says(text: str, kind: str, program: Program) -> bool:
    """Tell whether a sentence says a program, by any form there is.

    Args:
        text: the sentence.
        kind: "pick" to have an object picked up; see `instruct`.
        program: what, or where.
    """
    try:
        pattern = sentence(kind, program, _Patterns(text=text.lower()))
        # forms that begin with an empty slot begin with a space
        return re.fullmatch(_LOOSE.sub(r"\1", pattern), text, re.IGNORECASE) is not None
    except (TaskError, re.error):
        return False


@dataclass(frozen=True, kw_only=True)
class _Patterns(Speaker):
    """Says everything in all ways at once, as a regular expression."""

    text: str
    """forms are left out whose words do not stand in it"""

    def choose(self, forms: Forms, fits: Callable[[str], bool] | None = None) -> str:
        """Return all forms, as alternatives."""
        said = [f for f in _all(forms) if self._may_stand(f)]
        if not said:
            raise TaskError(f"{forms.canonical!r}: not said")
        return _TRIMMED_HERE.sub(r"\1(?:\2 )?", _either(said))

    def length(self, length: float) -> str:
        """Return all ways to say a length in m."""
        said = {
            "m": metres(length),
            "cm": centimetres(length),
            "about": number(near(100 * length, ROUND, WITHIN)),
        }
        return _either(f.format(**said) for f in _all(LENGTH))

    def angle(self, degrees: float) -> str:
        """Return all ways to say an angle in degrees, without its sign."""
        rounded = CANONICAL.angle(near(abs(degrees), ROUND, WITHIN))
        loose = (f.format(rounded) for f in _all(ABOUT))
        return _either((CANONICAL.angle(degrees), *loose))

    def _may_stand(self, form: str) -> bool:
        """Tell whether the words of a form stand in the text, one after the other."""
        at = 0
        for words in _SLOT.split(_TRIMMED.sub("", form)):
            at = self.text.find(words.strip().lower(), at)
            if at < 0:
                return False
            at += len(words.strip())
        return True


def _all(forms: Forms) -> list[str]:
    return [f for voice in _VOICES for f in forms.of(voice)]


def _either(forms: Iterable[str]) -> str:
    plain = (_SPECIAL.sub(r"\\\1", f) for f in forms)
    return f"(?:{'|'.join(plain)})"
