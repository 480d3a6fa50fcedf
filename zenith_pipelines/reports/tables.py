"""The report's tables: figures as rows of text, each beside its baseline."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from zenith_core.backtesting.backtest import Backtest
from zenith_core.forecasting.abstention import REASONS
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import Kind, title_of
from zenith_pipelines.reports.formatting import NOTHING, count, interval, number, p_value, percent

TRADES_SHOWN = 20
_HORIZONS_SHOWN = ("1", "5", "10", "20", "30")

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A row of a table; `base` marks a baseline."""

    label: str
    cells: Sequence[str]
    base: bool = False


@dataclass(frozen=True)
class RowSpec:
    """Specification of a row: `cell` turns the figures of one column into text."""

    label: str
    cell: Callable[[Figures], str]
    base: bool = False

    def row(self, columns: Sequence[Figures]) -> Row:
        """Return the row for these columns."""
        return Row(self.label, [self.cell(figures) for figures in columns], self.base)


def _of(key: str, show: Callable[[Any], str]) -> Callable[[Figures], str]:
    """Format the figure `key` with `show`; a dash if it is missing."""
    return lambda figures: show(figures.get(key))


_fine = partial(percent, decimals=2)
_signed = partial(percent, sign=True)

_ERRORS = (
    RowSpec("Forecasts scored", _of("rows", count)),
    RowSpec("Mean absolute error", _of("mae", _fine)),
    RowSpec("… of the random walk", _of("mae_random_walk", _fine), base=True),
    RowSpec("Root mean squared error", _of("rmse", _fine)),
    RowSpec("MASE, below 1 is better", _of("mase", partial(number, decimals=3))),
    RowSpec("Skill against the random walk", _of("skill", _signed)),
    RowSpec("Skill against drift", _of("drift_skill", _signed)),
    RowSpec("p-value", _of("p_value", p_value)),
    RowSpec("Direction right", _of("direction_accuracy", percent)),
    RowSpec("Price rose", _of("base_rate_up", percent), base=True),
)
_BANDS = (
    RowSpec("Price inside the 90 % band", _of("coverage", percent)),
    RowSpec("Band width, share of the price", _of("interval_width", percent)),
    RowSpec("Pinball loss", _of("pinball", _fine)),
    RowSpec("… of static quantiles", _of("pinball_static", _fine), base=True),
    RowSpec("Skill against static quantiles", _of("pinball_skill", _signed)),
)
_SERVED_BANDS = (
    RowSpec("Forecasts scored", _of("rows", count)),
    RowSpec("Price inside the 90 % band", _of("coverage", percent)),
    RowSpec("Pinball loss", _of("pinball", _fine)),
    RowSpec("… of EWMA × own quantiles", _of("pinball_ewma", _fine), base=True),
    RowSpec("Skill against EWMA", _of("skill", _signed)),
    RowSpec("p-value", _of("p_value", p_value)),
)
_STATISTICS = (
    RowSpec("Total return", _of("total_return", percent)),
    RowSpec("Annual return", _of("annual_return", percent)),
    RowSpec("Annual volatility", _of("volatility", percent)),
    RowSpec("Sharpe ratio", _of("sharpe", number)),
    RowSpec("Sharpe ratio, 90 % interval", lambda stats: interval(stats.get("sharpe_low"), stats.get("sharpe_high"))),
    RowSpec("Probability of a true Sharpe ratio above 0", _of("psr", percent)),
    RowSpec("… above the luckiest of all trials (deflated)", _of("deflated_sharpe", percent)),
    RowSpec("Trials recorded", _of("trials", count)),
    RowSpec("Sharpe ratio minus buy and hold", _of("excess_sharpe", partial(number, sign=True))),
    RowSpec("p-value of the line above", _of("excess_sharpe_p_value", p_value)),
    RowSpec("Sortino ratio", _of("sortino", number)),
    RowSpec("Calmar ratio", _of("calmar", number)),
    RowSpec("Maximum drawdown", _of("max_drawdown", percent)),
    RowSpec("Longest time below a peak, sessions", _of("max_drawdown_sessions", count)),
    RowSpec("Time in the market", _of("exposure", percent)),
    RowSpec("Closed trades", _of("trades", count)),
    RowSpec("Winning trades", _of("hit_rate", percent)),
    RowSpec("Profit factor, gains over losses", _of("profit_factor", number)),
    RowSpec("Annual turnover, times the account", _of("turnover", number)),
    RowSpec("Break-even cost per side", _of("break_even_cost", _fine)),
)


def horizons_shown(metrics: Figures) -> list[str]:
    """Return the usual horizons in `price_metrics`, or all if it has none of them."""
    return [text for text in _HORIZONS_SHOWN if text in metrics["by_horizon"]] or list(metrics["by_horizon"])


def error_rows(metrics: Figures) -> list[Row]:
    """Return errors and skill of `price_metrics`, a column for each of `horizons_shown`."""
    return _by_horizon(_ERRORS, metrics)


def band_rows(metrics: Figures) -> list[Row]:
    """Return coverage and pinball loss of `ReportData.band_metrics`, a column for each of `horizons_shown`."""
    are_served = any("pinball_ewma" in figures for figures in metrics["by_horizon"].values())
    return _by_horizon(_SERVED_BANDS if are_served else _BANDS, metrics)


def statistic_rows(backtests: Iterable[Backtest]) -> list[Row]:
    """Return every statistic of each model, beside that of buy and hold over the same period."""
    columns = [backtest.stats[strategy] for backtest in backtests for strategy in ("strategy", "buy_and_hold")]
    return [spec.row(columns) for spec in _STATISTICS]


