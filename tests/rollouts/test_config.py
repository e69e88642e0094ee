import copy
from pathlib import Path

import pytest

from refergym.rollouts import config
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import around

FOLDER = Path(config.__file__).parents[1] / "configs"
GROUPS = (
    "backend", "dialect", "learner", "policy", "randomisation", "renderer", "scene", "sensor",
    "task",
)  # fmt: skip
OPTIONS = [
    (path.parent.name, path.stem)
    for path in sorted(FOLDER.glob("*/*.yaml"))
    if path.parent.name in GROUPS and not path.stem.startswith("_")
]
PRIMARIES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def message(*overrides):
    with pytest.raises(ConfigError) as caught:
        config.compose("evaluate", overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_every_group_has_choices():
    assert {group for group, _ in OPTIONS} == set(GROUPS)


@pytest.mark.parametrize("name", PRIMARIES)
def test_every_primary_config_composes(name):
    composed = config.compose(name)
    plain = {"data", "model", "preset", "rollout", "split", "stage"}  # values, no objects
    if name == "train":
        plain.add("learner")
    groups = {g for g in composed.choices if "@" not in g} - plain
    assert all("_target_" in composed.config[g] for g in groups)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_choice_makes_its_object(group, option):
    node = config.choice(group, option)
    if group == "policy":
        node = around(node, config.choice("policy", "random"))
    if option in ("bullet", "auto"):
        pytest.importorskip("pybullet")
    if option.startswith("sb3"):
        pytest.importorskip("stable_baselines3")
    if (group, option) == ("policy", "sb3"):
        pytest.skip("needs a model; tests/rollouts/test_sb3_train.py makes one")
    if option in ("gl", "moderngl"):
        pytest.importorskip("moderngl")
    if group == "learner" and not option.startswith("sb3"):
        pytest.skip("values, no object; tests/agents/rft/test_presets.py reads them")
    if (group, option) == ("policy", "vlm"):
        pytest.skip("its checkpoint is not here; tests/agents/test_vlm.py loads one")
    assert config.instantiate(node, group) is not None


def test_a_mapping_may_have_keys_that_its_default_lacks():
    composed = config.compose("evaluate", ["task=pick", "task.clarity.ties={left: 0.05}"])
    assert composed.config["task"]["clarity"]["ties"] == {"left": 0.05}
    task = config.instantiate(composed.config["task"], "task")
    assert task.clarity.ties == {"left": 0.05}


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("task.clarity.ties={lefft: 0.05}", "ties: expected some of .*'lefft'"),
        ("task.clarity={tie: 1}", "Unexpected keyword argument 'tie'"),
    ],
)
def test_wrong_keys_of_a_mapping_are_named(override, text):
    task = config.compose("evaluate", ["task=pick", override]).config["task"]
    with pytest.raises(ConfigError, match=text):
        config.instantiate(task, "task")


def test_a_choice_and_a_key_are_taken():
    composed = config.compose("evaluate", ["policy=random", "episodes=7", "backend=kinematic"])
    assert composed.choices["policy"] == "random"
    assert composed.config["episodes"] == 7
    assert "hydra" not in composed.config


def test_an_unknown_key_names_near_and_allowed_ones():
    text = message("epsiodes=3")
    assert text.startswith("epsiodes: unknown key; did you mean episodes? allowed: ")
    assert "workers" in text


def test_an_unknown_key_of_a_choice_names_that_choice_s_keys():
    text = message("backend=bullet", "backend.grsp=magic")
    assert text == "backend.grsp: unknown key; did you mean backend.grasp? allowed: backend.grasp"


def test_an_unknown_choice_names_the_available_ones():
    text = message("policy=orcale")
    assert text.startswith("policy: no choice 'orcale'; did you mean oracle? available: anything, ")


@pytest.mark.parametrize("value", ["", "null", "3"])
def test_an_empty_choice_is_refused(value):
    assert "available: " in message(f"backend={value}")


def test_a_wrong_type_names_the_key_what_fits_and_what_came():
    text = message("backend=bullet", "backend.grasp=[1]")
    assert text == "backend.grasp: expected str, got [1]"


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("episodes", "expected key=value"),
        ("seed=1,2", "seed: expected one value"),
        ("out=[", "not a readable key=value"),
        ("seed=${nope}", "'nope' not found"),
        ("seed=???", "seed"),
        ("hydra.run.dir=x", "hydra.run.dir: unknown key"),
    ],
)
def test_what_cannot_be_read_is_explained(override, part):
    assert part in message(override)


