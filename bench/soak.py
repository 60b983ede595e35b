"""Whether a daemon with many streams accounts for every sample, and whether it grows, however long it runs."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from whoplays.bench.conditions import command_line, current_conditions, load_average
from whoplays.bench.processes import PublisherProcess, serving
from whoplays.bench.results import SoakCheck, SoakResult, histogram, summarize
from whoplays.bench.senders import RtpSender, free_ports
from whoplays.bench.soak_checks import (
    ResourceMonitor,
    check_accounting,
    check_exit,
    check_growth,
    check_timing,
    process_tree,
)
from whoplays.bench.stream_audit import AuditLog
from whoplays.models.errors import WhoplaysError, require_between
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.common.terminal import note
from whoplays.stream.pubsub.messages import Status
from whoplays.stream.pubsub.subscriber import Subscriber

MAX_STREAMS: Final = 1000
MINUTES: Final = (0.05, 525_600.0)
MAX_LOSS: Final = 0.99
SILENCE_S: Final = 30.0
DRAIN_S: Final = 8.0
"""Less than the time after which the daemon takes a quiet sender for lost."""
BIND_TIMEOUT_S: Final = 30.0


def measure_soak(model: str, streams: int, minutes: float, loss: float, provider: str | None) -> SoakResult:
    """Send RTP from this process to `whoplays serve`, and audit what it publishes.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        streams: how many.
        minutes: how long to send.
        loss: the share of packets to withhold.
        provider: the onnxruntime provider, or None for the best that runs.

    Raises:
        WhoplaysError: an option is out of range, the model cannot be run, or the daemon exits before the end.
    """
    require_between("streams", streams, 1, MAX_STREAMS)
    require_between("minutes", minutes, *MINUTES)
    require_between("loss", loss, 0, MAX_LOSS)
    load = load_average()
    status, audit, checks = _run(model, streams, minutes, loss, provider)
    if not audit.lags_ns:
        raise WhoplaysError(f"no window was complete; a window needs {WINDOW_SAMPLES / SAMPLE_RATE_HZ:g} s of audio")
    return SoakResult(
        command=command_line("soak", model=model, streams=streams, minutes=minutes, loss=loss, provider=provider),
        conditions=current_conditions(status.model, status.provider, load),
        streams=streams,
        minutes=minutes,
        loss=loss,
        lag=summarize(audit.lags_ns),
        lags_ms=histogram(audit.lags_ns),
        checks=checks,
    )


def _run(
    model: str, streams: int, minutes: float, loss: float, provider: str | None
) -> tuple[Status, AuditLog, tuple[SoakCheck, ...]]:
    ports = free_ports(streams)
    with (
        RtpSender(ports, loss) as sender,
        serving(model, provider, ports) as daemon,
        Subscriber(daemon.endpoint, silence_s=SILENCE_S) as subscriber,
    ):
        audit = AuditLog(subscriber, sender.due_samples)
        status = _first_status(audit, daemon, streams)
        await_ports(daemon.pid, ports)
        note(f"sending {streams} streams for {minutes:g} min")
        with ResourceMonitor(daemon.pid) as monitor:
            sender.start()
            _receive_for(60 * minutes, audit, daemon, lambda: False)
            sender.finish()
            # The last packets are still on their way.
            _receive_for(DRAIN_S, audit, daemon, lambda: audit.elapsed_samples >= sender.samples)
        daemon.terminate()
        audit.receive(lambda: len(audit.ended) == streams)
        checks = (
            *check_accounting(audit, subscriber, sender, streams),
            *check_timing(audit, sender),
            *check_growth(monitor.samples),
            *check_exit(audit, daemon.wait(), streams),
        )
    return status, audit, checks


def _receive_for(seconds: float, audit: AuditLog, daemon: PublisherProcess, enough: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + seconds
    if not audit.receive(lambda: time.monotonic() >= deadline_s or enough()):
        raise _silence(daemon)


def _first_status(audit: AuditLog, daemon: PublisherProcess, streams: int) -> Status:
    """Wait until something of every stream was received."""
    audit.receive(lambda: len(audit.streams) == streams)
    daemon.check_running()
    if audit.newest is None:
        raise _silence(daemon)
    return audit.newest


def _silence(daemon: PublisherProcess) -> WhoplaysError:
    daemon.check_running()
    return WhoplaysError(f"whoplays serve runs, but published nothing for {SILENCE_S:.0f} s")


def await_ports(pid: int, ports: Sequence[int], source: str = "rtp") -> None:
    """Wait until a daemon has opened every port of its sources, so that no first packet is lost.

    Raises:
        WhoplaysError: it does not.
    """
    deadline_s = time.monotonic() + BIND_TIMEOUT_S
    while not set(ports) <= _bound_ports(pid, "udp4" if source == "rtp" else "tcp4"):
        if time.monotonic() > deadline_s:
            raise WhoplaysError(
                f"whoplays serve did not open all of its {len(ports)} ports within {BIND_TIMEOUT_S:.0f} s"
            )
        time.sleep(0.05)


def _bound_ports(pid: int, kind: str) -> set[int]:
    connections = (found for process in process_tree(pid) for found in process.net_connections(kind))
    return {found.laddr.port for found in connections if found.laddr}
