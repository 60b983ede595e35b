"""The spectrogram is the same, however it comes about: by the graph, of a window, or as audio arrives."""

import numpy as np
import pytest
import torchaudio

from tests.stream.engines import all_messages
from tests.stream.pipeline.test_engine import FakeSource, of_kind
from whoplays.models.card import MAX_DIFFERENCE
from whoplays.models.errors import SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.models.spectrogram import (
    BANDS,
    FFT_SAMPLES,
    FRAME_SAMPLES,
    FRAMES,
    HIGH_HZ,
    HOP_SAMPLES,
    Float32s,
    Spectrograph,
    mel_triangles,
)
from whoplays.stream.audio.level import measure
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.spectrogram import SpectrogramRing
from whoplays.stream.pubsub.messages import Window

RING = 4 * WINDOW_SAMPLES


@pytest.fixture(scope="module")
def default() -> Recognizer:
    return Recognizer.load("default", "cpu")


def music(seconds: float, seed: int = 0) -> Float32s:
    """Chords that swell and fade, over noise; now and then beyond full scale."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    notes = [np.sin(2 * np.pi * hz * time_s + rng.uniform(0, 6)) for hz in rng.uniform(80, 6000, 12)]
    swell = 0.2 * (1 + np.sin(2 * np.pi * 0.3 * time_s)) * np.sum(notes, axis=0)
    both = np.stack([swell, 0.5 * swell]) + rng.normal(0, 1e-3, (2, len(time_s)))
    return both.clip(-1, 1).astype(np.float32)


def spectrogram(window: Float32s) -> Float32s:
    frames = np.empty((FRAMES, BANDS), np.float32)
    Spectrograph().compute(window, frames)
    return frames


def test_a_window_holds_whole_frames() -> None:
    assert FRAMES == (WINDOW_SAMPLES - FRAME_SAMPLES) // HOP_SAMPLES + 1


def test_bands_are_those_of_kaldi() -> None:
    theirs, _ = torchaudio.compliance.kaldi.get_mel_banks(
        BANDS, FFT_SAMPLES, SAMPLE_RATE_HZ, 0.0, HIGH_HZ, 100.0, -500.0, 1.0
    )
    assert np.abs(mel_triangles()[:-1] - theirs.numpy().T).max() < 1e-4


@pytest.mark.parametrize("gain", [1.0, 1e-3, 0.0])
def test_a_window_is_judged_alike_as_audio_and_as_a_spectrogram(default: Recognizer, gain: float) -> None:
    windows = np.stack([gain * music(3.0, seed) for seed in range(3)])
    of_audio = default.infer(windows)
    of_frames = default.infer(np.stack([spectrogram(window) for window in windows]))
    assert np.abs(of_audio.probabilities - of_frames.probabilities).max() < MAX_DIFFERENCE
    assert of_audio.frames is not None
    assert of_frames.frames is not None
    assert np.abs(of_audio.frames - of_frames.frames).max() < MAX_DIFFERENCE


@pytest.mark.parametrize("block", [1, 100, 441, 1024, 44_100, RING])
@pytest.mark.parametrize("first", [0, 12_345])
def test_frames_are_the_same_whatever_the_blocks(block: int, first: int) -> None:
    audio = music(9.0 if block > 1 else 3.1)
    ring = RingBuffer(2, RING)
    frames = SpectrogramRing(ring)
    frames.begin_at(first)
    ring.begin_at(first)
    starts = iter(range(0, audio.shape[1] - WINDOW_SAMPLES + 1, 441 * 37))
    out = np.empty((FRAMES, BANDS), np.float32)
    start: int | None = next(starts)
    for at in range(0, audio.shape[1], block):
        ring.write(audio[:, at : at + block])
        if frames.waiting >= 5:
            frames.update()
        while start is not None and ring.written - first >= start + WINDOW_SAMPLES:
            assert frames.read(first + start, out)
            window = audio[:, start : start + WINDOW_SAMPLES]
            assert np.abs(out - spectrogram(window)).max() < 1e-5
            level, whole = frames.level(first + start), measure(window)
            assert level == pytest.approx(whole, abs=0.011)
            assert level.clipped == whole.clipped
            start = next(starts, None)
    assert start is None


def test_what_was_overwritten_is_told_and_what_follows_is_right() -> None:
    audio = music(30.0)
    ring = RingBuffer(2, RING)
    frames, out = SpectrogramRing(ring), np.empty((FRAMES, BANDS), np.float32)
    ring.write(audio[:, :WINDOW_SAMPLES])
    assert frames.read(0, out)
    ring.write(audio[:, WINDOW_SAMPLES:])
    assert not frames.read(441, out)
    newest = (audio.shape[1] - WINDOW_SAMPLES) // 441 * 441
    assert frames.read(newest, out)
    assert np.abs(out - spectrogram(audio[:, newest : newest + WINDOW_SAMPLES])).max() < 1e-5
    oldest = -(-ring.oldest // 441) * 441
    assert frames.read(oldest + 441, out)
    assert np.abs(out - spectrogram(audio[:, oldest + 441 : oldest + 441 + WINDOW_SAMPLES])).max() < 1e-5


def test_a_model_of_audio_alone_refuses_spectrograms(recognizer: Recognizer) -> None:
    with pytest.raises(SourceError, match=r"windows must be float32 \[n, 2, 132300\]"):
        recognizer.infer(np.zeros((1, FRAMES, BANDS), np.float32))


@pytest.mark.parametrize(("hop_samples", "framed"), [(44_100, True), (22_050, True), (44_101, False)])
def test_a_stream_is_judged_as_its_windows_are(default: Recognizer, hop_samples: int, *, framed: bool) -> None:
    audio, options = music(9.0), StreamOptions(hop_samples=hop_samples)
    blocks = [audio[:, at : at + 1000] for at in range(0, audio.shape[1], 1000)]
    windows = of_kind(list(all_messages(FakeSource(blocks), default, options=options)), Window)
    assert len(windows) == (audio.shape[1] - WINDOW_SAMPLES) // hop_samples + 1
    assert (hop_samples % HOP_SAMPLES == 0) == framed
    for window in windows:
        samples = np.ascontiguousarray(audio[:, window.start : window.end])
        expected = default.recognize(samples[np.newaxis])[0]
        assert list(window.probabilities.values()) == pytest.approx(expected.tolist(), abs=MAX_DIFFERENCE)
        assert window.quality.dbfs == pytest.approx(measure(samples).dbfs, abs=0.011)
        assert window.quality.clipped == measure(samples).clipped
