"""A short soak of the real daemon: what it accounts for, not how fast it is."""

from pathlib import Path

import msgspec
import pytest

import whoplays
from tests.bench.conftest import CONDITIONS, TIMES
from whoplays.bench.report import page
from whoplays.bench.results import Point, SoakResult
from whoplays.bench.soak import failures, measure_soak

pytestmark = pytest.mark.slow

ACCOUNTED = 7


def test_four_streams_with_losses_account_for_every_sample(model: Path) -> None:
    result = measure_soak(str(model), 4, 0.15, 0.05, "cpu")
    accounting = result.points[:ACCOUNTED]
    assert [point for point in accounting if point.holds is False] == []
    assert [point.name.split()[0] for point in accounting if point.holds] == [
        "holes",
        "disagreements",
        "messages",
        "sessions",
        "of",
        "samples",
    ]
    lost = next(point for point in accounting if point.name == "samples in network gaps")
    assert int(lost.found) > 0
    assert [point.holds for point in result.points[-2:]] == [True, True]
    assert (
        result.command == f"whoplays bench soak --model {model} --streams 4 --minutes 0.15 --loss 0.05 --provider cpu"
    )


@pytest.fixture
def failed() -> SoakResult:
    points = (
        Point(name="holes", found="1, first: hall", allowed="0", holds=False),
        Point(name="sessions", found="2", allowed="2", holds=True),
        Point(name="open files", found="too short to tell", allowed="", holds=None),
    )
    return SoakResult(
        command="whoplays bench soak",
        conditions=CONDITIONS,
        streams=2,
        minutes=1.0,
        loss=0.01,
        lag=TIMES,
        points=points,
    )


def test_what_fails_is_shown_and_fails(
    failed: SoakResult, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("whoplays.bench.cli.measure_soak", lambda *_: failed)
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["bench", "soak", "--json", str(tmp_path / "soak.json")])
    out, err = capfd.readouterr()
    assert leaving.value.code == 1
    assert "FAILS" in out
    assert err == "whoplays: these do not hold: holes: 1, first: hall\n"
    assert msgspec.json.decode((tmp_path / "soak.json").read_bytes(), type=SoakResult) == failed


def test_it_is_a_section_of_the_page(failed: SoakResult) -> None:
    shown = page([failed])
    assert "## Soak of tiny 0.1 on cpu\n\n    whoplays bench soak\n" in shown
    assert "| holes | 1, first: hall | 0 | FAILS |\n| sessions | 2 | 2 | holds |" in shown
    assert "| open files | too short to tell |  | not judged |" in shown
    assert "2 streams for 1 min, 1.00% of the packets withheld. Lag in ms: p50 1.00" in shown
    assert [point.name for point in failures(failed)] == ["holes"]
