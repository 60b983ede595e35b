"""`whoplays models`: the models that ship."""

from collections import defaultdict
from collections.abc import Iterator

import rich.table
from rich.console import Console, Group, RenderableType
from rich.text import Text

from whoplays.models import catalogue
from whoplays.models.card import Corpus, Measurement, ModelCard
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.models.tables import Table


def models(name: str | None = None, /) -> None:
    """List the models that ship: labels, size, and how accurate each is on which data.

    Args:
        name: One model, to show with all measurements, thresholds and training data.
    """
    console = Console(markup=False, highlight=False)
    cards = [catalogue.find(one)[1] for one in ([name] if name else catalogue.names())]
    parts = _everything(cards[0], console.width) if name else map(_summary, cards)
    for part in parts:
        console.print(part, "")


def _summary(card: ModelCard) -> Group:
    default = " (default)" if card.name == catalogue.DEFAULT else ""
    facts = rich.table.Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("  labels", ", ".join(card.labels))
    facts.add_row("  task", card.task)
    facts.add_row("  size", f"{card.parameters / 1e6:.2f} M parameters, {card.macs / 1e6:.0f} MMAC a window")
    facts.add_row("  measured", _headline(card.measurements))
    return _titled(f"{card.name} {card.version}{default}", facts)


def _headline(measurements: tuple[Measurement, ...]) -> str:
    if not measurements:
        return "not measured"
    first = measurements[0]
    return f"{first.metric} {first.value:.1%}: {first.data}"


def _everything(card: ModelCard, width: int) -> Iterator[RenderableType]:
    yield _titled(f"{card.name} {card.version}", card.description)
    for table in (_thresholds(card), *_measurements(card.measurements), _corpora(card.corpora)):
        yield from table.drawn(width)
    if not card.measurements:
        yield Text("Not measured", style="italic")


def _thresholds(card: ModelCard) -> Table:
    """By label, from which probability on it is active, enters and has left; and its calibration, if there is one."""
    levels = [
        (threshold, card.hysteresis.enters_at(threshold), card.hysteresis.leaves_below(threshold))
        for threshold in card.thresholds
    ]
    fitted = card.calibration or ((),) * len(card.labels)
    rows = tuple(
        (name, *(f"{figure:.3f}" for figure in (*each, *scale_and_bias)))
        for name, each, scale_and_bias in zip(card.labels, levels, fitted, strict=True)
    )
    headings = ("threshold", "enters at", "leaves below", *(("scale", "bias") if card.calibration else ()))
    title = f"Thresholds; entry {card.hysteresis.entry:g}, release {card.hysteresis.release:g}"
    if frames := card.frames:
        step_s, enter_s, leave_s = (
            samples / SAMPLE_RATE_HZ for samples in (frames.step_samples, frames.enter_samples, frames.leave_samples)
        )
        title += f"; in steps of {step_s:.2g} s, for {enter_s:.2g} s to enter and {leave_s:.2g} s to leave"
    return Table(title, ("label",), headings, rows)


def _measurements(measurements: tuple[Measurement, ...]) -> list[Table]:
    """A table for each way of measuring, which cards name with every figure, after its set and labels."""
    by_way: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for each in measurements:
        words = each.data.split(", ")
        row = (", ".join(words[:2]), each.metric, f"{each.value:.3f}", str(each.windows))
        by_way[", ".join(words[2:])].append(row)
    return [
        Table(f"Measured on {way}", ("set", "metric"), ("value", "windows"), tuple(rows))
        for way, rows in by_way.items()
    ]


def _corpora(corpora: tuple[Corpus, ...]) -> Table:
    """A row for each licence."""
    by_licence: dict[str, list[str]] = defaultdict(list)
    for corpus in corpora:
        by_licence[corpus.licence].append(corpus.name)
    rows = tuple((licence, ", ".join(names)) for licence, names in by_licence.items())
    return Table("Trained on", ("licence", "recordings"), (), rows)


def _titled(title: str, *parts: RenderableType) -> Group:
    return Group(Text(title, style="bold"), *parts)
