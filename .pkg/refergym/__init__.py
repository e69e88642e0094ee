"""refergym: closed-loop reinforcement learning for spatial referring with a simulated robot."""

__version__ = "0.1.0"
