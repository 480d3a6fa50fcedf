"""What a served model would have said on sessions after its training, held against what came."""

import numpy as np
import pandas as pd

from tests.pipelines.synthetic_models import market, price_evidence, price_onnx, signal_evidence, signal_onnx
from zenith_pipelines.production.replay import replayed_prices, replayed_signals

FEATURES = market(sessions=150)
AFTER = FEATURES.index[119]


def test_forecasts_are_those_of_the_sessions_after_and_as_evidence_has_them():
    replayed = replayed_prices(price_onnx(growth=1.01), FEATURES, AFTER, FEATURES["close"])

    expected = price_evidence(FEATURES, first=120)
    pd.testing.assert_frame_equal(
        replayed[["origin", "horizon", "close", "actual"]], expected[["origin", "horizon", "close", "actual"]]
    )
    np.testing.assert_allclose(replayed["forecast"], 1.01 * replayed["close"], rtol=1e-6)
    assert (replayed["lower"] == replayed["q05"]).all()
    assert (replayed["upper"] == replayed["q95"]).all()
    assert set(expected) == set(replayed)


def test_what_is_not_believed_is_no_outcome_and_no_origin_to_judge():
    came = FEATURES["close"].copy()
    came.iloc[122] = np.nan

    rows = replayed_prices(price_onnx(), FEATURES, AFTER, came).set_index(["origin", "horizon"])["actual"]

    assert rows.loc[FEATURES.index[122]].isna().all()
    assert rows.loc[FEATURES.index[121]].isna().sum() == 1 + 2  # the one not believed, and two that have not come
    labels = replayed_signals(signal_onnx(), FEATURES, AFTER, came).set_index("date")["label"]
    assert labels[labels == ""].index.tolist() == [FEATURES.index[row] for row in (122, *range(145, 150))]


def test_signals_are_labelled_as_evidence_labels_them():
    replayed = replayed_signals(signal_onnx((0.2, 0.3, 0.5)), FEATURES, AFTER, FEATURES["close"])

    expected = signal_evidence(FEATURES, first=120)
    pd.testing.assert_frame_equal(replayed[["date", "label"]], expected[["date", "label"]])
    np.testing.assert_allclose(replayed[["sell", "hold", "buy"]], [[0.2, 0.3, 0.5]] * 30, rtol=1e-6)
