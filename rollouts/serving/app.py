"""The routes: RoboRefer's `POST /query` and `GET /`, OpenAI's chat completions, models, health.

Bodies must be JSON by their content type, which no web page can send here unasked. What is wrong
with a request is said in JSON, `{"error": {"message", "type"}}`.

Source: API/api.py of https://github.com/Zhoues/RoboRefer.
"""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refergym.agents.errors import MissingExtra
from refergym.agents.policy import Answer, Policy
from refergym.envs.answers import AnswerReader
from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.errors import AnswerError
from refergym.envs.replies import read_reply
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import reader_of
from refergym.rollouts.serving.batcher import Batcher, PolicyFailedError, StoppingError
from refergym.rollouts.serving.requests import (
    Asked,
    Lens,
    RequestError,
    read_chat,
    read_query,
)

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)
RETRY_AFTER_S = 1
OWN_FORM = ("roborefer", "robopoint")
"""dialects that RoboRefer's clients read as they are"""
Read = Callable[[bytes, Sequence[str], Lens], Asked]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the server takes on."""

    max_batch: int
    """requests that the policy answers together"""
    max_wait_s: float
    """s that the first of a batch waits for others"""
    max_concurrent: int
    """requests in hand; further ones get 503"""
    max_body: int
    """bytes of a request"""
    body_timeout_s: float
    """s for a body to arrive"""
    timeout_s: float
    """s until a request is given up"""


class Service:
    """One policy and its queue, as the routes use it.

    Attributes:
        policy: what answers.
        batcher: its queue.
        refused: requests that found the server full.
    """

    def __init__(self, policy: Policy, limits: Limits, lens: Lens, *, thoughts: bool) -> None:
        """Put the parts together.

        Args:
            policy: one with words, not privileged.
            limits: what the server takes on.
            lens: of the observations.
            thoughts: whether answers to `/query` keep what stands round the answer.

        Raises:
            ConfigError: if the policy needs the truth, or has no words.
        """
        reader = reader_of(policy)
        if policy.privileged:
            raise ConfigError(
                f"policy: {policy.name} needs the simulator's truth, which no request has; serve"
                " one that sees pictures alone"
            )
        if reader is None:
            raise ConfigError(f"policy: {policy.name} has no words to answer with, only points")
        self.policy, self.limits, self._lens = policy, limits, lens
        self._reader: AnswerReader = reader
        self._thoughts = thoughts
        self._suffixes = tuple(dict.fromkeys((reader.dialect.suffix, RoboRefer.suffix)))
        self.batcher = Batcher(policy, limits.max_batch, limits.max_wait_s)
        self._in_hand = 0
        self.refused = 0

    async def query(self, request: "Request") -> "Response":
        """Answer `POST /query`."""

        def words(asked: Asked, answer: Answer) -> dict[str, Any]:
            return {"result": 1, "answer": self._for_roborefer(asked, answer)}

        return await self._answer(request, read_query, words)

    async def chat(self, request: "Request") -> "Response":
        """Answer `POST /v1/chat/completions`."""
        return await self._answer(request, read_chat, self._completion)

    async def _answer(
        self, request: "Request", read: Read, write: Callable[[Asked, Answer], dict[str, Any]]
    ) -> "Response":
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import ClientDisconnect
        from starlette.responses import JSONResponse, Response

        is_full = self._in_hand >= self.limits.max_concurrent
        if is_full:
            self.refused += 1
        else:
            self._in_hand += 1
        try:
            # also of one that is refused: most clients read no answer before they have sent all
            body = await self._body(request, keep=not is_full)
            if is_full:
                return _failure(503, "too many requests at once", retry=True)
            asked = await run_in_threadpool(read, body, self._suffixes, self._lens)
            async with asyncio.timeout(self.limits.timeout_s):
                answer = await self.batcher.ask(asked)
            return JSONResponse(write(asked, answer))
        except RequestError as e:
            return _failure(e.status, str(e))
        except TimeoutError:
            text = f"no answer within timeout_s={self.limits.timeout_s:g}"
            return _failure(503, text, retry=True)
        except StoppingError:
            return _failure(503, "the server is going down", retry=True)
        except PolicyFailedError as e:
            return _failure(500, f"the policy failed: {e}")
        except ClientDisconnect:
            return Response(status_code=499)  # nobody reads it
        finally:
            if not is_full:
                self._in_hand -= 1

    async def _body(self, request: "Request", *, keep: bool) -> bytes:
        """Read a body within its limits; raises RequestError."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        most = self.limits.max_body
        too_large = RequestError(f"body: more than {most} bytes", 413)
        said = request.headers.get("content-length", "")
        if said.isdecimal() and int(said) > most:
            raise too_large
        body, size = bytearray(), 0
        try:
            async with asyncio.timeout(self.limits.body_timeout_s):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > most:
                        raise too_large
                    if keep:
                        body += chunk
        except TimeoutError:
            text = f"body: not all of it came within {self.limits.body_timeout_s:g} s"
            raise RequestError(text, 408) from None
        if kind != "application/json":
            got = repr(kind[:80]) if kind else "none"
            raise RequestError(f"content-type: expected application/json, got {got}", 415)
        return bytes(body)

    def _for_roborefer(self, asked: Asked, answer: Answer) -> str:
        """Write an answer as RoboRefer's clients read it: a bare list of tuples."""
        text = answer.text
        if self._reader.dialect.name not in OWN_FORM:
            height, width = asked.observation["rgb"].shape[:2]
            size = answer.image_size or (width, height)
            points = self._reader.read(text, size).points
            return RoboRefer().format(points, size) if points else text
        if self._thoughts:
            return text
        try:
            reply = read_reply(text)
        except AnswerError:
            return text
        return reply.answer if reply.answer else text

    def _completion(self, asked: Asked, answer: Answer) -> dict[str, Any]:
        number = hashlib.sha256(f"{asked.seed} {answer.text}".encode("utf-8", "replace"))
        message = {"role": "assistant", "content": answer.text}
        return {
            "id": f"chatcmpl-{number.hexdigest()[:24]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.policy.name,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": 0,
                "completion_tokens": len(answer.tokens),
                "total_tokens": len(answer.tokens),
            },
        }


