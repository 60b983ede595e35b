"""Sources of a real sound server, with all of their channels."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.stream.sources.device.pulse import CARD, RATE_HZ, Pulse, running, skip_without_card, skip_without_sound
from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.registry import check_uri, look_up, open_uri

CHANNELS = 32


@pytest.fixture
def pulse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pulse]:
    skip_without_sound()
    with running(tmp_path, monkeypatch.setenv) as server:
        server.plug_in(CHANNELS)
        yield server


def levels() -> "np.ndarray[tuple[int, int], np.dtype[np.int16]]":
    """A constant of its own on each channel."""
    return np.repeat(1000 * np.arange(1, CHANNELS + 1, dtype=np.int16)[None], RATE_HZ // 10, axis=0)


def captured(uri: str, selection: ChannelSelection, seconds: float = 0.5) -> Audio:
    pieces: list[Audio] = []
    with closing(open_uri(uri, selection=selection).blocks()) as blocks:  # type: ignore[type-var]
        for block in blocks:
            pieces.append(block.audio)
            if sum(piece.shape[1] for piece in pieces) > seconds * RATE_HZ:
                break
    return np.concatenate(pieces, axis=1)


def test_every_channel_is_its_own(pulse: Pulse) -> None:
    with pulse.playing(levels()):
        apart = captured(f"pulse:{CARD}", ChannelSelection(channels="all", apart=True))
        pair = captured("pulse:", ChannelSelection(channels=(31, 8)))
    np.testing.assert_allclose(apart[:, -1000:].max(axis=1), levels()[0] / 2**15, atol=1e-4)
    np.testing.assert_allclose(pair[:, -1000:].max(axis=1), [31_000 / 2**15, 8_000 / 2**15], atol=1e-4)


def test_a_rate_of_ones_own(pulse: Pulse) -> None:
    with pulse.playing(levels()):
        audio = captured(f"pulse:{CARD}?rate=48000", ChannelSelection(channels=(5,)))
    np.testing.assert_allclose(audio[:, -5000:-2000], 5_000 / 2**15, atol=1e-3)


def test_a_source_that_is_gone_is_lost_and_not_replaced_by_another(pulse: Pulse) -> None:
    """The server would go on with what plays elsewhere."""
    pulse.load("module-rescue-streams")
    pulse.load("module-null-sink sink_name=elsewhere")
    blocks = open_uri(f"pulse:{CARD}", selection=ChannelSelection()).blocks()
    with pulse.playing(levels()):
        next(blocks)
        pulse.unplug()
        with pytest.raises(SourceError, match=f"{CARD} was (disconnected|lost)"):
            list(blocks)


def test_what_it_has_is_listed_and_what_it_has_not_refused(pulse: Pulse) -> None:
    command = [sys.executable, "-m", "whoplays", "devices", "--json", "--meter"]
    with pulse.playing(levels()):
        rows = [
            json.loads(line) for line in subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
        ]
    (row,) = (row for row in rows if row["uri"] == f"pulse:{CARD}")
    assert (row["channels"], row["rate_hz"], row["hostapi"]) == (CHANNELS, RATE_HZ, "PulseAudio")
    assert row["level"]["dbfs"] == pytest.approx(20 * np.log10(np.sqrt((1 + 4) / 2) * 1000 / 2**15), abs=0.5)
    for uri, channels, mistake in (
        ("pulse:nothing", (), f"source 'nothing' of the sound server not found; there are: pulse:{CARD}"),
        (f"pulse:{CARD}", (33,), "channel 33 not found; there are 32"),
        (f"pulse:{CARD}?rate=3", (), "rate must be between 1000 and 1000000"),
        (f"pulse:{CARD}?depth=3", (), "depth"),
    ):
        with pytest.raises(SourceError, match=mistake):
            look_up(uri, ChannelSelection(channels=channels))
    with pytest.raises(SourceError, match="rate must be"):
        check_uri("pulse:?rate=3", ChannelSelection())


def test_an_input_whose_channels_the_server_would_mix_is_refused(pulse: Pulse) -> None:
    skip_without_card()
    with pulse.playing(levels()), pytest.raises(SourceError) as told:
        open_uri(f"device:{CARD}", selection=ChannelSelection(channels=(3, 4)))
    assert f"would mix the {CHANNELS} channels of {CARD} into 4; listen to pulse:{CARD}" in str(told.value)


def test_without_a_sound_server_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_sound()
    for name in ("HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nothing")
    with pytest.raises(SourceError, match="sound server not found; start PulseAudio or PipeWire"):
        open_uri("pulse:", selection=ChannelSelection())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="pactl not found; install pulseaudio-utils"):
        open_uri("pulse:", selection=ChannelSelection())
