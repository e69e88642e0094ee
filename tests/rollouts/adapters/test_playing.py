"""What the adapters share, and what of them works without any trainer."""

import asyncio
import inspect
import io
import json

import numpy as np
import pytest
from PIL import Image

from refergym.agents.errors import MissingExtra
from refergym.envs.errors import EnvError, TaskError
from refergym.envs.registration import make_text_env
from refergym.rollouts.adapters import seats, verl_rows
from refergym.rollouts.adapters.chats import messages, said
from refergym.rollouts.adapters.judge import Judge
from refergym.rollouts.adapters.needed import needed
from refergym.rollouts.adapters.openenv_pictures import depth_of, depth_png, rgb_of
from refergym.rollouts.adapters.place import Place, place_of, starts, written
from refergym.rollouts.adapters.playing import OVER, Playing
from refergym.rollouts.adapters.seeing import seen_size
from refergym.rollouts.adapters.trl_environment import PointingEnvironment, environment_rows
from refergym.rollouts.adapters.trl_rewards import reward_functions
from refergym.rollouts.errors import ConfigError

QUICK = ("renderer.shadows=false", "renderer.antialias=none")
CARRY = Place(task="pick_place", backend="kinematic", reward="sim", overrides=QUICK)
POINT = Place(
    task="point_at_object", backend="kinematic", dialect="qwen2_5_vl", reward="roborefer",
    overrides=QUICK, seen_size=(448, 448),
)  # fmt: skip
SAID = ["[(0.5, 0.5)]", "no point", "[(0.25, 0.75)]", "[(0.5, 0.6)]"]


@pytest.fixture(scope="module")
def begun():
    """Two starts to carry something, as JSON."""
    env = CARRY.open()
    yield [written(start) for _, start in starts(env, 2, seed=5)]
    env.close()


@pytest.fixture(scope="module")
def pointing():
    """Two starts to point at something: JSON, and a pixel (x, y) that is right."""
    env = make_text_env("point_at_object", "kinematic", overrides=QUICK)
    found = []
    for k in range(2):
        _, info = env.reset(seed=5, options={"index": k})
        u, v = info["truth"]["point_uv"]
        found.append((written(info["start"]), (int(u * 224), int(v * 224))))
    env.close()
    return found


def test_a_packages_absence_is_named_with_its_cure():
    with pytest.raises(MissingExtra, match=r"needs nowhere, .* pip install its-package"):
        needed("nowhere.at.all", "its-package")


@pytest.mark.parametrize(
    ("module", "package"),
    [("openenv_server", "openenv"), ("openenv_types", "openenv"), ("verl_loop", "verl")],
)
def test_an_adapter_names_its_missing_trainer(module, package, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtra, match=f"needs {package}, .* pip install {package}"):
        __import__(f"refergym.rollouts.adapters.{module}")


def test_what_a_trainer_itself_lacks_is_not_called_its_absence(tmp_path, monkeypatch):
    (tmp_path / "halved.py").write_text("import a_part_of_it\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_part_of_it"):
        needed("halved", "halved")


def test_an_episode_earns_what_the_environment_pays(begun):
    env = make_text_env("pick_place", "kinematic", reward="sim", overrides=QUICK)
    env.reset(seed=5, options={"index": 1})
    playing = Playing(CARRY)
    playing.begin(start=begun[1])
    for text in SAID:
        _, reward, terminated, truncated, info = env.step(text)
        assert playing.answer(text) == pytest.approx(reward)
        assert playing.terms[-1] == info["reward_terms"]
        assert playing.is_over == (terminated or truncated)
        if playing.is_over:
            break
    assert playing.total == pytest.approx(sum(playing.rewards))
    with pytest.raises(EnvError, match="the episode has ended"):
        playing.answer("more")
    playing.close()
    env.close()


def test_a_start_is_given_or_named_and_both_are_the_same(begun):
    playing = Playing(CARRY)
    playing.begin(start=begun[1])
    given, seen = playing.start.digest, playing.observation["rgb"]
    playing.begin(seed=5, index=1)
    assert playing.start.digest == given
    assert np.array_equal(playing.observation["rgb"], seen)
    playing.begin(start=begun[0])
    assert playing.start.digest != given
    with pytest.raises(ConfigError, match="start: required, but missing"):
        playing.begin()
    with pytest.raises(TaskError):
        playing.begin(start="{}")
    playing.close()


