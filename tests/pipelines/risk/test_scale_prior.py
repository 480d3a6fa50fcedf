"""The scales that ship with the package, and how they are made."""

import json
from importlib.resources import files

import numpy as np
import pytest

from tests.core.scale_pools import some_moves, swinging_prices
from zenith_core.errors import NotAvailable, UserError
from zenith_core.risk.price_moves import price_moves
from zenith_core.risk.scale_model import forecast_distribution
from zenith_pipelines.risk.scale_prior import FILE, document_of, make_priors, prior_before, priors, read_histories


def test_each_prior_knows_nothing_later_than_its_year_end():
    years = [int(model.version.removeprefix("prior-")) for model in priors()]

    assert years == sorted(set(years))
    assert len(years) > 10
    for year, model in zip(years, priors(), strict=True):
        assert f"{year}-12-01" < model.data_end <= f"{year}-12-31"


def test_the_file_holds_no_price_and_stays_small():
    text = (files("zenith_pipelines.risk") / FILE).read_text()
    keys = {key for model in json.loads(text)["models"] for key in model}

    assert len(text) < 200_000
    numbers = {"coefficients", "quantiles", "shortfalls"}
    assert keys == {"version", "data_end", "tickers", "rows", "inputs", "horizons", "levels", "tails", *numbers}


def test_a_forecast_has_the_newest_prior_before_its_origin():
    assert prior_before("2021-12-31").version == "prior-2020"
    assert prior_before("2022-01-01").version == "prior-2021"
    with pytest.raises(NotAvailable, match="no packaged scale was learned before 1999-01-01"):
        prior_before("1999-01-01")


def test_a_prior_gives_a_ticker_of_310_sessions_a_distribution():
    distribution = forecast_distribution(prior_before("2022-01-01"), price_moves(swinging_prices(5, 310)), "d")

    assert distribution.scale_version == "prior-2021"
    assert 0.005 < distribution.scale[0] < 0.05


@pytest.mark.slow
def test_later_prices_change_no_earlier_prior():
    """Walk-forward figures rest on this: the prior of a year is the same as if the world had ended then."""
    seeds = range(8)
    whole = make_priors(price_moves(swinging_prices(seed, 1300)) for seed in seeds)
    cut = [swinging_prices(seed, 1300).loc[:"2019-03"] for seed in seeds]
    early = make_priors(price_moves(prices) for prices in cut)

    assert [model.version for model in whole] == ["prior-2018", "prior-2019"][: len(whole)]
    assert [model.version for model in early] == ["prior-2018"]
    assert early[0].to_dict() == whole[0].to_dict()
    assert document_of(whole)["models"][0] == whole[0].to_dict()


@pytest.mark.slow
def test_too_few_prices_make_no_prior(tmp_path):
    with pytest.raises(UserError, match="more tickers or longer histories are needed"):
        make_priors(some_moves(2, 600))
    with pytest.raises(UserError, match="no ticker has a history"):
        make_priors([])
    swinging_prices(1, 300).drop(columns="suspect").to_csv(tmp_path / "AAPL.csv")
    (moves,) = read_histories(tmp_path)
    assert np.isfinite(moves.inputs[-1]).all()
