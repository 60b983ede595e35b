"""The part of EfficientAT that is ours: what it is given, and what is made of its logits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.models.labels import KNOWN, NAMES
from whoplays.training.evaluate.registry import Entries, Peer, find_models, find_peer
from whoplays.training.networks.efficientat import CLASS_INDICES, EfficientATNetwork
from whoplays.training.taggers import efficientat as module


class Tape:
    """Keeps the windows that the network is given, and lets only one class sound in each."""

    def __init__(self, places: list[int]) -> None:
        self._places = places
        self.given: NDArray[np.float32] = np.zeros((0, 0), np.float32)

    def logits(self, _network: object, _log_mel: object, mono: NDArray[np.float32]) -> NDArray[np.float32]:
        self.given = mono
        logits = np.full((len(mono), 527), -4, np.float32)
        logits[np.arange(len(mono)), self._places] = 4
        return logits


def test_a_label_scores_as_the_most_probable_of_its_classes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Places as AudioSet numbers them; 140 is its plain Guitar, 0 its Speech, which stand for nothing."""
    places = {
        153: "piano",
        187: "trumpet",
        191: "violin",
        143: "acoustic guitar",
        141: "electric guitar",
        193: "cello",
        196: "flute",
        197: "saxophone",
        198: "clarinet",
    }
    places |= dict.fromkeys((155, 156, 157), "organ") | dict.fromkeys((27, 28, 30, 34, 254, 255), "voice")
    places |= {0: "", 140: ""}
    tape = Tape(list(places))
    monkeypatch.setattr(module, "read_weights", lambda _: EfficientATNetwork())
    monkeypatch.setattr(module, "logits", tape.logits)
    tagger = module.efficientat(tmp_path)
    windows = np.zeros((len(places), 2, 132_300), np.float32)
    windows[:, 1] = 0.5
    found = tagger.probabilities(windows)
    assert found.shape == (len(places), len(NAMES))
    assert found.dtype == np.float32
    np.testing.assert_allclose(tape.given, 0.25)
    loud = 1 / (1 + np.exp(-4))
    for row, label in zip(found, places.values(), strict=True):
        expected = [loud if code == label else 1 - loud for code in NAMES]
        np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_every_class_has_a_place_of_its_own() -> None:
    named = [name for known in KNOWN for name in known.audioset]
    assert set(CLASS_INDICES) == set(named)
    assert len(set(CLASS_INDICES.values())) == len(CLASS_INDICES)


def test_it_is_found_by_name_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"no weights")
    peer = find_peer(f"efficientat-mn04={path}")
    assert peer == Peer("efficientat-mn04", path)
    entries = Entries(("default",), (), (peer,))
    monkeypatch.setattr(module, "read_weights", lambda _: EfficientATNetwork())
    assert [one.predictors[0].name for one in find_models(entries, None, "real", [], 1)][1:] == ["efficientat-mn04"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"no weights",
        b"\x80\x02.",
        [1.0],
        torch.zeros(2),
        {1: torch.zeros(2)},
        {"w": torch.zeros(2)},
    ],
    ids=["nothing", "text", "other text", "half a pickle", "a list", "a tensor", "numbers", "another network"],
)
def test_what_is_not_efficientat_is_refused(content: object, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(DataError, match=r"weights.pt does not hold the weights of EfficientAT mn04: \S"):
        module.efficientat(path)
