import pytest

from whoplays.training.data.clip import Clip


@pytest.fixture(scope="package")
def halves(clips: list[Clip]) -> tuple[list[Clip], list[Clip]]:
    """The clips of two players, and those of the others."""
    first = [clip for clip in clips if clip.source in {"player 0", "player 1"}]
    return first, [clip for clip in clips if clip not in first]
