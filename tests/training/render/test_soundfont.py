import shutil
from pathlib import Path

import numpy as np
import pytest

from whoplays.models.errors import DataError, OptionError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.render.instruments import BY_NAME
from whoplays.training.render.performance import STEP_S, Performance, perform
from whoplays.training.render.scores import Note
from whoplays.training.render.soundfont import RenderJob, play
from whoplays.training.render.styles import drum_part

SOUNDFONTS = [Path("/usr/share/sounds/sf2", name) for name in ("TimGM6mb.sf2", "FluidR3_GM.sf2")]
SECONDS = 2.0
POINTS = round(SECONDS / STEP_S) + 1
PLAIN = Performance([Note(0.5, 1.0, 69)], np.zeros(POINTS, np.float32), np.ones(POINTS, np.float32), SECONDS)


@pytest.fixture
def soundfont() -> Path:
    if shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is not installed (Debian: fluidsynth)")
    found = next((path for path in SOUNDFONTS if path.is_file()), None)
    if found is None:
        pytest.skip("a General MIDI soundfont is not installed (Debian: timgm6mb-soundfont)")
    return found


def test_each_clip_is_where_and_what_it_should_be(soundfont: Path) -> None:
    bent = PLAIN._replace(cents=np.full(POINTS, 100, np.float32))
    clips = play(soundfont, [RenderJob(PLAIN, 73), RenderJob(bent, 73), RenderJob(PLAIN, 40)], room=False)
    for clip, pitch_hz in zip(clips, (440, 466.16, 440), strict=True):
        assert clip.shape == (2, round(SECONDS * SAMPLE_RATE_HZ))
        mono = clip.mean(axis=0)
        loud = np.flatnonzero(np.abs(mono) > 0.1 * np.abs(mono).max()) / SAMPLE_RATE_HZ
        assert 0.49 < loud[0] < 0.75
        spectrum = np.abs(np.fft.rfft(mono, 1 << 18))
        bins = np.fft.rfftfreq(1 << 18, 1 / SAMPLE_RATE_HZ)
        near = (bins > 0.8 * pitch_hz) & (bins < 1.3 * pitch_hz)
        assert bins[near][np.argmax(spectrum[near])] == pytest.approx(pitch_hz, rel=0.01)


def test_a_clip_sounds_alike_whatever_follows_it(soundfont: Path) -> None:
    alone = play(soundfont, [RenderJob(PLAIN, 0)], room=False)[0]
    first, second = play(soundfont, [RenderJob(PLAIN, 0), RenderJob(PLAIN, 0)], room=False)
    np.testing.assert_array_equal(alone, first)
    np.testing.assert_allclose(second, first, atol=2e-3)


def test_drums_are_drums(soundfont: Path) -> None:
    rng = np.random.default_rng(0)
    drums = perform(drum_part(SECONDS, rng), BY_NAME["timpani"], SECONDS, rng)
    audio = play(soundfont, [RenderJob(drums, None)], room=True)[0]
    assert np.abs(audio).max() > 0.01


def test_without_fluidsynth_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OptionError, match="apt install fluidsynth"):
        play(tmp_path / "any.sf2", [RenderJob(PLAIN, 0)], room=False)


def test_a_file_that_is_no_soundfont_is_refused(tmp_path: Path) -> None:
    if shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is not installed (Debian: fluidsynth)")
    path = tmp_path / "any.sf2"
    path.write_bytes(b"no soundfont")
    with pytest.raises(DataError, match="cannot play"):
        play(path, [RenderJob(PLAIN, 0)], room=False)
