"""`whoplays models`: what can be listened with."""

from collections import defaultdict
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from whoplays.models import catalogue
from whoplays.models.card import Corpus, Measurement, ModelCard


def models(name: str | None = None, /) -> None:
    """List the models that ship: what they hear, how large they are, how good, and where that was measured.

    Args:
        name: One model, of which to show every measurement, its thresholds and what it was trained on.
    """
    console = Console(markup=False, highlight=False)
    cards = [catalogue.find(one)[1] for one in ([name] if name else catalogue.names())]
    parts = _everything(cards[0]) if name else [_summary(card) for card in cards]
    for part in parts:
        console.print(part, "")


def _summary(card: ModelCard) -> Group:
    default = " (default)" if card.name == catalogue.DEFAULT else ""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("  hears", ", ".join(card.names))
    facts.add_row("  task", card.task)
    facts.add_row("  size", f"{card.parameters / 1e6:.2f} M parameters, {card.macs / 1e6:.0f} MMAC a window")
    facts.add_row("  measured", _headline(card.measurements))
    return _titled(f"{card.name} {card.version}{default}", facts)


def _headline(measurements: tuple[Measurement, ...]) -> str:
    if not measurements:
        return "not measured"
    first = measurements[0]
    return f"{first.metric} {first.value:.1%}: {first.data}"


def _everything(card: ModelCard) -> list[Group]:
    about = _titled(f"{card.name} {card.version}", card.description)
    return [about, _thresholds(card), *_measurements(card.measurements), _corpora(card.corpora)]


def _thresholds(card: ModelCard) -> Group:
    """By label, from which probability on it is active, enters and has left; and its calibration, if there is one."""
    levels = [
        (threshold, card.hysteresis.enters_at(threshold), card.hysteresis.leaves_below(threshold))
        for threshold in card.thresholds
    ]
    fitted = card.calibration or ((),) * len(card.labels)
    rows = (
        (name, *(f"{figure:.3f}" for figure in (*each, *scale_and_bias)))
        for name, each, scale_and_bias in zip(card.names, levels, fitted, strict=True)
    )
    headings = ("threshold", "enters at", "leaves below", *(("scale", "bias") if card.calibration else ()))
    title = f"Thresholds; entry {card.hysteresis.entry:g}, release {card.hysteresis.release:g}"
    return _titled(title, _table(("label",), headings, rows))


def _measurements(measurements: tuple[Measurement, ...]) -> list[Group]:
    """A table for each way of measuring, which cards tell with every figure, after its set and labels."""
    if not measurements:
        return [_titled("Not measured")]
    by_way: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for each in measurements:
        words = each.data.split(", ")
        row = (", ".join(words[:2]), each.metric, f"{each.value:.3f}", str(each.windows))
        by_way[", ".join(words[2:])].append(row)
    return [
        _titled(f"Measured on {way}", _table(("set", "metric"), ("value", "windows"), rows))
        for way, rows in by_way.items()
    ]


def _corpora(corpora: tuple[Corpus, ...]) -> Group:
    """A row for each licence."""
    by_licence: dict[str, list[str]] = defaultdict(list)
    for corpus in corpora:
        by_licence[corpus.licence].append(corpus.name)
    rows = ((licence, ", ".join(names)) for licence, names in by_licence.items())
    return _titled("Trained on", _table(("licence", "recordings"), (), rows))


def _titled(title: str, *parts: RenderableType) -> Group:
    return Group(Text(title, style="bold"), *parts)


def _table(words: Iterable[str], figures: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, header_style="dim")
    for heading in words:
        table.add_column(heading, overflow="fold")
    for heading in figures:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    return table
