"""A daemon under a load: `whoplays serve` in one process, its sender in another, and a subscriber in this one."""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Final, NamedTuple, Self

import psutil

from whoplays.bench.latency import CUTOFF_S
from whoplays.bench.processes import serving, stream_number
from whoplays.bench.receiver import SILENCE_S, Arrival, WindowTimes, arrival_of, window_times
from whoplays.bench.results import LoadUsage
from whoplays.bench.sender_process import SenderProcess
from whoplays.bench.senders import PACKET_S, Schedule, free_ports
from whoplays.bench.soak import await_ports
from whoplays.bench.soak_checks import MIB, process_tree
from whoplays.models.errors import EndpointError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.common.terminal import note
from whoplays.stream.pubsub.messages import Gap, Message, Notice, Status, Window
from whoplays.stream.pubsub.subscriber import Subscriber

LEAD_S: Final = 0.3
"""From when the sender is told to begin until the first sample."""


class Load(NamedTuple):
    """What the streams of a run have in common."""

    model: str
    provider: str | None
    source: str
    """`rtp` or `zmq`."""
    hop_s: float
    packet_s: float = PACKET_S


class LoadRun(NamedTuple):
    """What came of a run."""

    status: Status
    windows: list[WindowTimes]
    """Those that were received in time, in their order."""
    numbers: list[tuple[int, int]]
    """Of each its stream and its place in that, both from 0."""
    overload: int
    """Windows that the daemon gave up."""
    lost_samples: int
    """Those that the daemon missed or invented, of all streams."""
    usage: LoadUsage
    schedules: list[Schedule]
    """Of the streams."""


def run_load(
    load: Load, windows: Sequence[int], beside: Callable[[int], AbstractContextManager[None]] | None = None
) -> LoadRun:
    """Run a daemon with a stream for each number of windows, until they are received or are late.

    The streams begin one after the other, evenly over a hop, as those of independent senders do on average.

    Args:
        load: the streams.
        windows: of each stream how many.
        beside: entered with the daemon's process id while it is measured.

    Raises:
        WhoplaysError: the daemon does not run, or sends nothing.
    """
    ports = free_ports(len(windows), socket.SOCK_DGRAM if load.source == "rtp" else socket.SOCK_STREAM)
    with (
        serving(load.model, load.provider, ports, load.source, load.hop_s) as daemon,
        Subscriber(daemon.endpoint, silence_s=SILENCE_S) as subscriber,
        SenderProcess(load.source, ports) as sender,
    ):
        status = _first_status(subscriber, len(windows))
        await_ports(daemon.pid, ports, load.source)
        note(f"measuring {len(windows)} streams of {max(windows)} windows")
        schedules = _schedules(load, status, windows)
        log = ArrivalLog(schedules)
        last_ns = max(schedule.last_due_ns for schedule in schedules)
        with UsageMeter(daemon.pid, sender.pid) as meter, beside(daemon.pid) if beside else nullcontext():
            sender.start(schedules)
            while not log.complete and time.monotonic_ns() < last_ns + CUTOFF_S * 1e9:
                log.add(next(subscriber), time.monotonic_ns())
                daemon.check_running()
        sent_ns = sender.sent_ns()
    arrived = {each: arrival for each, arrival in log.arrivals.items() if each[1] < len(sent_ns[each[0]])}
    times = [
        window_times(schedules[stream].due_ns(arrival.end), sent_ns[stream][number], arrival)
        for (stream, number), arrival in arrived.items()
    ]
    return LoadRun(status, times, list(arrived), sum(log.dropped.values()), log.lost_samples, meter.usage, schedules)


def _first_status(subscriber: Subscriber, streams: int) -> Status:
    """Wait until every stream has published something.

    Raises:
        EndpointError: nothing comes.
    """
    seen = set[str]()
    for item in subscriber:
        if isinstance(item, Notice):
            if item.what == "silent":
                raise EndpointError(item.text)
            continue
        seen.add(item.stream)
        if isinstance(item, Status) and len(seen) >= streams:
            return item
    raise EndpointError(f"no status came from {subscriber.endpoint}")


