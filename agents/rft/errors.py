"""Errors of reinforcement fine-tuning.

RftError (AgentError)
├── CreditError   episodes or settings from which no advantages follow; names the field
└── LossError     tensors or settings from which no loss follows; names the field
"""

from refergym.agents.errors import AgentError


class RftError(AgentError):
    """Base of every error that this part raises on purpose; its message is one line."""


class CreditError(RftError):
    """Advantages cannot be computed. The message names the field, its value and the fix."""


class LossError(RftError):
    """A loss cannot be computed. The message names the field, its value and the fix."""
