import base64
import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from refergym.agents.errors import AgentError
from refergym.agents.openai_chat import OpenAIPolicy
from refergym.agents.roborefer_http import RoboReferHttpPolicy
from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.disparity import relative_inverse_depth
from refergym.rollouts import evaluate, serve
from refergym.rollouts.episodes import Ended
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import Job
from refergym.rollouts.runner import Runner
from refergym.rollouts.serving.requests import depth_of_disparity

HERE = Path(__file__).parent
NEAREST = "_target_: seeing.Nearest\ndialect: roborefer\nseveral: first\nseconds: 0.0\n"
NEAREST += "fails: []\nthinks: false\n"
SUFFIX = (  # as the released client has it, with its two spaces
    "Your answer should be formatted as a list of tuples, i.e. [(x1, y1)],  where each tuple"
    " contains the x and y coordinates of a point satisfying the conditions above. The coordinates"
    " should be between 0 and 1, indicating the normalized pixel locations of the points in the"
    " image."
)


@pytest.fixture
def config_dir(tmp_path, helpers):
    (tmp_path / "configs" / "policy").mkdir(parents=True)
    (tmp_path / "configs" / "policy" / "nearest.yaml").write_text(NEAREST)
    return str(tmp_path / "configs")


@pytest.fixture
def serving(config_dir):
    """Serve a policy from a thread: serving("max_batch=2") -> (url, service)."""
    with contextlib.ExitStack() as stack:
        yield lambda *overrides: stack.enter_context(running(overrides, config_dir))


@contextlib.contextmanager
def running(overrides, config_dir):
    service = serve.build_service(["policy=nearest", *overrides], config_dir)
    server = serve.build_server(service)
    opened = serve.listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{opened.getsockname()[1]}", service
    finally:
        server.should_exit = True
        thread.join(20)
        opened.close()
    assert not thread.is_alive()


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


def red(x=4, y=3, width=16, height=12):
    rgb = np.full((height, width, 3), 90, np.uint8)
    rgb[y, x] = (255, 0, 0)
    return rgb


def query(**changes):
    asked = {"image_url": [png(red())], "depth_url": [], "enable_depth": 0, "text": "the red one"}
    return asked | changes


def chat(parts=None, **changes):
    url = f"data:image/png;base64,{png(red())}"
    picture = {"type": "image_url", "image_url": {"url": url, "detail": "high"}}
    content = [{"type": "text", "text": "the red one"}, picture] if parts is None else parts
    return {"model": "any", "messages": [{"role": "user", "content": content}]} | changes


def test_the_released_client_gets_a_list_that_it_can_read(serving):
    """What query_server in API/query_model.py sends through requests, byte for byte."""
    url, service = serving()
    prompt = "Please point to the leftmost mug" + SUFFIX
    body = json.dumps(
        {"image_url": [png(red())], "depth_url": [], "enable_depth": 1, "text": prompt}
    ).encode()
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/query", skip_accept_encoding=True)
    headers = {
        "User-Agent": "python-requests/2.32.3",
        "Accept-Encoding": "gzip, deflate",
        "Accept": "*/*",
        "Connection": "keep-alive",
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
    }
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    said = json.loads(response.read())
    connection.close()
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert said == {"result": 1, "answer": "[(0.281, 0.292)]"}
    points = json.loads(said["answer"].strip().replace("(", "[").replace(")", "]"))
    assert [(int(x * 16), int(y * 12)) for x, y in points] == [(4, 3)]
    (seen,) = service.policy.shown
    assert seen["instruction"] == "Please point to the leftmost mug"
    assert (seen["rgb"] == red()).all()
    assert not seen["depth"].any(), "nobody estimates depth here"
    assert (seen["holding"], seen["event"]) == (0, 0)
    assert seen["intrinsics"][0, 0] == pytest.approx(8 / np.tan(np.radians(27.5)))
    assert httpx.get(url + "/").status_code == 200


