"""A broadcast as listeners get it: ffmpeg sends it to a real Icecast server."""

import os
import pwd
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.stream.sources.ffmpeg.servers import free_port
from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.ffmpeg.source import open_network_media

CONFIG = """
<icecast>
  <limits><burst-size>{burst}</burst-size><source-timeout>5</source-timeout></limits>
  <authentication>
    <source-password>secret</source-password><admin-user>admin</admin-user><admin-password>secret</admin-password>
  </authentication>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths>
    <basedir>{folder}</basedir><logdir>{folder}</logdir><webroot>{folder}</webroot><adminroot>{folder}</adminroot>
  </paths>
  <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>1</loglevel></logging>
  <security><chroot>0</chroot>{owner}</security>
</icecast>
"""
BURST_BYTES = 32_000
SENDING = ["-re", "-stream_loop", "-1", "-i"]
FORMAT = ["-c:a", "libmp3lame", "-b:a", "320k", "-content_type", "audio/mpeg", "-f", "mp3"]


def owner() -> str:
    """Icecast refuses to be root, but can turn into somebody else."""
    if os.getuid() != 0:
        return ""
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("Icecast refuses to run as root, and there is no user nobody")
    group = next(group for group in ("nogroup", "nobody") if shutil.which("getent") is None or has_group(group))
    return f"<changeowner><user>{nobody.pw_name}</user><group>{group}</group></changeowner>"


def has_group(name: str) -> bool:
    return subprocess.run(["getent", "group", name], capture_output=True, check=False).returncode == 0


@pytest.fixture
def icecast(tmp_path: Path) -> Iterator[int]:
    """The port of a server."""
    program = shutil.which("icecast2") or shutil.which("icecast")
    if not program:
        pytest.skip("Icecast is not installed")
    port = free_port()
    (tmp_path / "icecast.xml").write_text(CONFIG.format(port=port, burst=BURST_BYTES, folder=tmp_path, owner=owner()))
    server = subprocess.Popen(
        [program, "-c", tmp_path / "icecast.xml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        if not answers(port, server):
            pytest.skip("Icecast refuses to run")
        yield port
    finally:
        server.kill()
        server.wait()


def answers(port: int, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def fill_the_burst(uri: str) -> None:
    """Wait until the server has as much as it bursts with."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(uri, timeout=20) as broadcast:
                assert broadcast.read(BURST_BYTES)
                return
        except urllib.error.HTTPError as error:
            error.close()
            time.sleep(0.05)
    pytest.fail("the broadcast does not begin")


@pytest.fixture
def sender(icecast: int, ffmpeg: str, clips: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A broadcast's address, and who sends it."""
    mount = f"127.0.0.1:{icecast}/live"
    clip = str(clips / "clip.flac")
    command = [ffmpeg, "-v", "quiet", *SENDING, clip, *FORMAT, f"icecast://source:secret@{mount}"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        fill_the_burst(f"http://{mount}")
        yield f"http://{mount}", process
        process.kill()


def test_a_broadcast_is_played_in_real_time_until_it_breaks_off(
    sender: tuple[str, "subprocess.Popen[bytes]"],
) -> None:
    uri, process = sender
    blocks = open_network_media(uri, ChannelSelection()).blocks()
    start_ns = time.monotonic_ns()
    received = [next(blocks)]
    first_ns = received[0].captured_at_ns
    while received[-1].captured_at_ns < first_ns + 1_500_000_000:
        received.append(next(blocks))
        assert start_ns < received[-1].captured_at_ns <= time.monotonic_ns()
    audio = np.concatenate([block.audio for block in received[1:]], axis=1)
    assert audio.shape[1] / 44_100 == pytest.approx((received[-1].captured_at_ns - first_ns) / 1e9, abs=1e-3)
    assert np.abs(np.fft.rfft(audio[0, :44_100])).argmax() == pytest.approx(440, abs=2)
    assert not any(block.lost for block in received)
    process.kill()
    with pytest.raises(SourceError, match=r"/live broke off: the server closed the connection$"):
        list(blocks)
