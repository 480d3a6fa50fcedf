"""The models' inputs: stationary, bounded, causal, and declared in one table whose hash goes with each model.

A value at row t uses rows up to t only, and from row WARM_UP on it does not depend on where the history starts
(its recursive averages have then forgotten their first value to within 1e-6).
Clips are fixed numbers, not statistics of the data, so they are causal too.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.errors import UserError
from zenith_core.features.declaration import WARM_UP, ModelInput, OwnFeature
from zenith_core.features.indicators import INDICATORS, indicators, is_flat
from zenith_core.features.other_prices import OtherPrices
from zenith_core.features.own_features import select_features

DECAY = 0.94  # of the EWMA variance: RiskMetrics' daily lambda
VOLATILITY_FLOOR = 2e-4  # a day; the divisor of returns must not be 0 for a halted stock


BUILT_IN = (
    ModelInput("return_1", "log return over 1 session / volatility", -5, 5),
    ModelInput("return_5", "log return over 5 sessions / (volatility * sqrt 5)", -5, 5),
    ModelInput("return_20", "log return over 20 sessions / (volatility * sqrt 20)", -5, 5),
    ModelInput("rsi_level", "rsi_14 / 100", 0, 1, 0.5),
    ModelInput("macd_strength", "macd_hist / close", -0.1, 0.1),
    ModelInput("bb_position", "(close - bb_lower) / (bb_upper - bb_lower)", -1, 2, 0.5),
    ModelInput("bb_width", "(bb_upper - bb_lower) / bb_middle", 0, 1),
    ModelInput("ema_10_distance", "log(close / ema_10)", -0.5, 0.5),
    ModelInput("sma_20_distance", "log(close / sma_20)", -0.5, 0.5),
    ModelInput("sma_50_distance", "log(close / sma_50)", -1, 1),
    ModelInput("sma_200_distance", "log(close / sma_200)", -1, 1),
    ModelInput("stoch_level", "stoch_k / 100", 0, 1, 0.5),
    ModelInput("atr_ratio", "atr_14 / close", 0, 0.3),
    ModelInput("volume_flow", "20-session sum of volume signed by the close's change / sum of volume", -1, 1),
    ModelInput("adx_level", "adx_14 / 100", 0, 1),
    ModelInput("cci_level", "cci_20 / 100", -4, 4),
    ModelInput("volume_ratio", "log(volume / its 20-session mean)", -3, 3),
    ModelInput("volume_level", f"log(volume / its {WARM_UP}-session mean)", -3, 3),
    ModelInput("volume_trend", f"log(5-session / {WARM_UP}-session mean of volume)", -3, 3),
    ModelInput("range_volatility", "Parkinson volatility of 20 sessions", 0, 0.2),
    ModelInput("volatility_ratio", "log(EWMA volatility / root mean square log return of 60 sessions)", -2, 2),
    ModelInput("range_ratio", "log(Parkinson volatility of 5 sessions / EWMA volatility)", -2, 2),
)


def select_inputs(text: str) -> tuple[ModelInput, ...]:
    """Return all inputs: BUILT_IN, and the users' features that `text` names. Raises UserError as `select_features`."""
    built_in = (model_input.name for model_input in BUILT_IN)
    return (*BUILT_IN, *select_features(text, {*built_in, *INDICATORS, "close", "volatility"}))


def _inputs_in_use() -> tuple[ModelInput, ...]:
    try:
        return select_inputs(os.environ.get("ZENITH_FEATURES", ""))
    except UserError:  # the settings refuse it with a message, which an import cannot
        return BUILT_IN


INPUTS = _inputs_in_use()
"""The inputs in use, as `ZENITH_FEATURES` was at import."""

FEATURES = tuple(model_input.name for model_input in INPUTS)


def feature_spec() -> dict[str, Any]:
    """The declaration of the model inputs as JSON-ready values: names in order, formulas, ranges, warm-up."""
    return {
        "inputs": [model_input.declaration for model_input in INPUTS],
        "warm_up": WARM_UP,
        "decay": DECAY,
        "volatility_floor": VOLATILITY_FLOOR,
    }


def feature_spec_hash() -> str:
    """16 hex digits of the SHA-256 of `feature_spec`: a model refuses features made by another spec."""
    return hashlib.sha256(json.dumps(feature_spec(), sort_keys=True).encode()).hexdigest()[:16]


def inputs_of(spec: Mapping[str, Any]) -> tuple[ModelInput, ...] | None:
    """Return the inputs that an earlier `feature_spec` declares, or None if this code computes any of them otherwise.

    Their ranges, neutral values, order and number may differ from INPUTS.
    """
    ours = {model_input.name: model_input for model_input in INPUTS}
    inputs = []
    for declaration in spec["inputs"]:
        model_input = ours.get(declaration["name"])
        if model_input is None or not model_input.computation.items() <= declaration.items():
            return None
        ranges = {key: declaration[key] for key in declaration if key not in model_input.computation}
        inputs.append(replace(model_input, **ranges))
    return tuple(inputs) if {**feature_spec(), "inputs": spec["inputs"]} == spec else None


