from tests.stream.make_messages import make_gap, make_status
from whoplays.stream.pubsub.subscriber import Losses


def test_steps_of_one_are_no_loss() -> None:
    losses = Losses()
    assert [losses.missing(make_gap(seq)) for seq in range(5)] == [0] * 5


def test_a_bigger_step_is_a_loss() -> None:
    losses = Losses()
    assert [losses.missing(make_gap(seq)) for seq in (3, 4, 8)] == [0, 0, 3]


def test_a_heartbeat_tells_of_what_never_came() -> None:
    losses = Losses()
    assert losses.missing(make_status(0)) == 0
    assert losses.missing(make_status(1, gap=2)) == 3
    assert losses.missing(make_gap(3)) == 0


def test_who_comes_late_has_lost_nothing() -> None:
    losses = Losses()
    assert losses.missing(make_status(7, gap=40)) == 0
    assert losses.missing(make_gap(41)) == 0
    assert losses.missing(make_gap(43)) == 1


def test_a_new_session_counts_anew() -> None:
    losses = Losses()
    losses.missing(make_gap(10))
    assert losses.missing(make_gap(0, session="two")) == 0
    assert losses.missing(make_gap(2, session="two")) == 1


def test_the_beginning_of_a_session_is_missed_by_who_followed_the_one_before() -> None:
    losses = Losses()
    assert [losses.missing(make_gap(seq)) for seq in (7, 8)] == [0, 0]
    assert losses.missing(make_gap(5, session="two")) == 5
    assert losses.missing(make_status(2, session="two", gap=6, event=0)) == 2 + 1 + 1
    assert losses.missing(make_status(0, session="three")) == 0
    assert losses.missing(make_gap(0, session="three")) == 0
