"""The rendered folder: audio, `index.csv` as `training/data/labelled_folder.py` reads it, and `manifest.json`."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray

from whoplays.models.errors import DataError, OptionError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.files import atomic_write, write_json
from whoplays.training.render.orchestration import ClipPlan

_COLUMNS: Final = ("path", "labels", "corpus", "source", "group", "kind", "licence", "seconds", "instrument")


class RenderManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder is rendered from; one folder is never rendered from two."""

    seed: int
    sources: tuple[str, ...]
    """Each source's name, and what distinguishes it from another of that name."""
    only: tuple[str, ...] = ()
    """Which instruments play; all of them if empty."""
    scores: str
    """A digest of the scores."""
    generation: int = 3
    """Counts changes of this package after which the same seed sounds otherwise."""


class RenderedFolder:
    """A folder that is being rendered.

    Args:
        folder: Made if it is not there.
        manifest: What it is rendered from.

    Raises:
        OptionError: it holds clips from something else, or lists recordings that were not rendered.
        DataError: it cannot be written.
    """

    def __init__(self, folder: Path, manifest: RenderManifest) -> None:
        self._folder = folder
        path = folder / "manifest.json"
        try:
            begun = msgspec.json.decode(path.read_bytes(), type=RenderManifest) if path.exists() else None
        except (OSError, msgspec.DecodeError) as error:
            raise DataError(f"{folder} cannot be rendered into: {error}") from error
        if begun is None:
            _refuse_others(folder / "index.csv")
        elif begun != manifest and self._numbers():
            raise OptionError(
                f"{folder} was begun with other instruments, sources, scores or seed, or by an older version ({path}); "
                "choose another folder"
            )
        # One of which nothing came, as where a source could not be played, stands in nobody's way.
        if begun != manifest:
            write_json(path, manifest)

    def refuse_fewer(self, clips: int) -> None:
        """See that no clip that is there would be left out of the index.

        Raises:
            OptionError: one would.
        """
        there = max(self._numbers(), default=-1) + 1
        if clips < there:
            raise OptionError(f"{self._folder} holds {there} clips already; ask with --clips for as many or more")

    def _numbers(self) -> list[int]:
        """Of the clips that are there."""
        return [int(path.stem) for path in self._folder.glob("*/*.flac") if path.stem.isdecimal()]

    def has(self, plan: ClipPlan) -> bool:
        """Whether the clip is there."""
        return (self._folder / plan.path).is_file()

    def write(self, plan: ClipPlan, audio: NDArray[np.float32]) -> None:
        """Write a clip, `float32 [samples]`, whole or not at all.

        Raises:
            DataError: the file cannot be written.
        """
        with atomic_write(self._folder / plan.path) as unfinished:
            soundfile.write(unfinished, audio, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")

    def write_index(self, plans: Iterable[ClipPlan]) -> int:
        """List those of the clips that are there, and say how many.

        Raises:
            DataError: the index cannot be written.
        """
        rows = [_row(plan) for plan in plans if self.has(plan)]
        with (
            atomic_write(self._folder / "index.csv") as unfinished,
            unfinished.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            writer.writerows(rows)
        return len(rows)


def _refuse_others(index: Path) -> None:
    """What somebody wrote by hand is not written over."""
    if index.exists():
        raise OptionError(f"{index} was not made by whoplays render, and would be lost; choose another folder")


def _row(plan: ClipPlan) -> tuple[str, ...]:
    voice = plan.voice
    return (
        plan.path,
        voice.instrument.label,
        "rendered",
        voice.source.name,
        voice.group,
        voice.instrument.kind,
        voice.source.licence,
        f"{plan.seconds:.3f}",
        voice.instrument.name,
    )
