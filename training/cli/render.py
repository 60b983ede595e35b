"""`whoplays render`."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.models.errors import OptionError
from whoplays.training.console import NOTES, check_at_least
from whoplays.training.render.orchestration import Orchestration, Soundfont
from whoplays.training.render.rendered_folder import RenderedFolder, RenderManifest
from whoplays.training.render.renderer import Renderer
from whoplays.training.render.sample_library import SampleLibrary, read_libraries
from whoplays.training.render.scores import read_scores
from whoplays.training.render.soundfont import check


def render(
    out: Path,
    /,
    *,
    scores: Annotated[list[Path], Parameter(negative=())],
    soundfont: Annotated[list[str] | None, Parameter(negative=())] = None,
    samples: Annotated[list[Path] | None, Parameter(negative=())] = None,
    only: Annotated[list[str] | None, Parameter(negative=())] = None,
    clips: int,
    seed: int = 0,
) -> None:
    """Play MIDI scores with many sound sources into a labelled folder; one that is there already is continued.

    Args:
        out: The labelled folder.
        scores: A folder of MIDI files.
        soundfont: A General MIDI soundfont and its licence, FILE.sf2=LICENCE.
        samples: A CSV that lists folders of single notes: name, folder, instrument, licence, pattern, octaves.
        only: An instrument to play, such as viola or drums; may be given several times. All of them unless given.
        clips: How many clips, of 6 to 8 s each.
        seed: All chance comes from it.
    """
    check_at_least("clips", clips, 1)
    check_at_least("seed", seed, 0)
    soundfonts = [_soundfont(text) for text in soundfont or ()]
    libraries = [library for path in samples or () for library in read_libraries(path)]
    orchestration = Orchestration(soundfonts, libraries, only or ())
    songs, skipped = read_scores(scores)
    for reason in skipped:
        NOTES.print(f"skipped: {reason}")
    chosen = tuple(sorted(set(only or ())))
    manifest = RenderManifest(
        seed=seed,
        sources=_sources(soundfonts, libraries),
        only=chosen,
        scores=hashlib.sha256(repr(songs).encode()).hexdigest()[:16],
    )
    folder = RenderedFolder(out, manifest)
    folder.refuse_fewer(clips)
    renderer = Renderer(orchestration, songs, folder, seed)
    begun = time.monotonic()
    written = 0
    for written in renderer.render(clips):
        NOTES.print(f"{written} of {clips} clips after {time.monotonic() - begun:.0f} s")
    if written < clips:
        NOTES.print(f"{clips - written} clips were silent and are left out")


def _soundfont(text: str) -> Soundfont:
    name, _, licence = text.partition("=")
    if not licence:
        raise OptionError(f"--soundfont {text} names no licence; give FILE.sf2=LICENCE")
    font = Soundfont(Path(name), licence)
    check(font.path)
    return font


def _sources(soundfonts: Sequence[Soundfont], libraries: Sequence[SampleLibrary]) -> tuple[str, ...]:
    return (
        *(f"{font.name} {font.path.stat().st_size} bytes" for font in soundfonts),
        *(f"{library.name} {library.instrument.name} {len(library.files())} notes" for library in libraries),
    )
