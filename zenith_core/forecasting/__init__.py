"""The parts of both models that are plain numpy."""
