"""Messages: what goes in comes out, and what is no message is one kind of error."""

import socket

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refergym.assets.errors import PackError, SpecError
from refergym.envs.backends import wire
from refergym.envs.errors import BackendError, ClosedError, EnvError
from refergym.envs.types import Event, Frame, SkillResult, State

DTYPES = (np.uint8, np.int32, np.int64, np.float32, np.float64)


def through(message: msgspec.Struct) -> wire.Reply:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=wire.Reply)


@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 4), min_size=0, max_size=3), st.data())
def test_arrays_come_out_bit_by_bit(
    dtype: type[np.generic], shape: list[int], data: st.DataObject
) -> None:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    drawn = data.draw(st.binary(min_size=size, max_size=size))
    given_array = np.frombuffer(drawn, dtype).reshape(shape)
    packed = msgspec.msgpack.encode(wire.tensor(given_array))
    out = wire.array(msgspec.msgpack.decode(packed, type=wire.Tensor))
    assert (out.dtype, out.shape) == (given_array.dtype, given_array.shape)
    assert out.tobytes() == given_array.tobytes()


def test_views_and_other_byte_orders_come_out_as_arrays() -> None:
    for a in (np.arange(12.0).reshape(3, 4)[::-1, ::2], np.arange(4, dtype=">f8")):
        packed = msgspec.msgpack.encode(wire.tensor(a))
        np.testing.assert_array_equal(
            wire.array(msgspec.msgpack.decode(packed, type=wire.Tensor)), a
        )


@pytest.mark.parametrize("shape", [(2, 2), (-1, -3), (0,)])
def test_an_array_of_another_size_than_its_bytes_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(wire.WireError, match="bytes for"):
        wire.array(wire.Tensor(dtype="<f4", shape=shape, data=bytearray(12)))


def test_states_results_and_pictures_come_out_as_they_were() -> None:
    state = State(objects=np.arange(14.0).reshape(2, 7) / 3, joints=-np.arange(9.0), held=1)
    assert wire.state_of(through(wire.told(state))).digest() == state.digest()  # type: ignore[arg-type]
    result = SkillResult(event=Event.DROPPED, object=4, detail="so it goes")
    assert wire.result_of(through(wire.ended(result, 0.5))) == result  # type: ignore[arg-type]
    frame = Frame(
        rgb=np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        depth=np.zeros((2, 4), np.float32),
        ids=np.full((2, 4), -10, np.int32),
    )
    out = wire.frame_of(through(wire.seen(frame)))  # type: ignore[arg-type]
    assert (out.rgb == frame.rgb).all()
    assert (out.ids == frame.ids).all()


def test_an_event_that_there_is_not_is_refused() -> None:
    with pytest.raises(wire.WireError):
        wire.result_of(wire.Ended(event=99, object=0, detail="", hand_yaw=0.0))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SpecError("objects[2]: no"), SpecError),
        (PackError("gone"), PackError),
        (ClosedError("closed"), ClosedError),
        (EnvError("key: wrong"), EnvError),
    ],
)
def test_errors_raised_on_purpose_arrive_as_what_they_were(
    error: ValueError, kind: type[ValueError]
) -> None:
    out = wire.error_of(through(wire.failed(error)))  # type: ignore[arg-type]
    assert type(out) is kind
    assert str(out) == str(error)


def test_a_subclass_that_the_other_side_has_not_arrives_as_its_base() -> None:
    class Special(BackendError):
        pass

    assert type(wire.error_of(wire.failed(Special("odd")))) is BackendError


def test_a_fault_is_named_in_one_line() -> None:
    message = wire.failed(KeyError("a\nb"))
    assert message.error == ""
    assert message.message == "KeyError: 'a\\nb'"


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_one_kind_of_error(noise: bytes) -> None:
    a, b = socket.socketpair()
    with a, b:
        a.sendall(noise)
        a.shutdown(socket.SHUT_WR)
        with pytest.raises((wire.WireError, EOFError)):
            wire.Channel(b).receive(wire.Reply)  # type: ignore[arg-type]


@given(st.binary(max_size=64))
def test_frames_of_noise_are_one_kind_of_error(noise: bytes) -> None:
    a, b = socket.socketpair()
    with a, b:
        a.sendall(b"rgym" + len(noise).to_bytes(4, "little") + noise)
        with pytest.raises(wire.WireError):
            wire.Channel(b).receive(wire.Reply)  # type: ignore[arg-type]


def test_a_message_in_pieces_is_one_message_and_half_of_one_is_none() -> None:
    a, b = socket.socketpair()
    with a, b:
        body = msgspec.msgpack.encode(wire.Done())
        whole = b"rgym" + len(body).to_bytes(4, "little") + body
        a.sendall(whole[:5])
        with pytest.raises(TimeoutError):
            wire.Channel(b).receive(wire.Reply, 0.05)  # type: ignore[arg-type]
