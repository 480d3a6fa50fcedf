"""Methods that forecast the bands of a ticker: each takes the ticker, the scales of the years, and the renewal.

All renew their quantiles every `renew` sessions from the ticker's own past, unless they say otherwise.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from harness.pooled_tickers import ANCHORS_SHOWN, FIRST, SHOWN, Floats, Quantiles, Ticker

from zenith_core.features.model_features import FEATURES, features
from zenith_core.features.targets import forward_log_returns, root_horizons, standardized_returns
from zenith_core.forecasting.prediction_intervals import BandCalibrator
from zenith_core.inference import HORIZONS, QUANTILES
from zenith_core.risk.error_quantiles import error_quantiles, own_share
from zenith_core.risk.forecast_distribution import LEVELS
from zenith_core.risk.garch import fit_garch, garch_quantiles, simulated_quantiles
from zenith_core.risk.pooled_scale import Pool
from zenith_core.risk.scale_model import ScaleModel

Method = Callable[[Ticker, Mapping[int, ScaleModel], int], Quantiles]

OURS, EWMA, ALONE = "pooled scale", "EWMA x own", "one ticker alone"
GARCH, GJR = "GARCH(1,1)-t", "GJR-GARCH, filtered simulation"
ETS, TREES = "AutoETS", "pooled XGBoost quantiles"

_COLUMNS = [LEVELS.index(level) for level in QUANTILES]
_REFIT = 500  # sessions between fits of GARCH, GJR and AutoETS
_TREES = {"n_estimators": 100, "max_depth": 3, "learning_rate": 0.1, "tree_method": "hist", "n_jobs": 1}


def pooled(ticker: Ticker, models: Mapping[int, ScaleModel], renew: int) -> Quantiles:
    """Forecast with the scale of the year, and quantiles half of the ticker's own errors."""
    quantiles = []
    for rows in ticker.blocks(renew):
        model = models[int(ticker.years[rows[0]])]
        shape = model.quantiles_at(ticker.moves, int(rows[0])).moves[0][ANCHORS_SHOWN][:, _COLUMNS]
        quantiles.append(model.scales(ticker.moves)[rows][:, ANCHORS_SHOWN, np.newaxis] * shape)
    return np.concatenate(quantiles)


def ewma(ticker: Ticker, models: Mapping[int, ScaleModel], renew: int) -> Quantiles:
    """Forecast with EWMA volatility and quantiles of the ticker's own past returns in its units."""
    moves, quantiles = ticker.moves, []
    scale = moves.volatility[:, np.newaxis] * np.sqrt(SHOWN)
    for rows in ticker.blocks(renew):
        past = np.flatnonzero(moves.sound[: rows[0] + 1])
        errors = moves.moves_until(int(rows[0]))[:1, past][:, :, ANCHORS_SHOWN] / scale[past]
        shape = error_quantiles(errors, (rows[0] - past).astype(float)).moves[0][:, _COLUMNS]
        quantiles.append(scale[rows][..., np.newaxis] * shape)
    return np.concatenate(quantiles)


def alone(ticker: Ticker, models: Mapping[int, ScaleModel], renew: int) -> Quantiles:
    """Forecast with the bands that a ticker's own history gives, renewed once in 250 sessions."""
    table = features(ticker.prices)
    close, volatility = (table[name].to_numpy(dtype=float) for name in ("close", "volatility"))
    targets = standardized_returns(forward_log_returns(close, HORIZONS), volatility)
    calibrator = BandCalibrator(
        table[list(FEATURES)].to_numpy(), FEATURES, volatility, targets, np.arange(250, len(table))
    )
    quantiles = []
    for start in range(FIRST, len(table), 250):
        rows = ticker.rows[(ticker.rows >= start) & (ticker.rows < start + 250)]
        if len(rows):
            offsets = calibrator.offsets(calibrator.band_at(start, np.zeros(targets.shape)), rows - 250)
            quantiles.append(offsets * (volatility[rows, np.newaxis] * root_horizons(HORIZONS))[..., np.newaxis])
    return np.concatenate(quantiles)[:, [horizon - 1 for horizon in SHOWN]]


