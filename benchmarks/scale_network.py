"""A recurrent network beside the regression of the scale: pinball loss of the blend on real tickers, year by year.

For each year a network of two layers of 50 units learns from the rows of all tickers until the end of the year before,
at most 150,000: at each of the last 30 of 60 steps, the logarithm of what the regression's scale misses. The blend's
scale is the regression's times exp(weight x network). The weight is chosen on the forecasts of one half of the
companies, and reported on the other half's. The quantiles of both are renewed every 20 sessions, half from the ticker's
own past errors. The last of the years of a fit stops the training early.
"""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pandas as pd
from harness.figures import Figure, add_json, report
from harness.pooled_tickers import (
    ANCHORS_SHOWN,
    SHOWN,
    CpuSeconds,
    Floats,
    Ints,
    Quantiles,
    Ticker,
    forecast_tickers,
    halves,
    last_year,
    models_by_year,
    moves_of,
    read_prices,
    scored,
    shares,
)
from rich.console import Console
from rich.table import Table

from zenith_core.inference import QUANTILES
from zenith_core.risk.error_quantiles import ErrorQuantiles, blend, error_quantiles
from zenith_core.risk.forecast_distribution import LEVELS
from zenith_core.risk.pooled_scale import MAX_ROWS, MAX_TARGET, stretch
from zenith_core.risk.price_moves import ANCHORS, PriceMoves
from zenith_core.risk.scale_model import ScaleModel
from zenith_pipelines.models import prepare_backend

FIGURES = (*(f"blend_{horizon}" for horizon in SHOWN), "rows", "training_cpu")
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
WINDOW, LEARNED, UNITS, LAYERS, DROPOUT = 60, 30, 50, 2, 0.2
BATCH, RATE, PATIENCE = 64, 1e-3, 2
RENEW = 20
ENOUGH_ROWS = 100_000
_COLUMNS = [LEVELS.index(level) for level in QUANTILES]


@dataclass(frozen=True)
class Windows:
    """Windows of all tickers.

    inputs:   (n, WINDOW, inputs) standardized
    offset:   (n, LEARNED, ANCHORS) the regression's log stretch at the last steps
    size:     (n, LEARNED, ANCHORS) of the standardized move there, in units of its mean if it were normal; NaN if it
              does not count
    """

    inputs: Floats
    offset: Floats
    size: Floats

    @property
    def rows(self) -> int:
        """Return the number of rows with a target at one session."""
        return int(np.isfinite(self.size[..., 0]).sum())

    def __getitem__(self, windows: Ints | slice) -> "Windows":
        return Windows(self.inputs[windows], self.offset[windows], self.size[windows])


class Network:
    """The residual of the log scale, (…, ANCHORS), at each learned step of a window; zero before it is trained."""

    def __init__(self, inputs: int, seed: int, epochs: int) -> None:
        from keras import Input, Sequential, layers, optimizers, utils

        utils.set_random_seed(seed)
        recurrent = []
        for _ in range(LAYERS):
            recurrent += [layers.LSTM(UNITS, return_sequences=True), layers.Dropout(DROPOUT)]
        self._network = Sequential(
            [
                Input((WINDOW, inputs)),
                *recurrent,
                layers.Cropping1D((WINDOW - LEARNED, 0)),
                layers.Dense(len(ANCHORS), kernel_initializer="zeros"),
            ]
        )
        self._network.compile(optimizers.Adam(RATE, clipnorm=1.0), loss=_gamma_loss)
        self._epochs = epochs
        self.losses: list[float] = []

    def fit(self, training: Windows, held_out: Windows) -> None:
        """Train until the loss of the held out windows has not fallen for PATIENCE epochs; keep the best weights."""
        from keras.callbacks import EarlyStopping

        history = self._network.fit(
            training.inputs,
            _target(training),
            batch_size=BATCH,
            epochs=self._epochs,
            validation_data=(held_out.inputs, _target(held_out)),
            callbacks=[EarlyStopping(patience=PATIENCE, restore_best_weights=True, start_from_epoch=1)],
            verbose=0,
        )
        self.losses = history.history["val_loss"]

    def residuals(self, inputs: Floats) -> Floats:
        """Return the residual at each learned step: (n, LEARNED, ANCHORS)."""
        return np.asarray(self._network.predict(inputs, batch_size=256, verbose=0), dtype=np.float64)


