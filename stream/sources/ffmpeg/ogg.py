"""An Ogg broadcast, link by link.

FFmpeg's demuxer reads on where another link begins (RFC 3533: each title of a broadcast can be one), but not where its
codec, rate or channels are others: "not yet implemented". There the next link is opened as a container of its own.
"""

from collections.abc import Iterator
from contextlib import closing

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from whoplays.models.errors import SourceError
from whoplays.models.recordings.headers import BEGINNING_BYTES
from whoplays.models.recordings.view import PipeBytes, View


def ogg_packets(data: InputContainer) -> Iterator[tuple[AudioStream, "Packet[AudioStream]"]]:
    """The packets of all links, each with its stream.

    Args:
        data: the bytes, opened with the format `data`.

    Raises:
        SourceError: a link has no audio.
        av.error.FFmpegError: they cannot be read.
    """
    pieces = data.demux()
    source = PipeBytes(lambda: bytes(next(pieces, b"")))
    start: int | None = 0
    while start is not None:
        view = View(source, start)
        end, failure = BEGINNING_BYTES, None
        with closing(av.open(view, "r", format="ogg")) as link:
            if not link.streams.audio:
                raise SourceError("a title of the broadcast has no audio")
            stream = link.streams.audio[0]
            try:
                for packet in link.demux(stream):
                    end = max(end, (packet.pos or 0) + packet.size)
                    yield stream, packet
            except av.error.FFmpegError as error:
                failure = error
        start = view.find_next(end) if failure else None
        if failure and start is None:
            raise failure
