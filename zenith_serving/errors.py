"""What keeps serving from an answer. `problems` maps each to its HTTP status."""

from zenith_core.errors import NotAvailable, ZenithError


class UnknownTicker(NotAvailable):
    """There is no serving snapshot for the ticker. `nearby` are tickers that do have one."""

    def __init__(self, nearby: list[str]) -> None:
        hint = f"did you mean {' or '.join(nearby)}?" if nearby else "`zenith run --tickers TICKER` makes one"
        super().__init__(f"no predictions for this ticker: {hint}")
        self.nearby = nearby


class TickerGone(NotAvailable):
    """The ticker is traded no more, and every session that its last data could forecast has passed."""


class ModelUnavailable(NotAvailable):
    """There is data for the ticker, but no model that may answer for it."""


class FeatureMismatch(ModelUnavailable):
    """The model was trained on other features than the snapshot holds: an answer would be silently wrong."""


class RegistryAway(ZenithError):
    """The model registry cannot be asked at the moment."""

    exit_code = 1
    retryable = True


class CacheAway(ZenithError):
    """The shared cache cannot be told to forget."""

    exit_code = 1
    retryable = True
