"""The model that ships as the default, on recordings of real players."""

from pathlib import Path

import pytest

import whoplays
from whoplays.models import catalogue
from whoplays.stream.cli.demo import CLIP
from whoplays.stream.pubsub.messages import Event, Window

DATA = Path(__file__).parent / "data"


def heard(recording: Path) -> list[set[str]]:
    """Who is active in each window."""
    windows = [message for message in whoplays.listen(recording, speed="max") if isinstance(message, Window)]
    return [{label for label, active in window.active.items() if active} for window in windows]


def test_everything_that_is_told_of_ships() -> None:
    assert catalogue.names() == ["band-melcnn", "band-mobilenet", "duo-rawcnn", "solo-rawcnn"]


@pytest.mark.parametrize("instrument", ["piano", "violin"])
def test_a_soloist_is_heard(instrument: str) -> None:
    players = heard(DATA / f"{instrument}.ogg")
    assert players
    assert all(instrument in each for each in players)


def test_the_demo_shows_who_plays() -> None:
    """Violin for twelve seconds, violin with piano for six, piano for six."""
    assert heard(CLIP) == [{"violin"}] * 4 + [{"violin", "piano"}] * 2 + [{"piano"}] * 2


def test_who_enters_and_leaves_is_told_to_a_third_of_a_second() -> None:
    """The same concert, at a hop of 1 s."""
    messages = whoplays.listen(CLIP, hop_s=1.0, speed="max")
    events = [(each.label, each.phase, each.at / 44_100) for each in messages if isinstance(each, Event)]
    expected = [("violin", "start", 0.0), ("piano", "start", 12.0), ("violin", "end", 18.0), ("piano", "end", 24.0)]
    assert [event[:2] for event in events] == [event[:2] for event in expected]
    assert [event[2] for event in events] == pytest.approx([event[2] for event in expected], abs=0.35)
