"""The replay of the M6 competition and the backtest of books, on drawn prices in the form of its files."""

import json

import books
import m6
import numpy as np
import pandas as pd
import pytest

from zenith_core.prices.cleaning import clean_prices
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource
from zenith_pipelines.risk.scale_prior import priors

FIRST = "2022-03-04"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with 30 assets of very unlike scale, 2020 to 2022, one of them young."""
    folder = tmp_path_factory.mktemp("m6")
    days = pd.bdate_range("2020-01-01", "2022-04-29", name="date")
    generator = np.random.default_rng(4)
    moves = generator.standard_normal((len(days), 30)) * np.geomspace(0.001, 0.05, 30)
    history = pd.DataFrame(100 * np.exp(moves.cumsum(axis=0)), days, [f"A{k}" for k in range(29)] + ["EG"])
    history.iloc[:-30, 3] = np.nan
    history.to_csv(folder / m6.HISTORY)
    official = history.loc["2022-01-31":].rename(columns={"EG": "RE"}).rename_axis(columns="symbol")
    official.stack().rename("price").reset_index()[["symbol", "date", "price"]].to_csv(
        folder / m6.OUTCOMES, index=False
    )
    (folder / m6.TEAMS).write_text("place,RPS,IR\n1,0.05,1\n2,0.155,1\n3,0.16,1\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    """Draw less often than the replay of the real prices."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(m6, "DRAWS", 500)
        patch.setattr(books, "DRAWS", 500)
        yield


def run(capsys, *arguments, script=m6):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["benchmark", *map(str, arguments)])
        status = script.main()
    return status, capsys.readouterr()


@pytest.mark.slow
def test_a_round_uses_nothing_later_than_its_friday(folder):
    prices, friday = m6.read_prices(folder), pd.Timestamp(FIRST)
    poisoned = prices.history.copy()
    later = poisoned.index > friday
    poisoned.loc[later] = np.random.default_rng(0).lognormal(3, 2, poisoned.loc[later].shape)

    for method in (m6.ours, m6.plain):
        np.testing.assert_array_equal(
            method(*m6.known_at(prices.history, friday)), method(*m6.known_at(poisoned, friday))
        )


def test_the_calibration_error_is_that_of_probabilities_beside_frequencies():
    generator = np.random.default_rng(1)
    probabilities = generator.uniform(size=20_000)
    outcomes = (generator.uniform(size=20_000) < probabilities).astype(float)

    assert m6.calibration_error(probabilities, outcomes) < 0.01
    assert m6.calibration_error(probabilities, 1 - outcomes) > 0.4


@pytest.mark.slow
def test_what_is_scored_is_what_came(folder):
    prices, friday = m6.read_prices(folder), pd.Timestamp(FIRST)
    other = m6.Prices(prices.history, prices.outcomes.iloc[:, ::-1].set_axis(prices.outcomes.columns, axis=1))

    assert m6.play(prices, friday).rps < m6.play(other, friday).rps


def test_the_competitions_own_prices_decide_where_they_are(folder):
    prices = m6.read_prices(folder)
    start, end = pd.Timestamp(FIRST), pd.Timestamp("2022-04-01")
    moved = prices.outcomes.copy()
    moved.loc[moved.index > start, "EG"] = 1e6

    assert m6.Prices(prices.history, moved).growth(start, end)["EG"] > 5
    early = pd.Timestamp("2021-03-05"), pd.Timestamp("2021-04-02")
    assert m6.Prices(prices.history, moved).growth(*early).notna().sum() == 29


@pytest.mark.slow
def test_json_has_the_totals_and_each_round(folder, capsys):
    status, streams = run(capsys, "--data", folder, "--rounds", 2, "--json")
    totals = json.loads(streams.out)

    assert status == 0
    assert totals["rps"] == pytest.approx(np.mean([each["rps"] for each in totals["rounds"]]))
    assert [each["friday"] for each in totals["rounds"]] == [FIRST, "2022-04-01"]
    assert totals["rps"] < 0.156  # assets of unlike scale: equal probabilities score 0.16
    assert totals["place"] is None  # two rounds are not the competition


def test_the_place_is_one_more_than_the_teams_ahead(folder, tmp_path):
    assert m6.place(folder, 0.1549, FIRST, 12) == 2
    assert m6.place(folder, 0.1551, FIRST, 12) == 3
    assert m6.place(folder, 0.1551, "2021-03-05", 12) is None
    assert m6.place(tmp_path, 0.1551, FIRST, 12) is None


