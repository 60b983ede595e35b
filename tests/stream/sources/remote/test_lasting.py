from collections.abc import Callable

import pytest

from tests.stream.sources.scripted_source import ScriptedSource
from whoplays.models.errors import SourceError
from whoplays.stream.sources.base import Source, SourceSpec
from whoplays.stream.sources.remote.sender import Lasting


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.common.backoff.FIRST_PAUSE_S", 0.01)


def opens(*outcomes: ScriptedSource | SourceError, reconnects: bool = True) -> Lasting:
    left = list(outcomes)

    def open_next() -> Source:
        outcome = left.pop(0)
        if isinstance(outcome, SourceError):
            raise outcome
        return outcome

    return Lasting(SourceSpec("made", "made:", open_next, live=True, reconnects=reconnects))


def losing(count: int, sent: list[Source]) -> Callable[[Source], None]:
    def send(source: Source) -> None:
        sent.append(source)
        if len(sent) <= count:
            raise SourceError("the cable was pulled")

    return send


def test_a_live_source_is_opened_again_until_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = ScriptedSource([]), ScriptedSource([])
    reconnects = opens(first, SourceError("there is no such device"), second)
    sent: list[Source] = []
    reconnects.play(losing(1, sent))
    assert sent == [first, second]
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "whoplays: the cable was pulled; trying again",
        "whoplays: there is no such device; trying again",
    ]


def test_any_other_source_fails_for_good() -> None:
    reconnects = opens(ScriptedSource([]), reconnects=False)
    with pytest.raises(SourceError, match="the cable was pulled"):
        reconnects.play(losing(1, []))


def test_a_lost_source_is_left_before_it_is_opened_again() -> None:
    """It may hold a port or a device, which the next one needs."""
    first, left = ScriptedSource([]), list[bool]()

    def open_next() -> Source:
        left.append(first.stopped.is_set())
        return first if len(left) == 1 else ScriptedSource([])

    Lasting(SourceSpec("made", "made:", open_next, live=True, reconnects=True)).play(losing(1, []))
    assert left == [False, True]


def test_who_is_told_to_stop_opens_nothing_again() -> None:
    source = ScriptedSource([])
    reconnects = opens(source)
    reconnects.play(lambda _: reconnects.stop())
    assert source.stopped.is_set()
    reconnects.play(lambda _: pytest.fail("it was stopped"))


def test_a_stop_while_it_is_opened_is_heeded() -> None:
    opened = ScriptedSource([])

    def open_slowly() -> Source:
        reconnects.stop()
        return opened

    reconnects = Lasting(SourceSpec("made", "made:", open_slowly, live=True, reconnects=True))
    reconnects.play(lambda _: pytest.fail("it was stopped"))
    assert opened.stopped.is_set()
