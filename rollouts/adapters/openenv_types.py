"""OpenEnv's action, observation and state of spatial referring; importing it needs openenv."""

from refergym.rollouts.adapters.needed import missing

try:
    from openenv.core.env_server.types import Action, Observation, State
except ModuleNotFoundError as e:
    if e.name is None or not e.name.startswith("openenv"):
        raise
    raise missing("openenv", "openenv") from e

from pydantic import Field


class PointingAction(Action):
    """What the model wrote."""

    text: str = Field(description="the model's raw words, with a point in the dialect's form")
    image_size: tuple[int, int] | None = Field(
        default=None,
        description="px (width, height) of the picture as the model saw it, for dialects that count"
        " pixels; null takes the picture's own",
    )


class PointingObservation(Observation):
    """What the model may see; `done` and `reward` are OpenEnv's own."""

    instruction: str = Field(description="what is asked")
    words: str = Field(description="what to tell the model now: question, or what its answer did")
    event: str = Field(
        description="what the last answer did, one name of refergym.envs.types.Event"
    )
    holding: bool = Field(description="whether the gripper holds something")
    rgb_png: str = Field(description="the picture, PNG in base64")
    depth_png: str = Field(
        default="",
        description="depth along the optical axis in mm, 16-bit PNG in base64, 0 = no return; empty"
        " unless the server was asked for it",
    )
    intrinsics: list[list[float]] = Field(description="[3][3] px")
    is_solved: bool = Field(default=False, description="whether the task was solved; at the end")
    terms: dict[str, float] = Field(
        default_factory=dict, description="what each reward term paid for the last answer"
    )


class PointingState(State):
    """The running episode; nothing that tells where to point."""

    task: str = Field(default="", description="kind of the task")
    start: str = Field(default="", description="sha256 of the start: equal in a group")
    total: float = Field(default=0.0, description="what the episode has earned so far")
    is_over: bool = Field(default=True, description="whether no answer is taken")
