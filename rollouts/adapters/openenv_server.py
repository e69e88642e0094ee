"""OpenEnv: spatial referring as an environment server, and its client; needs openenv.

Source: https://huggingface.co/docs/openenv, `Environment` and `EnvClient`.
"""

from typing import Any
from uuid import uuid4

from refergym.rollouts.adapters.needed import missing

try:
    from openenv.core.client_types import StepResult
    from openenv.core.env_client import EnvClient
    from openenv.core.env_server.http_server import create_fastapi_app
    from openenv.core.env_server.interfaces import Environment
except ModuleNotFoundError as e:
    if e.name is None or not e.name.startswith("openenv"):
        raise
    raise missing("openenv", "openenv") from e

from refergym.agents.pictures import png_base64
from refergym.envs.types import Event
from refergym.rollouts.adapters.openenv_pictures import depth_png
from refergym.rollouts.adapters.openenv_types import (
    PointingAction,
    PointingObservation,
    PointingState,
)
from refergym.rollouts.adapters.place import Place
from refergym.rollouts.adapters.playing import Playing


class PointingServer(Environment[PointingAction, PointingObservation, PointingState]):
    """One session of spatial referring.

    `reset` takes a seed and `index`, the episode's number under it, or `start`, a start as JSON.
    Sessions have a simulator each, so there may be several.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True  # OpenEnv gives each session one thread of its own

    def __init__(self, place: Place, *, depth: bool = False) -> None:
        """Open the place.

        Args:
            place: where to play.
            depth: whether observations have depth too.
        """
        super().__init__()
        self._playing = Playing(place)
        self._depth = depth
        self._episode = ""

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> PointingObservation:
        """Begin an episode.

        Args:
            seed: of the run; 0 without one.
            episode_id: by which the state names it.
            kwargs: "index", the episode's number; "start", a start as JSON in place of both.

        Raises:
            TypeError: if there are others.
            TaskError: if the start is damaged, or of another environment.
        """
        self._begin(seed, **kwargs)
        self._episode = episode_id or str(uuid4())
        return self._observed()

    def step(
        self, action: PointingAction, timeout_s: float | None = None, **kwargs: Any
    ) -> PointingObservation:
        """Act on the model's words; whatever they are, it is a step.

        Raises:
            EnvError: without an episode, or after its end.
        """
        self._playing.answer(action.text, action.image_size)
        return self._observed()

    @property
    def state(self) -> PointingState:
        """The running episode."""
        playing = self._playing
        begun = bool(playing.observation)
        return PointingState(
            episode_id=self._episode or None,
            step_count=len(playing.rewards),
            task=playing.start.task.kind if begun else "",
            start=playing.start.digest if begun else "",
            total=playing.total,
            is_over=playing.is_over,
        )

    def close(self) -> None:
        """Release the simulator and the renderer; idempotent."""
        self._playing.close()

    def _begin(self, seed: int | None, *, index: int = 0, start: str = "") -> None:
        self._playing.begin(start=start, seed=seed or 0, index=index)

    def _observed(self) -> PointingObservation:
        playing, seen = self._playing, self._playing.observation
        terms = playing.terms[-1] if playing.terms else {}
        return PointingObservation(
            instruction=seen["instruction"],
            words=playing.words,
            event=Event(seen["event"]).name,
            holding=bool(seen["holding"]),
            rgb_png=png_base64(seen["rgb"]),
            depth_png=depth_png(seen["depth"]) if self._depth else "",
            intrinsics=seen["intrinsics"].tolist(),
            is_solved=playing.is_solved,
            terms={name: value["paid"] for name, value in terms.items()},
            done=playing.is_over,
            reward=playing.rewards[-1] if playing.rewards else None,
        )


class PointingClient(EnvClient[PointingAction, PointingObservation, PointingState]):
    """Plays on a server of `build_app`; `.sync()` gives one that does not await."""

    def _step_payload(self, action: PointingAction) -> dict[str, Any]:
        payload: dict[str, Any] = action.model_dump()
        return payload

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[PointingObservation]:
        ends = {"done": bool(payload.get("done", False)), "reward": payload.get("reward")}
        seen = PointingObservation(**{**payload.get("observation", {}), **ends})
        return StepResult(observation=seen, **ends)

    def _parse_state(self, payload: dict[str, Any]) -> PointingState:
        return PointingState(**payload)


def build_app(place: Place, *, depth: bool = False, sessions: int = 8) -> Any:
    """Return the server, a FastAPI application that uvicorn runs.

    Args:
        place: where its sessions play.
        depth: whether observations have depth too.
        sessions: that may run at once; each has a simulator.
    """

    def make() -> PointingServer:
        return PointingServer(place, depth=depth)

    return create_fastapi_app(
        make, PointingAction, PointingObservation, max_concurrent_envs=sessions,
        state_cls=PointingState,
    )  # fmt: skip
