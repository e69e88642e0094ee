"""What servers do wrong: one line, in bounded time and tries, and never an answer."""

import asyncio
import base64
import io
import json
import logging
import socket
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from refergym.agents.endpoint import LARGEST, Endpoint
from refergym.agents.errors import AgentError, ServerError
from refergym.agents.openai_chat import OpenAIPolicy
from refergym.agents.policy import Policy
from refergym.agents.roborefer_http import RoboReferHttpPolicy
from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.disparity import relative_inverse_depth

KEY = "sk-planted-7Qz9"
QUICK = {"timeout_s": 10.0, "retries": 2, "backoff_s": 0.01}
COMMON = {"dialect": RoboRefer(), "several": "first", "feedback": True}
TRIES = QUICK["retries"] + 1
SHORT_S = 0.4
"""a time-out, where that is what is tried; elsewhere a busy machine would run into it"""


def roborefer(url, **changes):
    return RoboReferHttpPolicy(
        **({"url": url, "depth": "picture", "queue_s": 5.0, **COMMON, **QUICK} | changes)
    )


def openai(url, **changes):
    fixed = {"model": "m", "key_env": "PLANTED_KEY", "options": {"temperature": 0.0}}
    more = {"send_seed": True, "concurrency": 4}
    return OpenAIPolicy(**({"url": f"{url}/v1", **fixed, **more, **COMMON, **QUICK} | changes))


MAKERS = {"roborefer_http": roborefer, "openai": openai}


@pytest.fixture(autouse=True)
def planted_key(monkeypatch):
    monkeypatch.setenv("PLANTED_KEY", KEY)


@pytest.fixture(params=MAKERS)
def make(request):
    return MAKERS[request.param]


def http(body, status="200 OK", kind="application/json", length=None, headers=""):
    data = body.encode()
    size = len(data) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{headers}"
    return head.encode() + b"Connection: close\r\n\r\n" + data


def says(*answers):
    """Answer the k-th request with the k-th of these bytes, then with the last."""

    def behave(server, connection, request):
        connection.sendall(answers[min(len(server.requests), len(answers)) - 1])

    return behave


def hangs(server, connection, request):
    server.sleep(30)


def drips(server, connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" ")
        server.sleep(0.1)