def test_the_question_comes_first_then_feedback_and_the_end(begun):
    playing = Playing(CARRY)
    playing.begin(start=begun[0])
    assert playing.words.startswith(playing.observation["instruction"])
    assert "list of tuples" in playing.words
    playing.answer("no point")
    assert playing.words == playing.observation["feedback"] != ""
    while not playing.is_over:
        playing.answer("no point")
    assert playing.words.endswith(OVER)
    assert not playing.is_solved
    playing.close()


def test_a_place_is_read_strictly():
    assert place_of({"task": "pick", "overrides": ["max_steps=2"], "seen_size": [448, 336]}) == (
        Place(task="pick", overrides=("max_steps=2",), seen_size=(448, 336))
    )
    from omegaconf import OmegaConf

    composed = OmegaConf.create({"task": "pick", "overrides": ["max_steps=2"]})
    assert place_of(composed).overrides == ("max_steps=2",)
    with pytest.raises(ConfigError, match="tsak: unknown field"):
        place_of({"tsak": "pick"})
    with pytest.raises(EnvError, match="expected one of"):
        Place(task="juggle").open()


def test_trl_offers_the_model_one_tool_that_can_be_described():
    methods = {n for n, _ in inspect.getmembers(PointingEnvironment, inspect.isfunction)}
    tools = {n for n in methods if not n.startswith("_")} - {"reset", "get_reward"}
    assert tools == {"answer"}
    documented = inspect.getdoc(PointingEnvironment.answer)
    assert "Args:\n    text: " in documented
    assert "Returns:\n" in documented


def test_trl_plays_an_episode_by_tool_calls(begun):
    environment = PointingEnvironment(CARRY)
    picture, question = environment.reset(start=begun[0], index=0, prompt=[])
    assert picture["image"].size == (224, 224)
    assert "Your answer should be formatted" in question["text"]
    assert environment.get_reward() == 0
    told = []
    for text in [*SAID, ["not", "words"], "one more"]:
        told.append(environment.answer(text))
    assert told[0][0]["type"] == "image"
    assert told[-1] == [{"type": "text", "text": OVER}]
    twin = Playing(CARRY)
    twin.begin(start=begun[0])
    for text in SAID:
        if not twin.is_over:
            twin.answer(text)
    assert environment.get_reward() == pytest.approx(twin.total)
    twin.close()


def test_trl_is_not_told_a_reward_when_the_environment_failed(begun, monkeypatch):
    environment = PointingEnvironment(CARRY)
    environment.reset(start=begun[0])
    environment._playing.close()
    with pytest.raises(EnvError, match="closed"):
        environment.answer("[(0.5, 0.5)]")
    with pytest.raises(EnvError, match="closed"):
        environment.get_reward()


