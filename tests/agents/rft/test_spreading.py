"""A learner in two processes (gloo, CPU) does what it does in one, however weights are held."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import rft_peer_part  # noqa: E402
from sft_parts import spread  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
CASES = {
    # each sample is a part of its own: five over two processes
    "parts": {"budget": 1, "lr": 0.3},
    "one_part": {"lr": 0.3},
    "reference": {
        "budget": 1,
        "lr": 1e-4,
        "steps": 2,
        "loss": {"kl": 0.1, "entropy": 0.01, "mean": "answers"},
    },
    "minibatches": {"budget": 40, "lr": 0.01, "epochs": 2, "minibatches": 2},
    "adapters": {"budget": 1, "steps": 2, "lora": 4, "lr": 0.01, "loss": {"kl": 0.1}},
    "no_pointer": {"budget": 1, "lr": 0.3, "pointer": False},
    "checkpointing": {"budget": 1, "lr": 0.01, "checkpointing": True, "epochs": 2},
    "resumed": {"adam": True, "steps": 2, "budget": 1},
    "resumed_adapters": {"adam": True, "steps": 2, "budget": 1, "lora": 4, "loss": {"kl": 0.1}},
}
"""lr: far enough to see a wrong gradient, and near enough that rounding does not grow"""
LAYOUTS = ("copies", "shards")


def ran(folder, count, cases):
    folder.mkdir(exist_ok=True)
    done = spread([rft_peer_part.__file__, str(folder), json.dumps(cases)], count)
    assert [p.returncode for p in done] == [0] * count, [p.stderr[-2000:] for p in done]


def load(folder, name):
    return torch.load(folder / f"{name}.pt", weights_only=True)


def close(one, other, name):
    """Compare rows and weights: to 1e-5, of the norm in proportion to it."""
    assert len(one["rows"]) == len(other["rows"])
    for row, found in zip(one["rows"], other["rows"], strict=True):
        assert found == pytest.approx(row, rel=1e-5, abs=1e-5), name
    assert one["weights"].keys() == other["weights"].keys()
    for key, value in one["weights"].items():
        torch.testing.assert_close(
            other["weights"][key], value, rtol=1e-5, atol=1e-5, msg=f"{name}: {key}"
        )


def same(one, other, name):
    """Compare trees of tensors bit by bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one:
            same(one[key], other[key], f"{name}.{key}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), name
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), name
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            same(a, b, f"{name}[{k}]")
    else:
        assert one == other, name


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What one process, and two in both layouts, made of the cases."""
    root = tmp_path_factory.mktemp("spread")
    ran(root / "1", 1, CASES | {"untouched": {"steps": 0}})
    several = {f"{n}_{s}": {**c, "spread": s} for n, c in CASES.items() for s in LAYOUTS}
    ran(root / "2", 2, several)
    return root


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", [n for n in CASES if not n.startswith("resumed")])
def test_two_processes_learn_what_one_does(name, layout, folders):
    one, two = load(folders / "1", name), load(folders / "2", f"{name}_{layout}")
    close(one, two, name)
    assert load(folders / "2", f"{name}_{layout}.other")["rows"] == two["rows"]
    if CASES[name].get("pointer", True):
        begun = load(folders / "1", "untouched")["weights"]
        moved = max(float((v - begun[k]).abs().max()) for k, v in one["weights"].items())
        assert moved > 1e-4, "or a wrong gradient would not be seen"


@pytest.mark.parametrize("name", ["resumed", "resumed_adapters"])
def test_what_one_layout_saved_another_goes_on_with(name, folders, tmp_path):
    """The optimiser comes back bit by bit, and the next step is that of who did not stop."""
    case = CASES[name]
    saved = {"1": folders / "1" / f"{name}.pt"}
    saved |= {layout: folders / "2" / f"{name}_{layout}.pt" for layout in LAYOUTS}
    two = {
        f"{source}_{layout}_{steps}": {**case, "steps": steps, "begun": str(path), "spread": layout}
        for source, path in saved.items()
        for layout in LAYOUTS
        for steps in (0, 1)
    }
    one = {
        f"{source}_one_{steps}": {**case, "steps": steps, "begun": str(path)}
        for source, path in saved.items()
        for steps in (0, 1)
    }
    ran(tmp_path, 1, one)
    ran(tmp_path, 2, two)
    for source, path in saved.items():
        kept = torch.load(path, weights_only=True)
        for layout in ("one", *LAYOUTS):
            again = load(tmp_path, f"{source}_{layout}_0")
            for part in ("optimiser", "adapters", "step"):
                same(again["state"][part], kept["state"][part], f"{source}_{layout}: {part}")
            same(again["weights"], kept["weights"], f"{source}_{layout}: weights")
            went_on = load(tmp_path, f"{source}_{layout}_1")["rows"]
            expected = load(tmp_path, f"{source}_one_1")["rows"]
            assert went_on[0] == pytest.approx(expected[0], rel=1e-5, abs=1e-5), (source, layout)
