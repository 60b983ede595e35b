"""Makes grafana-dashboard.json beside it: python docs/deploy/dashboard.py."""

from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

DASHBOARD: Final = Path(__file__).with_name("grafana-dashboard.json")
_WIDE: Final = 24
_HALF: Final = 12


def make_dashboard() -> str:
    """The dashboard as JSON."""
    chosen = '{stream=~"$stream"}'
    streams = (
        dashboard.QueryVariable("stream")
        .query("label_values(whoplays_windows_total, stream)")
        .datasource(DataSourceRef("prometheus", "$datasource"))
        .multi(multi=True)
        .include_all(include_all=True)
    )
    built = (
        dashboard.Dashboard("whoplays")
        .uid("whoplays")
        .tags(["whoplays"])
        .refresh("5s")
        .time("now-30m", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(streams)
        .with_panel(
            _panel(statetimeline.Panel(), "Who plays", f"whoplays_playing{chosen} == 1", "{{stream}} {{label}}")
        )
        .with_panel(
            _panel(
                statetimeline.Panel(),
                "State",
                f"whoplays_source_state{chosen} == 1",
                "{{stream}} {{whoplays_source_state}}",
            )
        )
        .with_panel(_panel(timeseries.Panel(), "Level", f"whoplays_level_dbfs{chosen}", "{{stream}}", "dB", _HALF))
        .with_panel(_panel(timeseries.Panel(), "Peak", f"whoplays_peak_dbfs{chosen}", "{{stream}}", "dB", _HALF))
        .with_panel(
            _panel(
                timeseries.Panel(),
                "Lost audio",
                f"rate(whoplays_gap_samples_total{chosen}[1m]) / 44100",
                "{{stream}} {{cause}}",
                "percentunit",
                _HALF,
            )
        )
        .with_panel(_panel(timeseries.Panel(), "Lag", f"whoplays_lag_seconds{chosen}", "{{stream}}", "s", _HALF))
        .with_panel(_panel(stat.Panel(), "Alerts firing", f"sum(whoplays_alerts_firing{chosen})", "", "none", _HALF))
        .with_panel(
            _panel(
                timeseries.Panel(),
                "Clipped samples",
                f"rate(whoplays_clipped_samples_total{chosen}[1m])",
                "{{stream}}",
                "cps",
                _HALF,
            )
        )
    )
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _panel(panel: Any, title: str, query: str, legend: str, unit: str = "none", span: int = _WIDE) -> Any:
    return (
        panel.title(title)
        .datasource(DataSourceRef("prometheus", "$datasource"))
        .unit(unit)
        .span(span)
        .height(8)
        .with_target(prometheus.Dataquery().expr(query).legend_format(legend))
    )


if __name__ == "__main__":
    DASHBOARD.write_text(make_dashboard(), encoding="utf-8")
