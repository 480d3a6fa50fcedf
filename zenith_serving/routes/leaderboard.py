"""The leaderboard of a ticker: the kinds of model of each task on the same rows, as the pipelines compared them."""

from fastapi import APIRouter
from pydantic import ValidationError

from zenith_core.names import ALL_TICKERS, HEADLINE_HORIZON, TRIALS
from zenith_core.report.compose import among_all_trials
from zenith_serving.errors import UnknownTicker
from zenith_serving.problem_details import RESPONSES
from zenith_serving.published.dataset_reader import DatasetReader
from zenith_serving.report import facts_of
from zenith_serving.routes.dependencies import PREFIX, PredictorDep, SettingsDep, TickerPath
from zenith_serving.schemas.registry import Leaderboard, Trials

router = APIRouter(prefix=PREFIX, tags=["registry"])


@router.get("/leaderboard/{ticker}", responses=RESPONSES)
def leaderboard(ticker: TickerPath, settings: SettingsDep, predictor: PredictorDep) -> Leaderboard:
    """Compare the kinds of model of a ticker on the rows that they have in common."""
    ticker = predictor.snapshots.current_name(ticker)
    boards = DatasetReader(settings.facts("leaderboard"))
    facts = boards.find(ticker)
    if facts is None:
        raise UnknownTicker(
            boards.nearby(ticker), "no leaderboard of this ticker", "`zenith run --tickers TICKER` makes it"
        )
    try:
        trials = facts_of(settings.snapshots.parent, TRIALS, ALL_TICKERS)
        for task, board in facts["tasks"].items():
            for row in board["models"]:
                row["backtest"] = among_all_trials(trials, ticker, row["model_type"])
                if row["answers"]:
                    row["evidence"] = predictor.universe.judge(ticker, task, board["horizon"] or HEADLINE_HORIZON)
        return Leaderboard(ticker=ticker, tasks=facts["tasks"], trials=Trials(**trials) if trials else None)
    except (ValidationError, AttributeError, KeyError, TypeError) as error:
        raise boards.unreadable(ticker, error) from None
