"""`zenith predict TICKER --risk` on a snapshot with a distribution, without any model."""

import json

import pytest

from tests.core.risk.distributions import normal_distribution
from tests.published import publish
from tests.serving.conftest import make_snapshot
from zenith_cli.predict import print_predictions
from zenith_cli.predict_risk import parse_level, print_risks
from zenith_core.errors import NotAvailable, UserError
from zenith_serving.schemas.risk import RiskAnswer


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    publish(tmp_path, "serving_snapshot", "AAPL", make_snapshot("AAPL", distribution=normal_distribution()).to_json())
    publish(tmp_path, "serving_snapshot", "MSFT", make_snapshot("MSFT").to_json())


def test_the_risk_is_printed_as_tables(capsys):
    print_risks(["aapl"], 4, ["3%", "90", "90%"], as_json=False)

    output = capsys.readouterr().out
    assert "volatility 2.00%, 15.9% a year" in output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if "%" in line]
    assert [row for row in rows if row] == [
        ["1.0%", "4.55%", "95.45", "5.19%"],
        ["2.5%", "3.84%", "96.16", "4.57%"],
        ["5.0%", "3.24%", "96.76", "4.04%"],
        ["103.00", "+3.00 %", "14.0%"],
        ["90.00", "-10.00 %", "≤ 0.1%"],
        ["190.00", "+90.00 %", "≤ 0.1%"],
    ]
    assert "stale" in output and "not investment advice" in output


BAND = {"rows": 995, "coverage": 0.91, "pinball": 0.0093, "pinball_ewma": 0.0094, "skill": 0.012, "p_value": 0.026}
PEERS = {"rows": 199, "pinball": 0.0093, "pinball_garch": 0.0094, "pinball_gjr": 0.0091}
TOUCH = {"pct": -3, "rows": 995, "rate": 0.361, "brier": 0.2177, "brier_frequency": 0.2332, "skill": 0.066}
VOLATILITY = {"rows": 995, "qlike": 1.3, "qlike_ewma": 1.4, "qlike_skill": 0.062}
RECORD = {"since": "2009-01-02", "until": "2013-02-28"}
RECORD |= {"horizons": {"5": {"tails": [], "volatility": VOLATILITY, "band": BAND, "peers": PEERS, "touch": [TOUCH]}}}


@pytest.fixture
def record(tmp_path):
    snapshot = make_snapshot("AAPL", distribution=normal_distribution(), risk_record=RECORD)
    publish(tmp_path, "serving_snapshot", "AAPL", snapshot.to_json())


@pytest.mark.usefixtures("record")
def test_the_record_has_the_band_and_the_touches(capsys):
    print_risks(["AAPL"], 5, ["3%"], as_json=False)

    output = capsys.readouterr().out
    assert "90 % band: held 91.0% of 995 prices; pinball 1.2% better than EWMA (p = 0.026)" in output
    assert "its pinball beside GARCH -1.1%, beside GJR +2.2% (minus is better)" in output
    assert "│ -3 %  │ 36.1%   │ 0.2177 │ 0.2332                │ 6.6%  │" in output


@pytest.mark.usefixtures("record")
def test_without_a_model_the_forecast_says_so_and_names_the_scale_and_its_coverage(capsys):
    print_predictions(["AAPL"], 5, signal=False, as_json=False)

    output = capsys.readouterr().out
    assert "no model: the price is the last close\n" in output
    assert "intervals by scale 7 around the last close; past coverage 91.0%\n" in output
    assert "signal hold: No model of this ticker is trained yet." in output


def test_json_is_the_answer_of_the_service(capsys):
    print_risks(["AAPL"], 4, [], as_json=True)

    answer = RiskAnswer.model_validate_json(capsys.readouterr().out)
    assert [level.pct for level in answer.touch] == [-10, -5, -3, 3, 5, 10]


@pytest.mark.parametrize("text", ["", "%", "x", "3%%", "3 % up", "-100%", "0", "-5", "nan", "inf%"])
def test_an_invalid_level_is_one_line(text):
    with pytest.raises(UserError, match="--touch .*: expected a change above -100 % such as 3% or -5%, or a price"):
        parse_level(text)


def test_too_many_levels_are_one_line():
    with pytest.raises(UserError, match="--touch: at most 10 levels, not 11"):
        print_risks(["AAPL"], 4, ["3%"] * 11, as_json=True)


def test_data_without_a_distribution_and_no_data_name_the_command():
    with pytest.raises(NotAvailable, match="MSFT hold no distribution .*`zenith job refresh_prices --tickers MSFT`"):
        print_risks(["MSFT"], 4, [], as_json=True)
    with pytest.raises(NotAvailable, match="no predictions for IBM yet: `zenith run --tickers IBM`"):
        print_risks(["IBM"], 4, [], as_json=True)


@pytest.mark.parametrize("options", ["--signal --risk", "--touch 3%"])
def test_options_that_do_not_go_together_are_one_line(zenith, options):
    status, _, errors = zenith("predict", "AAPL", *options.split())

    assert (status, errors) == (2, "zenith: --signal goes with --json alone, --touch with --risk\n")


def test_the_command_takes_levels_below_the_close(zenith):
    status, output, _ = zenith("predict", "AAPL", "--risk", "--touch", "-5%", "--touch", "190", "--json")

    assert (status, [level["price"] for level in json.loads(output)["touch"]]) == (0, [95.0, 190.0])
