"""The whole command line: what each command takes.

What a command does is imported when it is called, so that `zenith serve` does not carry what `zenith run`
needs (measured: 136 MB instead of 216 MB), and `zenith --help` is quick.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zenith_core.names import KEEP_LATEST, MAX_EPOCHS

app = typer.Typer(
    help="Honest forecasts of stock prices and trading signals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

tickers_app = typer.Typer(help="Which tickers are scheduled and served.", no_args_is_help=True)
app.add_typer(tickers_app, name="tickers")

Ticker = Annotated[str, typer.Argument(help="Such as AAPL or PETR4.SA.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, for programs.")]
Tickers = Annotated[list[str], typer.Argument(help="Such as AAPL PETR4.SA, or AAPL,PETR4.SA.")]
AsOf = Annotated[str | None, typer.Option(help="As it was known at the end of that day, such as 2026-11-20.")]
Reason = Annotated[str | None, typer.Option(help="Why; it goes into the history.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


class Table(StrEnum):
    """What can be exported."""

    RAW = "raw"
    PRICES = "prices"
    FEATURES = "features"
    FORECASTS = "forecasts"
    SIGNALS = "signals"
    TRADES = "trades"
    EQUITY = "equity"


class Model(StrEnum):
    """The kinds of model."""

    LSTM = "lstm"
    ENSEMBLE = "ensemble"


ModelKind = Annotated[Model, typer.Argument(help="Which of the ticker's two models.")]


class Format(StrEnum):
    """File formats."""

    CSV = "csv"
    PARQUET = "parquet"


@app.command()
def run(
    tickers: Annotated[str | None, typer.Option(help="Separated by commas. Default: the source's own.")] = None,
    source: Annotated[str | None, typer.Option(help="sample, csv, yahoo or simulated.")] = None,
    csv_dir: Annotated[Path | None, typer.Option(help="Folder of TICKER.csv or .parquet files; implies csv.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=MAX_EPOCHS, help="Passes of the LSTM over its data.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Tickers at a time. Default: one per core.")] = None,
    until: Annotated[str | None, typer.Option(help="Stop after this asset, such as cleaned_prices.")] = None,
    as_of: AsOf = None,
    as_json: Json = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Dagster's log on stderr.")] = False,
) -> None:
    """Fetch prices, train and test both models, and put them in Production, for each ticker.

    With --as-of nothing is fetched: all is rebuilt from the prices as they were known then, in a folder of its own.
    """
    from zenith_cli.run import run_tickers

    status = run_tickers(tickers, source, csv_dir, epochs, jobs, until, as_of, as_json=as_json, verbose=verbose)
    raise typer.Exit(status)


@app.command()
def predict(
    ticker: Ticker,
    horizon: Annotated[int, typer.Option(min=1, max=30, help="Sessions ahead.")] = 5,
    signal: Annotated[bool, typer.Option("--signal", help="With --json: the signal instead of the prices.")] = False,
    as_json: Json = False,
) -> None:
    """Forecast a ticker's price and signal with the models in Production, as the REST service does."""
    from zenith_cli.predict import print_prediction

    print_prediction(ticker, horizon, signal=signal, as_json=as_json)


@app.command()
def export(
    ticker: Ticker,
    table: Annotated[Table, typer.Argument(help="What to export.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; stdout if not given.")] = None,
    format: Annotated[Format | None, typer.Option(help="Default: what the file's name says, else csv.")] = None,
    model: Annotated[Model, typer.Option(help="Whose trades or equity.")] = Model.ENSEMBLE,
    as_of: AsOf = None,
) -> None:
    """Write raw or cleaned prices, features, walk-forward output, trades or equity to a file or stdout."""
    from zenith_cli.export import export_table

    export_table(ticker, table, output, format, model, as_of)


@app.command()
def job(
    name: Annotated[str, typer.Argument(help="Such as refresh_prices; another name lists them all.")],
    tickers: Annotated[str | None, typer.Option(help="Separated by commas. Default: all.")] = None,
    config: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, once for each. Such as epochs=5.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Tickers at a time. Default: one per core.")] = None,
    as_json: Json = False,
) -> None:
    """Run a job of the Dagster UI here and now, for the tickers that are there.

    retrain_model and retrain_all_models take model_type (lstm, ensemble or all) and epochs.
    """
    from zenith_cli.job import run_named

    raise typer.Exit(run_named(name, tickers, config or [], jobs, as_json=as_json))