def _target(windows: Windows) -> Floats:
    """Return offset and size beside one another; a size of -1 does not count."""
    return np.concatenate([windows.offset, np.nan_to_num(windows.size, nan=-1.0)], axis=-1).astype(np.float32)


def _gamma_loss(target, residual):  # type: ignore[no-untyped-def]
    """Return the quasi-likelihood of the regression: size / stretch + log(stretch), less its smallest value."""
    from keras import ops

    offset, size = target[..., : len(ANCHORS)], target[..., len(ANCHORS) :]
    log_stretch = ops.clip(offset + residual, -3.0, 3.0)
    counts = ops.cast(size >= 0, "float32")
    loss = (ops.maximum(size, 0.0) * ops.exp(-log_stretch) + log_stretch) * counts
    return ops.sum(loss) / ops.maximum(ops.sum(counts), 1.0)


def cut(moves: PriceMoves, model: ScaleModel, mean: Floats, spread: Floats, until: int) -> tuple[Windows, Ints]:
    """Return windows that end every LEARNED sessions up to row `until`, and the rows of their learned steps."""
    valid = np.flatnonzero(np.isfinite(moves.inputs).all(axis=1))
    ends = np.arange(until, valid[0] + WINDOW - 2, -LEARNED)[::-1] if len(valid) else np.empty(0, dtype=int)
    rows = ends[:, np.newaxis] + np.arange(1 - LEARNED, 1)
    inputs = ((moves.inputs[:, 1:] - mean) / spread)[ends[:, np.newaxis] + np.arange(1 - WINDOW, 1)]
    scale = moves.volatility[: until + 1, np.newaxis] * np.sqrt(ANCHORS)
    size = np.abs(np.clip(moves.moves_until(until)[0] / scale, -MAX_TARGET, MAX_TARGET)) / np.sqrt(2 / np.pi)
    size[~moves.liquid[: until + 1]] = np.nan
    offset = np.log(stretch(moves.inputs[rows], model.coefficients))
    return Windows(inputs.astype(np.float32), offset, size[rows]), rows


def end_of(moves: PriceMoves, year: int) -> int:
    """Return the last row of a year or before; -1 if there is none."""
    return int(np.searchsorted(moves.dates, np.datetime64(f"{year}-12-31"), side="right")) - 1


def joined(parts: Sequence[Windows]) -> Windows:
    """Return the windows of all parts."""
    return Windows(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("inputs", "offset", "size")))


