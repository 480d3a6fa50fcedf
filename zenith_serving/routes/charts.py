"""What a page draws of a ticker, as the pipelines left it among the facts of three datasets. Nothing is kept in memory.

A part that is not there, because an older version of the pipelines wrote the dataset or nothing did yet, or that cannot
be read, is None: whoever draws says what makes it, and shows the rest.
"""

import json
import logging
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from zenith_core.names import KINDS
from zenith_serving.schemas.charts import Backtest, Candles, Chart, PastForecasts

_logger = logging.getLogger(__name__)
Part = TypeVar("Part", bound=BaseModel)


def chart_of(data: Path, ticker: str) -> Chart:
    """All there is to draw of a validated ticker; `data` holds a folder for each dataset."""
    lstm, ensemble = (_facts(data / f"{kind}_backtest" / ticker) for kind in KINDS)
    return Chart(
        ticker=ticker,
        candles=_part(Candles, _facts(data / "serving_snapshot" / ticker).get("candles")),
        forecasts=_part(PastForecasts, lstm.get("forecasts")),
        backtests={"lstm": _backtest(lstm), "ensemble": _backtest(ensemble)},
    )


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / "current.json").read_bytes())["facts"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        _logger.warning("%s of %s cannot be read: %r", folder.parent.name, folder.name, error)
        return {}
    return facts if isinstance(facts, dict) else {}


def _backtest(facts: dict[str, Any]) -> Backtest | None:
    names = ("equity", "stats", "config", "model_version")
    return _part(Backtest, {name: facts[name] for name in names}) if all(name in facts for name in names) else None


def _part(kind: type[Part], content: object) -> Part | None:
    try:
        return None if content is None else kind.model_validate(content)
    except ValidationError as error:
        _logger.warning("%s: %d errors", kind.__name__, error.error_count())
        return None
