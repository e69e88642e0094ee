"""Losses against closed forms."""

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from refergym.agents.refervlm import ReferVLMConfig  # noqa: E402
from refergym.agents.refervlm.coordinates import cells  # noqa: E402
from refergym.agents.refervlm.modeling import IGNORED  # noqa: E402
from refergym.agents.sft.losses import (  # noqa: E402
    Weights,
    answer_loss,
    pointer_loss,
    points_of,
    schedule,
)

FIRST, COUNT = 10, 100


def config(coordinates=COUNT):
    return ReferVLMConfig(
        vision_config={"model_type": "refer_conv", "widths": [8, 8], "image_size": 32},
        text_config={"model_type": "qwen2", "vocab_size": 200},
        coordinates=coordinates, coordinate_token_id=FIRST, downsample=2,
    )  # fmt: skip


def test_words_cost_their_negative_log_likelihood():
    logits = torch.randn(2, 3, 200, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 150, IGNORED], [5, IGNORED, IGNORED]])
    loss, parts = answer_loss(logits, targets, config(), Weights())
    kept = targets != IGNORED
    expected = torch.nn.functional.cross_entropy(logits[kept], targets[kept])
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(parts["words"], expected)
    assert parts["coordinates"] == 0


def test_a_coordinate_costs_the_cross_entropy_to_a_gaussian_round_it():
    spread = 0.02
    logits = torch.randn(1, 1, 200, generator=torch.Generator().manual_seed(1))
    loss, _ = answer_loss(
        logits, torch.tensor([[FIRST + 40]]), config(), Weights(coordinates=2.0, spread=spread)
    )
    values = np.arange(COUNT) / COUNT
    target = np.exp(-0.5 * ((values - 0.4) / spread) ** 2)
    target /= target.sum()
    likely = logits[0, 0].log_softmax(-1).numpy()[FIRST : FIRST + COUNT]
    assert loss.item() == pytest.approx(-2.0 * (target * likely).sum(), rel=1e-5)


def test_a_neighbour_costs_less_than_what_is_far():
    def cost(said):
        logits = torch.full((1, 1, 200), -10.0)
        logits[0, 0, FIRST + said] = 0.0
        return answer_loss(logits, torch.tensor([[FIRST + 50]]), config(), Weights())[0].item()

    assert cost(50) < cost(51) < cost(55)
    assert cost(55) == pytest.approx(cost(90), rel=1e-3)


def test_without_coordinate_tokens_all_are_words():
    logits = torch.randn(1, 2, 200, generator=torch.Generator().manual_seed(2))
    targets = torch.tensor([[FIRST + 3, 7]])
    loss, _ = answer_loss(logits, targets, config(0), Weights())
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits[0], targets[0]))


def test_two_coordinates_close_together_are_a_point_and_three_are_a_direction():
    n = FIRST
    row = [1, n + 10, 2, n + 20, 5, 6, 7, 8, n + 1, 2, n + 2, 2, n + 3, 9, 9, 9, n + 30, n + 40]
    lonely = [n + 5, *([1] * (len(row) - 1))]
    rows, spans, points = points_of(torch.tensor([row, lonely]), config())
    assert rows.tolist() == [0, 0]
    assert spans.tolist() == [[1, 3], [16, 17]]
    np.testing.assert_allclose(points, [[0.1, 0.2], [0.3, 0.4]], atol=1e-6)


def test_the_pointer_costs_least_where_it_looks_at_the_point():
    side = config().side
    targets = torch.tensor([[FIRST + 12, 2, FIRST + 37]])
    middle = cells(side)
    best = int(((middle - torch.tensor([0.12, 0.37])) ** 2).sum(-1).argmin())

    def cost(cell):
        scores = torch.zeros(1, 3, side**2)
        scores[..., cell] = 5.0
        return pointer_loss(scores, targets, config()).item()

    costs = [cost(k) for k in range(side**2)]
    assert int(np.argmin(costs)) == best
    assert pointer_loss(torch.zeros(1, 3, side**2), targets, config()).item() == pytest.approx(
        math.log(side**2), rel=1e-5
    )


def test_an_answer_without_a_point_says_nothing_about_the_pointer():
    scores = torch.randn(1, 2, 16)
    assert pointer_loss(scores, torch.tensor([[1, FIRST + 4]]), config()) == 0


def test_the_rate_rises_then_falls_as_a_cosine_to_its_floor():
    rates = [schedule(k, 100, warmup=0.1, floor=0.2) for k in range(101)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert rates[55] == pytest.approx(0.2 + 0.8 * 0.5, abs=1e-6)
    assert rates[100] == pytest.approx(0.2)
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))
