"""Who plays when in one recording."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from whoplays.models.errors import OptionError, require_between

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]

    from whoplays.stream.pipeline.options import Sensitivity
    from whoplays.stream.pipeline.recognizer import Recognizer


class AnnotatedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument plays from one time to another, in seconds from the recording's beginning."""

    start_s: float
    end_s: float
    label: str
    probability: float
    """The highest in that time."""


class AnnotatedGap(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be heard."""

    start_s: float
    end_s: float
    cause: str


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """Who plays when in one recording."""

    path: str
    duration_s: float
    model: str
    """Name and version."""
    hop_s: float
    events: tuple[AnnotatedEvent, ...]
    """By their beginning."""
    gaps: tuple[AnnotatedGap, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """By label, in which share of the time it plays, from 0 to 1; the most of it first."""
        played: dict[str, float] = {}
        for event in self.events:
            played[event.label] = played.get(event.label, 0.0) + event.end_s - event.start_s
        ordered = sorted(played.items(), key=lambda each: -each[1])
        return {label: round(seconds / self.duration_s, 4) for label, seconds in ordered}

    def to_jams(self) -> str:
        """A JAMS file (Humphrey et al. 2014): one annotation of the namespace `tag_open`, as JSON."""
        observations = [
            {
                "time": each.start_s,
                "duration": each.end_s - each.start_s,
                "value": each.label,
                "confidence": each.probability,
            }
            for each in self.events
        ]
        metadata = {
            "annotation_tools": f"whoplays, {self.model}",
            "data_source": "program",
            "annotator": {},
            "corpus": "",
            "curator": {"name": "", "email": ""},
            "version": "",
            "annotation_rules": f"windows of 3 s, one every {self.hop_s:g} s",
            "validation": "",
        }
        document = {
            "annotations": [
                {
                    "namespace": "tag_open",
                    "data": observations,
                    "annotation_metadata": metadata,
                    "sandbox": {"gaps": msgspec.to_builtins(self.gaps)},
                    "time": 0.0,
                    "duration": self.duration_s,
                }
            ],
            "file_metadata": {
                "title": self.path.rpartition("/")[2],
                "artist": "",
                "release": "",
                "duration": self.duration_s,
                "identifiers": {},
                "jams_version": "0.3.5",
            },
            "sandbox": {},
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"

    def to_dataframe(self) -> "pd.DataFrame":
        """A row for each event.

        Raises:
            OptionError: pandas is not installed.
        """
        pandas = _import("pandas", "a data frame")
        rows = [msgspec.structs.asdict(event) for event in self.events]
        found: pd.DataFrame = pandas.DataFrame(rows, columns=AnnotatedEvent.__struct_fields__)
        return found

    def plot(self) -> Any:
        """A timeline with a row for each instrument, as a matplotlib figure.

        Raises:
            OptionError: matplotlib is not installed.
        """
        figure = _import("matplotlib.figure", "a plot").Figure(figsize=(10, 0.4 * len(self.shares) + 1.2))
        axes = figure.subplots()
        labels = list(self.shares)
        for event in self.events:
            axes.barh(labels.index(event.label), event.end_s - event.start_s, left=event.start_s, height=0.7)
        for gap in self.gaps:
            axes.axvspan(gap.start_s, gap.end_s, hatch="//", facecolor="none", edgecolor="grey")
        axes.set(yticks=range(len(labels)), yticklabels=labels, xlim=(0, self.duration_s), xlabel="s")
        figure.tight_layout()
        return figure


def label(
    path: str | Path,
    *,
    model: "str | Path | Recognizer" = "default",
    hop_s: float = 1.0,
    sensitivity: "Sensitivity" = "normal",
    min_probability: float = 0.0,
) -> Annotation:
    """Label a recording: who plays when in it.

    Args:
        path: an audio file.
        model: a name from the catalogue, a folder with an exported model, or a loaded recogniser.
        hop_s: seconds from the start of one window to the next, over 0 and up to 3.
        sensitivity: how many errors are accepted; `low`: fewer false ones, more missed; `high`: the other way round.
        min_probability: events that never came to it are left out.

    Raises:
        WhoplaysError: the recording, the model or an option is of no use; see its subclasses. So does one that is
            damaged, or shorter than it says.
    """
    # What runs a model comes with an extra; an annotation needs none.
    from whoplays.stream.archive.labelling import AnnotationBuilder, messages_of  # noqa: PLC0415
    from whoplays.stream.pipeline.recognizer import Recognizer  # noqa: PLC0415

    require_between("min_probability", min_probability, 0, 1)
    recognizer = model if isinstance(model, Recognizer) else Recognizer.load(model)
    builder = AnnotationBuilder(str(path), recognizer, hop_s)
    for message in messages_of(Path(path), recognizer, hop_s, sensitivity):
        builder.take(message)
    return builder.annotation(min_probability)


def _import(module: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise OptionError(f"{what} needs {module.partition('.')[0]}; install it with pip") from error
