"""What passes between a simulator's process and ours: plain data as msgpack, in frames on a socket.

Nothing is pickled, so the two sides may be different Pythons. Arrays travel as raw bytes with their
type and shape. The first message is the worker's Hello, which every version can read.
"""

import math
import socket
import struct
import time
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from refergym.assets import errors as asset_errors
from refergym.assets.records import Record
from refergym.assets.spec import CameraSpec, Pose, SceneSpec
from refergym.envs import errors
from refergym.envs.types import Event, Frame, SkillResult, State

PROTOCOL = 1
"""goes up when a message changes"""
LONGEST = 1 << 30
"""bytes of one message; more is no message of ours"""
_MAGIC = b"rgym"
_HEAD = struct.Struct("<4sI")
_KNOWN: dict[str, type[ValueError]] = {
    kind.__name__: kind
    for kind in (
        errors.EnvError, errors.BackendError, errors.ClosedError, errors.TaskError,
        errors.RenderError, asset_errors.AssetError, asset_errors.SpecError,
        asset_errors.PackError,
    )
}  # fmt: skip
"""errors that arrive as what they were"""
_T = TypeVar("_T")


class WireError(ValueError):
    """What came is no message of this protocol."""


class Tensor(Record, frozen=True, kw_only=True):
    """An array in C order."""

    dtype: Literal["|u1", "<i4", "<i8", "<f4", "<f8"]
    shape: tuple[int, ...]
    data: bytearray


class Make(Record, frozen=True, kw_only=True, tag=True):
    """Make the backend that a config node describes."""

    node: dict[str, Any]
    pack: str | None
    """folder; none is the pack that ships"""
    digest: str | None
    """of that pack's manifest"""


class Settle(Record, frozen=True, kw_only=True, tag=True):
    """As the Protocol's method, like those that follow."""

    spec: SceneSpec


class Reset(Record, frozen=True, kw_only=True, tag=True):
    """Answered by Done."""

    spec: SceneSpec


class Ask(Record, frozen=True, kw_only=True, tag=True):
    """Answered by Told."""


class Pick(Record, frozen=True, kw_only=True, tag=True):
    """Answered by Moments, if these are wanted, and Ended."""

    point: Tensor
    moments: bool


class Place(Record, frozen=True, kw_only=True, tag=True):
    """Answered like Pick."""

    point: Tensor
    yaw: float | None
    moments: bool


class Look(Record, frozen=True, kw_only=True, tag=True):
    """A picture by the simulator's own camera; answered by Seen."""

    camera: CameraSpec | None


class Close(Record, frozen=True, kw_only=True, tag=True):
    """Release everything and end; answered by Done unless the simulator ends the process."""


Request = Make | Settle | Reset | Ask | Pick | Place | Look | Close


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers; later versions may add fields, none may take one away."""

    protocol: int
    version: str
    """of refergym"""
    python: str


class Made(Record, frozen=True, kw_only=True, tag=True):
    """The backend is there."""

    kind: str
    has_recorder: bool
    has_camera: bool


class Poses(Record, frozen=True, kw_only=True, tag=True):
    """Canonical poses of a settled scene."""

    poses: tuple[Pose, ...]


class Done(Record, frozen=True, kw_only=True, tag=True):
    """It is done; there is nothing to tell."""


class Told(Record, frozen=True, kw_only=True, tag=True):
    """A State."""

    objects: Tensor
    joints: Tensor
    held: int


class Moment(Record, frozen=True, kw_only=True, tag=True):
    """A State on the way; the answer is still to come."""

    state: Told


class Ended(Record, frozen=True, kw_only=True, tag=True):
    """A SkillResult."""

    event: int
    object: int
    detail: str
    hand_yaw: float
    """rad, world: the closing axis at the last grasp"""


class Seen(Record, frozen=True, kw_only=True, tag=True):
    """A Frame."""

    rgb: Tensor
    depth: Tensor
    ids: Tensor


class Failed(Record, frozen=True, kw_only=True, tag=True):
    """An error. Those that the layers raise on purpose leave the backend as it was."""

    error: str
    """name of its class; empty for a fault, after which the worker ends"""
    message: str


Reply = Made | Poses | Done | Told | Moment | Ended | Seen | Failed


def tensor(array: NDArray[Any]) -> Tensor:
    """Pack an array; its bytes are copied when the message is written."""
    flat = np.asarray(array, order="C")
    dtype = flat.dtype.newbyteorder("<").str
    raw = flat.astype(dtype, copy=False).reshape(-1).view(np.uint8).data
    return Tensor(dtype=dtype, shape=flat.shape, data=raw)  # type: ignore[arg-type]


def array(packed: Tensor) -> NDArray[Any]:
    """Unpack an array: writable, and nobody else's; raises WireError if the sizes disagree."""
    dtype = np.dtype(packed.dtype)
    wanted = math.prod(packed.shape) * dtype.itemsize
    if min(packed.shape, default=0) < 0 or wanted != len(packed.data):
        raise WireError(f"{len(packed.data)} bytes for {packed.dtype} {packed.shape}")
    return np.frombuffer(packed.data, dtype).reshape(packed.shape)


