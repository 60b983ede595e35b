"""Clips, and servers for them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from tests.stream.conftest import make_concert
from tests.stream.sources.ffmpeg.servers import serve_http

CLIP_SAMPLES = 66_150


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip of 1.5 s, piano on the left: as FLAC, WAV, MP3; and what is none."""
    folder = tmp_path_factory.mktemp("clips")
    clip = make_concert(44_100)[:CLIP_SAMPLES]
    soundfile.write(folder / "clip.flac", clip, 44_100)
    soundfile.write(folder / "clip.wav", clip, 44_100)
    soundfile.write(folder / "clip.mp3", clip, 44_100, bitrate_mode="CONSTANT", compression_level=0.5)
    (folder / "text.bin").write_text("this is no audio, but long enough to be looked into\n" * 1000)
    return folder


@pytest.fixture
def http(clips: Path) -> Iterator[str]:
    """Where the clips are served; with a user and a password, which the server does not mind."""
    with serve_http(clips) as port:
        yield f"http://me:se%40cret@127.0.0.1:{port}"


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    found = shutil.which("ffmpeg")
    if not found:
        pytest.skip("ffmpeg is not installed")
    return found


@pytest.fixture(scope="session")
def playlist(ffmpeg: str, clips: Path) -> str:
    """The name of an HLS playlist among the clips, with segments of about 1 s."""
    command = f"{ffmpeg} -v error -i clip.flac -c:a aac -f hls -hls_time 1 -hls_list_size 0 clip.m3u8"
    subprocess.run(command.split(), cwd=clips, check=True)
    return "clip.m3u8"
