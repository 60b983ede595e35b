"""Streams of a model that gives probabilities within its windows: events at their step, and what windows tell."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.stream.engines import all_messages
from tests.stream.pipeline.test_engine import SECOND, FakeSource, check_numbers, check_tiling, noise, of_kind
from tests.stream.tiny_model import LOUD, STEPS, write_tiny_model
from whoplays.models.errors import OptionError
from whoplays.stream.audio.block import Audio
from whoplays.stream.pipeline.options import StreamOptions, options_for
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import Event, Gap, Message, Window, encode

STEP_S = STEPS.step_samples / SECOND


def players(seconds: int, left_s: tuple[float, float], right_s: tuple[float, float]) -> Audio:
    """A piano on the left and a violin on the right, each from when to when."""
    time_s = np.arange(seconds * SECOND) / SECOND
    sine = LOUD * np.sin(2 * np.pi * 440 * time_s)
    plays = [(begin <= time_s) & (time_s < end) for begin, end in (left_s, right_s)]
    return np.stack([sine * each for each in plays]).astype(np.float32)


def heard(audio: Audio, recognizer: Recognizer, hop_samples: int, *, frames: bool = False) -> list[Message]:
    options = StreamOptions(hop_samples=hop_samples, frames=frames)
    return list(all_messages(FakeSource([audio]), recognizer, options=options))


@pytest.mark.parametrize("hop_samples", [SECOND // 2, SECOND, 3 * SECOND])
def test_events_are_at_the_step_at_which_they_happen(framed: Recognizer, hop_samples: int) -> None:
    """Not at the edges of windows, whatever the hop; and the violin, which plays on, leaves at the end."""
    messages = heard(players(18, (4.4, 11.0), (7.6, 18.0)), framed, hop_samples)
    events = of_kind(messages, Event)
    assert [(event.id, event.label, event.phase) for event in events] == [
        (0, "piano", "start"),
        (1, "violin", "start"),
        (0, "piano", "end"),
        (1, "violin", "end"),
    ]
    *changes, last = (event.at for event in events)
    assert [at / SECOND for at in changes] == pytest.approx([4.4, 7.6, 11.0], abs=STEP_S)
    assert last == 18 * SECOND
    assert all(event.peak == round(event.peak, 6) >= 0.5 for event in events)
    check_numbers(messages)
    check_tiling(messages)


def test_an_event_is_told_within_a_hop_and_half_a_second_of_its_proof(framed: Recognizer) -> None:
    """That is when it has been kept for as long as the card asks for."""
    messages = heard(players(12, (4.4, 12.0), (0.0, 0.0)), framed, SECOND)
    start = next(number for number, message in enumerate(messages) if isinstance(message, Event))
    window = of_kind(messages[:start], Window)[-1]
    assert window.end - round(4.4 * SECOND) <= STEPS.enter_samples + STEPS.delay_samples + SECOND + STEPS.step_samples


def test_windows_tell_what_is_within_them_on_request(framed: Recognizer) -> None:
    window, *_ = of_kind(heard(players(3, (1.5, 3.0), (0.0, 0.0)), framed, SECOND, frames=True), Window)
    assert (window.step_samples, window.first_sample) == (STEPS.step_samples, STEPS.first_sample)
    assert window.frames
    assert [[value > 0.5 for value in step] for step in window.frames] == 5 * [[False, False]] + 5 * [[True, False]]
    assert all(value == round(value, 6) for step in window.frames for value in step)
    assert list(window.probabilities) == ["piano", "violin"]


def test_nothing_is_within_silence(framed: Recognizer) -> None:
    (window,) = of_kind(heard(np.zeros((2, 3 * SECOND), np.float32), framed, SECOND, frames=True), Window)
    assert window.quality.silent
    assert window.frames == 10 * [[0.0, 0.0]]


@pytest.mark.parametrize("gives", [True, False])
def test_without_a_request_nothing_of_it_is_on_the_wire(
    framed: Recognizer, recognizer: Recognizer, gives: bool
) -> None:
    for window in of_kind(heard(noise(4.0), framed if gives else recognizer, SECOND), Window):
        assert not {"frames", "step_samples", "first_sample"} & json.loads(encode(window)).keys()


def test_they_are_refused_of_a_model_that_gives_none(framed: Recognizer, recognizer: Recognizer) -> None:
    asked = StreamOptions(frames=True)
    assert options_for(framed.card, asked).frames
    with pytest.raises(OptionError, match=r"^model tiny gives no frames; leave frames out"):
        options_for(recognizer.card, asked)


def test_what_is_no_number_within_a_window_is_a_gap(tmp_path: Path) -> None:
    """As if it were in the window's own probabilities: a second that is loud, of which no window can be judged."""
    fragile = Recognizer.load(write_tiny_model(tmp_path, nan_above=0.1, frames=STEPS), "cpu")
    audio = noise(12.0)
    audio[:, 7 * SECOND : 8 * SECOND] = 0.9
    messages = heard(audio, fragile, SECOND)
    check_tiling(messages)
    assert {(gap.start, gap.end, gap.cause) for gap in of_kind(messages, Gap)} == {(7 * SECOND, 8 * SECOND, "invalid")}
    assert [window.start // SECOND for window in of_kind(messages, Window)] == [0, 1, 2, 3, 4, 8, 9]


def test_times_of_the_card_are_kept(tmp_path: Path) -> None:
    """A model whose card asks for two seconds takes one of 1.5 s for nothing."""
    audio = players(15, (3.0, 4.5), (6.0, 11.0))
    for enter_s, labels in ((1.0, ["piano", "violin"]), (2.0, ["violin"])):
        frames = msgspec.structs.replace(STEPS, enter_samples=round(enter_s * SECOND))
        recognizer = Recognizer.load(write_tiny_model(tmp_path, frames=frames), "cpu")
        events = of_kind(heard(audio, recognizer, SECOND), Event)
        assert [event.label for event in events if event.phase == "start"] == labels
