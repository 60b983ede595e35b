"""`whoplays send`."""

import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.resample import ChannelSelection, read_channels
from whoplays.stream.common.terminal import note, stop_on_signals
from whoplays.stream.security.keys import client_keys
from whoplays.stream.sources.base import SessionOverError, Source
from whoplays.stream.sources.registry import open_now
from whoplays.stream.sources.remote.protocol import WireFormat
from whoplays.stream.sources.remote.sender import Lasting, Packer, Sender

REPORT_S: Final = 10.0


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

    The receiver need not be there: five seconds wait for it, of more the oldest are given up. A live source is opened
    again whenever it is lost; a file plays in real time. Ctrl-C ends it, and tells the receiver.

    Args:
        source: What to send: an audio file, an address, or - for raw PCM (s16le, stereo, 44.1 kHz) on standard input.
        endpoint: Where it is listened to, such as tcp://central.example:9461.
        keys: One's own secret key file, for a receiver that encrypts.
        server_key: The receiver's public key file.
        encoding: How the audio travels.
        channels: Which one or two channels of the source to send, such as 3,4; the first two unless given.
        gain_db: How much louder to send it.
    """
    own = client_keys(keys, server_key)
    selection = ChannelSelection(channels=read_channels(channels) if channels else (), gain_db=gain_db)
    reconnects = Lasting(open_now(source, selection=selection))
    sender = Sender(endpoint, keys=own, on_link=note)

    def stop() -> None:
        reconnects.stop()
        sender.stop()

    with stop_on_signals(stop), sender:
        reconnects.play(lambda heard: _send(heard, sender, encoding))
    note(f"{_report(reconnects.name, sender)}; ended")


def _send(source: Source, sender: Sender, encoding: WireFormat) -> None:
    """Send every session of a source; it is over when one ends for another reason than a new one."""
    again = True
    while again:
        again = False
        packer = Packer(source.name, encoding)
        try:
            _send_session(source, sender, packer)
        except SessionOverError as over:
            note(str(over))
            again = True
        finally:
            for outgoing in (*packer.flush(), packer.end()):
                sender.send(outgoing, wait=not source.live)


def _send_session(source: Source, sender: Sender, packer: Packer) -> None:
    report_s = time.monotonic() + REPORT_S
    for block in source.blocks():
        for outgoing in packer.pack(block):
            sender.send(outgoing, wait=not source.live)
        if time.monotonic() >= report_s:
            report_s += REPORT_S
            note(_report(source.name, sender))


def _report(name: str, sender: Sender) -> str:
    sent_s, dropped_s = (samples / SAMPLE_RATE_HZ for samples in (sender.sent_samples, sender.dropped_samples))
    return f"{name}: {sent_s:.1f} s sent, {dropped_s:.1f} s given up"
