"""An exported model as a judge: its graph under onnxruntime, on the CPU, as listeners run it."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from whoplays.models import catalogue
from whoplays.models.card import ModelCard
from whoplays.models.errors import ModelError
from whoplays.training.data.clip import Clip
from whoplays.training.data.mixing import Windows
from whoplays.training.evaluate.candidates import Candidate
from whoplays.training.evaluate.scores import Probabilities

_SILENT = 4


class ModelJudge:
    """A model of the catalogue or of a folder; of what it has heard, its card names the sources."""

    def __init__(self, graph: Path, card: ModelCard, threads: int) -> None:
        self._graph, self._card, self._threads = graph, card, threads
        self._heard = {corpus.name for corpus in card.corpora}

    @property
    def name(self) -> str:
        """The model's name."""
        return self._card.name

    def has_heard(self, clip: Clip) -> bool:
        """By its source: a card tells no more."""
        return clip.source in self._heard

    def probabilities(self, windows: Windows) -> Probabilities:
        """Probabilities `[n, labels]` of windows `[n, 2, 132300]`.

        Raises:
            ModelError: onnxruntime refuses the graph, or fails on it.
        """
        try:
            return np.asarray(self._session.run(["probabilities"], {"audio": windows})[0], np.float32)
        except Exception as error:  # onnxruntime's own exceptions share no other base
            reason = " ".join(str(error).split())
            raise ModelError(f"onnxruntime cannot run {self._graph}: {reason}") from error

    @cached_property
    def _session(self) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = _SILENT
        return onnxruntime.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])


def of_model(name_or_path: str, threads: int = 1) -> Candidate:
    """A model as a candidate, with the thresholds of its card.

    Raises:
        ModelError: there is no such model, or its card and graph disagree.
    """
    graph, card = catalogue.find(name_or_path)
    return Candidate(card.labels, card.task, (ModelJudge(graph, card, threads),), np.array(card.thresholds))
