from pathlib import Path

import msgspec
import pytest

import whoplays
from tests.stream.tiny_model import STEPS, write_tiny_model
from whoplays.models import catalogue
from whoplays.models.card import Corpus, Hysteresis, Measurement, read_card, write_card
from whoplays.models.errors import ModelError
from whoplays.stream.pipeline.recognizer import Recognizer

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
    with pytest.raises(ModelError, match=r"model '.*' not found; there are: tiny; a path to an export works too"):
        catalogue.find(name)


def test_a_name_that_no_file_can_have_is_refused(shelf: Path) -> None:
    with pytest.raises(ModelError, match=r"model 'x+' not found \(File name too long\); there are: tiny"):
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


def listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *name: str, columns: int) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    whoplays.main(["models", *name])
    return capsys.readouterr().out


def test_models_are_listed(shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "DEFAULT", "tiny")
    lines = [line.rstrip() for line in listed(capsys, monkeypatch, columns=80).splitlines()]
    assert lines == [
        "tiny 0.1 (default)",
        "  labels    piano, violin",
        "  task      multi-label",
        "  size      0.00 M parameters, 0 MMAC a window",
        "  measured  not measured",
        "",
    ]


def test_of_a_model_everything_on_its_card_is_shown(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is alike is said once: how figures were measured, and a licence."""
    changed = msgspec.structs.replace(
        read_card(shelf / "tiny"),
        thresholds=(0.5, 0.2),
        calibration=((1.5, -0.25), (1.0, 0.0)),
        hysteresis=Hysteresis(entry=0.5, release=0.1),
        measurements=tuple(
            Measurement(metric=metric, value=0.25, data="pairs of real, 2 labels, 16 sources, not heard", windows=9)
            for metric in ("exact match", "mAP")
        ),
        corpora=tuple(
            Corpus(name=name, licence=licence) for name, licence in [("a", "MIT"), ("b", "CC0"), ("c", "MIT")]
        ),
    )
    write_card(changed, shelf / "tiny")
    printed = listed(capsys, monkeypatch, "tiny", columns=80)
    rows = [" ".join(line.split()) for line in printed.splitlines()]
    assert "Thresholds; entry 0.5, release 0.1" in rows
    assert "piano 0.500 0.750 0.050 1.500 -0.250" in rows
    assert "violin 0.200 0.600 0.020 1.000 0.000" in rows
    assert rows.count("Measured on 16 sources, not heard") == printed.count("not heard") == 1
    assert "pairs of real, 2 labels exact match 0.250 9" in rows
    assert "MIT a, c" in rows
    assert "CC0 b" in rows


def test_of_a_model_that_looks_within_its_windows_the_steps_are_shown(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_model(shelf / "tiny", frames=STEPS)
    printed = " ".join(listed(capsys, monkeypatch, "tiny", columns=80).split())
    assert "in steps of 0.3 s, for 1 s to enter and 1.2 s to leave" in printed


def test_default_stands_for_a_model_wherever_one_is_named(
    shelf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "DEFAULT", "tiny")
    assert catalogue.find("default") == catalogue.find() == catalogue.find("tiny")
    assert Recognizer.load("default", "cpu").card.name == "tiny"
    assert listed(capsys, monkeypatch, "default", columns=80).startswith("tiny 0.1")


@if_any_ships
def test_models_that_ship_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    printed = listed(capsys, monkeypatch, columns=80)
    assert printed.count(" (default)") == 1
    assert max(map(len, printed.splitlines())) <= 80
    assert all(name in printed for name in SHIPPED)
    assert "not measured" not in printed


def test_a_damaged_model_is_named_in_one_line(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shelf / "tiny" / "model.onnx").write_bytes(b"")
    with pytest.raises(SystemExit):
        whoplays.main(["models"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("whoplays: ")
