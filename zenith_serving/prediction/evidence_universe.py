"""The evidence of all tickers, beside which that of one is judged."""

from collections.abc import Mapping
from typing import Any

from zenith_core.errors import CorruptData
from zenith_core.evidence.claims import Evidence, claims_by_horizon
from zenith_serving.prediction.dataset_reader import DatasetReader, Stamp


class EvidenceUniverse:
    """E-values of the ledgers of all tickers. A ledger is read again only if its file was replaced."""

    def __init__(self, ledgers: DatasetReader) -> None:
        self._ledgers = ledgers
        self._evidence: dict[str, tuple[Stamp | None, Mapping[str, Any]]] = {}

    def evidence_of(self, ticker: str, own: Mapping[str, Any]) -> dict[str, Evidence]:
        """Return a ticker's evidence by horizon; `own` is the `evidence` of its ledger's facts."""
        tickers = self._ledgers.tickers() if own else []
        return claims_by_horizon(own, [self._read(other) for other in tickers if other != ticker])

    def _read(self, ticker: str) -> Mapping[str, Any]:
        stamp = self._ledgers.stamp(ticker)
        if ticker not in self._evidence or self._evidence[ticker][0] != stamp:
            self._evidence[ticker] = stamp, self._stored(ticker)
        return self._evidence[ticker][1]

    def _stored(self, ticker: str) -> Mapping[str, Any]:
        try:
            evidence = (self._ledgers.find(ticker) or {}).get("evidence")
        except CorruptData:
            return {}
        return evidence if isinstance(evidence, dict) else {}