def test_a_picture_of_depth_becomes_depth_that_gives_it_again(serving):
    url, service = serving()
    depth = np.random.default_rng(0).uniform(0.4, 3, (12, 16)).astype(np.float32)
    picture = relative_inverse_depth(depth)
    asked = query(depth_url=[png(picture)], enable_depth=1, text=f"it {SUFFIX}\nDone.")
    answer = httpx.post(f"{url}/query", json=asked).json()["answer"]
    (seen,) = service.policy.shown
    assert (relative_inverse_depth(seen["depth"]) == picture).all()
    assert (seen["instruction"], seen["feedback"]) == ("it", "Done.")
    y, x = np.unravel_index(np.argmin(depth), depth.shape)
    assert answer == f"[({(x + 0.5) / 16:.3f}, {(y + 0.5) / 12:.3f})]"
    httpx.post(f"{url}/query", json={**asked, "enable_depth": 0})
    assert not service.policy.shown[1]["depth"].any(), "depth that is not enabled is not read"


def test_every_level_of_relative_inverse_depth_survives():
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16)
    depth = depth_of_disparity(picture, 0.5, 3.0)
    assert (relative_inverse_depth(depth)[..., 0] == picture).all()
    assert depth.max() == pytest.approx(3)
    assert depth.min() == pytest.approx(0.5)


def test_an_openai_client_gets_a_completion(serving):
    url, _ = serving()
    said = httpx.post(f"{url}/v1/chat/completions", json=chat(temperature=0, max_tokens=9)).json()
    assert said["object"] == "chat.completion"
    assert said["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "[(0.281, 0.292)]"},
            "finish_reason": "stop",
        }
    ]
    assert said["usage"]["completion_tokens"] == 3
    assert httpx.get(f"{url}/v1/models").json()["data"][0]["id"] == "nearest"
    health = httpx.get(f"{url}/health").json()
    assert (health["status"], health["answered"], health["policy"]) == ("ok", 1, "nearest")


def test_the_same_request_has_the_same_seed_and_a_seed_is_taken():
    from refergym.rollouts.serving.requests import Lens, read_chat, read_query

    lens = Lens(fov=55, near=0.5, far=3, max_pixels=10**6)
    seeds = [
        read_query(json.dumps(query(text=text)).encode(), (), lens).seed for text in ("a", "a", "b")
    ]
    assert seeds[0] == seeds[1] != seeds[2]
    assert read_chat(json.dumps(chat(seed=5)).encode(), (), lens).seed == 5


@pytest.mark.parametrize(
    ("policy", "answer"),
    [
        (["policy.thinks=true"], "[(0.281, 0.292)]"),
        (["policy.dialect=gemini"], "[(0.281, 0.292)]"),
        (["policy.dialect=qwen2_5_vl", "policy.thinks=true"], "[(0.281, 0.292)]"),
        (
            ["policy.thinks=true", "thoughts=true"],
            "<think>Step 1: it is here.</think><answer>[(0.281, 0.292)]</answer>",
        ),
    ],
)
def test_query_answers_in_roborefers_form_whatever_the_policy_writes(policy, answer, serving):
    url, _ = serving(*policy)
    said = httpx.post(f"{url}/query", json=query()).json()["answer"]
    numbers = [float(x) for x in re.findall(r"\d\.\d+", said)]
    assert re.sub(r"\d\.\d+", "#", said) == re.sub(r"\d\.\d+", "#", answer)
    assert numbers == pytest.approx([0.281, 0.292], abs=0.05), "pixels and thousandths round"
    raw = httpx.post(f"{url}/v1/chat/completions", json=chat()).json()
    words = raw["choices"][0]["message"]["content"]
    assert ("<think>" in words) == ("policy.thinks=true" in policy)


