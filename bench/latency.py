"""How late windows are received: from when the last sample is due until another process has the message."""

import multiprocessing
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from whoplays.bench.conditions import command_line, current_conditions, load_average
from whoplays.bench.page_clients import MOST_CLIENTS, page_clients
from whoplays.bench.processes import listening
from whoplays.bench.results import LatencyResult, Summary, summarize
from whoplays.bench.senders import Schedule, block_of, send_pcm
from whoplays.models.errors import EndpointError, require_between
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.common.terminal import end_on_signals, note
from whoplays.stream.pubsub.messages import End, Message, Notice, Status, Window
from whoplays.stream.pubsub.subscriber import Subscriber

CUTOFF_S: Final = 10.0
MAX_WINDOWS: Final = 1_000_000
SILENCE_S: Final = 30.0
STAGES: Final = ("send", "ingest", "queue", "infer", "publish")
"""From due to sent, to arrived, to the start of inference, to its end, to received."""


def measure_latency(model: str, windows: int, hop_s: float, provider: str | None, clients: int = 0) -> LatencyResult:
    """Send audio from this process to `whoplays listen -`, and receive in a third what it publishes.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        windows: how many to measure.
        hop_s: seconds from the start of one window to the next.
        provider: the onnxruntime provider, or None for the best that runs.
        clients: how many look at the page of it meanwhile.

    Raises:
        WhoplaysError: an option is out of range, the model cannot be run, or no window was received.
    """
    require_between("windows", windows, 1, MAX_WINDOWS)
    require_between("page_clients", clients, 0, MOST_CLIENTS)
    load = load_average()
    with (
        listening(model, hop_s, provider) as listener,
        SubscriberProcess(listener.endpoint) as subscriber,
        page_clients(listener.endpoint, clients),
    ):
        status = subscriber.status()
        note(f"measuring {windows} windows, one every {status.hop_samples / SAMPLE_RATE_HZ:g} s")
        schedule = Schedule(
            start_ns=time.monotonic_ns(),
            window_samples=status.window_samples,
            hop_samples=status.hop_samples,
            windows=windows,
        )
        cutoff_ns = schedule.last_due_ns + round(CUTOFF_S * 1e9)
        sent_ns = send_pcm(schedule, listener.stdin.fileno(), cutoff_ns)
        listener.finish(cutoff_ns)
        received, overload = subscriber.arrivals()
        arrivals = [arrival for arrival in received if arrival.received_ns <= cutoff_ns]
    latency, stages = summarize_latency(schedule, sent_ns, arrivals)
    return LatencyResult(
        command=command_line(
            "latency", model=model, windows=windows, hop=hop_s, provider=provider, page_clients=clients or None
        ),
        conditions=current_conditions(status.model, status.provider, load),
        hop_s=status.hop_samples / SAMPLE_RATE_HZ,
        cutoff_s=CUTOFF_S,
        windows=windows,
        received=len(arrivals),
        lost=windows - len(arrivals),
        overload=overload,
        latency=latency,
        stages=stages,
    )


class Arrival(NamedTuple):
    """A window that was received; its times are on the monotonic clock, which all processes of a machine share."""

    end: int
    """Index after the window's last sample."""
    arrived_ns: int
    """When its last sample had arrived, and it could have been inferred."""
    infer_start_ns: int
    infer_end_ns: int
    received_ns: int


def summarize_latency(
    schedule: Schedule, sent_ns: Sequence[int], arrivals: Sequence[Arrival]
) -> tuple[Summary, dict[str, Summary]]:
    """The latency of the windows that were received, and of each stage on their way.

    Args:
        schedule: when their samples were due.
        sent_ns: for each block, the monotonic time at which it was sent.
        arrivals: the windows.

    Raises:
        EndpointError: there are none.
    """
    if not arrivals:
        raise EndpointError(f"none of {schedule.windows} windows was received within {CUTOFF_S:.0f} s after the last")
    times_ns = [_times(schedule.due_ns(each.end), sent_ns[block_of(each.end)], each) for each in arrivals]
    stages = {
        stage: summarize([times[number + 1] - times[number] for times in times_ns])
        for number, stage in enumerate(STAGES)
    }
    return summarize([times[-1] - times[0] for times in times_ns]), stages


def _times(due_ns: int, sent_ns: int, arrival: Arrival) -> tuple[int, ...]:
    # The time of arrival is an estimate, which may be a little before the sending.
    arrived_ns = max(sent_ns, arrival.arrived_ns)
    return due_ns, sent_ns, arrived_ns, arrival.infer_start_ns, arrival.infer_end_ns, arrival.received_ns


class SubscriberProcess:
    """Subscribes in another process, from `__enter__` to the end of the stream or `__exit__`."""

    def __init__(self, endpoint: str) -> None:
        # A fresh interpreter: it shares no thread, lock or memory with this one.
        spawn = multiprocessing.get_context("spawn")
        self._endpoint: Final = endpoint
        self._receiving, self._sending = spawn.Pipe(duplex=False)
        self._process: Final = spawn.Process(
            target=_subscribe, args=(endpoint, self._sending), name="whoplays-subscriber", daemon=True
        )

    def __enter__(self) -> Self:
        self._process.start()
        # The other process holds the only sending end that is left, so that its exit is noticed.
        self._sending.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._receiving.close()

    def status(self) -> Status:
        """The publisher's first message.

        Raises:
            EndpointError: the first message is another, or none came.
        """
        first = self._next()
        if not isinstance(first, Status):
            raise EndpointError(f"no status came from {self._endpoint}")
        return first

    def arrivals(self) -> tuple[list[Arrival], int]:
        """Every window that was received, and how many the publisher dropped; waits for the end of the stream.

        Raises:
            EndpointError: the process has exited, or sends nothing.
        """
        arrivals: tuple[list[Arrival], int] = self._next()
        return arrivals

    def _next(self) -> Any:
        try:
            if self._receiving.poll(2 * SILENCE_S):
                return self._receiving.recv()
        except EOFError as error:
            raise EndpointError(f"the process that subscribed to {self._endpoint} has exited") from error
        raise EndpointError(f"the process that subscribed to {self._endpoint} does not answer")


def _subscribe(endpoint: str, connection: Connection) -> None:
    # Whoever measures may have been ended by a signal.
    with suppress(BrokenPipeError), end_on_signals(), Subscriber(endpoint, silence_s=SILENCE_S) as subscriber:
        connection.send(next(subscriber))
        connection.send(_arrivals(subscriber))


def _arrivals(items: Iterable[Message | Notice]) -> tuple[list[Arrival], int]:
    arrivals, dropped = list[Arrival](), 0
    for item in items:
        received_ns = time.monotonic_ns()
        if isinstance(item, Window):
            arrivals.append(_arrival(item, received_ns))
        if isinstance(item, Status):
            dropped = item.counters.dropped_windows
        if isinstance(item, End) or (isinstance(item, Notice) and item.what == "silent"):
            break
    return arrivals, dropped


def _arrival(window: Window, received_ns: int) -> Arrival:
    closed_ns = window.closed_ns - (time.time_ns() - time.monotonic_ns())
    timing = window.timing
    return Arrival(
        window.end,
        min(closed_ns, closed_ns + timing.ready_ns),
        closed_ns + timing.infer_start_ns,
        closed_ns + timing.infer_end_ns,
        received_ns,
    )
