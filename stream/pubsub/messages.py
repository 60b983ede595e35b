"""The messages on the wire, version 1: one struct for each kind, as docs/protocol.md describes them.

Readers ignore fields and kinds that they do not know. All times in ns are whole nanoseconds; all sample indices count
from the start of the session at 44 100 Hz.
"""

import re
import secrets
import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypedDict, get_args

import msgspec
from msgspec import Meta

from whoplays.stream.common.clock import ClockKind, GapCause
from whoplays.stream.common.json_schema import json_schema, write_schema

VERSION: Final = 1
# `$` alone would allow a line break after it.
STREAM_NAME: Final = re.compile(r"^[A-Za-z0-9._-]{1,100}$(?!\n)")
StreamName = Annotated[
    str,
    Meta(
        pattern=STREAM_NAME.pattern,
        extra={"expected": "letters, digits, dots, dashes or underscores, 100 at most"},
    ),
]
State = Literal["connecting", "listening", "silent", "stalled", "lost", "ended"]
Reason = Literal["finished", "stopped", "failed"]
Kind = Literal["status", "window", "event", "gap", "end", "alert"]
AlertCondition = Literal["lost", "silent", "clipping", "not playing"]


class Head(TypedDict):
    """What every message begins with."""

    stream: str
    session: str
    seq: int
    published_ns: int


