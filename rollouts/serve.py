"""`refergym serve`: a policy that has words, behind RoboRefer's and OpenAI's HTTP protocols."""

import contextlib
import ipaddress
import logging
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from rich.console import Console

from refergym.agents.errors import MissingExtra
from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts import arguments, config
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import made_policy, with_dialect
from refergym.rollouts.serving.app import Limits, Service, build_app
from refergym.rollouts.serving.requests import Lens

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger(__name__)
GRACE_S = 10
"""for requests in hand, once the server is told to stop"""
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/serve.yaml; their defaults and their meaning stand there."""

    policy: dict[str, Any]
    host: str
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    max_batch: Count
    max_wait_s: Annotated[float, msgspec.Meta(ge=0)]
    max_concurrent: Count
    max_body: Count
    max_pixels: Count
    body_timeout_s: Seconds
    timeout_s: Seconds
    fov: Annotated[float, msgspec.Meta(gt=0, lt=180)]
    near: Seconds
    far: Seconds
    thoughts: bool


def build_service(overrides: Sequence[str] = (), config_dir: str | None = None) -> Service:
    """Make the service that the command runs, without listening anywhere.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.

    Raises:
        ConfigError: if a key or a value is wrong, or the policy cannot be served.
        AgentError: if the policy's own server is not there.
    """
    return _service(_settings(overrides, config_dir), config_dir)


def build_server(service: Service) -> "uvicorn.Server":
    """Make the server of a service; it listens once it is run.

    Raises:
        MissingExtra: without starlette or uvicorn.
    """
    try:
        import uvicorn
    except ImportError:
        raise MissingExtra(
            "serving needs uvicorn, which is not installed; run: pip install 'refergym[serve]'"
        ) from None
    return uvicorn.Server(
        uvicorn.Config(
            build_app(service),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """Open the socket of a server.

    Raises:
        ConfigError: if that address cannot be listened at.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, proto)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind(address)
            opened.listen()  # whoever reads the address may ask before the server runs
        except OSError:
            opened.close()
            raise
    except (OSError, UnicodeError) as e:
        reason = getattr(e, "strerror", None) or e
        raise ConfigError(f"port: cannot listen at {host}:{port}: {reason}; choose another") from e
    return opened


def main(argv: Sequence[str]) -> int:
    """Run the command until it is stopped by a signal.

    Args:
        argv: what follows "serve" on the command line.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("serve", "serve", argv)
    settings = _settings(words.overrides, words.config_dir)
    service = _service(settings, words.config_dir)
    server = build_server(service)
    console = Console()
    with contextlib.closing(listen(settings.host, settings.port)) as opened:
        host, port = opened.getsockname()[:2]
        if not ipaddress.ip_address(host).is_loopback:
            log.warning("%s: whoever reaches this address can use the policy", host)
        at = f"[{host}]" if ":" in host else host
        console.print(
            f"Serving {service.policy.name} at http://{at}:{port}: POST /query,"
            " POST /v1/chat/completions; Ctrl-C stops",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
        try:
            server.run(sockets=[opened])
        finally:
            queue = service.batcher
            console.print(
                f"Answered {queue.answered} requests in {queue.batches} batches, turned"
                f" {service.refused} away"
            )
    return 0


def _settings(overrides: Sequence[str], config_dir: str | None) -> Settings:
    composed = config.compose("serve", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    if settings.near >= settings.far:
        raise ConfigError(f"near: expected less than far={settings.far:g}, got {settings.near:g}")
    return settings


def _service(settings: Settings, config_dir: str | None) -> Service:
    policy = made_policy(with_dialect(settings.policy, config_dir))
    limits = Limits(
        max_batch=settings.max_batch,
        max_wait_s=settings.max_wait_s,
        max_concurrent=settings.max_concurrent,
        max_body=settings.max_body,
        body_timeout_s=settings.body_timeout_s,
        timeout_s=settings.timeout_s,
    )
    lens = Lens(
        fov=settings.fov, near=settings.near, far=settings.far, max_pixels=settings.max_pixels
    )
    service = Service(policy, limits, lens, thoughts=settings.thoughts)
    check = getattr(policy, "check", None)
    if check is not None:
        check()
    return service
