"""The text of docs/capacity.md, with the figures of `capacity_page.facts_of`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]


def number(value: float) -> str:
    """Format with two or three significant digits."""
    digits = 0 if abs(value) >= 20 else 1 if abs(value) >= 1 else 2
    return f"{value:,.{digits}f}"


def mb(count: float) -> str:
    """Format bytes in MB."""
    return number(count / 1e6)


def gb(count: float) -> str:
    """Format bytes in GB."""
    return number(count / 1e9)


def text(facts: Facts) -> str:
    """Return the whole page."""
    return "\n".join([_head(facts), _measured(facts), _extrapolated(facts), _changes(facts), _parts(facts["drawn"])])


def _head(facts: Facts) -> str:
    machine, loads = facts["machine"], facts["loads"]
    load = f"{number(min(loads))} to {number(max(loads))}"
    remark = f"The load was {load}."
    if max(loads) > machine["cores"] + 1:
        remark = f"""**Other programs were running**: the load was {load}, so elapsed times and latencies
are too long, and even CPU seconds are above those of an idle machine; bytes and memory are not affected."""
    return f"""\
# Capacity

The measured cost of a ticker, and the extrapolated cost of 1,000 to 100,000. `make bench ARGS="--long --only capacity"` measures it
(after an interruption it resumes) and writes this page: no measured figure was typed by hand.

Measured {facts["when"][:10]} on {machine["cores"]} cores ({machine["cpu"]}, {machine["memory_gb"]} GB), Python {machine["python"]},
on simulated tickers of 3,000 sessions: `zenith run` at default settings, in batches, in one `ZENITH_HOME` that grew to
{facts["last"]["tickers"]} tickers. Nothing was fetched from a network. {remark}

![Minutes and bytes by tickers](pictures/scaling-capacity.png)
"""


def _measured(facts: Facts) -> str:
    cost, sums = facts["cost"], facts["sums"]
    stages = ", ".join(f"`{stage}` {number(seconds)} s" for stage, seconds in cost["stages"].items())
    added, empty = cost["postgres"], cost["postgres_start"]
    return f"""\
## Measured

| tickers | elapsed, s per ticker | CPU, s per ticker | largest process, MB | on disk, MB | service: startup, s | memory, all models loaded, MB | `GET /tickers`, ms | `GET /models`, ms | idle CPU, of one core |
|---|---|---|---|---|---|---|---|---|---|
{_lines(facts["first"], _batch)}

Elapsed and CPU times are for the tickers that a row adds to the one above, two at a time if there are several.
Time per ticker by stage, in one of two workers, mean of all batches: {stages}.

Disk space of a ticker:

| | first run, MB | files | each further run, MB |
|---|---|---|---|
{_lines(facts["kinds"], lambda kind: [kind["kind"], mb(kind["first"]), number(kind["files"]), mb(kind["again"])])}
| **all** | **{mb(sums["first"])}** | **{number(sums["files"])}** | **{mb(sums["again"])}** |

Prices and features are datasets; training leaves MLflow's artifacts (evidence, report and the ONNX model of each version).
On SQLite each run has its own event file, with preallocated space. On PostgreSQL a run adds {mb(added["dagster"])} MB to
Dagster's database and {mb(added["mlflow"])} MB to MLflow's (empty: {mb(empty["dagster"])} and {mb(empty["mlflow"])} MB).

The service with many tickers, each a copy of one ticker's snapshot and models, without training:

| tickers | startup, s | `GET /tickers`, first, ms | later, ms | `GET /models`, ms | memory after listing all, MB | idle CPU, of one core | Dagster (SQLite): add all partitions, ms | list them, ms |
|---|---|---|---|---|---|---|---|---|
{_lines(facts["lists"], _list)}

