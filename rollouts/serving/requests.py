"""What a request asks: its JSON, its pictures, and the observation that a policy gets of them."""

import base64
import binascii
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from refergym.agents.asking import taken_apart
from refergym.envs.types import Observation

T = TypeVar("T")
FORMATS = ("PNG", "JPEG", "WEBP")


class RequestError(ValueError):
    """A request that cannot be answered; `status` is a 4xx, the message names the field."""

    def __init__(self, message: str, status: int = 400) -> None:
        """Take the message and the HTTP status."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Lens:
    """What a picture alone does not tell, and an observation has."""

    fov: float
    """degrees, horizontal: of the intrinsics"""
    near: float
    """m: where relative inverse depth is brightest"""
    far: float
    """m: where it is black"""
    max_pixels: int
    """of a picture"""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    observation: Observation
    seed: int
    """of the answer; follows from the request"""


class _Query(msgspec.Struct, kw_only=True):
    """RoboRefer's request; further fields are passed over."""

    image_url: list[str] = []
    depth_url: list[str] | None = None
    enable_depth: bool | int = 0
    text: str = ""


class _Message(msgspec.Struct, kw_only=True):
    role: str
    content: str | list[dict[str, Any]] | None = None


class _Chat(msgspec.Struct, kw_only=True):
    """OpenAI's request; sampling settings belong to the policy and are passed over."""

    messages: list[_Message]
    seed: int | None = None
    stream: bool | None = None
    n: int | None = None


def read_query(body: bytes, suffixes: Sequence[str], lens: Lens) -> Asked:
    """Read the body of `POST /query`.

    Args:
        body: JSON.
        suffixes: what ends an instruction.
        lens: of the observation.

    Raises:
        RequestError: naming the field that is wrong.
    """
    query = _decoded(body, _Query)
    if len(query.image_url) != 1:
        raise RequestError(f"image_url: expected one picture, got {len(query.image_url)}")
    rgb = _rgb(_opened(query.image_url[0], "image_url[0]", lens), "image_url[0]")
    height, width, _ = rgb.shape
    depth: NDArray[np.float32] = np.zeros((height, width), np.float32)
    pictures = query.depth_url or []
    if query.enable_depth and pictures:
        if len(pictures) != 1:
            raise RequestError(f"depth_url: expected one picture or none, got {len(pictures)}")
        depth = _depth(_opened(pictures[0], "depth_url[0]", lens), "depth_url[0]", lens)
        if len(depth) != height or len(depth[0]) != width:
            raise RequestError(
                f"depth_url[0]: {len(depth[0])}x{len(depth)} px, but image_url[0] has"
                f" {width}x{height}"
            )
    return _asked(query.text, "text", rgb, depth, suffixes, lens, seed=None)


def read_chat(body: bytes, suffixes: Sequence[str], lens: Lens) -> Asked:
    """Read the body of `POST /v1/chat/completions`: text and picture of the last user message.

    Args:
        body: JSON.
        suffixes: what ends an instruction.
        lens: of the observation.

    Raises:
        RequestError: naming the field that is wrong.
    """
    chat = _decoded(body, _Chat)
    if chat.stream:
        raise RequestError("stream: answers come in one piece here; leave it out")
    if chat.n not in (None, 1):
        raise RequestError(f"n: expected 1, got {chat.n}")
    if chat.seed is not None and chat.seed < 0:
        raise RequestError(f"seed: expected >= 0, got {chat.seed}")
    place = max((i for i, m in enumerate(chat.messages) if m.role == "user"), default=None)
    if place is None:
        raise RequestError('messages: expected one with role "user"')
    content, where = chat.messages[place].content, f"messages[{place}].content"
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    texts, urls = [], []
    for k, part in enumerate(parts):
        kind = part.get("type")
        if kind == "text":
            texts.append(_string(part.get("text"), f"{where}[{k}].text"))
        elif kind == "image_url":
            held = part.get("image_url")
            url = held.get("url") if isinstance(held, dict) else held
            urls.append((_string(url, f"{where}[{k}].image_url.url"), f"{where}[{k}].image_url"))
        else:
            raise RequestError(
                f'{where}[{k}].type: expected "text" or "image_url", got {kind!r:.40}'
            )
    if len(urls) != 1:
        raise RequestError(f"{where}: expected one picture, got {len(urls)}")
    url, at = urls[0]
    if not url.startswith("data:"):
        raise RequestError(f"{at}: expected a data: URL; nothing is fetched from elsewhere")
    rgb = _rgb(_opened(url, at, lens), at)
    depth = np.zeros(rgb.shape[:2], np.float32)
    return _asked("\n".join(texts), where, rgb, depth, suffixes, lens, seed=chat.seed)


