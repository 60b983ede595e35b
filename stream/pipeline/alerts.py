"""Alerts: what has been wrong with a stream for too long, by rules, and when it is well again."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from whoplays.stream.common.paths import slug
from whoplays.stream.pubsub.messages import (
    Alert,
    AlertCondition,
    End,
    Event,
    FiringAlert,
    Message,
    MessageSequencer,
    Status,
    StreamName,
)

CLIPPING_NS: Final = 10_000_000_000
"""Clipping goes on until nothing has clipped for so long: music does not clip all the time."""
AlertName = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,100}$(?!\n)",
        extra={"expected": "1 to 100 characters, none of them a control character"},
    ),
]
AlertDelay = Annotated[float, Meta(ge=0, le=86_400, extra={"unit": "s"})]


class AlertRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule, as `[[alert]]` says it."""

    when: AlertCondition
    """`lost`: no audio comes; `silent`; `clipping`: samples are at full scale; `not playing`: an instrument does not
    play, while audio comes."""
    stream: StreamName | None = None
    """The stream that is meant; each unless given."""
    instrument: str | None = None
    """Which one does not play, by its English name."""
    for_s: AlertDelay = 30.0
    """How long it must be so."""
    name: AlertName | None = None
    """What the rule is called; made of the others unless given."""

    @property
    def title(self) -> str:
        """What the rule is called."""
        return self.name or f"{self.instrument} {self.when}" if self.instrument else self.name or self.when


@dataclass(slots=True)
class _Condition:
    """How far one rule is with one stream."""

    began_ns: int = 0
    """Monotonic time since which it holds; 0 if it does not."""
    clipped_ns: int = 0
    """Monotonic time at which something clipped last."""
    session: str = ""
    since: int = 0
    since_ns: int = 0
    fires: bool = False


class AlertMonitor:
    """Applies rules to what streams publish; for one thread, but for the rules, which any thread may replace."""

    def __init__(self) -> None:
        self.rules: tuple[AlertRule, ...] = ()
        self._conditions: Final[dict[tuple[str, AlertRule], _Condition]] = {}
        self._left: Final[dict[tuple[str, str], Event]] = {}

    def firing(self, stream: str) -> tuple[FiringAlert, ...]:
        """The alerts of a stream that have not recovered."""
        return tuple(
            FiringAlert(rule=rule.title, when=rule.when, instrument=rule.instrument, since_ns=condition.since_ns)
            for (name, rule), condition in self._conditions.items()
            if name == stream and condition.fires
        )

    def update(self, message: Message, sequencer: MessageSequencer) -> Iterator[Alert]:
        """Take in what a stream publishes; the alerts that begin or end with it.

        Args:
            message: it.
            sequencer: that of its session.
        """
        match message:
            case Event(phase="end"):
                self._left[message.stream, message.label] = message
            case Status():
                yield from self._apply(message, sequencer)
            case End():
                yield from self._end(message, sequencer)

    def _apply(self, status: Status, sequencer: MessageSequencer) -> Iterator[Alert]:
        rules = [rule for rule in self.rules if rule.stream in {None, status.stream}]
        for rule in rules:
            condition = self._conditions.setdefault((status.stream, rule), _Condition())
            holds = _holds(rule, status, condition)
            if holds and not condition.began_ns:
                self._begin(condition, rule, status)
            late_ns = time.monotonic_ns() - condition.began_ns
            if holds and not condition.fires and late_ns >= rule.for_s * 1e9:
                condition.fires = True
                yield _alert(rule, condition, sequencer)
            elif holds is False or (holds is None and not condition.fires):
                yield from _recover(rule, condition, sequencer)
        for key in [key for key in self._conditions if key[0] == status.stream and key[1] not in rules]:
            yield from _recover(key[1], self._conditions.pop(key), sequencer)

    def _begin(self, condition: _Condition, rule: AlertRule, status: Status) -> None:
        condition.began_ns, condition.session = time.monotonic_ns(), status.session
        condition.since, condition.since_ns = status.counters.elapsed_samples, status.published_ns
        left = self._left.get((status.stream, rule.instrument or ""))
        if left and left.session == status.session and left.at_ns:
            condition.began_ns -= max(0, status.published_ns - left.at_ns)
            condition.since, condition.since_ns = left.at, left.at_ns

    def _end(self, end: End, sequencer: MessageSequencer) -> Iterator[Alert]:
        """A stream that failed is lost, and what fires recovers when it is back; of another, nothing is wrong now."""
        for known in [known for known in self._left if known[0] == end.stream]:
            del self._left[known]
        for key in [key for key in self._conditions if key[0] == end.stream]:
            rule, condition = key[1], self._conditions[key]
            if end.reason == "failed" and rule.when == "lost" and not condition.fires:
                condition.session, condition.since, condition.fires = end.session, end.final, True
                condition.since_ns = condition.since_ns or end.published_ns
                yield _alert(rule, condition, sequencer)
            if end.reason != "failed" or not condition.fires:
                del self._conditions[key]
                yield from _recover(rule, condition, sequencer)


