"""The report's verdicts and tables: each figure beside its baseline, and no skill claimed without evidence."""

import re
from dataclasses import replace

import pytest

from tests.pipelines.reports.sample_report import CERTIFICATE, PRICE_STUDY, SIGNAL_STUDY, make_report, run_backtest
from zenith_core.backtesting.backtest import BacktestConfig, forecast_signals
from zenith_pipelines.reports import methodology as method
from zenith_pipelines.reports import tables
from zenith_pipelines.reports.formatting import day, interval, magnitude, number, p_value, p_value_text, percent
from zenith_pipelines.reports.verdicts import verdicts

PRICE, BAND, SIGNAL, LSTM, ENSEMBLE, LOOK_AHEAD = range(6)


@pytest.fixture(scope="module")
def report():
    return make_report()


def with_backtest(report, backtest):
    """Return the report with another backtest of the LSTM."""
    return replace(report, backtests={**report.backtests, "lstm": backtest})


def with_strategy(report, **changes):
    """Return the report with other figures of the LSTM strategy."""
    stats = report.backtests["lstm"].stats
    stats = {**stats, "strategy": {**stats["strategy"], **changes}}
    return with_backtest(report, replace(report.backtests["lstm"], stats=stats))


def ahead(report, p=None, probability=None):
    """Return the report with an LSTM strategy that beats buy-and-hold, with this evidence."""
    benchmark = report.backtests["ensemble"].stats["buy_and_hold"]
    strategy = {**benchmark, "sharpe": benchmark["sharpe"] + 0.5, "trials": 3, "open_trades": 1}
    stats = {"strategy": strategy, "buy_and_hold": benchmark}
    stats["strategy"] |= {"excess_sharpe_p_value": p, "deflated_sharpe": probability}
    return with_backtest(report, replace(report.backtests["lstm"], stats=stats))


def test_the_verdict_states_that_a_model_has_skill():
    price, *_ = verdicts(make_report(foresight=0.5))
    assert price.good
    assert price.sentence == "Better than assuming an unchanged price"
    assert price.figures.endswith("significant at 2 of 2 horizons")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("coverage", "sentence"),
    [(0.80, "Too narrow"), (0.9, "Keeps its promise"), (0.99, "Too wide"), (None, "Not scored yet")],
)
def test_the_verdict_on_the_band_follows_its_coverage(coverage, sentence):
    report = make_report()
    metrics = {**report.price_metrics, "coverage": coverage}
    assert verdicts(replace(report, price_metrics=metrics))[1].sentence == sentence


def test_served_bands_are_judged_by_their_own_record(report):
    report = replace(report, scale_version="prior-2024")

    verdict = verdicts(report)[1]
    assert (verdict.sentence, verdict.good) == ("Keeps its promise", True)
    figures = verdict.figures.replace("\N{NO-BREAK SPACE}", " ")
    assert figures == "covered 89.7% of prices 1 sessions ahead; skill against EWMA +1.6%, p = 0.03"
    bands = {row.label: row.cells for row in tables.band_rows(report.band_metrics)}
    assert bands["Price inside the 90 % band"] == ["89.7%"]
    assert bands["… of EWMA × own quantiles"] == ["0.62%"]
    assert verdicts(replace(report, risk_record={}))[1].sentence == "Not scored yet"
    assert tables.band_rows(replace(report, risk_record={}).band_metrics)[0].cells == []


@pytest.mark.parametrize(
    ("p", "probability", "ending", "good"),
    [
        (0.01, 0.99, "after costs, beyond chance", True),
        (0.20, 0.99, "after costs, but chance alone may explain it", False),
        (0.01, 0.80, "after costs, but luck among so many trials may explain it", False),
        (None, None, "after costs, but its significance is unknown", False),
    ],
)
def test_a_gain_favours_the_strategy_only_if_chance_and_trials_do_not_explain_it(report, p, probability, ending, good):
    verdict = verdicts(ahead(report, p, probability))[LSTM]

    assert verdict.sentence == f"Higher risk-adjusted return than buy and hold, {ending}"
    assert verdict.good is good


@pytest.mark.parametrize(
    ("by", "opening"), [(-0.5, "Lower risk-adjusted return than"), (0.004, "Same risk-adjusted return as")]
)
def test_a_strategy_that_does_not_beat_buy_and_hold_is_never_favoured(report, by, opening):
    benchmark = report.backtests["lstm"].stats["buy_and_hold"]["sharpe"]
    own = {"sharpe": benchmark + by, "trades": 3, "excess_sharpe_p_value": 0.01, "deflated_sharpe": 0.99}
    verdict = verdicts(with_strategy(report, **own))[LSTM]

    assert verdict.sentence.startswith(opening) and not verdict.good