def test_a_missing_target_is_named():
    with pytest.raises(ConfigError, match=r"policy\._target_: missing"):
        config.instantiate({}, "policy")
    with pytest.raises(ConfigError, match=r"policy: .*nowhere"):
        config.instantiate({"_target_": "nowhere.Policy"}, "policy")


def test_a_further_argument_that_does_not_exist_is_named():
    node = config.compose("evaluate", ["+policy.temperature=1"]).config["policy"]
    with pytest.raises(ConfigError, match=r"^policy: .*argument"):
        config.instantiate(node, "policy")


def test_a_record_with_a_wrong_value_lists_the_allowed_ones():
    node = {"_target_": "refergym.assets.spec.SensorSpec", "depth_noise": "fog"}
    with pytest.raises(ConfigError, match=r"^sensor\.depth_noise: .*'gaussian', .*, got 'fog'"):
        config.instantiate(node, "sensor")


def test_a_folder_of_one_s_own_adds_choices(tmp_path):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "mine.yaml").write_text(
        "_target_: refergym.agents.center.CenterPolicy\n"
    )
    composed = config.compose("evaluate", ["policy=mine"], tmp_path)
    assert composed.config["policy"]["_target_"].endswith("CenterPolicy")
    assert "mine" in config.options("evaluate", tmp_path)["policy"]
    assert "mine" not in config.options("evaluate")["policy"]


def test_what_is_done_to_a_config_stays_there():
    for make in (
        lambda: config.compose("evaluate", ["task=pick"]).config["task"],
        lambda: config.choice("task", "pick"),
        lambda: config.options("evaluate"),
    ):
        first, kept = make(), copy.deepcopy(make())
        first.clear()
        assert make() == kept
    first = config.compose("evaluate", ["task=pick"])
    first.config["task"]["clarity"]["ties"]["left"] = 9
    first.choices.clear()
    second = config.compose("evaluate", ["task=pick"])
    assert "left" not in second.config["task"]["clarity"]["ties"]
    assert second.choices["task"] == "pick"


def test_what_may_change_meanwhile_is_read_anew(tmp_path, monkeypatch):
    (tmp_path / "policy").mkdir()
    for value in ("one", "two"):
        monkeypatch.setenv("REFERGYM_TEST_NAME", value)
        (tmp_path / "policy" / "mine.yaml").write_text(f"_target_: {value}\n")
        (tmp_path / "policy" / f"{value}.yaml").write_text("_target_: other\n")
        composed = config.compose("evaluate", ["name=${oc.env:REFERGYM_TEST_NAME}"])
        assert composed.config["name"] == value
        composed = config.compose("evaluate", ["policy=mine"], tmp_path)
        assert composed.config["policy"]["_target_"] == value
        assert config.choice("policy", "mine", tmp_path)["_target_"] == value
        assert value in config.options("evaluate", tmp_path)["policy"]


def test_composing_leaves_another_hydra_application_alone():
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_dir(str(FOLDER), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        config.compose("evaluate", ["name=${oc.env:PATH}"])  # never from memory
        assert GlobalHydra.instance().hydra is before


def test_a_yaml_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "broken.yaml").write_text("a: [1\n")
    with pytest.raises(ConfigError, match=r"policy/broken\.yaml"):
        config.compose("evaluate", ["policy=broken"], tmp_path)


@pytest.mark.parametrize("name", ["mine", "random"])
def test_a_choice_of_one_s_own_folder_is_found_beside_ours(name, tmp_path):
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "mine.yaml").write_text("_target_: refergym.agents.center.CenterPolicy")
    assert "_target_" in config.choice("policy", name, tmp_path)
    with pytest.raises(ConfigError, match="no choice 'mine'"):
        config.choice("policy", "mine")


def test_words_make_of_one_config_another():
    have = {"scene": {"splits": ["seen"], "table": {"size": 1.0, "name": "a"}, "own": 1}}
    want = {"scene": {"splits": ["x", "y"], "table": {"size": None, "name": "a"}, "more": True}}
    assert config.words_between(have["scene"], want["scene"], "scene") == [
        'scene.splits=["x", "y"]', "scene.table.size=null", "+scene.more=true",
    ]  # fmt: skip
    learned = config.compose("train", ["task=pick", "scene.splits=[unseen]"]).config["scene"]
    plain = config.compose("evaluate").config["scene"]
    words = config.words_between(plain, learned, "scene")
    assert len(words) > 1
    made = config.compose("evaluate", words).config["scene"]
    assert {name: made[name] for name in learned} == learned