def garch(ticker: Ticker, models: Mapping[int, ScaleModel], renew: int, *, is_symmetric: bool) -> Quantiles:
    """Forecast with GARCH(1,1)-t, or GJR and filtered simulation, fitted once in _REFIT sessions."""
    returns = np.diff(np.log(ticker.prices["close"].to_numpy(dtype=float)))  # the one at k ends at row k + 1
    forecast = garch_quantiles if is_symmetric else simulated_quantiles
    quantiles = []
    for start in range(FIRST, len(returns) + 1, _REFIT):
        rows = ticker.rows[(ticker.rows >= start) & (ticker.rows < start + _REFIT)]
        if len(rows):
            fit = fit_garch(returns[:start], is_symmetric=is_symmetric)
            quantiles.append(forecast(fit, returns, rows, SHOWN, QUANTILES))
    return np.concatenate(quantiles)


def auto_ets(ticker: Ticker, models: Mapping[int, ScaleModel], renew: int) -> Quantiles:
    """Forecast the log closes with AutoETS of statsforecast, fitted once in _REFIT sessions."""
    from statsforecast.models import AutoETS

    log_close = np.log(ticker.prices["close"].to_numpy(dtype=float))
    names = [*(f"lo-{level}" for level in (90, 80, 50)), "mean", *(f"hi-{level}" for level in (50, 80, 90))]
    quantiles = []
    for start in range(FIRST, len(log_close), _REFIT):
        rows = ticker.rows[(ticker.rows >= start) & (ticker.rows < start + _REFIT)]
        if len(rows):
            fit = AutoETS(season_length=1).fit(log_close[: start + 1])
            for row in rows:
                answer = fit.forward(log_close[: row + 1], h=max(SHOWN), level=[50, 80, 90])
                ahead = np.stack([answer[name] for name in names], axis=1)[[horizon - 1 for horizon in SHOWN]]
                quantiles.append(ahead - log_close[row])
    return np.array(quantiles)


class Trees:
    """Quantiles in units of EWMA volatility by XGBoost on the scale's inputs, one fit a year on the rows of the pool.

    Each level is shifted by the quantile of the ticker's own past misses at it, which weighs as our own errors do
    (Romano, Patterson and Candes, 2019, Conformalized Quantile Regression).
    """

    def __init__(self, pools: Mapping[int, Pool]) -> None:
        from xgboost import XGBRegressor

        self._fits = {}
        for year, pool in pools.items():
            inputs, targets = pool.inputs[:, 1:], pool.targets[0]
            for horizon in SHOWN:
                target = targets[:, ANCHORS_SHOWN[SHOWN.index(horizon)]]
                known = np.isfinite(target)
                model = XGBRegressor(objective="reg:quantileerror", quantile_alpha=np.array(QUANTILES), **_TREES)
                self._fits[year, horizon] = model.fit(inputs[known], target[known])

    def __call__(self, ticker: Ticker, models: Mapping[int, ScaleModel], renew: int) -> Quantiles:
        """Forecast from each origin."""
        moves, quantiles = ticker.moves, []
        scale = moves.volatility[:, np.newaxis] * np.sqrt(SHOWN)
        shapes: dict[int, Floats] = {}
        for rows in ticker.blocks(renew):
            year, first = int(ticker.years[rows[0]]), int(rows[0])
            if year not in shapes:
                inputs = moves.inputs[:, 1:]
                shapes[year] = np.stack([self._fits[year, horizon].predict(inputs) for horizon in SHOWN], axis=1)
            past = np.flatnonzero(moves.sound[: first + 1])
            actual = moves.moves_until(first)[0, past][:, ANCHORS_SHOWN] / scale[past]
            shift = np.empty((len(SHOWN), len(QUANTILES)))
            for at in range(len(SHOWN)):
                misses = actual[:, at, np.newaxis] - shapes[year][past, at]
                misses = misses[np.isfinite(misses[:, 0])]
                own = [np.quantile(misses[:, column], level) for column, level in enumerate(QUANTILES)]
                shift[at] = own_share(len(misses)) * np.array(own)
            shape = np.sort(shapes[year][rows] + shift, axis=-1)
            quantiles.append(scale[rows][..., np.newaxis] * shape)
        return np.concatenate(quantiles)


METHODS: dict[str, Method] = {
    OURS: pooled,
    EWMA: ewma,
    ALONE: alone,
    GARCH: partial(garch, is_symmetric=True),
    GJR: partial(garch, is_symmetric=False),
    ETS: auto_ets,
}
"""All but the trees, which are fitted to a pool first."""