def _schedules(load: Load, status: Status, windows: Sequence[int]) -> list[Schedule]:
    start_ns = time.monotonic_ns() + round(LEAD_S * 1e9)
    hop_ns = status.hop_samples * 1_000_000_000 // SAMPLE_RATE_HZ
    return [
        Schedule(
            start_ns=start_ns + stream * hop_ns // len(windows),
            window_samples=status.window_samples,
            hop_samples=status.hop_samples,
            windows=count,
            block_samples=round(load.packet_s * SAMPLE_RATE_HZ),
        )
        for stream, count in enumerate(windows)
    ]


class ArrivalLog:
    """What is received of streams whose schedules are known.

    Args:
        schedules: of the streams.
    """

    def __init__(self, schedules: Sequence[Schedule]) -> None:
        self.arrivals: Final[dict[tuple[int, int], Arrival]] = {}
        """By stream and number of the window."""
        self.dropped: Final[dict[str, int]] = {}
        """Windows that were given up, by session."""
        self.lost_samples = 0
        self._schedules: Final = schedules
        self._due: Final = sum(schedule.windows for schedule in schedules)

    @property
    def complete(self) -> bool:
        """Whether every window was received, or given up."""
        return len(self.arrivals) + sum(self.dropped.values()) >= self._due

    def add(self, item: Message | Notice, received_ns: int) -> None:
        """Add what was received at a monotonic time.

        Raises:
            EndpointError: it is that nothing comes any more.
        """
        if isinstance(item, Notice):
            if item.what == "silent":
                raise EndpointError(item.text)
            return
        stream = stream_number(item.stream)
        schedule = self._schedules[stream]
        match item:
            case Window() if item.end in schedule.window_ends:
                self.arrivals[stream, schedule.window_ends.index(item.end)] = arrival_of(item, received_ns)
            case Gap() if item.cause != "overload":
                self.lost_samples += max(0, min(item.end, schedule.samples) - item.start)
            case Status():
                self.dropped[item.session] = item.counters.dropped_windows


class UsageMeter:
    """Measures what the machine and two processes use, from `__enter__` to `__exit__`.

    Args:
        daemon: a process; its children count as well.
        sender: another.
    """

    usage: LoadUsage

    def __init__(self, daemon: int, sender: int) -> None:
        self._daemon: Final = daemon
        self._sender: Final = sender

    def __enter__(self) -> Self:
        self._before = self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind:
            return
        before, after = self._before, self._read()
        elapsed_s = after.at_s - before.at_s
        busiest_s = max(after.threads_s[each] - before.threads_s.get(each, 0.0) for each in after.threads_s)
        daemon_s = sum(after.threads_s.values()) - sum(before.threads_s.values())
        self.usage = LoadUsage(
            daemon=round(daemon_s / elapsed_s, 3),
            busiest_thread=round(busiest_s / elapsed_s, 3),
            sender=round((after.sender_s - before.sender_s) / elapsed_s, 3),
            machine=round((after.machine_s - before.machine_s) / elapsed_s, 3),
            rss_mib=round(sum(each.memory_info().rss for each in process_tree(self._daemon)) / MIB, 1),
            available_mib=round(psutil.virtual_memory().available / MIB, 1),
        )

    def _read(self) -> "_CpuTimes":
        machine = psutil.cpu_times()
        threads = [each for process in process_tree(self._daemon) for each in process.threads()]
        sender = psutil.Process(self._sender).cpu_times()
        return _CpuTimes(
            at_s=time.monotonic(),
            threads_s={each.id: each.user_time + each.system_time for each in threads},
            sender_s=sender.user + sender.system,
            machine_s=sum(machine) - machine.idle - machine.iowait - machine.guest - machine.guest_nice,
        )


class _CpuTimes(NamedTuple):
    at_s: float
    threads_s: dict[int, float]
    """Of the daemon."""
    sender_s: float
    machine_s: float
