"""ffmpeg as the sender."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.stream.sources.rtp.listening import DEADLINE_S, Listening
from tests.stream.sources.rtp.packets import make_audio

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")


def play(recording: Path, codec: str, *options: str, port: int) -> None:
    """Send a recording in real time."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-i", str(recording), "-acodec", codec, *options]
    subprocess.run([*command, "-f", "rtp", f"rtp://127.0.0.1:{port}"], check=True, timeout=3 * DEADLINE_S)


def test_ffmpeg_is_heard_sample_by_sample_and_again_when_it_restarts(tmp_path: Path) -> None:
    recordings = [tmp_path / "first.wav", tmp_path / "second.wav"]
    audio = [make_audio(60_000, seed) for seed in (1, 2)]
    for recording, frames in zip(recordings, audio, strict=True):
        soundfile.write(recording, frames, 44_100, subtype="PCM_16")
    with Listening() as listening:
        for session, recording in enumerate(recordings):
            play(recording, "pcm_s16be", "-payload_type", "10", port=listening.source.port)
            listening.wait_for_samples(60_000, session)
    for session in (0, 1):
        np.testing.assert_array_equal(listening.audio(session), audio[session].T)
    counts = listening.source.counts
    assert (counts.lost, counts.late, counts.duplicate, sum(counts.refused.values())) == (0, 0, 0, 0)


def test_what_ffmpeg_describes_is_heard_as_described(tmp_path: Path) -> None:
    recording, description = tmp_path / "sine.wav", tmp_path / "sine.sdp"
    time_s = np.arange(48_000) / 48_000
    soundfile.write(recording, 0.5 * np.sin(2 * np.pi * 440 * time_s), 48_000, subtype="PCM_24")
    play(recording, "pcm_s24be", "-t", "0.01", "-sdp_file", str(description), port=9)
    with Listening(f"rtp://127.0.0.1:0?sdp={description}") as listening:
        play(recording, "pcm_s24be", port=listening.source.port)
        listening.wait_for_samples(43_000)
    heard = listening.audio()
    np.testing.assert_array_equal(heard[0], heard[1])
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(heard.shape[1]) / 44_100)
    # The resampler rings where the sine sets in.
    np.testing.assert_allclose(heard[0, 1000:42_000], expected[1000:42_000], atol=1e-4)
