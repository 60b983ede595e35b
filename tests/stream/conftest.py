"""Real parts to test with: a tiny model, and recordings of sines."""

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.stream.security.make_keys import Keyring, make_keyring
from tests.stream.sources.device.pulse import Pulse, running, skip_without_card, skip_without_sound
from tests.stream.tiny_model import LOUD, STEPS, write_tiny_model
from whoplays.stream.audio.block import Audio
from whoplays.stream.pipeline.recognizer import Recognizer


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def recognizer(model: Path) -> Recognizer:
    return Recognizer.load(model, "cpu")


@pytest.fixture(scope="session")
def framed_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model that looks within its windows, and gives features."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "framed", frames=STEPS)


@pytest.fixture(scope="session")
def framed(framed_model: Path) -> Recognizer:
    return Recognizer.load(framed_model, "cpu")


@pytest.fixture(scope="session")
def concert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s at 44.1 kHz: three seconds each of piano, both, violin, silence."""
    path = tmp_path_factory.mktemp("audio") / "concert.wav"
    soundfile.write(path, make_concert(44_100), 44_100)
    return path


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """A server's keys, two clients', and an empty folder of allowed clients."""
    return make_keyring(tmp_path)


@pytest.fixture
def ipv6() -> str:
    """This machine's own IPv6 address, if it has one."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    return "[::1]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulse]:
    """A sound server, for all tests that do not end it."""
    skip_without_sound()
    with pytest.MonkeyPatch.context() as patch, running(tmp_path_factory.mktemp("pulse"), patch.setenv) as server:
        yield server


@pytest.fixture
def pulse(server: Pulse) -> Iterator[Pulse]:
    """A sound server without any input, to plug one in."""
    yield server
    server.unplug()


@pytest.fixture
def card(pulse: Pulse) -> Pulse:
    """A sound server with a fresh input."""
    pulse.plug_in()
    skip_without_card()
    return pulse


def make_concert(rate_hz: int) -> Audio:
    """`[frames, 2]`: the piano on the left for 6 s, the violin on the right from 3 to 9 s, silence to 12 s."""
    time_s = np.arange(12 * rate_hz) / rate_hz
    left = LOUD * np.sin(2 * np.pi * 440 * time_s) * (time_s < 6)
    right = LOUD * np.sin(2 * np.pi * 660 * time_s) * (time_s >= 3) * (time_s < 9)
    return np.stack([left, right], axis=1).astype(np.float32)
