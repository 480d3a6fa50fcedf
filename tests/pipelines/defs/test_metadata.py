"""Metadata in the UI: date ranges, plots as pictures, verdicts, and links without passwords."""

from base64 import b64decode

import dagster as dg
import pandas as pd
import pytest

from tests.core.markets import random_prices
from zenith_core.features.model_features import features
from zenith_core.table_schemas import cleaned_schema, features_schema
from zenith_pipelines.datasets.store import Dataset
from zenith_pipelines.defs.assets.prices import cleaned_prices
from zenith_pipelines.defs.metadata import (
    column_schema,
    date_range,
    features_plot,
    page_links,
    prices_plot,
    verdicts_list,
    version_link,
)
from zenith_pipelines.defs.resources import ZenithResource
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.reports.verdicts import WordedVerdict
from zenith_pipelines.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n"
PRICES = random_prices(300).assign(flat=False, carried=False, suspect=False)


def picture(value):
    head, _, data = value.value.partition("base64,")
    assert head.endswith("(data:image/png;")
    return b64decode(data.removesuffix(")"))


def test_the_date_range_ignores_rows_without_a_date():
    dates = pd.DatetimeIndex(["2024-01-03", None, "2024-01-02"])
    assert date_range(dates) == {"dagster/row_count": 3, "first": "2024-01-02", "last": "2024-01-03"}
    assert date_range(dates[:0]) == {"dagster/row_count": 0}


def test_the_columns_of_a_table_have_types_and_constraints():
    columns = {column.name: column for column in column_schema(cleaned_schema())["dagster/column_schema"].columns}

    assert (columns["close"].type, columns["close"].constraints.nullable) == ("float64", False)
    assert any("in_range" in constraint for constraint in columns["close"].constraints.other)
    assert columns["suspect"].type == "bool"
    features = [column.name for column in column_schema(features_schema())["dagster/column_schema"].columns]
    assert "return_1" in features
    assert all(name.replace("_", "").isalnum() for name in features)  # no pattern for further columns


@pytest.mark.slow
def test_prices_and_features_become_pictures_and_empty_tables_nothing():
    table = features(PRICES)
    assert picture(prices_plot(Dataset({"prices": PRICES}))["close and volume"]).startswith(PNG)
    assert picture(features_plot(Dataset({"features": table}))["Bollinger Bands and RSI"]).startswith(PNG)
    assert prices_plot(Dataset({"prices": PRICES[:0]})) == {}
    assert features_plot(Dataset({"features": table[:0]})) == {}


def test_each_verdict_is_one_line_of_a_list():
    verdicts = [
        WordedVerdict("Signal", "No better than chance", "p = 0.40", False),
        WordedVerdict("Look-ahead", "No feature changed", "", True),
    ]
    assert verdicts_list(verdicts)["verdicts"].value.splitlines() == [
        "- ✗ **Signal:** No better than chance (p = 0.40)",
        "- ✓ **Look-ahead:** No feature changed",
    ]


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000/#/models/lstm-AAPL/versions/3"),
        ("sqlite:////x/mlflow.db", "lstm-AAPL version 3: `mlflow ui --backend-store-uri sqlite:////x/mlflow.db --art"),
        ("postgresql://zenith:secret@db/mlflow", None),
    ],
)
def test_a_version_is_linked_without_a_password(uri, link):
    metadata = version_link(Settings(mlflow_tracking_uri=uri), "lstm-AAPL", 3)
    assert metadata["mlflow"].value.startswith(link) if link else metadata == {}


def test_each_asset_of_a_ticker_links_its_page_and_its_report():
    links = page_links(Settings(zenith_page_url="https://zenith.example/"), "^BVSP")

    assert {name: link.value for name, link in links.items()} == {
        "page": "https://zenith.example/#%5EBVSP",
        "report page": "https://zenith.example/reports/%5EBVSP",
    }


@pytest.mark.slow
def test_cleaned_prices_have_their_date_range_last_close_counts_and_plot():
    raw = SampleSource().fetch("FB")
    facts = {"content_hash": "abc", "fetched_at": raw.fetched_at.isoformat()}
    with dg.build_asset_context(partition_key="FB") as context:
        metadata = cleaned_prices(context, ZenithResource(), Dataset({"prices": raw.prices}, facts)).metadata
    assert (metadata["first"], metadata["last"], metadata["dagster/row_count"]) == ("2012-05-18", "2013-03-01", 196)
    assert metadata["last_close"] == pytest.approx(27.78)
    assert metadata["cleaning/rows_in"] == 196
    assert metadata["cleaning/quarantined"] == 0
    assert picture(metadata["close and volume"]).startswith(PNG)
