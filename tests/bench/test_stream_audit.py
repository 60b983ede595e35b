import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stream.make_messages import make_status
from whoplays.bench.stream_audit import Account
from whoplays.stream.common.clock import GapCause
from whoplays.stream.pubsub.messages import Counters, End, Gap, Message, Quality, Status, Timing, Window

HOP = 132_300


class Made:
    """Messages of a session that are right, as a daemon would say them."""

    def __init__(self) -> None:
        self.said: list[Message] = []
        self.at = self.lost = self.windows = self.gaps = self.dropped = 0

    def window(self) -> None:
        timing = Timing(ready_ns=1, infer_start_ns=2, infer_end_ns=3, batch=1, queue=0)
        quality = Quality(dbfs=0.0, clipped=0, silent=False, lost_samples=0)
        self.said.append(
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

    def network(self, start: int, samples: int) -> None:
        """Silence in the window that follows."""
        self._gap(self.at + start, self.at + start + samples, "network")
        self.lost += samples
        self.window()

    def overload(self, windows: int) -> None:
        self._gap(self.at, self.at + windows * HOP, "overload")
        self.at, self.lost = self.at + windows * HOP, self.lost + windows * HOP
        self.dropped += windows

    def status(self) -> None:
        counters = Counters(
            elapsed_samples=self.at,
            heard_samples=self.at - self.lost,
            lost_samples=self.lost,
            windows=self.windows,
            gaps=self.gaps,
            dropped_windows=self.dropped,
            dropped_messages=0,
        )
        self.said.append(msgspec.structs.replace(make_status(0), counters=counters))

    def end(self) -> None:
        self.status()
        self.said.append(
            End(stream="hall", session="one", seq=0, published_ns=1, reason="stopped", detail="", final=self.at)
        )

    def _gap(self, start: int, end: int, cause: GapCause) -> None:
        self.said.append(
            Gap(stream="hall", session="one", seq=self.gaps, published_ns=1, start=start, end=end, cause=cause)
        )
        self.gaps += 1


def read(messages: list[Message]) -> Account:
    account = Account(messages[0])
    for message in messages:
        account.follow(message)
    return account


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("window")),
        st.tuples(st.just("status")),
        st.tuples(st.just("overload"), st.integers(1, 5)),
        st.tuples(st.just("network"), st.integers(0, HOP // 2), st.integers(1, HOP // 2)),
    ),
    max_size=20,
)


def make(steps: list[tuple[str, *tuple[int, ...]]]) -> Made:
    made = Made()
    made.window()
    for step, *sizes in steps:
        getattr(made, step)(*sizes)
    made.window()
    made.end()
    return made


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_what_is_right_has_no_holes_and_no_disagreements(steps: list[tuple[str, *tuple[int, ...]]]) -> None:
    made = make(steps)
    account = read(made.said)
    assert (account.holes, account.disagreements) == ([], [])
    assert (account.elapsed, account.lost, account.windows) == (made.at, made.lost, made.windows)
    assert account.ended


@given(STEPS, st.data())
@settings(max_examples=100, deadline=None)
def test_no_window_or_gap_can_be_missing_unnoticed(
    steps: list[tuple[str, *tuple[int, ...]]], data: st.DataObject
) -> None:
    said = make(steps).said
    places = [place for place, message in enumerate(said) if isinstance(message, Window | Gap)]
    place = data.draw(st.sampled_from(places))
    account = read([*said[:place], *said[place + 1 :]])
    assert account.disagreements
    match said[place]:
        case Gap(cause="network"):
            # The window that it lies in is still there.
            assert not account.holes
        case _:
            assert account.holes


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"elapsed_samples": HOP + 1}, "heard and lost"),
        ({"elapsed_samples": HOP - 1, "heard_samples": HOP - 1}, f"{HOP - 1} samples elapsed, but {HOP} before"),
        ({"lost_samples": 5, "heard_samples": HOP - 5}, "lost samples: 5, not 0"),
        ({"windows": 2}, "windows: 2, not 1"),
        ({"gaps": 1}, "gaps: 1, not 0"),
        ({"dropped_windows": 1}, f"samples of dropped windows: {HOP}, not 0"),
    ],
)
def test_a_status_that_is_wrong_is_noticed(change: dict[str, int], complaint: str) -> None:
    made = Made()
    made.window()
    made.status()
    status = made.said[-1]
    assert isinstance(status, Status)
    wrong = msgspec.structs.replace(status, counters=msgspec.structs.replace(status.counters, **change))
    assert any(complaint in each for each in read([made.said[0], wrong]).disagreements)


def test_samples_in_two_gaps_count_once() -> None:
    made = Made()
    for start, end in ((0, 100), (200, 300), (50, 250), (300, 310)):
        made._gap(start, end, "network")
    account = read(made.said)
    assert (account.lost, account.invented) == (310, 410)
