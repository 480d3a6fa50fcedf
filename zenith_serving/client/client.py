"""A typed client of the REST service. It loads neither the service nor numpy, so that small scripts stay small.

    from zenith_serving.client import Zenith

    with Zenith("http://127.0.0.1:8000", key="…") as zenith:
        print(zenith.predict_price("AAPL", horizon=5).predictions)

Answers are the models of `zenith_serving.schemas`; what is no answer is an error of `zenith_serving.client.errors`,
made from the problem document. 408, 429 and 503 are tried again, when their Retry-After says so and while `patience`
lasts: nothing was done then, and asking twice to train starts one run.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar
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

from zenith_core.names import Kind
from zenith_serving.client.errors import (
    StillRunning,
    Unavailable,
    Unreachable,
    error_of,
)
from zenith_serving.schemas.charts import Chart, TickerList
from zenith_serving.schemas.jobs import Launched, ModelType, Run
from zenith_serving.schemas.predictions import (
    BatchAnswer,
    CacheStats,
    ComprehensiveAnswer,
    Disclaimer,
    Forgotten,
    Health,
    PriceAnswer,
    Refreshed,
    SignalAnswer,
    What,
)
from zenith_serving.schemas.registry import History, Models, Status, TrackRecord

PREFIX = "/api/v1/ml"
ENDED = ("succeeded", "failed", "canceled")

Answer = TypeVar("Answer", bound=BaseModel)


class Zenith:
    """A Zenith service. Use it in a `with`, or `close` it.

    key:       for whatever changes something
    timeout:   seconds that one request may take
    patience:  seconds in which a request that comes at a bad moment is tried again; 0 for never
    transport: how requests go out, if not by httpx's own way
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
        """Let go of the connections."""
        self._client.close()

    def predict_price(self, ticker: str, horizon: int = 5, *, use_cache: bool = True) -> PriceAnswer:
        """Forecast the next `horizon` sessions."""
        asked = {"ticker": ticker, "horizon": horizon, "use_cache": use_cache}
        return self._ask(PriceAnswer, "POST", "/predict/price", asked)

    def predict_signal(self, ticker: str, *, use_cache: bool = True) -> SignalAnswer:
        """Choose between buy, hold and sell."""
        return self._ask(SignalAnswer, "POST", "/predict/signal", {"ticker": ticker, "use_cache": use_cache})

    def predict_comprehensive(self, ticker: str, horizon: int = 5, *, use_cache: bool = True) -> ComprehensiveAnswer:
        """Forecast and signal in one; a part that failed is None, and `problems` says why."""
        asked = {"ticker": ticker, "horizon": horizon, "use_cache": use_cache}
        return self._ask(ComprehensiveAnswer, "POST", "/predict/comprehensive", asked)

    def predict_batch(
        self, tickers: Sequence[str], what: What = "comprehensive", horizon: int = 5, *, use_cache: bool = True
    ) -> BatchAnswer:
        """Ask the same of up to 200 tickers; each has its prediction or its problem."""
        asked = {"tickers": list(tickers), "what": what, "horizon": horizon, "use_cache": use_cache}
        return self._ask(BatchAnswer, "POST", "/predict/batch", asked)

    def cache_stats(self) -> CacheStats:
        """What is kept of answers, and how often it was of use."""
        return self._ask(CacheStats, "GET", "/cache/stats")

    def forget(self, ticker: str | None = None) -> Forgotten:
        """Forget the cached answers of a ticker, or all."""
        return self._ask(Forgotten, "DELETE", "/cache" if ticker is None else f"/cache/{_part(ticker)}")

    def disclaimer(self) -> str:
        """What a prediction is not."""
        return self._ask(Disclaimer, "GET", "/disclaimer").disclaimer

    def tickers(self) -> TickerList:
        """Every ticker that can be asked about."""
        return self._ask(TickerList, "GET", "/tickers")

    def chart(self, ticker: str) -> Chart:
        """Candles, past forecasts and backtests, as the page draws them."""
        return self._ask(Chart, "GET", f"/tickers/{_part(ticker)}/chart")

    def track_record(self, ticker: str) -> TrackRecord:
        """Served forecasts against what came."""
        return self._ask(TrackRecord, "GET", f"/track-record/{_part(ticker)}")

    def models(self, ticker: str | None = None, model_type: Kind | None = None, status: Status | None = None) -> Models:
        """Model versions that fit all that is given."""
        asked = {"ticker": ticker, "model_type": model_type, "status": status}
        return self._ask(Models, "GET", "/models", params={key: value for key, value in asked.items() if value})

    def refresh_models(self) -> Refreshed:
        """Let the service look at once for what was promoted."""
        return self._ask(Refreshed, "POST", "/models/refresh")

    def history(self, ticker: str) -> History:
        """Every decision about a ticker's models, newest first."""
        return self._ask(History, "GET", f"/models/{_part(ticker)}/history")

    def train(self, ticker: str, model_type: ModelType = "all", epochs: int | None = None) -> Launched:
        """Train a ticker's models anew, or learn which run does so already. `wait` waits for its end."""
        asked = {"ticker": ticker, "model_type": model_type, "epochs": epochs}
        return self._ask(Launched, "POST", "/train", asked)

    def start_job(self, name: str, ticker: str | None = None, **config: Any) -> Launched:
        """Start a job, such as `refresh_prices`; `config` is what the job takes."""
        return self._ask(Launched, "POST", f"/jobs/{_part(name)}", {"ticker": ticker, "config": config})

    def run(self, run_id: str) -> Run:
        """How a training or another job goes."""
        return self._ask(Run, "GET", f"/jobs/runs/{_part(run_id)}")

    def wait(self, launched: Launched, seconds: float = 7200.0, every: float = 2.0) -> Run:
        """The run when it has ended, or waits for something that will not come by itself (`note` says for what).

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
        """The state of the service and of what it depends on."""
        return self._read(Health, self._send("GET", "/health"))

    def metrics(self) -> str:
        """Figures in Prometheus' text format."""
        return self._send("GET", "/metrics").text

    def _ask(
        self,
        kind: type[Answer],
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        return self._read(kind, self._send(method, f"{PREFIX}{path}", document, params))

    def _send(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return self._retrying(self._try, method, path, document, params)

    def _try(self, method: str, path: str, document: Any, params: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, json=document, params=params)
        except httpx.HTTPError as error:
            raise Unreachable(f"nothing answers at {self._client.base_url.host}: {type(error).__name__}") from None
        if response.is_success:
            return response
        raise error_of(response)

    @staticmethod
    def _read(kind: type[Answer], response: httpx.Response) -> Answer:
        try:
            return kind.model_validate_json(response.content)
        except ValidationError:
            raise Unreachable(f"what answers is no Zenith of this version: not a {kind.__name__}") from None


def _part(text: str) -> str:
    """Text as one part of a path, whatever it holds."""
    return quote(text, safe="")


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after if isinstance(error, Unavailable) else None) or 1.0


def _still_running(state: RetryCallState) -> Run:
    raise StillRunning(f"the run has not ended after {state.seconds_since_start or 0:.0f} s, and goes on")