LARGE = png(np.zeros((600, 600, 3), np.uint8))
DEEP = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
WRONG = {
    "no JSON": ("/query", b"{", 400, "body: "),
    "half UTF-8": ("/query", b'{"text": "\xff"}', 400, "body: "),
    "deep": ("/query", b'{"image_url": ' + b"[" * 100_000, 400, "body: "),
    "a list": ("/query", [], 400, "body: "),
    "picture of another type": ("/query", query(image_url="abc"), 400, "image_url"),
    "no picture": ("/query", query(image_url=[]), 400, "image_url: expected one picture, got 0"),
    "two": ("/query", query(image_url=[LARGE] * 2), 400, "expected one picture, got 2"),
    "no base64": ("/query", query(image_url=["a"]), 400, "image_url[0]: no base64"),
    "text for a picture": ("/query", query(image_url=["aGFsbG8="]), 400, "no picture (PNG"),
    "damaged": ("/query", query(image_url=[DEEP]), 400, "image_url[0]"),
    "cut off": ("/query", query(image_url=[png(red())[:80]]), 400, "image_url[0]"),
    "16 bits": (
        "/query", query(image_url=[png(np.zeros((4, 4), np.uint16))]), 400, "8 bits a channel",
    ),
    "too many pixels": ("/query", query(image_url=[LARGE]), 413, "600x600 px; at most 100000"),
    "depth of another size": (
        "/query", query(enable_depth=1, depth_url=[png(red(width=8))]), 400, "8x12 px, but",
    ),
    "two depths": (
        "/query", query(enable_depth=1, depth_url=["", ""]), 400, "depth_url: expected one",
    ),
    "no text": ("/query", query(text=""), 400, "text: expected an instruction"),
    "only the suffix": ("/query", query(text=SUFFIX), 400, "text: expected an instruction"),
    "too large": ("/query", query(text="a" * 300_000), 413, "body: more than 200000 bytes"),
    "no messages": ("/v1/chat/completions", {}, 400, "messages"),
    "empty messages": ("/v1/chat/completions", chat(messages=[]), 400, "messages: expected one"),
    "no picture in chat": ("/v1/chat/completions", chat("hello"), 400, "one picture, got 0"),
    "a link": (
        "/v1/chat/completions",
        chat([{"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}]),
        400,
        "expected a data: URL",
    ),
    "sound": ("/v1/chat/completions", chat([{"type": "input_audio"}]), 400, "content[0].type"),
    "a number for text": (
        "/v1/chat/completions", chat([{"type": "text", "text": 3}]), 400, "content[0].text",
    ),
    "stream": ("/v1/chat/completions", chat(stream=True), 400, "stream: "),
    "n": ("/v1/chat/completions", chat(n=2), 400, "n: expected 1, got 2"),
    "seed": ("/v1/chat/completions", chat(seed=-1), 400, "seed: expected >= 0"),
    "no route": ("/v1/completions", {}, 404, "POST /v1/completions"),
}  # fmt: skip


def test_wrong_requests_are_told_what_is_wrong_and_cost_the_policy_nothing(serving):
    url, service = serving("max_pixels=100000", "max_body=200000")
    for name, (path, body, status, message) in WRONG.items():
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = httpx.post(
            url + path, content=content, headers={"Content-Type": "application/json"}
        )
        assert "error" in answer.json(), (name, answer.text)
        error = answer.json()["error"]
        assert answer.status_code == status, (name, error)
        assert message in error["message"], name
        assert "\n" not in error["message"], name
        assert error["type"] == "invalid_request_error"
    assert not service.policy.shown
    assert httpx.get(f"{url}/query").status_code == 405
    plain = httpx.post(f"{url}/query", content=b"{}", headers={"Content-Type": "text/plain"})
    assert plain.status_code == 415
    assert "expected application/json, got 'text/plain'" in plain.json()["error"]["message"]
    assert httpx.post(f"{url}/query", json=query()).status_code == 200


def test_a_body_that_does_not_come_is_given_up(serving):
    url, _ = serving("body_timeout_s=0.2")
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        head = "POST /query HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        line.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert line.recv(65536).startswith(b"HTTP/1.1 408 ")
        while line.recv(65536):
            pass
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")  # and goes away
    assert httpx.get(f"{url}/health").json()["status"] == "ok"


def test_a_body_without_a_length_is_cut_at_the_limit(serving):
    url, _ = serving("max_body=1000")
    parts = (b" " * 400 for _ in range(10))
    answer = httpx.post(f"{url}/query", content=parts, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_requests_at_once_are_answered_together_by_one_thread_and_none_is_lost(serving):
    url, service = serving("max_batch=8", "max_wait_s=0.02", "policy.seconds=0.02")

    def ask(k):
        x, y = k % 16, k % 12
        asked = query(image_url=[png(red(x, y))])
        with httpx.Client(timeout=30) as client:
            said = [client.post(f"{url}/query", json=asked).json()["answer"] for _ in range(3)]
        return said == [f"[({(x + 0.5) / 16:.3f}, {(y + 0.5) / 12:.3f})]"] * 3

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(ask, range(32)))
    policy = service.policy
    assert len(policy.shown) == service.batcher.answered == 96
    assert max(policy.batches) > 1
    assert max(policy.batches) <= 8
    assert len(policy.batches) < 96 / 2
    assert len(policy.threads) == 1
    assert service.refused == 0


def test_a_full_server_says_when_to_come_again_and_answers_those_who_do(serving):
    url, service = serving("max_concurrent=2", "max_batch=1", "policy.seconds=0.2")

    def ask(_):
        return httpx.post(f"{url}/query", json=query(), timeout=30)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    codes = [a.status_code for a in answers]
    assert codes.count(200) >= 2
    full = [a for a in answers if a.status_code != 200]
    assert full
    assert service.refused == len(full)
    for answer in full:
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"
        assert "too many" in answer.json()["error"]["message"]
    assert ask(0).status_code == 200


def test_a_request_fails_only_by_itself_and_says_nothing_private(serving, caplog):
    url, service = serving("policy.fails=[bad]", "max_wait_s=0.2", "max_batch=4")

    def ask(text):
        return httpx.post(f"{url}/query", json=query(text=text), timeout=30)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, ["good", "bad", "good", "fine"]))
    assert [a.status_code for a in answers] == [200, 500, 200, 200]
    assert answers[1].json()["error"]["message"] == "the policy failed: RuntimeError"
    assert "private" in caplog.text
    assert 4 in service.policy.batches


def test_a_request_that_takes_too_long_is_given_up(serving):
    url, _ = serving("timeout_s=0.2", "policy.seconds=1.0", "max_batch=1")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: httpx.post(f"{url}/query", json=query()), range(2)))
    assert [a.status_code for a in answers] == [503, 503]
    assert "timeout_s=0.2" in answers[0].json()["error"]["message"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["policy=oracle"], "oracle needs the simulator's truth"),
        (["policy=narrator"], "narrator needs the simulator's truth"),
        (["policy=random"], "random has no words"),
        (["policy=nearest", "port=99999"], "port"),
        (["policy=nearest", "near=5"], "near: expected less than far=3"),
        (["policy=nearest", "max_batch=0"], "max_batch"),
        (["policy=blind"], "blind wraps another policy"),
    ],
)
def test_what_cannot_be_served_is_refused(overrides, message, config_dir):
    with pytest.raises(ConfigError, match=message):
        serve.build_service(overrides, config_dir)


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port: cannot listen at 127\.0\.0\.1:{port}: "):
            serve.listen("127.0.0.1", port)
    with pytest.raises(ConfigError, match="cannot listen at nowhere"):
        serve.listen("nowhere.invalid", 0)


