"""`zenith serve` on a state made by hand, and prepared answers for the parts that only a trained state has."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

from tests.core.risk.distributions import normal_distribution
from tests.integration.dagster_ui import ZENITH, free_port
from tests.published import publish_claims
from tests.serving.conftest import MLflowHome, make_ensemble, make_lstm, make_snapshot
from tests.serving.page_state import write_charts, write_evidence, write_facts
from tests.waiting import PATIENCE, wait_until

GATES = [{"name": "answers", "passed": True, "detail": "finite"}, {"name": "loss", "passed": False, "detail": "worse"}]
VERSION = {"created_at": "2026-11-20T10:00:00Z", "data_end": "2013-03-01", "data_version": "feed", "metrics": {}}
EVIDENCE = {"e_value": 34.0, "since": "2013-02-18", "required": 40.0, "discovered": False, "says": "34 to 1"}
ANSWERS = {
    "models?ticker=*": {
        "models": [
            {"name": "lstm-AAPL", "ticker": "AAPL", "model_type": "lstm", "version": "2", "status": "candidate"}
            | {**VERSION, "beats_naive": True},
            {"name": "lstm-AAPL", "ticker": "AAPL", "model_type": "lstm", "version": "1", "status": "production"}
            | {**VERSION, "beats_naive": False, "evidence": EVIDENCE},
        ]
    },
    "models/*/history": {
        "ticker": "AAPL",
        "events": [
            {"at": "2026-11-21T10:00:00Z", "model_type": "lstm", "version": "2", "action": "refused", "by": "ana"}
            | {"reason": "loss is worse", "gates": GATES},
            {"at": "2026-11-20T10:00:00Z", "model_type": "lstm", "version": "1", "action": "promoted", "by": "ana"}
            | {"reason": "first model, no skill shown", "gates": GATES[:1]},
        ],
    },
    "leaderboard/*": {
        "ticker": "AAPL",
        "tasks": {
            "price": {"answering": "lstm", "loss": "mae", "horizon": 5, "rows": 880}
            | {
                "models": [
                    {"model_type": "gru", "version": "3", "data_end": "2013-03-01", "answers": False, "own_rows": 900}
                    | {"value": 0.0213, "naive": 0.022, "skill": 0.01, "p_value": 0.2, "beats_naive": False}
                    | {"coverage": 0.9, "ece": None, "p_value_answering": 0.31, "train_cpu_seconds": 4.5, "note": None},
                    {"model_type": "lstm", "version": "1", "data_end": "2013-03-01", "answers": True, "own_rows": 880}
                    | {"value": 0.0214, "naive": 0.022, "skill": 0.005, "p_value": 0.4, "beats_naive": False}
                    | {"coverage": 0.89, "ece": None, "p_value_answering": None, "train_cpu_seconds": None}
                    | {"note": None, "evidence": EVIDENCE},
                ]
            }
        },
    },
    "explain/*": {
        "ticker": "AAPL",
        "horizon": 5,
        "now": {"made_at": "2013-03-01T22:00:00Z"},
        "before": {"made_at": "2013-02-28T22:00:00Z"},
        "changes": [
            {"topic": "prices", "code": "sessions", "says": "1 new session: …"}
            | {"figures": {"sessions": 1, "day": "2013-03-01", "before": 99.0, "now": 100.0, "growth": 1 / 99}},
            {"topic": "band", "code": "wider", "figures": {"share": 0.54, "half": 0.096, "half_before": 0.061}}
            | {"says": "The band is wider."},
            {"topic": "gate", "code": "gate", "says": "lstm version 2 was refused."}
            | {"figures": {"kind": "lstm", "version": 2, "outcome": "refused", "day": "2013-03-01", "reason": "worse"}},
            {"topic": "news", "code": "of a later release", "figures": {}, "says": "Something else."},
        ],
    },
    "track-record/*": {
        "ticker": "AAPL",
        "forecasts": [
            {"origin": "2013-02-18", "horizon": 5, "target_date": "2013-02-25", "made_at": "2013-02-18T22:00:00Z"}
            | {"close": 99.0, "forecast": 99.5, "lower": 97.0, "upper": 98.0, "actual": 101.25}
            | {"model_version": "1", "in_the_open": True},
            {"origin": "2013-03-01", "horizon": 5, "target_date": "2013-03-08", "made_at": "2013-03-01T22:00:00Z"}
            | {"close": 100.0, "forecast": 101.0, "lower": 97.0, "upper": 103.0, "actual": None}
            | {"model_version": "1", "in_the_open": True},
        ],
        "summary": {
            "1": {"matured": 0, "coverage": None, "mae": None, "mae_naive": None},
            "5": {"matured": 1, "coverage": 0.0, "mae": 0.0177, "mae_naive": 0.0227},
        },
        "evidence": {
            "1": {"e_value": 1.0, "since": None, "required": 2400.0, "discovered": False, "says": "no outcome yet"},
            "5": {"e_value": 0.2, "since": "2013-02-18", "required": 2400.0, "discovered": False, "says": "1 to 5"},
            "20": {"e_value": 34.0, "since": "2013-02-18", "required": 20.0, "discovered": True, "says": "34 to 1"},
        },
    },
}
"""By path below /api/v1/ml/, as the service's description has them."""


class Server:
    """`zenith serve` with a home of its own; it can be stopped and started again on the same port."""

    def __init__(self, home, **environment):
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("ZENITH_")}
        self._environment |= {"ZENITH_HOME": str(home), **environment}
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        with (self.home / "serve.log").open("ab") as log:
            command = [ZENITH, "serve", "--port", str(self.port)]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        wait_until(self._answers)

    def stop(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _answers(self):
        try:
            return urllib.request.urlopen(f"{self.url}/health", timeout=PATIENCE).status == 200
        except (OSError, urllib.error.URLError):
            return False


TOUCH = {"pct": -3, "rows": 999, "rate": 0.21, "brier": 0.1412, "brier_frequency": 0.1633, "skill": 0.135}
VOLATILITY = {"rows": 999, "qlike": 1.31, "qlike_ewma": 1.38, "qlike_skill": 0.05}
RISK_RECORD = {
    "since": "2016-03-01",
    "until": "2020-02-28",
    "horizons": {horizon: {"tails": [], "volatility": VOLATILITY, "touch": [TOUCH]} for horizon in ("1", "5", "20")},
}


def make_home(home):
    """AAPL has all; MSFT has models, and data of before there was a page; IBM has data only."""
    registry = MLflowHome(home)
    for ticker in ("AAPL", "IBM", "MSFT"):
        known = {"distribution": normal_distribution(), "risk_record": RISK_RECORD} if ticker == "AAPL" else {}
        write_facts(home, "serving_snapshot", ticker, make_snapshot(ticker, **known).to_json())
    for ticker in ("AAPL", "MSFT"):
        registry.register(f"lstm-{ticker}", make_lstm(ticker))
        registry.register(f"ensemble-{ticker}", make_ensemble(ticker))
    publish_claims(home, "AAPL", "MSFT")
    write_charts(home, "AAPL")
    write_evidence(home, "AAPL")
    return registry


def answer(page, path, status, body):
    """Give the page this answer at `path` below /api/v1/ml/ from now on."""
    kind = "application/json" if status < 400 else "application/problem+json"
    response = {"status": status, "content_type": kind, "body": json.dumps(body)}
    page.route(f"**/api/v1/ml/{path}", lambda route: route.fulfill(**response))


def part(page, title):
    return page.get_by_role("region", name=title, exact=True)