`GET /models` lists only the trained versions here. The idle CPU is the watcher's: every 2 s it reads all aliases in one query, and
checks the list of tickers and the local copy of each Production model.
"""


def _batch(batch: Facts) -> list[str]:
    service = batch["serving"]
    return [
        f"{batch['tickers']}",
        number(batch["seconds"] / batch["batch"]),
        number(batch["cpu_seconds"] / batch["batch"]),
        number(batch["largest_process_mb"]),
        mb(sum(kind["bytes"] for kind in batch["bytes"].values())),
        *(number(service[key]) for key in ("start_seconds", "full_mb", "tickers_ms", "models_ms")),
        f"{number(100 * service['idle_cpu_share'])} %",
    ]


def _list(batch: Facts) -> list[str]:
    times = ("start_seconds", "tickers_first_ms", "tickers_ms", "models_ms", "listed_mb")
    return [
        f"{batch['tickers']:,}",
        *(number(batch[key]) for key in times),
        f"{number(100 * batch['idle_cpu_share'])} %",
        *(number(batch[key]) for key in ("partitions_add_ms", "partitions_list_ms")),
    ]


def _extrapolated(facts: Facts) -> str:
    machine, night, worker = facts["machine"], facts["night"], number(facts["cost"]["worker_mb"] / 1000)
    rows: dict[str, Callable[[Facts], str]] = {
        "": lambda scale: f"{scale['tickers']:,} tickers",
        "one retraining of all, CPU hours": lambda scale: number(scale["cpu_hours"]),
        f"the same on {machine['cores']} cores, hours": lambda scale: number(scale["hours_here"]),
        f"cores, and so workers of {worker} GB, to finish it in a night of {night} hours": lambda scale: (
            f"{scale['night_cores']:,.0f}"
        ),
        "on disk after the first run, GB": lambda scale: gb(scale["first_bytes"]),
        "MLflow's artifacts with clean-up, GB": lambda scale: gb(scale["kept_artifacts"]),
        "… without, after a year, GB": lambda scale: gb(scale["year_artifacts"]),
        "Dagster's events on SQLite after a year of retraining alone, GB": lambda scale: gb(scale["year_events"]),
        "Dagster's and MLflow's databases on PostgreSQL after a year, GB": lambda scale: gb(scale["year_postgres"]),
        "Dagster runs a week: five refreshes and one retraining per ticker": lambda scale: f"{scale['runs_a_week']:,}",
        "all models in one service's memory, GB": lambda scale: number(scale["models_mb"] / 1000),
        "the service's own copies of models, GB": lambda scale: gb(scale["copies"]),
    }
    scales = facts["scales"]
    lines = _lines(rows.items(), lambda row: [row[0], *(row[1](scale) for scale in scales)]).splitlines()
    lines.insert(1, "|---|" + "---|" * len(scales))
    return f"""\
## Extrapolated

In proportion to the CPU seconds and bytes above, with weekly retraining for a year and clean-up that keeps {facts["kept_versions"]} versions of each model.
Each ticker counts as a run of its own: a batch ([0065](decisions/0065-batches-of-tickers.md)) costs less.

{chr(10).join(lines)}
"""


def _changes(facts: Facts) -> str:
    _, thousand, tenfold, hundredfold = facts["scales"]
    first, second = facts["lists"]
    cores, night, model_mb = facts["machine"]["cores"], facts["night"], facts["cost"]["model_mb"]
    fits = f"within a night of {night}" if thousand["hours_here"] <= night else "more than a night"
    night_cores = f"{thousand['night_cores']:.0f} core{'s' if thousand['night_cores'] > 1 else ''}"
    return f"""\
## Necessary changes

**At 1,000 tickers**

- *Retraining* takes {number(thousand["hours_here"])} hours on {cores} cores, {fits}. A night needs at least {night_cores}. To go faster, raise `--jobs` on one host,
  add workers on several, or spread the retraining over the week by `ZENITH_RETRAIN_CRON` and by tickers. Raise `max_concurrent_runs`
  (4 in dagster.yaml: two batches with the run of a ticker each) accordingly, in the same file as the cluster's run launcher.
- *Dagster's database* must be PostgreSQL (`DATABASE_URL`): SQLite's event files would be {gb(thousand["year_events"])} GB after a year, in one
  folder, and several hosts cannot share them. Clean-up keeps the runs of `ZENITH_KEEP_RUN_DAYS` (30) and each ticker's last run of
  each asset; a shorter time and a weekly `ZENITH_CLEANUP_CRON` keep less ([0056](decisions/0056-what-is-kept-for-how-long.md)).
- *MLflow* must be a server on PostgreSQL with its artifacts in object storage, and clean-up must run: it reduces
  {gb(thousand["year_artifacts"])} GB a year to {gb(thousand["kept_artifacts"])} GB.
