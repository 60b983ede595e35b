"""Asking a child process which sound inputs there are now, and what one of them hears."""

import subprocess
from typing import Final

import msgspec

from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.device.names import DeviceRequest, Input
from whoplays.stream.sources.worker import command, environment

PATIENCE_S: Final = 20.0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to find out: which inputs there are, or what the given one hears."""

    selector: str | None = None
    selection: ChannelSelection = ChannelSelection()
    rate_hz: int | None = None
    listen_s: float = 0.0
    """How long it listens, from when audio comes; it waits for that twice as long."""


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What an input heard for a moment."""

    input: Input
    dbfs: float | None
    """RMS level of the channels that are taken; None if no audio came."""
    silent: bool
    """Whether every sample was zero."""
    adc: bool
    """Whether the converter's clock was sane."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the child found out."""

    inputs: tuple[Input, ...] = ()
    heard: ProbeResult | None = None
    error: str = ""
    """Why it could not."""


def list_inputs() -> tuple[Input, ...]:
    """The inputs that there are now.

    Raises:
        SourceError: PortAudio is not installed, or does not answer.
    """
    return _ask(Question()).inputs


def hear(wish: DeviceRequest, listen_s: float) -> ProbeResult:
    """Listen to an input for a moment.

    Raises:
        SourceError: there is no such input, or it cannot be opened.
    """
    question = Question(selector=wish.selector, selection=wish.selection, rate_hz=wish.rate_hz, listen_s=listen_s)
    heard = _ask(question).heard
    if heard is None:
        raise AssertionError("it was asked what it heard")
    return heard


def _ask(question: Question) -> Answer:
    try:
        done = subprocess.run(  # noqa: S603
            command("whoplays.stream.sources.device.probe_main", msgspec.json.encode(question).decode()),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=PATIENCE_S + 3 * question.listen_s,
            check=False,
        )
        answer = msgspec.json.decode(done.stdout, type=Answer)
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"the sound system has not answered for {error.timeout:.0f} s; restart it") from error
    except (OSError, msgspec.DecodeError) as error:
        raise SourceError(f"the sound system cannot be asked: {error}") from error
    if answer.error:
        raise SourceError(answer.error)
    return answer
