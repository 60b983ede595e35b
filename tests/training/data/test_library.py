import os
import resource
import signal
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from tests.training.data.make_clips import clip
from tests.training.data.tiny_corpus import write_piped, write_sound
from whoplays.models.errors import DataError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.data import library as module
from whoplays.training.data.clip import Clip, Segment
from whoplays.training.data.library import Library, cut, decode
from whoplays.training.data.mixing import random_window

FULL = np.iinfo(np.int16).max


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "cache")


def at(path: Path) -> Clip:
    return clip(str(path.with_suffix("")), ["piano"])


@pytest.mark.parametrize(("channels", "kept"), [(1, 1), (2, 2), (5, 2)])
def test_channels_past_the_second_are_left_out(tmp_path: Path, channels: int, kept: int) -> None:
    sound = np.tile(np.linspace(0.1, 0.5, channels), (1000, 1))
    audio = decode(write_sound(tmp_path / "a.wav", sound))
    assert audio.dtype == np.int16
    assert audio.shape == (kept, 1000)
    np.testing.assert_allclose(audio[:, 0] / FULL, sound[0, :kept], atol=1e-4)


@pytest.mark.parametrize("rate_hz", [8000, 22_050, 48_000, 96_000])
def test_any_rate_becomes_44100_hz(tmp_path: Path, rate_hz: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 441 * np.arange(rate_hz) / rate_hz)
    audio = decode(write_sound(tmp_path / "a.wav", tone, rate_hz))
    expected = 0.5 * np.sin(2 * np.pi * 441 * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)
    assert abs(audio.shape[1] - SAMPLE_RATE_HZ) <= 1
    np.testing.assert_allclose(audio[0, 4000:40_000] / FULL, expected[4000:40_000], atol=2e-3)


def test_what_is_no_number_is_silence_and_what_is_too_loud_is_clipped(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.array([np.nan, np.inf, -np.inf, 3.0, -3.0]), SAMPLE_RATE_HZ, subtype="FLOAT")
    assert decode(path).tolist() == [[0, FULL, -FULL, FULL, -FULL]]


def test_a_file_is_decoded_once(tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    one = at(write_sound(tmp_path / "a.wav", np.full(1000, 0.25)))
    first = library.audio(one)
    monkeypatch.delattr(module, "decode")
    np.testing.assert_array_equal(Library(tmp_path / "cache").audio(one), first)


def test_a_file_that_changed_is_decoded_again(tmp_path: Path, library: Library) -> None:
    path = write_sound(tmp_path / "a.wav", np.full(1000, 0.25))
    assert library.audio(at(path))[0, 0] == round(0.25 * FULL)
    before = path.stat().st_mtime_ns
    write_sound(path, np.full(1000, 0.5))
    os.utime(path, ns=(before, before + 1))
    assert Library(tmp_path / "cache").audio(at(path))[0, 0] == round(0.5 * FULL)


@pytest.mark.parametrize("length", [0, 50, 500])
def test_what_is_left_of_a_kept_recording_is_decoded_again(tmp_path: Path, library: Library, length: int) -> None:
    path = write_sound(tmp_path / "a.wav", np.full(1000, 0.25))
    library.audio(at(path))
    (kept,) = library.cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:length])
    assert Library(library.cache).audio(at(path)).shape == (1, 1000)
    assert list(library.cache.iterdir()) == [kept]


def test_only_so_many_recordings_are_open_at_a_time(tmp_path: Path, library: Library) -> None:
    """IRMAS has more clips than a process may open files."""
    clips = [at(write_sound(tmp_path / f"{number}.wav", np.full(1000, 0.25))) for number in range(300)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len([*Path("/proc/self/fd").iterdir()]) + 200, hard))
    try:
        good, skipped = library.readable(clips)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (len(good), skipped) == (300, [])