@pytest.mark.slow
def test_the_table_tells_the_score_and_its_error(folder, capsys):
    status, streams = run(capsys, "--data", folder, "--rounds", 2)

    assert status == 0
    assert "standard error" in streams.out
    assert "paired t" in streams.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--rounds", "0"), "there must be at least 1 round, not 0"),
        (("--rounds", "12"), "need prices of those days"),
        (("--first", "2019-03-01"), "need prices of those days"),
        (("--first", "spring"), "spring"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(folder, capsys, arguments, message):
    status, streams = run(capsys, "--data", folder, *arguments)

    assert status == 1
    assert message in streams.err
    assert len(streams.err.splitlines()) == 1


def test_a_folder_without_prices_is_one_line(tmp_path, capsys):
    status, streams = run(capsys, "--data", tmp_path)

    assert status == 1
    assert m6.HISTORY in streams.err
    assert len(streams.err.splitlines()) == 1


@pytest.mark.slow
def test_books_are_scored_beside_two_other_methods(folder, capsys):
    status, streams = run(
        capsys, "--data", folder, "--weeks", 2, "--books", 3, "--first", FIRST, "--json", script=books
    )
    records = json.loads(streams.out)

    assert status == 0
    assert list(records) == ["0.05", "0.01"]
    assert list(records["0.05"]) == ["ours", "EWMA", "history"]
    assert records["0.05"]["ours"]["t"] is None
    assert records["0.05"]["EWMA"]["t"] is not None


def test_the_record_of_books_counts_losses_above_the_value_at_risk():
    losses = np.array([[0.5, 1.5], [2.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    forecasts = np.full((4, 2, 3, 2, 2), 2.0)
    forecasts[..., 0] = 1.0
    forecasts[:, :, 1, :, 0] = 2.0

    record = books.record(losses, forecasts, 0)

    assert [record[method]["hit_rate"] for method in books.METHODS] == [0.25, 0.125, 0.25]
    assert record["ours"]["fz0"] == record["history"]["fz0"]


@pytest.mark.slow
def test_a_books_forecast_uses_nothing_later_than_its_friday(folder):
    prices, friday = m6.read_prices(folder), pd.Timestamp(FIRST)
    poisoned = prices.history.copy()
    poisoned.loc[poisoned.index > friday] = 1e6
    table = books.weights(4, 30)

    (losses, forecasts), (others, same) = (
        books.backtest(books.of_closes(m6.Prices(history, history), friday), table)
        for history in (prices.history, poisoned)
    )

    np.testing.assert_array_equal(forecasts, same)
    assert (losses != others).any()
    assert (table[::2] >= 0).all()
    assert (table[1::2] < 0).any()


@pytest.mark.slow
def test_a_forecast_from_served_distributions_uses_nothing_later_than_its_friday():
    names = ("SIM-EDGE-1", "SIM-EDGE-2", "SIM-EDGE-3")
    prices = {name: clean_prices(SimulatedSource(2.0).fetch(name).prices, name).prices.iloc[-700:] for name in names}
    friday = prices[names[0]].index[-20]
    cut = {name: table.loc[: friday + pd.Timedelta(weeks=1)] for name, table in prices.items()}
    poisoned = {name: table.copy() for name, table in cut.items()}
    for table in poisoned.values():
        table.loc[table.index > friday, ["open", "high", "low", "close"]] *= 3.0

    week, other = (books.of_bands(each, priors()[-1], friday) for each in (cut, poisoned))

    np.testing.assert_array_equal(week.draws, other.draws)
    np.testing.assert_array_equal(week.returns, other.returns)
    np.testing.assert_allclose(other.growth - week.growth, np.log(3.0))
    assert week.draws.std(axis=0) == pytest.approx(week.returns[-250:].std(axis=0) * np.sqrt(5), rel=0.5)


@pytest.mark.parametrize("options", [[], ["--bands"]])
def test_books_that_cannot_be_backtested_are_one_line(folder, capsys, options):
    status, streams = run(capsys, "--data", folder, "--weeks", 0, *options, script=books)

    assert status == 1
    assert streams.err == "books.py: there must be at least 1 round, not 0\n"
