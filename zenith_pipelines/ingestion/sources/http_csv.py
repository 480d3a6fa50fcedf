"""CSV tables over HTTP, such as those of Stooq and Alpha Vantage: an address with a place for the ticker.

Address and key come from the settings alone. Neither is in an error, because a key may be part of both.
"""

import ssl
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit

import httpx
import pandas as pd
from pydantic import SecretStr

from zenith_core.errors import (
    InvalidPrices,
    NoNewData,
    RateLimited,
    SourceError,
    SourceUnavailable,
    UnknownTicker,
    UserError,
)
from zenith_core.market.exchanges import exchange_of
from zenith_core.market.tickers import validate_ticker
from zenith_pipelines.ingestion.sources.base import RawPrices, since_date
from zenith_pipelines.ingestion.sources.files.price_file import PriceFile
from zenith_pipelines.ingestion.sources.retries import RetryPolicy, retry_after
from zenith_pipelines.patience import waiting_for

LARGEST_ANSWER = 50_000_000  # bytes; 100 years of daily prices are 3 MB
_LONGEST_MESSAGE = 500  # bytes; a shorter answer of one line is a message of the server
_EARLIEST = date(1900, 1, 1)


class HttpCsvSource:
    """One CSV table for each ticker, at an address of the settings. Raises UserError without an address.

    url:          with {ticker} or {symbol}, and optionally {since} and {key} (`ZENITH_PRICE_URL`)
    key:          replaces {key}
    retry_policy: limits of retries after temporary errors
    largest:      the most bytes of an answer
    sleep:        replaced in tests
    """

    name = "http"

    def __init__(
        self,
        url: SecretStr | None,
        key: SecretStr | None = None,
        retry_policy: RetryPolicy | None = None,
        largest: int = LARGEST_ANSWER,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if url is None:
            raise UserError("the http source needs ZENITH_PRICE_URL, an address such as https://host/csv?s={ticker}")
        self._template = url.get_secret_value()
        self._key = key.get_secret_value() if key else ""
        if "{key}" in self._template and not self._key:
            raise UserError("ZENITH_PRICE_URL has {key}, but ZENITH_PRICE_KEY is not set")
        self._host = urlsplit(self._template).hostname or ""
        self._retry_policy = retry_policy or RetryPolicy()
        self._largest = largest
        self._sleep = sleep

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`."""
        ticker = validate_ticker(ticker)
        exchange = exchange_of(ticker)
        url, pause = self._url(ticker, since), [0.0]
        with waiting_for("ZENITH_PRICE_URL"):
            content = self._retry_policy.call(
                lambda: self._download(ticker, url, pause), retry_after=lambda: pause[0], sleep=self._sleep
            )
        return RawPrices(
            prices=since_date(self._table(ticker, content, exchange.timezone), since),
            source=self.name,
            library=f"httpx {httpx.__version__}",
            fetched_at=datetime.now(UTC),
        )

    def offers(self, ticker: str) -> bool:
        """See `PriceSource.offers`: only the server knows."""
        return True

    def tickers(self) -> None:
        """An address does not list its tickers."""
        return None

    def _url(self, ticker: str, since: date | None) -> str:
        name, dot, _ = ticker.rpartition(".")
        symbol = name if dot else ticker
        places = {"ticker": quote(ticker, safe=""), "symbol": quote(symbol, safe=""), "key": quote(self._key, safe="")}
        return self._template.format(**places, since=since or _EARLIEST)

    def _download(self, ticker: str, url: str, pause: list[float]) -> bytes:
        """Return the body of an answer. pause: set to the seconds of its Retry-After."""
        pause[0], timeout = 0.0, self._retry_policy.timeout
        deadline = time.monotonic() + timeout
        try:
            with (
                httpx.Client(timeout=timeout, verify=_trusted(), follow_redirects=False) as client,
                client.stream("GET", url) as response,
            ):
                pause[0] = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
                self._require_success(ticker, response, pause[0])
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > self._largest:
                        raise InvalidPrices(f"{self._about(ticker)}: more than {self._largest / 1e6:g} MB")
                    if time.monotonic() > deadline:
                        raise SourceUnavailable(f"{self._about(ticker)}: not complete after {timeout:g} s")
                return bytes(content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = f"no answer within {timeout:g} s" if isinstance(error, httpx.TimeoutException) else f"{error}"
            raise SourceUnavailable(f"{self._about(ticker)}: {self._said(reason)}") from None

    def _require_success(self, ticker: str, response: httpx.Response, pause: float) -> None:
        status = response.status_code
        about = f"{self._about(ticker)}: HTTP {status}"
        if status == 429:
            raise RateLimited(f"{about}, too many requests: retry {f'in {pause:.0f} s' if pause else 'later'}")
        if status in (404, 410):
            raise UnknownTicker(f"{about}: it does not know {ticker}")
        if status >= 500:
            raise SourceUnavailable(about)
        if status in (401, 403):
            raise SourceError(f"{about}, refused: see ZENITH_PRICE_KEY")
        if response.is_redirect:
            host = urlsplit(response.headers.get("Location", "")).hostname or "another path"
            raise SourceError(f"{about}, a redirect to {self._said(host)}: ZENITH_PRICE_URL must name the last address")
        if status != 200:
            raise SourceError(about)

    def _table(self, ticker: str, content: bytes, timezone: str) -> pd.DataFrame:
        self._require_no_message(ticker, content)
        with TemporaryDirectory(prefix="zenith-http-") as folder:
            path = Path(folder) / f"{ticker}.csv"
            path.write_bytes(content)
            file = PriceFile(path)
            try:
                if file.tickers != [ticker]:
                    raise InvalidPrices(f"{path}: it has prices of {', '.join(file.tickers)}")
                return file.prices(ticker, timezone)
            except (InvalidPrices, NoNewData) as error:
                text = str(error).replace(str(path), self._about(ticker))
                raise type(error)(self._said(text)) from None

    def _require_no_message(self, ticker: str, content: bytes) -> None:
        """Raise SourceError for a message in place of a table, such as "No data", or JSON about a limit."""
        text = content[:_LONGEST_MESSAGE].decode(errors="replace").strip()
        is_sentence = len(content) < _LONGEST_MESSAGE and text.isprintable() and not set(text) & set("<,")
        if text.startswith("{") or (text and is_sentence):
            raise SourceError(f"{self._about(ticker)} is a message, not a table: {self._said(text)}")

    def _about(self, ticker: str) -> str:
        return f"the answer of {self._host} for {ticker}"

    def _said(self, text: str) -> str:
        """Return a text of the server as one line without the key."""
        line = " ".join(text.split())[:300]
        for key in filter(None, (self._key, quote(self._key, safe=""))):
            line = line.replace(key, "…")
        return line


@cache
def _trusted() -> ssl.SSLContext:
    """Return the certificates to trust. Reading them takes longer than most answers."""
    return httpx.create_ssl_context()
