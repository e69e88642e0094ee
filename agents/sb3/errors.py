"""Errors of the Stable-Baselines3 part.

Sb3Error (ValueError)
├── MissingExtraError   Stable-Baselines3 is not installed; says how to get it
├── ModelError          a file that is no model, a damaged or a foreign one
└── LearnerError        settings that Stable-Baselines3 does not take; names the key
"""


class Sb3Error(ValueError):
    """Base of every error that this part raises on purpose."""


class MissingExtraError(Sb3Error):
    """A package is missing. The message holds the command that installs it."""


class ModelError(Sb3Error):
    """A saved model cannot be used. The message names the file and why."""


class LearnerError(Sb3Error):
    """A learner's settings are wrong. The message names the key."""
