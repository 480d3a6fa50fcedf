"""The report's verdicts and tables: each figure beside its baseline, and no skill claimed that is not there."""

import re
from dataclasses import replace

import pytest

from tests.pipelines.reports.sample_report import CERTIFICATE, PRICE_STUDY, SIGNAL_STUDY, make_report, traded
from zenith_core.backtesting.backtest import BacktestConfig, forecast_signals
from zenith_pipelines.reports import methodology as method
from zenith_pipelines.reports import tables
from zenith_pipelines.reports.formatting import chance, day, number, p_value, share, span, tiny
from zenith_pipelines.reports.verdicts import verdicts

PRICE, BAND, SIGNAL, LSTM, ENSEMBLE, LOOK_AHEAD = range(6)


@pytest.fixture(scope="module")
def report():
    return make_report()


def with_strategy(report, **changes):
    """The report with other figures of the LSTM strategy."""
    stats = report.lstm_backtest.stats
    changed = {**stats, "strategy": {**stats["strategy"], **changes}}
    return replace(report, lstm_backtest=replace(report.lstm_backtest, stats=changed))


def ahead(report, p=None, deflated=None):
    """The report with an LSTM strategy that is ahead of buy-and-hold, with this support."""
    held = report.ensemble_backtest.stats["buy_and_hold"]
    stats = {"strategy": {**held, "sharpe": held["sharpe"] + 0.5, "trials": 3, "open_trades": 1}, "buy_and_hold": held}
    stats["strategy"] |= {"excess_sharpe_p_value": p, "deflated_sharpe": deflated}
    return replace(report, lstm_backtest=replace(report.lstm_backtest, stats=stats))


def test_a_model_with_skill_is_said_to_have_it():
    price, *_ = verdicts(make_report(foresight=0.5))
    assert price.good
    assert price.sentence == "Better than assuming an unchanged price"
    assert price.figures.endswith("significant at 2 of 2 horizons")


@pytest.mark.parametrize(
    ("coverage", "sentence"),
    [(0.80, "Too narrow"), (0.9, "Keeps its promise"), (0.99, "Too wide"), (None, "Not scored yet")],
)
def test_the_band_is_judged_by_its_coverage(coverage, sentence):
    report = make_report()
    metrics = {**report.price_metrics, "coverage": coverage}
    assert verdicts(replace(report, price_metrics=metrics))[1].sentence == sentence


@pytest.mark.parametrize(
    ("p", "deflated", "ending", "good"),
    [
        (0.01, 0.99, "after costs, beyond chance", True),
        (0.20, 0.99, "after costs, but chance alone may explain it", False),
        (0.01, 0.80, "after costs, but luck among so many trials may explain it", False),
        (None, None, "after costs, but its significance is unknown", False),
    ],
)
def test_a_gain_speaks_for_the_strategy_only_if_chance_and_trials_do_not_explain_it(report, p, deflated, ending, good):
    verdict = verdicts(ahead(report, p, deflated))[LSTM]

    assert verdict.sentence == f"Higher risk-adjusted return than buy and hold, {ending}"
    assert verdict.good is good


@pytest.mark.parametrize(
    ("by", "words"), [(-0.5, "Lower risk-adjusted return than"), (0.004, "Same risk-adjusted return as")]
)
def test_a_strategy_that_is_not_ahead_never_speaks_for_itself(report, by, words):
    held = report.lstm_backtest.stats["buy_and_hold"]["sharpe"]
    own = {"sharpe": held + by, "trades": 3, "excess_sharpe_p_value": 0.01, "deflated_sharpe": 0.99}
    verdict = verdicts(with_strategy(report, **own))[LSTM]

    assert verdict.sentence.startswith(words) and not verdict.good


def test_the_verdict_shows_interval_p_value_deflated_sharpe_and_trials(report):
    given = {"sharpe": 1.0, "sharpe_low": -0.2, "sharpe_high": 2.1, "trades": 3, "trials": 7}
    verdict = verdicts(with_strategy(report, **given, excess_sharpe_p_value=0.004, deflated_sharpe=0.4))[LSTM]

    figures = re.sub(r"\s", " ", verdict.figures)
    assert "Sharpe 1.00 (90 % interval -0.20 to 2.10)" in figures
    assert figures.endswith("p < 0.01; deflated Sharpe 40.0%, trials: 7")


def test_a_strategy_that_never_traded_is_said_to_have_nothing_to_compare(report):
    signals = forecast_signals(report.forecasts).map(lambda _: "hold")
    verdict = verdicts(replace(report, lstm_backtest=traded(report.prices, signals)))[LSTM]

    assert verdict.sentence == "It never traded: nothing to compare"
    assert not verdict.good


def test_the_certificate_is_judged(report):
    failed = {**CERTIFICATE, "passed": False, "offending_columns": ["bb_width"]}
    passed, refused, absent = (
        verdicts(replace(report, leakage=certificate))[LOOK_AHEAD] for certificate in (CERTIFICATE, failed, {})
    )

    assert passed.good and "2 histories cut short and 1 begun late" in passed.figures
    assert not refused.good and "bb_width" in refused.figures
    assert not absent.good and absent.sentence.startswith("Not tested")


