"""A model behind any OpenAI-compatible `/chat/completions` that takes pictures.

The key comes from the environment variable that the config names, is read for each call, and stands
in no attribute, message, log or result.
"""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from refergym.agents import endpoint
from refergym.agents.asking import prompt
from refergym.agents.endpoint import Endpoint
from refergym.agents.errors import AgentError, ServerError
from refergym.agents.pictures import png_base64
from refergym.agents.policy import Answer
from refergym.envs.dialects.base import Dialect, Several
from refergym.envs.types import Observation

PATH = "/chat/completions"


class OpenAIPolicy:
    """Asks a server, several pictures at once.

    Attributes:
        dialect: how the model writes points.
        several: which point of several.
    """

    privileged = False

    def __init__(
        self,
        url: str,
        model: str,
        dialect: Dialect,
        several: Several,
        key_env: str | None,
        options: Mapping[str, Any],
        send_seed: bool,
        feedback: bool,
        concurrency: int,
        timeout_s: float,
        retries: int,
        backoff_s: float,
        name: str = "openai",
    ) -> None:
        """Check the settings; nothing is sent before the first answer.

        Args:
            url: up to and with "/v1".
            model: its name there.
            dialect: how the model writes points.
            several: which point of several.
            key_env: the environment variable that holds the key; none sends none.
            options: further fields of each request.
            send_seed: whether requests hold a `seed`.
            feedback: whether the prompt tells what the last step did.
            concurrency: requests at once of this process.
            timeout_s: s for one exchange.
            retries: further tries after what may pass.
            backoff_s: s before the first of them, doubled each time.
            name: in results.

        Raises:
            ValueError: naming the key that is wrong.
        """
        # whoever puts the key itself there must not find it in a message
        if key_env is not None and not re.fullmatch("[A-Z][A-Z0-9_]*", key_env):
            raise ValueError(
                "key_env: expected the name of an environment variable, in capitals, not the key"
            )
        if concurrency < 1:
            raise ValueError(f"concurrency: expected >= 1, got {concurrency}")
        self.name, self.dialect, self.several = name, dialect, several
        self.version = model
        self._key_env, self._options, self._send_seed = key_env, dict(options), send_seed
        self._feedback, self._concurrency = feedback, concurrency
        self._endpoint = Endpoint(url, timeout_s=timeout_s, retries=retries, backoff_s=backoff_s)

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act.

        Raises:
            ServerError: if the server fails.
            AgentError: without the key or httpx.
        """
        return endpoint.run(self._act(observations, seeds))

    def check(self) -> None:
        """Check what can be checked for free: that there is a key.

        Raises:
            AgentError: if the variable is not set, or holds what can be no key.
        """
        self._key()

    async def _act(self, observations: Sequence[Observation], seeds: Sequence[int]) -> list[Answer]:
        key = self._key()
        free = asyncio.Semaphore(self._concurrency)
        async with self._endpoint.connected(self._concurrency) as client:

            async def ask(seen: Observation, seed: int) -> Answer:
                async with free:
                    said = await self._endpoint.post(
                        client, PATH, self._request(seen, seed), secret=key
                    )
                return Answer(text=_answer(said, f"{self._endpoint.url}{PATH}", key))

            try:
                async with asyncio.TaskGroup() as group:
                    asked = [
                        group.create_task(ask(seen, seed))
                        for seen, seed in zip(observations, seeds, strict=True)
                    ]
            except* AgentError as failed:
                raise _first(failed) from None
            return [task.result() for task in asked]

    def _request(self, seen: Observation, seed: int) -> dict[str, Any]:
        picture = {"url": f"data:image/png;base64,{png_base64(seen['rgb'])}"}
        text = prompt(seen, self.dialect.suffix, feedback=self._feedback)
        content = [
            {"type": "text", "text": text},
            {"type": "image_url", "image_url": picture},
        ]
        request: dict[str, Any] = {
            "model": self.version,
            "messages": [{"role": "user", "content": content}],
            **self._options,
        }
        if self._send_seed:
            request["seed"] = seed & 0x7FFFFFFF  # many servers take 31 bits
        return request

    def _key(self) -> str:
        if self._key_env is None:
            return ""
        key = os.environ.get(self._key_env, "").strip()
        if not key:
            raise AgentError(f"key_env: the environment variable {self._key_env} is not set")
        if not (key.isascii() and key.isprintable() and " " not in key and len(key) >= 4):
            raise AgentError(f"key_env: what {self._key_env} holds can be no key")
        return key


def _first(failed: BaseExceptionGroup[AgentError]) -> AgentError:
    error: BaseException = failed
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, AgentError), "what except* took out"
    return error


def _answer(said: object, where: str, key: str) -> str:
    """Return the words of a completion; a model that says nothing is a server that failed."""
    try:
        message = said["choices"][0]["message"]  # type: ignore[index]
        words = message["content"]
        if isinstance(words, list):  # parts, as some servers have them
            words = "".join(part["text"] for part in words if part.get("type") == "text")
    except (KeyError, IndexError, TypeError, AttributeError):
        shown = endpoint.hidden(f"{said!r}", key)[:120]
        raise ServerError(f"{where}: expected choices[0].message.content, got {shown}") from None
    if not isinstance(words, str) or not words.strip():
        raise ServerError(f"{where}: the answer is empty")
    return endpoint.hidden(words, key)
