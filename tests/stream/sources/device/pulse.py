"""A private PulseAudio daemon with a sound input that plays what a test writes: no sound card is needed."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from whoplays.stream.sources.device.probe import list_inputs

CARD: Final = "concert"
"""The input, as ALSA and PortAudio call it."""
RATE_HZ: Final = 44_100
DEADLINE_S: Final = 20.0
Pcm = np.ndarray[tuple[int, int], np.dtype[np.int16]]

_ASOUNDRC: Final = f"""
pcm.!default {{ type pulse }}
ctl.!default {{ type pulse }}
pcm.{CARD} {{
  type pulse
  device "{CARD}"
}}
"""


class Pulse:
    """A daemon whose modules come and go as sound cards do."""

    def __init__(self, home: Path, daemon: "subprocess.Popen[bytes]") -> None:
        self._daemon: Final = daemon
        self._fifo: Final = home / "fifo"
        self._module = ""

    def plug_in(self, channels: int = 2) -> None:
        """Make the input appear: 16-bit PCM at 44 100 Hz."""
        # The order in which ALSA names the channels.
        places = {1: "mono", 2: "front-left,front-right", 4: "front-left,front-right,rear-left,rear-right"}
        fmt = f"format=s16le rate={RATE_HZ} channels={channels}"
        if channels in places:
            fmt += f" channel_map={places[channels]}"
        module = f"module-pipe-source source_name={CARD} file={self._fifo} {fmt}"
        self._module = self._pactl("load-module", *module.split())

    def load(self, module: str) -> None:
        """Load another module."""
        self._pactl("load-module", *module.split())

    def unplug(self) -> None:
        """Make the input go away; may be called twice."""
        if self._module:
            self._pactl("unload-module", self._module)
        self._module = ""

    def kill(self) -> None:
        """End the daemon; may be called twice."""
        self._daemon.kill()
        self._daemon.wait()

    @contextmanager
    def playing(self, pcm: Pcm) -> Iterator[None]:
        """Write PCM, `[frames, channels]`, over and over into the input, as fast as it is played."""
        stopped = threading.Event()
        player = threading.Thread(target=self._play, args=(pcm, stopped), name="player")
        player.start()
        try:
            yield
        finally:
            stopped.set()
            player.join()

    def _play(self, pcm: Pcm, stopped: threading.Event) -> None:
        # Reading as well, so that it can be opened, and is no broken pipe, while there is no input.
        pipe = os.open(self._fifo, os.O_RDWR | os.O_NONBLOCK)
        started_s, at, rest = time.monotonic(), 0, b""
        while not stopped.wait(0.01):
            due = round((time.monotonic() - started_s) * RATE_HZ)
            rest += pcm.take(range(at, due), axis=0, mode="wrap").tobytes()
            at = due
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(pipe, rest) :]
        os.close(pipe)

    def ready(self) -> bool:
        """Whether the daemon answers."""
        done = subprocess.run(["pactl", "info"], capture_output=True, check=False, timeout=DEADLINE_S)
        return done.returncode == 0

    def _pactl(self, *words: str) -> str:
        return subprocess.run(
            ["pactl", *words], capture_output=True, text=True, check=True, timeout=DEADLINE_S
        ).stdout.strip()


@contextmanager
def running(home: Path, setenv: Callable[[str, str], None]) -> Iterator[Pulse]:
    """Run a daemon that lives in a folder, and make it what ALSA finds."""
    home.chmod(0o700)
    (home / ".asoundrc").write_text(_ASOUNDRC)
    socket = home / "socket"
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PULSE_RUNTIME_PATH"):
        setenv(name, str(home))
    setenv("PULSE_SERVER", f"unix:{socket}")
    protocol = f"module-native-protocol-unix socket={socket} auth-anonymous=1"
    options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", "--use-pid-file=no"]
    with (home / "log").open("wb") as log:
        daemon = subprocess.Popen(["pulseaudio", *options, "-L", protocol], stdout=log, stderr=log)
    pulse = Pulse(home, daemon)
    try:
        until(pulse.ready)
        yield pulse
    finally:
        pulse.kill()


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so; fail if it takes too long."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline_s, "it took too long"
        time.sleep(0.05)


def skip_without_sound() -> None:
    """Skip a test that needs PulseAudio, ALSA's plugin for it, and PortAudio with ALSA."""
    if sys.platform != "linux" or not (shutil.which("pulseaudio") and shutil.which("pactl")):
        pytest.skip("pulseaudio or pulseaudio-utils is not installed")
    try:
        import sounddevice  # noqa: F401, PLC0415
    except OSError:
        pytest.skip("libportaudio2 is not installed")


def skip_without_card() -> None:
    """Skip a test if ALSA does not find the daemon's input."""
    if all(each.name != CARD for each in list_inputs()):
        pytest.skip("libasound2-plugins is not installed")
