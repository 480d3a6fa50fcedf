"""The asset `scale_model`: registered and promoted from the tickers of a home."""

import dagster as dg
import pytest

from tests.core.scale_pools import swinging_prices
from tests.empty_databases import put_mlflow_database
from zenith_pipelines.dagster_runtime.progress import Progress
from zenith_pipelines.datasets.store import Dataset, DatasetStore
from zenith_pipelines.defs.assets.scale import scale_model
from zenith_pipelines.defs.resources import resources
from zenith_pipelines.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def materialize(monkeypatch, tmp_path):
    """Return a function that runs the asset for some tickers of a home, and returns the metadata."""
    monkeypatch.setenv("ZENITH_HOME", str(tmp_path))
    put_mlflow_database(tmp_path / "mlflow")
    store = DatasetStore(Settings().data_uri)

    def run(count):
        tickers = [f"T{number}" for number in range(count)]
        for number, ticker in enumerate(tickers):
            prices = swinging_prices(number, 1400)
            store.write("cleaned_prices", ticker, Dataset({"prices": prices}, {"last": str(prices.index[-1].date())}))
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("tickers", tickers)
            result = dg.materialize([scale_model], instance=instance, resources=resources(Progress()))
        (event,) = result.get_asset_materialization_events()
        return {key: value.value for key, value in event.materialization.metadata.items()}

    return run


@pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated")  # raised inside Dagster
def test_many_tickers_have_a_scale_of_their_own_and_one_has_none(materialize):
    alone = materialize(1)
    assert not alone["registered"]
    assert "of 1 ticker are too few for a scale" in alone["reason"]

    together = materialize(8)
    assert together["registered"]
    assert (together["version"], together["tickers"]) == (1, 8)
    assert together["scale/promoted"]
    assert together["skill"] > 0
