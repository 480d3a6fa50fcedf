"""Make a small home with the code of an older version: `python tests/homes/make_home.py 004fffc 0.1.0`.

The home has one ticker with little more than the shortest history that trains, and two versions of each model, the
newer ensemble rolled back. The archive tests/homes/VERSION.tar.xz holds the home, the prices and the answers of the old
commands; test_older_homes.py opens it with today's code.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from zenith_pipelines.ingestion.sources.sample import SampleSource

HERE = Path(__file__).parent
SESSIONS = 1_200
PLACE = Path("/tmp/zenith-older-home")
"""The home's folder while it is made, which older versions write into MLflow's database."""
ANSWERS = {
    "predict": ("predict", "AAPL", "--json"),
    "models": ("models", "AAPL", "--history", "--json"),
    "track-record": ("track-record", "AAPL", "--json"),
    "signals": ("export", "AAPL", "signals"),
}
"""Commands whose output is kept, by the name of its file in the archive."""


def main(revision: str, version: str) -> None:
    """Write the archive of a home made by `revision`, which calls itself `version`."""
    with tempfile.TemporaryDirectory() as folder:
        code, prices = Path(folder, "code"), Path(folder, "prices")
        subprocess.run(["git", "clone", "-q", HERE.parents[1], code], check=True)
        subprocess.run(["git", "checkout", "-q", revision], cwd=code, check=True)
        prices.mkdir()
        write_prices(prices)
        environment = {**os.environ, "PYTHONPATH": str(code), "ZENITH_HOME": str(PLACE), "ZENITH_CSV_DIR": str(prices)}

        def zenith(*words: str) -> str:
            command = [sys.executable, "-m", "zenith_cli.main", *words]
            return subprocess.run(
                command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
            ).stdout

        zenith("run", "--source", "csv", "--tickers", "AAPL", "--epochs", "1")
        zenith("run", "--source", "csv", "--tickers", "AAPL", "--epochs", "2")
        zenith("rollback", "AAPL", "ensemble", "--reason", "made for the test of older homes")
        answers = Path(folder, "answers")
        answers.mkdir()
        for name, command in ANSWERS.items():
            (answers / name).write_text(zenith(*command))
        shutil.rmtree(PLACE / "cache")
        with tarfile.open(HERE / f"{version}.tar.xz", "w:xz", preset=9) as archive:
            archive.add(PLACE, arcname="home")
            archive.add(prices, arcname="prices")
            archive.add(answers, arcname="answers")
        shutil.rmtree(PLACE)


def write_prices(folder: Path) -> None:
    """Write the last sessions of the packaged AAPL prices as a CSV file."""
    prices = SampleSource().fetch("AAPL").prices.drop(columns=["dividends", "splits"])
    prices.tail(SESSIONS).to_csv(folder / "AAPL.csv")


if __name__ == "__main__":
    main(*sys.argv[1:])