class Asked:
    """Figures that remember which of them were asked for."""

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
    rows = {row.words: row.cells for row in tables.statistic_rows(report.lstm_backtest, report.ensemble_backtest)}

    assert set(STATISTICS) <= set(rows)
    assert {len(cells) for cells in rows.values()} == {4}
    stats = [b.stats[who] for b in (report.lstm_backtest, report.ensemble_backtest) for who in b.stats]
    assert rows["Total return"] == [share(each["total_return"]) for each in stats]
    assert rows["Sharpe ratio, 90 % interval"] == [span(each["sharpe_low"], each["sharpe_high"]) for each in stats]
    assert rows["Break-even cost per side"] == [share(each["break_even_cost"], 2) for each in stats]


def test_every_figure_of_the_statistics_is_in_the_table(report):
    asked = Asked()
    backtest = replace(report.lstm_backtest, stats={"strategy": asked, "buy_and_hold": asked})
    tables.statistic_rows(backtest, backtest)

    assert set(report.lstm_backtest.stats["strategy"]) - asked.keys == {"sessions", "open_trades"}


def test_what_is_undefined_is_a_dash(report):
    undefined = dict.fromkeys(report.lstm_backtest.stats["strategy"])
    backtest = replace(report.lstm_backtest, stats={"strategy": undefined, "buy_and_hold": {}})
    assert {cell for row in tables.statistic_rows(backtest, backtest) for cell in row.cells} == {"–"}


def test_errors_and_bands_have_a_column_for_each_horizon_and_their_baselines(report):
    errors = {row.words: row for row in tables.error_rows(report.price_metrics)}
    by_horizon = report.price_metrics["by_horizon"]

    assert tables.horizons_shown(report.price_metrics) == ["1", "5"]
    assert errors["Mean absolute error"].cells == [share(by_horizon[h]["mae"], 2) for h in ("1", "5")]
    assert errors["… of the random walk"].base and errors["Price rose"].base
    bands = {row.words: row.cells for row in tables.band_rows(report.price_metrics)}
    assert bands["Price inside the 90 % band"] == [share(by_horizon[h]["coverage"]) for h in ("1", "5")]
    assert bands["Pinball loss"] == ["–", "–"]  # these forecasts have no quantiles


def test_precision_and_recall_of_each_class_are_beside_its_base_rate():
    confusion = {
        "sell": {"sell": 3, "hold": 1, "buy": 0},
        "hold": {"sell": 1, "hold": 4, "buy": 0},
        "buy": {"sell": 0, "hold": 1, "buy": 0},
    }
    rows = tables.class_rows({"confusion": confusion, "base_rates": {"sell": 0.4, "hold": 0.5, "buy": 0.1}})

    assert [(row.words, *row.cells) for row in rows] == [
        ("sell", "75.0%", "75.0%", "75.0%", "40.0%"),
        ("hold", "66.7%", "80.0%", "72.7%", "50.0%"),
        ("buy", "–", "0.0%", "0.0%", "10.0%"),
    ]


def test_silence_is_counted_by_reason(report):
    metrics = {"rows": 200, "signalled": 0.25, "abstained": {"low_confidence": 100, "outside_training_range": 50}}
    rows = tables.abstention_rows(metrics)

    assert [row.cells for row in rows] == [["50", "25.0%"], ["100", "50.0%"], ["50", "25.0%"]]
    assert rows[2].words == "The model abstains: today is unlike anything it was trained on."
    assert tables.abstention_rows({"rows": 0, "signalled": None, "abstained": {}})[0].cells == ["0", "–"]


def test_the_folds_end_with_the_model_that_serves():
    fold, served = method.price_fold_rows(PRICE_STUDY)

    assert (fold.words, fold.cells[3:]) == ("1", ["1,461", "0.00, 0.00, 0.00", "0.41, 0.41, 0.00"])
    assert (served.words, served.cells[2:]) == ("served", ["–", "2,645", "0.86, 0.83, 0.83", "0.50, 0.10"])


def test_a_model_of_before_each_horizon_had_its_own_shows_its_one_factor():
    old = {"folds": [], "final": {**PRICE_STUDY["final"], "shrinkage": {"linear": 0.858, "network": 0.0}}}

    assert method.price_fold_rows(old)[0].cells[-2:] == ["0.86", "0.00"]


def test_a_signal_model_learns_up_to_the_gap_and_says_whether_it_may_speak():
    fold, served = method.signal_fold_rows(SIGNAL_STUDY)

    assert fold.cells[:2] == ("2001-05-22 to 2008-05-05", "2008-06-18 to 2009-08-19")
    assert fold.cells[2:] == ("1,461", "1,782", "0.36", "0.30", "no")
    assert served.cells[-2:] == ("< 0.01", "yes")


def test_the_ways_of_trading_are_told():
    plain = vars(BacktestConfig())
    other = {**plain, "allow_short": True, "target_volatility": 0.15, "holding_period": 5}

    assert method.trading_words(plain) == (
        "commission 0.10% and slippage 0.05% per side, long or in cash, full capital, held until the opposite signal"
    )
    assert method.trading_words(other).endswith(
        "long or short, sized for an annual volatility of 15.0%, held at most 5 sessions after its last signal"
    )


def test_numbers_are_written_as_people_read_them():
    assert [share(-0.00001), share(0.1234, 2, sign=True), number(-0.001), number(1234.5)] == [
        *("0.0%", "+12.34%", "0.00", "1,234.50"),
    ]
    assert [chance(0.004), chance(0.01), tiny(0.0), tiny(5.6e-6)] == ["< 0.01", "0.01", "0", "6e-06"]
    assert p_value(0.16).split() == ["p", "=", "0.16"]
    assert {show(None) for show in (share, number, chance, tiny)} == {"–"} and day(None) == "open"
