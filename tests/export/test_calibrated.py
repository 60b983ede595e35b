"""A calibrated run: the graph says calibrated probabilities, and the card says so."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

import whoplays
from tests.export.conftest import Exported, export, judged, made_windows, write_run
from whoplays.export import package
from whoplays.models.card import MAX_DIFFERENCE, Hysteresis
from whoplays.models.errors import DataError
from whoplays.models.labels import NAMES
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.training import recipes
from whoplays.training.data.splits import Splits
from whoplays.training.evaluate.calibration import apply
from whoplays.training.evaluate.results import CalibratedReport, CalibratedSetResult, CalibrationRecord
from whoplays.training.evaluate.store import keep_calibration, keep_report
from whoplays.training.fit.tagger import Tagger
from whoplays.training.run import RunFolder, configure

pytestmark = pytest.mark.slow

SCALES = tuple(np.linspace(0.5, 2, len(NAMES)).round(3).tolist())
BIASES = tuple(np.linspace(-1, 1, len(NAMES)).round(3).tolist())


@pytest.fixture(scope="module")
def made(corpus: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A run that was judged on two kinds of recordings, and calibrated on one of them."""
    run = write_run(tmp_path_factory.mktemp("runs") / "band", "band-mobilenet", corpus)
    keep_report(judged("real", 0.8, sources=3), run.folder / "metrics.json")
    keep_report(judged("test split", 0.5, sources=2), run.folder / "metrics.json")
    keep_calibration(run, fitted(0.9))
    return export(run, cache, tmp_path_factory.mktemp("models"))


def fitted(share: float) -> CalibrationRecord:
    """A calibration whose every figure is the same share."""
    earlier = judged("real", share, sources=3)
    results = [CalibratedSetResult(set=each.set, scope=each.scope, scores=each.scores) for each in earlier.results]
    report = CalibratedReport(data="real", runs=("band",), sources=3, labels=tuple(NAMES), results=tuple(results))
    return CalibrationRecord(
        recipe="band-mobilenet",
        labels=tuple(NAMES),
        method="platt",
        rule="f-measure",
        data="real",
        runs=("band",),
        scales=SCALES,
        biases=BIASES,
        thresholds=(0.4,) * len(NAMES),
        reports=(report,),
    )


def test_the_graph_says_calibrated_probabilities(made: Exported) -> None:
    windows = made_windows(3)
    with torch.inference_mode():
        plain = made.tagger()(torch.from_numpy(windows)).numpy()
    told = Recognizer.load(made.folder, "cpu").recognize(windows)
    np.testing.assert_allclose(told, apply(fitted(0.9).calibration, plain), atol=MAX_DIFFERENCE)
    assert np.abs(told - plain).max() > 0.05


def test_the_card_carries_calibration_and_thresholds(made: Exported, band: Exported) -> None:
    assert made.card.calibration == tuple(zip(SCALES, BIASES, strict=True))
    assert made.card.thresholds == (0.4,) * len(NAMES)
    assert band.card.calibration == ()
    assert made.card.parameters == band.card.parameters


def test_figures_are_those_of_what_was_calibrated(made: Exported) -> None:
    """Of what was judged without it, only what a calibration does not change is still told."""
    told = {(figure.metric, figure.data.split(",")[0]): figure.value for figure in made.card.measurements}
    assert made.card.measurements[0].metric == "exact match"
    assert told["exact match", "pairs of real"] == told["top-1", "solos of real"] == 0.9
    assert told["mAP", "pairs of real"] == 0.9
    assert told["mAP", "pairs of test split"] == 0.5
    assert ("exact match", "pairs of test split") not in told


def test_the_hysteresis_is_the_one_that_was_measured(tmp_path: Path) -> None:
    """Of the file that `whoplays bench events` wrote."""
    run, recipe = RunFolder(tmp_path), recipes.find("duo-crnn")
    config, tagger = configure(recipe, (), Splits([], [], [])), Tagger(recipe)
    assert package._event_settings(run, config, tagger).hysteresis == Hysteresis()
    (tmp_path / "events.json").write_text('{"concerts": 2, "settings": {"hysteresis": {"release": 0.5}}, "rows": []}')
    assert package._event_settings(run, config, tagger).hysteresis == Hysteresis(release=0.5)
    (tmp_path / "events.json").write_text('{"release": 0.5}')
    with pytest.raises(DataError, match=r"events\.json holds no results of events"):
        package._event_settings(run, config, tagger)


def test_a_calibration_that_is_damaged_is_one_line(
    made: Exported, cache: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = made.run.folder / "calibration.json"
    before = path.read_bytes()
    broken = json.loads(before) | {"scales": [0.0] * len(NAMES)}
    path.write_bytes(msgspec.json.encode(broken))
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["export", str(made.run.folder), "--name=m", f"--out={tmp_path}", f"--cache={cache}"])
    path.write_bytes(before)
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    assert "calibrate again" in line
    assert not (tmp_path / "m").exists()
