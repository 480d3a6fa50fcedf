import numpy as np
import pytest
from onnx import helper

from zenith_core.errors import NonFiniteInput, ParityError, TrainingError
from zenith_core.forecasting.calibration import Calibrator
from zenith_pipelines.models import ensemble_onnx
from zenith_pipelines.models.ensemble import EnsembleConfig, fit_ensemble, importances, predict_probabilities
from zenith_pipelines.models.ensemble_onnx import signal_model_onnx
from zenith_pipelines.models.onnx_artifact import check_parity, onnx_run

CONFIG = EnsembleConfig(trees=20, boosting_rounds=20)
CALIBRATOR = Calibrator(0.7, (0.1, -0.3, 0.2))


@pytest.fixture(scope="module")
def data():
    """Values whose first column decides between sell, hold and buy, with some noise."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(600, 4)).astype(np.float32)
    labels = np.digitize(values[:, 0] + rng.normal(scale=0.3, size=600), [-0.5, 0.5])
    return values, labels


@pytest.fixture(scope="module")
def model(data):
    return fit_ensemble(CONFIG, *data)


def test_probabilities_are_in_the_order_of_signals_and_sum_to_one(model):
    values = np.zeros((3, 4), np.float32)
    values[:, 0] = [-2, 0, 2]

    probabilities = predict_probabilities(model, values)

    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_most_important_column_is_the_one_that_decides(model):
    shares = importances(model)

    assert shares.argmax() == 0
    assert shares[0] > 0.9
    assert shares.sum() == pytest.approx(1)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model_and_another_seed_a_different_one(data, model):
    values, labels = data

    again = fit_ensemble(CONFIG, values, labels)
    other = fit_ensemble(EnsembleConfig(trees=20, boosting_rounds=20, seed=1), values, labels)

    before = predict_probabilities(model, values)
    np.testing.assert_array_equal(predict_probabilities(again, values), before)
    assert not np.array_equal(predict_probabilities(other, values), before)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_inputs_are_refused_in_training_and_in_prediction(data, model, value):
    values, labels = data
    bad_values = values.copy()
    bad_values[7, 2] = value

    with pytest.raises(NonFiniteInput, match=f"^row 7, column 2 is {value}: "):
        fit_ensemble(CONFIG, bad_values, labels)
    with pytest.raises(NonFiniteInput, match=f"^row 7, column 2 is {value}: "):
        predict_probabilities(model, bad_values)


def test_a_class_that_never_occurs_is_refused(data):
    values, labels = data

    with pytest.raises(TrainingError, match="^none of the 600 training labels is buy: "):
        fit_ensemble(CONFIG, values, np.minimum(labels, 1))


@pytest.mark.slow
@pytest.mark.parametrize("calibrator", [CALIBRATOR, Calibrator(1.0, (0.0, 0.0, 0.0)), Calibrator(0.0, (0.0, 1.0, 2.0))])
def test_the_onnx_model_agrees_with_the_calibrated_ensemble(model, calibrator):
    values = np.random.default_rng(3).normal(size=(500, 4)).astype(np.float32)
    expected = calibrator(predict_probabilities(model, values))

    worst = check_parity(signal_model_onnx(model, calibrator, 4), {"features": values}, {"probabilities": expected})

    assert worst < 1e-5


@pytest.mark.slow
def test_an_onnx_model_with_another_calibration_is_refused(model):
    values = np.random.default_rng(3).normal(size=(50, 4)).astype(np.float32)

    with pytest.raises(ParityError):
        check_parity(
            signal_model_onnx(model, CALIBRATOR, 4),
            {"features": values},
            {"probabilities": predict_probabilities(model, values)},
        )


@pytest.mark.slow
def test_the_onnx_model_has_one_output_and_loads_without_a_warning(model, capfd):
    import onnxruntime

    onnx = signal_model_onnx(model, CALIBRATOR, 4)
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])

    assert [(output.name, output.shape[1]) for output in session.get_outputs()] == [("probabilities", 3)]
    (probabilities,) = onnx_run(onnx)(["probabilities"], {"features": np.zeros((1, 4), np.float32)})
    assert probabilities.shape == (1, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_the_same_model_has_the_same_bytes_though_its_operator_sets_come_in_any_order(model, monkeypatch):
    vote = ensemble_onnx._vote

    def in_order(domains):
        def ordered(*arguments):
            onnx = vote(*arguments)
            versions = {each.domain: each.version for each in onnx.opset_import}
            del onnx.opset_import[:]
            onnx.opset_import.extend(helper.make_opsetid(domain, versions[domain]) for domain in domains)
            return onnx

        monkeypatch.setattr(ensemble_onnx, "_vote", ordered)
        return signal_model_onnx(model, CALIBRATOR, 4)

    assert in_order(["", "ai.onnx.ml"]) == in_order(["ai.onnx.ml", ""])