def start_command(config_dir, *overrides):
    command = [sys.executable, "-m", "refergym.rollouts.cli", "serve", "--config-dir", config_dir]
    path = os.pathsep.join([str(HERE), *sys.path])
    return subprocess.Popen(
        [*command, "policy=nearest", "port=0", *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        # what runs in the background of a shell would hand its deafness to Ctrl-C down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_finishes_what_it_has_in_hand_and_stops(number, config_dir):
    process = start_command(config_dir, "policy.seconds=0.5")
    url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(httpx.post, f"{url}/query", json=query(), timeout=30)
        time.sleep(0.25)
        process.send_signal(number)
        assert asked.result().status_code == 200
    out, err = process.communicate(timeout=30)
    assert "Answered 1 requests in 1 batches" in out
    assert process.returncode == 128 + number
    assert "Traceback" not in err


def test_a_policy_that_hangs_does_not_keep_the_command(config_dir, monkeypatch):
    process = start_command(config_dir, "policy.seconds=600.0", "timeout_s=0.3")
    url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
    assert httpx.post(f"{url}/query", json=query(), timeout=30).status_code == 503
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 143


QUICK = [
    "backend=kinematic", "renderer.shadows=false", "workers=0", "scene.min_grasp_rate=0.0",
    "task.min_grasp_rate=null", "pictures=false", "video=false", "episodes=4", "batch=2",
]  # fmt: skip


@pytest.mark.parametrize("name", ["roborefer_http", "openai"])
def test_episodes_over_http_are_those_of_the_policy_itself(name, serving, config_dir, tmp_path):
    url, service = serving()
    address = url + ("/v1" if name == "openai" else "")

    def steps(*overrides):
        done = evaluate.evaluate([*QUICK, *overrides], config_dir)
        assert all(e.ended is not Ended.ERROR for e in done.episodes)
        return [
            [(s.text, s.point_uv, s.event, s.state, s.reward) for s in e.steps]
            for e in done.episodes
        ]

    direct = steps("policy=nearest", f"out={tmp_path / 'direct'}")
    if name == "openai":  # without depth it points at what is reddest
        direct = None
    over = steps(f"policy={name}", f"policy.url={address}", f"out={tmp_path / 'over'}")
    assert len(over) == 4
    assert direct is None or over == direct
    assert sum(map(len, over)) == service.batcher.answered
    asked = {seen["instruction"] for seen in service.policy.shown}
    results = (tmp_path / "over" / "episodes.jsonl").read_text()
    assert all(json.dumps(text) in results for text in asked), "without suffix and feedback"


def test_floors_wrap_the_policy_under_test(config_dir, tmp_path):
    floors = ["policy=nearest", "floors=[random,blind,shuffled]", f"out={tmp_path / 'out'}"]
    done = evaluate.evaluate([*QUICK, *floors], config_dir)
    by = {name: [e for e in done.episodes if e.policy == name] for name in
          ("nearest", "random", "blind", "shuffled")}  # fmt: skip
    assert [len(episodes) for episodes in by.values()] == [4] * 4
    points = {name: [s.point_uv for e in es for s in e.steps] for name, es in by.items()}
    assert set(points["blind"]) == {(0.002, 0.002)}, "nothing to see: the first pixel"
    assert points["shuffled"] == points["nearest"], "it reads no words"
    alone = evaluate.evaluate(
        [*QUICK, "policy=blind", "policy.policy=nearest", f"out={tmp_path / 'alone'}"], config_dir
    )
    assert [e.outcome for e in alone.episodes] == [e.outcome for e in by["blind"]]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["policy=blind"], "blind wraps another policy"),
        (["policy=blind", "policy.policy=nobody"], "policy: no choice 'nobody'"),
        (["policy=oracle", "floors=[blind]"], "oracle sees the truth"),
    ],
)
def test_floors_that_cannot_be_made_are_named_before_anything_runs(
    overrides, message, config_dir, tmp_path
):
    with pytest.raises(ConfigError, match=message):
        evaluate.evaluate([*QUICK, *overrides, f"out={tmp_path / 'out'}"], config_dir)
    assert not (tmp_path / "out").exists()


