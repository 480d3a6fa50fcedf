"""Facts on disk as `zenith_pipelines.datasets.store` publishes them for serving, without the pipelines."""

from math import log

from zenith_core.names import EVIDENCE
from zenith_core.sealed_json import seal

CLAIM = {"log_e_value": log(5000), "since": "2012-01-03"}
"""Evidence that is enough among a few tickers."""


def publish_claims(home, *tickers):
    """Publish evidence that makes a claim for the prices, 5 sessions ahead, and for the signals of each ticker."""
    nothing = {"log_e_value": 0.0, "since": "2012-01-03"}
    for ticker in tickers:
        prices = {"1": nothing, "5": CLAIM, "20": nothing}
        publish(home, EVIDENCE, ticker, {"price": prices, "signal": {"5": CLAIM}})


def publish(home, asset, ticker, facts, *, stamp=None):
    """Replace the current facts, sealed. With a stamp, the copy beside them is written first, as the store does."""
    folder = home / "data" / asset / ticker
    folder.mkdir(parents=True, exist_ok=True)
    content = seal({"stamp": stamp or "1", "facts": facts, "tables": {}})
    if stamp:
        (folder / stamp).mkdir(exist_ok=True)
        (folder / stamp / "manifest.json").write_bytes(content)
    (folder / "new").write_bytes(content)
    (folder / "new").replace(folder / "current.json")
    return folder / "current.json"
