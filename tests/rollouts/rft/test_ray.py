"""The Ray collector: what one process plays, by many; killed, stopped and stuck ones among them."""

import os
import signal
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
ray = pytest.importorskip("ray")

import vlm_parts  # noqa: E402

sys.path.append(str(Path(__file__).parent))
import beneath  # noqa: E402

from refergym.assets import records  # noqa: E402
from refergym.rollouts import config, train  # noqa: E402
from refergym.rollouts.errors import ConfigError, PoolError  # noqa: E402
from refergym.rollouts.plan import made_policy, with_dialect  # noqa: E402
from refergym.rollouts.rft import cluster  # noqa: E402
from refergym.rollouts.rft.collecting import LocalCollector  # noqa: E402
from refergym.rollouts.rft.groups import Group, Lost, Request, error_kinds  # noqa: E402
from refergym.rollouts.rft.ray_collector import RayCollector  # noqa: E402
from refergym.rollouts.rft.settings import Settings  # noqa: E402

pytestmark = pytest.mark.ray
WORDS = [
    "task=point_at_object", "renderer.shadows=false", "renderer.antialias=none",
    "scene.width=56", "scene.height=56", "scene.min_grasp_rate=0.0", "rollout=ray",
    "rollout.batch=4", "rollout.cpus=0.1", "rollout.server_cpus=0.1", "policy.max_new_tokens=8",
    "rollout.retries=2",
]  # fmt: skip
PATIENCE_S = 240
"""until a test gives up waiting for what must happen"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Folder of a tiny model whose answers depend on all that it is shown."""
    return vlm_parts.refervlm().save(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def orders(tmp_path_factory):
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="module")
def running(model):
    """Ray on this machine, for all tests of this file."""
    settings, *_ = parts([f"policy.path={model}", "rollout.workers=8"])
    assert cluster.connect(settings.rollout)
    yield
    ray.shutdown()


def parts(words):
    """Return the settings, plans and policies of a training."""
    composed = config.compose("train", [*WORDS, *words])
    settings = records.convert(composed.config, Settings, error=ConfigError)
    node = {**with_dialect(settings.policy), "batch": settings.rollout.batch}
    policy = made_policy(node)
    policies = {"train": policy, "evaluate": policy.at(0.0)}
    return settings, train._plans(settings, composed, node, {}), policies


def by_ray(words):
    settings, plans, policies = parts(words)
    temperatures = {kind: policy.temperature for kind, policy in policies.items()}
    return RayCollector(plans, temperatures, settings.rollout)


@pytest.fixture(scope="module")
def words(model, orders):
    return [
        f"policy.path={model}", "backend._target_=ordered.Ordered", f"+backend.folder={orders}",
        "rollout.workers=2", "rollout.pulse_timeout_s=12", "rollout.step_timeout_s=15",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def collector(running, words):
    """Two workers and a server, which every test breaks and finds mended."""
    made = by_ray(words)
    yield made
    made.close()


@pytest.fixture(scope="module")
def local(words):
    _, plans, policies = parts(words)
    made = LocalCollector(plans, policies)
    yield made, policies["train"].model
    made.close()


@pytest.fixture(scope="module")
def expected(local):
    """What one process plays: {index: group}."""
    return dict(enumerate(played(local[0], range(6))))


@pytest.fixture(autouse=True)
def counted(request):
    """Count replacements anew."""
    if "collector" in request.fixturenames:
        request.getfixturevalue("collector").replaced.clear()


def played(collector, indices, kind="train", members=2):
    for index in indices:
        collector.submit(Request(kind=kind, index=index, members=members))
    return [collector.take(kind) for _ in indices]


def check(groups, expected):
    """None is lost, none is double, each came out as in one process."""
    for group in groups:
        assert isinstance(group, Group), group
        ids = [(e.id.index, e.id.member) for e in group.episodes]
        assert ids == [(group.request.index, 0), (group.request.index, 1)]
        wanted = expected[group.request.index]
        for found, other in zip(group.recordings, wanted.recordings, strict=True):
            assert told(found.episode) == told(other.episode)
            for a, b in zip(found.answers, other.answers, strict=True):
                assert a.prompt_tokens == b.prompt_tokens
                # batches of other sizes are rounded otherwise
                np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-4)
            for a, b in zip(found.observations, other.observations, strict=True):
                assert np.array_equal(a["rgb"], b["rgb"])


def told(episode):
    steps = tuple(msgspec.structs.replace(step, logprobs=()) for step in episode.steps)
    return msgspec.structs.replace(episode, steps=steps).outcome


def until(what):
    limit = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)
    return found


def pids(name):
    return beneath.processes(f"ray::{name}")


class Begun:
    """Groups that are asked for while the server stands still, so that workers hold them."""

    def __init__(self, collector, indices):
        played(collector, [0])  # all is up, whichever test is the first
        (self.server,) = pids("PolicyServer")
        os.kill(self.server, signal.SIGSTOP)
        for index in indices:
            collector.submit(Request(kind="train", index=index, members=2))
        self.workers = until(self.busy)
        self.collector, self.count = collector, len(indices)

    def busy(self):
        found = [p for p, title in pids("RolloutWorker").items() if "play" in title]
        return found if len(found) == 2 else None

    def go_on(self):
        os.kill(self.server, signal.SIGCONT)

    def groups(self):
        return [self.collector.take("train") for _ in range(self.count)]


