import numpy as np
import pytest

from zenith_pipelines.models import prepare_backend

INPUTS, UNITS = 3, 5

pytestmark = pytest.mark.slow  # Keras compiles


@pytest.fixture(scope="module")
def two_layers(tmp_path_factory):
    """Our layer and Keras' own, with the same weights."""
    prepare_backend("jax", tmp_path_factory.mktemp("home"))
    from keras import layers

    from zenith_pipelines.models.jax_lstm import JaxLSTM

    random = np.random.default_rng(0)
    two = [kind(UNITS, return_sequences=True) for kind in (JaxLSTM, layers.LSTM)]
    for layer in two:
        layer.build((None, None, INPUTS))
    weights = [random.normal(size=weight.shape) for weight in two[1].weights]
    for layer in two:
        layer.set_weights(weights)
    return two


@pytest.mark.parametrize(("batch", "steps"), [(4, 12), (1, 1), (3, 2)])
def test_outputs_and_gradients_are_those_of_keras_own_layer(two_layers, batch, steps):
    import jax

    random = np.random.default_rng(batch)
    x = random.normal(size=(batch, steps, INPUTS)).astype(np.float32)
    weighting = random.normal(size=(batch, steps, UNITS)).astype(np.float32)  # a gradient of its own for each output

    def run(layer, weights, x):
        outputs, _ = layer.stateless_call(weights, [seed.value for seed in layer.non_trainable_variables], x)
        return (outputs * weighting).sum(), outputs

    (ours, mine), (keras, theirs) = (
        jax.value_and_grad(lambda *at, layer=layer: run(layer, *at), argnums=(0, 1), has_aux=True)(
            [weight.value for weight in layer.trainable_variables], x
        )
        for layer in two_layers
    )

    np.testing.assert_allclose(ours[1], keras[1], rtol=1e-5, atol=1e-6)
    assert ours[1].shape == (batch, steps, UNITS)
    for own, other in zip([*mine[0], mine[1]], [*theirs[0], theirs[1]], strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)


def test_the_network_of_the_price_model_has_our_layer_on_jax(two_layers):
    from zenith_pipelines.models.lstm import LSTMConfig, _build_network

    ours, keras = map(type, two_layers)

    assert [type(layer) for layer in _build_network(LSTMConfig(), INPUTS).layers].count(ours) == 2
    gru = _build_network(LSTMConfig(cell="GRU"), INPUTS)
    assert not any(isinstance(layer, keras) for layer in gru.layers)
