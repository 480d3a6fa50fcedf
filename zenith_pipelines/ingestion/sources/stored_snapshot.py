"""A stored snapshot of raw prices as a source, to rebuild the past."""

from datetime import date, datetime

from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.ingestion.sources.base import RawPrices, since_date, unknown_ticker


class SnapshotSource:
    """The snapshot of one ticker, with the source name, library and time of its fetch. Needs no network."""

    def __init__(self, ticker: str, snapshot: Dataset) -> None:
        self._ticker = ticker
        self._snapshot = snapshot
        self.name: str = snapshot.facts["source"]

    def fetch(self, ticker: str, since: date | None = None) -> RawPrices:
        """See `PriceSource.fetch`."""
        if not self.offers(ticker):
            raise unknown_ticker(ticker, "the snapshot", self.tickers())
        facts = self._snapshot.facts
        return RawPrices(
            prices=since_date(self._snapshot.table, since),
            source=self.name,
            library=facts["library"],
            fetched_at=datetime.fromisoformat(facts["fetched_at"]),
            currency=facts.get("currency"),
            listing=facts.get("listing", {}),
            folder=facts.get("folder"),
        )

    def offers(self, ticker: str) -> bool:
        """See `PriceSource.offers`."""
        return ticker == self._ticker

    def tickers(self) -> list[str]:
        """See `PriceSource.tickers`."""
        return [self._ticker]