def test_workers_play_what_one_process_plays(collector, expected):
    groups = played(collector, range(6))
    check(groups, expected)
    texts = {a.text for g in groups for r in g.recordings for a in r.answers}
    assert len(texts) > 6, "answers differ, or equality says nothing"
    assert not collector.replaced


def test_an_evaluation_does_not_stand_behind_what_is_played_ahead(collector, expected):
    indices = [k % 6 for k in range(18)]
    for index in indices:
        collector.submit(Request(kind="train", index=index, members=2))
    (found,) = played(collector, [0], "evaluate", 1)
    assert isinstance(found, Group)
    with collector._change:
        left = len(collector._queue)
    assert left, "the groups were asked for first, and are not all begun"
    check([collector.take("train") for _ in indices], expected)


def test_answers_come_from_new_weights_and_name_them(collector, local, expected):
    mine, model = local
    first = {name: value.clone() for name, value in model.state_dict().items()}
    other = vlm_parts.refervlm(seed=5).model.state_dict()
    try:
        model.load_state_dict(other)
        collector.update(other, 7)
        mine.update(other, 7)
        groups = played(collector, range(2))
        check(groups, dict(enumerate(played(mine, range(2)))))
        assert {e.policy_version for g in groups for e in g.episodes} == {"7"}
        assert {g.version for g in groups} == {7}
        texts = [[a.text for r in g.recordings for a in r.answers] for g in groups]
        was = [[a.text for r in expected[k].recordings for a in r.answers] for k in range(2)]
        assert texts != was
    finally:
        model.load_state_dict(first)
        collector.update(first, 0)
        mine.update(first, 0)


def test_what_a_killed_worker_had_in_hand_is_played_by_another(collector, expected):
    begun = Begun(collector, range(4))
    os.kill(begun.workers[0], signal.SIGKILL)
    begun.go_on()
    groups = begun.groups()
    check(groups, expected)
    assert collector.replaced == {"crash": 1}
    assert {g.retries for g in groups} == {0, 1}
    assert begun.workers[0] not in until(lambda: len(p := pids("RolloutWorker")) == 2 and p)


@pytest.mark.slow
def test_a_stopped_worker_is_replaced_and_ended(collector, expected):
    begun = Begun(collector, range(4))
    os.kill(begun.workers[0], signal.SIGSTOP)
    begun.go_on()
    check(begun.groups(), expected)
    # on a machine without time to spare others may fall silent too, and be replaced
    assert collector.replaced["hang"] >= 1
    until(lambda: begun.workers[0] not in beneath.processes())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "kind"), [("SIGKILL", "server_crash"), ("SIGSTOP", "server_hang")]
)
def test_another_server_answers_by_the_same_weights(number, kind, collector, local, expected):
    collector.update(local[1].state_dict(), 3)
    begun = Begun(collector, range(4))
    os.kill(begun.server, signal.Signals[number])
    groups = begun.groups()
    assert {e.policy_version for g in groups for e in g.episodes} == {"3"}
    local[0].update({}, 3)
    check(groups, dict(enumerate(played(local[0], range(4)))))
    assert collector.replaced[kind] >= 1
    if collector.replaced == {kind: 1}:
        assert set(begun.workers) == set(pids("RolloutWorker")), "workers live on"
    until(lambda: begun.server not in beneath.processes())
    collector.update(local[1].state_dict(), 0)
    local[0].update({}, 0)


@pytest.mark.slow
def test_a_step_that_never_returns_is_given_up(collector, expected, orders):
    (orders / expected[1].episodes[0].scene_digest).write_text("sleep")
    groups = played(collector, range(4))
    check(groups, expected)
    # on a machine without time to spare others may fall silent too, and be replaced
    assert collector.replaced["hang"] >= 1
    assert groups[1].retries == 1


@pytest.mark.slow
def test_a_start_that_kills_every_worker_is_lost_as_a_whole_group(collector, expected, orders):
    file = orders / expected[1].episodes[0].scene_digest
    file.write_text("kill " * 20)
    groups = played(collector, range(4))
    lost = groups.pop(1)
    file.write_text("")
    assert isinstance(lost, Lost)
    crashes = error_kinds([lost])["crash"]
    assert 4 <= crashes <= 5, "in company, then an episode alone with rollout.retries=2"
    check(groups, expected)
    assert max(g.retries for g in groups) <= 1, "after the first time it was alone"
    assert collector.replaced == {"crash": crashes}


def test_an_exception_is_retried_in_place(collector, expected, orders):
    (orders / expected[2].episodes[0].scene_digest).write_text("raise raise")
    check(played(collector, range(4)), expected)
    assert not collector.replaced


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rollout.cpus=1000"], r"rollout\.workers, cpus and server_cpus: want"),
        (["rollout.server_gpus=100"], r"rollout\.server_gpus: want 100 GPU, but Ray's"),
    ],
)
def test_a_cluster_with_too_little_is_named(words, message, running, model):
    with pytest.raises(ConfigError, match=message):
        by_ray([f"policy.path={model}", *words])


@pytest.mark.slow
def test_a_server_that_cannot_start_ends_the_run_and_says_why(running, model):
    settings, plans, _ = parts([f"policy.path={model}", "rollout.workers=1"])
    plans["train"].policies["policy"]["path"] = str(model / "nothing")
    made = RayCollector(plans, {"train": 1.0, "evaluate": 0.0}, settings.rollout)
    try:
        with pytest.raises(PoolError, match=r"did not start 3 times in a row: .*is no folder"):
            played(made, [0])
    finally:
        made.close()
    assert not pids("RolloutWorker.play")
