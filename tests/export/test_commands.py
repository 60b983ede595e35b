from pathlib import Path

import pytest

import whoplays
from tests.export.conftest import Exported
from whoplays.models.card import read_card
from whoplays.training.run import RunFolder

pytestmark = pytest.mark.slow


def test_the_command_says_what_was_made(band: Exported) -> None:
    made, parity = band.said.splitlines()
    assert made.startswith(f"{band.folder}: ")
    assert made.endswith("MMAC a window, opset 18")
    assert parity.startswith("parity with torch, largest difference: ")
    assert parity.endswith(" on recordings")


@pytest.mark.parametrize("name", ["", "My Model", "../up", ".hidden", "a/b"])
def test_a_name_that_is_no_folders_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    assert "use small letters, digits" in complaint(["export", str(tmp_path), f"--name={name}"], capfd)


def test_what_is_no_run_is_refused(tmp_path: Path, cache: Path, capfd: pytest.CaptureFixture[str]) -> None:
    given = ["export", str(tmp_path), "--name", "mine", "--out", str(tmp_path), "--cache", str(cache)]
    assert f"{tmp_path} is not a run" in complaint(given, capfd)
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize("kept", ["card.json", "model.onnx"])
def test_a_model_that_is_there_is_replaced_only_where_that_is_asked_for(
    band: Exported, tmp_path: Path, cache: Path, capfd: pytest.CaptureFixture[str], kept: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / kept).write_text("of another run")
    given = ["export", str(band.run.folder), "--name", "mine", "--out", str(tmp_path), "--cache", str(cache)]
    told = f"whoplays: {tmp_path / 'mine'} holds a model already; give --replace to write over it, or another --name"
    assert complaint(given, capfd) == told
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [kept]
    whoplays.main([*given, "--replace"])
    assert read_card(tmp_path / "mine").name == "mine"


def test_a_run_without_a_checkpoint_is_refused(
    band: Exported, tmp_path: Path, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    RunFolder(tmp_path).write_config(band.run.config())
    given = ["export", str(tmp_path), "--name", "mine", "--out", str(tmp_path), "--cache", str(cache)]
    assert "has no checkpoint; train it first" in complaint(given, capfd)


def complaint(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error with which the command fails."""
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(arguments)
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("whoplays: ")
    return line
