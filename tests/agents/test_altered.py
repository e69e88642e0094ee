import numpy as np
import pytest

from refergym.agents.altered import AlteredPolicy
from refergym.agents.asking import prompt, taken_apart
from refergym.agents.blind import blind_policy
from refergym.agents.oracle import OraclePolicy
from refergym.agents.policy import Answer, Policy
from refergym.agents.shuffled import another, kind_of, shuffled_policy
from refergym.agents.uniform import UniformPolicy
from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.language.held_out import held_out_sentences

FLOORS = {"blind": blind_policy, "shuffled": shuffled_policy}


class Spy:
    """Keeps what it is shown."""

    name, privileged, version = "spy", False, "7"
    dialect, several = RoboRefer(), "mean"

    def __init__(self):
        self.shown = []
        self.seeds = []

    def act(self, observations, *, seeds, truths=None):
        assert truths is None
        self.shown += observations
        self.seeds += seeds
        return [Answer(text=o["instruction"]) for o in observations]

    def check(self):
        raise ValueError("checked")


@pytest.fixture(params=FLOORS)
def floor(request):
    return FLOORS[request.param]


def test_a_floor_has_the_dialect_seeds_version_and_check_of_its_policy(floor, seen):
    spy = Spy()
    policy = floor(spy)
    assert isinstance(policy, Policy)
    assert isinstance(policy, AlteredPolicy)
    assert (policy.dialect, policy.several, policy.version) == (spy.dialect, "mean", "7")
    policy.act([seen(), seen()], seeds=[3, 4])
    assert spy.seeds == [3, 4]
    with pytest.raises(ValueError, match="checked"):
        policy.check()
    floor(UniformPolicy()).check()


def test_a_floor_changes_copies_only(floor, seen):
    observation = seen(first_rgb=np.full((2, 2, 3), 7, np.uint8))
    before = {k: np.copy(v) for k, v in observation.items()}
    floor(Spy()).act([observation], seeds=[1])
    assert all((before[k] == v).all() for k, v in observation.items() if k != "instruction")
    assert observation["instruction"] == "point at the cup"


@pytest.mark.parametrize("wrapped", [None, "random", 3])
def test_a_floor_without_a_policy_says_how_to_name_one(floor, wrapped):
    with pytest.raises(ValueError, match=r"policy\.policy=NAME, or floors="):
        floor(wrapped)


def test_a_policy_that_sees_the_truth_has_no_such_floor(floor):
    with pytest.raises(ValueError, match="oracle sees the truth"):
        floor(OraclePolicy())


def test_blind_shows_nothing_of_any_picture(seen):
    spy = Spy()
    one = seen(first_rgb=np.full((2, 2, 3), 7, np.uint8), feedback="Done.")
    other = {**one, "rgb": one["rgb"][::-1], "depth": one["depth"] * 2}
    other["first_rgb"] = np.zeros((2, 2, 3), np.uint8)
    blind_policy(spy).act([one, other], seeds=[1, 1])
    first, second = spy.shown
    assert set(first) == set(one)
    for key in one:
        assert np.array_equal(first[key], second[key]), key
    assert np.ptp(first["rgb"]) == np.ptp(first["first_rgb"]) == np.ptp(first["depth"]) == 0
    assert first["rgb"].dtype == np.uint8
    assert first["depth"].dtype == np.float32
    assert (first["instruction"], first["feedback"]) == ("point at the cup", "Done.")


def test_shuffled_tells_one_thing_per_instruction_and_seed_whatever_the_batch(seen):
    asked = [f"Point to cup {k}." for k in range(30)]
    alone = [shuffled_policy(Spy()).act([seen(a)], seeds=[9])[0].text for a in asked]
    backwards = shuffled_policy(Spy()).act([seen(a) for a in asked[::-1]], seeds=range(30))
    assert [a.text for a in backwards][::-1] == alone
    assert len(set(alone)) > 15
    assert alone != [another(a, 1) for a in asked]


def test_shuffled_says_something_else_of_the_same_kind():
    kinds = {s.text: s.kind for s in held_out_sentences()}
    for text in kinds:
        told = another(text, 0)
        assert told != text
        assert kinds[told] == kind_of(text)
    orders = {"Pick up the cup.": "pick", "Put the cup into the bowl.": "move"}
    orders |= {"Where is the cup?": "point", "Pick up the cup and put it on the tray.": "move"}
    assert {text: kind_of(text) for text in orders} == orders


def test_kinds_of_generated_instructions_are_told(request):
    from refergym.rollouts import suites

    point = ("point_at_object", "point_at_free_space", "point_at_waypoint")
    for name in ("seen", "held_out_words", "more_steps"):
        for start in suites.load(suites.find(name)):
            kind = "point" if start.task.kind in point else "move"
            assert kind_of(start.task.instruction) == kind, start.task.instruction


@pytest.mark.parametrize("suffix", [RoboRefer.suffix, "", "Answer (x, y) [in brackets]?"])
@pytest.mark.parametrize("feedback", ["", "Nothing was done."])
def test_a_prompt_can_be_taken_apart_again(suffix, feedback, seen):
    text = prompt(seen("Put  it\ndown.", feedback=feedback), suffix, feedback=True)
    expected = ("Put  it\ndown.", feedback)
    if not suffix and feedback:  # nothing tells where the instruction ends
        expected = (f"Put  it\ndown. \n{feedback}".replace(" \n", "\n"), "")
    assert taken_apart(text, ("something else", suffix)) == expected
    assert (
        feedback not in prompt(seen("a", feedback=feedback), suffix, feedback=False) or not feedback
    )


def test_a_suffix_without_a_space_ahead_or_with_other_space_is_found():
    text = "Please point to the leftmost mug" + " ".join(RoboRefer.suffix.split())
    assert taken_apart(text, (RoboRefer.suffix,)) == ("Please point to the leftmost mug", "")
