"""How long after a window's last sample was due another process has received its result."""

import time
from collections.abc import Sequence
from typing import Final

from whoplays.bench.conditions import load_now, observe
from whoplays.bench.listener import listening
from whoplays.bench.receiver import Arrival, Receiver
from whoplays.bench.results import LatencyResult
from whoplays.bench.schedule import Schedule, block_of
from whoplays.bench.sender import send
from whoplays.bench.summary import Summary, summarize
from whoplays.models.errors import EndpointError, OptionError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.common.terminal import note
from whoplays.stream.pubsub.messages import Status

CUTOFF_S: Final = 10.0
STAGES: Final = ("send", "hear", "queue", "infer", "publish")
"""From due to sent, to taken from the ring, to the beginning of inference, to its end, to received."""


def measure_latency(model: str, windows: int, hop_s: float, provider: str | None) -> LatencyResult:
    """Send audio from this process to `whoplays listen -`, and receive in a third what it publishes.

    Args:
        model: a name from the catalogue, or a folder with an exported model.
        windows: how many to measure.
        hop_s: seconds from the start of one window to the next.
        provider: the onnxruntime provider, or None for the best that runs.

    Raises:
        WhoplaysError: an option makes no sense, the model cannot be run, or no window was received.
    """
    if windows < 1:
        raise OptionError(f"{windows} windows make no sense; give 1 or more")
    load = load_now()
    with listening(model, hop_s, provider) as listener, Receiver(listener.endpoint) as receiver:
        status = receiver.status()
        note(f"measuring {windows} windows, one every {status.hop_samples / SAMPLE_RATE_HZ:g} s")
        schedule = _begin(status, windows)
        cutoff_ns = schedule.last_due_ns + round(CUTOFF_S * 1e9)
        sent_ns = send(schedule, listener.descriptor, cutoff_ns)
        listener.finish(cutoff_ns)
        in_time = [arrival for arrival in receiver.arrivals() if arrival.received_ns <= cutoff_ns]
    latency, stages = judge(schedule, sent_ns, in_time)
    return LatencyResult(
        command=_command(model, windows, hop_s, provider),
        conditions=observe(status.model, status.provider, load),
        hop_s=status.hop_samples / SAMPLE_RATE_HZ,
        cutoff_s=CUTOFF_S,
        windows=windows,
        received=len(in_time),
        lost=windows - len(in_time),
        latency=latency,
        stages=stages,
    )


def judge(
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
    moments = [_moments(schedule, sent_ns, arrival) for arrival in arrivals]
    latency = summarize([passed[-1] - passed[0] for passed in moments])
    steps = ([passed[stage + 1] - passed[stage] for passed in moments] for stage in range(len(STAGES)))
    return latency, dict(zip(STAGES, map(summarize, steps), strict=True))


def _begin(status: Status, windows: int) -> Schedule:
    """A schedule that begins now, with the windows that the listener says it takes."""
    return Schedule(
        start_ns=time.monotonic_ns(),
        window_samples=status.window_samples,
        hop_samples=status.hop_samples,
        windows=windows,
    )


def _moments(schedule: Schedule, sent_ns: Sequence[int], arrival: Arrival) -> tuple[int, ...]:
    """When the window's last sample was due, and when each stage was over; monotonic, in ns."""
    end, *passed = arrival
    return schedule.due_ns(end), sent_ns[block_of(end)], *passed


def _command(model: str, windows: int, hop_s: float, provider: str | None) -> str:
    options = f"--model {model} --windows {windows} --hop {hop_s:g}"
    return f"whoplays bench latency {options}" + (f" --provider {provider}" if provider else "")
