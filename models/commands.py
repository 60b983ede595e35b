"""`whoplays models`: what can be listened with."""

from rich.console import Console
from rich.table import Table

from models import catalogue
from models.card import Measurement, ModelCard


def models(name: str | None = None, /) -> None:
    """List the models that ship: what they hear, how large they are, how good, and where that was measured.

    Args:
        name: One model, of which to show every measurement and what it was trained on.
    """
    console = Console(markup=False)
    if name is None:
        console.print(_catalogue())
        return
    _, card = catalogue.find(name)
    console.print(f"{card.name} {card.version}: {card.description}", highlight=False)
    console.print(_measurements(card.measurements), _corpora(card), sep="\n\n")


def _catalogue() -> Table:
    table = _table("name", "version", "task", "labels", "parameters", "MMAC", "measured")
    for name in catalogue.names():
        _, card = catalogue.find(name)
        default = " (default)" if name == catalogue.DEFAULT else ""
        size, macs = f"{card.parameters / 1e6:.2f} M", f"{card.macs / 1e6:.0f}"
        headline = _headline(card.measurements)
        table.add_row(card.name + default, card.version, card.task, " ".join(card.labels), size, macs, headline)
    return table


def _headline(measurements: tuple[Measurement, ...]) -> str:
    if not measurements:
        return "not measured"
    first = measurements[0]
    return f"{first.metric} {first.value:.1%}: {first.data}"


def _measurements(measurements: tuple[Measurement, ...]) -> Table:
    table = _table("metric", "value", "windows", "measured on")
    for each in measurements:
        table.add_row(each.metric, f"{each.value:.3f}", str(each.windows), each.data)
    return table


def _corpora(card: ModelCard) -> Table:
    table = _table("trained on", "licence")
    for corpus in card.corpora:
        table.add_row(corpus.name, corpus.licence)
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
