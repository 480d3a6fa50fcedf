"""The shell examples of README, guides and runbook, run as a reader would, in a folder where AAPL was trained.

Blocks of quick `zenith` commands alone run in this process, which spares starting Python for each.
"""

import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from tests.doc_pages import GUIDES, blocks, zenith_words
from tests.integration.conftest import ZENITH
from tests.integration.dagster_ui import free_port
from tests.live_service import live_service
from tests.runs_here import run_tickers_here
from zenith_cli.main import main
from zenith_core.market import exchanges
from zenith_serving.settings import Settings as ServingSettings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"),  # Dagster's own, of itself
    pytest.mark.skipif(shutil.which("bash") is None or shutil.which("curl") is None, reason="needs bash and curl"),
]

SERVICE = "http://127.0.0.1:8000"
QUICK = (
    "predict",
    "models",
    "leaderboard",
    "export",
    "track-record",
    "promote",
    "rollback",
    "replay",
    "cleanup",
    "tickers",
    "job",
    "prices",
)
RUN = {page: [one for one in blocks(page) if one.language == "bash" and not one.excuse] for page in GUIDES}
ANSWERS = {
    "README.md": ["signal hold", "version 1 promoted by", "rows of AAPL forecasts to f.csv", '"predictions":['],
    "claims.md": ["1 session ahead, evidence: "],
    "figures.md": ["AAPL lstm", "AAPL: no forecast has matured yet. None was made before its target date"],
    "models.md": ["AAPL price · 5 sessions ahead", "AAPL signal"],
    "own-prices.md": [
        "rows of AAPL raw to prices/AAPL.csv",
        "AAPL.csv · AAPL · plain · 3,270 rows, 3,270 sessions, 2 splits, 0 dividends",
        "added: EDP.LIS",
        "removed: VALE3.SA, PETR4.SA",
    ],
    "promotion.md": [
        "lstm-AAPL: version 1 is now in Production (rolled back), previously version 2",
        "passed   answers: loads in ONNX Runtime and returns finite numbers",
        "lstm-AAPL: version 2 is now in Production (promoted), previously version 1",
        "would free",
    ],
    "risk.md": ["5 sessions, until ", "value at risk", "out of sample", "probability to touch it", "scale prior-"],
    "report.md": ["rows of AAPL forecasts to forecasts.csv", "rows of AAPL trades to trades.csv"],
    "runbook.md": ["AAPL ensemble", "rows of AAPL prices to cleaned.csv"],
    "scaling.md": ["Set concurrency limit for price_sources to 4."],
    "schedules.md": ["clear_prediction_cache ok", "would free", "added: NOTYET"],
    "universe.md": ["book of 1 position on", "10 sessions ahead: volatility"],
}


@pytest.fixture(scope="module")
def home(sample_home, tmp_path_factory):
    """A trained state of our own."""
    home = tmp_path_factory.mktemp("docs") / ".zenith"
    shutil.copytree(sample_home.zenith.home, home)
    return home


@pytest.fixture(scope="module")
def service(home):
    settings = {"dagster_url": f"http://127.0.0.1:{free_port()}", "redis_url": None}
    with live_service(ServingSettings(zenith_home=home, mlflow_tracking_uri=None, models_path=None, **settings)) as url:
        yield url


@pytest.fixture
def reader(home, monkeypatch, capfd):
    """A reader's shell in the folder of `.zenith` and `.venv`."""
    if not (home.parent / ".venv").exists():
        (home.parent / ".venv" / "bin").mkdir(parents=True)
        (home.parent / ".venv" / "bin" / "zenith").symlink_to(ZENITH)
    for name in ("DAGSTER_HOME", "DATABASE_URL", "MLFLOW_TRACKING_URI", "REDIS_URL", "ZENITH_DATA_URI", "ZENITH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(home.parent)
    run_tickers_here(monkeypatch)
    monkeypatch.setattr(exchanges, "EXCHANGES", dict(exchanges.EXCHANGES))
    monkeypatch.setenv("PATH", f"{ZENITH.parent}{os.pathsep}{os.environ['PATH']}")

    def types(block):
        words_of_lines = [zenith_words(line) for line in block.lines]
        if all(words and words[0] in QUICK for words in words_of_lines):
            for line, words in zip(block.lines, words_of_lines, strict=True):
                with monkeypatch.context() as once:
                    for name, value in _assigned(line):
                        once.setenv(name, value)
                    once.setattr("sys.argv", ["zenith", *words])
                    with pytest.raises(SystemExit) as end:
                        main()
                assert not end.value.code, f"{line}: {capfd.readouterr().err}"
        else:
            process = subprocess.run(["bash", "-ec", block.text], check=False)
            assert process.returncode == 0, f"{block}: {capfd.readouterr().err}"
        output = capfd.readouterr()
        return output.out + output.err

    return types


def _assigned(line):
    """NAME=value in front of a command."""
    words = line.split()
    while "=" in words[0]:
        yield words.pop(0).split("=", 1)


@pytest.mark.parametrize("page", [page for page in GUIDES if RUN[page]], ids=lambda page: page.name)
def test_the_examples_do_what_the_page_says(page, reader, request):
    output = []
    for block in RUN[page]:
        text = block.text
        if SERVICE in text:
            text = text.replace(SERVICE, request.getfixturevalue("service"))
        output.append(reader(replace(block, text=text)))

    place = 0
    text = "\n".join(output)
    for words in ANSWERS[page.name]:
        place = text.find(words, place)
        assert place >= 0, f"{words!r} is missing, or in another place, in:\n{text}"


def test_most_blocks_are_run():
    assert sum(map(len, RUN.values())) >= 20
