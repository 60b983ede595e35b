from pathlib import Path

import numpy as np
import pytest

from tests.training.data.tiny_corpus import write_sound
from tests.training.evaluate.made_models import Constant, constant
from whoplays.models.labels import IRMAS, NAMES
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.training.data.clip import Clip
from whoplays.training.data.corpora import open_corpus
from whoplays.training.data.library import Library
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.excerpts import predict_excerpts
from whoplays.training.evaluate.predictors import Model

LABELS = tuple(NAMES)
SECONDS = {"one-1": 7.0, "one-2": 2.0, "two-1": 3.0, "three-1": 4.5}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "cache")


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Excerpts of three songs; a guitar plays in all, and a voice in the first song."""
    part = tmp_path / "IRMAS-TestingData-Part1"
    for name, seconds in SECONDS.items():
        write_sound(part / f"{name}.wav", 0.1 * np.ones(int(seconds * SAMPLE_RATE_HZ)))
        (part / f"{name}.txt").write_text("gac\nvoi" if name.startswith("one") else "gac")
    return open_corpus(part).clips()


class Rising(Constant):
    """Each window of an excerpt is given a logit 1 larger than the one before, from 0 on."""

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        self.given.append(windows)
        shares = 1 / (1 + np.exp(-np.arange(len(windows), dtype=np.float32)))
        return np.tile(shares[:, None], (1, len(LABELS)))


def test_an_excerpt_is_predicted_by_the_mean_of_its_windows_logits(clips: list[Clip], library: Library) -> None:
    predictor = Rising("rising", [])
    (found,) = predict_excerpts(
        [(Model(LABELS, "multi-label", (predictor,), np.full(len(LABELS), 0.5)), predictor)], clips, library
    )
    windows = {clip.path.stem: len(given) for clip, given in zip(clips, predictor.given, strict=True)}
    # Every 1.5 s: of 7 s from 0, 1.5, 3 and, to its end, 4 s; of 4.5 s from 0 and 1.5 s.
    assert windows == {"one-1": 4, "one-2": 1, "two-1": 1, "three-1": 2}
    logits = np.log(found.probabilities[:, 0] / (1 - found.probabilities[:, 0]))
    assert logits == pytest.approx([(windows[clip.path.stem] - 1) / 2 for clip in clips], abs=1e-4)
    assert all(given.shape[1:] == (2, WINDOW_SAMPLES) for given in predictor.given)


def test_the_figures_are_those_worked_out_by_hand(clips: list[Clip], library: Library) -> None:
    """Guitar and voice named everywhere: 4 + 2 hits, 2 false alarms. F1: guitar 1, voice 2/3; micro 12/14."""
    shares = [0.9 if label in {"acoustic guitar", "voice"} else 0.1 for label in LABELS]
    predictor = Constant("made", shares)
    report = evaluate([Model(LABELS, "multi-label", (predictor,), np.full(len(LABELS), 0.5))], clips, library, "part 1")
    found = report.excerpts
    assert found is not None
    assert (found.excerpts, found.tuned_micro_f1) == (4, None)
    assert found.micro_f1 == pytest.approx(12 / 14)
    assert found.macro_f1 == pytest.approx((1 + 2 / 3) / 2)
    assert found.f1 == pytest.approx({"acoustic guitar": 1, "voice": 2 / 3})
    assert set(found.intervals) == {"micro_f1", "macro_f1"}


def test_the_protocol_asks_for_the_labels_of_irmas(clips: list[Clip], library: Library) -> None:
    """A model that knows these takes part, and what others know besides counts for nobody."""
    every, eleven = constant("all", share=0.9), constant("eleven", tuple(IRMAS.values()), share=0.9)
    report = evaluate([every, eleven], clips, library, "part 1", halve=True)
    assert report.excerpts is not None
    assert report.against[0].excerpts is not None
    assert report.excerpts.micro_f1 == report.against[0].excerpts.micro_f1


def test_a_model_of_four_labels_is_left_out_of_the_protocol(clips: list[Clip], library: Library) -> None:
    core = constant("core", ("acoustic guitar", "piano", "trumpet", "violin"))
    report = evaluate([constant("all"), core], clips, library, "part 1", halve=True)
    assert report.excerpts is not None
    assert report.excerpts.tuned_micro_f1 is not None
    assert report.against[0].excerpts is None


def test_other_recordings_are_no_excerpts(tmp_path: Path, library: Library) -> None:
    write_sound(tmp_path / "a.wav", 0.1 * np.ones(5 * SAMPLE_RATE_HZ))
    (tmp_path / "index.csv").write_text("path,labels,group\na.wav,gac,a\n")
    assert evaluate([constant("all")], open_corpus(tmp_path).clips(), library, "own").excerpts is None
