"""The metrics against figures worked out by hand, scikit-learn and scipy, and on hostile tables; never NaN."""

import json

import numpy as np
import pandas as pd
import pytest

from zenith_core.errors import NonFiniteInput
from zenith_core.evaluation.metrics import diebold_mariano, price_metrics, signal_metrics
from zenith_core.risk.backtest import MIN_TEST_ROWS
from zenith_core.statistics.diebold_mariano import loss_test


def make_forecasts(close, forecast, horizon=1, half_width=0.1):
    """Forecasts from each session of `close` but the last; the last ones have not matured."""
    close, forecast = np.asarray(close, dtype=float), np.asarray(forecast, dtype=float)
    dates = pd.bdate_range("2020-01-01", periods=len(close) + horizon, name="date")
    actual = np.concatenate([close[horizon:], np.full(horizon, np.nan)])
    return pd.DataFrame(
        {
            "origin": dates[: len(close)],
            "horizon": horizon,
            "target_date": dates[horizon:],
            "close": close,
            "forecast": forecast,
            "lower": forecast * (1 - half_width),
            "upper": forecast * (1 + half_width),
            "actual": actual,
        }
    )


def random_walk(sessions, seed=0):
    return 50 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, sessions)))


def make_signals(probabilities, label, signal=None):
    table = pd.DataFrame(probabilities, columns=["sell", "hold", "buy"])
    table["signal"] = signal if signal is not None else table.idxmax(axis=1)
    table["label"] = label
    table.insert(0, "date", pd.bdate_range("2020-01-01", periods=len(table)))
    return table


class TestDieboldMariano:
    def test_one_step_is_the_paired_t_test(self):
        from scipy.stats import ttest_rel

        rng = np.random.default_rng(1)
        own, other = rng.normal(0, 1, 60), rng.normal(0, 1.3, 60)
        expected = ttest_rel(own**2, other**2, alternative="less")
        assert diebold_mariano(own, other, 1) == pytest.approx((expected.statistic, expected.pvalue))

    def test_two_steps_worked_by_hand(self):
        # Loss differences 1, 2, 0, 3, -1, 1: mean 1, centred 0, 1, -1, 2, -2, 0; squares sum to 10, neighbours'
        # products to 0 - 1 - 2 - 4 + 0 = -7. Autocovariances 10/6 and -7/6; 10/6 - 14/6 < 0, so Bartlett: 10/6 - 7/6.
        # Variance of the mean 0.5/6; correction (6 + 1 - 4 + 2/6)/6 = 5/9; sqrt(12) * sqrt(5/9) = 2.581989.
        own, other = np.sqrt([1, 2, 0, 3, 0, 1]), np.sqrt([0, 0, 0, 0, 1, 0])
        statistic, p_value = diebold_mariano(own, other, 2)
        assert statistic == pytest.approx(2.581989, abs=1e-6)
        assert p_value == pytest.approx(1 - 0.0247, abs=2e-4)  # Student t with 5 degrees of freedom

    def test_positive_autocovariances_widen_the_variance(self):
        # Differences 3, 3, 1, 1: mean 2, centred 1, 1, -1, -1; autocovariances 4/4 and (1 - 1 + 1)/4.
        # Variance (1 + 0.5)/4; correction (4 + 1 - 4 + 2/4)/4 = 0.375; 2/sqrt(0.375) * sqrt(0.375) = 2.
        statistic, _ = diebold_mariano(np.sqrt([3, 3, 1, 1]), np.zeros(4), 2)
        assert statistic == pytest.approx(2)

    def test_a_better_forecast_has_a_negative_statistic_and_a_small_p(self):
        rng = np.random.default_rng(2)
        statistic, p_value = diebold_mariano(rng.normal(0, 0.5, 200), rng.normal(0, 1, 200), 5)
        assert statistic < -3
        assert p_value < 0.01

    @pytest.mark.parametrize(("horizon", "reference"), [(1, 0.4435), (10, 0.4681)])
    def test_the_p_value_is_that_of_the_r_package_forecast(self, horizon, reference):
        """R's example of `forecast::dm.test`: WWWusage, ets against auto.arima, the last 20 values, one-sided.

        Errors and p-values as published in the tests of JuliaStats' HypothesisTests.jl.
        """
        ets = [
            *(0.002241270, -0.000661906, -1.200002613, -4.000218178, 3.799373533, 3.401005111, -1.199692125),
            *(-0.800490048, -1.200048999, 3.399847229, 7.000708948, 2.200989241, -4.800165569, -1.201043375),
            *(3.400167556, 3.000709085, 0.400267950, -6.800169207, -2.401259050, 1.200112198),
        ]
        arima = [
            *(0.1209998, 8.0622269, -0.9189429, -1.7952436, 5.3431277, 2.0459823, -0.6073261),
            *(0.5516816, -0.7633238, 4.1229472, 5.8785333, 1.2828331, -3.4854233, 1.1971370),
            *(3.1709314, 2.3408457, 0.4962286, -5.9841362, 0.1537114, 0.4207951),
        ]
        assert diebold_mariano(ets, arima, horizon)[1] == pytest.approx(reference, abs=5e-5)

    @pytest.mark.parametrize(("own", "other", "horizon"), [([1, 2], [1, 2], 1), ([1, 2, 3], [2, 1, 0], 3), ([], [], 1)])
    def test_undefined_is_nan(self, own, other, horizon):
        assert np.isnan(diebold_mariano(own, other, horizon)).all()

    def test_noise_is_called_skill_about_one_time_in_twenty(self):
        rng = np.random.default_rng(3)
        p_values = [diebold_mariano(*rng.normal(0, 1, (2, 250)), 1)[1] for _ in range(400)]
        assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.09

    @pytest.mark.slow
    @pytest.mark.parametrize("horizon", [5, 20])
    def test_it_keeps_its_size_for_overlapping_forecasts_with_the_fewest_rows_that_are_tested(self, horizon):
        """Two scales, equally good, whose persistent difference has nothing to do with the overlapping outcomes."""
        from scipy.signal import lfilter

        count, rng = MIN_TEST_ROWS * horizon, np.random.default_rng(7)
        outcomes = lfilter(np.ones(horizon), 1, rng.normal(size=(1000, count + horizon)))[:, horizon:] / horizon**0.5
        difference = lfilter([1], [1, -0.9], rng.normal(size=(1000, count)))
        losses = difference * (np.abs(outcomes) - (2 / np.pi) ** 0.5)

        rejected = np.mean([loss_test(one, horizon)[1] < 0.05 for one in losses])

        assert rejected == pytest.approx(0.05, abs=0.02)  # 0.7 points are its standard error


