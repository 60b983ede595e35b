"""Real PortAudio on a real sound server, with an input that plays what it is given."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.stream.sources.device.pulse import (
    CARD,
    RATE_HZ,
    Pcm,
    Pulse,
    running,
    skip_without_card,
    skip_without_sound,
)
from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.resample import WHOLE, ChannelSelection
from whoplays.stream.sources.device.capture import POLL_S, until_quiet
from whoplays.stream.sources.device.names import DeviceRequest
from whoplays.stream.sources.registry import open_uri
from whoplays.stream.sources.worker import ChildSource


def noise(channels: int = 2) -> Pcm:
    """Half a second in which no two frames are alike."""
    return np.random.default_rng(3).integers(-(2**15), 2**15, (RATE_HZ // 2, channels), np.int16)


def tone(hz: float) -> Pcm:
    """A second."""
    sine = np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)
    return np.repeat((sine * 2**14).astype(np.int16)[:, None], 2, axis=1)


@contextmanager
def opened(uri: str, selection: ChannelSelection = WHOLE) -> Iterator[tuple[ChildSource, Iterator[Block]]]:
    """A source and its blocks."""
    source = open_uri(uri, selection=selection)
    assert isinstance(source, ChildSource)
    blocks = source.blocks()
    with closing(blocks):  # type: ignore[type-var]  # it is a generator
        yield source, blocks


def take(blocks: Iterator[Block], seconds: float) -> tuple[Audio, list[Block]]:
    """Some seconds of audio, and the blocks that they came in."""
    taken: list[Block] = []
    while sum(block.audio.shape[1] for block in taken) < seconds * RATE_HZ:
        taken.append(next(blocks))
    return np.concatenate([block.audio for block in taken], axis=1), taken


def assert_plays(audio: Audio, pcm: Pcm) -> None:
    """It is the same PCM over and over, sample for sample, from anywhere on."""
    captured = audio.T * 2**15
    (at,) = np.flatnonzero((pcm[:-1] == captured[0]).all(axis=1) & (pcm[1:] == captured[1]).all(axis=1))
    np.testing.assert_array_equal(captured, pcm.take(range(at, at + len(captured)), axis=0, mode="wrap"))


def test_every_sample_is_captured_as_it_is(card: Pulse) -> None:
    pcm = noise()
    with card.playing(pcm), opened(f"device:{CARD}") as (source, blocks):
        audio, taken = take(blocks, 1.2)
        now_ns = time.monotonic_ns()
    assert_plays(audio, pcm)
    assert not any(block.lost for block in taken)
    assert source.uri == f"device:ALSA:{CARD}"
    assert source.name == CARD
    assert source.live
    assert source.disconnect_cause == "device_lost"
    assert now_ns - 20_000_000_000 < taken[-1].captured_at_ns <= now_ns


def test_channels_are_chosen(pulse: Pulse) -> None:
    pulse.plug_in(channels=4)
    pcm = noise(4)
    with (
        pulse.playing(pcm),
        opened(f"device:{CARD}?channels=3,4", ChannelSelection(channels=(1, 2))) as (source, blocks),
    ):
        assert source.uri == f"device:ALSA:{CARD}?channels=3,4"
        assert_plays(take(blocks, 0.5)[0], pcm[:, 2:])


def test_a_mono_input_is_doubled(pulse: Pulse) -> None:
    pulse.plug_in(channels=1)
    pcm = noise(1)
    with pulse.playing(pcm), opened(f"device:{CARD}") as (_, blocks):
        assert_plays(take(blocks, 0.5)[0], pcm[:, [0, 0]])


def test_another_rate_is_converted_back(card: Pulse) -> None:
    with card.playing(tone(440.0)), opened(f"device:{CARD}?rate=48000") as (source, blocks):
        audio, _ = take(blocks, 1.0)
    assert source.uri == f"device:ALSA:{CARD}?rate=48000"
    spectrum = np.abs(np.fft.rfft(audio[0, :RATE_HZ] * np.hanning(RATE_HZ)))
    assert np.argmax(spectrum) == 440


def test_the_default_input_is_what_the_system_says(card: Pulse) -> None:
    pcm = noise()
    with card.playing(pcm), opened("device:") as (source, blocks):
        assert_plays(take(blocks, 0.5)[0], pcm)
    assert (source.name, source.uri) == ("default", "device:")


@pytest.mark.slow
def test_an_input_that_is_unplugged_is_gone_until_it_comes_back(card: Pulse) -> None:
    pcm = noise()
    with card.playing(pcm), opened(f"device:{CARD}") as (source, blocks):
        take(blocks, 0.5)
        card.unplug()
        with pytest.raises(SourceError, match=f"{CARD} was disconnected; connect it again"):
            take(blocks, 60.0)
    # ALSA's plugin knows its name still, but nobody is there.
    with pytest.raises(SourceError, match=f"{CARD} cannot be opened: "):
        open_uri(f"device:{CARD}")
    card.plug_in()
    with card.playing(pcm), opened(f"device:{CARD}") as (_, blocks):
        assert_plays(take(blocks, 0.5)[0], pcm)
        with closing(source.blocks()) as again:  # type: ignore[type-var]  # it is a generator
            assert_plays(take(again, 0.5)[0], pcm)


@pytest.mark.device
def test_a_sound_server_that_dies_takes_the_input_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_sound()
    with running(tmp_path, monkeypatch.setenv) as pulse:
        pulse.plug_in()
        skip_without_card()
        with pulse.playing(noise()), opened(f"device:{CARD}") as (_, blocks):
            take(blocks, 0.5)
            pulse.kill()
            with pytest.raises(SourceError, match=f"{CARD} was disconnected; connect it again"):
                take(blocks, 60.0)


def test_an_input_that_delivers_nothing_is_given_up(card: Pulse) -> None:
    arguments = {"request": msgspec.to_builtins(DeviceRequest(CARD, WHOLE)), "quiet_s": 1.0}
    function = "whoplays.stream.sources.device.source:capture"
    source = ChildSource(function, arguments, name="", uri="", clock="arrival", disconnect_cause="device_lost")
    with pytest.raises(SourceError, match=f"{CARD} has delivered nothing for 1 s; check whether it is connected"):
        list(source.blocks())


def test_an_input_is_given_up_only_after_it_was_quiet_for_long_at_a_stretch() -> None:
    script = [b"first", b"", b"", b"second", b"", b"", b"", b"too late"]

    def take(timeout_s: float) -> bytes:
        assert timeout_s == POLL_S
        return script.pop(0)

    captured = until_quiet(take, "Mic", quiet_s=3 * POLL_S)
    assert next(captured) == b"first"
    assert next(captured) == b"second"
    with pytest.raises(SourceError, match="Mic has delivered nothing for 1 s; check whether it is connected"):
        next(captured)


def test_an_input_that_is_not_there_is_refused_with_those_that_are(card: Pulse) -> None:
    with pytest.raises(SourceError, match=f"sound input 'organ' not found; there are: .*device:ALSA:{CARD}"):
        open_uri("device:organ")


def test_a_child_that_is_killed_is_missed(card: Pulse) -> None:
    with card.playing(noise()), opened(f"device:{CARD}") as (source, blocks):
        take(blocks, 0.5)
        assert source.pid
        os.kill(source.pid, signal.SIGKILL)
        with pytest.raises(SourceError, match=f"{CARD} was lost: its process was ended by SIGKILL"):
            take(blocks, 60.0)


@pytest.mark.slow
def test_what_is_buffered_while_the_child_stands_still_keeps_its_time(card: Pulse) -> None:
    """The sound server keeps some seconds for it: they come late, but were captured on time."""
    pcm = noise()
    with card.playing(pcm), opened(f"device:{CARD}") as (source, blocks):
        # What has piled up since it was plugged in comes first, at once.
        before, _ = take(blocks, 1.5)
        assert source.pid
        os.kill(source.pid, signal.SIGSTOP)
        time.sleep(2.0)
        os.kill(source.pid, signal.SIGCONT)
        audio, taken = take(blocks, 1.5)
    assert_plays(np.concatenate([before, audio], axis=1), pcm)
    assert not any(block.lost for block in taken)
    if source.clock == "adc":
        ends = np.cumsum([block.audio.shape[1] for block in taken]) / RATE_HZ
        late_s = np.array([block.captured_at_ns for block in taken]) / 1e9 - ends
        assert np.ptp(late_s) < 1.5


def test_a_channel_that_is_not_there_is_refused(card: Pulse) -> None:
    with pytest.raises(SourceError, match=f"channel must be between 1 and 32 of {CARD}, got 64"):
        open_uri(f"device:{CARD}?channels=64")


def test_an_impossible_rate_is_refused(card: Pulse) -> None:
    with pytest.raises(SourceError, match=f"{CARD} cannot be opened: .*Invalid sample rate"):
        open_uri(f"device:{CARD}?rate=1000000")


def test_stopping_ends_it(card: Pulse) -> None:
    with card.playing(noise()), opened(f"device:{CARD}") as (source, blocks):
        take(blocks, 0.5)
        source.stop()
        list(blocks)
        assert not Path(f"/proc/{source.pid}").exists()