def test_only_what_plays_is_played(tmp_path: Path, library: Library) -> None:
    sound = np.concatenate([np.zeros(SAMPLE_RATE_HZ), np.full(SAMPLE_RATE_HZ, 0.25), np.full(SAMPLE_RATE_HZ, 0.5)])
    one = at(write_sound(tmp_path / "a.wav", sound))
    assert library.active_audio(one).shape == (1, 3 * SAMPLE_RATE_HZ)
    stretches = (Segment(start_s=1, end_s=1.5, labels=one.labels), Segment(start_s=2.5, end_s=3.5, labels=one.labels))
    timed = msgspec.structs.replace(one, timeline=stretches)
    assert library.active_audio(timed).shape == (1, SAMPLE_RATE_HZ)
    assert set((library.active_audio(timed)[0] / FULL).round(2)) == {0.25, 0.5}
    windows = [random_window(library, timed, np.random.default_rng(seed)) for seed in range(10)]
    assert all((np.abs(window[:, : SAMPLE_RATE_HZ // 2]) > 0.2).all() for window in windows)


def test_a_cache_that_is_full_is_no_damaged_recording(tmp_path: Path, library: Library) -> None:
    one = at(write_sound(tmp_path / "a.wav", np.full(1000, 0.25)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(DataError, match=r"\.npy cannot be written"):
            library.readable([one])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def test_what_cannot_be_used_is_set_aside_with_the_reason(tmp_path: Path, library: Library) -> None:
    write_sound(tmp_path / "good.wav", np.full(1000, 0.25))
    write_sound(tmp_path / "silent.wav", np.zeros(1000))
    write_sound(tmp_path / "empty.wav", np.zeros(0))
    write_sound(tmp_path / "empty 48k.wav", np.zeros(0), 48_000)
    (tmp_path / "damaged.wav").write_bytes(b"RIFF, and then nothing")
    (tmp_path / "folder.wav").mkdir()
    names = ["good", "silent", "empty", "empty 48k", "damaged", "folder", "missing"]
    good, skipped = library.readable([at(tmp_path / f"{name}.wav") for name in names])
    assert [one.path.stem for one in good] == ["good"]
    assert [path.stem for path, _ in skipped] == names[1:]
    reasons = {path.stem: reason for path, reason in skipped}
    assert reasons["silent"] == reasons["empty"] == "it holds no sound"
    assert "No such file" in reasons["missing"]


def test_what_plays_on_after_the_end_is_set_aside(tmp_path: Path, library: Library) -> None:
    """As where times are in milliseconds; rounded ones may be a little late."""
    one = at(write_sound(tmp_path / "a.wav", np.full(2 * SAMPLE_RATE_HZ, 0.25)))
    rounded, wrong = (
        msgspec.structs.replace(one, timeline=(Segment(start_s=0, end_s=end_s, labels=one.labels),))
        for end_s in (2.5, 2000.0)
    )
    good, skipped = library.readable([rounded, wrong])
    assert good == [rounded]
    assert [reason for _, reason in skipped] == ["its index has something play until 2000 s, and it ends at 2.0 s"]


def test_a_window_of_irmas_is_padded_by_one_sample() -> None:
    """Its clips are one sample short of three seconds."""
    window = cut(np.full((2, WINDOW_SAMPLES - 1), FULL, np.int16), 0)
    assert window.shape == (2, WINDOW_SAMPLES)
    assert window.dtype == np.float32
    assert (window[:, :-1] == 1).all()
    assert (window[:, -1] == 0).all()


def test_a_window_of_mono_is_on_both_channels() -> None:
    window = cut(np.arange(WINDOW_SAMPLES + 10, dtype=np.int32).astype(np.int16)[None], 10)
    np.testing.assert_array_equal(window[0], window[1])
    assert window[0, 0] == np.float32(10 / FULL)


def test_a_cache_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be a cache folder"):
        Library(tmp_path / "file")


def test_a_recording_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    audio = decode(write_piped(tmp_path / "piped.flac", np.full(50_000, 0.25)))
    assert audio.shape == (1, 50_000)


def test_recordings_that_were_joined_are_read_to_the_end_of_the_last(tmp_path: Path) -> None:
    one = write_sound(tmp_path / "one.wav", np.full(SAMPLE_RATE_HZ, 0.25))
    two = write_sound(tmp_path / "two.wav", np.full((48_000, 2), 0.5), 48_000)
    (tmp_path / "both.wav").write_bytes(one.read_bytes() + two.read_bytes())
    audio = decode(tmp_path / "both.wav")
    assert audio.shape == (2, 2 * SAMPLE_RATE_HZ)
    assert (audio[:, 1000] / FULL).round(2).tolist() == [0.25, 0.25]
    assert (audio[:, -1000] / FULL).round(2).tolist() == [0.5, 0.5]


def test_a_recording_that_was_cut_off_is_skipped(library: Library, tmp_path: Path) -> None:
    one = at(write_sound(tmp_path / "a.wav", np.full(2 * SAMPLE_RATE_HZ, 0.25)))
    one.path.write_bytes(one.path.read_bytes()[:100_000])
    good, skipped = library.readable([one])
    assert not good
    assert "ends after 1.1 s of 2.0 s; it is cut off or damaged" in skipped[0].reason
