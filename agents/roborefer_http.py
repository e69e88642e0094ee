"""A RoboRefer behind its public HTTP server, `POST /query`; for evaluation, not for training.

The server is not safe for requests at once: one is in flight per server, whatever the number of
processes on this machine. A time-out is not tried again, as the server goes on working on it.

Source: API/api.py and API/query_model.py of https://github.com/Zhoues/RoboRefer.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from refergym.agents import endpoint
from refergym.agents.asking import prompt
from refergym.agents.endpoint import Endpoint
from refergym.agents.errors import ServerError
from refergym.agents.pictures import png_base64
from refergym.agents.policy import Answer
from refergym.envs.dialects.base import Dialect, Several
from refergym.envs.disparity import relative_inverse_depth
from refergym.envs.types import Observation

Depth = Literal["picture", "estimated", "none"]
DEPTHS = ("picture", "estimated", "none")
POLL_S = 0.005


class RoboReferHttpPolicy:
    """Asks a server, one picture after the other.

    Attributes:
        dialect: how the model writes points.
        several: which point of several.
    """

    privileged = False

    def __init__(
        self,
        url: str,
        dialect: Dialect,
        several: Several,
        depth: Depth,
        feedback: bool,
        timeout_s: float,
        retries: int,
        backoff_s: float,
        queue_s: float,
        name: str = "roborefer_http",
    ) -> None:
        """Check the settings; nothing is sent before the first answer.

        Args:
            url: of the server, without "/query".
            dialect: how the model writes points.
            several: which point of several.
            depth: "picture" sends relative inverse depth, "estimated" lets the server make its
                own, "none" asks without.
            feedback: whether the prompt tells what the last step did.
            timeout_s: s for one exchange.
            retries: further tries after what may pass.
            backoff_s: s before the first of them, doubled each time.
            queue_s: s to wait for other requests to this server at most.
            name: in results.

        Raises:
            ValueError: naming the key that is wrong.
        """
        if depth not in DEPTHS:
            raise ValueError(f"depth: expected one of {', '.join(DEPTHS)}, got {depth!r}")
        self.name, self.dialect, self.several = name, dialect, several
        self._depth, self._feedback, self._queue_s = depth, feedback, queue_s
        self._endpoint = Endpoint(
            url, timeout_s=timeout_s, retries=retries, backoff_s=backoff_s, repeat_slow=False
        )
        self._is_healthy = False

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act. The server takes no seeds.

        Raises:
            ServerError: if the server fails.
            MissingExtra: without httpx.
        """
        return endpoint.run(self._act(observations))

    def check(self) -> None:
        """Ask the server for its health.

        Raises:
            ServerError: if it is not there.
            MissingExtra: without httpx.
        """
        endpoint.run(self._check())

    async def _act(self, observations: Sequence[Observation]) -> list[Answer]:
        if not self._is_healthy:
            await self._check()
        async with self._endpoint.connected() as client:
            answers = []
            for seen in observations:
                said = await self._endpoint.post(
                    client, "/query", self._request(seen), gate=self._alone
                )
                answers.append(Answer(text=_answer(said, f"{self._endpoint.url}/query")))
            return answers

    async def _check(self) -> None:
        async with self._endpoint.connected() as client:
            await self._endpoint.get(client, "/")
        self._is_healthy = True

    def _request(self, seen: Observation) -> dict[str, Any]:
        depths = []
        if self._depth == "picture":
            depths = [png_base64(relative_inverse_depth(seen["depth"]))]
        return {
            "image_url": [png_base64(seen["rgb"])],
            "depth_url": depths,
            "enable_depth": int(self._depth != "none"),
            "text": prompt(seen, self.dialect.suffix, feedback=self._feedback),
        }

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold the right to ask this server; ends with the process that holds it."""
        name = hashlib.sha256(self._endpoint.url.encode()).hexdigest()[:16]
        path = Path(tempfile.gettempdir()) / f"refergym-{os.getuid()}-{name}.lock"
        until = time.monotonic() + self._queue_s
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            while not _locked(file):
                if time.monotonic() > until:
                    raise ServerError(
                        f"{self._endpoint.url}: other requests kept it busy for"
                        f" queue_s={self._queue_s:g}"
                    )
                await asyncio.sleep(POLL_S)
            yield
        finally:
            os.close(file)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _answer(said: object, where: str) -> str:
    """Return the words of a server's answer; a model that says nothing is a server that failed."""
    answer = said.get("answer") if isinstance(said, dict) else None
    if not isinstance(said, dict) or said.get("result") != 1 or not isinstance(answer, str):
        raise ServerError(f'{where}: expected {{"result": 1, "answer": str}}, got {said!r:.120}')
    if not answer.strip():
        raise ServerError(f"{where}: the answer is empty")
    return answer