class Envelope(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every message begins with."""

    stream: str
    """Stable id of the stream."""
    session: str
    """New at every start, restart and reconnection."""
    seq: int
    """Counts this kind of message in this session, from 0: a step of more than one is a loss."""
    published_ns: int
    """Wall time, Unix epoch."""

    @property
    def kind(self) -> str:
        """`status`, `window`, `event`, `gap`, `end` or `alert`."""
        return str(self.__struct_config__.tag)


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What is listened to."""

    name: str
    uri: str
    """Without any secret."""


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What listens."""

    name: str
    version: str
    sha256: str
    """The first 12 hexadecimal digits of the graph's."""


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the session began."""

    elapsed_samples: int
    """Where the stream is now: all samples, captured or lost."""
    heard_samples: int
    """Of these, how many have arrived and were not given up."""
    lost_samples: int
    """Of these, how many are in gaps."""
    windows: int
    """Windows inferred."""
    gaps: int
    dropped_windows: int
    """Windows given up, because inference could not keep up."""
    dropped_messages: int
    """Messages of all streams given up before they were sent, because the publisher could not keep up."""
    sessions: int = 1
    """Sessions of the stream, this one included: one more than it was lost and found again."""


class Playing(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument that plays: its `event` of phase `start`, for whoever has not received that."""

    id: int
    """The event's."""
    label: str
    since: int
    """The event's `at`."""
    since_ns: int
    """The event's `at_ns`."""


class LevelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How loud the newest second was, as it was heard."""

    dbfs: float
    """RMS of all channels, relative to full scale; -120 or more."""
    peak_dbfs: float
    """The largest sample of any channel; -120 or more."""
    clipped: int
    """Samples at full scale."""


class FiringAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that has not recovered, for those who join late."""

    rule: str
    when: AlertCondition
    instrument: str | None
    since_ns: int
    """Wall time."""


class Status(Envelope, frozen=True, kw_only=True, tag="status"):
    """Hello and heartbeat: at the start, then every second, and once more at the end."""

    source: SourceInfo
    source_session: str = ""
    """Streams with the same one take from one source, and count the same samples; empty from a publisher that does not
    say."""
    state: State
    detail: str = ""
    """What is wrong, in one line; empty if nothing is."""
    sample_rate_hz: int
    window_samples: int
    hop_samples: int
    model: ModelInfo
    labels: tuple[str, ...]
    """English names, in the model's output order."""
    thresholds: tuple[float, ...]
    """In the same order."""
    entry: float = 0.0
    """How far from the threshold towards 1 a probability must come for an instrument to enter."""
    release: float = 0.8
    """Who plays is taken to play on down to this share of the threshold."""
    provider: str
    """The onnxruntime provider that really runs, such as `cpu`."""
    counters: Counters
    lag_ns: int
    """From the close of the newest inferred window to the end of its inference."""
    drift_ppm: float | None = None
    """How much faster than its nominal rate the source runs, in millionths; null while that is not known."""
    last_seq: dict[str, int]
    """The newest seq of each other kind that was published."""
    clipped_samples: int = 0
    """Of the samples heard, how many were beyond full scale in any channel, and were clipped."""
    level: LevelInfo | None = None
    """Of the last second; null while no audio comes, and from a publisher that does not say."""
    playing: tuple[Playing, ...] | None = None
    """Who plays now, as all events up to now have it; null from a publisher that does not say."""
    alerts: tuple[FiringAlert, ...] = ()
    """What the publisher's rules say is wrong now."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How good a window's audio is."""

    dbfs: float
    """RMS level of all channels, relative to full scale; -120 or more."""
    clipped: int
    """Samples at full scale."""
    silent: bool
    """Below the silence gate: then nobody plays: every probability is 0."""
    lost_samples: int
    """Samples of the window that were invented to fill a gap."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When a window went through, in ns after its close; and in what company."""

    ready_ns: int
    """It was complete and taken from the ring."""
    infer_start_ns: int
    infer_end_ns: int
    batch: int
    """Windows inferred together."""
    queue: int
    """Windows that still waited then."""


class Window(Envelope, frozen=True, kw_only=True, tag="window", omit_defaults=True):
    """The probabilities of one window."""

    start: int
    """Index of the first sample."""
    end: int
    """Index after the last sample."""
    closed_ns: int
    """Wall time at which the last sample was captured."""
    clock: ClockKind
    """What `closed_ns` is made of."""
    probabilities: dict[str, float]
    """By English name; all 0 in silence."""
    active: dict[str, bool]
    """By English name: whether it is at or above its threshold."""
    quality: Quality
    timing: Timing
    frames: list[list[float]] | None = None
    """On request: for each step within the window, the probability of each label, in the order of `labels` in `status`;
    all 0 in silence. Where it is not asked for, it and the two below are left out."""
    step_samples: int | None = None
    """From the start of one step to the start of the next."""
    first_sample: int | None = None
    """Where the first step starts, counted from `start`; it may be before it."""


class Event(Envelope, frozen=True, kw_only=True, tag="event"):
    """An instrument enters or leaves, after thresholds and hysteresis."""

    id: int
    """The same for the start and the end of one appearance; counts in this session."""
    label: str
    phase: Literal["start", "end"]
    at: int
    """Where the appearance begins, or ends. Of a model that gives probabilities within its windows, that is true to a
    step; else at the start: first sample of the window that showed it; at the end: index after the last one's last
    sample."""
    at_ns: int = 0
    """Wall time at which that sample was captured; 0 from a publisher that does not say."""
    peak: float
    """The highest probability so far."""


class Gap(Envelope, frozen=True, kw_only=True, tag="gap"):
    """Samples that no window covers, or that were invented."""

    start: int = msgspec.field(name="from")
    """Index of the first."""
    end: int = msgspec.field(name="to")
    """Index after the last."""
    cause: GapCause


class End(Envelope, frozen=True, kw_only=True, tag="end"):
    """The stream is over. Its last samples, when they do not fill a window, are in no window."""

    reason: Reason
    """The source ended; somebody ended the listening; or something went wrong."""
    detail: str
    """What went wrong; empty otherwise."""
    final: int
    """Where the stream ended: samples captured and lost in all."""


class Alert(Envelope, frozen=True, kw_only=True, tag="alert"):
    """What a rule of the publisher's says has been wrong for too long, or is well again."""

    rule: str
    """The rule's name."""
    when: AlertCondition
    """What is wrong."""
    instrument: str | None
    """The one that does not play; null of other rules."""
    since: int | None
    """The sample index since which it is so; null if that is in an earlier session."""
    since_ns: int
    """The same as wall time."""
    recovered: bool
    """Whether it is well again."""


Message = Status | Window | Event | Gap | End | Alert
KINDS: Final = {str(kind.__struct_config__.tag): kind for kind in get_args(Message)}


class Notice(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="notice"):
    """What a subscriber finds out by itself; it never travels on the wire."""

    what: Literal["lost", "silent", "unreadable"]
    """Messages were lost; nothing came for too long; a message could not be read."""
    text: str
    """The same for people, in one line."""
    stream: str = ""
    """The stream that it is about, if it is about one."""
    count: int = 0
    """How many messages were lost or unreadable."""

    @property
    def kind(self) -> str:
        """`notice`."""
        return "notice"


class MessageSequencer:
    """Numbers the messages of one stream from one start, restart or reconnection to the next."""

    def __init__(self, stream: str) -> None:
        self.stream: Final = stream
        self.id: Final = secrets.token_hex(8)
        """The session's."""
        self.last_seq: Final[dict[str, int]] = {}
        """The newest seq of each kind."""

    def head(self, message: type[Envelope]) -> Head:
        """The beginning of the next message of a kind, stamped with its number and the time."""
        kind = str(message.__struct_config__.tag)
        self.last_seq[kind] = self.last_seq.get(kind, -1) + 1
        return Head(stream=self.stream, session=self.id, seq=self.last_seq[kind], published_ns=time.time_ns())


_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)


def topic_of(stream: str, kind: str = "") -> str:
    """The topic of a kind of message, or what all topics of a stream begin with.

    >>> topic_of("hall", "window")
    'whoplays/1/hall/window/'
    """
    return f"whoplays/{VERSION}/{stream}/{kind}/" if kind else f"whoplays/{VERSION}/{stream}/"


def encode(message: Message) -> bytes:
    """A message as one line of JSON, as it goes over the wire."""
    return _encoder.encode(message)


def to_json(item: Message | Notice) -> str:
    """A message or a notice as one line of JSON; a message's is what goes over the wire."""
    return _encoder.encode(item).decode()


def decode(data: bytes) -> Message:
    """A message from its JSON.

    Raises:
        msgspec.DecodeError: it is not a message in JSON and UTF-8, or of an unknown kind.
    """
    try:
        return _decoder.decode(data)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


SCHEMA_PATH: Final = Path(__file__).with_name("protocol.schema.json")


def schema() -> dict[str, Any]:
    """The JSON Schema of one message of any kind."""
    return json_schema(Message, f"whoplays results, protocol version {VERSION}")


if __name__ == "__main__":
    write_schema(SCHEMA_PATH, schema())
