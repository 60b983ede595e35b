import numpy as np
import pytest

from whoplays.training.render.instruments import BY_NAME
from whoplays.training.render.performance import STEP_S, Performance, perform
from whoplays.training.render.scores import Note

SECONDS = 6.0
SCALE = [Note(index * 0.5, 0.45, 60 + index) for index in range(12)]


def played(name: str, seed: int, notes: list[Note] = SCALE) -> Performance:
    return perform(notes, BY_NAME[name], SECONDS, np.random.default_rng(seed))


def test_the_same_chance_gives_the_same_performance() -> None:
    first, second = played("violin", 3), played("violin", 3)
    assert first.notes == second.notes
    np.testing.assert_array_equal(first.cents, second.cents)


@pytest.mark.parametrize("seed", range(10))
def test_variation_keeps_within_what_it_says(seed: int) -> None:
    performance = played("violin", seed)
    assert len(performance.notes) == len(SCALE)
    assert all(abs(a.start_s - b.start_s) <= 0.0401 for a, b in zip(performance.notes, SCALE, strict=True))
    assert all(12 <= note.velocity <= 127 for note in performance.notes)
    assert np.abs(performance.cents).max() <= 30 + 35
    assert performance.loudness.min() >= 10 ** (-10.1 / 20)
    assert performance.loudness.max() <= 1
    assert performance.cents.size == performance.loudness.size == SECONDS / STEP_S + 1


def test_a_piano_has_no_vibrato_and_no_swell() -> None:
    for seed in range(10):
        performance = played("piano", seed)
        assert np.ptp(performance.cents) == 0
        assert (performance.loudness == 1).all()


def test_some_violins_have_vibrato_and_some_have_not() -> None:
    moving = [np.ptp(played("violin", seed).cents) > 1 for seed in range(20)]
    assert 5 < sum(moving) < 20


def test_some_are_soft_and_some_are_loud() -> None:
    loudness = [np.mean([note.velocity for note in played("flute", seed).notes]) for seed in range(40)]
    assert min(loudness) < 50
    assert max(loudness) > 90


def test_a_key_that_is_struck_again_is_let_go_before() -> None:
    performance = played("piano", 0, [Note(0.0, 3.0, 60), Note(1.0, 3.0, 60), Note(0.5, 3.0, 64)])
    first, _, again = performance.notes
    assert first.key == again.key == 60
    assert first.end_s < again.start_s