- *Datasets* go to object storage (`ZENITH_DATA_URI`). Serving reads a folder, so its snapshots must be copied or mounted.
- *Serving memory.* All models take {number(thousand["models_mb"] / 1000)} GB in each process. `ZENITH_MODEL_MEMORY_MB` (512) holds the models of about
  {number(512 / model_mb)} tickers, and others are loaded from local copies on request. Raise it to cover the requested tickers, or route
  each ticker to the same process.
- *`GET /tickers`* reads each snapshot once: {number(first["tickers_first_ms"] / 1000)} s the first time, {number(first["tickers_ms"])} ms later. The page's list uses
  the same response, and the browser searches it. Other clients ask for pages (`limit`, `after`).
- *Yahoo.* At most two requests run at a time (the pool `price_sources`) on any number of hosts, and Yahoo rejects frequent requests. At
  an assumed second per request, a refresh of 1,000 tickers takes 8 minutes; Yahoo does not guarantee to accept that. A paid source is one class (`zenith_pipelines/ingestion/sources`).

**At 10,000 tickers**

- *Retraining* takes {tenfold["night_cores"]:.0f} cores for a night ({number(tenfold["cpu_hours"])} CPU hours), or less than weekly training of the two models. The time goes into
  four folds and a final model of the LSTM and of the ensemble for each ticker. One model for many tickers would cost less, but is a
  different design.
- *Dagster.* The schedules put `ZENITH_BATCH_SIZE` tickers into a run, so that they share one import of the libraries; a retraining
  still leaves {tenfold["tickers"]:,} runs a week, one in its batch for each ticker. The sensors look at changes only
  ([0055](decisions/0055-lists-in-pages-and-changes-in-turn.md)). Listing the dynamic partitions takes {number(second["partitions_list_ms"])} ms; Dagster's issue 16260 reports that SQLite fails at 36,000.
- *Databases* grow by {gb(tenfold["year_postgres"])} GB a year if old runs are never deleted: clean-up must run.
- *Serving.* {number(tenfold["models_mb"] / 1000)} GB of models do not fit one process: tickers must be split among processes. When the table above was measured, the watcher
  took {number(100 * second["idle_cpu_share"])} % of a core in each, and `GET /tickers` {number(second["tickers_first_ms"] / 1000)} s the first time and {number(second["tickers_ms"] / 1000)} s later. Since then both lists come in pages, and
  the watcher checks files in turn; `benchmarks/many_tickers.py` measures them.
- *Yahoo* is not suitable for 10,000 tickers: under the same assumption, a refresh takes an hour and a half of requests alone.

**At 100,000 tickers**

- *Retraining* takes {hundredfold["night_cores"]:,.0f} cores for a night ({number(hundredfold["cpu_hours"])} CPU hours): batches on a cluster
  ([beyond one machine](beyond-one-machine.md)), retraining in turn over the weeks, or one model for many tickers.
- *Dagster* on SQLite is out, and so is one set of dynamic partitions with a run for each ticker and week: several code locations, each with its share
  of the tickers and its own database, stay at the sizes above.
- *Disk.* {gb(hundredfold["first_bytes"])} GB after the first run, then {gb(hundredfold["kept_artifacts"])} GB of artifacts with {facts["kept_versions"]} versions of each model: object storage, and
  clean-up every day.
- *Serving.* {number(hundredfold["models_mb"] / 1000)} GB of models and as many snapshots are divided by ticker among services behind one address.
"""


def _parts(drawn: Sequence[str]) -> str:
    pictures = {
        "serving_scaling": "![Requests per second by connections, and memory by tickers](pictures/scaling-serving.png)",
        "features": "![Milliseconds of indicators by sessions, beside ta and TA-Lib](pictures/scaling-features.png)",
    }
    shown = [f"{picture}\n" for name, picture in pictures.items() if name in drawn]
    end = "For all figures with their limits, run `make bench`: [benchmarks](../benchmarks/README.md).\n"
    return "\n".join(["## Scaling of the parts\n", *shown, end])


def _lines(rows: Any, cells: Callable[[Any], Sequence[str]]) -> str:
    """Return a line of a markdown table for each row."""
    return "\n".join(f"| {' | '.join(cells(row))} |" for row in rows)