class TestPriceMetrics:
    def test_figures_worked_by_hand(self):
        forecasts = make_forecasts([100, 110, 99, 99], [105, 110, 108.9, 99], half_width=0.06)
        metrics = price_metrics(forecasts)["by_horizon"]["1"]
        # errors: (105 - 110)/100, (110 - 99)/110, (108.9 - 99)/99; of the random walk: -0.1, 0.1, 0
        assert (metrics["rows"], metrics["unscored"]) == (3, 1)
        assert metrics["mae"] == pytest.approx(0.25 / 3)
        assert metrics["mse"] == pytest.approx((0.0025 + 0.01 + 0.01) / 3)
        assert metrics["rmse"] == pytest.approx(np.sqrt(0.0225 / 3))
        assert metrics["mae_random_walk"] == pytest.approx(0.2 / 3)
        assert metrics["mase"] == pytest.approx(1.25)
        assert metrics["skill"] == pytest.approx(1 - 0.0225 / 0.02)
        assert metrics["coverage"] == pytest.approx(1 / 3)  # 110 is within 105 +- 6 %
        # moves: up (forecast up: right), down (forecast unchanged: no direction), none (left out)
        assert (metrics["direction_accuracy"], metrics["base_rate_up"]) == (1.0, 0.5)

    def test_the_random_walk_itself_has_no_skill(self):
        close = random_walk(300)
        metrics = price_metrics(make_forecasts(close, close))
        assert (metrics["skill"], metrics["mase"], metrics["beats_naive"]) == (0, 1, False)
        assert (metrics["dm_statistic"], metrics["p_value"], metrics["direction_accuracy"]) == (None, None, None)

    def test_a_price_one_day_late_is_worse_than_naive(self):
        close = random_walk(300)
        metrics = price_metrics(make_forecasts(close, np.concatenate([close[:1], close[:-1]])))
        assert metrics["skill"] < -0.5
        assert not metrics["beats_naive"]

    def test_foresight_beats_naive(self):
        close = random_walk(300)
        forecast = np.sqrt(close * np.append(close[5:], close[-5:]))
        metrics = price_metrics(make_forecasts(close, forecast, horizon=5))
        assert metrics["beats_naive"]
        assert metrics["p_value"] < 0.001
        assert metrics["skill"] == pytest.approx(0.75, abs=0.03)
        assert metrics["direction_accuracy"] == 1

    def test_figures_do_not_depend_on_the_currency(self):
        close = random_walk(100)
        forecast = close * 1.01
        assert price_metrics(make_forecasts(close, forecast))["mse"] == pytest.approx(
            price_metrics(make_forecasts(close * 5, forecast * 5))["mse"]
        )

    def test_the_headline_is_horizon_five_or_the_nearest(self):
        close = random_walk(60)
        tables = {horizon: make_forecasts(close, close * 1.01, horizon) for horizon in (1, 5, 20)}
        both = price_metrics(pd.concat(tables.values(), ignore_index=True))
        assert both["horizon"] == 5
        assert list(both["by_horizon"]) == ["1", "5", "20"]
        assert both["by_horizon"]["5"].items() <= both.items()
        assert price_metrics(tables[1])["horizon"] == 1

    def test_the_order_of_rows_does_not_matter(self):
        close = random_walk(120)
        forecasts = make_forecasts(close, close * 1.005, 5)
        assert price_metrics(forecasts.sample(frac=1, random_state=1)) == price_metrics(forecasts)

    def test_drift_is_a_baseline_too(self):
        close = 100 * 1.001 ** np.arange(600)
        forecasts = make_forecasts(close, close * 1.001)
        drift = price_metrics(forecasts.assign(forecast=close))["drift_skill"]
        assert drift < 0  # on a steady rise, no change is worse than drift
        assert price_metrics(forecasts)["skill"] == pytest.approx(1)

    def test_the_drift_is_that_of_the_whole_history_up_to_each_origin(self):
        earlier = 100 * 1.002 ** np.arange(400)
        close = earlier[-1] * 0.999 ** np.arange(1, 201)
        history = pd.Series(np.concatenate([earlier, close]), index=pd.bdate_range(end="2024-06-28", periods=600))
        forecasts = make_forecasts(close, close * 1.0005, horizon=1)
        forecasts["origin"] = history.index[400:]
        by_hand = close * (close / 100) ** (1 / np.arange(400, 600))
        error, drift_price = (((guess - forecasts["actual"]) / close)[:-1] for guess in (close * 1.0005, by_hand))

        expected = 1 - (error**2).mean() / (drift_price**2).mean()
        assert price_metrics(forecasts, history)["drift_skill"] == pytest.approx(expected)
        assert price_metrics(forecasts)["drift_skill"] != pytest.approx(expected)

    def test_to_have_learned_the_drift_is_not_to_beat_naive(self):
        close = 100 * np.exp(0.004 * np.arange(900) + np.random.default_rng(1).normal(0, 0.004, 900))
        history = pd.Series(close, index=pd.bdate_range("2018-01-01", periods=900))
        forecasts = make_forecasts(close[500:], close[500:] * np.exp(0.0036))
        forecasts["origin"] = history.index[500:]

        metrics = price_metrics(forecasts, history)

        assert metrics["p_value"] < 0.05
        assert metrics["skill"] > 0
        assert metrics["drift_skill"] < 0
        assert not metrics["beats_naive"]

    def test_quantiles_are_scored_where_the_table_has_them(self):
        close = random_walk(600)
        forecasts = make_forecasts(close, close)
        plain = price_metrics(forecasts)
        growth = np.exp(0.02 * np.array([-1.645, -1.282, -0.674, 0, 0.674, 1.282, 1.645]))
        names = ["q05", "q10", "q25", "q50", "q75", "q90", "q95"]
        scores = price_metrics(forecasts.assign(**dict(zip(names, close * growth[:, np.newaxis], strict=True))))

        assert (plain["pinball"], plain["pinball_skill"]) == (None, None)
        assert 0 < scores["pinball_skill"] < 0.05
        assert scores["pinball"] < 0.02
        json.dumps(scores, allow_nan=False)

    def test_forecasts_not_yet_matured_give_none_not_nan(self):
        close = random_walk(10)
        metrics = price_metrics(make_forecasts(close, close).assign(actual=np.nan))
        json.dumps(metrics, allow_nan=False)
        assert (metrics["rows"], metrics["unscored"]) == (0, 10)
        assert (metrics["skill"], metrics["coverage"], metrics["beats_naive"]) == (None, None, False)

    def test_a_price_that_never_moves_gives_none_not_nan(self):
        close = np.full(50, 10.0)
        metrics = price_metrics(make_forecasts(close, close))
        json.dumps(metrics, allow_nan=False)
        assert (metrics["skill"], metrics["mase"], metrics["direction_accuracy"]) == (None, None, None)

    @pytest.mark.parametrize("column", ["forecast", "lower", "close"])
    def test_a_forecast_that_is_not_finite_is_refused(self, column):
        forecasts = make_forecasts(random_walk(10), random_walk(10))
        forecasts.loc[3, column] = np.nan
        with pytest.raises(NonFiniteInput):
            price_metrics(forecasts)

    def test_no_forecasts_are_refused(self):
        with pytest.raises(NonFiniteInput, match="at least one"):
            price_metrics(make_forecasts([1.0], [1.0]).iloc[:0])


