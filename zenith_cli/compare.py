"""`zenith compare`: two model versions of a ticker side by side."""

from rich.console import Console
from rich.table import Table

from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.patience import waiting_for
from zenith_pipelines.registry.artifact_locations import make_relative_to_read
from zenith_serving.comparison import compare_versions
from zenith_serving.registry import open_registry
from zenith_serving.schemas.comparisons import ModelComparison, Value
from zenith_serving.settings import Settings


def compare(ticker: str, first: str, second: str, *, as_json: bool) -> None:
    """Print the comparison. Raises UserError, NotAvailable or RegistryUnavailable."""
    settings = Settings()
    name = validate_ticker(ticker)
    make_relative_to_read(settings.tracking_uri, settings.home / "mlflow" / "artifacts")
    registry = open_registry(settings.tracking_uri)
    with waiting_for("MLFLOW_TRACKING_URI"):
        comparison = compare_versions(registry, settings.snapshots.parent, name, first, second)
    if as_json:
        print(comparison.model_dump_json(indent=2))
    else:
        _show(comparison, Console(highlight=False, markup=False))


def _show(comparison: ModelComparison, console: Console) -> None:
    heads = [f"{version.model_type} v{version.version}" for version in comparison.versions]
    table = Table(title=f"{comparison.ticker}: * differs", box=None, padding=(0, 1, 0, 0), title_justify="left")
    for heading in ("", "", *heads):
        table.add_column(heading, overflow="fold")
    group = None
    for figure in comparison.figures:
        table.add_row(
            figure.group if figure.group != group else "",
            f"{figure.name}{' *' if figure.differs else ''}",
            *map(_text, figure.values),
        )
        group = figure.group
    console.print(table)
    for version, backtest in zip(comparison.versions, comparison.backtests, strict=True):
        if backtest is None:
            console.print(f"no backtest of {version.model_type} v{version.version} is kept", style="dim")


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
