"""A model that ships is trained on with recordings of one's own: old labels stay, new ones come, and it is compared."""

from pathlib import Path

import pytest
from safetensors import safe_open

import whoplays
from tests.export.conftest import Exported
from tests.training.data.tiny_corpus import write_index
from whoplays.models.card import Corpus
from whoplays.models.labels import NAMES
from whoplays.training.evaluate.store import read_calibration
from whoplays.training.run import RunFolder
from whoplays.training.windows import soundscapes

pytestmark = pytest.mark.slow


def test_a_model_is_fine_tuned(
    band: Exported,
    corpus: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(soundscapes, "SHARD_WINDOWS", 8)
    names = [("piano0.wav", "piano"), ("trumpet0.wav", "theremin"), ("violin0.wav", "violin")]
    copies = [(name, label, f"{label}-{k}", f"player {k}", "CC0") for name, label in names for k in range(4)]
    mine = tmp_path / "mine"
    mine.mkdir()
    for name, _, group, *_ in copies:
        (mine / f"{group}.wav").symlink_to(corpus / name)
    write_index(mine, [(f"{group}.wav", label, group, *rest) for _, label, group, *rest in copies])
    given = ["--base", str(band.folder), "--data", str(mine), "--cache", str(cache), "--out", str(tmp_path / "run")]
    whoplays.main(["train", *given, "--epochs=1", "--epoch-windows=32", "--prepared-windows=8"])
    said = capfd.readouterr().out
    assert "theremin (new)" in said
    assert "exactly right before" in said
    run = RunFolder(tmp_path / "run")
    config = run.config()
    assert (config.recipe.name, config.base) == ("fine-tune", band.card.name)
    assert config.recipe.labels == (*NAMES, "theremin")
    assert config.base_corpora == band.card.corpora == (Corpus(name="player 0", licence="CC0-1.0"),)
    inherited = read_calibration(run)
    assert inherited is not None
    assert inherited.thresholds == (*band.card.thresholds, 0.5)


def test_weights_stand_beside_the_graph(band: Exported) -> None:
    with safe_open(band.folder / "weights.safetensors", "pt") as kept:
        assert set(kept.keys()) == set(band.tagger().network.state_dict())
        assert kept.metadata()["network"] == "frame-tagger"