def test_reward_functions_add_up_to_what_the_environment_pays(pointing):
    functions = reward_functions(POINT)
    names = ["outcome_format", "point", "process_format", "process_accuracy"]
    assert [f.__name__ for f in functions] == [f"roborefer_{n}" for n in names]
    texts, begun = [], []
    for start, (x, y) in pointing:
        point = f'[{{"point_2d": [{2 * x}, {2 * y}]}}]'
        texts += [f"<think>so</think><answer>{point}</answer>", point, "no point"]
        begun += [start] * 3
    chats = [[{"role": "assistant", "content": text}] for text in texts]
    table = np.array([f(["?"] * 6, texts, start=begun, index=[0] * 6) for f in functions])
    assert np.array_equal(table, [f([[]] * 6, chats, start=begun) for f in functions])
    env = make_text_env(
        "point_at_object", "kinematic", dialect="qwen2_5_vl", reward="roborefer", overrides=QUICK
    )
    for k, text in enumerate(texts):
        env.reset(seed=5, options={"index": k // 3})
        _, reward, *_ = env.answer(text, image_size=(448, 448))
        assert table[:, k].sum() == pytest.approx(reward)
    env.close()
    assert table[0].tolist() == [1, 0, 0, 1, 0, 0]
    assert table[1, [0, 1, 3, 4]] == pytest.approx(1)  # in twice the picture's pixels


def test_an_answer_is_played_once_for_all_terms(pointing, monkeypatch):
    played = []
    answer = Playing.answer
    monkeypatch.setattr(Playing, "answer", lambda s, t: played.append(t) or answer(s, t))
    for function in reward_functions(POINT):
        function([], ["one", "two", "one"], start=[pointing[0][0]] * 3)
    assert played == ["one", "two"]


def test_a_task_of_several_answers_has_no_reward_function(begun):
    with pytest.raises(ConfigError, match="takes up to 4; use environment_factory"):
        reward_functions(CARRY)[0]([], ["[(0.5, 0.5)]"], start=begun[:1])


@pytest.mark.parametrize(
    ("completion", "words"),
    [
        ("a", "a"),
        ([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}], "ab"),
        ([{"content": [{"type": "text", "text": "a"}, {"type": "image"}]}], "a"),
        ([{"role": "assistant", "content": None}], ""),
        ([], ""),
    ],
)
def test_the_words_of_a_completion(completion, words):
    assert said(completion) == words


def test_rows_for_verl_hold_their_starts_and_pay_what_trl_pays(pointing):
    rows = verl_rows.rows(POINT, 2, seed=5, system="Be short.")
    assert [r["extra_info"]["start"] for r in rows] == [start for start, _ in pointing]
    assert json.loads(json.dumps(rows)) == rows
    assert {r["agent_name"] for r in rows} == {"refergym"}
    assert rows[0]["prompt"][0] == {"role": "system", "content": "Be short."}
    judge = Judge(POINT)
    for row, (start, (x, y)) in zip(rows, pointing, strict=True):
        text = f'[{{"point_2d": [{2 * x}, {2 * y}]}}]'
        score = verl_rows.compute_score(
            row["data_source"], text, "", row["extra_info"], place=POINT, reward_router=None
        )
        assert score == {"score": pytest.approx(1.0), **judge.paid(start, text)}
    (shown, _) = verl_rows.rows(POINT, 2, seed=5, pictures=True)
    assert shown["prompt"][0]["content"] == "<image>" + rows[0]["prompt"][1]["content"]
    assert Image.open(io.BytesIO(shown["images"][0]["bytes"])).size == (224, 224)
    with pytest.raises(ConfigError, match=r"extra_info.start: required"):
        verl_rows.compute_score("", "a", "", {})


def test_no_rows_are_refused(begun):
    with pytest.raises(ConfigError, match="count: expected >= 1, got 0"):
        verl_rows.rows(CARRY, 0)


@pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("datasets") is not None, reason="it is here"
)
def test_data_sets_name_their_package():
    with pytest.raises(MissingExtra, match=r"needs datasets, .* pip install trl"):
        environment_rows(CARRY, 1)


def test_a_seat_keeps_its_environment_and_its_thread(begun):
    import threading

    threads = []

    def work(playing):
        threads.append(threading.get_ident())
        playing.begin(start=begun[0])
        return playing

    async def twice():
        async with seats.seated(CARRY) as one:
            first = await one.play(work)
            async with seats.seated(CARRY) as two:
                other = await two.play(work)
        async with seats.seated(CARRY) as again:
            return first, other, await again.play(work)

    first, other, again = asyncio.run(twice())
    assert first is again
    assert other is not first
    assert threads[0] == threads[2] != threads[1]


def test_a_seat_where_something_failed_is_left(begun):
    def work(playing):
        playing.begin(start=begun[0])
        return playing

    def fail(playing):
        raise RuntimeError("the simulator fell over")

    async def play(*what):
        async with seats.seated(CARRY) as seat:
            return [await seat.play(w) for w in what]

    (before,) = asyncio.run(play(work))
    with pytest.raises(RuntimeError, match="fell over"):
        asyncio.run(play(work, fail))
    (after,) = asyncio.run(play(work))
    assert after is not before


def test_pictures_survive_the_wire():
    depth = np.array([[0.0, 0.3, 1.2344], [9.9996, 70.0, 2.0]], np.float32)
    read = depth_of(depth_png(depth))
    assert read.dtype == np.float32
    assert read[0, 0] == 0
    np.testing.assert_allclose(read[depth < 65], depth[depth < 65], atol=5.1e-4)
    assert read[1, 1] == pytest.approx(65.535)
    from refergym.agents.pictures import png_base64

    rgb = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    assert np.array_equal(rgb_of(png_base64(rgb)), rgb)


def test_what_a_processor_makes_of_a_picture():
    class Images:
        patch_size = 14

        def __call__(self, images, return_tensors):
            height, width = images[0].shape[:2]
            return {"image_grid_thw": np.array([[1, height // 14, width // 14]])}

    class Processor:
        image_processor = Images()

    assert seen_size(Processor(), (230, 120)) == (224, 112)
    assert seen_size(object(), (230, 120)) == (230, 120)


def test_a_chat_without_a_system_message_is_one_question():
    assert messages("where?") == [{"role": "user", "content": "where?"}]
