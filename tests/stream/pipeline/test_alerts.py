"""Rules of alerts, applied to what a stream publishes."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.stream.history.make_history import STARTED_NS, make_event
from tests.stream.make_messages import make_end, make_status
from whoplays.stream.pipeline.alerts import AlertMonitor, AlertRule, check_rules
from whoplays.stream.pubsub.messages import Alert, LevelInfo, Message, MessageSequencer, Playing, State

VIOLIN = Playing(id=1, label="violin", since=0, since_ns=0)
LOUD = LevelInfo(dbfs=-3.0, peak_dbfs=0.0, clipped=5)
QUIET = LevelInfo(dbfs=-20.0, peak_dbfs=-6.0, clipped=0)


class Stream:
    """A stream that says once a second how it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *rules: AlertRule) -> None:
        self.monitor, self.sequencer, self.second = AlertMonitor(), MessageSequencer("hall"), 0
        self.monitor.rules = rules
        monkeypatch.setattr(
            "whoplays.stream.pipeline.alerts.time.monotonic_ns", lambda: (1000 + self.second) * 1_000_000_000
        )

    def say(self, seconds: int, state: State = "listening", **changes: Any) -> list[tuple[int, Alert]]:
        told = []
        for _ in range(seconds):
            status = msgspec.structs.replace(
                make_status(self.second, session=self.sequencer.id), state=state, level=QUIET, playing=(VIOLIN,)
            )
            status = msgspec.structs.replace(status, published_ns=STARTED_NS + self.second * 10**9, **changes)
            told += self.take(status)
            self.second += 1
        return told

    def take(self, message: Message) -> list[tuple[int, Alert]]:
        return [(self.second, alert) for alert in self.monitor.update(message, self.sequencer)]


def when(told: Sequence[tuple[int, Alert]]) -> list[tuple[int, bool]]:
    return [(second, alert.recovered) for second, alert in told]


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        (AlertRule(when="lost", for_s=5), {"state": "lost"}),
        (AlertRule(when="lost", for_s=5), {"state": "stalled"}),
        (AlertRule(when="lost", for_s=5), {"state": "connecting"}),
        (AlertRule(when="silent", for_s=5), {"state": "silent"}),
        (AlertRule(when="not playing", instrument="violin", for_s=5), {"playing": ()}),
    ],
)
def test_what_is_wrong_for_too_long_is_told_once_and_so_is_recovery(
    monkeypatch: pytest.MonkeyPatch, rule: AlertRule, wrong: dict[str, Any]
) -> None:
    stream = Stream(monkeypatch, rule)
    told = stream.say(10) + stream.say(5, **wrong) + stream.say(1)
    assert told == []
    told = stream.say(20, **wrong) + stream.say(10)
    assert when(told) == [(21, False), (36, True)]
    (_, alert), (_, recovered) = told
    assert (alert.rule, alert.when, alert.stream) == (rule.title, rule.when, "hall")
    assert alert.since_ns == recovered.since_ns == STARTED_NS + 16 * 10**9
    assert (alert.seq, recovered.seq) == (0, 1)


def test_clipping_goes_on_while_something_clips_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch, AlertRule(when="clipping", for_s=10))
    told = []
    for _ in range(4):
        told += stream.say(1, level=LOUD) + stream.say(5)
    told += stream.say(20)
    assert when(told) == [(10, False), (28, True)]


def test_while_no_audio_comes_nobody_can_be_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch, AlertRule(when="not playing", instrument="violin", for_s=5))
    assert stream.say(3, playing=()) + stream.say(20, "lost", playing=None) + stream.say(5, playing=()) == []
    assert when(stream.say(10, playing=())) == [(28, False)]
    # Nor does a loss make it well again.
    assert stream.say(20, "lost", playing=None) == []
    assert when(stream.say(1)) == [(58, True)]


def test_it_counts_from_when_the_instrument_left(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch, AlertRule(when="not playing", instrument="piano", for_s=10))
    stream.say(60, playing=(msgspec.structs.replace(VIOLIN, label="piano"),))
    left = msgspec.structs.replace(make_event(1, "end", 57), session=stream.sequencer.id, at_ns=STARTED_NS + 57 * 10**9)
    stream.take(left)
    ((second, alert),) = stream.say(20, playing=())
    assert (second, alert.since, alert.since_ns) == (67, left.at, left.at_ns)


def test_a_late_joiner_is_told_what_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch, AlertRule(when="silent", for_s=0, name="quiet"), AlertRule(when="lost", stream="hall"))
    stream.say(2, "silent")
    (firing,) = stream.monitor.firing("hall")
    assert (firing.rule, firing.when, firing.since_ns) == ("quiet", "silent", STARTED_NS)
    assert stream.monitor.firing("stage") == ()
    # A rule that is there no more has nothing to say.
    stream.monitor.rules = ()
    assert when(stream.say(3, "silent")) == [(2, True)]
    assert stream.monitor.firing("hall") == ()


def test_a_stream_that_failed_is_lost_and_one_that_ended_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(monkeypatch, AlertRule(when="lost", for_s=60))
    stream.say(2)
    end = make_end(0, session=stream.sequencer.id)
    assert when(stream.take(msgspec.structs.replace(end, reason="failed"))) == [(2, False)]
    stream = Stream(monkeypatch, AlertRule(when="silent", for_s=0))
    stream.say(2, "silent")
    assert when(stream.take(end)) == [(2, True)]


@pytest.mark.parametrize("state", ["lost", "silent"])
def test_what_fired_before_a_stream_failed_recovers_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    stream = Stream(monkeypatch, AlertRule(when=state, for_s=5))  # type: ignore[arg-type]  # both are conditions too
    assert when(stream.say(10, state)) == [(5, False)]
    assert not stream.take(msgspec.structs.replace(make_end(0, session=stream.sequencer.id), reason="failed"))
    stream.sequencer = MessageSequencer("hall")
    ((_, alert),) = stream.say(3)
    assert (alert.recovered, alert.since) == (True, None)


def test_a_mistaken_rule_is_one_line() -> None:
    labels = {"hall": ("piano", "violin"), "stage": None}
    for rule, mistake in (
        (AlertRule(when="lost", stream="roof"), "stream 'roof' not found; there are: hall, stage"),
        (AlertRule(when="not playing"), "instrument must be given where when is 'not playing'"),
        (AlertRule(when="lost", instrument="piano"), "instrument must be left out where when is 'lost'"),
        (
            AlertRule(when="not playing", instrument="kazoo"),
            "instrument 'kazoo' not found; the model has: piano, violin",
        ),
        (AlertRule(when="not playing", instrument="violin", stream="stage"), ""),
    ):
        assert [told for _, told in check_rules([rule], labels)] == ([mistake] if mistake else [])
    twice = [AlertRule(when="lost"), AlertRule(when="lost", for_s=5)]
    assert [told for _, told in check_rules(twice, labels)] == ["two rules have that name; give one of them another"]
    alike = [AlertRule(when="lost", name="mic 1"), AlertRule(when="silent", name="mic_1")]
    told = "two rules have names that relays write as 'mic_1'; give one of them another"
    assert [each for _, each in check_rules(alike, labels)] == [told]
