import json
from pathlib import Path

import numpy as np
import pytest

import whoplays
from tests.stream.sources.device.pulse import CARD, RATE_HZ, Pulse
from whoplays.stream.cli import devices as commands
from whoplays.stream.sources.device.names import Input
from whoplays.stream.sources.device.probe import list_inputs


def shown(capfd: pytest.CaptureFixture[str], *options: str) -> str:
    """What the command prints."""
    whoplays.main(["devices", *options])
    return capfd.readouterr().out


def row(lines: str) -> dict[str, object]:
    """What is printed of the test's input in JSON."""
    (found,) = (each for each in map(json.loads, lines.splitlines()) if each["name"] == CARD)
    assert isinstance(found, dict)
    return found


def meter_only_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the test the other names of the same input, and most of the second."""
    monkeypatch.setattr(commands, "METER_S", 0.3)
    monkeypatch.setattr(commands, "list_inputs", lambda _: [each for each in list_inputs() if each.name == CARD])


def test_inputs_are_listed_with_their_addresses(card: Pulse, capfd: pytest.CaptureFixture[str]) -> None:
    expected = {"hostapi": "ALSA", "name": CARD, "channels": 32, "rate_hz": RATE_HZ, "default": False}
    assert row(shown(capfd, "--json")) == expected | {"uri": f"device:ALSA:{CARD}"}
    (line,) = (line for line in shown(capfd).splitlines() if f"device:ALSA:{CARD}" in line)
    assert line.split() == ["ALSA", CARD, "32", "44100", "Hz", f"device:ALSA:{CARD}"]


def test_the_default_is_marked(card: Pulse, capfd: pytest.CaptureFixture[str]) -> None:
    (line,) = (line for line in shown(capfd).splitlines() if line.endswith("device:ALSA:default"))
    assert line.startswith("*")


@pytest.mark.parametrize(("value", "dbfs", "note"), [(2**14, -6.02, ""), (0, -120.0, "silent")])
def test_the_meter_shows_a_level(
    card: Pulse,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    value: int,
    dbfs: float,
    note: str,
) -> None:
    meter_only_the_card(monkeypatch)
    with card.playing(np.full((RATE_HZ, 2), value, np.int16)):
        assert row(shown(capfd, "--meter", "--json"))["level"] == {"dbfs": dbfs, "note": note}
        assert (note or f"{dbfs:.1f} dBFS") in shown(capfd, "--meter")


def test_the_meter_shows_that_nothing_arrives(
    card: Pulse, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    meter_only_the_card(monkeypatch)
    assert row(shown(capfd, "--meter", "--json"))["level"] == {"dbfs": None, "note": "nothing arrives"}


def test_the_meter_shows_what_cannot_be_opened(
    card: Pulse, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    meter_only_the_card(monkeypatch)
    card.unplug()
    note = json.dumps(row(shown(capfd, "--meter", "--json"))["level"])
    assert f"{CARD} cannot be opened" in note


def test_names_are_shown_as_they_are(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Input(hostapi="ALSA", name="[red]?", channels=1, rate_hz=8000, default=False)
    monkeypatch.setattr(commands, "list_inputs", lambda _: (odd,))
    assert "ALSA      [red]?  1         8000 Hz  device:ALSA:[red]%3F" in shown(capfd)


def test_no_input_is_one_line(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "list_inputs", lambda _: ())
    assert refused(capfd) == "whoplays: sound input not found; connect one\n"


def test_a_missing_portaudio_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What sounddevice does without it.
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    assert refused(capfd) == "whoplays: PortAudio not found; install libportaudio2\n"


def refused(capfd: pytest.CaptureFixture[str]) -> str:
    """What the command says when it fails."""
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["devices"])
    assert leaving.value.code == 1
    out, err = capfd.readouterr()
    assert out == ""
    return err
