"""In OpenEnv's environment: a server on the loopback, and its client."""

import contextlib
import threading
import time

import numpy as np
import pytest

pytestmark = [pytest.mark.adapters]
pytest.importorskip("openenv", reason="`make adapters` has it")

import uvicorn  # noqa: E402
from examples import examples  # noqa: E402

from refergym.envs.errors import EnvError  # noqa: E402
from refergym.envs.registration import make_text_env  # noqa: E402
from refergym.rollouts import serve  # noqa: E402
from refergym.rollouts.adapters.openenv_pictures import depth_of, rgb_of  # noqa: E402
from refergym.rollouts.adapters.openenv_server import (  # noqa: E402
    PointingClient,
    PointingServer,
    build_app,
)
from refergym.rollouts.adapters.openenv_types import PointingAction  # noqa: E402
from refergym.rollouts.adapters.place import Place, starts, written  # noqa: E402

PLACE = Place(
    task="pick_place", backend="kinematic", dialect="roborefer", reward="sim",
    overrides=("renderer.shadows=false", "renderer.antialias=none"),
)  # fmt: skip
SAID = ["[(0.5, 0.5)]", "no point at all", "[(0.25, 0.75)]", "[(0.5, 0.6)]"]


@contextlib.contextmanager
def served(app):
    opened = serve.listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.05)
    host, port = opened.getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()
        opened.close()


@pytest.fixture(scope="module")
def address():
    with served(build_app(PLACE, depth=True, sessions=2)) as found:
        yield found


@pytest.fixture
def client(address):
    with PointingClient(base_url=address).sync() as opened:
        yield opened


@pytest.fixture(scope="module")
def own():
    env = make_text_env(
        "pick_place", "kinematic", dialect="roborefer", reward="sim", overrides=PLACE.overrides
    )
    yield env
    env.close()


def test_an_episode_is_the_same_over_the_wire(client, own):
    seen, info = own.reset(seed=3, options={"index": 1})
    result = client.reset(seed=3, index=1)
    assert client.state().start == info["start"].digest
    assert result.reward is None
    total = 0.0
    for text in SAID:
        shown = result.observation
        assert np.array_equal(rgb_of(shown.rgb_png), seen["rgb"])
        np.testing.assert_allclose(depth_of(shown.depth_png), seen["depth"], atol=6e-4)
        np.testing.assert_allclose(shown.intrinsics, seen["intrinsics"])
        assert (shown.instruction, shown.holding) == (seen["instruction"], bool(seen["holding"]))
        seen, reward, terminated, truncated, _ = own.step(text)
        result = client.step(PointingAction(text=text))
        assert result.reward == pytest.approx(reward)
        assert result.done == result.observation.done == (terminated or truncated)
        assert sum(result.observation.terms.values()) == pytest.approx(reward)
        total += reward
        if result.done:
            break
    state = client.state()
    assert state.total == pytest.approx(total)
    assert state.is_over
    assert state.task == "pick_place"


def test_the_question_comes_first_and_feedback_later(client):
    result = client.reset(seed=0)
    assert result.observation.instruction in result.observation.words
    result = client.step(PointingAction(text="nothing"))
    assert result.observation.event == "INVALID"
    assert result.observation.instruction not in result.observation.words
    assert result.observation.words


def test_a_start_can_be_given(client, own):
    ((_, start),) = starts(own, 1, seed=9)
    client.reset(start=written(start), episode_id="mine")
    state = client.state()
    assert (state.start, state.episode_id, state.step_count) == (start.digest, "mine", 0)


def test_sessions_do_not_disturb_each_other(address, client):
    with PointingClient(base_url=address).sync() as other:
        client.reset(seed=1)
        other.reset(seed=2)
        assert client.state().start != other.state().start
        client.step(PointingAction(text="[(0.5, 0.5)]"))
        assert (client.state().step_count, other.state().step_count) == (1, 0)


def test_errors_come_back_as_errors(client):
    with pytest.raises(RuntimeError, match="scene: required, but missing"):
        client.reset(start="{}")
    result = client.reset(seed=0)
    while not result.done:
        result = client.step(PointingAction(text="nothing"))
    with pytest.raises(RuntimeError, match="the episode has ended"):
        client.step(PointingAction(text="nothing"))


def test_the_environment_alone_says_what_is_wrong():
    server = PointingServer(PLACE)
    with pytest.raises(EnvError, match="call reset"):
        server.step(PointingAction(text="nothing"))
    with pytest.raises(TypeError, match="seeds"):
        server.reset(seeds=3)
    server.close()


def test_the_examples_of_the_page_run(monkeypatch, capsys):
    server, client = examples("OpenEnv")
    monkeypatch.setattr(uvicorn, "run", lambda app, **where: None)  # it would not come back
    names = {}
    exec(server, names)
    with served(names["app"]) as found:
        exec(client.replace("http://127.0.0.1:8000", found), names)
    assert names["result"].done
    assert len(capsys.readouterr().out.split()) == 3
