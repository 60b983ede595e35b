import pytest

from whoplays.bench.event_scores import Played, Told, score_events


def told(label: str, start_s: float, end_s: float) -> Told:
    """An event shown by the window of 3 s in which it begins."""
    return Told(label, start_s, end_s, start_s + 3)


def test_figures_are_those_worked_out_by_hand() -> None:
    played = [Played("piano", 10, 20), Played("violin", 12, 30), Played("piano", 40, 50)]
    # Right; right at its onset, gone too soon; too late; another label.
    events = [told("piano", 11, 21), told("violin", 12, 15), told("piano", 42, 50), told("organ", 10, 20)]
    found = score_events([(played, events)])
    assert (found.played, found.told, found.right) == (3, 4, 2)
    assert found.onset_f1 == pytest.approx(2 * 2 / 7)
    assert found.onset_offset_f1 == pytest.approx(2 * 1 / 7)
    assert found.delays_s == (3.0, 4.0)


def test_an_offset_may_be_off_by_half_of_a_long_event() -> None:
    played = [Played("piano", 0, 20)]
    assert score_events([(played, [told("piano", 0, 10.5)])]).onset_offset_f1 == 1.0
    assert score_events([(played, [told("piano", 0, 9.5)])]).onset_offset_f1 == 0.0


def test_an_event_is_right_of_one_only() -> None:
    """Two told of one played: one is right."""
    found = score_events([([Played("piano", 10, 20)], [told("piano", 9, 12), told("piano", 11, 20)])])
    assert found.onset_f1 == pytest.approx(2 / 3)


def test_as_many_as_possible_are_matched() -> None:
    """The first told would do for both; the second only for the first played."""
    played = [Played("piano", 10, 20), Played("piano", 12.4, 20)]
    found = score_events([(played, [told("piano", 11, 20), told("piano", 9, 20)])])
    assert found.onset_f1 == 1.0


def test_concerts_are_not_mixed_up() -> None:
    one, other = [Played("piano", 10, 20)], [told("piano", 10, 20)]
    assert score_events([(one, []), ([], other)]).onset_f1 == 0.0
    assert score_events([(one, other), ([], [])]).onset_f1 == 1.0


def test_of_nothing_all_is_right() -> None:
    assert score_events([([], [])]).onset_f1 == 1.0
