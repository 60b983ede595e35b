"""What a soak proves, point by point."""

from collections.abc import Iterator, Sequence
from typing import Final

from whoplays.bench.footprint import Growth, Look, growth
from whoplays.bench.ledger import Ledger
from whoplays.bench.processes import stream_name
from whoplays.bench.results import Point
from whoplays.bench.senders import PACKET_SAMPLES, RtpSender
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.daemon.config import StreamConfig
from whoplays.stream.pubsub.subscriber import Subscriber

OFF_S: Final = 2.0
"""So far may a stream be off the sender's schedule, on a busy machine, beside what the sender itself is late."""
INFERENCE_S: Final = 2.0
"""So long may a window's inference take, after it has waited as long as it may."""
MEMORY_GROWTH: Final = 0.03
MEMORY_GROWTH_BYTES: Final = 8 << 20
FILES_GROWTH: Final = 2
MIB: Final = 1 << 20


def accounting(ledger: Ledger, subscriber: Subscriber, sender: RtpSender, streams: int) -> Iterator[Point]:
    """Whether everything is accounted for; true of any machine, however slow."""
    accounts, samples = ledger.accounts.values(), sender.packets * PACKET_SAMPLES
    yield _none("holes between windows and gaps", ledger.holes)
    yield _none(f"disagreements in {ledger.statuses} statuses", ledger.disagreements)
    yield _at_most("messages lost", subscriber.lost + sum(account.dropped_messages for account in accounts), 0)
    yield _at_most("sessions", len(accounts), streams)
    missing = sum(abs(samples - account.elapsed) for account in accounts)
    yield _at_most(f"of {samples} samples sent to each, not elapsed", missing, 0)
    withheld = sum(sender.withheld) * PACKET_SAMPLES
    lost = sum(account.invented for account in accounts)
    yield Point(name="samples in network gaps", found=str(lost), allowed=f"{withheld} or more", holds=lost >= withheld)
    dropped = sum(account.dropped_windows for account in accounts)
    judged = sum(account.windows for account in accounts)
    overload = sum(account.overload for account in accounts)
    found = f"{dropped} ({overload} samples)"
    yield Point(name=f"windows dropped, {judged} judged", found=found, allowed="any, in gaps", holds=None)


def punctuality(ledger: Ledger, sender: RtpSender) -> Iterator[Point]:
    """Whether the streams keep up with the sender, and results with the streams."""
    off_s, late_s = ledger.furthest_off / SAMPLE_RATE_HZ, sender.latest_ns / 1e9
    yield Point(
        name=f"furthest off the schedule (sender: {late_s:.2f} s)",
        found=f"{off_s:+.2f} s",
        allowed=f"±{OFF_S + late_s:.2f} s",
        holds=abs(off_s) <= OFF_S + late_s,
    )
    lag_s = max((lag for account in ledger.accounts.values() for lag in account.lags_ns), default=0) / 1e9
    allowed_s = StreamConfig(name="", source="").max_lag_s + INFERENCE_S
    yield Point(name="longest lag", found=f"{lag_s:.2f} s", allowed=f"{allowed_s:g} s", holds=lag_s <= allowed_s)


def frugality(looks: Sequence[Look]) -> Iterator[Point]:
    """Whether the daemon holds more and more."""
    memory = growth([held.rss_bytes for held in looks])
    allowed = max(MEMORY_GROWTH_BYTES, MEMORY_GROWTH * (memory.before if memory else 0))
    yield _grows("memory, MiB", memory, allowed, MIB)
    yield _grows("open files", growth([held.files for held in looks]), FILES_GROWTH, 1)


def ending(ledger: Ledger, code: int | None, streams: int) -> Iterator[Point]:
    """Whether the daemon left as it should."""
    silent = {stream_name(stream) for stream in range(streams)} - ledger.ended
    yield _at_most("streams that said no end", len(silent), 0)
    found = "it did not leave" if code is None else str(code)
    yield Point(name="exit code after SIGTERM", found=found, allowed="0", holds=code == 0)


def _none(name: str, faults: Sequence[str]) -> Point:
    found = f"{len(faults)}, first: {faults[0]}" if faults else "0"
    return Point(name=name, found=found, allowed="0", holds=not faults)


def _at_most(name: str, found: int, allowed: int) -> Point:
    return Point(name=name, found=str(found), allowed=str(allowed), holds=found <= allowed)


def _grows(name: str, found: Growth | None, allowed: float, unit: int) -> Point:
    if found is None:
        return Point(name=name, found="too short to tell", allowed="", holds=None)
    more = found.after - found.before
    words = f"{found.before / unit:.0f}, then {found.after / unit:.0f} ({more / unit:+.1f})"
    return Point(name=name, found=words, allowed=f"+{allowed / unit:.1f}", holds=more <= allowed)
