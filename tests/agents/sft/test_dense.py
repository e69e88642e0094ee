"""What a tower's tokens are taught to show."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from refergym.agents.refervlm.modeling import IGNORED  # noqa: E402
from refergym.agents.sft.dense import DenseHead, dense_targets  # noqa: E402

NAMES = [[("mug", "red"), ("fork", "")]]


@pytest.fixture
def head():
    torch.manual_seed(0)
    return DenseHead(6, ["fork", "mug"], ["blue", "red"])


def ids(side=8):
    shown = np.full((1, side, side), -1)
    shown[0, :4, :4] = 0  # the whole first token of 2 x 2
    shown[0, 7, 7] = 1  # one pixel of the last
    return shown


def test_a_token_shows_what_covers_enough_of_it(head):
    targets = dense_targets(ids(), NAMES, head, 2, least=0.1)
    assert targets.category.tolist() == [[2, 0, 0, 0]]
    assert targets.colour.tolist() == [[2, 0, 0, 0]]
    # the thing's middle is the token's: (2, 2) of 8 px
    np.testing.assert_allclose(targets.offset[0, 0], [0, 0], atol=1e-6)
    small = dense_targets(ids(), NAMES, head, 2, least=0.01)
    assert small.category.tolist() == [[2, 0, 0, 1]]
    assert small.colour.tolist() == [[2, 0, 0, IGNORED]], "its colour has no name"
    np.testing.assert_allclose(small.offset[0, 3], np.array([7.5, 7.5]) / 8 - 0.75, atol=1e-6)


def test_where_two_share_a_token_it_shows_the_larger(head):
    shown = np.full((1, 4, 4), -1)
    shown[0, :, :1], shown[0, :, 1:3] = 1, 0
    assert dense_targets(shown, NAMES, head, 1).category.tolist() == [[2]]


def test_what_is_not_known_teaches_nothing(head):
    features = torch.randn(1, 4, 6, requires_grad=True)
    loss, _ = head.loss(features, dense_targets(ids(), [None], head, 2))
    loss.backward()
    assert loss == 0
    assert not features.grad.any()


def test_a_category_that_the_head_lacks_is_left_out(head):
    targets = dense_targets(ids(), [[("durian", "red"), ("fork", "")]], head, 2)
    assert targets.category.tolist() == [[IGNORED, 0, 0, 0]]


def test_the_loss_falls_to_nothing_where_all_is_said_rightly(head):
    targets = dense_targets(ids(), NAMES, head, 2, least=0.01)
    features = torch.eye(6)[None, :4].requires_grad_()
    before, right = head.loss(features, targets)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.1)
    fading = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.98)
    for _ in range(300):
        optimiser.zero_grad()
        head.loss(features, targets)[0].backward()
        optimiser.step()
        fading.step()
    after, right = head.loss(features, targets)
    assert after < before / 50
    assert right["category"] == right["colour"] == 1


def test_a_picture_that_the_grid_does_not_divide_is_refused(head):
    with pytest.raises(ValueError, match="multiple of 3 px"):
        dense_targets(ids(), NAMES, head, 3)
