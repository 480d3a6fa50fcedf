"""What keeps serving from an answer. `problems` maps each to its HTTP status."""

import difflib

from zenith_core.errors import NotAvailable, ZenithError


def nearby(ticker: str, tickers: list[str]) -> list[str]:
    """Return up to three of `tickers` that look like this one."""
    return difflib.get_close_matches(ticker, tickers, n=3, cutoff=0.5)


class UnknownTicker(NotAvailable):
    """There is nothing of what was asked for of the ticker. `nearby` are tickers of which there is.

    missing: what there is not, in words; the client's ticker is no part of it
    remedy:  what would make it, said if no ticker is near
    """

    def __init__(
        self,
        nearby: list[str],
        missing: str = "no predictions for this ticker",
        remedy: str = "`zenith run --tickers TICKER` makes one",
    ) -> None:
        hint = f"did you mean {' or '.join(nearby)}?" if nearby else remedy
        super().__init__(f"{missing}: {hint}")
        self.nearby = nearby


class TickerGone(NotAvailable):
    """The ticker is traded no more, and every session that its last data could forecast has passed."""


class ModelUnavailable(NotAvailable):
    """There is data for the ticker, but no model that may answer for it."""


class FeatureMismatch(ModelUnavailable):
    """The model was trained on other features than the snapshot holds: an answer would be silently wrong."""


class RegistryUnavailable(ZenithError):
    """The model registry cannot be asked at the moment."""

    exit_code = 1
    retryable = True


class KeyMissing(ZenithError):
    """The request needs a key and carries none."""

    def __init__(self) -> None:
        super().__init__("a key is needed: send Authorization: Bearer KEY, or X-API-Key: KEY")


class KeyWrong(ZenithError):
    """The request carries a key that is not one of ours."""

    def __init__(self) -> None:
        super().__init__("this key is not valid: ZENITH_API_KEYS has those that are")


class CrossSite(ZenithError):
    """Another site's page, or another machine, may have sent what only this machine may send without a key."""

    def __init__(self) -> None:
        super().__init__(
            "without ZENITH_API_KEYS only this machine's own page and programs may change something: set a key, "
            "or call by a loopback address"
        )


class DagsterUnavailable(ZenithError):
    """Dagster, or a part of it that a run takes, is not there: nothing was launched that will be left lying."""

    retryable = True


class UnknownRun(ZenithError):
    """Dagster has no such run."""

    def __init__(self) -> None:
        super().__init__("Dagster has no run of this id")


class UnknownJob(ZenithError):
    """There is no such job to launch over REST."""


class CacheUnavailable(ZenithError):
    """The shared cache cannot be told to forget."""

    exit_code = 1
    retryable = True
