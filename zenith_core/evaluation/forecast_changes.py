"""Differences between two served forecasts of a ticker in plain sentences: prices, version, forecast, band, signal."""

from dataclasses import dataclass, replace
from math import expm1, log
from typing import Any, Literal, TypedDict

from zenith_core.forecasting.abstention import REASONS
from zenith_core.market.listing import price_text

_SAME = 1e-6  # relative; closer prices are the same, restored from a file or adjusted anew
_WIDER = 0.005  # relative; a smaller change of a band's width is none

Topic = Literal["prices", "version", "forecast", "band", "signal", "gate"]


class Change(TypedDict):
    """A difference, in one sentence."""

    topic: Topic
    says: str


@dataclass(frozen=True)
class ServedForecast:
    """A forecast as it was served.

    origin, made_at:  ISO
    volatility:       daily, at the origin, or None if it is not kept
    signal:           with its probability and reason (a key of REASONS), or None if it is not kept
    """

    made_at: str
    origin: str
    close: float
    forecast: float
    lower: float
    upper: float
    version: int
    volatility: float | None = None
    signal: str | None = None
    probability: float | None = None
    reason: str | None = None
    signal_version: int | None = None

    def rescaled(self, factor: float) -> "ServedForecast":
        """Return it with all prices times `factor`."""
        prices = {name: getattr(self, name) * factor for name in ("close", "forecast", "lower", "upper")}
        return replace(self, **prices)


def explain_changes(
    now: ServedForecast, before: ServedForecast, kinds: tuple[str, str], sessions: int, factor: float = 1.0
) -> list[Change]:
    """Return why the forecast `now` differs from the one `before`.

    kinds:     of the models that answer prices and signals
    sessions:  between the two origins
    factor:    of the close at the origin of `before` since then, by splits and dividends; 1 if there were none
    """
    price_kind, signal_kind = kinds
    earlier = before.rescaled(factor)
    sentences: list[tuple[Topic, str | None]] = [
        ("prices", _adjustment(factor)),
        ("prices", _prices(now, earlier, sessions)),
        ("version", _version(price_kind, now.version, before.version)),
        ("version", _version(signal_kind, now.signal_version, before.signal_version)),
        ("forecast", _forecast(now, earlier, price_kind)),
        ("band", _band(now, earlier)),
        ("signal", _signal(now, before)),
    ]
    return [Change(topic=topic, says=says) for topic, says in sentences if says]


def _adjustment(factor: float) -> str | None:
    if abs(factor - 1) < _SAME:
        return None
    return f"A split or dividend since then multiplies earlier prices by {factor:.6g}: they are shown in today's units."


def _prices(now: ServedForecast, before: ServedForecast, sessions: int) -> str:
    change = now.close / before.close - 1
    if now.origin != before.origin:
        new = "1 new session" if sessions == 1 else f"{sessions} new sessions"
        return f"{new}: the close went from {price_text(before.close)} to {price_text(now.close)} ({change:+.1%})."
    if abs(change) > _SAME:
        return f"The close of {now.origin} was corrected from {price_text(before.close)} to {price_text(now.close)}."
    return f"No new prices: both are made from the close of {now.origin}."


def _version(kind: str, now: int | None, before: int | None) -> str | None:
    if now is None or before is None or now == before:
        return None
    return f"{kind} version {now} answers instead of version {before}."


def _forecast(now: ServedForecast, before: ServedForecast, kind: str) -> str:
    expected, earlier = now.forecast / now.close - 1, before.forecast / before.close - 1
    growth = now.forecast / before.forecast - 1
    if abs(growth) <= _SAME:
        return f"The forecast stays at {price_text(now.forecast)}."
    return (
        f"The forecast moved by {growth:+.1%}: the close by {now.close / before.close - 1:+.1%}, "
        f"and {kind} expects {_change(expected)} from there, before {_change(earlier)}."
    )


def _change(share: float) -> str:
    return "no change" if abs(share) < 0.00005 else f"{share:+.2%}"


def _band(now: ServedForecast, before: ServedForecast) -> str:
    width, earlier = log(now.upper / now.lower), log(before.upper / before.lower)
    ratio = width / earlier - 1
    if abs(ratio) < _WIDER:
        return "The band is as wide as before, as a share of the price."
    word = "wider" if ratio > 0 else "narrower"
    says = f"The band is {abs(ratio):.0%} {word}: ±{_half(width)} instead of ±{_half(earlier)} of the price."
    return f"{says}{_volatility(now, before)}"


def _volatility(now: ServedForecast, before: ServedForecast) -> str:
    if now.volatility is None or before.volatility is None or now.origin == before.origin:
        return ""
    return f" The volatility of a day went from {before.volatility:.2%} to {now.volatility:.2%}."


def _half(width: float) -> str:
    return f"{expm1(width / 2):.1%}"


def _signal(now: ServedForecast, before: ServedForecast) -> str | None:
    if now.signal is None:
        return None
    own = f"{now.signal} ({_percent(now.probability)})"
    because = f": {REASONS[now.reason].rstrip('.')}" if now.reason in REASONS else ""
    if before.signal is None:
        return f"The signal is {own}{because}. The one before is not kept."
    if (now.signal, now.reason) == (before.signal, before.reason):
        return f"The signal stays {own}, before {_percent(before.probability)}{because}."
    return f"The signal is {own}{because}. Before it was {before.signal} ({_percent(before.probability)})."


def _percent(share: Any) -> str:
    return "–" if share is None else f"{share:.0%}"
