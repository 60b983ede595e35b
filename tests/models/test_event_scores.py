import mir_eval
import numpy as np
import pytest

from whoplays.models.event_scores import COLLARS_S, DetectedEvent, ReferenceEvent, score_events


def detected(label: str, start_s: float, end_s: float) -> DetectedEvent:
    """An event that is shown by the window of 3 s at whose start it begins, and seen to be over a second after it."""
    return DetectedEvent(label, start_s, end_s, start_s + 3, end_s + 1)


def test_figures_are_those_worked_out_by_hand() -> None:
    references = [ReferenceEvent("piano", 10, 20), ReferenceEvent("violin", 12, 30), ReferenceEvent("piano", 40, 50)]
    # Right within 1 s; right at its onset, gone too soon; too late; another label.
    detections = [
        detected("piano", 11, 21.2),
        detected("violin", 12, 15),
        detected("piano", 42, 50),
        detected("organ", 10, 20),
    ]
    found = score_events([(references, detections)])
    assert (found.references, found.detections) == (3, 4)
    assert found.onset_f1 == pytest.approx((2 * 1 / 7, 2 * 2 / 7, 2 * 2 / 7))
    assert found.offset_f1 == pytest.approx((2 * 1 / 7, 2 * 1 / 7, 2 * 2 / 7))
    assert found.onset_delays_s == (3.0, 4.0)
    assert found.offset_delays_s == (1.0, 2.2)


def test_an_event_matches_only_one() -> None:
    """Two are detected of one: one is right."""
    found = score_events([([ReferenceEvent("piano", 10, 20)], [detected("piano", 9, 12), detected("piano", 11, 20)])])
    assert found.onset_f1[-1] == pytest.approx(2 / 3)


def test_concerts_are_not_mixed_up() -> None:
    one, other = [ReferenceEvent("piano", 10, 20)], [detected("piano", 10, 20)]
    assert score_events([(one, []), ([], other)]).onset_f1 == (0.0, 0.0, 0.0)
    assert score_events([(one, other), ([], [])]).onset_f1 == (1.0, 1.0, 1.0)


def test_of_nothing_everything_is_right() -> None:
    assert score_events([([], [])]).offset_f1 == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_as_many_are_matched_as_mir_eval_matches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    references = [ReferenceEvent(label, *_span(rng)) for label in rng.choice(["piano", "violin"], 30)]
    detections = [detected(label, *_span(rng)) for label in rng.choice(["piano", "violin"], 25)]
    found = score_events([(references, detections)])
    for collar_s, onset_f1, offset_f1 in zip(COLLARS_S, found.onset_f1, found.offset_f1, strict=True):
        assert onset_f1 == pytest.approx(_reference_f1(references, detections, "start_s", collar_s))
        assert offset_f1 == pytest.approx(_reference_f1(references, detections, "end_s", collar_s))


def _span(rng: np.random.Generator) -> tuple[float, float]:
    start_s = float(rng.uniform(0, 60))
    return start_s, start_s + float(rng.uniform(1, 20))


def _reference_f1(
    references: list[ReferenceEvent], detections: list[DetectedEvent], moment: str, collar_s: float
) -> float:
    matches = 0
    for label in ("piano", "violin"):
        ours = np.sort([getattr(event, moment) for event in references if event.label == label])
        theirs = np.sort([getattr(event, moment) for event in detections if event.label == label])
        matches += len(mir_eval.util.match_events(ours, theirs, collar_s))
    return 2 * matches / (len(references) + len(detections))
