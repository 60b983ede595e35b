from collections import Counter

import msgspec
import numpy as np
import pytest

from tests.training.data.make_clips import clip
from tests.training.data.tiny_corpus import SECONDS
from whoplays.models.labels import CORE
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.training.data.clip import Clip, Segment
from whoplays.training.data.library import Library
from whoplays.training.data.mixing import rms
from whoplays.training.evaluate.testset import ClipWindow, Example, Sets, build_sets, windows_of


@pytest.fixture(scope="module")
def sets(library: Library, clips: list[Clip], few: None) -> Sets:
    return build_sets(library, clips, CORE, seed=7)


def test_solos_and_other_sounds_are_heard_as_recorded(sets: Sets, library: Library, clips: list[Clip]) -> None:
    assert len(sets["solos"]) == len([one for one in clips if one.labels])
    assert len(sets["other sounds"]) == len([one for one in clips if not one.labels])
    assert "ensembles" not in sets
    for example in (*sets["solos"], *sets["other sounds"]):
        (window,) = example.parts
        np.testing.assert_array_equal(example.audio(library), library.window(window.clip, window.start))
        assert example.labels == window.clip.labels


@pytest.mark.parametrize(("name", "size"), [("pairs", 2), ("trios", 3)])
def test_mixes_are_of_different_labels_and_sources(sets: Sets, name: str, size: int) -> None:
    assert sets[name]
    for example in sets[name]:
        assert len(example.labels) == len(example.parts) == size
        assert len({window.clip.source for window in example.parts}) == size
        assert max(map(abs, example.gains_db)) <= 6


def test_a_mix_is_of_its_parts_at_their_levels(sets: Sets, library: Library) -> None:
    for example in sets["pairs"]:
        windows = [library.window(window.clip, window.start) for window in example.parts]
        parts = [w / rms(w) * 10 ** (g / 20) for w, g in zip(windows, example.gains_db, strict=True)]
        mixed = example.audio(library)
        assert np.abs(mixed).max() == pytest.approx(0.5)
        np.testing.assert_allclose(mixed, sum(parts) * 0.5 / np.abs(sum(parts)).max(), atol=1e-5)


def test_sets_are_the_same_every_time(sets: Sets, library: Library, clips: list[Clip]) -> None:
    assert build_sets(library, clips, CORE, seed=7) == sets
    assert build_sets(library, clips, CORE, seed=8) != sets


def test_one_source_alone_is_mixed_with_itself(library: Library, clips: list[Clip]) -> None:
    alone = [one for one in clips if one.source == clips[0].source]
    assert build_sets(library, alone, CORE, seed=7)["pairs"]


def test_too_few_labels_make_no_mixes(library: Library, clips: list[Clip]) -> None:
    pianos = [one for one in clips if one.labels == {"piano"}]
    assert list(build_sets(library, pianos, CORE, seed=7)) == ["solos"]


def test_sources_of_a_mix_are_all_named() -> None:
    parts = (ClipWindow(clip("a", ["piano"], source="hall"), 0), ClipWindow(clip("b", ["violin"], source="cellar"), 0))
    assert Example(parts, (0.0, 0.0)).source == "cellar + hall"


class Tape(Library):
    """A library of one recording."""

    def __init__(self, audio: np.ndarray) -> None:
        self._tape = audio

    def audio(self, _clip: Clip) -> np.ndarray:
        return self._tape


@pytest.mark.parametrize(("windows", "expected"), [(0.5, 1), (1, 1), (1.9, 1), (2, 2), (12, 12), (40, 12)])
def test_a_long_recording_is_heard_in_twelve_places_at_most(windows: float, expected: int) -> None:
    found = windows_of(Tape(np.full((1, int(windows * WINDOW_SAMPLES)), 1000, np.int16)), clip("a", ["piano"]))
    starts = [window.start for window in found]
    assert len(set(starts)) == len(starts) == expected
    assert all(start % WINDOW_SAMPLES == 0 for start in starts)
    assert starts[-1] + WINDOW_SAMPLES <= max(windows, 1) * WINDOW_SAMPLES


def test_silent_places_are_left_out() -> None:
    audio = np.zeros((1, 3 * WINDOW_SAMPLES), np.int16)
    audio[:, WINDOW_SAMPLES : 2 * WINDOW_SAMPLES] = 1000
    assert [window.start for window in windows_of(Tape(audio), clip("a", ["piano"]))] == [WINDOW_SAMPLES]


def test_the_made_clips_are_one_window_each(library: Library, clips: list[Clip]) -> None:
    assert 3 < SECONDS < 6
    assert [window.start for window in windows_of(library, clips[0])] == [0]


@pytest.mark.parametrize(("name", "size"), [("pairs", 2), ("trios", 3)])
def test_every_set_of_labels_is_mixed_as_often_as_any_other(sets: Sets, name: str, size: int) -> None:
    counts = Counter(example.labels for example in sets[name])
    assert len(counts) == {2: 6, 3: 4}[size]
    assert max(counts.values()) - min(counts.values()) <= 1


def test_labels_of_one_source_only_are_not_mixed() -> None:
    """Piano and violin are from the same hall, the trumpet from another: of the three pairs, two are possible."""
    clips = [clip("a", ["piano"], source="x"), clip("b", ["violin"], source="x"), clip("c", ["trumpet"], source="y")]
    sets = build_sets(Tape(np.full((1, WINDOW_SAMPLES), 1000, np.int16)), clips, CORE, seed=1)
    assert {example.labels for example in sets["pairs"]} == {
        frozenset({"piano", "trumpet"}),
        frozenset({"trumpet", "violin"}),
    }
    assert "trios" not in sets


def test_windows_of_an_ensemble_have_labels_of_their_own() -> None:
    times = ((0.0, 6.0, "piano"), (3.0, 12.0, "violin"), (12.0, 12.2, "piano"))
    timeline = tuple(Segment(start_s=a, end_s=b, labels=frozenset({label})) for a, b, label in times)
    duo = msgspec.structs.replace(clip("duo", ["piano", "violin"]), timeline=timeline)
    sets = build_sets(Tape(np.full((1, 6 * WINDOW_SAMPLES), 1000, np.int16)), [duo], CORE, seed=1)
    assert list(sets) == ["ensembles"]
    found = {example.parts[0].start // WINDOW_SAMPLES: set(example.labels) for example in sets["ensembles"]}
    assert found == {0: {"piano"}, 1: {"piano", "violin"}, 2: {"violin"}, 3: {"violin"}, 5: set()}


def test_a_pause_in_a_solo_is_no_solo() -> None:
    timeline = (Segment(start_s=0, end_s=3, labels=frozenset({"piano"})),)
    solo = msgspec.structs.replace(clip("solo", ["piano"]), timeline=timeline)
    sets = build_sets(Tape(np.full((1, 2 * WINDOW_SAMPLES), 1000, np.int16)), [solo], CORE, seed=1)
    assert [example.parts[0].start for example in sets["solos"]] == [0]
