"""Opening media with FFmpeg, and its errors as one line without secrets."""

import ssl
from typing import Final

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard

from whoplays.models.errors import SourceError
from whoplays.stream.sources.ffmpeg.diagnosis import CLOSED, reason
from whoplays.stream.sources.ffmpeg.spot import Spot

OPEN_S: Final = 20.0
READ_S: Final = 15.0
"""How long FFmpeg waits for data; who supervises the source may be less patient."""

# A playlist can name other addresses: those on the network must not make us read files here, nor the other way round.
_NETWORK: Final = {
    "protocol_whitelist": "http,https,httpproxy,tcp,tls,udp,rtp,rtsp,crypto,data",
    # RTP within the RTSP connection if the server can: then no packet is lost.
    "rtsp_flags": "prefer_tcp",
    # Or a password could be given to anybody; FFmpeg does not look unless it is told to.
    "tls_verify": "1",
}
_FILE: Final = {"protocol_whitelist": "file,crypto,data"}


def open_container(spot: Spot) -> InputContainer:
    """Connect to it and find out what it holds.

    Raises:
        SourceError: it cannot be reached, or cannot be read.
    """
    try:
        return av.open(
            spot.url, format=spot.form, options=_network() if spot.network else _FILE, timeout=(OPEN_S, READ_S)
        )
    except av.error.FFmpegError as error:
        raise SourceError(f"{spot.name} cannot be heard: {reason(spot, error)}") from error


def first_audio(spot: Spot, container: InputContainer) -> AudioStream:
    """Its first audio stream; of the others nothing is read, nor fetched where that can be avoided.

    Raises:
        SourceError: it has none.
    """
    if not container.streams.audio:
        raise SourceError(f"{spot.name} holds no audio; give a stream or a file that does")
    chosen = container.streams.audio[0]
    for stream in container.streams:
        stream.discard = Discard.default if stream is chosen else Discard.all
    return chosen


def broken(spot: Spot, error: av.error.FFmpegError) -> SourceError:
    """What to say when reading fails on the way."""
    if not spot.network:
        return SourceError(f"{spot.name} is damaged: {error.strerror}")
    return SourceError(f"{spot.name} broke off: {reason(spot, error)}")


def refuse_early_end(spot: Spot, container: InputContainer) -> None:
    """Tell the end of a recording from a broadcast that was cut off.

    A broadcast has neither length nor duration, so nothing but a lost connection ends it. A playlist says when it ends.

    Raises:
        SourceError: it should have gone on.
    """
    if spot.network and container.duration is None and container.size <= 0:
        raise SourceError(f"{spot.name} broke off: {CLOSED}")


def _network() -> dict[str, str]:
    authorities = ssl.get_default_verify_paths().cafile
    return {**_NETWORK, "ca_file": authorities} if authorities else _NETWORK
