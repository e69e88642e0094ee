"""English for programs, and back.

`instruct` says a task, `noun_phrase` names an object; `parse_instruction` reads the
canonical sentence back, `parse.parse` the phrase.
"""

from refergym.envs.language.held_out import HeldOut, held_out_sentences
from refergym.envs.language.nouns import check_sayable, noun_phrase
from refergym.envs.language.parse import parse_instruction
from refergym.envs.language.places import floor, place, spot
from refergym.envs.language.said import says
from refergym.envs.language.sentences import instruct
from refergym.envs.language.voices import ANY, Speaker, Voice
from refergym.envs.language.words import CHARSET, MAX_LENGTH

__all__ = [
    "ANY",
    "CHARSET",
    "MAX_LENGTH",
    "HeldOut",
    "Speaker",
    "Voice",
    "check_sayable",
    "floor",
    "held_out_sentences",
    "instruct",
    "noun_phrase",
    "parse_instruction",
    "place",
    "says",
    "spot",
]