def http_node(url, **changes):
    node = {
        "_target_": "refergym.agents.roborefer_http.RoboReferHttpPolicy",
        "url": url, "several": "first", "depth": "none", "feedback": False, "timeout_s": 0.5,
        "retries": 0, "backoff_s": 0.0, "queue_s": 5.0,
    }  # fmt: skip
    return node | {"dialect": {"_target_": "refergym.envs.dialects.roborefer.RoboRefer"}} | changes


def test_a_server_that_fails_is_infrastructure_and_nobodys_failure(make_plan, serving, caplog):
    url, service = serving("policy.fails=[e]")
    runner = Runner(make_plan(policies={"remote": http_node(url)}, batch=2))
    episodes = list(runner.run([Job(policy="remote", index=i) for i in range(3)]))
    runner.close()
    assert [e.ended for e in episodes] == [Ended.ERROR] * 3
    assert {e.stage for e in episodes} == {"infrastructure"}
    assert all(e.error.startswith("ServerError: http://127") for e in episodes)
    assert "HTTP 500: the policy failed: RuntimeError" in episodes[0].error
    assert not any(e.success or e.steps or "\n" in e.error for e in episodes)
    assert len(service.policy.batches) <= 3 * 2, "two tries for each episode"
    assert "refergym.rollouts.runner" in {
        r.name for r in caplog.records if r.levelname == "WARNING"
    }
    assert not any(r.exc_info for r in caplog.records if r.name == "refergym.rollouts.runner")


