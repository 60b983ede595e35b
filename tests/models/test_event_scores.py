import pytest

from whoplays.bench.event_scores import DetectedEvent, ReferenceEvent, score_events


def detected(label: str, start_s: float, end_s: float) -> DetectedEvent:
    """An event that is shown by the window of 3 s at whose start it begins."""
    return DetectedEvent(label, start_s, end_s, start_s + 3)


def test_figures_are_those_worked_out_by_hand() -> None:
    references = [ReferenceEvent("piano", 10, 20), ReferenceEvent("violin", 12, 30), ReferenceEvent("piano", 40, 50)]
    # Right; right at its onset, gone too soon; too late; another label.
    detections = [
        detected("piano", 11, 21),
        detected("violin", 12, 15),
        detected("piano", 42, 50),
        detected("organ", 10, 20),
    ]
    found = score_events([(references, detections)])
    assert (found.references, found.detections, found.matches) == (3, 4, 2)
    assert found.onset_f1 == pytest.approx(2 * 2 / 7)
    assert found.onset_offset_f1 == pytest.approx(2 * 1 / 7)
    assert found.delays_s == (3.0, 4.0)


def test_an_offset_may_be_off_by_half_of_a_long_event() -> None:
    references = [ReferenceEvent("piano", 0, 20)]
    assert score_events([(references, [detected("piano", 0, 10.5)])]).onset_offset_f1 == 1.0
    assert score_events([(references, [detected("piano", 0, 9.5)])]).onset_offset_f1 == 0.0


def test_an_event_matches_only_one() -> None:
    """Two are detected of one: one is right."""
    found = score_events([([ReferenceEvent("piano", 10, 20)], [detected("piano", 9, 12), detected("piano", 11, 20)])])
    assert found.onset_f1 == pytest.approx(2 / 3)


def test_as_many_as_possible_are_matched() -> None:
    """The first detected event matches both references; the second only the first."""
    references = [ReferenceEvent("piano", 10, 20), ReferenceEvent("piano", 12.4, 20)]
    found = score_events([(references, [detected("piano", 11, 20), detected("piano", 9, 20)])])
    assert found.onset_f1 == 1.0


def test_concerts_are_not_mixed_up() -> None:
    one, other = [ReferenceEvent("piano", 10, 20)], [detected("piano", 10, 20)]
    assert score_events([(one, []), ([], other)]).onset_f1 == 0.0
    assert score_events([(one, other), ([], [])]).onset_f1 == 1.0


def test_of_nothing_everything_is_right() -> None:
    assert score_events([([], [])]).onset_f1 == 1.0
