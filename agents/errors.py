"""Errors of the agents layer.

AgentError (ValueError)
├── ServerError      a model's server that cannot be reached or does not answer as it should
├── EngineError      an inference engine that cannot run a model or take its weights; says what can
├── ConversionError  a published checkpoint that does not fit ours; names the file or the weight
└── MissingExtra     a package that a policy needs and that is not installed; names the extra
"""


class AgentError(ValueError):
    """Base of every error that this layer raises on purpose; its message is one line."""


class ServerError(AgentError):
    """A server failed. Says nothing about the policy behind it; names the address and the cause."""


class EngineError(AgentError):
    """An engine cannot do what is asked of it. Names the setting or weight, and the way out."""


class ConversionError(AgentError):
    """A published checkpoint cannot be made into one of ours. Names the file, key or weight."""


class MissingExtra(AgentError):
    """A package is not installed. The message names the command that installs it."""