class TestSignalMetrics:
    def random_signals(self, rows=500, seed=5):
        rng = np.random.default_rng(seed)
        return make_signals(rng.dirichlet([4, 6, 5], rows), rng.choice(["sell", "hold", "buy"], rows))

    def test_classification_agrees_with_scikit_learn(self):
        from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_recall_fscore_support

        signals = self.random_signals()
        metrics = signal_metrics(signals)
        label, signal = signals["label"], signals["signal"]
        expected = precision_recall_fscore_support(label, signal, average="macro")[:3]
        assert [metrics[name] for name in ("precision", "recall", "f1")] == pytest.approx(list(expected))
        assert metrics["accuracy"] == pytest.approx(accuracy_score(label, signal))
        counts = [[metrics["confusion"][a][b] for b in ("sell", "hold", "buy")] for a in ("sell", "hold", "buy")]
        assert counts == confusion_matrix(label, signal, labels=["sell", "hold", "buy"]).tolist()
        assert metrics["log_loss"] == pytest.approx(log_loss(label, signals[["buy", "hold", "sell"]]))

    def test_scores_worked_by_hand(self):
        signals = make_signals([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]], ["hold", "buy"])
        metrics = signal_metrics(signals, horizon=1)
        assert metrics["brier"] == pytest.approx((0.04 + 0.25 + 0.09 + 0.36 + 0.09 + 0.81) / 2)
        # the baseline knows nothing at first (1/3 each), then one hold: 1/4, 2/4, 1/4
        assert metrics["brier_baseline"] == pytest.approx((2 / 3 + 1 / 16 + 4 / 16 + 9 / 16) / 2)
        assert metrics["base_rates"] == {"sell": 0, "hold": 0.5, "buy": 0.5}

    def test_the_baseline_knows_a_label_only_after_its_horizon(self):
        uniform = np.full((8, 3), 1 / 3)
        metrics = signal_metrics(make_signals(uniform, "buy"), horizon=5)
        # six rows know nothing... the sixth row knows the first label, and so on: counts 0, 0, 0, 0, 0, 1, 2, 3
        buys = np.array([0, 0, 0, 0, 0, 1, 2, 3])
        assert metrics["log_loss_baseline"] == pytest.approx(-np.log((buys + 1) / (buys + 3)).mean())

    def test_the_baseline_starts_from_earlier_labels(self):
        signals = make_signals(np.full((3, 3), 1 / 3), "buy")
        metrics = signal_metrics(signals, earlier_labels=["buy"] * 97 + ["", "unknown"])
        assert metrics["log_loss_baseline"] == pytest.approx(-np.log(98 / 100))
        assert metrics["accuracy_baseline"] == 1

    def test_rows_without_a_label_are_left_out_and_counted(self):
        signals = self.random_signals(100)
        with_unknown = pd.concat([signals, signals.iloc[:7].assign(label="")], ignore_index=True)
        scores = signal_metrics(with_unknown)
        assert (scores.pop("rows"), scores.pop("unlabelled")) == (100, 7)
        assert scores == {key: value for key, value in signal_metrics(signals).items() if key in scores}

    def test_classes_are_scored_by_probability_also_when_the_model_abstains(self):
        signals = self.random_signals()
        abstaining = signal_metrics(signals.assign(signal="hold", reason="fails_baseline"))
        same = ("accuracy", "precision", "recall", "f1", "confusion", "brier", "ece")
        expected = signal_metrics(signals)
        assert [abstaining[name] for name in same] == [expected[name] for name in same]
        assert (abstaining["signalled"], abstaining["abstained"]) == (0, {"fails_baseline": 500})

    def test_abstentions_are_counted_by_reason(self):
        signals = make_signals(np.full((4, 3), 1 / 3), "hold", ["buy", "hold", "hold", "sell"])
        signals["reason"] = ["model", "low_confidence", "outside_training_range", "model"]
        metrics = signal_metrics(signals)
        assert metrics["abstained"] == {"low_confidence": 1, "outside_training_range": 1}
        assert metrics["signalled"] == 0.5

    def test_the_reliability_of_each_class_is_told(self):
        metrics = signal_metrics(self.random_signals())
        json.dumps(metrics, allow_nan=False)
        assert {name: sum(row["rows"] for row in table) for name, table in metrics["reliability"].items()} == {
            "sell": 500,
            "hold": 500,
            "buy": 500,
        }
        assert 0.1 < metrics["ece"] < 0.4  # the most probable class of noise comes no more often than the others

    def test_noise_does_not_beat_the_frequencies(self):
        metrics = signal_metrics(self.random_signals())
        assert metrics["skill"] < 0
        assert not metrics["beats_naive"]

    def test_knowledge_does(self):
        signals = self.random_signals()
        better = 0.5 * np.eye(3)[signals["label"].map({"sell": 0, "hold": 1, "buy": 2})] + 0.5 / 3
        metrics = signal_metrics(make_signals(better, signals["label"]))
        assert metrics["beats_naive"]
        assert metrics["p_value"] < 0.001
        assert metrics["accuracy"] == 1

    def test_a_class_that_never_occurs_is_no_error(self):
        rng = np.random.default_rng(0)
        signals = make_signals(rng.dirichlet([5, 5, 0.01], 80), rng.choice(["sell", "hold"], 80))
        metrics = signal_metrics(signals)
        json.dumps(metrics, allow_nan=False)
        assert metrics["base_rates"]["buy"] == 0
        assert 0 < metrics["f1"] < 1

    def test_forecasting_only_the_size_of_moves_does_not_beat_naive(self):
        rng = np.random.default_rng(6)
        signals = self.random_signals(900)
        hold = rng.uniform(0.1, 0.9, len(signals))
        signals["hold"], signals["buy"], signals["sell"] = hold, (1 - hold) / 2, (1 - hold) / 2
        signals["label"] = np.where(rng.random(len(signals)) < hold, "hold", rng.choice(["buy", "sell"], len(signals)))
        metrics = signal_metrics(signals)
        assert metrics["skill"] > 0.1
        assert metrics["p_value"] < 0.001
        assert metrics["direction_p_value"] == 1
        assert not metrics["beats_naive"]

    def test_no_label_at_all_gives_none_not_nan(self):
        metrics = signal_metrics(self.random_signals(20).assign(label=""))
        assert (metrics["rows"], metrics["unlabelled"], metrics["beats_naive"]) == (0, 20, False)
        assert metrics["brier"] is None
        assert set(metrics) == set(signal_metrics(self.random_signals(20)))

    def test_a_probability_that_is_not_finite_is_refused(self):
        signals = self.random_signals(20)
        signals.loc[3, "buy"] = np.nan
        with pytest.raises(NonFiniteInput):
            signal_metrics(signals)
