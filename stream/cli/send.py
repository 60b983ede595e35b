"""`whoplays send`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.stream.audio.resample import ChannelSelection, read_channels
from whoplays.stream.common.terminal import note, stop_on_signals
from whoplays.stream.security.keys import client_keys
from whoplays.stream.sources.registry import open_now
from whoplays.stream.sources.remote.protocol import WireFormat
from whoplays.stream.sources.remote.sender import Sender, SourceForwarder


def send(
    source: Annotated[str, Parameter(allow_leading_hyphen=True)],
    endpoint: str,
    /,
    *,
    keys: Path | None = None,
    server_key: Path | None = None,
    encoding: Annotated[WireFormat, Parameter(name="--format")] = "s16le",
    channels: str = "",
    gain_db: Annotated[float, Parameter(allow_leading_hyphen=True)] = 0.0,
) -> None:
    """Send a source to a machine that listens at zmq://, as stereo at 44.1 kHz.

    The receiver need not be there: up to 5 s of audio wait for it, and of more the oldest are dropped. A live source is
    opened again whenever it is lost; a file plays in real time. Ctrl-C ends it, for the receiver too.

    Args:
        source: What to send: an audio file, an address, or - for standard input.
        endpoint: The receiver's address, such as tcp://central.example:9461.
        keys: One's own secret key file, for a receiver that encrypts.
        server_key: The receiver's public key file.
        encoding: Encoding of the PCM that is sent.
        channels: Which of the source's channels to send, such as 3,4 or all; the first two unless given.
        gain_db: How much louder to send it.
    """
    own = client_keys(keys, server_key)
    selection = ChannelSelection(channels=read_channels(channels) if channels else (), gain_db=gain_db)
    spec = open_now(source, selection=selection)
    sender = Sender(endpoint, keys=own, on_link=note)
    forwarder = SourceForwarder(spec, sender, encoding, report=note)
    with stop_on_signals(forwarder.stop), sender:
        forwarder.run()
    note(f"{forwarder.summary}; ended")
