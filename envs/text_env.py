"""TextEnv: the policy's raw words are the action, and rewards say what each answer was worth.

A step: words -> blocks -> a point in the policy's dialect -> `ReferEnv.step` -> reward terms and
what a failed step failed by. Whatever a policy writes, a step never raises: words without a usable
point are a used step.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from refergym.envs.answers import AnswerReader, ReadAnswer
from refergym.envs.attribution import attribute
from refergym.envs.errors import ActionError, EnvError
from refergym.envs.feedback import FEEDBACK
from refergym.envs.refer_env import ReferEnv
from refergym.envs.replies import LONGEST
from refergym.envs.rewards.reward_set import Ledger, RewardSet
from refergym.envs.rewards.turns import Turn
from refergym.envs.truth import stages_needed
from refergym.envs.types import Event

CHARSET = "".join(map(chr, range(32, 127))) + "\n"
"""of the action space and of what is sampled from it; other characters are taken too"""
Stepped = tuple[dict[str, Any], float, bool, bool, dict[str, Any]]


class TextEnv(gym.Env[dict[str, Any], str]):
    """Refer to a thing or a place in words; see `ReferEnv` for scenes, tasks and truth.

    Observations are those of `ReferEnv` and `feedback`, what the last step did, in words.

    Attributes:
        refer: the environment that the points go to.
        reader: reads the words; None plays policies that only point.
        rewards: what is paid; None pays what `ReferEnv` does: 1 for success.
        turn: the last step, as reward terms see it; None before the first.
    """

    metadata = ReferEnv.metadata

    def __init__(
        self,
        refer: ReferEnv,
        *,
        reader: AnswerReader | None = None,
        rewards: RewardSet | None = None,
    ) -> None:
        """Put the parts together."""
        self.refer = refer
        self.reader = reader
        self.rewards = rewards
        self.render_mode = refer.render_mode
        self.action_space = spaces.Text(LONGEST, min_length=0, charset=CHARSET)
        seen = refer.observation_space
        assert isinstance(seen, spaces.Dict), "what a ReferEnv has"
        words = "".join(FEEDBACK.values())
        self.observation_space = spaces.Dict(
            {
                **seen.spaces,
                "feedback": spaces.Text(
                    max(map(len, FEEDBACK.values())),
                    min_length=0,
                    charset="".join(sorted(set(words))),
                ),
            }
        )
        self.turn: Turn | None = None
        self._ledger: Ledger | None = None
        self._info: dict[str, Any] = {}
        self._progress = 0.0

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode; as `ReferEnv.reset`."""
        super().reset(seed=seed)
        self._ledger = self.turn = None
        observation, info = self.refer.reset(seed=seed, options=options)
        self._info = info
        self._progress = self.refer.verdict.progress
        if self.rewards is not None:
            stages = stages_needed(info["start"].task, self.refer.layout)
            self._ledger = self.rewards.ledger(stages, self._progress)
        return {**observation, "feedback": FEEDBACK[Event.NONE]}, info

    def step(self, action: str) -> Stepped:
        """Act on a policy's raw words.

        Returns:
            As `ReferEnv.step`, with the reward of `rewards`. info has besides: "reply" (Reply or
            None), "problem" and "detail" (why there was no point), "reward_terms" (name -> {"raw",
            "paid"}) and "cause" (what the step failed by, see `attribution`; None if it did not).

        Raises:
            ActionError: if the action is no text. No text is too bad to be a step.
            EnvError: before reset, after the end, or without a reader.
        """
        return self.answer(action)

    def answer(
        self,
        text: str,
        *,
        reader: AnswerReader | None = None,
        image_size: tuple[int, int] | None = None,
    ) -> Stepped:
        """Act on words; as `step`.

        Args:
            text: the policy's raw words.
            reader: of this policy; None takes the environment's.
            image_size: px (width, height) of the picture as the policy saw it; None takes the
                observation's.
        """
        if not isinstance(text, str):
            raise ActionError(f"action: expected a policy's words, got {text!r:.80}")
        reader = reader or self.reader
        if reader is None:
            raise EnvError("step: no reader; say in which dialect the policy points")
        return self.take(reader.read(text, image_size or self.image_size), text)

    def point(self, point_uv: tuple[float, float]) -> Stepped:
        """Act on the point (u, v) of a policy that has no words; as `step`."""
        return self.take(ReadAnswer(point_uv=point_uv))

    def fail_step(self, reason: str) -> Stepped:
        """Use up a step for an answer without a usable point; as `step`."""
        return self.take(ReadAnswer(problem="no_point", detail=reason))

    def take(self, read: ReadAnswer, text: str = "") -> Stepped:
        """Act on what was read in a policy's words; as `step`."""
        truth = self._info.get("truth")
        if read.point_uv is None:
            stepped = self.refer.fail_step(read.detail)
        else:
            stepped = self.refer.step(np.array(read.point_uv, np.float64))
        observation, reward, terminated, truncated, info = stepped
        assert truth is not None, "a step without reset was refused"
        act, verdict = self.refer.acts[-1], self.refer.verdict
        self.turn = turn = Turn(
            text=text,
            reply=read.reply,
            problem=read.problem,
            points=read.points,
            image_size=self.image_size,
            truth=truth,
            act=act,
            verdict=verdict,
            before=self._progress,
            is_last=terminated or truncated,
            index=len(self.refer.acts) - 1,
            limit=self.refer.limit,
            acts=self.refer.acts,
        )
        terms = {}
        if self._ledger is not None:
            values = self._ledger.pay(turn)
            terms = {name: {"raw": v.raw, "paid": v.paid} for name, v in values.items()}
            reward = sum(v.paid for v in values.values())
        info |= {
            "reply": read.reply,
            "problem": read.problem,
            "reward_terms": terms,
            "cause": attribute(truth, act, info["truth"], verdict, is_cut=truncated),
        }
        self._info, self._progress = info, verdict.progress
        return {**observation, "feedback": FEEDBACK[act.event]}, reward, terminated, truncated, info

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture [H, W, 3] with the points so far drawn."""
        return self.refer.render()

    def close(self) -> None:
        """Release the simulator and the renderer; idempotent."""
        self.refer.close()

    @property
    def image_size(self) -> tuple[int, int]:
        """Px (width, height) of the running episode's pictures."""
        if self.refer.start is None:
            raise EnvError("image_size: no episode yet; call reset() first")
        camera = self.refer.start.scene.camera
        return camera.width, camera.height
