import json

import msgspec
import pytest

from refergym.rollouts import config, reasoning
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.statistics import clustered, jeffreys

QUICK = ["scene=nano", "renderer.shadows=false", "renderer.antialias=none", "episodes=4"]


@pytest.fixture
def think(helpers, tmp_path):
    """Study a policy of thinkers.py: think("Copier", "batch=2")."""
    folder = tmp_path / "configs" / "policy"
    folder.mkdir(parents=True)

    def run(name, *overrides):
        text = f"_target_: thinkers.{name}\ndialect: roborefer\nseveral: first\n"
        (folder / "mine.yaml").write_text(text)
        words = [*QUICK, "policy=mine", f"out={tmp_path / 'out'}", *overrides]
        return reasoning.reasoning(words, folder.parent).study

    return run


def effects(study):
    return {effect.thought: effect for effect in study.effects}


def test_of_a_policy_that_copies_its_thought_the_thought_moves_the_answer(think, tmp_path):
    study = think("Copier", "batch=3")
    assert (study.n, study.form_rate, study.step_form_rate) == (4, 1.0, 1.0)
    for part in study.process.values():
        assert part.right == part.stated == part.total
    assert study.process["all"].share == 1
    found = effects(study)
    for thought in ("free", "own", "true"):
        assert (found[thought].distance, found[thought].success_rate) == (0.0, 1.0)
    assert found["corrupted"].distance >= 0.25
    assert found["corrupted"].success_rate < 1
    assert found["empty"].distance > 0.02
    for case in study.cases:
        own, moved = case.answers["own"].text, case.answers["corrupted"].text
        assert own != moved
        assert own == case.answers["free"].text
        assert case.answers["empty"].text.startswith("<think></think><answer>")
    written = json.loads((tmp_path / "out" / "reasoning.json").read_text())
    assert written == json.loads(msgspec.json.encode(study))
    again = think("Copier", "batch=1")
    assert again.cases == study.cases, "whatever is answered together"


def test_of_a_policy_that_ignores_its_thought_the_thought_moves_nothing(think):
    study = think("Ignorer")
    assert study.process["all"].share == 1, "it thinks well all the same"
    for effect in study.effects:
        assert (effect.n, effect.points, effect.distance) == (4, 4, 0.0)
        assert effect.success_rate == study.effects[0].success_rate


def test_false_positions_are_counted_as_stated_and_not_as_right(think):
    study = think("Liar")
    position = study.process["Position"]
    assert position.total == position.stated > 0
    assert (position.right, position.share) == (0, 0.0)
    found = effects(study)
    assert found["free"].success_rate < 1
    assert found["true"].success_rate == 1
    assert found["true"].distance >= 0.3


def test_an_empty_thought_is_not_corrupted(think):
    found = effects(think("Mute", "episodes=1"))
    assert [found[t].n for t in ("free", "own", "empty", "corrupted")] == [1, 1, 1, 0]
    assert found["corrupted"].distance is found["corrupted"].success_rate is None


def test_the_command_shows_progress_and_two_tables(think, tmp_path, capsys):
    think("Copier", "episodes=1")
    folder = tmp_path / "configs"
    words = [*QUICK, "episodes=1", "policy=mine", f"out={tmp_path / 'out'}"]
    assert reasoning.main(["--config-dir", str(folder), *words]) == 0
    said = capsys.readouterr()
    for part in ("mine, point_at_object", "Position", "its own, positions moved", "100.0 %"):
        assert part in said.out
    assert "1/1" in said.err
    assert said.out.strip().endswith("reasoning.json")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["policy=random"], "policy: random answers without words, so it has no reasoning"),
        (["policy=narrator"], "policy: narrator cannot go on from given words"),
        (["policy=narrator", "shift=0.9"], "shift: expected <= 0.6, got 0.9"),
        (["policy=narrator", "episodes=0"], "episodes: expected >= 1, got 0"),
    ],
)
def test_what_cannot_be_studied_is_said_in_one_line_and_nothing_written(
    tmp_path, overrides, message
):
    out = tmp_path / "out"
    with pytest.raises(ConfigError) as caught:
        reasoning.reasoning([*overrides, f"out={out}"])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_shares_are_over_key_steps_and_intervals_over_episodes():
    case = {
        "index": 0, "kind": "point", "instruction": "x", "is_in_form": False, "steps": 2,
        "exact_steps": 1, "answers": {},
    }  # fmt: skip

    def claim(perception, *, stated, right):
        step = {"perception": perception, "target": "the cup", "value": [0.5, 0.5]}
        return {"step": step, "is_stated": stated, "is_right": right}

    first = [claim("Position", stated=True, right=True), claim("Size", stated=False, right=False)]
    second = [claim("Position", stated=True, right=False)] * 2
    cases = msgspec.convert(
        [{**case, "claims": first}, {**case, "claims": second}], list[reasoning.Case]
    )
    found = reasoning.study(cases, policy="p", task="t", episodes=2, config={}, versions={})
    position = found.process["Position"]
    assert (position.total, position.stated, position.right) == (3, 3, 1)
    assert position.share == 1 / 3
    assert position.interval == clustered([1, 0], [1, 2])
    assert (found.process["Size"].stated, found.process["Size"].share) == (0, 0.0)
    assert found.process["Orientation"].share is None
    assert (found.process["all"].total, found.step_form_rate) == (4, 0.5)
    assert found.effects[0].interval == jeffreys(0, 0)


def test_the_shipped_config_names_every_key():
    composed = config.compose("reasoning")
    assert set(composed.config) == set(reasoning.Settings.__struct_fields__)
