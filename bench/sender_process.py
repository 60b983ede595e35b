"""Sending the audio of many streams in a process of its own."""

import heapq
import multiprocessing
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Final, Self

import zmq

from whoplays.bench.receiver import SILENCE_S
from whoplays.bench.senders import HOST, Schedule, block_of, noise_blocks, rtp_header
from whoplays.models.errors import EndpointError
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ
from whoplays.stream.common.deadline import end_with_parent
from whoplays.stream.common.terminal import end_on_signals
from whoplays.stream.sources.remote.protocol import PacketHeader, pack

MIN_SLEEP_S: Final = 0.0002
"""Packets that are due within it are sent together, as a sender with many streams must."""

Send = Callable[[int, bytes], object]
"""The number of a packet, and its PCM."""


class SenderProcess:
    """Sends noise in another process, which ends with this one, from `start` on.

    Args:
        source: `rtp` or `zmq`.
        ports: of the receivers, on this machine.
    """

    def __init__(self, source: str, ports: Sequence[int]) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, other = spawn.Pipe()
        self._process: Final = spawn.Process(target=_send_streams, args=(source, ports, other), daemon=True)
        self._process.start()
        other.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process.pid  # noqa: S101  it was started
        return self._process.pid

    def start(self, schedules: Sequence[Schedule]) -> None:
        """Begin to send, each stream by its schedule."""
        self._connection.send(schedules)

    def sent_ns(self) -> list[list[int]]:
        """Of each stream's windows the monotonic time at which the last block was sent; waits for the last of all.

        Raises:
            EndpointError: it cannot keep its schedule at all, or has failed.
        """
        try:
            if self._connection.poll(SILENCE_S):
                sent_ns: list[list[int]] = self._connection.recv()
                return sent_ns
        except EOFError:
            pass
        raise EndpointError("the process that sends has failed, or falls behind by more than half a minute")


def _send_streams(source: str, ports: Sequence[int], connection: Connection) -> None:
    end_with_parent()
    with end_on_signals(), ExitStack() as stack:
        open_sender = _rtp_sender if source == "rtp" else _zmq_sender
        schedules: list[Schedule] = connection.recv()
        size = schedules[0].block_samples
        sends = [open_sender(stack, port, stream, size) for stream, port in enumerate(ports)]
        blocks = noise_blocks(">i2" if source == "rtp" else "<i2", size)
        connection.send(send_on_schedule(schedules, sends, blocks))


def send_on_schedule(schedules: Sequence[Schedule], sends: Sequence[Send], blocks: Sequence[bytes]) -> list[list[int]]:
    """Send the blocks of several streams, each when it is due, whatever becomes of them.

    Returns:
        Of each stream's windows the monotonic time at which its last block was sent.
    """
    last = [{block_of(end, each.block_samples) for end in each.window_ends} for each in schedules]
    totals = [block_of(each.samples, each.block_samples) + 1 for each in schedules]
    sent_ns: list[list[int]] = [[] for _ in schedules]
    due = [(each.due_ns(each.block_samples), stream, 0) for stream, each in enumerate(schedules)]
    heapq.heapify(due)
    while due:
        now_ns = time.monotonic_ns()
        if due[0][0] > now_ns:
            time.sleep(max(MIN_SLEEP_S, (due[0][0] - now_ns) / 1e9))
            continue
        _, stream, number = due[0]
        schedule = schedules[stream]
        if number in last[stream]:
            sent_ns[stream].append(now_ns)
        sends[stream](number, blocks[number % len(blocks)])
        if number + 1 < totals[stream]:
            end = min((number + 2) * schedule.block_samples, schedule.samples)
            heapq.heapreplace(due, (schedule.due_ns(end), stream, number + 1))
        else:
            heapq.heappop(due)
    return sent_ns


def _rtp_sender(stack: ExitStack, port: int, stream: int, samples: int) -> Send:
    sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    return lambda number, pcm: sender.sendto(rtp_header(number, stream, samples) + pcm, (HOST, port))


def _zmq_sender(stack: ExitStack, port: int, stream: int, samples: int) -> Send:
    """As `whoplays send` does it."""
    sender: zmq.Socket[bytes] = stack.enter_context(zmq.Context.instance().socket(zmq.PUSH))
    sender.setsockopt(zmq.LINGER, 0)
    sender.setsockopt(zmq.SNDHWM, 0)
    sender.connect(f"tcp://{HOST}:{port}")

    def send(number: int, pcm: bytes) -> None:
        header = PacketHeader(
            session=f"bench-{stream}",
            seq=number,
            first=number * samples,
            frames=samples,
            rate_hz=SAMPLE_RATE_HZ,
            channels=CHANNELS,
            format="s16le",
            capture_ns=time.time_ns(),
            name=f"bench {stream}",
        )
        sender.send_multipart(pack(header, pcm))

    return send
