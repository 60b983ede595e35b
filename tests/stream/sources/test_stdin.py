import os
import pty
import threading
from pathlib import Path

import numpy as np
import pytest

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.pcm import PcmFormat, encode
from whoplays.stream.sources.stdin import PcmSource


def hear(data: bytes, pcm: PcmFormat, piece: int = 1000) -> Audio:
    """What a source makes of bytes that come through a pipe in pieces."""
    reading, writing = os.pipe()

    def write() -> None:
        for at in range(0, len(data), piece):
            os.write(writing, data[at : at + piece])
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return np.concatenate([block.audio for block in PcmSource(pcm, reading).blocks()], axis=1)
    finally:
        writer.join()
        os.close(reading)


@pytest.mark.parametrize("piece", [1, 3, 7, 4096])
def test_pieces_that_split_frames_are_put_together(piece: int) -> None:
    ramp: Audio = (np.arange(200, dtype=np.float32).reshape(-1, 2) - 100) / np.float32(128)
    np.testing.assert_array_equal(hear(encode(ramp, "s24le"), PcmFormat(encoding="s24le"), piece), ramp.T)


def test_other_rates_and_channel_counts_are_converted() -> None:
    data = encode(np.zeros((24_000, 1), np.float32), "s16le")
    assert hear(data, PcmFormat(rate_hz=24_000, channels=1), 4096).shape == (2, 44_100)


def test_an_end_within_a_frame_is_said() -> None:
    with pytest.raises(
        SourceError, match="ended 3 bytes into a frame of 4; it is cut off, or of another format or number of channels"
    ):
        hear(bytes(4 * 10 + 3), PcmFormat())


def test_a_terminal_is_refused() -> None:
    leader, follower = pty.openpty()
    with pytest.raises(SourceError, match="standard input is a terminal"):
        PcmSource(PcmFormat(), follower)
    os.close(leader)
    os.close(follower)


def test_a_closed_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SourceError, match="standard input is closed"):
        PcmSource(PcmFormat())


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(SourceError, match="standard input cannot be read: Is a directory"):
        list(PcmSource(PcmFormat(), folder).blocks())
    os.close(folder)


def test_stopping_ends_a_wait_for_input() -> None:
    reading, writing = os.pipe()
    source = PcmSource(PcmFormat(), reading)
    source.stop()
    assert list(source.blocks()) == []
    os.close(writing)
    os.close(reading)
