"""What the UI shows of an asset: spans, plots as pictures, verdicts, and links without passwords."""

from base64 import b64decode

import dagster as dg
import pandas as pd
import pytest

from tests.core.markets import random_prices
from zenith_core.features.model_features import features
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.assets.prices import cleaned_prices
from zenith_pipelines.defs.metadata import date_range, features_plot, prices_plot, verdicts_table, version_link
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.reports.verdicts import Verdict
from zenith_pipelines.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n"
PRICES = random_prices(300).assign(flat=False, carried=False, suspect=False)


def picture(value):
    head, _, data = value.value.partition("base64,")
    assert head.endswith("(data:image/png;")
    return b64decode(data.removesuffix(")"))


def test_the_span_is_that_of_the_rows_with_a_date():
    dates = pd.DatetimeIndex(["2024-01-03", None, "2024-01-02"])
    assert date_range(dates) == {"dagster/row_count": 3, "first": "2024-01-02", "last": "2024-01-03"}
    assert date_range(dates[:0]) == {"dagster/row_count": 0}


def test_prices_and_features_are_shown_as_pictures_and_empty_tables_as_nothing():
    table = features(PRICES)
    assert picture(prices_plot(Dataset({"prices": PRICES}))["close and volume"]).startswith(PNG)
    assert picture(features_plot(Dataset({"features": table}))["Bollinger Bands and RSI"]).startswith(PNG)
    assert prices_plot(Dataset({"prices": PRICES[:0]})) == {}
    assert features_plot(Dataset({"features": table[:0]})) == {}


def test_verdicts_are_a_table_of_one_line_each():
    shown = verdicts_table([Verdict("Signal", "No better than chance", "p = 0.40", False)])["verdicts"].value
    assert shown.splitlines()[-1] == "| – | Signal | No better than chance | p = 0.40 |"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000/#/models/lstm-AAPL/versions/3"),
        ("sqlite:////x/mlflow.db", "lstm-AAPL version 3: `mlflow ui --backend-store-uri sqlite:////x/mlflow.db`"),
        ("postgresql://zenith:secret@db/mlflow", None),
    ],
)
def test_a_version_is_linked_where_a_server_shows_it_and_no_password_is(uri, shown):
    link = version_link(Settings(mlflow_tracking_uri=uri), "lstm-AAPL", 3)
    assert link["mlflow"].value.startswith(shown) if shown else link == {}


def test_cleaning_is_shown_with_its_span_last_close_counts_as_figures_and_plot():
    raw = SampleSource().fetch("FB")
    facts = {"content_hash": "abc", "fetched_at": raw.fetched_at.isoformat()}
    with dg.build_asset_context(partition_key="FB") as context:
        shown = cleaned_prices(context, Dataset({"prices": raw.prices}, facts)).metadata
    assert (shown["first"], shown["last"], shown["dagster/row_count"]) == ("2012-05-18", "2013-03-01", 196)
    assert shown["last_close"] == pytest.approx(27.78)
    assert shown["cleaning/rows_in"] == 196
    assert shown["cleaning/quarantined"] == 0
    assert picture(shown["close and volume"]).startswith(PNG)
