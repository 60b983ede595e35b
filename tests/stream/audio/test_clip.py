import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.clip import Clipper


@given(arrays(np.float32, st.tuples(st.just(2), st.integers(0, 50)), elements=st.floats(width=32)))
def test_whatever_comes_in_numbers_in_range_come_out(audio: Audio) -> None:
    before = audio.copy()
    clipped, invalid = Clipper().clip(audio)
    assert clipped.shape == audio.shape
    assert np.isfinite(clipped).all()
    assert np.abs(clipped).max(initial=0.0) <= 1.0
    np.testing.assert_array_equal(audio, before)
    bad = np.flatnonzero(~np.isfinite(audio).all(axis=0))
    assert (invalid is None) == (bad.size == 0)
    if invalid is not None:
        assert (invalid.start, invalid.stop) == (bad[0], bad[-1] + 1)
        assert not clipped[:, invalid].any()


def test_what_is_in_range_is_not_copied() -> None:
    audio = np.full((2, 10), -1.0, np.float32)
    assert Clipper().clip(audio).audio is audio


def test_what_is_changed_is_counted() -> None:
    clipper = Clipper()
    audio = np.zeros((2, 10), np.float32)
    audio[0, 2] = audio[1, 2] = -1.5
    audio[1, 3] = 1e18
    audio[0, 5], audio[1, 7] = np.nan, np.inf
    clipped, invalid = clipper.clip(audio)
    assert clipped[:, :4].tolist() == [[0, 0, -1, 0], [0, 0, -1, 1]]
    assert invalid == slice(5, 8)
    assert (clipper.clipped_samples, clipper.absurd_samples, clipper.invalid_samples) == (2, 1, 3)


@pytest.mark.parametrize(
    "audio", [np.zeros((2, 5)), np.zeros((5, 2), np.float32), np.zeros(5, np.float32), [[0.0], [0.0]], None]
)
def test_what_is_no_block_is_refused(audio: object) -> None:
    with pytest.raises(SourceError, match=r"blocks must be float32 \[2, n\], not "):
        Clipper().clip(audio)  # type: ignore[arg-type]