def test_a_missing_server_is_said_before_anything_runs(tmp_path, capsys):
    from refergym.rollouts import cli

    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    words = [*QUICK, "policy=roborefer_http", f"policy.url={url}", f"out={tmp_path / 'out'}"]
    assert cli.main(["evaluate", *words]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"refergym evaluate: {url}/: ")
    assert "\n" not in said
    assert not (tmp_path / "out").exists()


def test_a_planted_key_is_nowhere_in_what_a_run_leaves(
    serving, config_dir, tmp_path, monkeypatch, capfd, caplog
):
    key = "sk-planted-8Hj2"
    monkeypatch.setenv("PLANTED_KEY", key)
    caplog.set_level("DEBUG")
    url, _ = serving()
    evaluate.evaluate(
        [*QUICK, "policy=openai", f"policy.url={url}/v1", "policy.key_env=PLANTED_KEY",
         f"out={tmp_path / 'out'}"], config_dir,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="key_env") as caught:
        evaluate.evaluate([*QUICK, "policy=openai", f"policy.key_env={key}"], config_dir)
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert (tmp_path / "out" / "run.json") in files
    assert not any(key.encode() in p.read_bytes() for p in files)
    assert key not in caplog.text + str(caught.value) + "".join(capfd.readouterr())
    assert "PLANTED_KEY" in (tmp_path / "out" / "run.json").read_text()


def test_clients_and_server_speak_the_same_words(serving):
    """The policies' own requests, on their own, against the server."""
    url, service = serving()
    common = {"dialect": RoboRefer(), "several": "first", "feedback": True, "timeout_s": 5.0}
    common |= {"retries": 0, "backoff_s": 0.0}
    remote = RoboReferHttpPolicy(url, depth="estimated", queue_s=5.0, **common)
    chatting = OpenAIPolicy(
        f"{url}/v1", model="m", key_env=None, options={}, send_seed=True, concurrency=2, **common
    )
    seen = {
        "rgb": red(), "depth": np.ones((12, 16), np.float32), "intrinsics": np.eye(3),
        "instruction": "the red one", "holding": 1, "event": 2, "feedback": "It is held.",
    }  # fmt: skip
    for policy in (remote, chatting):
        assert policy.act([seen], seeds=[5])[0].text == "[(0.281, 0.292)]"
    for got in service.policy.shown:
        assert (got["instruction"], got["feedback"]) == ("the red one", "It is held.")


@pytest.mark.parametrize("package", ["starlette.applications", "uvicorn"])
def test_a_missing_package_names_the_extra(package, config_dir, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    service = serve.build_service(["policy=nearest"], config_dir)
    with pytest.raises(AgentError, match=r"run: pip install 'refergym\[serve\]'"):
        serve.build_server(service)
