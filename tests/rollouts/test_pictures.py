import numpy as np

from refergym.rollouts import pictures


def plain(height=100, width=120, value=90):
    return np.full((height, width, 3), value, np.uint8)


def test_a_point_is_marked_round_its_place_and_the_original_stays():
    before = plain()
    after = pictures.mark_point(before, (0.25, 0.5))
    ys, xs = np.nonzero((after != before).any(axis=2))
    assert abs(xs.mean() - 30) < 1
    assert abs(ys.mean() - 50) < 1
    assert (before == 90).all()
    assert (after[50, 30] == 90).all(), "what was pointed at stays visible"


def test_points_at_the_border_are_drawn_as_far_as_they_fit():
    for point in ((0.0, 0.0), (1.0, 1.0), (0.0, 1.0)):
        marked = pictures.mark_point(plain(), point)
        assert marked.shape == (100, 120, 3)
        assert (marked != 90).any()


def test_no_point_draws_nothing():
    assert np.array_equal(pictures.mark_point(plain(), None), plain())


def test_a_caption_stands_above_and_grows_with_its_text():
    short = pictures.caption(plain(), "pick the cup")
    long = pictures.caption(plain(), "pick the cup that stands to the left of the blue bowl " * 3)
    assert short.shape[1] == long.shape[1] == 120
    assert long.shape[0] > short.shape[0] > 100
    assert np.array_equal(short[-100:], plain())
    assert (short[:-100] < 128).any(), "letters"


def test_rows_and_columns_hold_every_picture():
    small, tall = plain(50, 60, 10), plain(80, 40, 20)
    line = pictures.row([small, tall])
    assert line.shape == (80, 60 + 40 + pictures.GAP, 3)
    assert (line[:50, :60] == 10).all()
    assert (line[:80, -40:] == 20).all()
    pile = pictures.column([small, tall])
    assert pile.shape == (50 + 80 + pictures.GAP, 60, 3)
    assert (pile[-80:, :40] == 20).all()


def test_a_saved_picture_comes_back_and_leaves_no_part_behind(tmp_path):
    picture = np.arange(60 * 50 * 3, dtype=np.uint8).reshape(60, 50, 3)
    path = tmp_path / "a" / "b.png"
    pictures.save(picture, path)
    assert np.array_equal(pictures.load(path), picture)
    assert [p.name for p in path.parent.iterdir()] == ["b.png"]