def test_the_verdict_shows_interval_p_value_deflated_sharpe_and_trials(report):
    figures = {"sharpe": 1.0, "sharpe_low": -0.2, "sharpe_high": 2.1, "trades": 3, "trials": 7}
    verdict = verdicts(with_strategy(report, **figures, excess_sharpe_p_value=0.004, deflated_sharpe=0.4))[LSTM]

    figures = re.sub(r"\s", " ", verdict.figures)
    assert "Sharpe 1.00 (90 % interval -0.20 to 2.10)" in figures
    assert figures.endswith("p < 0.01; deflated Sharpe 40.0%, trials: 7")


def test_the_verdict_on_a_strategy_without_trades_has_nothing_to_compare(report):
    signals = forecast_signals(report.forecasts).map(lambda _: "hold")
    verdict = verdicts(with_backtest(report, run_backtest(report.prices, signals)))[LSTM]

    assert verdict.sentence == "It never traded: nothing to compare"
    assert not verdict.good


def test_the_verdict_on_look_ahead_follows_the_certificate(report):
    failing = {**CERTIFICATE, "passed": False, "offending_columns": ["bb_width"]}
    good, bad, missing = (
        verdicts(replace(report, leakage=certificate))[LOOK_AHEAD] for certificate in (CERTIFICATE, failing, {})
    )

    assert good.good and "2 histories cut short and 1 begun late" in good.figures
    assert not bad.good and "bb_width" in bad.figures
    assert not missing.good and missing.sentence.startswith("Not tested")


class RecordingFigures:
    """Figures that record the keys that are read."""

    def __init__(self):
        self.keys = set()

    def get(self, key):
        self.keys.add(key)


STATISTICS = (
    *("Total return", "Annual return", "Annual volatility", "Sharpe ratio", "Sharpe ratio, 90 % interval"),
    *("Sortino ratio", "Calmar ratio", "Maximum drawdown", "Longest time below a peak, sessions"),
    *("Annual turnover, times the account", "Time in the market", "Winning trades"),
    *("Profit factor, gains over losses", "Break-even cost per side"),
    "… above the luckiest of all trials (deflated)",
)


def test_every_statistic_is_beside_buy_and_hold(report):
    rows = {row.label: row.cells for row in tables.statistic_rows(report.backtests.values())}

    assert set(STATISTICS) <= set(rows)
    assert {len(cells) for cells in rows.values()} == {4}
    stats = [b.stats[name] for b in report.backtests.values() for name in b.stats]
    assert rows["Total return"] == [percent(each["total_return"]) for each in stats]
    assert rows["Sharpe ratio, 90 % interval"] == [interval(each["sharpe_low"], each["sharpe_high"]) for each in stats]
    assert rows["Break-even cost per side"] == [percent(each["break_even_cost"], 2) for each in stats]


def test_every_figure_of_the_statistics_is_in_the_table(report):
    figures = RecordingFigures()
    backtest = replace(report.backtests["lstm"], stats={"strategy": figures, "buy_and_hold": figures})
    tables.statistic_rows([backtest, backtest])

    assert set(report.backtests["lstm"].stats["strategy"]) - figures.keys == {"sessions", "open_trades"}


def test_undefined_figures_are_dashes(report):
    no_figures = dict.fromkeys(report.backtests["lstm"].stats["strategy"])
    backtest = replace(report.backtests["lstm"], stats={"strategy": no_figures, "buy_and_hold": {}})
    assert {cell for row in tables.statistic_rows([backtest, backtest]) for cell in row.cells} == {"–"}


def test_errors_and_bands_have_a_column_for_each_horizon_and_their_baselines(report):
    errors = {row.label: row for row in tables.error_rows(report.price_metrics)}
    by_horizon = report.price_metrics["by_horizon"]

    assert tables.horizons_shown(report.price_metrics) == ["1", "5"]
    assert errors["Mean absolute error"].cells == [percent(by_horizon[h]["mae"], 2) for h in ("1", "5")]
    assert errors["… of the random walk"].base and errors["Price rose"].base
    bands = {row.label: row.cells for row in tables.band_rows(report.price_metrics)}
    assert bands["Price inside the 90 % band"] == [percent(by_horizon[h]["coverage"]) for h in ("1", "5")]
    assert bands["Pinball loss"] == ["–", "–"]  # these forecasts have no quantiles


