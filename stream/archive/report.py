"""A page of a concert: one HTML file with a timeline, totals and gaps; it loads nothing."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, NamedTuple

ROW_PX: Final = 22
LEFT_PX: Final = 150
WIDTH_PX: Final = 1000
_STYLE: Final = """
:root { color-scheme: light dark; --plays: light-dark(#1a7f4b, #4fc98a); --gap: light-dark(#a33a00, #ffab70);
  --line: light-dark(#d9dad6, #34383d); }
body { font: 1rem/1.45 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem; }
svg { width: 100%; height: auto; } text { fill: currentColor; font-size: 13px; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .15rem 1rem .15rem 0; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.plays { fill: var(--plays); } .gap { fill: url(#hatch); } .line { stroke: var(--line); }
"""


class ReportSpan(NamedTuple):
    """From when to when something was so, in seconds from the part's beginning."""

    start_s: float
    end_s: float
    name: str
    """The instrument, or the gap's cause."""
    gap: bool = False


class ReportPart(NamedTuple):
    """A stream's concert, or a recording."""

    title: str
    begins: str
    """When it began, if that is known."""
    duration_s: float
    spans: Sequence[ReportSpan]


def make_report(title: str, parts: Iterable[ReportPart]) -> str:
    """The page of one or more concerts or recordings, as HTML."""
    body = "\n".join(map(_part, parts)) or "<p>Nothing was heard.</p>"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _part(part: ReportPart) -> str:
    if not part.duration_s:
        return f"<section>\n<h2>{escape(part.title)}</h2>\n<p>{escape(part.begins)}</p>\n</section>"
    played: dict[str, float] = {}
    for span in part.spans:
        if not span.gap:
            played[span.name] = played.get(span.name, 0.0) + span.end_s - span.start_s
    labels = sorted(played, key=lambda label: -played[label])
    gaps = [span for span in part.spans if span.gap]
    begins = f"{escape(part.begins)}, " if part.begins else ""
    return "\n".join(
        (
            f"<section>\n<h2>{escape(part.title)}</h2>\n<p>{begins}{_duration(part.duration_s)}</p>",
            _timeline(part, labels),
            _totals(labels, played, part.duration_s),
            _gaps(gaps),
            "</section>",
        )
    )


def _timeline(part: ReportPart, labels: list[str]) -> str:
    height, scale = ROW_PX * max(1, len(labels)), (WIDTH_PX - LEFT_PX) / max(part.duration_s, 1e-9)
    marks = [
        f'<text x="0" y="{row * ROW_PX + 15}">{escape(label)}</text>'
        f'<line class="line" x1="{LEFT_PX}" x2="{WIDTH_PX}" y1="{(row + 1) * ROW_PX}" y2="{(row + 1) * ROW_PX}"/>'
        for row, label in enumerate(labels)
    ]
    for span in part.spans:
        top, tall = (0, height) if span.gap else (labels.index(span.name) * ROW_PX + 4, ROW_PX - 8)
        x, wide = LEFT_PX + span.start_s * scale, max(1.0, (span.end_s - span.start_s) * scale)
        told = f"{escape(span.name)}: {_duration(span.start_s)} to {_duration(span.end_s)}"
        marks.append(
            f'<rect class="{"gap" if span.gap else "plays"}" x="{x:.1f}" y="{top}" width="{wide:.1f}" height="{tall}">'
            f"<title>{told}</title></rect>"
        )
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        at = LEFT_PX + share * (WIDTH_PX - LEFT_PX)
        text = _duration(share * part.duration_s)
        marks.append(f'<text x="{at:.0f}" y="{height + 16}" text-anchor="{anchor}">{text}</text>')
    hatch = (
        '<defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse">'
        '<path d="M0 8 8 0" stroke="var(--gap)"/></pattern></defs>'
    )
    summary = f"{escape(part.title)}: {escape(', '.join(labels)) or 'nobody plays'}"
    return (
        f'<svg viewBox="0 0 {WIDTH_PX} {height + 22}" role="img" aria-label="{summary}">{hatch}'
        + "".join(marks)
        + "</svg>"
    )


def _totals(labels: list[str], played: dict[str, float], duration_s: float) -> str:
    rows = "".join(
        f'<tr><td>{escape(label)}</td><td class="number">{_duration(played[label])}</td>'
        f'<td class="number">{played[label] / max(duration_s, 1e-9):.0%}</td></tr>'
        for label in labels
    )
    return (
        f"<table><tr><th>plays</th><th>for</th><th>share</th></tr>{rows}</table>" if rows else "<p>Nobody played.</p>"
    )


def _gaps(gaps: list[ReportSpan]) -> str:
    rows = "".join(
        f'<tr><td>{escape(span.name)}</td><td class="number">{_duration(span.start_s)}</td>'
        f'<td class="number">{_duration(span.end_s)}</td></tr>'
        for span in gaps
    )
    return f"<table><tr><th>not heard</th><th>from</th><th>to</th></tr>{rows}</table>" if rows else ""


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> _duration(3725)
    '1:02:05'
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
