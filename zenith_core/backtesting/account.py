"""The accounting of a backtest: one account that is long, short or out of one stock. Pure numpy.

Positions change at opens. A trade puts a share of the account, its weight, into the stock: as many shares as that
money would buy at the open with slippage and commission, long or short, and kept until the exit. Cash,
a short sale's proceeds included, earns no interest, and borrowing shares is free.
The price of a trade is per share: slippage moves the open against us, and commission is a fraction of the result. A
position that is open at the end is valued at the last close, without exit costs.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from zenith_core.arrays import Bools, Floats, Ints


@dataclass(frozen=True)
class Costs:
    """Commission and slippage, fractions of the value, per side."""

    commission: float
    slippage: float


@dataclass(frozen=True)
class Trades:
    """(m,) trades in order; a trade is entered no earlier than the exit session of the previous one.

    entry, exit:     sessions; `exit` is (m - 1,) if the last trade is open
    side, weight:    1 long or -1 short; the share of the account
    enter_at, leave_at: the opens of the fills, before costs; the last close for an open trade
    """

    entry: Ints
    exit: Ints
    side: Floats
    weight: Floats
    enter_at: Floats
    leave_at: Floats

    @cached_property
    def closed(self) -> Bools:
        """Return True for each trade with an exit, (m,)."""
        return np.arange(len(self.entry)) < len(self.exit)

    def entry_prices(self, costs: Costs) -> Floats:
        """Return the price paid per share, or received for a short, all costs included, (m,)."""
        return self.enter_at * (1 + self.side * costs.slippage) * (1 + self.side * costs.commission)

    def exit_prices(self, costs: Costs) -> Floats:
        """Return the price received per share, or paid to cover a short, all costs included, (m,)."""
        net = self.leave_at * (1 - self.side * costs.slippage) * (1 - self.side * costs.commission)
        return np.where(self.closed, net, self.leave_at)

    def shares(self, costs: Costs) -> Floats:
        """Return the shares for each unit of money in the account at the entry, negative for a short, (m,)."""
        return self.side * self.weight / (self.enter_at * (1 + costs.slippage) * (1 + costs.commission))

    def growth(self, costs: Costs) -> Floats:
        """Return the account after each trade divided by the account before it, (m,)."""
        return 1 + self.shares(costs) * (self.exit_prices(costs) - self.entry_prices(costs))


@dataclass(frozen=True)
class Account:
    """`position` (n,) is 1, 0 or -1 in each session from its open on, `equity` (n,) the value at its close.

    `cash` (m + 1,) is the value before each of the m trades and after the last; `quantity` (m,) their shares,
    negative for a short.
    """

    position: Floats
    equity: Floats
    trades: Trades
    cash: Floats
    quantity: Floats


def simulate_account(
    opens: Floats, closes: Floats, position: Floats, weight: Floats, capital: float, costs: Costs
) -> Account:
    """Simulate the target `position` (n,), with the `weight` (n,) of the session of each entry.

    An account that a short has brought to 0 or below ends: its position is closed at the next open, its equity
    stays 0, and losses beyond the account are not counted.
    """
    account = _simulate(opens, closes, position, weight, capital, costs)
    ruin = np.flatnonzero(account.equity <= 0)
    if not len(ruin):
        return account
    over = int(ruin[0])
    at_the_open = account.cash[np.searchsorted(account.trades.exit, over, side="right")] <= 0
    sessions = np.arange(len(position))
    position = np.where(sessions < over + (not at_the_open), position, 0.0)
    account = _simulate(opens, closes, position, weight, capital, costs)
    return replace(account, equity=np.where(sessions < over, account.equity, 0.0))


def break_even_cost(trades: Trades) -> float | None:
    """Return the cost per side, a fraction of the value, at which all trades together neither gain nor lose.

    None without trades, if they lose even without costs, or if they gain at any cost below 1.
    """
    low, high = 0.0, 1.0
    if not len(trades.entry) or _total_growth(trades, low) <= 1 or _total_growth(trades, high) >= 1:
        return None
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if _total_growth(trades, middle) > 1 else (low, middle)
    return low


def _total_growth(trades: Trades, cost: float) -> float:
    growth = trades.growth(Costs(commission=cost, slippage=0.0))
    return float(growth.prod()) if (growth > 0).all() else 0.0


def _simulate(opens: Floats, closes: Floats, position: Floats, weight: Floats, capital: float, costs: Costs) -> Account:
    trades = _trades(opens, closes, position, weight)
    cash = capital * np.cumprod(np.concatenate([[1.0], trades.growth(costs)]))
    quantity = cash[:-1] * trades.shares(costs)
    sessions = np.arange(len(position))
    equity = cash[np.searchsorted(trades.exit, sessions, side="right")]
    in_market = position != 0
    current = np.searchsorted(trades.entry, sessions, side="right")[in_market] - 1
    equity[in_market] += quantity[current] * (closes[in_market] - trades.entry_prices(costs)[current])
    return Account(position=position, equity=equity, trades=trades, cash=cash, quantity=quantity)


def _trades(opens: Floats, closes: Floats, position: Floats, weight: Floats) -> Trades:
    before = np.concatenate([[0.0], position[:-1]])
    entry = np.flatnonzero((position != before) & (position != 0))
    exits = np.flatnonzero((position != before) & (before != 0))
    return Trades(
        entry=entry,
        exit=exits,
        side=position[entry],
        weight=weight[entry],
        enter_at=opens[entry],
        leave_at=np.append(opens[exits], closes[-1])[: len(entry)],
    )
