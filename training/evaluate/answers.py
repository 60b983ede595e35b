"""What runs answer to exams on recordings they have not heard, kept on disk: a network is asked each question once."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library, keep_array, read_array
from whoplays.training.evaluate.exam import Question, set_exam
from whoplays.training.evaluate.of_run import of_runs, shared_recipe
from whoplays.training.evaluate.scores import Probabilities, Truths
from whoplays.training.evaluate.shares import divide
from whoplays.training.fit.checkpoints import load
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder

SEED: Final = 7
_BATCH: Final = 16
_UNFITTED: Final = 0.5


class Sheet(NamedTuple):
    """What one run answered; probabilities and truths have a row for each question."""

    run: str
    sources: frozenset[str]
    """Where the recordings it was asked about come from."""
    groups: frozenset[str]
    """Theirs."""
    probabilities: Probabilities
    truths: Truths
    asked: NDArray[np.bool_]
    """Which labels the exam is about, `[labels]`; the answers are for all."""
    kinds: NDArray[np.str_]
    """Which set of the exam the question is of."""
    blocks: NDArray[np.str_]
    """The groups of recordings that sound in it: questions of the same ones are no independent witnesses."""


def common_recipe(runs: list[RunFolder]) -> Recipe:
    """The recipe of runs that can be judged together.

    Raises:
        DataError: they are of several recipes, or name one label in every window.
    """
    recipe = shared_recipe(runs)
    if recipe.task == "single-label":
        raise DataError(f"{recipe.name} names its most probable label always: it has no thresholds to fit")
    return recipe


def held_out(runs: list[RunFolder], clips: list[Clip]) -> list[tuple[RunFolder, list[Clip]]]:
    """What each run may be asked about: what it has not heard, and no run before it may be asked about.

    Whatever was fitted to it before does not count: it is to be fitted anew.

    Raises:
        DataError: every recording was heard.
    """
    candidate = of_runs(runs, np.full(len(shared_recipe(runs).labels), _UNFITTED))
    run_of = dict(zip(candidate.judges, runs, strict=True))
    return [(run_of[share.judges[0]], share.clips) for share in divide([candidate], clips)]


def answer(run: RunFolder, clips: list[Clip], labels: tuple[str, ...], library: Library) -> Sheet:
    """A run's answers to an exam of these labels on these recordings; those it has given before are read.

    Args:
        labels: whose exam it is; the answers are for all labels of the run.

    Raises:
        DataError: the run has no checkpoint, or it is damaged, or its folder cannot keep the answers.
    """
    exam = set_exam(library, clips, labels, SEED)
    asked = [(name, question) for name, questions in exam.sets.items() for question in questions]
    own = run.config().recipe.labels
    return Sheet(
        run=run.name,
        sources=frozenset(clip.source for clip in clips),
        groups=frozenset(clip.group for clip in clips),
        probabilities=_kept(run, [question for _, question in asked], library),
        truths=np.array([[label in question.labels for label in own] for _, question in asked]),
        asked=np.array([label in labels for label in own]),
        kinds=np.array([name for name, _ in asked]),
        blocks=np.array([_block(question) for _, question in asked]),
    )


def _block(question: Question) -> str:
    return " + ".join(sorted({place.clip.group for place in question.places}))


def _kept(run: RunFolder, questions: list[Question], library: Library) -> Probabilities:
    """The answers to exactly these questions of exactly this network, from the file that holds them if there is one."""
    path = run.folder / "answers" / f"{_key(run.best_checkpoint(), questions)}.npy"
    kept: Probabilities | None = read_array(path)
    if kept is not None:
        return kept
    if not questions:
        raise DataError(f"nothing that {run.folder} has not heard can be asked about; give other recordings")
    found = np.concatenate(list(_asked(run, questions, library)))
    keep_array(path, found)
    return found


def _key(checkpoint: Path, questions: list[Question]) -> str:
    digest = hashlib.sha256(checkpoint.read_bytes())
    for question in questions:
        parts = [(str(place.clip.path), place.clip.path.stat().st_mtime_ns, place.start) for place in question.places]
        digest.update(f"{parts} {question.gains_db}".encode())
    return digest.hexdigest()[:32]


def _asked(run: RunFolder, questions: list[Question], library: Library) -> Iterator[Probabilities]:
    tagger = load(run.config().recipe, run.best_checkpoint())
    for start in range(0, len(questions), _BATCH):
        batch = questions[start : start + _BATCH]
        with torch.inference_mode():
            yield tagger(torch.from_numpy(np.stack([question.audio(library) for question in batch]))).numpy()
