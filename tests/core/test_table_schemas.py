import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from zenith_core.features.model_features import FEATURES, WARM_UP, features
from zenith_core.prices.cleaning import clean_prices
from zenith_core.table_schemas import SCHEMAS, violations
from zenith_pipelines.ingestion.sources.sample import SampleSource
from zenith_pipelines.ingestion.sources.simulated import SimulatedSource


@pytest.fixture(scope="module")
def tables():
    raw = SimulatedSource().fetch("SIM-DIRTY-1").prices
    cleaned = clean_prices(raw, "SIM-DIRTY-1")
    return {
        "raw": raw,
        "cleaned": cleaned.prices,
        "quarantine": cleaned.quarantine,
        "features": features(cleaned.prices),
    }


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_tables_of_dirty_prices_are_valid(tables, name):
    assert violations(tables[name], name) == []


def test_the_tables_of_real_prices_are_valid():
    raw = SampleSource().fetch("AAPL").prices
    assert violations(raw, "raw") == []
    assert violations(clean_prices(raw, "AAPL").prices, "cleaned") == []


@pytest.mark.parametrize("name", ["raw", "quarantine"])
def test_a_table_without_rows_is_valid(tables, name):
    assert violations(tables[name].iloc[:0], name) == []


def put(column, value, row=300):
    """A change of one cell."""
    return lambda table: table.assign(**{column: table[column].where(np.arange(len(table)) != row, value)})


@pytest.mark.parametrize(
    ("name", "change", "violation"),
    [
        ("raw", lambda table: table.drop(columns="open"), "open"),
        ("raw", lambda table: table.astype({"close": str}), "close: dtype"),
        ("raw", lambda table: table.assign(dolar=5.1), "dolar"),
        ("raw", lambda table: table.set_axis(table.index.tz_localize("UTC")), "date: dtype"),
        ("raw", lambda table: table.set_axis(table.index + pd.Timedelta(hours=9)), "no time of day"),
        ("cleaned", put("close", np.nan), "close: not_nullable; 1 row, the first 20"),
        ("cleaned", put("close", -1.0), "close: in_range"),
        ("cleaned", put("volume", np.inf), "volume: in_range"),
        ("cleaned", put("low", 1e6), "low and high hold open and close; 1 row"),
        ("cleaned", lambda table: table.assign(factor=2.0), "the factor of the last row is 1"),
        ("cleaned", lambda table: table.iloc[::-1], "sessions are in order"),
        ("cleaned", lambda table: table.iloc[[0, 0, 1]], "date: field_uniqueness"),
        ("cleaned", lambda table: table.drop(columns="suspect"), "suspect"),
        ("cleaned", lambda table: table.assign(note=1.0), "note"),
        ("quarantine", lambda table: table.drop(columns="reason"), "reason"),
        ("quarantine", lambda table: table.assign(reason=""), "reason: str_length"),
        ("quarantine", lambda table: table.assign(row=-1), "row: greater_than_or_equal_to"),
        ("features", put(FEATURES[0], np.nan, row=WARM_UP), "model inputs are finite after 250 sessions; 1 row"),
        ("features", put("rsi_14", "text"), "rsi_14: dtype"),
        ("features", lambda table: table.drop(columns=FEATURES[3]), FEATURES[3]),
    ],
)
def test_violations_are_named(tables, name, change, violation):
    table = tables[name]
    assert any(violation in line for line in violations(change(table), name)), violations(change(table), name)


def test_many_rows_that_break_one_rule_are_one_line(tables):
    (line,) = violations(tables["cleaned"].assign(volume=-1.0), "cleaned")
    assert line.startswith(f"volume: in_range(0, 1e+18); {len(tables['cleaned']):,} rows, the first ")


@pytest.mark.slow
def test_naming_a_schema_imports_no_pandera():
    code = "import sys, zenith_core.table_schemas; print('pandera' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
