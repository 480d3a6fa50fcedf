"""A typed client of the REST service. It imports neither the service nor numpy, so that scripts start fast.

    from zenith_serving.client import Zenith

    with Zenith("http://127.0.0.1:8000", key="…") as zenith:
        print(zenith.predict_price("AAPL", horizon=5).predictions)

Methods return the models of `zenith_serving.schemas`. A problem document is raised as an error of
`zenith_serving.client.errors`. 408, 429 and 503 are retried after their Retry-After, for `patience` seconds at most.
Retries are safe: a refused request did nothing, and two requests to train start one run.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    stop_before_delay,
    wait_fixed,
)

from zenith_core.job_options import ModelType
from zenith_core.model_kinds.table import Kind
from zenith_core.report.document import Report
from zenith_serving.client.errors import (
    StillRunning,
    Unavailable,
    Unreachable,
    error_of,
)
from zenith_serving.schemas.charts import Chart, TickerList
from zenith_serving.schemas.comparisons import ModelComparison
from zenith_serving.schemas.forecasts import ForecastTable, columns
from zenith_serving.schemas.jobs import Launched, Run
from zenith_serving.schemas.predictions import (
    BatchAnswer,
    CacheStats,
    ComprehensiveAnswer,
    Disclaimer,
    Forgotten,
    Health,
    PredictionType,
    PriceAnswer,
    Refreshed,
    SignalAnswer,
)
from zenith_serving.schemas.registry import Explanation, History, Leaderboard, Models, Status, TrackRecord
from zenith_serving.schemas.risk import TAILS, RiskAnswer
from zenith_serving.schemas.universe import TAILS as BOOK_TAILS
from zenith_serving.schemas.universe import BookAnswer, RankTable

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "/api/v1/ml"
ROWS_PER_PAGE = 500
ENDED = ("succeeded", "failed", "canceled")

Answer = TypeVar("Answer", bound=BaseModel)


class Zenith:
    """A Zenith service. Use it in a `with` block, or `close` it.

    key:       API key, for requests that change something
    timeout:   seconds for one request
    patience:  seconds during which a request is retried; 0 for no retries
    transport: an httpx transport other than the default one
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        key: str | None = None,
        timeout: float = 30.0,
        patience: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=timeout, transport=transport)
        self._retrying = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=_wait,
            stop=stop_before_delay(patience),
            reraise=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def predict_price(
        self, ticker: str, horizon: int = 5, *, use_cache: bool = True, quantiles: Sequence[float] = ()
    ) -> PriceAnswer:
        """Forecast the next `horizon` sessions, and the prices at the levels `quantiles`."""
        body: dict[str, Any] = {"ticker": ticker, "horizon": horizon, "use_cache": use_cache}
        if quantiles:
            body["quantiles"] = list(quantiles)
        return self._request(PriceAnswer, "POST", "/predict/price", body)

    def predict_risk(
        self,
        ticker: str,
        horizon: int = 5,
        *,
        tails: Sequence[float] = TAILS,
        touch: Sequence[Mapping[str, float]] = (),
        use_cache: bool = True,
    ) -> RiskAnswer:
        """Return value at risk, expected shortfall, volatility, and the probabilities to touch prices.

        touch: levels such as {"pct": 3} or {"price": 190}
        """
        body = {
            "ticker": ticker,
            "horizon": horizon,
            "tails": list(tails),
            "touch": [dict(level) for level in touch],
            "use_cache": use_cache,
        }
        return self._request(RiskAnswer, "POST", "/predict/risk", body)

    def predict_signal(self, ticker: str, horizon: int | None = None, *, use_cache: bool = True) -> SignalAnswer:
        """Choose between buy, hold and sell for the next `horizon` sessions, by default those of the usual model."""
        body: dict[str, Any] = {"ticker": ticker, "use_cache": use_cache}
        if horizon is not None:
            body["horizon"] = horizon
        return self._request(SignalAnswer, "POST", "/predict/signal", body)

    def predict_comprehensive(
        self, ticker: str, horizon: int = 5, *, use_cache: bool = True, signal_horizon: int | None = None
    ) -> ComprehensiveAnswer:
        """Forecast prices, signal and risk. If one fails, it is None; `problems` has the reason."""
        body: dict[str, Any] = {"ticker": ticker, "horizon": horizon, "use_cache": use_cache}
        if signal_horizon is not None:
            body["signal_horizon"] = signal_horizon
        return self._request(ComprehensiveAnswer, "POST", "/predict/comprehensive", body)

    def predict_book(
        self,
        positions: Sequence[Mapping[str, Any]],
        horizon: int = 5,
        *,
        cash: float = 0.0,
        currency: str | None = None,
        tails: Sequence[float] = BOOK_TAILS,
    ) -> BookAnswer:
        """Return the risk of a book, with each position's part, and past scenarios.

        positions: such as {"ticker": "AAPL", "quantity": 10} or {"ticker": "MSFT", "value": -500}
        currency:  the book's; may be left out if all positions have the same
        """
        body: dict[str, Any] = {"positions": [dict(each) for each in positions], "horizon": horizon, "cash": cash}
        body |= {"tails": list(tails), **({"currency": currency} if currency else {})}
        return self._request(BookAnswer, "POST", "/predict/book", body)

    def predict_ranks(self, tickers: Sequence[str], horizon: int = 20) -> RankTable:
        """Return the rank probabilities of a group of tickers among one another."""
        return self._request(RankTable, "POST", "/predict/ranks", {"tickers": list(tickers), "horizon": horizon})

    def universe(self, horizon: int = 20, *, limit: int | None = None, after: str | None = None) -> RankTable:
        """Return the rank probabilities of all tickers, for 5 or 20 sessions ahead.

        limit: the most tickers; `next` of the answer is `after` of the following page, None on the last one
        """
        filters = {"horizon": horizon, "limit": limit, "after": after}
        return self._request(RankTable, "GET", "/universe", params=_parameters(filters))

    def predict_batch(
        self,
        tickers: Sequence[str],
        what: PredictionType = "comprehensive",
        horizon: int = 5,
        *,
        use_cache: bool = True,
    ) -> BatchAnswer:
        """Predict for up to 200 tickers; each result has a prediction or a problem."""
        body = {"tickers": list(tickers), "what": what, "horizon": horizon, "use_cache": use_cache}
        return self._request(BatchAnswer, "POST", "/predict/batch", body)

    def forecasts(
        self,
        tickers: Sequence[str] = (),
        horizon: int = 5,
        *,
        quantiles: Sequence[float] = (),
    ) -> "pd.DataFrame":
        """Return a table with a row for each ticker, by default for all that have data. Needs pandas.

        Its columns are the fields of ForecastRow; a level such as 0.05 has the column q0.05.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        params: dict[str, Any] = {"tickers": list(tickers), "horizon": horizon, "quantiles": list(quantiles)}
        params["limit"] = ROWS_PER_PAGE
        while True:
            page = self._request(ForecastTable, "GET", "/forecasts", params=params)
            rows += [row.cells(quantiles) for row in page.forecasts]
            if page.next is None:
                frame = pd.DataFrame(rows, columns=columns(quantiles))
                return frame.assign(
                    as_of=pd.to_datetime(frame["as_of"]), target_date=pd.to_datetime(frame["target_date"])
                )
            params["after"] = page.next

    def cache_stats(self) -> CacheStats:
        """Return size, hits and misses of the cache."""
        return self._request(CacheStats, "GET", "/cache/stats")

    def forget(self, ticker: str | None = None) -> Forgotten:
        """Delete the cached answers of a ticker, or all."""
        return self._request(Forgotten, "DELETE", "/cache" if ticker is None else f"/cache/{_path_segment(ticker)}")

    def disclaimer(self) -> str:
        """Return the disclaimer of every prediction."""
        return self._request(Disclaimer, "GET", "/disclaimer").disclaimer

    def tickers(
        self, limit: int | None = None, after: str | None = None, prefix: str | None = None, stale: bool | None = None
    ) -> TickerList:
        """Return every ticker with data that matches all filters.

        limit: the most tickers; `next` of the answer is `after` of the following page, None on the last one
        """
        filters = {"limit": limit, "after": after, "prefix": prefix, "stale": stale}
        return self._request(TickerList, "GET", "/tickers", params=_parameters(filters))

    def chart(self, ticker: str) -> Chart:
        """Return candles, past forecasts and backtests, as the page draws them."""
        return self._request(Chart, "GET", f"/tickers/{_path_segment(ticker)}/chart")

    def report(self, ticker: str) -> Report:
        """Return the evidence for and against the models of a ticker, as its report has it."""
        return self._request(Report, "GET", f"/reports/{_path_segment(ticker)}")

    def compare(self, ticker: str, first: str, second: str) -> ModelComparison:
        """Return two model versions side by side; `lstm/2`, or a kind for its version in Production."""
        params = {"first": first, "second": second}
        return self._request(ModelComparison, "GET", f"/models/{_path_segment(ticker)}/compare", params=params)

    def track_record(self, ticker: str) -> TrackRecord:
        """Return served forecasts beside the actual closes."""
        return self._request(TrackRecord, "GET", f"/track-record/{_path_segment(ticker)}")

    def explain(self, ticker: str, since: date | None = None) -> Explanation:
        """Return the differences between the newest forecast and the one before, or the last one made by `since`."""
        params = {"since": since.isoformat()} if since else {}
        return self._request(Explanation, "GET", f"/explain/{_path_segment(ticker)}", params=params)

    def leaderboard(self, ticker: str) -> Leaderboard:
        """Return the kinds of model of a ticker, compared on the same rows."""
        return self._request(Leaderboard, "GET", f"/leaderboard/{_path_segment(ticker)}")

    def models(
        self,
        ticker: str | None = None,
        model_type: Kind | None = None,
        status: Status | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Models:
        """Return the model versions that match all filters.

        limit: the most versions; `next` of the answer is `after` of the following page, None on the last one
        """
        filters = {"ticker": ticker, "model_type": model_type, "status": status, "limit": limit, "after": after}
        return self._request(Models, "GET", "/models", params=_parameters(filters))

    def refresh_models(self) -> Refreshed:
        """Let the service load promoted versions at once."""
        return self._request(Refreshed, "POST", "/models/refresh")

    def history(self, ticker: str) -> History:
        """Return every decision about a ticker's models, newest first."""
        return self._request(History, "GET", f"/models/{_path_segment(ticker)}/history")

    def train(
        self,
        ticker: str,
        model_type: ModelType = "all",
        epochs: int | None = None,
        models: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Launched:
        """Train a ticker's models, or return the active run that trains them. `wait` waits for its end.

        models: configuration by kind of model, such as {"lstm": {"units": 32}}
        """
        body = {"ticker": ticker, "model_type": model_type, "epochs": epochs, **({"models": models} if models else {})}
        return self._request(Launched, "POST", "/train", body)

    def start_job(self, name: str, ticker: str | None = None, **config: Any) -> Launched:
        """Start a job, such as `refresh_prices`, with its config."""
        return self._request(Launched, "POST", f"/jobs/{_path_segment(name)}", {"ticker": ticker, "config": config})

    def run(self, run_id: str) -> Run:
        """Return the state of a run."""
        return self._request(Run, "GET", f"/jobs/runs/{_path_segment(run_id)}")

    def wait(self, launched: Launched, seconds: float = 7200.0, every: float = 2.0) -> Run:
        """Wait until a run has ended, or cannot start without your action (see its `note`), and return it.

        Raises StillRunning after `seconds`.
        """
        waiting = Retrying(
            retry=retry_if_result(lambda run: run.status not in ENDED and run.note is None),
            wait=wait_fixed(every),
            stop=stop_after_delay(seconds),
            retry_error_callback=_still_running,
        )
        return waiting(self.run, launched.run_id)

    def health(self) -> Health:
        """Return the state of the service and its dependencies."""
        return self._read(Health, self._send("GET", "/health"))

    def metrics(self) -> str:
        """Return the metrics in Prometheus' text format."""
        return self._send("GET", "/metrics").text

    def _request(
        self,
        schema: type[Answer],
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Answer:
        return self._read(schema, self._send(method, f"{PREFIX}{path}", body, params))

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        return self._retrying(self._try, method, path, body, params)

    def _try(self, method: str, path: str, body: Any, params: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, json=body, params=params)
        except httpx.HTTPError as error:
            raise Unreachable(f"nothing answers at {self._client.base_url.host}: {type(error).__name__}") from None
        if response.is_success:
            return response
        raise error_of(response)

    @staticmethod
    def _read(schema: type[Answer], response: httpx.Response) -> Answer:
        try:
            return schema.model_validate_json(response.content)
        except ValidationError:
            raise Unreachable(f"no Zenith of this version: its answer is not a {schema.__name__}") from None


def _parameters(filters: Mapping[str, Any]) -> dict[str, str]:
    """Return the filters that are set, as httpx would write them."""
    return {
        key: json.dumps(value) if isinstance(value, bool) else str(value)
        for key, value in filters.items()
        if value is not None
    }


def _path_segment(text: str) -> str:
    """Escape text as one segment of a path."""
    return quote(text, safe="")


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after if isinstance(error, Unavailable) else None) or 1.0


def _still_running(state: RetryCallState) -> Run:
    raise StillRunning(f"the run has not ended after {state.seconds_since_start or 0:.0f} s; it continues")