def statistic_headings(titles: Mapping[Kind, str]) -> list[str]:
    """Return the headings of `statistic_rows`."""
    return ["", *(heading for title in titles.values() for heading in (title, "Buy and hold"))]


def benchmark_columns(titles: Collection[Kind]) -> list[int]:
    """Return the columns of `statistic_rows` that hold baselines, counted from 1."""
    return list(range(2, 2 * len(titles) + 1, 2))


def lineage_headings(titles: Mapping[Kind, str], ticker: str) -> list[str]:
    """Return the headings of the lineage: the task of a model that answers, the title of any other."""
    tasks = {kind: f"{task.capitalize()} model" for task, kind in ANSWERS.of(ticker).items()}
    return [tasks.get(kind, title) for kind, title in titles.items()]


LEADERBOARD_HEADINGS = ("", "Loss", "Naive", "Skill", "p, naive", "p, answering", "Calibration", "Own rows")


def leaderboard_rows(board: Figures) -> list[Row]:
    """Return the models of a leaderboard, the smallest loss first; those that are not comparable have no figures."""
    return [Row(_model(one), _leaderboard_cells(one)) for one in board["models"]]


def _model(one: Figures) -> str:
    return f"{title_of(one['model_type'])} {one['version']}" + (", answers" if one["answers"] else "")


def _leaderboard_cells(one: Figures) -> list[str]:
    is_price = one["coverage"] is not None
    return [
        *(number(one[name], 4) for name in ("value", "naive")),
        _signed(one["skill"]),
        *(p_value(one[name]) for name in ("p_value", "p_value_answering")),
        percent(one["coverage"]) if is_price else number(one["ece"], 3),
        count(one["own_rows"]),
    ]


def score_rows(metrics: Figures) -> list[Row]:
    """Return `signal_metrics` of the model and of its baseline, the historical frequencies."""
    fine = partial(number, decimals=3)
    specs = (
        ("Accuracy", percent, "accuracy", "accuracy_baseline"),
        ("Precision, mean of classes", percent, "precision", ""),
        ("Recall, mean of classes", percent, "recall", ""),
        ("F1, mean of classes", percent, "f1", ""),
        ("Brier score, 0 is best", fine, "brier", "brier_baseline"),
        ("Log loss", fine, "log_loss", "log_loss_baseline"),
        ("Brier skill", _signed, "skill", ""),
        ("p-value of the line above", p_value, "p_value", ""),
        ("Calibration error (ECE), most probable class", percent, "ece", ""),
        ("Calibration error, mean of classes", percent, "ece_classwise", ""),
    )
    return [Row(label, [show(metrics.get(own)), show(metrics.get(base))]) for label, show, own, base in specs]


def class_rows(metrics: Figures) -> list[Row]:
    """Return precision, recall and F1 of each class as the most probable one, and its base rate."""
    confusion = metrics["confusion"] or {}
    rows = []
    for name, predictions in confusion.items():
        right, labelled = predictions[name], sum(predictions.values())
        predicted = sum(other[name] for other in confusion.values())
        ratios = ((right, predicted), (right, labelled), (2 * right, predicted + labelled))
        figures = [percent(part / whole) if whole else NOTHING for part, whole in ratios]
        rows.append(Row(name, [*figures, percent(metrics["base_rates"][name])]))
    return rows


def abstention_rows(metrics: Figures) -> list[Row]:
    """Return the sessions with a signal, and those without one by reason, with their shares of all scored sessions."""
    total, abstained = metrics["rows"], metrics["abstained"]
    signalled = round(total * (metrics["signalled"] or 0))
    counts = [("Buy or sell", signalled), *((REASONS.get(code, code), rows) for code, rows in abstained.items())]
    return [Row(label, [count(rows), percent(rows / total if total else None)]) for label, rows in counts]


def tail_rows(record: Figures) -> list[Row]:
    """Return the tests of each tail at each horizon of a `walk_forward_record`, and the loss beside EWMA's."""
    return [
        Row(
            f"{horizon}, {percent(tail['tail'])}",
            [
                percent(tail["hit_rate"], 2),
                count(tail["rows"]),
                p_value(tail["kupiec_p"]),
                p_value(tail["independence_p"]),
                number(tail["fz0"], 3),
                number(tail["fz0_ewma"], 3),
            ],
        )
        for horizon, figures in record["horizons"].items()
        for tail in figures["tails"]
    ]


def volatility_rows(record: Figures) -> list[Row]:
    """Return the QLIKE loss of the volatility at each horizon of a `walk_forward_record` beside EWMA's."""
    rows = []
    for horizon, figures in record["horizons"].items():
        scores = figures["volatility"]
        losses = [number(scores[name], 3) for name in ("qlike", "qlike_ewma")]
        rows.append(Row(horizon, [count(scores["rows"]), *losses, _signed(scores["qlike_skill"])]))
    return rows


def touch_rows(record: Figures) -> list[Row]:
    """Return the Brier score of the probability to touch levels at each horizon of a `walk_forward_record`."""
    return [
        Row(
            f"{horizon}, {touch['pct']:+g} %",
            [
                percent(touch["rate"]),
                count(touch["rows"]),
                *(number(touch[name], 4) for name in ("brier", "brier_frequency")),
                _signed(touch["skill"]),
            ],
        )
        for horizon, figures in record["horizons"].items()
        for touch in figures.get("touch", ())
    ]


def trade_rows(backtest: Backtest) -> list[dict[str, Any]]:
    """Return the last trades, newest first."""
    rows = backtest.trades.iloc[::-1].head(TRADES_SHOWN)
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def _by_horizon(specs: Sequence[RowSpec], metrics: Figures) -> list[Row]:
    columns = [metrics["by_horizon"][horizon] for horizon in horizons_shown(metrics)]
    return [spec.row(columns) for spec in specs]
