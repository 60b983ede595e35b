from pathlib import Path

import msgspec
import pytest

import whoplays
from tests.bench.conftest import CONDITIONS
from tests.bench.test_capacity import USAGE
from whoplays.bench import profile
from whoplays.bench.profile import measure_profile
from whoplays.bench.report import make_table
from whoplays.bench.results import ProfileResult, Result
from whoplays.models.errors import WhoplaysError

RESULT = ProfileResult(
    command="whoplays bench profile",
    conditions=CONDITIONS,
    source="rtp",
    streams=2,
    hop_s=0.5,
    overload=0,
    samples_us={"queue": [100, 300], "infer": [500, 700]},
    usage=USAGE,
)


def test_stages_have_their_share_and_a_hop_its_cpu() -> None:
    table = make_table(RESULT)
    assert table.rows == (("queue", "200", "200", "25.0%"), ("infer", "600", "600", "75.0%"))
    assert "The daemon took 250000 us of CPU for each hop of a stream" in table.caption
    assert msgspec.json.decode(msgspec.json.encode(RESULT), type=Result) == RESULT


@pytest.mark.slow
def test_a_daemon_is_profiled(model: Path) -> None:
    result = measure_profile(str(model), "zmq", 2, 0.5, 3.5, None, "cpu")
    assert {len(times) for times in result.samples_us.values()} == {4}


def test_what_the_profiler_says_last_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "py-spy"
    script.write_text("#!/bin/sh\necho first >&2\necho Permission denied >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setattr(profile, "profiler", lambda: str(script))
    with pytest.raises(WhoplaysError, match="py-spy failed: Permission denied"), profile.recording(1, 1.0, tmp_path):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--source pipe", "source must be one of rtp, zmq, got pipe"),
        ("--hop 5", "hop must be between 0.01 and 3 s, got 5"),
        ("--streams 0", "streams must be between 1 and 1000, got 0"),
        ("--flame /proc/flame.svg", "cannot write a result to /proc/flame.svg"),
    ],
)
def test_mistakes_are_told_in_a_line(options: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        whoplays.main(["bench", "profile", *options.split()])
    assert message in capfd.readouterr().err
