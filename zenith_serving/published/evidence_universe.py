"""The evidence of all tickers, beside which that of one is judged."""

from collections.abc import Mapping
from threading import Lock
from typing import Any, cast

from zenith_core.errors import CorruptData
from zenith_core.evidence.claims import Evidence, TickerEvidence, Universe, nearest_horizon
from zenith_core.model_kinds.answers import ANSWERS
from zenith_core.model_kinds.table import Kind, task_of
from zenith_core.model_kinds.tasks import Task
from zenith_core.names import HEADLINE_HORIZON
from zenith_serving.published.dataset_reader import MAX_CHECKS, DatasetReader, Stamp
from zenith_serving.schemas.predictions import AnswerEvidence

_NOTHING: tuple[Stamp | None, TickerEvidence] = (None, {})


class EvidenceUniverse:
    """E-values of all tickers that have a ledger. A ticker's are read again only if its file was replaced.

    `check` follows the files of all tickers; without it, the others stay as they were at the first look.
    """

    def __init__(self, files: DatasetReader, ledgers: DatasetReader) -> None:
        self._files = files
        self._ledgers = ledgers
        self._evidence: dict[str, tuple[Stamp | None, TickerEvidence]] = {}
        self._universe: Universe | None = None
        self._judged: dict[tuple[str, Task, int], AnswerEvidence] = {}  # in this universe
        self._has_changed = False
        self._unchecked: list[str] = []  # in this round of checks
        self._reading = Lock()

    def check(self) -> None:
        """Read the files that were replaced, of up to MAX_CHECKS tickers, so that many tickers take several calls."""
        if self._universe is None:
            self._read_all()
            return
        if not self._unchecked:
            self._unchecked = self._tickers()
            self._forget(set(self._unchecked))
        part, self._unchecked = self._unchecked[:MAX_CHECKS], self._unchecked[MAX_CHECKS:]
        for ticker in part:
            self._follow(ticker)
        if self._has_changed:
            self._look()

    @property
    def is_read(self) -> bool:
        """True if memory has the evidence of all tickers, as of the last `check`."""
        return self._universe is not None

    def judge(self, ticker: str, task: Task, horizon: int, *, from_memory: bool = False) -> AnswerEvidence:
        """Return a ticker's evidence for a task: of prices, at the horizon nearest to the requested one.

        from_memory:  as of the last `check`, once `is_read`; a look at the file takes longer than a cached answer
        """
        judged, key = self._judged, (ticker, task, horizon)  # a new look has a new dictionary
        universe = cast(Universe, self._universe) if from_memory else self._current(ticker)
        if (evidence := judged.get(key)) is None or judged is not self._judged:
            own = self._of(ticker)
            nearest = nearest_horizon(own, task, horizon) if task == "price" else str(horizon)
            evidence = AnswerEvidence(horizon=int(nearest), **universe.judge(own, task, nearest))
            judged[key] = evidence
        return evidence

    def judge_kind(self, ticker: str, kind: Kind) -> AnswerEvidence | None:
        """Return the evidence for a kind of model nearest to HEADLINE_HORIZON; None unless it answers its task."""
        task = task_of(kind)
        if task is None or ANSWERS.of(ticker)[task] != kind:
            return None
        self._current(ticker)
        return self.judge(ticker, task, int(nearest_horizon(self._of(ticker), task, HEADLINE_HORIZON)))

    def judge_all(self, ticker: str, task: Task) -> dict[str, Evidence]:
        """Return a ticker's evidence for a task by horizon."""
        return self._current(ticker).judge_all(self._of(ticker), task)

    def _current(self, ticker: str) -> Universe:
        """Return the universe, after a look at this ticker's file. A new ticker may have come with others."""
        if self._universe is None or (ticker not in self._evidence and self._stamp(ticker)):
            self._read_all()
        self._follow(ticker)
        return cast(Universe, self._universe)

    def _read_all(self) -> None:
        with self._reading:
            for ticker in self._tickers():
                self._follow(ticker)
            if self._universe is None or self._has_changed:
                self._look()

    def _tickers(self) -> list[str]:
        return sorted({*self._files.tickers(), *self._ledgers.tickers()})

    def _of(self, ticker: str) -> TickerEvidence:
        return self._evidence.get(ticker, _NOTHING)[1]

    def _look(self) -> None:
        self._has_changed = False
        evidence = [own for stamp, own in list(self._evidence.values()) if stamp]
        self._universe, self._judged = Universe(evidence), {}

    def _forget(self, tickers: set[str]) -> None:
        """Forget tickers whose ledger is gone."""
        for ticker in self._evidence.keys() - tickers:
            self._evidence.pop(ticker, None)
            self._has_changed = True

    def _follow(self, ticker: str) -> None:
        """Read a ticker's file if it was replaced. The claims of the other tickers follow at the next check."""
        stamp = self._stamp(ticker)
        if self._evidence.get(ticker, _NOTHING)[0] != stamp:
            self._evidence[ticker] = stamp, self._read(ticker)
            self._judged = {key: own for key, own in list(self._judged.items()) if key[0] != ticker}
            self._has_changed = True

    def _stamp(self, ticker: str) -> Stamp | None:
        return self._files.stamp(ticker) or self._ledgers.stamp(ticker)

    def _read(self, ticker: str) -> TickerEvidence:
        """Return what the pipelines published, none if it is damaged. Earlier releases had it in the ledger alone."""
        try:
            own = self._files.find(ticker)
            facts = {"price": (self._ledgers.find(ticker) or {}).get("evidence")} if own is None else own
        except CorruptData:
            return {}
        return {task: _checked(facts.get(task)) for task in ("price", "signal")}


def _checked(by_horizon: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return the evidence of a task, none if it is anything else."""
    try:
        return {
            str(horizon): {"log_e_value": float(own["log_e_value"]), "since": own["since"]}
            for horizon, own in by_horizon.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}
