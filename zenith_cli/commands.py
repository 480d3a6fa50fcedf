"""Signature and help text of every command.

Each command imports its implementation when it is called. This keeps `zenith --help` quick and the pipelines out of
`zenith serve` (measured: 136 MB instead of 216 MB).
"""

from pathlib import Path
from typing import Annotated

import typer

from zenith_cli.options import (
    SIGNAL_MODEL,
    AsOf,
    Format,
    Host,
    Jobs,
    Json,
    Model,
    ModelKind,
    Port,
    PresentTickers,
    Reason,
    Table,
    Ticker,
    TickerList,
    Tickers,
    current_names,
)
from zenith_core.names import KEEP_LATEST, MAX_EPOCHS

app = typer.Typer(
    help="Honest forecasts of stock prices and trading signals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ledger_app = typer.Typer(help="Check the record of past forecasts.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")

prices_app = typer.Typer(help="Look at price files before they are read.", no_args_is_help=True)
app.add_typer(prices_app, name="prices")

tickers_app = typer.Typer(help="Manage the tickers that are scheduled and served.", no_args_is_help=True)
app.add_typer(tickers_app, name="tickers")

scale_app = typer.Typer(help="Manage the scale of price moves, which all tickers share.", no_args_is_help=True)
app.add_typer(scale_app, name="scale")

alerts_app = typer.Typer(help="See who gets alerts, and test it.", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")


@app.command()
def run(
    tickers: Annotated[
        str | None,
        typer.Option(help="Comma-separated tickers. Default: depends on the source.", callback=current_names),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Price source: sample, csv, http, yahoo, simulated, or a package's.")
    ] = None,
    csv_dir: Annotated[
        Path | None, typer.Option(help="Folder of price files, such as AAPL.csv. Implies --source csv.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=MAX_EPOCHS, help="Training epochs of the networks.")] = None,
    config: Annotated[
        list[str] | None, typer.Option(help="Option of a model, for example lstm.units=32. Repeatable.")
    ] = None,
    jobs: Jobs = None,
    until: Annotated[str | None, typer.Option(help="Stop after this asset, for example cleaned_prices.")] = None,
    as_of: AsOf = None,
    *,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say how long it would take and how much disk, and start nothing.")
    ] = False,
    as_json: Json = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Dagster's log on stderr.")] = False,
) -> None:
    """Fetch prices, train and test the models, and promote those that pass their gates.

    With --as-of, nothing is fetched: everything is rebuilt in a separate folder from the prices known on that day.
    """
    from zenith_cli.run import run_tickers

    status = run_tickers(
        *(tickers, source, csv_dir, epochs, jobs, until, as_of),
        config=config or [],
        plan=plan,
        as_json=as_json,
        verbose=verbose,
    )
    raise typer.Exit(status)


@app.command()
def predict(
    tickers: Tickers,
    horizon: Annotated[int, typer.Option(min=1, max=30, help="Number of sessions to forecast.")] = 5,
    signal: Annotated[bool, typer.Option("--signal", help="With --json: print the signal, not the prices.")] = False,
    signal_horizon: Annotated[
        int | None, typer.Option(min=1, max=30, help="Sessions ahead of the signal. Default: as its model has.")
    ] = None,
    risk: Annotated[
        bool, typer.Option("--risk", help="Value at risk, expected shortfall, volatility and touched levels instead.")
    ] = False,
    touch: Annotated[
        list[str] | None, typer.Option(help="With --risk: a level such as 3%, -5% or the price 190. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Forecast the price and signal of tickers with their Production models, or their risk, which needs no model.

    With --json, several tickers give a list. `zenith forecast` shows many tickers as one table.
    """
    from zenith_cli.predict import print_predictions
    from zenith_cli.predict_risk import print_risks
    from zenith_core.errors import UserError

    if (signal and risk) or (touch and not risk):
        raise UserError("--signal goes with --json alone, --touch with --risk")
    if risk:
        print_risks(tickers, horizon, touch or [], as_json=as_json)
    else:
        print_predictions(tickers, horizon, signal_horizon, signal=signal, as_json=as_json)


@app.command()
def forecast(
    tickers: Annotated[
        list[str] | None, typer.Argument(help="Tickers. Default: all that have data.", callback=current_names)
    ] = None,
    all_tickers: Annotated[bool, typer.Option("--all", help="All tickers that have data.")] = False,
    horizon: Annotated[int, typer.Option(min=1, max=30, help="Number of sessions ahead.")] = 1,
    quantiles: Annotated[str | None, typer.Option(help="Levels whose prices to add, for example 0.05,0.95.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output file: .csv, .parquet or .xlsx. Default: a table here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the forecasts of all tickers as one table: price, band, risk and signal.

    Exit status 1 if no ticker has a forecast.
    """
    from zenith_cli.forecast import forecast_tickers
    from zenith_core.errors import UserError

    if all_tickers and tickers:
        raise UserError("name tickers, or --all, not both")
    raise typer.Exit(forecast_tickers(tickers or [], horizon, quantiles, output, as_json=as_json))


@app.command()
def book(
    file: Annotated[Path, typer.Argument(help="CSV file: ticker and quantity, or ticker and value; cash is CASH.")],
    horizon: Annotated[int, typer.Option(min=1, max=30, help="Number of sessions ahead.")] = 5,
    currency: Annotated[str | None, typer.Option(help="Currency of the book, if its positions have several.")] = None,
    as_json: Json = False,
) -> None:
    """Print the risk of a book: value at risk, expected shortfall, volatility, and the part of each position."""
    from zenith_cli.book import print_book

    print_book(file, horizon, currency, as_json=as_json)


@app.command()
def universe(
    tickers: Annotated[
        str | None,
        typer.Option(help="Comma-separated tickers to rank among one another. Default: all.", callback=current_names),
    ] = None,
    horizon: Annotated[int, typer.Option(min=1, max=30, help="Number of sessions ahead; 5 or 20 for all.")] = 20,
    as_json: Json = False,
) -> None:
    """Print rank probabilities: how likely each ticker's return is in each fifth, the highest, or the lowest."""
    from zenith_cli.universe import print_ranks

    print_ranks(tickers, horizon, as_json=as_json)


@app.command()
def export(
    ticker: Ticker,
    table: Annotated[Table, typer.Argument(help="Table to export.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Output file. Default: stdout.")] = None,
    format: Annotated[Format | None, typer.Option(help="File format. Default: from the file name, else csv.")] = None,
    model: Annotated[Model, typer.Option(help="Model whose trades or equity to export.")] = SIGNAL_MODEL,
    as_of: AsOf = None,
) -> None:
    """Export a ticker's prices, features, walk-forward forecasts or signals, trades or equity."""
    from zenith_cli.export import export_table

    export_table(ticker, table, output, format, model, as_of)


@app.command()
def job(
    name: Annotated[str, typer.Argument(help="Job, for example refresh_prices. An unknown name lists all jobs.")],
    tickers: TickerList = None,
    config: Annotated[
        list[str] | None, typer.Option(help="Config as NAME=VALUE, for example epochs=5. Repeatable.")
    ] = None,
    jobs: Jobs = None,
    as_json: Json = False,
) -> None:
    """Run a Dagster job in this terminal, for tickers that were already added.

    retrain_model and retrain_all_models take model_type (a kind of model or all), epochs, and options of a model such
    as lstm.units=32; retrain_model also takes allow_earlier_end=true, to serve data that end before those that are
    served now.
    """
    from zenith_cli.job import run_named

    raise typer.Exit(run_named(name, tickers, config or [], jobs, as_json=as_json))


@ledger_app.command("verify")
def verify_ledger(
    subject: Annotated[
        str | None,
        typer.Argument(metavar="[TICKER|FILE]", help="Ticker, or a file that `zenith export TICKER ledger` wrote."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that no entry of a ledger was changed, removed or put in. Default: all ledgers.

    ALL-TICKERS is the ledger of all tickers together. A file is checked by itself, without any other state.
    """
    from zenith_cli.ledger import verify_ledgers

    raise typer.Exit(verify_ledgers(subject, as_json=as_json))


@prices_app.command("check")
def check_prices(
    place: Annotated[Path, typer.Argument(metavar="PATH", help="Price file, or folder of price files.")],
    as_json: Json = False,
) -> None:
    """Show how each price file would be read: form, first and last row, sessions, splits, dividends, doubts.

    Nothing is stored. Exit status 2 if a file would be refused.
    """
    from zenith_cli.prices import check_files

    raise typer.Exit(check_files(place, as_json=as_json))


@tickers_app.command("add")
def add_tickers(tickers: Tickers, as_json: Json = False) -> None:
    """Add tickers. From then on the schedules of `zenith ui` fetch, train and score them."""
    from zenith_cli.tickers import add

    add(tickers, as_json=as_json)


@tickers_app.command("remove")
def remove_tickers(tickers: PresentTickers, as_json: Json = False) -> None:
    """Stop scheduling and serving tickers. Prices, models and forecasts are kept."""
    from zenith_cli.tickers import remove

    remove(tickers, as_json=as_json)


@tickers_app.command("rename")
def rename_ticker(
    old: Annotated[str, typer.Argument(help="The name until now, for example FB.", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="The new name, for example META.", metavar="NEW")],
    as_json: Json = False,
) -> None:
    """Rename a ticker with its prices, models and forecasts. Both names answer for 90 days.

    If the command is killed, run it again: it goes on where it ended.
    """
    from zenith_cli.tickers import rename

    rename(old, new, as_json=as_json)


@tickers_app.command("list")
def list_tickers(as_json: Json = False) -> None:
    """List tickers with the date of their latest served data."""
    from zenith_cli.tickers import show

    show(as_json=as_json)


@app.command()
def models(
    ticker: Annotated[
        str | None, typer.Argument(help="Ticker. Default: every ticker with models.", callback=current_names)
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Show every decision: when, by whom and why.")] = False,
    as_json: Json = False,
) -> None:
    """List model versions with alias, loss, skill and the last promotion decision."""
    from zenith_cli.models import list_models

    list_models(ticker, history=history, as_json=as_json)


@app.command()
def leaderboard(
    ticker: Annotated[
        str | None, typer.Argument(help="Ticker. Default: every ticker with a leaderboard.", callback=current_names)
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare all kinds of model of a ticker on the same rows: loss, skill, calibration, p-values, CPU time."""
    from zenith_cli.leaderboard import show_leaderboard

    show_leaderboard(ticker, as_json=as_json)


@app.command()
def compare(
    ticker: Ticker,
    first: Annotated[str, typer.Argument(help="A version such as lstm/2, or a kind: its version in Production.")],
    second: Annotated[str, typer.Argument(help="The other one, such as lstm/3 or gru.")],
    as_json: Json = False,
) -> None:
    """Compare two model versions side by side: metrics, calibration, gates, backtest, parameters and data."""
    from zenith_cli.compare import compare as show

    show(ticker, first, second, as_json=as_json)


@app.command("track-record")
def track_record(ticker: Ticker, as_json: Json = False) -> None:
    """Compare served forecasts with the actual prices: interval coverage and error."""
    from zenith_cli.track_record import show_track_record

    show_track_record(ticker, as_json=as_json)


@app.command()
def explain(
    ticker: Ticker,
    since: Annotated[
        str | None,
        typer.Option(help="Compare with the last forecast made by the end of this day. Default: the one before."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why the newest forecast differs from an earlier one: prices, version, band, signal, promotion decisions."""
    from zenith_cli.explain import explain_ticker

    explain_ticker(ticker, since, as_json=as_json)


@app.command()
def promote(
    ticker: Ticker,
    model: ModelKind,
    version: Annotated[int, typer.Argument(help="Version number, as listed by `zenith models`.")],
    force: Annotated[bool, typer.Option("--force", help="Promote even if gates fail. Requires --reason.")] = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Promote a version to Production if it passes its gates.

    It must first load and answer a test forecast, even with --force.
    """
    from zenith_cli.promote import promote_version

    promote_version(ticker, model, version, force=force, reason=reason, as_json=as_json)


@app.command()
def rollback(ticker: Ticker, model: ModelKind, reason: Reason = None, as_json: Json = False) -> None:
    """Restore the previous Production version. Repeat to go back further."""
    from zenith_cli.promote import roll_back_model

    roll_back_model(ticker, model, reason=reason, as_json=as_json)


@scale_app.command("show")
def show_scale(as_json: Json = False) -> None:
    """List the versions of the scale, and every decision about them. `zenith job learn_scale` learns a new one."""
    from zenith_cli.scale import show_scale

    show_scale(as_json=as_json)


@scale_app.command("rollback")
def roll_back_scale(reason: Reason = None, as_json: Json = False) -> None:
    """Restore the previous scale in Production, and compute what is served with it again."""
    from zenith_cli.scale import roll_back

    roll_back(reason=reason, as_json=as_json)


@scale_app.command("prior")
def make_prior(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of price files.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Output file.")] = Path("scale_priors.json"),
    as_json: Json = False,
) -> None:
    """Make the scales that ship with the package: for each year end, coefficients and error quantiles, no price."""
    from zenith_cli.scale import make_prior

    make_prior(folder, output, as_json=as_json)


@alerts_app.command("list")
def list_receivers(as_json: Json = False) -> None:
    """List who gets which alerts, by the table of ZENITH_ALERTS. No address is shown."""
    from zenith_cli.alerts import show_receivers

    show_receivers(as_json=as_json)


@alerts_app.command("test")
def test_receivers(
    name: Annotated[str | None, typer.Argument(help="Name of a receiver. Default: all.")] = None,
    as_json: Json = False,
) -> None:
    """Send a test message to the receivers. Exit status 1 if one was not reached after its retries."""
    from zenith_cli.alerts import test_receivers

    raise typer.Exit(test_receivers(name, as_json=as_json))


@app.command()
def replay(
    decision: Annotated[
        str,
        typer.Argument(
            help="Model (its last decision), MODEL/VERSION or MODEL@TIME, for example lstm-AAPL/3 or scale/2."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Compute the gates of a promotion decision again, from the kept evidence, models and archived prices.

    Exit status 0 if verdict and figures are those of the record, 1 if not, 3 if something that it needs is missing.
    """
    from zenith_cli.replay import replay_promotion

    raise typer.Exit(replay_promotion(decision, as_json=as_json))


@app.command()
def cleanup(
    keep_latest_n: Annotated[int, typer.Option(help="Number of newest versions to keep.")] = KEEP_LATEST,
    keep_best: Annotated[bool, typer.Option(help="Keep the version with the best out-of-sample loss.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be deleted, delete nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Delete old model versions, models of removed tickers, leftovers of failed registrations, and old runs of Dagster.

    Runs older than ZENITH_KEEP_RUN_DAYS go with their events and logs; one that made the latest of an asset stays.
    """
    from zenith_cli.cleanup import clean

    clean(keep_latest_n, keep_best=keep_best, dry_run=dry_run, as_json=as_json)


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Number of worker processes. They share a cache if REDIS_URL is set.")
    ] = 1,
) -> None:
    """Start the REST service with the Production models. Its documentation is at /docs."""
    from zenith_pipelines.registry.artifact_locations import make_relative_to_read
    from zenith_serving.server import serve as serve_http
    from zenith_serving.settings import read_settings

    settings = read_settings()
    make_relative_to_read(settings.tracking_uri, settings.home / "mlflow" / "artifacts")
    serve_http(host, port, settings, workers)


@app.command()
def ui(
    host: Host = "127.0.0.1",
    port: Port = 3000,
    open_to_network: Annotated[
        bool, typer.Option("--open-to-network", help="Allow a --host that other machines reach. Dagster has no login.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Dagster's log on stderr.")] = False,
) -> None:
    """Start the Dagster UI to watch and materialize assets and to add tickers. Ctrl-C stops it."""
    from zenith_cli.ui import open_ui

    raise typer.Exit(open_ui(host, port, open_to_network=open_to_network, verbose=verbose))


@app.command()
def up(
    port_base: Annotated[
        int, typer.Option(help="First of six consecutive ports. The REST service listens on it.")
    ] = 8000,
) -> None:
    """Start the full stack: PostgreSQL, Redis, MLflow, Dagster and the REST service. Ctrl-C stops it."""
    from zenith_cli.stack.up import bring_up

    raise typer.Exit(bring_up(port_base))


@app.command()
def doctor(
    url: Annotated[str, typer.Option(help="Address of the REST service.")] = "http://127.0.0.1:8000",
    as_json: Json = False,
) -> None:
    """Check every component and suggest fixes. Exit status 1 if a check fails."""
    from zenith_cli.doctor import run_doctor

    raise typer.Exit(run_doctor(url, as_json=as_json))
