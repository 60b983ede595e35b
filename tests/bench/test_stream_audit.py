import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.make_messages import make_status
from whoplays.bench.stream_audit import StreamAudit
from whoplays.stream.common.clock import GapCause
from whoplays.stream.pubsub.messages import Counters, End, Gap, Message, Quality, Status, Timing, Window

HOP = 132_300


class SessionMaker:
    """Correct messages of a session, as a daemon would publish them."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.at = self.lost = self.windows = self.gaps = self.dropped_windows = 0

    def window(self) -> None:
        timing = Timing(ready_ns=1, infer_start_ns=2, infer_end_ns=3, batch=1, queue=0)
        quality = Quality(dbfs=0.0, clipped=0, silent=False, lost_samples=0)
        self.messages.append(
            Window(
                stream="hall",
                session="one",
                seq=self.windows,
                published_ns=1,
                start=self.at,
                end=self.at + HOP,
                closed_ns=1,
                clock="arrival",
                probabilities={},
                active={},
                quality=quality,
                timing=timing,
            )
        )
        self.at, self.windows = self.at + HOP, self.windows + 1

    def network_gap(self, start: int, samples: int) -> None:
        """A gap that is concealed in the window that follows."""
        self._gap(self.at + start, self.at + start + samples, "network")
        self.lost += samples
        self.window()

    def overload_gap(self, windows: int) -> None:
        self._gap(self.at, self.at + windows * HOP, "overload")
        self.at, self.lost = self.at + windows * HOP, self.lost + windows * HOP
        self.dropped_windows += windows

    def status(self) -> None:
        counters = Counters(
            elapsed_samples=self.at,
            heard_samples=self.at - self.lost,
            lost_samples=self.lost,
            windows=self.windows,
            gaps=self.gaps,
            dropped_windows=self.dropped_windows,
            dropped_messages=0,
        )
        self.messages.append(msgspec.structs.replace(make_status(0), counters=counters))

    def end(self) -> None:
        self.status()
        self.messages.append(
            End(stream="hall", session="one", seq=0, published_ns=1, reason="stopped", detail="", final=self.at)
        )

    def _gap(self, start: int, end: int, cause: GapCause) -> None:
        self.messages.append(
            Gap(stream="hall", session="one", seq=self.gaps, published_ns=1, start=start, end=end, cause=cause)
        )
        self.gaps += 1


def audited(messages: list[Message]) -> StreamAudit:
    audit = StreamAudit(messages[0])
    for message in messages:
        audit.add(message)
    return audit


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("window")),
        st.tuples(st.just("status")),
        st.tuples(st.just("overload_gap"), st.integers(1, 5)),
        st.tuples(st.just("network_gap"), st.integers(0, HOP // 2), st.integers(1, HOP // 2)),
    ),
    max_size=20,
)


def make_session(steps: list[tuple[str, *tuple[int, ...]]]) -> SessionMaker:
    made = SessionMaker()
    made.window()
    for step, *sizes in steps:
        getattr(made, step)(*sizes)
    made.window()
    made.end()
    return made


@given(STEPS)
@settings(max_examples=100)
def test_a_correct_session_is_covered_and_matches(steps: list[tuple[str, *tuple[int, ...]]]) -> None:
    made = make_session(steps)
    audit = audited(made.messages)
    assert (audit.uncovered, audit.mismatches) == ([], [])
    assert (audit.elapsed_samples, audit.lost_samples, audit.windows) == (made.at, made.lost, made.windows)
    assert audit.end


@given(STEPS, st.data())
@settings(max_examples=100)
def test_no_window_or_gap_can_be_missing_unnoticed(
    steps: list[tuple[str, *tuple[int, ...]]], data: st.DataObject
) -> None:
    messages = make_session(steps).messages
    places = [place for place, message in enumerate(messages) if isinstance(message, Window | Gap)]
    place = data.draw(st.sampled_from(places))
    audit = audited([*messages[:place], *messages[place + 1 :]])
    assert audit.mismatches
    match messages[place]:
        case Gap(cause="network"):
            # The window that it lies in is still there.
            assert not audit.uncovered
        case _:
            assert audit.uncovered


@pytest.mark.parametrize(
    ("change", "mismatch"),
    [
        ({"elapsed_samples": HOP + 1}, "heard and lost samples"),
        ({"elapsed_samples": HOP - 1, "heard_samples": HOP - 1}, f"elapsed samples: {HOP - 1} after {HOP}"),
        ({"lost_samples": 5, "heard_samples": HOP - 5}, "lost samples: 5, not 0"),
        ({"windows": 2}, "windows: 2, not 1"),
        ({"gaps": 1}, "gaps: 1, not 0"),
        ({"dropped_windows": 1}, f"samples of dropped windows: {HOP}, not 0"),
    ],
)
def test_a_wrong_status_is_noticed(change: dict[str, int], mismatch: str) -> None:
    made = SessionMaker()
    made.window()
    made.status()
    status = made.messages[-1]
    assert isinstance(status, Status)
    wrong = msgspec.structs.replace(status, counters=msgspec.structs.replace(status.counters, **change))
    assert any(mismatch in each for each in audited([made.messages[0], wrong]).mismatches)


def test_samples_in_two_gaps_count_once() -> None:
    made = SessionMaker()
    for start, end in ((0, 100), (200, 300), (50, 250), (300, 310)):
        made._gap(start, end, "network")
    audit = audited(made.messages)
    assert (audit.lost_samples, audit.concealed_samples) == (310, 410)
