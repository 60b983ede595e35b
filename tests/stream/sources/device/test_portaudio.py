"""PortAudio's answers that no sound server gives."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.stream.sources.device.pulse import skip_without_sound
from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.device import portaudio
from whoplays.stream.sources.device.names import Input, read_address
from whoplays.stream.sources.device.probe import list_inputs

HOSTAPIS = [{"name": "Core Audio"}, {"name": "JACK"}]
DEVICES = [
    {"index": 0, "hostapi": 0, "name": "Speakers", "max_input_channels": 0, "default_samplerate": 48_000.0},
    {"index": 1, "hostapi": 0, "name": "Stage box", "max_input_channels": 8, "default_samplerate": 48_000.0},
    {"index": 2, "hostapi": 1, "name": "Lone microphone", "max_input_channels": 1, "default_samplerate": 16_000.0},
]


class FakeError(Exception):
    """sounddevice's."""


class FakeStream:
    """An input that can be opened with some numbers of channels."""

    def __init__(self, accepts: Callable[[int], bool], channels: int) -> None:
        if not accepts(channels):
            raise FakeError(f"no\n{channels} channels")
        self.active = True

    def start(self) -> None:
        pass

    def close(self) -> None:
        self.active = False


def fake(monkeypatch: pytest.MonkeyPatch, accepts: Callable[[int], bool] = bool, default: int | None = None) -> None:
    """Answer instead of PortAudio."""

    def query_devices(kind: str | None = None) -> Any:
        if kind and default is None:
            raise FakeError("no default")
        return DEVICES[default] if kind and default is not None else DEVICES

    module = SimpleNamespace(
        PortAudioError=FakeError,
        InputStream=lambda *, channels, **_: FakeStream(accepts, channels),
        query_devices=query_devices,
        query_hostapis=lambda: HOSTAPIS,
    )
    monkeypatch.setattr(portaudio, "_load", lambda: module)


def opened_channels(uri: str) -> int:
    with portaudio.open_input(read_address(uri, ChannelSelection())) as stream:
        return stream.channels


def test_devices_without_input_channels_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, default=2)
    stage = Input(hostapi="Core Audio", name="Stage box", channels=8, rate_hz=48_000, default=False)
    lone = Input(hostapi="JACK", name="Lone microphone", channels=1, rate_hz=16_000, default=True)
    assert portaudio.inputs() == {1: stage, 2: lone}


def test_there_need_be_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    assert not any(each.default for each in portaudio.inputs().values())


@pytest.mark.parametrize(
    ("uri", "channels"), [("device:stage", 2), ("device:stage?channels=3,5", 5), ("device:lone", 1)]
)
def test_no_more_channels_are_opened_than_are_needed(monkeypatch: pytest.MonkeyPatch, uri: str, channels: int) -> None:
    fake(monkeypatch)
    assert opened_channels(uri) == channels


def test_a_device_that_gives_all_channels_or_none_gives_all(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, lambda channels: channels == 8)
    assert opened_channels("device:stage") == 8


def test_a_refusal_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, lambda channels: channels > 8)
    with pytest.raises(SourceError, match="Stage box cannot be opened: no 2 channels; see what it offers"):
        opened_channels("device:stage")


def test_an_input_that_stops_was_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    with portaudio.open_input(read_address("device:stage", ChannelSelection())) as stream:
        assert stream.take(0.0) is None
        stream.native.close()
        with pytest.raises(SourceError, match="Stage box was disconnected; connect it again"):
            stream.take(0.0)


@pytest.mark.parametrize(
    ("settings", "named", "warned"),
    [
        (b"pcm.!default { type nonsense\n broken {{{", set(), True),
        (
            b'pcm."caf\xe9" { type null hint { show on } }\npcm.booth { type null hint { show on } }\n',
            {"caf�", "booth"},
            False,
        ),
    ],
)
def test_settings_of_the_user_make_no_device_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: bytes, named: set[str], warned: bool
) -> None:
    skip_without_sound()
    (tmp_path / ".asoundrc").write_bytes(settings)
    monkeypatch.setenv("HOME", str(tmp_path))
    warnings: list[str] = []
    assert named <= {each.name for each in list_inputs(warnings.append)}
    assert [warning.startswith("the sound settings in ~/.asoundrc cannot be used") for warning in warnings] == [
        True
    ] * warned