def _holds(rule: AlertRule, status: Status, condition: _Condition) -> bool | None:
    """Whether it is as the rule says; None if that cannot be known, because no audio comes."""
    if rule.when == "lost":
        return status.state not in {"listening", "silent"}
    if status.state not in {"listening", "silent"}:
        return None
    if rule.when == "silent":
        return status.state == "silent"
    if rule.when == "not playing":
        return None if status.playing is None else rule.instrument not in {each.label for each in status.playing}
    now_ns = time.monotonic_ns()
    if status.level and status.level.clipped:
        condition.clipped_ns = now_ns
    return condition.clipped_ns > 0 and now_ns - condition.clipped_ns < CLIPPING_NS


def _recover(rule: AlertRule, condition: _Condition, sequencer: MessageSequencer) -> Iterator[Alert]:
    if condition.fires:
        yield _alert(rule, condition, sequencer, recovered=True)
    condition.fires, condition.began_ns = False, 0


def _alert(rule: AlertRule, condition: _Condition, sequencer: MessageSequencer, *, recovered: bool = False) -> Alert:
    return Alert(
        **sequencer.head(Alert),
        rule=rule.title,
        when=rule.when,
        instrument=rule.instrument,
        since=condition.since if condition.session == sequencer.id else None,
        since_ns=condition.since_ns,
        recovered=recovered,
    )


def check_rules(
    rules: Sequence[AlertRule], labels: Mapping[str, Sequence[str] | None]
) -> Iterator[tuple[AlertRule, str]]:
    """What is wrong with rules.

    Args:
        rules: those of the configuration.
        labels: by stream, those that its model has; None of a stream whose model could not be loaded.
    """
    for number, rule in enumerate(rules):
        alike = [each for each in rules[:number] if each.stream == rule.stream and slug(each.title) == slug(rule.title)]
        if alike:
            names = "that name" if alike[0].title == rule.title else f"names that relays write as {slug(rule.title)!r}"
            yield rule, f"two rules have {names}; give one of them another"
        if mistake := _mistake(rule, labels):
            yield rule, mistake


def _mistake(rule: AlertRule, labels: Mapping[str, Sequence[str] | None]) -> str:
    if rule.stream and rule.stream not in labels:
        return f"stream {rule.stream!r} not found; there are: {', '.join(labels)}"
    if (rule.when == "not playing") != (rule.instrument is not None):
        needs = "must be given" if rule.instrument is None else "must be left out"
        return f"instrument {needs} where when is {rule.when!r}"
    meant = [labels[rule.stream]] if rule.stream else labels.values()
    unknown = [known for known in meant if known and rule.instrument and rule.instrument not in known]
    return f"instrument {rule.instrument!r} not found; the model has: {', '.join(unknown[0])}" if unknown else ""