def build_app(service: Service) -> "Starlette":
    """Make the application of a service.

    Raises:
        MissingExtra: without starlette.
    """
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.requests import Request
        from starlette.responses import JSONResponse, PlainTextResponse, Response
        from starlette.routing import Route
    except ImportError:
        raise MissingExtra(
            "serving needs starlette, which is not installed; run: pip install 'refergym[serve]'"
        ) from None

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        await service.batcher.stop()

    async def index(request: Request) -> Response:
        return PlainTextResponse(f"refergym serves {service.policy.name}\n")

    async def health(request: Request) -> Response:
        queue = service.batcher
        return JSONResponse(
            {
                "status": "ok",
                "policy": service.policy.name,
                "waiting": queue.waiting,
                "answered": queue.answered,
                "batches": queue.batches,
                "refused": service.refused,
            }
        )

    async def models(request: Request) -> Response:
        name = service.policy.name
        one = {"id": name, "object": "model", "created": 0, "owned_by": "refergym"}
        return JSONResponse({"object": "list", "data": [one]})

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException), "what it is registered for"
        return _failure(error.status_code, f"{request.method} {request.url.path}: {error.detail}")

    async def bug(request: Request, error: Exception) -> Response:
        return _failure(500, f"{type(error).__name__}")

    return Starlette(
        routes=[
            Route("/", index, methods=["GET"]),
            Route("/health", health, methods=["GET"]),
            Route("/query", service.query, methods=["POST"]),
            Route("/v1/models", models, methods=["GET"]),
            Route("/v1/chat/completions", service.chat, methods=["POST"]),
        ],
        exception_handlers={HTTPException: http_error, Exception: bug},
        lifespan=lifespan,
    )


def _failure(status: int, message: str, *, retry: bool = False) -> "Response":
    from starlette.responses import JSONResponse

    kind = "server_error" if status >= 500 else "invalid_request_error"
    headers = {"Retry-After": str(RETRY_AFTER_S)} if retry else {}
    if status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body is not wanted
    return JSONResponse({"error": {"message": message, "type": kind}}, status, headers)
