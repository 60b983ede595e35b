"""A source of PulseAudio, or of PipeWire as PulseAudio shows it, with all of its channels as they are.

PortAudio reaches a sound server by an ALSA plugin, which mixes the channels of a source into those that are opened;
`parec` takes them one by one.
"""

import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn
from urllib.parse import quote, unquote

import msgspec

from whoplays.models.errors import SourceError
from whoplays.stream.audio.pcm import WIDTH_BYTES, decode
from whoplays.stream.audio.resample import RATES_HZ, ChannelSelection
from whoplays.stream.common.uri import parse_uri
from whoplays.stream.sources.base import Source
from whoplays.stream.sources.device.capture import Captured, GapAwareCapture, until_quiet
from whoplays.stream.sources.worker import PIPE_BYTES, ChildSource, Send, last_line

SCHEME: Final = "pulse"
INSTALL: Final = "install pulseaudio-utils"
ASK_S: Final = 5.0
LATENCY_MS: Final = 100
PIECE_MS: Final = 20


class PulseInput(msgspec.Struct, frozen=True, kw_only=True):
    """A source of the sound server."""

    name: str
    description: str
    """As people know it."""
    channels: int
    rate_hz: int
    default: bool

    @property
    def uri(self) -> str:
        """Its address."""
        return f"{SCHEME}:{quote(self.name)}"


class PulseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a child captures."""

    input: PulseInput
    rate_hz: int
    selection: ChannelSelection


def list_pulse_inputs() -> tuple[PulseInput, ...]:
    """The sources that the sound server has now.

    Raises:
        SourceError: there is no sound server, or nothing to ask it with.
    """
    default = _ask("info").get("default_source_name", "")
    found = []
    for each in _ask("list", "sources"):
        spec = re.fullmatch(r"\S+ (\d+)ch (\d+)Hz", each["sample_specification"])
        if spec:
            found.append(
                PulseInput(
                    name=each["name"],
                    description=each["description"],
                    channels=int(spec[1]),
                    rate_hz=int(spec[2]),
                    default=each["name"] == default,
                )
            )
    return tuple(found)


def _ask(*words: str) -> Any:
    pactl = shutil.which("pactl")
    if pactl is None:
        raise SourceError(f"pactl not found; {INSTALL}")
    command = [pactl, "--format=json", *words]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=ASK_S)  # noqa: S603
        return msgspec.json.decode(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"the sound server did not answer within {ASK_S:.0f} s") from error
    except (OSError, msgspec.DecodeError) as error:
        raise SourceError("sound server not found; start PulseAudio or PipeWire") from error


def read_address(uri: str, selection: ChannelSelection) -> tuple[str, int | None, ChannelSelection]:
    """The name, the rate and what is taken, as `pulse:NAME?rate=48000` says.

    Raises:
        SourceError: an option is unknown, or the rate is out of range.
    """
    name, _, query = uri.partition(":")[2].partition("?")
    mistakes: list[str] = []
    rate_hz = parse_uri(f"{SCHEME}:?{query}", frozenset({"rate"}), mistakes).number("rate", RATES_HZ, 0, mistakes)
    if mistakes:
        raise SourceError("; ".join(mistakes))
    return unquote(name), rate_hz or None, selection


def look_up(uri: str, selection: ChannelSelection) -> PulseRequest:
    """The source of that name, with the channels that are taken.

    Raises:
        SourceError: there is none, or it has no such channel.
    """
    name, rate_hz, selection = read_address(uri, selection)
    inputs = list_pulse_inputs()
    found = next((each for each in inputs if each.name == name or (not name and each.default)), None)
    if found is None:
        known = ", ".join(each.uri for each in inputs) or "none"
        raise SourceError(f"source {name!r} of the sound server not found; there are: {known}")
    selection.taken(found.channels)
    return PulseRequest(input=found, rate_hz=rate_hz or found.rate_hz, selection=selection)


def check_address(uri: str, selection: ChannelSelection) -> None:
    """Check an address without asking the sound server.

    Raises:
        SourceError: see `read_address`.
    """
    read_address(uri, selection)


def open_pulse(uri: str, selection: ChannelSelection) -> Source:
    """Open a source of the sound server: `pulse:NAME`, or `pulse:` for its default one, with `?rate=48000`.

    Raises:
        SourceError: there is no such source, it has no such channel, or an option is unknown or out of range.
    """
    request = look_up(uri, selection)
    return ChildSource(
        f"{__name__}:capture",
        {"request": msgspec.to_builtins(request)},
        name=request.input.name,
        uri=uri,
        clock="arrival",
        disconnect_cause="device_lost",
    )


def refuse_remix(name: str, channels: int) -> None:
    """Refuse an input of PortAudio that is the sound server's if fewer channels are opened than the source has.

    Raises:
        SourceError: the server would mix the others into them.
    """
    try:
        inputs = () if "hw:" in name else list_pulse_inputs()
    except SourceError:
        return
    server = name in {"default", "pulse", "pipewire"}
    found = next((each for each in inputs if each.name == name or (server and each.default)), None)
    if found and found.channels > channels:
        raise SourceError(
            f"{name} is the sound server's, which would mix the {found.channels} channels of {found.name} into "
            f"{channels}; listen to {found.uri}"
        )


def capture(send: Send, request: dict[str, Any]) -> NoReturn:
    """Capture from a source of the sound server until it is gone.

    Args:
        send: takes the blocks.
        request: a `PulseRequest`, as JSON carries it.

    Raises:
        SourceError: it cannot be opened, or was disconnected.
    """
    wanted = msgspec.convert(request, PulseRequest)
    channels = wanted.input.channels
    gap_aware = GapAwareCapture(wanted.rate_hz, channels, wanted.selection)
    for captured in _captured(wanted):
        for block in gap_aware.blocks(captured):
            send(block)
    raise AssertionError("capturing ends with an error only")


def _captured(wanted: PulseRequest) -> Iterator[Captured]:
    name, channels = wanted.input.name, wanted.input.channels
    command = [
        *("parec", "--raw", "--format=float32le", "--no-remap", "--no-remix", "--verbose", "--client-name=whoplays"),
        *(f"--device={name}", f"--rate={wanted.rate_hz}", f"--channels={channels}"),
        *(f"--latency-msec={LATENCY_MS}", f"--process-time-msec={PIECE_MS}"),
    ]
    frame_bytes, rest = WIDTH_BYTES["f32le"] * channels, b""
    with _running(command) as parec:
        output = _Output(parec, name)
        for data in until_quiet(output.read, name):
            rest += data
            whole = len(rest) // frame_bytes * frame_bytes
            if whole:
                frames, rest = decode(rest[:whole], "f32le", channels), rest[whole:]
                yield Captured(frames, time.monotonic_ns(), output.take_overrun(), 0)


@contextmanager
def _running(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, bufsize=0)  # noqa: S603
    except OSError as error:
        raise SourceError(f"parec cannot be started: {error.strerror}; {INSTALL}") from error
    with process:
        try:
            yield process
        finally:
            process.kill()


class _Output:
    """What parec captures, and what it says meanwhile."""

    def __init__(self, parec: "subprocess.Popen[bytes]", name: str) -> None:
        if parec.stdout is None or parec.stderr is None:
            raise AssertionError("it was started with both")
        self._name: Final = name
        self._audio: Final = parec.stdout.fileno()
        self._messages: Final = parec.stderr.fileno()
        self._begun = b""
        self._said = b""
        self._overrun = False

    def take_overrun(self) -> bool:
        """Whether samples were lost since the last call."""
        overrun, self._overrun = self._overrun, False
        return overrun

    def read(self, timeout_s: float) -> bytes:
        """The next bytes of audio; none if none came within the time.

        Raises:
            SourceError: the source is gone.
        """
        ready, _, _ = select.select([self._audio, self._messages], [], [], timeout_s)
        if self._messages in ready:
            *lines, self._begun = (self._begun + os.read(self._messages, 4096)).replace(b"\r", b"\n").split(b"\n")
            for line in lines:
                self._take(line)
        data = os.read(self._audio, PIPE_BYTES) if self._audio in ready else b""
        if self._audio in ready and not data:
            raise SourceError(f"{self._name} was lost: {last_line(self._said) or 'parec ended'}")
        return data

    def _take(self, line: bytes) -> None:
        self._said = self._said if line.startswith(b"Time:") else line
        self._overrun |= b"overrun" in line
        if b"moved to device" in line:
            # Whoever listens to a source that is gone gets another one from the server.
            raise SourceError(f"{self._name} was disconnected; connect it again")
