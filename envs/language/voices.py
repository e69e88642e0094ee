"""Voices: which of the equal ways to say something are taken, and how numbers are said."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from refergym.assets.records import Record
from refergym.envs.errors import TaskError
from refergym.envs.language.words import centimetres, metres, near, number

ROUND = 5.0
"""cm, degrees: round numbers are multiples of this"""
WITHIN = 1.0
"""cm, degrees: how far from the number that is meant a round one may be"""


class Voice(Record, frozen=True, kw_only=True):
    """How to speak."""

    style: Literal["any", "specific", "vague"] = "any"
    """specific: exact wording and numbers; vague: as people talk, with rounded numbers; any: either
    wording, exact numbers"""
    forms: Literal["training", "held_out"] = "training"
    """which set of forms; they have none in common"""


ANY = Voice()
"""any training form"""


@dataclass(frozen=True, kw_only=True)
class Forms:
    """Equal ways to say one thing, with slots in braces; the first exact one is canonical."""

    exact: tuple[str, ...]
    loose: tuple[str, ...] = ()
    """as people talk"""
    held: tuple[str, ...]
    """of the held-out set, exact"""
    held_loose: tuple[str, ...] = ()

    @property
    def canonical(self) -> str:
        """The form that is read back."""
        return self.exact[0]

    def of(self, voice: Voice) -> tuple[str, ...]:
        """Return the forms of a voice."""
        exact, loose = (
            (self.exact, self.loose)
            if voice.forms == "training"
            else (self.held, self.held_loose)
        )  # fmt: skip
        if voice.style == "any":
            return exact + loose
        return loose or exact if voice.style == "vague" else exact


LENGTH = Forms(
    exact=("{m} m", "{cm} cm"),
    loose=("about {about} cm", "roughly {about} cm"),
    held=("{m} metres", "{cm} centimetres"),
    held_loose=("around {about} cm", "more or less {about} cm"),
)
ABOUT = Forms(exact=("about {}", "roughly {}"), held=("around {}", "more or less {}"))


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """Chooses forms in a voice, and says numbers."""

    voice: Voice = ANY
    rng: np.random.Generator | None = None
    """None: the canonical form of everything, whatever the voice"""

    def choose(self, forms: Forms, fits: Callable[[str], bool] | None = None) -> str:
        """Choose one of several forms.

        Args:
            forms: the ways to say it.
            fits: tells which of them can be used; None takes all.

        Raises:
            TaskError: if none fits.
        """
        either = Voice(forms=self.voice.forms)
        pools = [forms.of(self.voice), forms.of(either)] if self.rng else [forms.exact[:1]]
        for pool in pools:
            fitting = [f for f in pool if fits is None or fits(f)]
            if fitting:
                return fitting[0 if self.rng is None else int(self.rng.integers(len(fitting)))]
        raise TaskError(f"{forms.canonical!r}: a clause would be taken for one of another noun")

    def length(self, length: float) -> str:
        """Say a length in m: "0.17 m", "about 15 cm"."""
        if self.rng is None:
            return f"{metres(length)} m"
        is_rounded = self.voice.style == "vague" and 100 * length >= WITHIN
        style: Literal["vague", "specific"] = "vague" if is_rounded else "specific"
        forms = LENGTH.of(Voice(style=style, forms=self.voice.forms))
        form = forms[int(self.rng.integers(len(forms)))]
        about = number(near(100 * length, ROUND, WITHIN))
        return form.format(m=metres(length), cm=centimetres(length), about=about)

    def angle(self, degrees: float) -> str:
        """Say an angle without its sign: "30 degrees", "about 30 degrees"."""
        if self.rng is None or self.voice.style != "vague" or abs(degrees) < WITHIN:
            return _degrees(abs(degrees))
        return self.choose(ABOUT).format(_degrees(near(abs(degrees), ROUND, WITHIN)))


CANONICAL = Speaker()
"""says everything in the one way that is read back"""


def is_closed(form: str) -> bool:
    """Tell whether a form ends with a thing that it names, which may then have a clause."""
    return form.endswith(("{0}", "{1}"))


def _degrees(value: float) -> str:
    said = number(value)
    return f"{said} degree" if said == "1" else f"{said} degrees"
