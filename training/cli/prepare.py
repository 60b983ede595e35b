"""`whoplays material`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.models.errors import OptionError
from whoplays.models.labels import NAMES
from whoplays.training.console import NOTES, counting
from whoplays.training.data.corpora import open_corpora
from whoplays.training.data.library import Library
from whoplays.training.data.reading import needed
from whoplays.training.options import refuse_less


def material(
    bank: Path,
    /,
    *,
    data: Annotated[list[Path] | None, Parameter(negative=())] = None,
    windows: int = 24_000,
    music: Path | None = None,
    rooms: Path | None = None,
    teachers: Path | None = None,
    seed: int = 20,
    workers: int = 1,
    cache: Path | None = None,
) -> None:
    """Prepare windows to train on; a bank that is there already is gone on with.

    Args:
        bank: The folder to keep them in.
        data: Corpora to play from; each counts alike. All of them: a run hears what its own --data lets it. Without
            any, all windows are of --music.
        windows: How many, rounded up to whole shards of 256.
        music: A folder of unlabelled recordings, for what the teachers make of them.
        rooms: A folder of impulse responses.
        teachers: A folder with yamnet.tflite, efficientat_mn04_as.pt, or both.
        seed: Another seed gives other windows.
        workers: Processes to work in.
        cache: Where decoded audio is kept.
    """
    from whoplays.training.windows.build import Material, fill  # noqa: PLC0415  torch takes seconds to load; a mistake should not

    refuse_less("windows", windows, 1)
    refuse_less("workers", workers, 1)
    refuse_less("seed", seed, 0)
    if not data and not music:
        raise OptionError("say with --data which corpora to play from, or with --music which recordings")
    if not data and not teachers:
        raise OptionError("nobody knows what plays in --music but teachers: name their folder with --teachers")
    if not data and rooms:
        raise OptionError("--rooms are what recordings of --data are played in; leave it out without them")
    library = Library(cache)
    corpora = tuple(
        tuple(needed(corpus.clips(), library, "to play from", [str(folder)]))
        for folder, corpus in zip(data or (), open_corpora(data or []), strict=True)
    )
    made = Material(corpora, tuple(NAMES), cache, music, rooms, teachers, seed)
    fill(bank, made, windows, workers, counting("windows made"))
    given = " ".join(f"--data {folder}" for folder in data) if data else "--data DIR --bank OTHER"
    beside = "" if data else ", OTHER being one of corpora"
    told = f"whoplays train band-melcnn {given} --bank {bank} --out runs/mine{beside}"
    NOTES.print(f"{bank} holds {windows} windows or more; train on it with: {told}")