def told(state: State) -> Told:
    """Pack a state."""
    return Told(objects=tensor(state.objects), joints=tensor(state.joints), held=state.held)


def state_of(message: Told) -> State:
    """Unpack a state."""
    return State(objects=array(message.objects), joints=array(message.joints), held=message.held)


def ended(result: SkillResult, hand_yaw: float) -> Ended:
    """Pack how a skill ended."""
    return Ended(
        event=int(result.event), object=result.object, detail=result.detail, hand_yaw=hand_yaw
    )


def result_of(message: Ended) -> SkillResult:
    """Unpack how a skill ended; raises WireError for an event that there is not."""
    try:
        event = Event(message.event)
    except ValueError as e:
        raise WireError(str(e)) from e
    return SkillResult(event=event, object=message.object, detail=message.detail)


def seen(frame: Frame) -> Seen:
    """Pack a picture."""
    return Seen(rgb=tensor(frame.rgb), depth=tensor(frame.depth), ids=tensor(frame.ids))


def frame_of(message: Seen) -> Frame:
    """Unpack a picture."""
    return Frame(rgb=array(message.rgb), depth=array(message.depth), ids=array(message.ids))


def error_of(message: Failed) -> ValueError:
    """Unpack an error: the class that it was where both sides know it, else BackendError."""
    return _KNOWN.get(message.error, errors.BackendError)(message.message)


def failed(error: Exception) -> Failed:
    """Pack an error, in one line."""
    name = next((k.__name__ for k in type(error).__mro__ if k.__name__ in _KNOWN), "")
    text = " ".join(str(error).split())
    return Failed(error=name, message=text if name else f"{type(error).__name__}: {text}")


class Channel:
    """Messages on a connected socket; one thread at a time."""

    def __init__(self, connected: socket.socket) -> None:
        """Take over the socket."""
        self._socket = connected

    def send(self, message: msgspec.Struct, limit_s: float | None = None) -> None:
        """Write one message.

        Args:
            message: any of this module's.
            limit_s: how long the other side may take to accept it; None waits.

        Raises:
            TimeoutError: it did not.
            OSError: it is gone.
            WireError: the message is too long.
        """
        body = msgspec.msgpack.encode(message)
        if len(body) > LONGEST:
            raise WireError(f"a message of {len(body)} bytes")
        self._socket.settimeout(limit_s)
        self._socket.sendall(_HEAD.pack(_MAGIC, len(body)) + body)

    def receive(self, kind: type[_T], limit_s: float | None = None) -> _T:
        """Read one message.

        Args:
            kind: what it has to be; a union of messages, or one.
            limit_s: how long it may take; None waits.

        Raises:
            TimeoutError: nothing whole came.
            EOFError: the other side is gone.
            WireError: what came is something else.
        """
        end = None if limit_s is None else time.monotonic() + limit_s
        magic, length = _HEAD.unpack(self._read(_HEAD.size, end))
        if magic != _MAGIC or length > LONGEST:
            raise WireError(f"it begins with {bytes(magic)!r}")
        body = self._read(length, end)
        try:
            return msgspec.msgpack.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise WireError(" ".join(str(e).split())) from e

    def close(self) -> None:
        """Close the socket; idempotent."""
        self._socket.close()

    def _read(self, count: int, end: float | None) -> bytearray:
        """Read so many bytes until a time of the monotonic clock."""
        data = bytearray(count)
        view, got = memoryview(data), 0
        while got < count:
            if end is not None:
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                self._socket.settimeout(left)
            else:
                self._socket.settimeout(None)
            try:
                n = self._socket.recv_into(view[got:])
            except ConnectionError:
                n = 0
            if n == 0:
                raise EOFError
            got += n
        return data
