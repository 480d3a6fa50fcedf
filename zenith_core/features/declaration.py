"""The declaration of a model input: Zenith's own, and those of users, whose formula is a function of theirs."""

import ast
import hashlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from zenith_core.errors import NotAvailable, UserError
from zenith_core.features.other_prices import CLOSED_AT, OtherPrices
from zenith_core.market.tickers import validate_ticker

WARM_UP = 250  # sessions; 200 for the longest window, and 250 for Wilder's averages to forget their start to 1e-8

PRICE_COLUMNS = ["open", "high", "low", "close", "volume"]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_RANGE = ("low", "high", "neutral")

Compute = Callable[..., Any]
"""A pure function from open, high, low, close and volume by session to a number for each session."""


@dataclass(frozen=True)
class ModelInput:
    """One declared input: its name, its formula, the range it is clipped to, and its value where it is 0/0."""

    name: str
    formula: str
    low: float
    high: float
    neutral: float = 0.0

    @property
    def declaration(self) -> dict[str, Any]:
        """Return it as JSON-ready values, which the hash of the feature spec covers."""
        return {"name": self.name, "formula": self.formula, **{key: getattr(self, key) for key in _RANGE}}

    @property
    def computation(self) -> dict[str, Any]:
        """Return the part of the declaration that decides its values before they are clipped."""
        return {key: value for key, value in self.declaration.items() if key not in _RANGE}


@dataclass(frozen=True, kw_only=True)
class OwnFeature(ModelInput):
    """A user's input.

    warm_up:  sessions after which it no longer depends on the start of the history, at most WARM_UP
    compute:  its formula; NaN becomes `neutral`
    tickers:  others whose prices it gets as its second argument, by ticker; all prices then have `closed_at`
    code:     hash of the file with `compute`, without comments: a changed formula is another feature spec
    """

    warm_up: int
    compute: Compute = field(repr=False)
    tickers: tuple[str, ...] = ()
    code: str = field(init=False)

    def __post_init__(self) -> None:
        """Raise ValueError for a declaration that Zenith cannot use."""
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot name a feature: use lower-case letters, digits and _")
        if not isinstance(self.formula, str) or not self.formula.strip():
            raise ValueError(f"{self.name} has no formula: describe it in a few words")
        if not -np.inf < self.low <= self.neutral <= self.high < np.inf or self.low == self.high:
            raise ValueError(f"{self.name} needs finite numbers with low <= neutral <= high and low < high")
        if not 1 <= self.warm_up <= WARM_UP:
            raise ValueError(f"{self.name} has a warm-up of {self.warm_up} sessions: it must be 1 to {WARM_UP}")
        if not inspect.isfunction(self.compute):
            raise ValueError(f"{self.name} has no function as compute")
        object.__setattr__(self, "tickers", tuple(validate_ticker(ticker) for ticker in self.tickers))
        object.__setattr__(self, "code", _code_hash(self.compute))

    @property
    def declaration(self) -> dict[str, Any]:
        """Return it as JSON-ready values, which the hash of the feature spec covers."""
        others = {"tickers": list(self.tickers)} if self.tickers else {}
        return {**super().declaration, "warm_up": self.warm_up, "code": self.code, **others}

    def values(self, prices: pd.DataFrame, others: OtherPrices | None = None) -> pd.Series:
        """Return its value at each session of `prices`.

        Raises UserError if the function fails or returns other rows, NotAvailable without prices that it needs.

        Within the warm-up of all inputs nothing is computed. Of other tickers it sees the sessions that had closed
        before the last close of `prices`.
        """
        if len(prices) <= WARM_UP:
            return pd.Series(np.nan, index=prices.index)
        arguments = self._arguments(prices, others)
        try:
            result = self.compute(*arguments)
            values = np.asarray(result, dtype=float)
        except Exception as error:  # a user's function may raise anything
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"the feature {self.name} cannot be computed: {type(error).__name__}: {reason}") from error
        is_aligned = not isinstance(result, pd.Series) or result.index.equals(prices.index)
        if values.shape != (len(prices),) or not is_aligned:
            raise UserError(f"the feature {self.name} returned other rows: it needs a number for each session")
        return pd.Series(values, index=prices.index)

    def _arguments(self, prices: pd.DataFrame, others: OtherPrices | None) -> list[Any]:
        own = prices[PRICE_COLUMNS].copy()
        if not self.tickers:
            return [own]
        if others is None:
            raise NotAvailable(f"no prices of {', '.join(self.tickers)}")
        tables = others.until(prices.index[-1])
        own[CLOSED_AT] = others.closes.reindex(prices.index)
        return [own, {ticker: tables[ticker] for ticker in self.tickers}]


def _code_hash(compute: Compute) -> str:
    try:
        source = "".join(inspect.findsource(compute)[0])
    except OSError:
        raise ValueError(f"the source of {compute.__name__} cannot be read: define it in a file") from None
    return hashlib.sha256(ast.unparse(ast.parse(source)).encode()).hexdigest()[:16]
