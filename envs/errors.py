"""Errors of the environment layer.

EnvError (ValueError)
├── ActionError     an action of the wrong shape, type or range
├── TaskError       a task that the scene cannot carry, or a TaskSpec that does not fit its scene
├── SourceError     an annotated frame or picture, or a file of them, that is not what it should be
├── BackendError    a backend used before reset, or whose engine is missing
│   └── ClosedError     a backend or environment used after close
└── RenderError     a renderer that cannot start, or a picture that cannot be made
"""


class EnvError(ValueError):
    """Base of every error that this layer raises on purpose."""


class ActionError(EnvError):
    """The action is not a point in [0, 1] x [0, 1]. The message gives the value and the fix."""


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