def drips_headers(server, connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for k in range(100):
        connection.sendall(f"X-{k}: 1\r\n".encode())
        server.sleep(0.1)


def pours(server, connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    for _ in range(LARGEST // 65536 + 50):
        connection.sendall(b" " * 65536)


def closes(server, connection, request):
    pass


def both(answer):
    """A reply that means `answer` in either protocol."""
    choice = {"message": {"role": "assistant", "content": answer}}
    return http(json.dumps({"result": 1, "answer": answer, "choices": [choice]}))


GOOD = both("[(0.250, 0.500)]")
HTML = "<!doctype html><html><style>b{}</style><body>\n<h1>Bad\nGateway</h1></body></html>"
BAD = {
    "hang": (hangs, f"no whole answer within timeout_s={SHORT_S}"),
    "drip": (drips, f"no whole answer within timeout_s={SHORT_S}"),
    "drip of headers": (drips_headers, f"no whole answer within timeout_s={SHORT_S}"),
    "flood": (pours, f"more than {LARGEST} bytes"),
    "closes": (closes, "disconnected"),
    "HTML": (says(http(HTML, kind="text/html")), "got text/html: Bad Gateway"),
    "HTML as JSON": (says(http(HTML)), "no whole JSON: Bad Gateway"),
    "half a JSON": (says(http('{"result": 1, "answer": "[(0.2')), "no whole JSON"),
    "half a body": (says(http('{"result": 1', length=500)), "peer closed connection"),
    "deep JSON": (says(http("[" * 200_000)), "no whole JSON"),
    "500": (says(http(HTML, "500 Oops", "text/html")), "HTTP 500: Bad Gateway (3 tries)"),
    "503 as JSON": (says(http('{"error": {"message": "full"}}', "503 Full")), "HTTP 503: full"),
    "404": (says(http('{"error": "no such route"}', "404 Not Found")), "HTTP 404: no such route"),
    "redirect": (says(http("", "302 Found", headers="Location: http://a/\r\n")), "HTTP 302"),
    "empty body": (says(http("")), "no whole JSON: nothing more was said"),
    "empty answer": (says(both("")), "the answer is empty"),
    "blank answer": (says(both(" \n")), "the answer is empty"),
    "no answer": (says(http('{"result": 1, "choices": []}')), "expected "),
    "a list": (says(http("[1]")), "expected "),
    "null": (says(both(None)), ""),
    "wrong content type": (
        says(GOOD.replace(b"application/json", b"text/plain")),
        "expected application/json, got text/plain",
    ),
    "no content type": (
        says(GOOD.replace(b"Content-Type: application/json\r\n", b"")),
        "got no content type",
    ),
    "no HTTP": (says(b"220 smtp ready\r\n"), ""),
    "damaged gzip": (says(http("{}", headers="Content-Encoding: gzip\r\n")), "DecodingError"),
}
ONCE = {"HTML", "HTML as JSON", "half a JSON", "404", "redirect", "empty answer", "flood"}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_server_is_named_in_one_line_in_bounded_time_and_tries(
    name, make, bad_server, seen, caplog
):
    caplog.set_level(logging.DEBUG)
    behave, message = BAD[name]
    server = bad_server(behave)
    policy = make(server.url, timeout_s=SHORT_S) if "timeout_s" in message else make(server.url)
    with pytest.raises(ServerError) as caught:
        policy.act([seen()], seeds=[1])
    text = str(caught.value)
    assert message in text
    assert server.url in text
    assert "\n" not in text
    assert len(text) < 500
    assert 1 <= len(server.requests) <= (1 if name in ONCE else TRIES)
    assert KEY not in text + caplog.text + repr(policy) + repr(vars(policy))


def test_a_refused_connection_is_tried_again_and_named(make, seen):
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:\d+/.*: .*(failed|refused)"):
        make(url).act([seen()], seeds=[1])


def test_an_unknown_host_is_named(make, seen):
    with pytest.raises(ServerError, match=r"nowhere\.invalid"):
        make("http://nowhere.invalid").act([seen()], seeds=[1])


@pytest.mark.parametrize("status", ["429 Slow down", "500 Oops", "503 Full", "502 Bad"])
def test_what_may_pass_is_tried_again(status, make, bad_server, seen):
    server = bad_server(says(http("{}", status), http("{}", status), GOOD))
    assert make(server.url).act([seen()], seeds=[1])[0].text == "[(0.250, 0.500)]"
    assert len(server.requests) == TRIES


def test_the_pause_grows_and_a_server_may_ask_for_more(make, bad_server, seen):
    busy = http("{}", "429 Slow down", headers="Retry-After: 1\r\n")
    server = bad_server(says(http("{}", "500 Oops"), busy, GOOD))
    begin = time.monotonic()
    make(server.url, backoff_s=0.2).act([seen()], seeds=[1])
    assert time.monotonic() - begin >= 1.2


def test_a_time_out_is_repeated_only_where_the_server_stops_working_on_it(bad_server, seen):
    slow = bad_server(hangs)
    with pytest.raises(ServerError):
        roborefer(slow.url, timeout_s=SHORT_S).act([seen()], seeds=[1])
    assert len(slow.requests) == 1
    with pytest.raises(ServerError, match=r"\(3 tries\)"):
        openai(slow.url, timeout_s=SHORT_S).act([seen()], seeds=[1])
    assert len(slow.requests) == 1 + TRIES


def test_roborefer_gets_one_request_at_a_time_from_everybody(bad_server, seen):
    def slow(server, connection, request):
        server.sleep(0.05)
        connection.sendall(GOOD)

    server = bad_server(slow)
    said = []

    def ask():
        said.extend(roborefer(server.url, timeout_s=5.0).act([seen()] * 3, seeds=[1, 2, 3]))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == len(server.requests) == 15
    assert server.most_at_once == 1


def test_waiting_for_others_has_an_end(bad_server, seen):
    server = bad_server(hangs)

    def hang():
        with pytest.raises(ServerError):
            roborefer(server.url, timeout_s=2.0).act([seen()], seeds=[1])

    first = threading.Thread(target=hang)
    first.start()
    while not server.requests:
        time.sleep(0.01)
    with pytest.raises(ServerError, match=r"kept it busy for queue_s=0\.2"):
        roborefer(server.url, queue_s=0.2).act([seen()], seeds=[1])
    server.close()
    first.join()


def test_openai_asks_several_at_once_and_keeps_their_order(bad_server, seen):
    def echo(server, connection, request):
        text = json.loads(request.partition(b"\r\n\r\n")[2])["messages"][0]["content"][0]["text"]
        server.sleep(0.3 if "cup 0" in text else 0.05)
        connection.sendall(both(text.split(" Your")[0]))

    server = bad_server(echo)
    policy = openai(server.url, timeout_s=5.0)
    answers = policy.act([seen(f"cup {k}") for k in range(8)], seeds=range(8))
    assert [a.text for a in answers] == [f"cup {k}" for k in range(8)]
    assert server.most_at_once == 4


def test_one_of_several_that_fails_fails_the_call_and_leaves_nothing_behind(bad_server, seen):
    server = bad_server(says(GOOD, http("{}", "404 Gone"), GOOD))
    with pytest.raises(ServerError, match="HTTP 404"):
        openai(server.url).act([seen()] * 6, seeds=range(6))


def sent(server):
    return json.loads(server.requests[-1].partition(b"\r\n\r\n")[2])


def picture(encoded):
    return np.array(Image.open(io.BytesIO(base64.b64decode(encoded))))


@pytest.mark.parametrize("depth", ["picture", "estimated", "none"])
def test_roborefer_is_asked_in_its_own_words(depth, bad_server, seen):
    server = bad_server(says(GOOD))
    observation = seen(feedback="Nothing was done.")
    roborefer(server.url, depth=depth).act([observation], seeds=[1])
    request = sent(server)
    assert set(request) == {"image_url", "depth_url", "enable_depth", "text"}
    assert (picture(request["image_url"][0]) == observation["rgb"]).all()
    assert request["enable_depth"] == int(depth != "none")
    expected = relative_inverse_depth(observation["depth"])
    assert len(request["depth_url"]) == int(depth == "picture")
    assert all((picture(d) == expected).all() for d in request["depth_url"])
    assert request["text"] == f"point at the cup {RoboRefer.suffix}\nNothing was done."


def test_openai_gets_text_picture_seed_options_and_key(bad_server, seen):
    server = bad_server(says(GOOD))
    openai(server.url).act([seen()], seeds=[2**40 + 7])
    request = sent(server)
    text, image = request["messages"][0]["content"]
    assert text == {"type": "text", "text": f"point at the cup {RoboRefer.suffix}"}
    encoded = image["image_url"]["url"].removeprefix("data:image/png;base64,")
    assert (picture(encoded) == seen()["rgb"]).all()
    assert (request["model"], request["temperature"], request["seed"]) == ("m", 0.0, 7)
    assert f"Authorization: Bearer {KEY}".encode() in server.requests[0]
    openai(server.url, key_env=None, send_seed=False).act([seen()], seeds=[1])
    assert b"authorization" not in server.requests[-1].lower()
    assert "seed" not in sent(server)


@pytest.mark.parametrize(
    "answer",
    [
        http(json.dumps({"error": {"message": f"wrong key {KEY}"}}), "401 Unauthorized"),
        http(f"<p>{KEY}</p>", "500 Oops", "text/html"),
        http("{}", kind=f"text/{KEY.lower()}"),
        http(json.dumps({"choices": [{"text": KEY}]})),
        both(f"[(0.5, 0.5)] {KEY}"),
        http('{"choices": [{"message": {"content": "\\u0073k-planted-7Qz9"}}]}'),
    ],
)
def test_a_server_that_repeats_the_key_does_not_spread_it(answer, bad_server, seen, caplog):
    caplog.set_level(logging.DEBUG)
    policy = openai(bad_server(says(answer)).url)
    try:
        text = policy.act([seen()], seeds=[1])[0].text
    except ServerError as e:
        text = f"{e} {e!r} {e.__cause__!r}"
    assert "***" in text or KEY.lower() in text  # the second is no key: its case is another
    assert KEY not in text + caplog.text


@pytest.mark.parametrize("value", ["", "  ", "sk-\u00e9\u00e9-long", "sk one two", "sk-a\nb: c"])
def test_what_can_be_no_key_is_not_sent_and_not_shown(value, monkeypatch, bad_server, seen):
    server = bad_server(says(GOOD))
    monkeypatch.setenv("PLANTED_KEY", value)
    for call in (openai(server.url).check, lambda: openai(server.url).act([seen()], seeds=[1])):
        with pytest.raises(AgentError, match="PLANTED_KEY") as caught:
            call()
        assert not value.strip() or value.strip() not in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"key_env": KEY}, "key_env: expected the name"),
        ({"url": f"https://me:{KEY}@host/v1"}, "url: expected an address alone"),
        ({"url": f"https://host/v1?key={KEY}"}, "url: expected an address alone"),
        ({"url": "ftp://host"}, "url: expected http"),
        ({"url": "host:80"}, "url: expected http"),
        ({"url": "http://host:99999"}, "url: not a readable address"),
        ({"timeout_s": 0}, "timeout_s: expected > 0"),
        ({"retries": -1}, "retries: expected >= 0"),
        ({"concurrency": 0}, "concurrency: expected >= 1"),
    ],
)
def test_wrong_settings_name_their_key_and_show_no_secret(change, key):
    with pytest.raises(ValueError, match=key) as caught:
        openai(**({"url": "http://127.0.0.1:1"} | change))
    assert KEY not in str(caught.value)


def test_health_is_asked_before_the_first_answer(bad_server, seen):
    roborefer(bad_server(says(GOOD)).url).check()
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ServerError, match="127"):
        roborefer(url).check()


def test_answers_come_also_where_a_loop_runs_already(make, bad_server, seen):
    policy = make(bad_server(says(GOOD)).url)

    async def notebook():
        return policy.act([seen()], seeds=[1])

    assert asyncio.run(notebook())[0].text == "[(0.250, 0.500)]"


def test_both_fit_the_protocol(make):
    policy = make("http://127.0.0.1:1")
    assert isinstance(policy, Policy)
    assert not policy.privileged
    assert Endpoint("http://a/", timeout_s=1, retries=0, backoff_s=0).url == "http://a"


def test_a_missing_package_names_the_extra(make, monkeypatch, seen):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(AgentError, match=r"run: pip install 'refergym\[serve\]'"):
        make("http://127.0.0.1:1").act([seen()], seeds=[1])
