"""The REST service. numpy, onnxruntime, redis and an MLflow client; never TensorFlow, JAX or Dagster."""
