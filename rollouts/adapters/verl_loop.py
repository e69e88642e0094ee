"""verl: an agent loop that plays episodes of words; importing it needs verl.

verl finds it by a yaml that `actor_rollout_ref.rollout.agent.agent_loop_config_path` names:

    - name: refergym
      _target_: refergym.rollouts.adapters.verl_loop.EpisodeLoop
      place: {task: pick_place, backend: kinematic, dialect: qwen2_5_vl, reward: sim}

Source: https://verl.readthedocs.io/en/latest/advance/agent_loop.html
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from refergym.rollouts.adapters.needed import missing

try:
    from verl.experimental.agent_loop.agent_loop import (
        AgentLoopBase,
        AgentLoopMetrics,
        AgentLoopOutput,
    )
    from verl.utils.profiler import simple_timer
except ModuleNotFoundError as e:
    if e.name is None or e.name.partition(".")[0] != "verl":
        raise
    raise missing("verl", "verl") from e

from PIL import Image

from refergym.rollouts.adapters.place import Place, place_of
from refergym.rollouts.adapters.playing import Playing
from refergym.rollouts.adapters.seats import Seat, seated
from refergym.rollouts.adapters.seeing import seen_size
from refergym.rollouts.errors import ConfigError

Message = dict[str, Any]


# no @register: it would take the yaml's entry, and with it the place, away on the first import
class EpisodeLoop(AgentLoopBase):
    """Plays one episode: the model's raw words are the action of every turn.

    Tokens go in and come out: what the server sampled is trained on as it is, with a response mask
    of 1; the environment's pictures and words have 0.
    """

    def __init__(self, *args: Any, place: Place | Mapping[str, Any] | None = None, **kwargs: Any):
        """Take verl's parts, and where to play: a mapping with the fields of `Place`."""
        super().__init__(*args, **kwargs)
        self._place = place_of(place or {})
        self._limit = int(self.rollout_config.response_length)

    async def run(self, sampling_params: dict[str, Any], **kwargs: Any) -> Any:
        """Play the episode of a row (`verl_rows.rows`); returns verl's AgentLoopOutput.

        Args:
            sampling_params: of verl, for each answer.
            kwargs: columns of the row: "extra_info" has its start; of "raw_prompt" the system
                message is kept, the rest is what the environment says.
        """
        start = (kwargs.get("extra_info") or {}).get("start", "")
        if not start:
            raise ConfigError(
                "extra_info.start: required, but missing: make the rows by "
                "refergym.rollouts.adapters.verl_rows.rows"
            )
        ahead = [dict(m) for m in kwargs.get("raw_prompt", ()) if m["role"] == "system"]
        async with seated(self._place) as seat:
            return await self._episode(seat, str(start), ahead, sampling_params)

    async def _episode(
        self, seat: Seat, start: str, ahead: list[Message], sampling_params: dict[str, Any]
    ) -> Any:
        shown, words = await seat.play(lambda p: _begun(p, start))
        size = self._place.seen_size or seen_size(self.processor, shown.size)
        messages = [*ahead, _told(words, shown)]
        images = [shown]
        self._assert_mm_supported(True)
        tokens = await self.ct_build_initial_tokens(messages, images=images)
        mask: list[int] = []
        likely: list[float] | None = None
        timing: dict[str, Any] = {}
        request, is_over = uuid4().hex, False
        while True:
            with simple_timer("generate_sequences", timing):
                output = await self.server_manager.generate(
                    request_id=request, prompt_ids=tokens, sampling_params=sampling_params,
                    image_data=images,
                )  # fmt: skip
            if output.log_probs and likely is None:
                likely = [0.0] * len(mask)
            merged, mask, likely = await self.ct_merge_assistant_token(
                tokens, output.token_ids, mask, likely, assistant_logprobs=output.log_probs or None
            )
            tokens = merged.token_ids
            text = self.tokenizer.decode(output.token_ids, skip_special_tokens=True)
            with simple_timer("tool_calls", timing):
                shown, words, is_over = await seat.play(lambda p: _answered(p, text, size))  # noqa: B023
            if is_over or len(mask) >= self._limit:
                break
            before = [*messages, {"role": "assistant", "content": text}]
            messages = [*before, _told(words, shown)]
            merged, longer, longer_likely = await self.ct_merge_context_msg(
                before, messages, tokens, mask, likely
            )
            if len(longer) >= self._limit:  # no room for another answer
                break
            tokens, mask, likely = merged.token_ids, longer, longer_likely
            images = [*images, shown]
        result = await seat.play(_result)
        return AgentLoopOutput(
            prompt_ids=tokens[: len(tokens) - len(mask)],
            response_ids=tokens[len(tokens) - len(mask) :][: self._limit],
            response_mask=mask[: self._limit],
            response_logprobs=likely[: self._limit] if likely else None,
            multi_modal_data={"images": images},
            reward_score=sum(result["turn_scores"]),
            num_turns=2 * len(result["turn_scores"]),
            metrics=AgentLoopMetrics(**timing),
            extra_fields={**result, "tool_rewards": []},
        )


def _begun(playing: Playing, start: str) -> tuple[Image.Image, str]:
    playing.begin(start=start)
    return Image.fromarray(playing.observation["rgb"]), playing.words


def _answered(playing: Playing, text: str, size: tuple[int, int]) -> tuple[Image.Image, str, bool]:
    playing.answer(text, size)
    return Image.fromarray(playing.observation["rgb"]), playing.words, playing.is_over


def _result(playing: Playing) -> dict[str, Any]:
    solved = float(playing.is_solved)
    return {"turn_scores": list(playing.rewards), "reward_extra_info": {"is_solved": solved}}


def _told(words: str, shown: Image.Image) -> Message:
    content: Sequence[Message] = [
        {"type": "image", "image": shown},
        {"type": "text", "text": words},
    ]
    return {"role": "user", "content": content}
