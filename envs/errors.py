"""Errors of the environment layer.

EnvError (ValueError)
├── ActionError     an action of the wrong shape, type or range
├── AnswerError     a policy's words in which no point can be read
├── RewardError     a reward term that is no number in [0, 1], or a set that does not fit together
├── TaskError       a task that the scene cannot carry, or a TaskSpec that does not fit its scene
├── SourceError     an annotated frame or picture, or a file of them, that is not what it should be
├── BackendError    a backend used before reset, or whose engine is missing
│   └── ClosedError     a backend or environment used after close
└── RenderError     a renderer that cannot start, or a picture that cannot be made
"""

from typing import Literal

AnswerFault = Literal[
    "empty", "too_long", "form", "no_answer", "no_point", "malformed", "out_of_range", "several"
]


class EnvError(ValueError):
    """Base of every error that this layer raises on purpose."""


class ActionError(EnvError):
    """The action is not a point in [0, 1] x [0, 1]. The message gives the value and the fix."""


class AnswerError(EnvError):
    """A policy's words have no point that can be used.

    `kind` says why:
        empty         nothing but space.
        too_long      more characters than any answer has.
        form          not one think block and then one answer block (`replies.check_form` alone).
        no_answer     a thought that never ends.
        no_point      nothing in it is meant as a point of the dialect.
        malformed     something is, but cannot be read, or was cut off.
        out_of_range  a point lies outside the image, or its depth is not above 0.
        several       more than one point, where only one is taken.

    The message is for people and quotes at most 80 characters of the words.
    """

    def __init__(self, kind: AnswerFault, message: str) -> None:
        """Take the kind and what is told to people."""
        super().__init__(kind, message)  # both, so that it survives pickling
        self.kind: AnswerFault = kind

    def __str__(self) -> str:
        """Return what is told to people."""
        return str(self.args[1])


class RewardError(EnvError):
    """A reward term gave no number in [0, 1]; or terms and weights do not belong together."""


class TaskError(EnvError):
    """The task does not fit the scene. The message names the constraint."""


class SourceError(EnvError):
    """An annotated frame, picture or file is wrong. The message names the item and the field."""


class BackendError(EnvError):
    """A simulator cannot do what was asked; the message says what to do."""


class ClosedError(BackendError):
    """Used after close()."""


class RenderError(EnvError):
    """A renderer is missing or failed; the message names the extra to install."""