def training_windows(pool: Sequence[PriceMoves], model: ScaleModel, mean: Floats, spread: Floats, year: int) -> Windows:
    """Return the windows of all tickers until the end of `year`, thinned out evenly to at most MAX_ROWS rows."""
    ends = [end_of(moves, year) for moves in pool]
    parts = [cut(moves, model, mean, spread, end)[0] for moves, end in zip(pool, ends, strict=True) if end > 0]
    windows = joined(parts)
    windows = windows[np.isfinite(windows.size[..., 0]).any(axis=1).nonzero()[0]]
    step = -(-windows.rows // MAX_ROWS)
    return windows[::step]


def learn(
    pool: Sequence[PriceMoves], model: ScaleModel, year: int, epochs: int, seed: int
) -> tuple[Network, Floats, Floats, int]:
    """Return the network that knows nothing after `year`, its inputs' mean and spread, and its training rows."""
    liquid = np.concatenate(
        [moves.inputs[: end_of(moves, year) + 1][moves.liquid[: end_of(moves, year) + 1], 1:] for moves in pool]
    )
    mean, spread = liquid.mean(axis=0), liquid.std(axis=0)
    everything = training_windows(pool, model, mean, spread, year)
    training = training_windows(pool, model, mean, spread, year - 1)
    held_out = _after(pool, model, mean, spread, year)
    network = Network(training.inputs.shape[-1], seed, epochs)
    network.fit(training, held_out)
    return network, mean, spread, everything.rows


def _after(pool: Sequence[PriceMoves], model: ScaleModel, mean: Floats, spread: Floats, year: int) -> Windows:
    """Return the windows of all tickers with the targets from origins in `year` alone."""
    parts = []
    for moves in pool:
        end, start = end_of(moves, year), end_of(moves, year - 1)
        if end <= start or end < 0:
            continue
        windows, rows = cut(moves, model, mean, spread, end)
        size = np.where((rows > start)[..., np.newaxis], windows.size, np.nan)
        has_target = np.isfinite(size).any(axis=(1, 2)).nonzero()[0]
        parts.append(Windows(windows.inputs, windows.offset, size)[has_target])
    return joined(parts)


def log_residuals(network: Network, moves: PriceMoves, model: ScaleModel, mean: Floats, spread: Floats) -> Floats:
    """Return the network's residual at each row, 0 where a window is missing: (n, ANCHORS)."""
    residuals = np.zeros((len(moves), len(ANCHORS)))
    windows, rows = cut(moves, model, mean, spread, len(moves) - 1)
    if len(rows):
        residuals[rows.ravel()] = network.residuals(windows.inputs).reshape(-1, len(ANCHORS))
    return residuals


@dataclass(frozen=True)
class Blend:
    """The scale of a year for one weight: log stretch by ticker, and the quantiles of all tickers' past errors."""

    log_stretch: Mapping[str, Floats]
    others: ErrorQuantiles


def blend_of(
    moves: Mapping[str, PriceMoves], model: ScaleModel, residuals: Mapping[str, Floats], weight: float, year: int
) -> Blend:
    """Return the blend that forecasts the year after `year`."""
    log_stretch = {
        name: np.log(stretch(each.inputs, model.coefficients)) + weight * residuals[name]
        for name, each in moves.items()
    }
    errors = []
    for name, each in moves.items():
        end = end_of(each, year)
        if end > 0:
            rows = np.flatnonzero(each.liquid[: end + 1])
            scale = each.volatility[rows, np.newaxis] * np.sqrt(ANCHORS)
            target = np.clip(each.moves_until(end)[0, rows] / scale, -MAX_TARGET, MAX_TARGET)
            errors.append(target / np.exp(log_stretch[name][rows]))
    return Blend(log_stretch, error_quantiles(np.concatenate(errors)[np.newaxis]))


def forecast(ticker: Ticker, blends: Mapping[int, Blend]) -> Quantiles:
    """Forecast with the blend of the year, and quantiles half of the ticker's own errors."""
    moves, quantiles = ticker.moves, []
    for rows in ticker.blocks(RENEW):
        chosen = blends[int(ticker.years[rows[0]])]
        scale = moves.volatility[:, np.newaxis] * np.sqrt(ANCHORS) * np.exp(chosen.log_stretch[ticker.name])
        past = np.flatnonzero(moves.sound[: rows[0] + 1])
        errors = moves.moves_until(int(rows[0]))[:1, past][..., ANCHORS_SHOWN] / scale[past][:, ANCHORS_SHOWN]
        others = ErrorQuantiles(chosen.others.moves[:, ANCHORS_SHOWN], chosen.others.shortfalls[ANCHORS_SHOWN])
        shape = blend(errors, (rows[0] - past).astype(float), others).moves[0][:, _COLUMNS]
        quantiles.append(scale[rows][:, ANCHORS_SHOWN, np.newaxis] * shape)
    return np.concatenate(quantiles)


def change(blended: pd.DataFrame, alone: pd.DataFrame, horizon: int) -> tuple[float, float, float]:
    """Return the mean over tickers of blend / regression loss - 1, its standard error, and t clustered by date."""
    return shares({"alone": alone, "blend": blended}, "alone", horizon)["blend"]


def show(title: str, rows: Mapping[str, Sequence[tuple[float, float, float]]]) -> None:
    """Print a table of changes."""
    table = Table(title=title, title_justify="left", box=None)
    for column in ("", *(f"h={horizon}" for horizon in SHOWN)):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for name, changes in rows.items():
        table.add_row(name, *(f"{mean:+.2%} ± {error:.2%} ({t:+.1f})" for mean, error, t in changes))
    Console(width=120).print(table)


def main() -> None:
    """Train a network for each year, choose the weight on one half, and report it on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of price files")
    parser.add_argument("--first-year", type=int, default=2023, help="first year that is forecast")
    parser.add_argument("--epochs", type=int, default=15, help="at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tickers", type=int, help="only the first of the folder, to try the benchmark")
    parser.add_argument("--unseen", action="store_true", help="learn from the choosing half alone")
    add_json(parser)
    options = parser.parse_args()
    prepare_backend("jax", Path(gettempdir()) / "zenith-benchmarks")
    os.environ.setdefault("ZENITH_LOG_LEVEL", "warning")
    prices = dict(list(read_prices(options.data).items())[: options.tickers])
    choosing, reported = halves(list(prices))
    moves = moves_of(prices)
    pool = [moves[name] for name in (choosing if options.unseen else prices)]
    models = models_by_year(pool, range(options.first_year, last_year(moves) + 1))
    cpu, blends, rows = CpuSeconds(), {weight: {} for weight in WEIGHTS}, {}
    for year, model in models.items():
        with cpu.of(str(year)):
            network, mean, spread, rows[year] = learn(pool, model, year - 1, options.epochs, options.seed)
        residuals = {name: log_residuals(network, each, model, mean, spread) for name, each in moves.items()}
        in_pool = {name: each for name, each in moves.items() if any(each is one for one in pool)}
        for weight in WEIGHTS:
            made = blend_of(in_pool, model, residuals, weight, year - 1)
            rest = {
                name: np.log(stretch(each.inputs, model.coefficients)) + weight * residuals[name]
                for name, each in moves.items()
                if name not in in_pool
            }
            blends[weight][year] = Blend({**made.log_stretch, **rest}, made.others)
        best = int(np.argmin(network.losses))
        print(
            f"{year}: {rows[year]} rows, {cpu[str(year)]:.0f} CPU s, {len(network.losses)} epochs, best {best + 1}: "
            f"{network.losses[0]:.4f} {network.losses[best]:.4f}",
            flush=True,
        )

    def table_of(names: list[str], weight: float) -> pd.DataFrame:
        tickers = forecast_tickers(prices, moves, names, set(models))
        return pd.concat([scored(each, forecast(each, blends[weight])) for each in tickers], ignore_index=True)

    chosen_on = {weight: table_of(choosing, weight) for weight in WEIGHTS}
    changes = {w: [change(chosen_on[w], chosen_on[0.0], horizon) for horizon in SHOWN] for w in WEIGHTS[1:]}
    show(
        "choosing half: pinball of the blend beside the regression ± its error over tickers (t by date)",
        {f"weight {weight}": each for weight, each in changes.items()},
    )
    weight = min(WEIGHTS, key=lambda w: np.mean([each[0] for each in changes[w]]) if w else 0.0)
    alone, blended = table_of(reported, 0.0), {w: table_of(reported, w) for w in WEIGHTS[1:]}
    parts = {f"weight {w}": [change(blended[w], alone, horizon) for horizon in SHOWN] for w in WEIGHTS[1:]}
    large = [year for year in models if rows[year] >= ENOUGH_ROWS]
    if large:
        is_large = alone["date"].dt.year.isin(large)
        parts |= {
            f"weight {w}, {large[0]} to {large[-1]}": [
                change(blended[w][is_large], alone[is_large], horizon) for horizon in SHOWN
            ]
            for w in WEIGHTS[1:]
        }
    print(f"\nchosen weight: {weight}")
    show("the other half", parts)
    result = parts.get(f"weight {weight}", [(0.0, 0.0, 0.0)] * len(SHOWN))
    figures = [Figure(f"blend_{horizon}", each[0]) for horizon, each in zip(SHOWN, result, strict=True)]
    newest = max(models)
    figures += [Figure("rows", float(rows[newest])), Figure("training_cpu", cpu[str(newest)])]
    report("scale_network", figures, options.json)


if __name__ == "__main__":
    main()
