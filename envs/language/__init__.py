"""English for programs, and back.

`instruct` says a task, `noun_phrase` names an object; `parse` reads the canonical phrase back.
"""

from refergym.envs.language.nouns import canonical, chooser, noun_phrase
from refergym.envs.language.sentences import floor, instruct, place, spot
from refergym.envs.language.words import CHARSET, MAX_LENGTH

__all__ = [
    "CHARSET",
    "MAX_LENGTH",
    "canonical",
    "chooser",
    "floor",
    "instruct",
    "noun_phrase",
    "place",
    "spot",
]
