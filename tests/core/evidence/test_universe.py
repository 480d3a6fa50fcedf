"""A year of weekly looks at many tickers, as `benchmarks/claims.py` measures it at full size."""

import claims
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def few_tickers(monkeypatch):
    monkeypatch.setattr(claims, "TICKERS", 200)
    monkeypatch.setattr(claims, "EDGES", 20)


def test_a_year_of_looks_at_tickers_without_an_edge_makes_no_false_claim():
    year = claims.years_without_edges(range(1, 6))

    assert (year.years, year.ours, year.overlapping) == (5, 0, 0)
    assert year.today == 5
    assert year.todays_stars / year.years == pytest.approx(10, abs=5)  # 5 % of 200


def test_most_edges_that_an_oracle_bettor_finds_are_found_in_three_years():
    rules = claims.three_years(range(1, 3))

    assert rules["ours"].edges[-1] >= 0.7 * rules["oracle"].edges[-1] > 10
    assert rules["ours"].false[-1] <= 1 < 20 < rules["today"].false[-1]