@tickers_app.command("add")
def add_tickers(tickers: Tickers, as_json: Json = False) -> None:
    """Add tickers: the schedules of `zenith ui` fetch, train and score them from then on."""
    from zenith_cli.tickers import add

    add(tickers, as_json=as_json)


@tickers_app.command("remove")
def remove_tickers(tickers: Tickers, as_json: Json = False) -> None:
    """Remove tickers: scheduled and served no more. Prices, models and forecasts are kept."""
    from zenith_cli.tickers import remove

    remove(tickers, as_json=as_json)


@tickers_app.command("list")
def list_tickers(as_json: Json = False) -> None:
    """List the tickers, and until when the data go that each is served with."""
    from zenith_cli.tickers import show

    show(as_json=as_json)


@app.command()
def models(
    ticker: Annotated[str | None, typer.Argument(help="Default: every ticker that has models.")] = None,
    history: Annotated[bool, typer.Option("--history", help="Every decision: who, when and why.")] = False,
    as_json: Json = False,
) -> None:
    """List model versions: what is in Production, what each is worth beside the naive forecast, and why."""
    from zenith_cli.models import list_models

    list_models(ticker, history=history, as_json=as_json)


@app.command("track-record")
def track_record(ticker: Ticker, as_json: Json = False) -> None:
    """Show served forecasts against what came: how often within their band, and how far off."""
    from zenith_cli.track_record import show_track_record

    show_track_record(ticker, as_json=as_json)


@app.command()
def promote(
    ticker: Ticker,
    model: ModelKind,
    version: Annotated[int, typer.Argument(help="As `zenith models` lists it.")],
    force: Annotated[bool, typer.Option("--force", help="Though its gates refuse it; needs --reason.")] = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Put a version into Production if it passes its gates. It is loaded and asked once before, even with --force."""
    from zenith_cli.promote import promote_version

    promote_version(ticker, model, version, force=force, reason=reason, as_json=as_json)


@app.command()
def rollback(ticker: Ticker, model: ModelKind, reason: Reason = None, as_json: Json = False) -> None:
    """Put back the version that was in Production before; again, the one before that."""
    from zenith_cli.promote import roll_back_model

    roll_back_model(ticker, model, reason=reason, as_json=as_json)


@app.command()
def cleanup(
    keep_latest_n: Annotated[int, typer.Option(help="So many of the newest versions are kept.")] = KEEP_LATEST,
    keep_best: Annotated[bool, typer.Option(help="Keep the version with the best out-of-sample loss.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing, list what would be deleted.")] = False,
    as_json: Json = False,
) -> None:
    """Delete old model versions, models of removed tickers, and what failed registrations have left."""
    from zenith_cli.cleanup import clean

    clean(keep_latest_n, keep_best=keep_best, dry_run=dry_run, as_json=as_json)


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that answer; REDIS_URL gives them one cache.")
    ] = 1,
) -> None:
    """Start the REST service on the models in Production; /docs describes it."""
    from zenith_serving.server import serve as serve_http
    from zenith_serving.settings import read_settings

    serve_http(host, port, read_settings(), workers)


@app.command()
def ui(host: Host = "127.0.0.1", port: Port = 3000) -> None:
    """Open the Dagster UI: watch assets, add tickers, materialize them."""
    from zenith_cli.ui import open_ui

    open_ui(host, port)


@app.command()
def up(
    port_base: Annotated[int, typer.Option(help="The first of six ports in a row; the REST service has it.")] = 8000,
) -> None:
    """Run the full stack: PostgreSQL, Redis, MLflow, Dagster and the REST service. Ctrl-C stops it."""
    from zenith_cli.stack.up import bring_up

    raise typer.Exit(bring_up(port_base))


@app.command()
def doctor(
    url: Annotated[str, typer.Option(help="Where the REST service is.")] = "http://127.0.0.1:8000",
    as_json: Json = False,
) -> None:
    """Look at each part, and say how to mend what is not well. Exit status 1 if any has failed."""
    from zenith_cli.doctor import look

    raise typer.Exit(look(url, as_json=as_json))
