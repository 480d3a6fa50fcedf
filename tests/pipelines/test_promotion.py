from zenith_pipelines.promotion import decide


def test_a_first_model_that_answers_is_promoted_and_called_a_first_model():
    decision = decide({"data_end": "2024-05-01"}, None, answer_is_finite=True)

    assert decision.promote
    assert decision.gates["data end"] == "2024-05-01, a first model"


def test_newer_and_equal_data_are_promoted():
    champion = {"data_end": "2024-05-01"}

    assert decide({"data_end": "2024-05-01"}, champion, answer_is_finite=True).promote
    assert decide({"data_end": "2024-05-02"}, champion, answer_is_finite=True).promote


def test_older_data_never_replace_newer_data():
    decision = decide({"data_end": "2024-04-30"}, {"data_end": "2024-05-01"}, answer_is_finite=True)

    assert not decision.promote
    assert decision.gates["data end"] == "REFUSED: 2024-04-30, Production ends 2024-05-01"


def test_a_model_without_a_finite_answer_is_refused():
    decision = decide({"data_end": "2024-05-01"}, None, answer_is_finite=False)

    assert not decision.promote
    assert "REFUSED: not finite" in decision.reason
