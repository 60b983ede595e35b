from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from whoplays.models.errors import SourceError
from whoplays.models.recordings.samples import to_float
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.ffmpeg.decoder import Chunk, Decoder
from whoplays.stream.sources.ffmpeg.demux import MediaSpec

RATE_HZ = 44_100
FRAME = 1024


class Stream:
    time_base = Fraction(1, RATE_HZ)


class Packet:
    """What a decoder makes of a packet: one frame, or an error."""

    def __init__(self, frame: AudioFrame | None, duration: int = FRAME) -> None:
        self.duration = duration
        self._frame = frame

    def decode(self) -> list[AudioFrame]:
        if self._frame is None:
            raise av.error.InvalidDataError(0, "damaged")
        return [self._frame]


def frame(start: int | None, *, rate_hz: int = RATE_HZ, layout: str = "stereo", level: float = 0.5) -> AudioFrame:
    values = np.full((len(layout.split("+")) if "+" in layout else 2, FRAME), level, np.float32)
    made = AudioFrame.from_ndarray(values, format="fltp", layout=layout)
    made.sample_rate = rate_hz
    made.time_base = Fraction(1, rate_hz)
    made.pts = start
    return made


class Damaged(NamedTuple):
    """A packet that cannot be decoded and states a duration."""

    duration: int


def decode(*frames: AudioFrame | Damaged | None, selection: ChannelSelection | None = None) -> list[Chunk]:
    media = MediaSpec(url="", name="hall", selection=selection or ChannelSelection())
    stream: Any = Stream()
    decoder = Decoder(media, stream)
    packets: list[Any] = [
        Packet(None, frame.duration) if isinstance(frame, Damaged) else Packet(frame) for frame in frames
    ]
    return [chunk for packet in packets for chunk in decoder.decode(packet)] + list(decoder.finish())


def samples(chunks: list[Chunk], *, lost: bool) -> int:
    return sum(chunk.audio.shape[1] for chunk in chunks if bool(chunk.lost) == lost)


@pytest.mark.parametrize("form", ["u8", "u8p", "s16", "s16p", "s32", "s32p", "flt", "fltp", "dbl", "dblp"])
def test_samples_of_any_kind_are_read(form: str) -> None:
    resampler = av.AudioResampler(format=form)
    source = np.stack([np.linspace(-1, 0.98, 441), np.linspace(0.5, -0.5, 441)]).astype(np.float32)
    made = AudioFrame.from_ndarray(source, format="fltp", layout="stereo")
    made.sample_rate = RATE_HZ
    (converted,) = resampler.resample(made)
    assert converted.format.name == form
    values = to_float(converted)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, source.T, atol=1.5 / 128 if form.startswith("u8") else 1e-4)


def test_frames_that_follow_one_another_come_in_chunks_of_at_most_50_ms() -> None:
    chunks = decode(*(frame(number * FRAME) for number in range(10)))
    audio: Audio = np.concatenate([chunk.audio for chunk in chunks], axis=1)
    np.testing.assert_array_equal(audio, np.full((2, 10 * FRAME), 0.5, np.float32))
    assert max(chunk.audio.shape[1] for chunk in chunks) <= RATE_HZ // 20


def test_a_jump_ahead_is_a_loss_of_that_length() -> None:
    chunks = decode(frame(0), frame(FRAME), frame(2 * FRAME + 3 * RATE_HZ))
    assert samples(chunks, lost=True) == 3 * RATE_HZ
    assert samples(chunks, lost=False) == 3 * FRAME
    assert not any(chunk.audio.any() for chunk in chunks if chunk.lost)
    assert [chunk.lost for chunk in chunks] == [None] * 2 + ["network"] * 60 + [None]


def test_a_jump_far_ahead_is_another_session() -> None:
    with pytest.raises(SessionOverError, match=r"hall began anew: its time jumped ahead by 3600 s"):
        decode(frame(0), frame(FRAME + 3600 * RATE_HZ))


@pytest.mark.parametrize("starts", [(50 * RATE_HZ, 0), (0, FRAME + 400), (FRAME, FRAME - 400), (None, None)])
def test_what_is_inexact_counts_anew_or_is_untimed_just_follows(starts: tuple[int | None, int | None]) -> None:
    chunks = decode(*map(frame, starts))
    assert (samples(chunks, lost=False), samples(chunks, lost=True)) == (2 * FRAME, 0)


def test_the_resampler_does_not_change_a_length() -> None:
    chunks = decode(frame(0, rate_hz=48_000), frame(FRAME + 48_000, rate_hz=48_000))
    assert samples(chunks, lost=True) == RATE_HZ
    assert samples(chunks, lost=False) == pytest.approx(2 * FRAME * 44_100 / 48_000, abs=2)


def test_rate_and_channels_may_change() -> None:
    chunks = decode(frame(0), frame(None, rate_hz=22_050), frame(None, layout="FL+FR+LFE"))
    assert samples(chunks, lost=False) == pytest.approx(4 * FRAME, abs=2)


def test_a_damaged_packet_is_a_loss_of_its_length() -> None:
    chunks = decode(frame(0), None, frame(2 * FRAME))
    assert samples(chunks, lost=True) == FRAME
    assert samples(chunks, lost=False) == 2 * FRAME


def test_whoever_joins_in_the_middle_has_lost_nothing() -> None:
    assert samples(decode(None, None, frame(2 * FRAME)), lost=True) == 0


def test_a_damaged_packet_that_claims_hours_makes_no_silence() -> None:
    chunks = decode(frame(0), Damaged(40_000 * RATE_HZ), frame(2 * FRAME))
    assert samples(chunks, lost=True) == 0
    assert samples(chunks, lost=False) == 2 * FRAME


def test_a_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(SourceError, match=r"channel 3 not found; there are 2"):
        decode(frame(0), selection=ChannelSelection(channels=(3,)))
