"""Errors of serving; `problem_details` maps each to its HTTP status."""

import difflib
from collections.abc import Collection

from zenith_core.errors import NotAvailable, ZenithError


def nearby(ticker: str, tickers: list[str]) -> list[str]:
    """Return up to three of `tickers` that look like this one."""
    return difflib.get_close_matches(ticker, tickers, n=3, cutoff=0.5)


def unknown_name(what: str, name: str, names: Collection[str]) -> str:
    """Return the message about an unknown name: the nearest of `names`, or all of them; never the name itself."""
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"unknown {what}: " + (f"did you mean {nearest[0]}?" if nearest else f"the {what}s are {', '.join(names)}")


class UnknownTicker(NotAvailable):
    """There is no data or model of the ticker. `nearby` are similar tickers that have one.

    missing: the missing thing, in words; never the client's ticker
    remedy:  the way to get it, shown if no ticker is similar
    """

    def __init__(
        self,
        nearby: list[str],
        missing: str = "no predictions for this ticker",
        remedy: str = "`zenith run --tickers TICKER` makes them",
    ) -> None:
        hint = f"did you mean {' or '.join(nearby)}?" if nearby else remedy
        super().__init__(f"{missing}: {hint}")
        self.nearby = nearby


class UnknownVersion(NotAvailable):
    """The registry has no such version or kind of model of the ticker."""


class NoEarlierForecast(NotAvailable):
    """The ticker has no two forecasts to compare, or none of the day."""


class TickerGone(NotAvailable):
    """The ticker is no longer traded, and all sessions that its last data could forecast have passed."""


class ModelUnavailable(NotAvailable):
    """The ticker has data, but no model that can be served."""


class NoProductionModel(ModelUnavailable):
    """The registry has no version in Production of the ticker's model."""


class DistributionUnavailable(NotAvailable):
    """The ticker's data hold no distribution to answer with: they are of before 0.2.0, or too short.

    ticker:  one that has data
    reason:  why it has none, as the refresh that wrote the data found; empty for data of before 0.2.0
    """

    def __init__(self, ticker: str, reason: str = "") -> None:
        why = f" ({reason})" if reason else " yet"
        super().__init__(
            f"the data of {ticker} hold no distribution of returns{why}: "
            f"`zenith job refresh_prices --tickers {ticker}` computes it{' when they allow it' if reason else ''}"
        )


class UniverseUnavailable(NotAvailable):
    """There is no forecast of all tickers yet."""

    def __init__(self) -> None:
        super().__init__("there is no forecast of all tickers yet: `zenith job forecast_universe` makes it from prices")


class FeatureMismatch(ModelUnavailable):
    """The model was trained on other features than the snapshot has: an answer would be silently wrong."""


class RegistryUnavailable(ZenithError):
    """The model registry cannot be reached."""

    exit_code = 1
    retryable = True


class KeyMissing(ZenithError):
    """The request needs a key and has none."""

    def __init__(self) -> None:
        super().__init__("a key is needed: send Authorization: Bearer KEY, or X-API-Key: KEY")


class KeyWrong(ZenithError):
    """The request has an invalid key, or one that may only read."""

    def __init__(self, problem: str = "this key is not valid") -> None:
        super().__init__(f"{problem}: use one of ZENITH_API_KEYS")


class CrossSite(ZenithError):
    """A request without a key that another site's page, or another machine, may have sent."""

    def __init__(self) -> None:
        super().__init__(
            "without ZENITH_API_KEYS only the page and programs of this machine may change something: set a key, "
            "or use a loopback address"
        )


class NoRegistry(RegistryUnavailable):
    """There is no registry yet: nothing was ever registered in this home."""


class DagsterUnavailable(ZenithError):
    """Dagster, or a part of it that a run needs, is unavailable. No run was launched."""

    retryable = True


class TrainingActive(ZenithError):
    """The ticker is being trained with another configuration; nothing was launched."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} trains this ticker with another configuration: ask again when it has ended")


class UnknownRun(ZenithError):
    """Dagster has no such run."""

    def __init__(self) -> None:
        super().__init__("Dagster has no run of this id")


class UnknownJob(ZenithError):
    """No job of this name can be launched over REST."""


class CacheUnavailable(ZenithError):
    """The shared cache cannot be cleared."""

    exit_code = 1
    retryable = True
