"""Text in exported CSV files."""

import csv
import io
import zipfile

import pandas as pd
import pytest

from zenith_cli.export import _encode
from zenith_cli.options import Format


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "a\r=1", '=HYPERLINK("http://evil")'])
def test_text_that_a_spreadsheet_would_run_is_marked_as_text(text):
    escaped_text = ("" if text.startswith("a") else "'") + text.replace("\r", " ")
    frame = pd.DataFrame({"reason": [text, "plain", None]})

    rows = list(csv.reader(io.StringIO(_encode(frame, Format.CSV).decode(), newline="")))

    assert [row[0] for row in rows[1:]] == [escaped_text, "plain", ""]


def test_texts_of_a_workbook_are_texts():
    frame = pd.DataFrame({"reason": ["=1+1", "https://example.org"], "date": pd.to_datetime(["2024-01-02", None])})

    with zipfile.ZipFile(io.BytesIO(_encode(frame, Format.XLSX))) as workbook:
        sheet = workbook.read("xl/worksheets/sheet1.xml").decode()

    assert "<f>" not in sheet and "<hyperlink" not in sheet


def test_numbers_and_dates_are_not_changed():
    dates = pd.to_datetime(["2024-01-02", None])
    frame = pd.DataFrame({"date": dates, "change": [-1.5, 2.0], "flat": [True, False], "days": [-1, 1]})

    assert _encode(frame, Format.CSV).decode().splitlines() == [
        "date,change,flat,days",
        "2024-01-02,-1.5,True,-1",
        ",2.0,False,1",
    ]
