"""`whoplays listen`."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import CycloptsError, Parameter

from whoplays.models.errors import OptionError, require_between
from whoplays.stream.api import open_engine
from whoplays.stream.audio.level import SILENCE_DBFS
from whoplays.stream.audio.pcm import Encoding, PcmFormat
from whoplays.stream.audio.resample import ChannelSelection, read_channels
from whoplays.stream.cli.views import Display, View, choose_view
from whoplays.stream.common.terminal import ignore_broken_pipe, note, stop_on_signals
from whoplays.stream.pipeline.engine import Engine
from whoplays.stream.pipeline.options import WINDOW_S, Sensitivity
from whoplays.stream.pubsub.endpoint import DEFAULT_ENDPOINT
from whoplays.stream.pubsub.messages import End, Message, Status
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.security.allow_list import server_keys
from whoplays.stream.sources.base import Speed
from whoplays.stream.sources.registry import CHOICES, STDIN, open_now

MAX_WAIT_S: Final = 86_400.0


def listen(
    source: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    stream: str = "main",
    model: str = "default",
    hop: float = WINDOW_S,
    publish: str = DEFAULT_ENDPOINT,
    no_publish: Annotated[bool, Parameter(negative=())] = False,
    wait: float = 0.0,
    insecure: Annotated[bool, Parameter(negative=())] = False,
    keys: Path | None = None,
    allowed: Path | None = None,
    speed: Speed = "realtime",
    json: Annotated[bool, Parameter(negative=())] = False,
    silence_dbfs: Annotated[float, Parameter(allow_leading_hyphen=True)] = SILENCE_DBFS,
    provider: str | None = None,
    sensitivity: Sensitivity = "normal",
    frames: Annotated[bool, Parameter(negative=())] = False,
    encoding: Annotated[Encoding | None, Parameter(name="--format")] = None,
    rate: int | None = None,
    channels: str | None = None,
) -> None:
    """Recognise instruments live and publish the results.

    Args:
        source: An audio file, an address such as device: or rtp://:5004, or - for standard input.
        stream: The stable id of the stream.
        model: A name from `whoplays models`, or a folder with an exported model.
        hop: Seconds from the start of one window to the next, up to 3.
        publish: The ZeroMQ address to publish on; port * takes any free one.
        no_publish: Publish nothing.
        wait: Seconds to wait for a first subscriber before the source begins, up to a day.
        insecure: Allow an address that is open to the network without encryption.
        keys: Encrypt: the secret key file of this end, as whoplays keys makes it.
        allowed: The folder with the public keys of those who may connect; that of whoplays keys allow unless given.
        speed: Process a file in real time, or as fast as possible without loss.
        json: Print the messages as they go over the wire, one a line.
        silence_dbfs: Below this level a window is silence.
        provider: The onnxruntime provider, such as cpu or cuda; unless given, cuda if it runs, else cpu.
        sensitivity: How many errors are accepted; low: fewer false ones, more missed; high: the other way round.
        frames: Tell the probabilities within each window as well, of a model that gives them.
        encoding: How raw PCM is encoded; s16le unless given.
        rate: Sample rate of raw PCM, in Hz; 44100 unless given.
        channels: Which of the source's channels to take, such as 3,4 or all; of raw PCM how many there are, 2 unless
            given.
    """
    if source is None:
        raise CycloptsError(msg=f"source not given; give {CHOICES}")
    if source.startswith("-") and source != "-":
        # As - is a source, a mistyped option is taken for one at first.
        raise CycloptsError(msg=f"Unknown option: {source}. A file of that name is ./{source}")
    require_between("wait", wait, 0, MAX_WAIT_S, "s")
    pcm = _pcm(encoding, rate, channels if source == STDIN else None)
    taken = read_channels(channels) if channels and source != STDIN else ()
    own = server_keys(keys, allowed)
    publisher = None if no_publish else Publisher(publish, insecure=insecure, keys=own, on_handshake_failed=note)
    spec = open_now(source, speed, pcm, ChannelSelection(channels=taken))
    engine = open_engine(
        spec,
        stream=stream,
        model=model,
        hop_s=hop,
        silence_dbfs=silence_dbfs,
        provider=provider,
        sensitivity=sensitivity,
        frames=frames,
        publisher=publisher,
    )
    with ExitStack() as stack:
        if publisher:
            stack.enter_context(publisher)
            note(f"publishing on {publisher.endpoint}")
            publisher.wait_for_subscriber(wait)
        view = choose_view(json=json)
        _show(engine, Display(view) if spec.live else view, json=json)


def _pcm(encoding: Encoding | None, rate_hz: int | None, channels: str | None) -> PcmFormat | None:
    """The format of raw PCM, if any of it is given."""
    if channels and not channels.isdecimal():
        raise OptionError(f"channels must be how many channels raw PCM has, such as 2; got {channels!r}")
    options: dict[str, Any] = {
        "encoding": encoding,
        "rate_hz": rate_hz,
        "channels": int(channels) if channels else None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return PcmFormat(**given) if given else None


def _show(engine: Engine, view: View, *, json: bool) -> None:
    with ignore_broken_pipe(), view, stop_on_signals(engine.stop_in_time), closing(engine.run()) as messages:
        for message in messages:
            view.show(message if json else _without_reason(message))
    engine.check()


def _without_reason(message: Message) -> Message:
    """The message without why the stream failed: people are told that once, by the last line of the command."""
    failed = (isinstance(message, End) and message.reason == "failed") or (
        isinstance(message, Status) and message.state == "ended"
    )
    return msgspec.structs.replace(message, detail="") if failed else message
