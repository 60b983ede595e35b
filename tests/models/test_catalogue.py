from pathlib import Path

import pytest

import whoplays
from models import catalogue
from models.card import read_card
from models.errors import ModelError
from stream.recognizer import Recognizer
from tests.stream.tiny_model import write_tiny_model

SHIPPED = catalogue.names()
if_any_ships = pytest.mark.skipif(not SHIPPED, reason="no model ships yet")


@if_any_ships
def test_the_default_ships() -> None:
    assert catalogue.DEFAULT in SHIPPED
    assert catalogue.folder_of("default") == catalogue.folder_of(catalogue.DEFAULT)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_model_that_ships_is_what_its_card_says(name: str) -> None:
    recognizer = Recognizer.load(name, "cpu")
    card = recognizer.card
    assert card.name == name
    assert card.parity_max_abs < 1e-4
    assert all(0 < threshold < 1 for threshold in card.thresholds)
    assert card.corpora
    assert card.measurements
    assert (catalogue.CATALOGUE / name / "model.onnx").stat().st_size < 5_000_000


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of one model."""
    write_tiny_model(tmp_path / "tiny")
    monkeypatch.setattr(catalogue, "CATALOGUE", tmp_path)
    return tmp_path


def test_a_model_is_found_by_name_and_by_path(shelf: Path, tmp_path: Path) -> None:
    assert catalogue.names() == ["tiny"]
    graph, card = catalogue.find("tiny")
    assert (graph, card) == (shelf / "tiny" / "model.onnx", read_card(shelf / "tiny"))
    assert catalogue.find(str(tmp_path / "tiny")) == (graph, card)


@pytest.mark.parametrize("name", ["nobody", "default"])
def test_an_unknown_model_is_refused(shelf: Path, name: str) -> None:
    with pytest.raises(ModelError, match=r"no model '.*'; the catalogue has tiny; a path to an export works too"):
        catalogue.find(name)


def test_a_name_that_no_file_can_have_is_refused(shelf: Path) -> None:
    with pytest.raises(ModelError, match=r"no model 'x+' \(File name too long\); the catalogue has tiny"):
        catalogue.find(300 * "x")


@pytest.mark.parametrize("name", ["", ".."])
def test_a_folder_without_a_card_is_told_as_one(shelf: Path, name: str) -> None:
    with pytest.raises(ModelError, match=r"^\.+ holds no card\.json; give a folder that whoplays export made$"):
        catalogue.find(name)


def test_the_graph_itself_is_refused(shelf: Path) -> None:
    graph = shelf / "tiny" / "model.onnx"
    with pytest.raises(ModelError) as refusal:
        catalogue.find(str(graph))
    told = f"{graph} is a file; give the folder that whoplays export made, not the graph in it"
    assert str(refusal.value) == told


def test_models_are_listed(shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(catalogue, "DEFAULT", "tiny")
    whoplays.main(["models"])
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["name", "version", "task", "labels", "parameters", "MMAC", "measured"]
    for part in ("tiny (default)", "0.1", "multi-label", "pia vio", "0.00 M", "not measured"):
        assert part in row


@if_any_ships
def test_models_that_ship_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    whoplays.main(["models"])
    printed = capsys.readouterr().out
    assert f"{catalogue.DEFAULT} (default)" in printed
    assert all(name in printed for name in SHIPPED)
    assert "not measured" not in printed


def test_a_damaged_model_is_named_in_one_line(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shelf / "tiny" / "model.onnx").write_bytes(b"")
    with pytest.raises(SystemExit):
        whoplays.main(["models"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("whoplays: ")
