from pathlib import Path

import msgspec
import pytest

from whoplays.models.card import (
    Corpus,
    GraphFacts,
    Hysteresis,
    Measurement,
    ModelCard,
    check_graph,
    graph_digest,
    read_card,
    write_card,
)
from whoplays.models.errors import ModelError

CARD = ModelCard(
    name="duet",
    version="1.2.3",
    sha256="",
    task="multi-label",
    labels=("piano", "violin"),
    thresholds=(0.4, 0.6),
    parameters=1234,
    macs=56_789,
    opset=18,
    parity_max_abs=1e-6,
    corpora=(Corpus(name="made", licence="CC0-1.0"),),
    measurements=(Measurement(metric="top-1", value=0.9, data="solos", windows=100),),
)
FACTS = GraphFacts(
    inputs={"audio": ("batch", 2, 132_300)},
    outputs={"probabilities": ("batch", 2)},
    types={"audio": "tensor(float)", "probabilities": "tensor(float)"},
    labels=("piano", "violin"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder; what the graph computes does not matter here."""
    (tmp_path / "model.onnx").write_bytes(b"a graph")
    keep(tmp_path)
    return tmp_path


def keep(folder: Path, **changes: object) -> None:
    """Write the card of the graph in `folder`, with changes."""
    facts = {"sha256": graph_digest(folder / "model.onnx")} | changes
    write_card(msgspec.structs.replace(CARD, **facts), folder)


def complaint(folder: Path) -> str:
    """The one line with which a model is refused."""
    with pytest.raises(ModelError) as refused:
        read_card(folder)
    (line,) = str(refused.value).splitlines()
    return line


def test_a_card_is_read_as_it_was_written(folder: Path) -> None:
    card = read_card(folder)
    assert msgspec.structs.replace(card, sha256="") == CARD
    assert (card.sample_rate_hz, card.channels, card.window_samples) == (44_100, 2, 132_300)


def test_people_can_read_a_card(folder: Path) -> None:
    assert '  "name": "duet",\n' in (folder / "card.json").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, "the card says 000000000000…; export the model again"),
        ({"labels": ("piano", "a;b")}, "a label must be an English name"),
        ({"labels": ("piano", "pia")}, "each there once, got piano, piano"),
        ({"labels": ("piano",)}, "1 labels but 2 thresholds"),
        ({"thresholds": (0.5,)}, "2 labels but 1 thresholds"),
        ({"sample_rate_hz": 48_000}, "windows must be 132300 samples of 2 at 44100 Hz"),
        ({"channels": 1}, "windows must be 132300 samples of 2 at 44100 Hz"),
        ({"window_samples": 44_100}, "windows must be 132300 samples of 2 at 44100 Hz"),
    ],
)
def test_a_card_that_is_wrong_is_refused(folder: Path, changes: dict[str, object], message: str) -> None:
    keep(folder, **changes)
    assert message in complaint(folder)


def test_another_graph_is_refused(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"another graph")
    assert "model.onnx is not the graph its card speaks of" in complaint(folder)


def test_a_missing_graph_is_named(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    assert "model.onnx cannot be read (No such file or directory)" in complaint(folder)


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    assert "holds no card.json" in complaint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no json", b"{}", b'{"name": 3}', b"\xff", b'{"name": "\xff"}'])
def test_what_is_no_card_is_refused(folder: Path, content: bytes) -> None:
    (folder / "card.json").write_bytes(content)
    assert "card.json is not a model card" in complaint(folder)


def test_a_card_of_a_later_kind_is_refused(folder: Path) -> None:
    """A field that this version does not know could change what the probabilities mean."""
    text = (folder / "card.json").read_text().replace('"name"', '"hop": 1, "name"', 1)
    (folder / "card.json").write_text(text)
    assert "unknown field `hop`" in complaint(folder)


def test_a_graph_as_its_card_says_is_accepted() -> None:
    check_graph(CARD, FACTS)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"inputs": {"audio": ("batch", 1, 132_300)}}, r"its card says input audio \[batch, 2, 132300\]"),
        ({"inputs": {"audio": ("batch", 2, 44_100)}}, r"its card says input audio \[batch, 2, 132300\]"),
        ({"inputs": {"audio": (1, 2, 132_300)}}, r"its graph has \{'audio': \(1, 2, 132300\)\}"),
        ({"inputs": {"sound": ("batch", 2, 132_300)}}, "its graph has {'sound'"),
        ({"inputs": {"audio": ("batch", 2, 132_300), "gain": ()}}, "its graph has .*'gain'"),
        (
            {"types": {"audio": "tensor(float16)", "probabilities": "tensor(float)"}},
            r"audio must be tensor\(float\), its graph has tensor\(float16\)",
        ),
        (
            {"types": {"audio": "tensor(float)", "probabilities": "tensor(double)"}},
            r"probabilities must be tensor\(float\), its graph has tensor\(double\)",
        ),
        ({"outputs": {"probabilities": ("batch", 4)}}, "its card names 2 labels"),
        ({"outputs": {"logits": ("batch", 2)}}, "its card names 2 labels"),
        ({"labels": ("violin", "piano")}, "its card says labels piano, violin, its graph says violin, piano"),
        ({"labels": ()}, "its card says labels piano, violin, its graph says "),
    ],
)
def test_a_graph_unlike_its_card_is_refused(facts: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message) as refused:
        check_graph(CARD, msgspec.structs.replace(FACTS, **facts))
    assert "\n" not in str(refused.value)


def test_a_card_without_calibration_is_read_as_one_that_has_none(folder: Path) -> None:
    path = folder / "card.json"
    card = msgspec.json.decode(path.read_bytes())
    del card["calibration"]
    path.write_bytes(msgspec.json.encode(card))
    assert read_card(folder).calibration == ()


def test_a_calibration_is_of_every_label(folder: Path) -> None:
    keep(folder, calibration=((0.5, -1.0), (2.0, 0.0)))
    assert read_card(folder).calibration == ((0.5, -1.0), (2.0, 0.0))
    keep(folder, calibration=((0.5, -1.0),))
    assert "2 labels but 1 calibrations" in complaint(folder)


def test_a_card_without_hysteresis_is_read_as_one_that_has_the_usual(folder: Path) -> None:
    path = folder / "card.json"
    card = msgspec.json.decode(path.read_bytes())
    del card["hysteresis"]
    path.write_bytes(msgspec.json.encode(card))
    assert read_card(folder).hysteresis == Hysteresis(release=0.8)


@pytest.mark.parametrize("entry", [-0.1, 1.0])
def test_an_entry_is_on_the_way_from_the_threshold_to_1(folder: Path, entry: float) -> None:
    keep(folder, hysteresis=Hysteresis(entry=entry))
    assert f"hysteresis.entry must be at least 0 and below 1, got {entry}" in complaint(folder)


@pytest.mark.parametrize("release", [0.0, 1.2])
def test_a_release_is_a_share_of_the_threshold(folder: Path, release: float) -> None:
    keep(folder, hysteresis=Hysteresis(release=release))
    assert f"hysteresis.release must be above 0 and at most 1, got {release}" in complaint(folder)
