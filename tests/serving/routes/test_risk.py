import json

import pytest

from zenith_serving.schemas.predictions import BatchAnswer, ComprehensiveAnswer
from zenith_serving.schemas.risk import RiskAnswer

ML = "/api/v1/ml/predict"


def test_risk_is_answered_and_then_from_the_cache(client):
    question = {"ticker": "aapl", "horizon": 5, "tails": [0.01, 0.025, 0.05], "touch": [{"pct": 3}, {"price": 90}]}

    first, second = (client.post(f"{ML}/risk", json=question) for _ in range(2))

    answer = RiskAnswer.model_validate_json(first.content)
    assert (answer.ticker, answer.horizon, answer.scale_version) == ("AAPL", 5, "7")
    assert [level.price for level in answer.touch] == [103.0, 90.0]
    assert {**first.json(), "cached": True} == second.json()


def test_risk_needs_no_model(client):
    assert client.post(f"{ML}/risk", json={"ticker": "IBM"}).status_code == 200


def test_without_a_distribution_the_problem_names_the_command(client):
    answer = client.post(f"{ML}/risk", json={"ticker": "MSFT"})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    problem = answer.json()
    assert problem["type"] == "urn:zenith:problem:distribution-unavailable"
    assert problem["detail"] == (
        "the data of MSFT hold no distribution of returns yet: `zenith job refresh_prices --tickers MSFT` computes it"
    )


def test_an_unknown_ticker_is_404(client):
    answer = client.post(f"{ML}/risk", json={"ticker": "AAPX"})

    assert (answer.status_code, answer.json()["nearby"]) == (404, ["AAPL"])


@pytest.mark.parametrize(
    ("part", "detail"),
    [
        ({"tails": [0]}, "tails: Input should be greater than 0"),
        ({"tails": [0.6]}, "tails: Input should be less than or equal to 0.5"),
        ({"tails": [0.0001]}, "tail 0.0001 is beyond the data: it must be between 0.001 and 0.5"),
        ({"tails": []}, "tails: List should have at least 1 item after validation, not 0"),
        ({"tails": [0.05] * 11}, "tails: List should have at most 10 items after validation, not 11"),
        ({"tails": ["0.05"]}, "tails: Input should be a valid number"),
        ({"touch": [{"pct": 0}]}, "a price to touch must be above or below the last close, 100"),
        ({"touch": [{"pct": -100}]}, "touch.pct: Input should be greater than -100"),
        ({"touch": [{"price": 0}]}, "touch.price: Input should be greater than 0"),
        ({"touch": [{"price": -5}]}, "touch.price: Input should be greater than 0"),
        ({"touch": [{"price": 100}]}, "a price to touch must be above or below the last close, 100"),
        ({"touch": [{"pct": 3}] * 100}, "touch: List should have at most 10 items after validation, not 100"),
        ({"touch": [{}]}, 'touch: one of {"pct": 3} and {"price": 190} is expected'),
        ({"touch": [{"pct": 3, "price": 190}]}, 'touch: one of {"pct": 3} and {"price": 190} is expected'),
        ({"touch": [{"level": 3}]}, 'touch: one of {"pct": 3} and {"price": 190} is expected'),
        ({"touch": [3]}, 'touch: one of {"pct": 3} and {"price": 190} is expected'),
        ({"touch": {"pct": 3}}, "touch: Input should be a valid array"),
        ({"horizon": 31}, "horizon: Input should be less than or equal to 30"),
        ({"tail": [0.05]}, "body: unknown field: did you mean tails?"),
    ],
    ids=lambda value: json.dumps(value)[:30] if isinstance(value, dict) else "",
)
def test_bad_input_is_one_line(client, part, detail):
    answer = client.post(f"{ML}/risk", json={"ticker": "AAPL", **part})

    assert answer.status_code == 422
    assert answer.json()["detail"] == detail


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "null", '"3"', "true"])
def test_only_finite_numbers_are_levels(client, number):
    for field in ("pct", "price"):
        body = f'{{"ticker": "AAPL", "touch": [{{"{field}": {number}}}]}}'
        answer = client.post(f"{ML}/risk", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert len(answer.content) < 1024


def test_the_comprehensive_answer_has_the_risk_or_null(client):
    both, without = (
        ComprehensiveAnswer.model_validate_json(client.post(f"{ML}/comprehensive", json={"ticker": ticker}).content)
        for ticker in ("AAPL", "MSFT")
    )

    assert (both.risk.ticker, [tail.tail for tail in both.risk.tails]) == ("AAPL", [0.01, 0.025, 0.05])
    assert (without.risk, without.problems, without.price.ticker) == (None, {}, "MSFT")


def test_a_ticker_without_a_model_is_served_with_a_band_and_hold(client):
    answer = client.post(f"{ML}/comprehensive", json={"ticker": "IBM", "quantiles": [0.01]}).json()

    assert (answer["price"]["model_version"], answer["signal"]["signal"], answer["problems"]) == ("none", "hold", {})
    assert answer["price"]["quantiles"][0]["level"] == 0.01
    assert answer["signal"]["reason_code"] == "no_model"


def test_a_batch_can_be_of_risk(client):
    body = {"tickers": ["AAPL", "MSFT"], "what": "risk", "horizon": 2}

    with_risk, without = BatchAnswer.model_validate_json(client.post(f"{ML}/batch", json=body).content).results

    assert isinstance(with_risk.prediction, RiskAnswer) and with_risk.prediction.horizon == 2
    assert without.problem.type == "urn:zenith:problem:distribution-unavailable"


@pytest.mark.parametrize("quantiles", [[0], [1], [1.5], ["0.5"], [0.5] * 21, 0.5])
def test_quantiles_are_levels_between_0_and_1(client, quantiles):
    answer = client.post(f"{ML}/price", json={"ticker": "AAPL", "quantiles": quantiles})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "quantiles"


def test_a_quantile_beyond_the_data_is_refused_and_one_of_data_without_a_distribution_unavailable(client):
    beyond, without = (
        client.post(f"{ML}/price", json={"ticker": ticker, "quantiles": [0.9999]}) for ticker in ("AAPL", "MSFT")
    )

    assert beyond.status_code == 422
    assert beyond.json()["detail"] == "level 0.9999 is beyond the data: the outermost levels are 0.001 and 0.999"
    assert without.status_code == 503
