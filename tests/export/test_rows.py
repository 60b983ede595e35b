"""Each recipe of the original project's table becomes a graph that answers as its network and runs in `stream/`."""

from pathlib import Path

import lightning
import msgspec
import numpy as np
import onnx
import pytest
import torch

from tests.export.conftest import Exported, export, made_windows, write_run
from whoplays.models.card import MAX_DIFFERENCE
from whoplays.models.labels import CORE
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.training import recipes
from whoplays.training.baselines.fit_forest import fit_forest
from whoplays.training.data.corpora import gather, open_share
from whoplays.training.data.library import Library
from whoplays.training.run import RunFolder, configure

pytestmark = pytest.mark.slow


def forest(folder: Path, recipe_name: str, corpus: Path, cache: Path) -> RunFolder:
    """A run of a few trees, grown on a few windows."""
    recipe = msgspec.structs.replace(recipes.find(recipe_name), trees=2, epoch_windows=16)
    run, splits = RunFolder(folder), gather([open_share(str(corpus))], recipe.seed)
    run.write_config(configure(recipe, (str(corpus),), splits))
    fit_forest(recipe, splits, Library(cache), run, threads=1)
    return run


@pytest.fixture(params=["forest-raw", "forest-mel", "duo-crnn", "transfer-rawcnn", "transfer-efficientat"])
def row(request: pytest.FixtureRequest, corpus: Path, cache: Path, tmp_path: Path) -> Exported:
    name, folder = str(request.param), tmp_path / str(request.param)
    lightning.seed_everything(1, verbose=False)
    run = forest(folder, name, corpus, cache) if name.startswith("forest") else write_run(folder, name, corpus)
    return export(run, cache, tmp_path / "models")


def test_a_row_runs_in_the_stream_as_it_was_trained(row: Exported) -> None:
    recognizer = Recognizer.load(row.folder, "cpu")
    windows = made_windows(3)
    with torch.inference_mode():
        wanted = row.tagger()(torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(recognizer.recognize(windows), wanted, atol=MAX_DIFFERENCE)
    np.testing.assert_allclose(recognizer.recognize(windows[:1]), wanted[:1], atol=MAX_DIFFERENCE)
    assert row.card.labels == CORE
    assert row.card.parity_max_abs < MAX_DIFFERENCE
    assert row.card.parameters > 0
    assert {entry.domain for entry in onnx.load(row.folder / "model.onnx").opset_import} <= {"", "ai.onnx"}
