"""Forecasts of a registered model on sessions after its training, beside the outcomes."""

import numpy as np
import pandas as pd

from tests.pipelines.synthetic_models import market, price_evidence, price_onnx, signal_evidence, signal_onnx
from zenith_pipelines.production.replay import replay_prices, replay_signals

FEATURES = market(sessions=150)
AFTER = FEATURES.index[119]


def test_replayed_forecasts_have_the_shape_of_evidence_for_later_sessions():
    forecasts = replay_prices(price_onnx(growth=1.01), FEATURES, AFTER, FEATURES["close"])

    expected = price_evidence(FEATURES, first=120)
    pd.testing.assert_frame_equal(
        forecasts[["origin", "horizon", "close", "actual"]], expected[["origin", "horizon", "close", "actual"]]
    )
    np.testing.assert_allclose(forecasts["forecast"], 1.01 * forecasts["close"], rtol=1e-6)
    assert (forecasts["lower"] == forecasts["q05"]).all()
    assert (forecasts["upper"] == forecasts["q95"]).all()
    assert set(expected) == set(forecasts)


def test_a_suspect_close_is_neither_an_outcome_nor_a_scored_origin():
    closes = FEATURES["close"].copy()
    closes.iloc[122] = np.nan

    rows = replay_prices(price_onnx(), FEATURES, AFTER, closes).set_index(["origin", "horizon"])["actual"]

    assert rows.loc[FEATURES.index[122]].isna().all()
    assert rows.loc[FEATURES.index[121]].isna().sum() == 1 + 2  # the suspect one, and two in the future
    labels = replay_signals(signal_onnx(), FEATURES, AFTER, closes).set_index("date")["label"]
    assert labels[labels == ""].index.tolist() == [FEATURES.index[row] for row in (122, *range(145, 150))]


def test_replayed_signals_are_labelled_as_in_evidence():
    forecasts = replay_signals(signal_onnx((0.2, 0.3, 0.5)), FEATURES, AFTER, FEATURES["close"])

    expected = signal_evidence(FEATURES, first=120)
    pd.testing.assert_frame_equal(forecasts[["date", "label"]], expected[["date", "label"]])
    np.testing.assert_allclose(forecasts[["sell", "hold", "buy"]], [[0.2, 0.3, 0.5]] * 30, rtol=1e-6)
