from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.data.make_clips import clip
from whoplays.models.errors import DataError
from whoplays.training.data.mixing import Take, balanced, draw_pair, pair, peak_normalised, solos

seeds = st.integers(0, 1000)


def noise(seed: int, level: float = 1.0) -> np.ndarray:
    return (level * np.random.default_rng(seed).uniform(-1, 1, (2, 200))).astype(np.float32)


@given(seeds, st.floats(1e-4, 1))
def test_the_loudest_sample_becomes_a_half(seed: int, level: float) -> None:
    window = noise(seed, level)
    normalised = peak_normalised(window)
    assert normalised.dtype == np.float32
    assert np.abs(normalised).max() == pytest.approx(0.5)
    np.testing.assert_allclose(normalised * np.abs(window).max(), window / 2, atol=1e-6)


def test_silence_stays_silence() -> None:
    silence = np.zeros((2, 200), np.float32)
    np.testing.assert_array_equal(peak_normalised(silence), silence)


@given(seeds, st.floats(1e-3, 1), st.floats(1e-3, 1))
def test_a_pair_holds_both_alike_whatever_their_levels(seed: int, first: float, second: float) -> None:
    mixed = pair(noise(seed, first), noise(seed + 1, second))
    assert np.abs(mixed).max() == pytest.approx(0.5)
    np.testing.assert_allclose(mixed, pair(noise(seed), noise(seed + 1)), atol=1e-5)


@given(
    st.dictionaries(st.sampled_from(("acoustic guitar", "piano", "trumpet", "violin")), st.integers(1, 12), min_size=1)
)
def test_classes_are_balanced_by_reversing_signs(counts: dict[str, int]) -> None:
    clips = [clip(f"{label}{index}", [label]) for label, count in counts.items() for index in range(count)]
    takes = balanced(clips)
    largest = max(counts.values())
    sizes = Counter(next(iter(take.clip.labels)) for take in takes)
    assert sizes == dict.fromkeys(counts, largest)
    assert {take.clip.path for take in takes} == {one.path for one in clips}
    for label, count in counts.items():
        signs = [take.sign for take in takes if label in take.clip.labels]
        assert signs[:count] == [1] * count
        assert signs[count : 2 * count] == [-1] * (min(2 * count, largest) - count)


def test_solos_are_of_one_instrument_and_of_those_asked_for() -> None:
    clips = [clip("a", ["piano"]), clip("b", ["piano", "violin"]), clip("c"), clip("d", ["flute"])]
    assert [one.path.stem for one in solos(clips, ("piano", "violin"))] == ["a"]


@given(seeds)
def test_a_pair_is_of_two_labels(seed: int) -> None:
    takes = {
        label: [Take(clip(f"{label}{k}", [label]), 1) for k in range(3)]
        for label in ("acoustic guitar", "piano", "violin")
    }
    first, second = draw_pair(takes, np.random.default_rng(seed))
    assert first.clip.labels != second.clip.labels


def test_one_label_makes_no_pair() -> None:
    with pytest.raises(DataError, match=r"two labels at least; there are \['piano'\]"):
        draw_pair({"piano": [Take(clip("a", ["piano"]), 1)]}, np.random.default_rng(0))
