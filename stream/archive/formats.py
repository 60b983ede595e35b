"""Annotations as other programs read them: spreadsheets, Audacity, Raven, JAMS, REAPER."""

import csv
import io
from collections.abc import Callable, Iterable
from typing import Final, Literal

from whoplays.stream.archive.annotation import Annotation
from whoplays.stream.common.terminal import printable

Format = Literal["csv", "audacity", "raven", "jams", "markers", "jsonl"]
SUFFIXES: Final[dict[Format, str]] = {
    "csv": ".csv",
    "audacity": ".txt",
    "raven": ".selections.txt",
    "jams": ".jams",
    "markers": ".markers.csv",
    "jsonl": ".jsonl",
}
"""Of the file of each format."""


def render(annotation: Annotation, form: Format) -> str:
    """The text of an annotation's file; of `jsonl`, which has the messages of the wire, there is none."""
    return _FORMATS[form](annotation)


def spans(annotation: Annotation) -> list[tuple[float, float, str, float | None]]:
    """Begin, end, what and probability of every event and gap, by their beginning."""
    events = [(each.start_s, each.end_s, each.label, each.probability) for each in annotation.events]
    gaps = [(each.start_s, each.end_s, f"not heard: {each.cause}", None) for each in annotation.gaps]
    return sorted([*events, *gaps], key=lambda span: span[:3])


def to_csv(header: Iterable[str], rows: Iterable[Iterable[object]], delimiter: str = ",") -> str:
    """A table as text."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def audacity_line(start_s: float, end_s: float, text: str) -> str:
    """A line of a label track."""
    return f"{start_s:.6f}\t{end_s:.6f}\t{printable(text)}\n"


def _csv(annotation: Annotation) -> str:
    header = ("start_s", "end_s", "label", "probability")
    return to_csv(header, (("" if cell is None else cell for cell in span) for span in spans(annotation)))


def _audacity(annotation: Annotation) -> str:
    return "".join(audacity_line(*span[:3]) for span in spans(annotation))


def _raven(annotation: Annotation) -> str:
    header = ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")
    rows = (
        (number, "Spectrogram 1", 1, each.start_s, each.end_s, 0, 15_000, each.label, each.probability)
        for number, each in enumerate(annotation.events, 1)
    )
    return to_csv((*header, "Label", "Score"), rows, "\t")


def _markers(annotation: Annotation) -> str:
    """Regions as REAPER imports them: number, name, begin and end in seconds."""
    rows = (
        (f"R{number}", what, start_s, end_s) for number, (start_s, end_s, what, _) in enumerate(spans(annotation), 1)
    )
    return to_csv(("#", "Name", "Start", "End"), rows)


_FORMATS: Final[dict[Format, Callable[[Annotation], str]]] = {
    "csv": _csv,
    "audacity": _audacity,
    "raven": _raven,
    "jams": Annotation.to_jams,
    "markers": _markers,
}
