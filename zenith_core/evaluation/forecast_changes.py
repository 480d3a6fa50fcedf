"""Differences between two served forecasts of a ticker in plain sentences: prices, version, band, risk, signal."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from math import expm1, log
from typing import Any, Literal, TypedDict

from zenith_core.errors import NotAvailable
from zenith_core.forecasting.abstention import REASONS
from zenith_core.market.listing import price_text
from zenith_core.model_kinds.table import Kind
from zenith_core.model_kinds.tasks import Task

_SAME = 1e-6  # relative; closer prices are the same, restored from a file or adjusted anew
_WIDER = 0.005  # relative; a smaller change of a band's width is none

Topic = Literal["prices", "version", "forecast", "band", "risk", "signal", "gate"]


class Change(TypedDict):
    """A difference, in one sentence, and as a code with the figures that it has."""

    topic: Topic
    code: str
    figures: Mapping[str, Any]
    says: str


@dataclass(frozen=True)
class ServedForecast:
    """A forecast as it was served.

    origin, made_at:  ISO
    volatility:       daily, at the origin, or None if it is not kept
    signal:           with its probability and reason (a key of REASONS), or None if it is not kept
    scale_version:    of the scale behind the band, or None if it is not kept
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
    scale_version: str | None = None

    def rescaled(self, factor: float) -> "ServedForecast":
        """Return it with all prices times `factor`."""
        prices = {name: getattr(self, name) * factor for name in ("close", "forecast", "lower", "upper")}
        return replace(self, **prices)