def features(
    prices: pd.DataFrame, inputs: Sequence[ModelInput] = INPUTS, others: OtherPrices | None = None
) -> pd.DataFrame:
    """The indicators, the model inputs, `volatility` and `close`, on the index of cleaned `prices`.

    Model inputs are NaN in the first WARM_UP rows and finite after them, for all prices: where a formula is
    0/0 (no movement, no volume) they take their neutral value. `volatility` is the EWMA daily volatility of log
    returns, a fraction, NaN in the first 20 rows.
    Raises InvalidPrices or NonFiniteInput as `indicators` does, UserError if a user's feature fails.
    """
    table = indicators(prices)
    volatility = ewma_volatility(prices["close"])
    with np.errstate(all="ignore"):  # 0/0 is answered by the neutral value
        raw = _from_returns(prices, volatility) | _from_indicators(prices, table) | _from_volume(prices)
        raw |= {own.name: own.values(prices, others) for own in inputs if isinstance(own, OwnFeature)}
    return pd.concat(
        [table, _bounded(pd.DataFrame(raw), inputs), volatility.rename("volatility"), prices["close"]], axis=1
    )


def ewma_volatility(close: pd.Series) -> pd.Series:
    """Daily volatility of log returns, a fraction: RiskMetrics' EWMA of squared returns, at least VOLATILITY_FLOOR.

    NaN in the first 20 rows. Source: J.P. Morgan/Reuters, RiskMetrics Technical Document, 1996, section 5.2.
    """
    variance = _log_return(close, 1).pow(2).ewm(alpha=1 - DECAY, min_periods=20).mean()
    return variance.pow(0.5).clip(lower=VOLATILITY_FLOOR)


def _from_returns(prices: pd.DataFrame, volatility: pd.Series) -> dict[str, pd.Series]:
    close = prices["close"]
    past = {f"return_{n}": _log_return(close, n) / (volatility * n**0.5) for n in (1, 5, 20)}
    quarter = _log_return(close, 1).pow(2).rolling(60).mean().pow(0.5).clip(lower=VOLATILITY_FLOOR)
    squared_range = _log(prices["high"] / prices["low"]) ** 2
    return {
        **past,
        "range_volatility": _parkinson(squared_range, 20),
        "range_ratio": _log(_parkinson(squared_range, 5).clip(lower=VOLATILITY_FLOOR) / volatility),
        "volatility_ratio": _log(volatility / quarter),
    }


def _parkinson(squared_range: pd.Series, sessions: int) -> pd.Series:
    """Parkinson (1980), The Extreme Value Method for Estimating the Variance of the Rate of Return; of log ranges."""
    variance: pd.Series = squared_range.rolling(sessions).mean() / (4 * np.log(2))
    return variance.clip(lower=0).pow(0.5)


def _from_indicators(prices: pd.DataFrame, table: pd.DataFrame) -> dict[str, pd.Series]:
    close = prices["close"]
    width = table["bb_upper"] - table["bb_lower"]
    return {
        "rsi_level": (table["rsi_14"] / 100).where(~is_flat(prices, 14)),
        "macd_strength": table["macd_hist"] / close,
        "bb_position": (close - table["bb_lower"]) / width.where(width > 0),
        "bb_width": width / table["bb_middle"],
        **{f"{name}_distance": _log(close / table[name]) for name in ("ema_10", "sma_20", "sma_50", "sma_200")},
        "stoch_level": table["stoch_k"] / 100,
        "atr_ratio": table["atr_14"] / close,
        "adx_level": table["adx_14"] / 100,
        "cci_level": table["cci_20"] / 100,
    }


def _from_volume(prices: pd.DataFrame) -> dict[str, pd.Series]:
    volume = prices["volume"].astype(float)
    flow = (np.sign(prices["close"].diff()) * volume).rolling(20).sum()
    week = volume.rolling(5).mean().clip(lower=0)
    month, year = (_mean_traded(volume, sessions) for sessions in (20, WARM_UP))
    return {
        "volume_flow": flow / (20 * month),
        "volume_ratio": _log(volume / month),
        "volume_level": _log(volume / year),
        "volume_trend": _log(week / year),
    }


def _mean_traded(volume: pd.Series, sessions: int) -> pd.Series:
    """Mean volume, NaN where nothing was traded: a rolling sum of zeros may keep a rounding residue."""
    window = volume.rolling(sessions)
    return window.mean().where(window.max() > 0)


def _log_return(close: pd.Series, sessions: int) -> pd.Series:
    return _log(close / close.shift(sessions))


def _log(series: pd.Series) -> pd.Series:
    return pd.Series(np.log(series), index=series.index)


def _bounded(raw: pd.DataFrame, inputs: Sequence[ModelInput]) -> pd.DataFrame:
    """Clipped (so log 0 is the lower bound), neutral where 0/0, NaN in the warm-up. All columns at once, for speed."""
    names = [i.name for i in inputs]
    values = np.clip(raw[names].to_numpy(), [i.low for i in inputs], [i.high for i in inputs])
    values = np.where(np.isnan(values), [i.neutral for i in inputs], values)
    values[:WARM_UP] = np.nan
    return pd.DataFrame(values, index=raw.index, columns=names)
