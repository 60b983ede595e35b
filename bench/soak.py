"""Whether a daemon with many streams accounts for every sample, and grows or not, however long it runs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from whoplays.bench.conditions import load_now, observe
from whoplays.bench.footprint import Footprint
from whoplays.bench.ledger import Ledger
from whoplays.bench.processes import Served, serving
from whoplays.bench.results import Point, SoakResult
from whoplays.bench.senders import PACKET_SAMPLES, RtpSender, free_ports
from whoplays.bench.soak_checks import accounting, ending, frugality, punctuality
from whoplays.bench.summary import Summary, summarize
from whoplays.models.errors import OptionError, WhoplaysError
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.stream.common.terminal import note
from whoplays.stream.pubsub.messages import Status
from whoplays.stream.pubsub.subscriber import Subscriber

MOST_STREAMS: Final = 1000
SILENCE_S: Final = 30.0
DRAIN_S: Final = 8.0
"""Less than what makes the daemon give a quiet sender up."""
BIND_S: Final = 30.0


def measure_soak(model: str, streams: int, minutes: float, loss: float, provider: str | None) -> SoakResult:
    """Send RTP from this process to `whoplays serve`, and keep the account of what it publishes.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        streams: how many.
        minutes: how long to send.
        loss: the share of packets to withhold.
        provider: the onnxruntime provider, or None for the best that runs.

    Raises:
        WhoplaysError: an option makes no sense, the model cannot be run, or the daemon is gone before the end.
    """
    _check(streams, minutes, loss)
    load, ports = load_now(), free_ports(streams)
    with (
        RtpSender(ports, loss) as sender,
        serving(model, provider, ports) as served,
        Subscriber(served.endpoint, silence_s=SILENCE_S) as subscriber,
    ):
        ledger = Ledger(subscriber, sender.due_samples)
        status = _join(ledger, served, streams)
        _await_sockets(ports)
        note(f"sending {streams} streams for {minutes:g} min")
        with Footprint(served.pid) as footprint:
            _soak(ledger, served, sender, minutes)
        served.terminate()
        ledger.follow(lambda: len(ledger.ended) == streams)
        points = (
            *accounting(ledger, subscriber, sender, streams),
            *punctuality(ledger, sender),
            *frugality(footprint.looks),
            *ending(ledger, served.wait(), streams),
        )
    return SoakResult(
        command=_command(model, streams, minutes, loss, provider),
        conditions=observe(status.model, status.provider, load),
        streams=streams,
        minutes=minutes,
        loss=loss,
        lag=_lags(ledger),
        points=points,
    )


def failures(result: SoakResult) -> list[Point]:
    """The points that do not hold."""
    return [point for point in result.points if point.holds is False]


def _soak(ledger: Ledger, served: Served, sender: RtpSender, minutes: float) -> None:
    sender.start()
    _follow_for(60 * minutes, ledger, served, lambda: False)
    sender.finish()
    # The last packets are still on their way.
    _follow_for(DRAIN_S, ledger, served, lambda: ledger.elapsed >= sender.packets * PACKET_SAMPLES)


def _follow_for(seconds: float, ledger: Ledger, served: Served, enough: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + seconds
    if not ledger.follow(lambda: time.monotonic() >= deadline_s or enough()):
        served.check_alive()
        raise WhoplaysError(f"whoplays serve runs, but said nothing for {SILENCE_S:.0f} s")


def _join(ledger: Ledger, served: Served, streams: int) -> Status:
    """Wait until every stream is told of."""
    ledger.follow(lambda: len(ledger.streams) == streams)
    served.check_alive()
    if ledger.newest is None:
        raise WhoplaysError(f"whoplays serve runs, but said nothing for {SILENCE_S:.0f} s")
    return ledger.newest


def _await_sockets(ports: list[int]) -> None:
    """Wait until somebody listens to each port, as the system's table says, so that no first packet is lost."""
    deadline_s = time.monotonic() + BIND_S
    while not set(ports) <= _bound():
        if time.monotonic() > deadline_s:
            raise WhoplaysError(f"whoplays serve did not open all of its {len(ports)} ports within {BIND_S:.0f} s")
        time.sleep(0.05)


def _bound() -> set[int]:
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows}


def _check(streams: int, minutes: float, loss: float) -> None:
    if not 1 <= streams <= MOST_STREAMS:
        raise OptionError(f"{streams} streams make no sense; give 1 to {MOST_STREAMS}")
    if not 0 < minutes < float("inf"):
        raise OptionError(f"{minutes:g} minutes make no sense; give more than 0")
    if not 0 <= loss < 1:
        raise OptionError(f"a loss of {loss:g} makes no sense; give a share from 0 to less than 1")
    if not Path("/proc/net/udp").is_file():
        raise OptionError("bench soak reads /proc, which only Linux has; run it there")


def _lags(ledger: Ledger) -> Summary:
    lags_ns = [lag for account in ledger.accounts.values() for lag in account.lags_ns]
    if not lags_ns:
        raise WhoplaysError(f"no window was judged; a window needs {WINDOW_SAMPLES / 44_100:.0f} s of audio")
    return summarize(lags_ns)


def _command(model: str, streams: int, minutes: float, loss: float, provider: str | None) -> str:
    options = f"--model {model} --streams {streams} --minutes {minutes:g} --loss {loss:g}"
    return f"whoplays bench soak {options}" + (f" --provider {provider}" if provider else "")
