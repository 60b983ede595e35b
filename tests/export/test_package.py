"""From a run to a model: what is written is one graph that computes the same, and a card that tells the truth."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.export.conftest import Exported, made_windows, write_run
from tests.training.data.tiny_corpus import write_index
from whoplays.export import package as module
from whoplays.export.graph import OPSET, prove
from whoplays.models.card import MAX_DIFFERENCE, Corpus, read_card
from whoplays.models.errors import DataError, ModelError, SourceError
from whoplays.models.labels import CORE, NAMES
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.training import recipes
from whoplays.training.data.corpora import open_corpus
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.recipes import EFFICIENTAT
from whoplays.training.run import configure

pytestmark = pytest.mark.slow


@pytest.fixture(params=["band", "solo"])
def exported(request: pytest.FixtureRequest) -> Exported:
    """Each kind of network."""
    made: Exported = request.getfixturevalue(request.param)
    return made


def test_a_model_is_one_graph_and_one_card(exported: Exported) -> None:
    assert sorted(path.name for path in exported.folder.iterdir()) == ["card.json", "model.onnx", "weights.safetensors"]
    graph = onnx.load(exported.folder / "model.onnx", load_external_data=False)
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in graph.graph.initializer)
    assert [(entry.domain, entry.version) for entry in graph.opset_import if not entry.domain] == [("", OPSET)]
    assert {entry.key: entry.value for entry in graph.metadata_props} == {"labels": json.dumps(exported.card.labels)}


def test_the_card_is_of_the_run(exported: Exported) -> None:
    card = read_card(exported.folder)
    assert (card.name, card.version, card.opset) == (exported.folder.name, "1.2.3", OPSET)
    assert card.parity_max_abs < MAX_DIFFERENCE
    assert card.corpora == (Corpus(name="player 0", licence="CC0-1.0"),)


def test_the_card_names_what_chose_the_checkpoint(tmp_path: Path) -> None:
    """Otherwise the model would be evaluated on recordings that it was chosen by."""
    write_index(tmp_path / "two", [("a.wav", "piano", "a", "anna", "CC0"), ("b.wav", "piano", "b", "ben", "CC0")])
    anna, ben = open_corpus(tmp_path / "two").clips()
    recipe = recipes.find("solo-rawcnn")
    config = configure(recipe, (str(tmp_path / "two"),), Splits([anna], [ben], []))
    assert module._corpora(config) == (Corpus(name="anna", licence="CC0"), Corpus(name="ben", licence="CC0"))


def test_the_card_of_what_learnt_from_a_tagger_names_what_it_heard_and_the_tagger(tmp_path: Path) -> None:
    """A head for pairs hears soloists only."""
    recipe = recipes.find("transfer-efficientat")
    write_index(tmp_path / "two", [("a.wav", "piano", "a", "anna", "CC0"), ("b.wav", "", "b", "rain", "CC0")])
    clips = open_corpus(tmp_path / "two").clips()
    config = configure(recipe, (str(tmp_path / "two"),), Splits(clips, [], []), EFFICIENTAT)
    anna, tagger = module._corpora(config)
    assert anna == Corpus(name="anna", licence="CC0")
    assert tagger.name == "AudioSet (by efficientat-mn04)"
    assert tagger.licence.startswith("weights: MIT")


def test_each_network_keeps_its_labels_and_task(band: Exported, solo: Exported) -> None:
    assert (band.card.labels, band.card.task) == (tuple(NAMES), "multi-label")
    assert (solo.card.labels, solo.card.task) == (CORE, "single-label")
    assert solo.card.macs == pytest.approx(3.7e9, rel=0.02)
    assert band.card.macs == pytest.approx(9.12e7, rel=0.02)


def test_the_graph_tells_nothing_of_the_machine_it_was_made_on(exported: Exported) -> None:
    graph = (exported.folder / "model.onnx").read_bytes()
    for trace in (b"/home/", b"/work/", b"/tmp/", b"site-packages", b".py", b'File "', b"stack_trace"):
        assert trace not in graph


def test_the_model_answers_as_the_network_does(exported: Exported) -> None:
    recognizer = Recognizer.load(exported.folder, "cpu")
    windows = made_windows(3)
    with torch.inference_mode():
        wanted = exported.tagger()(torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(recognizer.recognize(windows), wanted, atol=MAX_DIFFERENCE)
    np.testing.assert_allclose(recognizer.recognize(windows[:1]), wanted[:1], atol=MAX_DIFFERENCE)
    assert wanted.std() > 0


@pytest.mark.parametrize("shape", [(1, 1, 132_300), (1, 2, 132_299), (2, 132_300)])
def test_another_shape_is_refused(band: Exported, shape: tuple[int, ...]) -> None:
    audio = np.zeros(shape, np.float32)
    with pytest.raises(SourceError, match="windows must be"):
        Recognizer.load(band.folder, "cpu").recognize(audio)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(band.folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        session.run(None, {"audio": audio})


def test_a_graph_of_other_weights_is_refused(band: Exported, tmp_path: Path) -> None:
    graph = onnx.load(band.folder / "model.onnx")
    bias = next(tensor for tensor in graph.graph.initializer if list(tensor.dims) == [len(NAMES)])
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(0.01), bias.name))
    onnx.save(graph, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"differ from the network by less than 0\.0001, got 2\.\de-03"):
        prove(band.tagger(), tmp_path / "model.onnx", made_windows(2))


def test_nothing_is_written_that_is_not_proven(
    band: Exported, corpus: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The graph of another run, in place of its own, does not compute the same."""
    monkeypatch.setattr(module, "write_graph", lambda _, path, _biases: shutil.copy(band.folder / "model.onnx", path))
    other = write_run(tmp_path / "other", "band-mobilenet", corpus, seed=2)
    with pytest.raises(ModelError, match="the graph must differ from the network by less"):
        module.package(other, "model", "1.2.3", tmp_path / "model", Library(cache))
    assert not (tmp_path / "model").exists()


def test_parity_needs_recordings(band: Exported, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "write_graph", lambda _, path, _biases: shutil.copy(band.folder / "model.onnx", path))
    gone = write_index(tmp_path / "gone", [("missing.wav", "piano", "g", "s", "CC0")])
    run = write_run(tmp_path / "run", "band-mobilenet", gone)
    with pytest.raises(DataError, match=r"no recording in .* can be read; parity is proven on real windows"):
        module.package(run, "model", "1.2.3", tmp_path / "model", Library(cache))


def test_figures_and_thresholds_are_taken_over(band: Exported, solo: Exported) -> None:
    """The headline is of pairs of the core labels, on the recordings from the most sources."""
    headline = band.card.measurements[0]
    assert (headline.metric, headline.value, headline.windows) == ("exact match", 0.8, 10)
    assert headline.data.startswith("pairs of real, four core labels, 3 sources, ")
    assert band.card.thresholds == (0.25,) * len(NAMES)
    assert {figure.value for figure in band.card.measurements} == {0.8, 0.5}
    assert (solo.card.measurements, solo.card.thresholds) == ((), (0.5,) * 4)
