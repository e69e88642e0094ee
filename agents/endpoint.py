"""A model's server: JSON out, JSON in; bounded in time, in size and in tries.

Whatever a server does (hangs, drips, breaks off, answers HTML, half a JSON, an error), a request
ends in the decoded answer or in a `ServerError` of one line. A secret is in neither.
"""

import asyncio
import concurrent.futures
import contextlib
import json
import logging
import re
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from refergym.agents.errors import MissingExtra, ServerError

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)
T = TypeVar("T")
Gate = Callable[[], contextlib.AbstractAsyncContextManager[None]]
LARGEST = 4 * 1024 * 1024
"""bytes of an answer at most"""
LONGEST_WAIT_S = 30.0
"""between two tries, whatever the server asks for"""
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""states that may be over at the next try"""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Endpoint:
    """One server, by its base address.

    Attributes:
        url: without a slash at its end.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        retries: int,
        backoff_s: float,
        repeat_slow: bool = True,
    ) -> None:
        """Check the settings; nothing is sent.

        Args:
            url: http or https, without a password, query or fragment.
            timeout_s: s for a whole exchange, connection and answer together.
            retries: further tries after what may pass: no connection, 429, 5xx, a time-out.
            backoff_s: s before the first of them; doubled each time, at most LONGEST_WAIT_S.
            repeat_slow: whether a time-out is tried again; not where the server goes on working.

        Raises:
            ValueError: naming the key that is wrong; never with a password in it.
        """
        self.url = _checked(url)
        if not timeout_s > 0:
            raise ValueError(f"timeout_s: expected > 0, got {timeout_s}")
        if retries < 0:
            raise ValueError(f"retries: expected >= 0, got {retries}")
        if not backoff_s >= 0:
            raise ValueError(f"backoff_s: expected >= 0, got {backoff_s}")
        self._timeout_s, self._retries, self._backoff_s = timeout_s, retries, backoff_s
        self._repeat_slow = repeat_slow
        self._tls: ssl.SSLContext | None = None

    @contextlib.asynccontextmanager
    async def connected(self, most: int = 1) -> AsyncIterator["httpx.AsyncClient"]:
        """Open a client for at most so many requests at once.

        Raises:
            MissingExtra: without httpx.
        """
        httpx = _httpx()
        is_local = urlsplit(self.url).hostname in LOOPBACK
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        async with httpx.AsyncClient(
            verify=self._tls,
            timeout=self._timeout_s,
            limits=httpx.Limits(max_connections=most),
            trust_env=not is_local,  # no proxy between two programs of one machine
            headers={"Accept": "application/json", "User-Agent": "refergym"},
        ) as client:
            yield client

    async def post(
        self,
        client: "httpx.AsyncClient",
        path: str,
        body: dict[str, Any],
        *,
        secret: str = "",
        gate: Gate = contextlib.nullcontext,
    ) -> Any:
        """Send JSON and return the JSON that comes back.

        Args:
            client: of `connected`.
            path: behind the base address, with its slash.
            body: what to send.
            secret: sent as a bearer token; hidden from all that is returned, raised or logged.
            gate: held during each try.

        Raises:
            ServerError: if no try gave JSON.
        """
        content = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        wait = self._backoff_s
        for tried in range(self._retries + 1):
            try:
                async with gate():
                    status, kind, answer = await self._exchange(
                        client, "POST", path, content=content, headers=headers
                    )
                return self._read(status, kind, answer, path, secret)
            except _PassingError as e:
                if tried == self._retries:
                    tries = f" ({tried + 1} tries)" if tried else ""
                    raise ServerError(f"{e}{tries}") from None
                pause = min(max(wait, e.asked_s), LONGEST_WAIT_S)
                log.info("%s; trying again in %.1f s", e, pause)
            await asyncio.sleep(pause)
            wait *= 2
        raise AssertionError("the last try returns or raises")

    async def get(self, client: "httpx.AsyncClient", path: str) -> None:
        """Ask for a path once, and take any answer that is no error.

        Raises:
            ServerError: if there is none.
        """
        try:
            status, _, answer = await self._exchange(client, "GET", path)
        except _PassingError as e:
            raise ServerError(str(e)) from None
        if status >= 300:
            raise ServerError(f"{self.url}{path}: HTTP {status}{_said(answer)}")

    async def _exchange(
        self, client: "httpx.AsyncClient", method: str, path: str, **sent: Any
    ) -> tuple[int, "httpx.Headers", bytes]:
        """Send one request and read all of its answer; the time-out is for both together."""
        httpx = _httpx()
        where = f"{self.url}{path}"
        answer = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                client.stream(method, where, **sent) as response,
            ):
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > LARGEST:
                        raise ServerError(f"{where}: more than {LARGEST} bytes of answer")
                return response.status_code, response.headers, bytes(answer)
        except (TimeoutError, httpx.TimeoutException):
            text = f"{where}: no whole answer within timeout_s={self._timeout_s:g}"
            if self._repeat_slow:
                raise _PassingError(text) from None
            raise ServerError(text) from None
        except (httpx.ConnectError, httpx.NetworkError, httpx.RemoteProtocolError) as e:
            raise _PassingError(f"{where}: {_one_line(str(e)) or type(e).__name__}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            # h11 may quote a header that it refuses, so of the rest only the kind is told
            raise ServerError(f"{where}: {type(e).__name__}") from None

    def _read(
        self, status: int, headers: "httpx.Headers", answer: bytes, path: str, secret: str
    ) -> Any:
        """Decode an answer; raises what its state asks for."""
        where = f"{self.url}{path}"
        if secret:
            answer = answer.replace(secret.encode(), b"***")
        if status != 200:
            text = f"{where}: HTTP {status}{_said(answer)}"
            if status in PASSING:
                raise _PassingError(text, _asked(headers.get("retry-after", "")))
            raise ServerError(text)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not (kind == "application/json" or kind.endswith("+json")):
            got = hidden(_one_line(kind)[:80], secret) or "no content type"
            raise ServerError(f"{where}: expected application/json, got {got}{_said(answer)}")
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise ServerError(f"{where}: no whole JSON{_said(answer)}") from None


class _PassingError(Exception):
    """What may be over at the next try."""

    def __init__(self, text: str, asked_s: float = 0.0) -> None:
        super().__init__(text)
        self.asked_s = asked_s


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, also where a loop runs already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def hidden(text: str, secret: str) -> str:
    """Return a text without the secret."""
    return text.replace(secret, "***") if secret else text


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except (ValueError, TypeError, AttributeError):
        raise ValueError("url: not a readable address") from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError(
            "url: expected an address alone, without user, password, query or fragment; keys come"
            " from an environment variable"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not has_port:
        raise ValueError(f"url: expected http://HOST:PORT or https://HOST, got {url!r:.120}")
    return url.rstrip("/")


def _asked(retry_after: str) -> float:
    """Seconds that a server asks to wait for; 0 where it gives a date or nothing."""
    return float(retry_after) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", retry_after) else 0.0


def _said(answer: bytes) -> str:
    """Return the beginning of what a server said, as the end of a message."""
    text = answer[:4096].decode("utf-8", "replace")
    try:
        error = json.loads(answer)["error"]
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError, RecursionError):
        text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    line = _one_line(text)
    return f": {line[:200]}" if line else ": nothing more was said"


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _httpx() -> ModuleType:
    try:
        import httpx
    except ImportError:
        raise MissingExtra(
            "models on servers need httpx, which is not installed; run: pip install"
            " 'refergym[serve]'"
        ) from None
    return httpx
