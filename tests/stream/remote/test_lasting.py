from collections.abc import Callable

import pytest

from models.errors import SourceError
from stream.intake import Intake
from stream.remote.lasting import Lasting
from stream.source import Source
from tests.stream.made_source import MadeSource


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.backoff.FIRST_PAUSE_S", 0.01)


def opens(monkeypatch: pytest.MonkeyPatch, *outcomes: MadeSource | SourceError, lasting: bool) -> Lasting:
    left = list(outcomes)

    def from_uri(uri: str, *, intake: Intake) -> Source:
        outcome = left.pop(0)
        if isinstance(outcome, SourceError):
            raise outcome
        return outcome

    monkeypatch.setattr("stream.remote.lasting.from_uri", from_uri)
    monkeypatch.setattr("stream.remote.lasting.is_lasting", lambda _: lasting)
    return Lasting("made:", Intake())


def losing(count: int, sent: list[Source]) -> Callable[[Source], None]:
    def send(source: Source) -> None:
        sent.append(source)
        if len(sent) <= count:
            raise SourceError("the cable was pulled")

    return send


def test_a_live_source_is_opened_again_until_it_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = MadeSource([]), MadeSource([])
    lasting = opens(monkeypatch, first, SourceError("there is no such device"), second, lasting=True)
    sent: list[Source] = []
    lasting.play(losing(1, sent))
    assert sent == [first, second]
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "whoplays: the cable was pulled; trying again",
        "whoplays: there is no such device; trying again",
    ]


def test_any_other_source_fails_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    lasting = opens(monkeypatch, MadeSource([]), lasting=False)
    with pytest.raises(SourceError, match="the cable was pulled"):
        lasting.play(losing(1, []))


def test_who_is_told_to_stop_opens_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lasting = opens(monkeypatch, MadeSource([]), lasting=True)
    lasting.play(lambda _: lasting.stop())
    lasting.play(lambda _: pytest.fail("it was stopped"))
