"""The scales that ship with the package, one for each year end: coefficients and error quantiles, no price.

A home without a scale model of its own has these. Each knows nothing later than its year end, so a forecast may use the
newest one before its origin. `zenith scale prior FOLDER -o FILE` makes the file again from a folder of price files.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.errors import NotAvailable, TrainingError, UserError
from zenith_core.prices.cleaning import clean_prices
from zenith_core.risk.pooled_scale import Pool
from zenith_core.risk.price_moves import PriceMoves, price_moves
from zenith_core.risk.scale_model import ScaleModel, fit_scale_model
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource

FILE = "scale_priors.json"
PREFIX = "prior-"


@cache
def priors() -> tuple[ScaleModel, ...]:
    """Return the packaged scales, oldest first."""
    document = json.loads((files("zenith_pipelines.risk") / FILE).read_text())
    return tuple(ScaleModel.from_dict(each) for each in document["models"])


def prior_before(day: str) -> ScaleModel:
    """Return the newest packaged scale that knows nothing of `day`, ISO, or later. Raises NotAvailable."""
    earlier = [model for model in priors() if f"{model.version.removeprefix(PREFIX)}-12-31" < day]
    if not earlier:
        raise NotAvailable(f"no packaged scale was learned before {day}")
    return earlier[-1]


def make_priors(tickers: Iterable[PriceMoves]) -> list[ScaleModel]:
    """Return a scale for each year end from the histories of many tickers; none for years with too small a pool.

    The last year is the one before that of the newest session. Raises UserError if no year has enough.
    """
    histories = list(tickers)
    if not histories:
        raise UserError("no ticker has a history")
    first, last = (pd.Timestamp(pick(one.dates[end] for one in histories)).year for pick, end in ((min, 0), (max, -1)))
    models = []
    for year in range(first, last):
        pool = Pool(histories, np.datetime64(f"{year}-12-31"))
        try:
            models.append(fit_scale_model(pool, f"{PREFIX}{year}"))
        except TrainingError:
            continue
    if not models:
        raise UserError("too few liquid sessions before any year end: more tickers or longer histories are needed")
    return models


def document_of(models: Iterable[ScaleModel]) -> Mapping[str, Any]:
    """Return the file's content."""
    return {
        "made_by": "zenith scale prior FOLDER -o scale_priors.json",
        "method": "zenith_core/risk/pooled_scale.py: gamma regression on range volatility, all tickers together",
        "models": [model.to_dict() for model in models],
    }


def read_histories(folder: Path) -> Iterator[PriceMoves]:
    """Read and clean each ticker of a folder of price files. Raises UserError for a file that cannot be read."""
    source = CsvFolderSource(folder)
    for ticker in source.tickers():
        prices = clean_prices(source.fetch(ticker).prices, ticker).prices
        if len(prices):
            yield price_moves(prices)
