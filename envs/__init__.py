"""Tasks, backends, renderers and skills behind one Gymnasium environment."""

if not __name__.startswith("refergym"):
    raise ImportError("import refergym.envs, not the bare package 'envs'")

from typing import TYPE_CHECKING, Any

from refergym.envs.registration import make_env, register_envs

if TYPE_CHECKING:
    from refergym.envs.refer_env import ReferEnv
    from refergym.envs.vector import make_vec

__all__ = ["ReferEnv", "make_env", "make_vec", "register_envs"]

register_envs()


def __getattr__(name: str) -> Any:
    """Import the heavier names when they are first used."""
    if name == "ReferEnv":
        from refergym.envs.refer_env import ReferEnv

        return ReferEnv
    if name == "make_vec":
        from refergym.envs.vector import make_vec

        return make_vec
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
