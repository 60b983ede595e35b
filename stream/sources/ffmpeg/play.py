"""What the child process of a media source does."""

import time
from typing import Any

import av
import msgspec
from av.container import InputContainer

from whoplays.stream.sources.child import Send
from whoplays.stream.sources.ffmpeg.decoder import Decoder
from whoplays.stream.sources.ffmpeg.demux import broken, first_audio, open_container, refuse_early_end
from whoplays.stream.sources.ffmpeg.player import Player
from whoplays.stream.sources.ffmpeg.spot import Spot


def play(send: Send, spot: dict[str, Any]) -> None:
    """Play media in real time; returns when it ends on purpose.

    Nothing here ends a read that blocks for ever: the parent ends the process.

    Args:
        send: where its audio goes.
        spot: a `Spot`, as JSON carries it.

    Raises:
        SourceError: it cannot be heard, or no more.
        SessionOverError: the sender began anew.
    """
    media = msgspec.convert(spot, Spot)
    with open_container(media) as container, Player(send, broadcast=media.network) as player:
        try:
            _decode(media, container, player)
        except av.error.FFmpegError as error:
            raise broken(media, error) from error
        refuse_early_end(media, container)


def _decode(spot: Spot, container: InputContainer, player: Player) -> None:
    stream = first_audio(spot, container)
    decoder = Decoder(spot, stream)
    for packet in container.demux(stream):
        arrived_ns = time.monotonic_ns()
        for piece in decoder.decode(packet):
            player.put(piece, arrived_ns)
    for piece in decoder.finish():
        player.put(piece, time.monotonic_ns())