def explain(
    ticker: str,
    horizon: int,
    forecasts: Sequence[ServedForecast],
    since: date | None,
    kinds: Mapping[Task, Kind],
    closes: Mapping[str, float],
    decisions: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    """Return the newest forecast, the one before, or the last one made by the end of `since` (UTC), and the changes.

    forecasts:  in the order in which they were made
    closes:     of today's data by session, ISO
    decisions:  records by kind of model

    JSON-ready: ticker, horizon, now, before, changes. A single forecast has no `before`, and the change says so.
    Raises NotAvailable if there is none, or none by the end of `since`.
    """
    if len(forecasts) == 1 and since is None:
        return _first_forecast(ticker, horizon, forecasts[0])
    before, now = _pair(ticker, forecasts, since)
    sessions = sum(before.origin < session <= now.origin for session in closes)
    factor = closes.get(before.origin, before.close) / before.close
    changes = explain_changes(now, before, (kinds["price"], kinds["signal"]), sessions, factor)
    return {
        "ticker": ticker,
        "horizon": horizon,
        "now": asdict(now),
        "before": asdict(before),
        "changes": [*changes, *_gates(decisions, datetime.fromisoformat(before.made_at))],
    }


def _first_forecast(ticker: str, horizon: int, forecast: ServedForecast) -> dict[str, Any]:
    says = f"This is the first forecast, made on {forecast.made_at[:10]}: there is none before to compare it with."
    change = _change("forecast", "first", says, day=forecast.made_at[:10])
    return {"ticker": ticker, "horizon": horizon, "now": asdict(forecast), "before": None, "changes": [change]}


def _pair(
    ticker: str, forecasts: Sequence[ServedForecast], since: date | None
) -> tuple[ServedForecast, ServedForecast]:
    """Return the earlier and the newest forecast. Raises NotAvailable if there are no two."""
    if not forecasts:
        raise NotAvailable(f"{ticker} has no forecast yet: `zenith run --tickers {ticker}` makes one")
    now, earlier = forecasts[-1], forecasts[:-1]
    if since is not None:
        earlier = [one for one in earlier if datetime.fromisoformat(one.made_at).astimezone(UTC).date() <= since]
    if not earlier:
        first = forecasts[0].made_at[:10]
        raise NotAvailable(f"no earlier forecast of {ticker} was made by {since}: the first is of {first}")
    return earlier[-1], now


def _gates(decisions: Mapping[str, Sequence[Mapping[str, Any]]], since: datetime) -> Iterator[Change]:
    """Yield the decisions after `since` as changes."""
    for kind, records in decisions.items():
        for record in sorted(records, key=lambda one: str(one["at"])):
            if datetime.fromisoformat(record["at"]) > since:
                outcome = {"rolled back": "restored", "unchanged": "left out"}.get(record["outcome"], record["outcome"])
                figures = {"kind": kind, "version": record["version"], "outcome": record["outcome"]}
                figures |= {"day": record["at"][:10], "reason": record["reason"]}
                says = f"{kind} version {record['version']} was {outcome} {record['at'][:10]}: {record['reason']}."
                yield Change(topic="gate", code="gate", figures=figures, says=says)


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
    changes = [
        _adjustment(factor),
        _prices(now, earlier, sessions),
        _version(price_kind, now.version, before.version),
        _version(signal_kind, now.signal_version, before.signal_version),
        _scale(now, before),
        _forecast(now, earlier, price_kind),
        _band(now, earlier),
        _volatility(now, before),
        _risk(now, earlier),
        _signal(now, before),
    ]
    return [change for change in changes if change]


def _change(topic: Topic, code: str, says: str, **figures: Any) -> Change:
    return Change(topic=topic, code=code, figures=figures, says=says)


def _adjustment(factor: float) -> Change | None:
    if abs(factor - 1) < _SAME:
        return None
    says = f"A split or dividend since then multiplies earlier prices by {factor:.6g}: they are shown in today's units."
    return _change("prices", "adjusted", says, factor=factor)


def _prices(now: ServedForecast, before: ServedForecast, sessions: int) -> Change:
    change = now.close / before.close - 1
    figures = {"day": now.origin, "before": before.close, "now": now.close, "growth": change}
    if now.origin != before.origin:
        new = "1 new session" if sessions == 1 else f"{sessions} new sessions"
        says = f"{new}: the close went from {price_text(before.close)} to {price_text(now.close)} ({change:+.1%})."
        return _change("prices", "sessions", says, sessions=sessions, **figures)
    if abs(change) > _SAME:
        says = f"The close of {now.origin} was corrected from {price_text(before.close)} to {price_text(now.close)}."
        return _change("prices", "corrected", says, **figures)
    return _change("prices", "same", f"No new prices: both are made from the close of {now.origin}.", **figures)


def _version(kind: str, now: int | None, before: int | None) -> Change | None:
    if now is None or before is None or now == before:
        return None
    says = f"{kind} version {now} answers instead of version {before}."
    return _change("version", "version", says, kind=kind, version=now, instead=before)


def _scale(now: ServedForecast, before: ServedForecast) -> Change | None:
    if now.scale_version is None or before.scale_version is None or now.scale_version == before.scale_version:
        return None
    says = f"Scale {now.scale_version} sets the band instead of {before.scale_version}."
    return _change("version", "scale", says, version=now.scale_version, instead=before.scale_version)


def _forecast(now: ServedForecast, before: ServedForecast, kind: str) -> Change:
    expected, earlier = now.forecast / now.close - 1, before.forecast / before.close - 1
    growth, close = now.forecast / before.forecast - 1, now.close / before.close - 1
    if abs(growth) <= _SAME:
        return _change("forecast", "stays", f"The forecast stays at {price_text(now.forecast)}.", now=now.forecast)
    says = (
        f"The forecast moved by {growth:+.1%}: the close by {close:+.1%}, "
        f"and {kind} expects {_share(expected)} from there, before {_share(earlier)}."
    )
    figures = {"growth": growth, "close": close, "kind": kind, "expected": expected, "earlier": earlier}
    return _change("forecast", "moved", says, **figures)


def _share(share: float) -> str:
    return "no change" if abs(share) < 0.00005 else f"{share:+.2%}"


def _band(now: ServedForecast, before: ServedForecast) -> Change:
    width, earlier = log(now.upper / now.lower), log(before.upper / before.lower)
    ratio = width / earlier - 1
    if abs(ratio) < _WIDER:
        return _change("band", "width", "The band is as wide as before, as a share of the price.")
    word = "wider" if ratio > 0 else "narrower"
    halves = expm1(width / 2), expm1(earlier / 2)
    says = f"The band is {abs(ratio):.0%} {word}: ±{halves[0]:.1%} instead of ±{halves[1]:.1%} of the price."
    return _change("band", word, says, share=abs(ratio), half=halves[0], half_before=halves[1])


def _volatility(now: ServedForecast, before: ServedForecast) -> Change | None:
    if now.volatility is None or before.volatility is None or now.origin == before.origin:
        return None
    if abs(now.volatility / before.volatility - 1) < _WIDER:
        return None
    says = f"The volatility of a day went from {before.volatility:.2%} to {now.volatility:.2%}."
    return _change("band", "volatility", says, volatility=now.volatility, volatility_before=before.volatility)


def _risk(now: ServedForecast, before: ServedForecast) -> Change:
    """Compare the losses that are exceeded with probability 0.05: down to the lower end of the 90 % band."""
    loss, earlier = 1 - now.lower / now.close, 1 - before.lower / before.close
    says = f"One time in twenty the price is to fall by more than {loss:.1%}, before {earlier:.1%}."
    return _change("risk", "loss", says, loss=loss, loss_before=earlier)


def _signal(now: ServedForecast, before: ServedForecast) -> Change | None:
    if now.signal is None:
        return None
    own = f"{now.signal} ({_percent(now.probability)})"
    because = f": {REASONS[now.reason].rstrip('.')}" if now.reason in REASONS else ""
    figures = {"signal": now.signal, "probability": now.probability, "reason": now.reason}
    if before.signal is None:
        return _change("signal", "first", f"The signal is {own}{because}. The one before is not kept.", **figures)
    figures |= {"signal_before": before.signal, "probability_before": before.probability}
    if (now.signal, now.reason) == (before.signal, before.reason):
        says = f"The signal stays {own}, before {_percent(before.probability)}{because}."
        return _change("signal", "stays", says, **figures)
    says = f"The signal is {own}{because}. Before it was {before.signal} ({_percent(before.probability)})."
    return _change("signal", "other", says, **figures)


def _percent(share: Any) -> str:
    return "–" if share is None else f"{share:.0%}"