def test_precision_and_recall_of_each_class_are_beside_its_base_rate():
    confusion = {
        "sell": {"sell": 3, "hold": 1, "buy": 0},
        "hold": {"sell": 1, "hold": 4, "buy": 0},
        "buy": {"sell": 0, "hold": 1, "buy": 0},
    }
    rows = tables.class_rows({"confusion": confusion, "base_rates": {"sell": 0.4, "hold": 0.5, "buy": 0.1}})

    assert [(row.label, *row.cells) for row in rows] == [
        ("sell", "75.0%", "75.0%", "75.0%", "40.0%"),
        ("hold", "66.7%", "80.0%", "72.7%", "50.0%"),
        ("buy", "–", "0.0%", "0.0%", "10.0%"),
    ]


def test_abstentions_are_counted_by_reason(report):
    metrics = {"rows": 200, "signalled": 0.25, "abstained": {"low_confidence": 100, "outside_training_range": 50}}
    rows = tables.abstention_rows(metrics)

    assert [row.cells for row in rows] == [["50", "25.0%"], ["100", "50.0%"], ["50", "25.0%"]]
    assert rows[2].label == "The model abstains: today is unlike anything it was trained on."
    assert tables.abstention_rows({"rows": 0, "signalled": None, "abstained": {}})[0].cells == ["0", "–"]


def test_the_last_row_of_the_folds_is_the_final_model():
    fold, final = method.price_fold_rows(PRICE_STUDY)

    assert (fold.label, fold.cells[3:]) == ("1", ["1,461", "0.00, 0.00, 0.00", "0.41, 0.41, 0.00"])
    assert (final.label, final.cells[2:]) == ("served", ["–", "2,645", "0.86, 0.83, 0.83", "0.50, 0.10"])


def test_an_old_model_with_one_factor_for_all_horizons_shows_it():
    old = {"folds": [], "final": {**PRICE_STUDY["final"], "shrinkage": {"linear": 0.858, "network": 0.0}}}

    assert method.price_fold_rows(old)[0].cells[-2:] == ["0.86", "0.00"]


def test_a_fold_of_the_signal_model_shows_its_training_dates_calibration_and_test():
    fold, final = method.signal_fold_rows(SIGNAL_STUDY)

    assert fold.cells[:2] == ("2001-05-22 to 2008-05-05", "2008-06-18 to 2009-08-19")
    assert fold.cells[2:] == ("1,461", "1,782", "0.36", "0.30", "no")
    assert final.cells[-2:] == ("< 0.01", "yes")


def test_the_trading_rules_are_described():
    plain = vars(BacktestConfig())
    other = {**plain, "allow_short": True, "target_volatility": 0.15, "holding_period": 5}

    assert method.trading_rules(plain) == (
        "commission 0.10% and slippage 0.05% per side, long or in cash, full capital, held until the opposite signal"
    )
    assert method.trading_rules(other).endswith(
        "long or short, sized for an annual volatility of 15.0%, held at most 5 sessions after its last signal"
    )


def test_numbers_are_formatted_for_people():
    assert [percent(-0.00001), percent(0.1234, 2, sign=True), number(-0.001), number(1234.5)] == [
        *("0.0%", "+12.34%", "0.00", "1,234.50"),
    ]
    assert [p_value(0.004), p_value(0.01), magnitude(0.0), magnitude(5.6e-6)] == ["< 0.01", "0.01", "0", "6e-06"]
    assert p_value_text(0.16).split() == ["p", "=", "0.16"]
    assert {show(None) for show in (percent, number, p_value, magnitude)} == {"–"} and day(None) == "open"


def test_the_statistics_name_each_model_and_mark_buy_and_hold():
    assert tables.statistic_headings({"lstm": "LSTM", "gru": "GRU"}) == [
        "",
        "LSTM",
        "Buy and hold",
        "GRU",
        "Buy and hold",
    ]
    assert tables.benchmark_columns(["lstm", "gru"]) == [2, 4]
    assert tables.lineage_headings({"lstm": "LSTM", "gru": "GRU", "ensemble": "Ensemble"}, "AAPL") == [
        *("Price model", "GRU", "Signal model"),
    ]
