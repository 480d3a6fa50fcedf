import json

import numpy as np
import pandas as pd
import pytest

from tests.core.portfolio.universe import drawn_returns
from zenith_pipelines.datasets.store import Dataset, DatasetStore


@pytest.fixture
def book(zenith, monkeypatch, tmp_path):
    """Run `zenith book` on a file with the given text, in a home with AAPL and MSFT."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    store = DatasetStore(str(tmp_path / "data"))
    days = pd.bdate_range(end="2024-06-28", periods=300, name="date")
    for ticker, returns in zip(("AAPL", "MSFT"), drawn_returns(300, 2).T, strict=True):
        close = pd.DataFrame({"close": 100 * np.exp(returns.cumsum())}, days)
        store.write("cleaned_prices", ticker, Dataset({"prices": close}))

    def run(text, *arguments):
        path = tmp_path / "book.csv"
        path.write_text(text)
        return zenith("book", str(path), *arguments)

    return run


def test_the_risk_of_a_book(book):
    status, text, _ = book("ticker,value\nAAPL,1000\nMSFT,-400\nCASH,250\n", "--horizon", "10")

    assert status == 0
    assert "book of 2 positions on 2024-06-28 · 850.00 USD, gross 1,400.00, cash 250.00" in text
    assert "10 sessions ahead: volatility" in text
    assert "worst of the past" in text
    assert [line.split()[:2] for line in text.splitlines() if line.startswith("MSFT")] == [["MSFT", "-400.00"]]


def test_json_adds_up(book):
    facts = json.loads(book("ticker,quantity\nAAPL,10\nMSFT,5\n", "--json")[1])

    assert facts["volatility"] == pytest.approx(sum(row["volatility_contribution"] for row in facts["positions"]))
    for column, tail in enumerate(facts["tails"]):
        parts = sum(row["shortfall_contributions"][column] for row in facts["positions"])
        assert tail["expected_shortfall"] == pytest.approx(parts, rel=1e-9)
        assert tail["value_at_risk"] < tail["expected_shortfall"]
    assert [tail["tail"] for tail in facts["tails"]] == [0.05, 0.025, 0.01]
    losses = [scenario["loss"] for scenario in facts["scenarios"]]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 5
    assert 0 < facts["diversification"] < 1 < facts["independent_bets"] < 2


def test_a_book_of_nothing_is_no_error(book):
    status, text, _ = book("ticker,value\nAAPL,0\n")

    assert status == 0
    assert "volatility 0.00" in text


def test_a_bad_book_is_one_line(book):
    status, text, errors = book("ticker,value\nAAPL,1\nNVDA,nan\n")

    assert (status, text) == (2, "")
    assert errors.count("\n") == 1
    assert "line 3: the value of NVDA is 'nan', not a number" in errors
