"""Errors of the rollouts layer.

RolloutError (ValueError)
├── ConfigError     a wrong key, choice, type or value; names the key and what is allowed
├── OutputError     an output folder that cannot be used as asked; names the fix
├── EpisodeError    a damaged or foreign episode file; names file and line
├── DataError       data of another make that cannot be read; names file, item and field
├── PolicyError     a policy that breaks the protocol (number or kind of answers)
├── StartError      a start that came out otherwise than before; names the episode
└── PoolError       workers that cannot start at all
"""


class RolloutError(ValueError):
    """Base of every error that this layer raises on purpose."""


class ConfigError(RolloutError):
    """The configuration is wrong. The message names the key and the allowed values."""


class OutputError(RolloutError):
    """The output folder cannot be used as asked. The message names the fix."""


class EpisodeError(RolloutError):
    """An episode file is damaged or of another version. The message names file and line."""


class DataError(RolloutError):
    """A file of another make cannot be read. The message names the file, or the item's field."""


class PolicyError(RolloutError):
    """A policy broke the Policy protocol; a wrong point is not this but a failed step."""


class StartError(RolloutError):
    """A start came out otherwise than before, so that its episodes cannot be compared."""


class PoolError(RolloutError):
    """No worker process could be started; the message holds the cause."""