def depth_of_disparity(picture: NDArray[np.uint8], near: float, far: float) -> NDArray[np.float32]:
    """Turn relative inverse depth into metres; `relative_inverse_depth` gives the picture again.

    The true scale is unknown: 255 is taken for `near`, 0 for `far`.

    Args:
        picture: [H, W] near is bright.
        near: m.
        far: m.

    Returns:
        [H, W] m along the optical axis.
    """
    levels = picture.astype(np.float64)
    # half a level up within the range, as whoever makes the picture rounds down
    levels[(picture > 0) & (picture < 255)] += 0.5
    disparity = 1 / far + levels / 255 * (1 / near - 1 / far)
    return (1 / disparity).astype(np.float32)


def _asked(
    text: str,
    where: str,
    rgb: NDArray[np.uint8],
    depth: NDArray[np.float32],
    suffixes: Sequence[str],
    lens: Lens,
    seed: int | None,
) -> Asked:
    instruction, feedback = taken_apart(text, suffixes)
    if not instruction:
        raise RequestError(f"{where}: expected an instruction")
    height, width = depth.shape
    focal = width / 2 / math.tan(math.radians(lens.fov) / 2)
    observation: Observation = {
        "rgb": rgb,
        "depth": depth,
        "intrinsics": np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]]),
        "instruction": instruction,
        "holding": 0,
        "event": 0,
        "feedback": feedback,
    }
    if seed is None:
        digest = hashlib.sha256(text.encode("utf-8", "replace"))
        digest.update(rgb.tobytes())
        digest.update(depth.tobytes())
        seed = int.from_bytes(digest.digest()[:8], "little")
    return Asked(observation=observation, seed=seed & (2**63 - 1))


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise RequestError(f"body: {' '.join(str(e).split())[:200]}") from None


def _string(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{where}: expected a string, got {value!r:.40}")
    return value


def _opened(encoded: str, where: str, lens: Lens) -> Any:
    """Decode a picture, once its header says that it is not too large."""
    from PIL import Image

    if encoded.startswith("data:"):
        encoded = encoded.partition(",")[2]
    try:
        data = base64.b64decode(encoded)
    except (binascii.Error, ValueError) as e:
        raise RequestError(f"{where}: no base64: {e}") from None
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = picture.size
    except Exception as e:  # noqa: BLE001 - decoders raise whatever they like at damaged files
        raise RequestError(
            f"{where}: no picture ({', '.join(FORMATS)}): {type(e).__name__}"
        ) from None
    if width * height > lens.max_pixels:
        raise RequestError(
            f"{where}: {width}x{height} px; at most {lens.max_pixels} px are taken", 413
        )
    try:
        picture.load()
    except Exception as e:  # noqa: BLE001 - as above
        raise RequestError(f"{where}: a damaged picture: {type(e).__name__}") from None
    return picture


def _rgb(picture: Any, where: str) -> NDArray[np.uint8]:
    if picture.mode not in ("RGB", "RGBA", "L", "LA", "P", "CMYK"):
        raise RequestError(f"{where}: expected 8 bits a channel, got mode {picture.mode}")
    return np.array(picture.convert("RGB"), np.uint8)


def _depth(picture: Any, where: str, lens: Lens) -> NDArray[np.float32]:
    return depth_of_disparity(_rgb(picture, where)[..., 0], lens.near, lens.far)
