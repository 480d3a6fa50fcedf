"""Decimal mark and day order follow from the whole file, or the file is refused."""

import pandas as pd
import pytest

from zenith_core.errors import InvalidPrices
from zenith_pipelines.ingestion.sources.files.price_file import PriceFile

DAYS = ["2024-01-02", "2024-01-03", "2024-01-04"]


@pytest.fixture
def read(tmp_path):
    def closes(closes, *, dates=DAYS, volumes=("1", "2", "3"), separator=";"):
        lines = [separator.join(["Date", "Open", "High", "Low", "Close", "Volume"])]
        for day, close, volume in zip(dates, closes, volumes, strict=True):
            lines.append(separator.join([day, *[close] * 4, volume]))
        (tmp_path / "AAPL.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return PriceFile(tmp_path / "AAPL.csv").prices("AAPL", "America/New_York")

    return closes


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1.5", "2.25", "3"], [1.5, 2.25, 3]),
        (["1,5", "2,25", "3"], [1.5, 2.25, 3]),
        (["1,234.5", "999", "1,002"], [1234.5, 999, 1002]),
        (["1.234,5", "999", "1.002"], [1234.5, 999, 1002]),
        (["1.234.567", "998.000", "1.002"], [1234567, 998000, 1002]),
        (["12,34,567.5", "1,23,456.00", "99"], [1234567.5, 123456, 99]),  # as India writes lakhs
        (["1 234,50", "1\u00a0234,5", "1\u202f234"], [1234.5, 1234.5, 1234]),
        (["1'234'567.5", "1’000.25", "2"], [1234567.5, 1000.25, 2]),
        (["$1.5", "$ 2.25", "3 $"], [1.5, 2.25, 3]),
        (["R$ 1,5", "R$ 2,25", "3"], [1.5, 2.25, 3]),
        (["1.5e3", "1E+2", "2.5"], [1500, 100, 2.5]),
        ([" 1.5 ", "+2.25", ".5"], [1.5, 2.25, 0.5]),
    ],
)
def test_the_decimal_mark_follows_from_the_file(read, texts, numbers):
    assert read(texts)["close"].tolist() == numbers


def test_volumes_decide_for_prices_and_prices_for_volumes(read):
    assert read(["1.234", "1.002", "1.100"], volumes=["9.890.608", "1.000.000", "2"])["close"].tolist() == [
        1234,
        1002,
        1100,
    ]
    assert read(["12,5", "1", "2"], volumes=["14.129", "3.345", "999"])["volume"].tolist() == [14129, 3345, 999]


@pytest.mark.parametrize("texts", [["1.234", "1.235", "1.236"], ["1,234", "1,235", "1,236"]])
def test_three_digits_after_every_mark_leave_it_open(read, texts):
    with pytest.raises(InvalidPrices, match=r"may be thousands or decimals; state the decimal mark in prices\.toml"):
        read(texts)


@pytest.mark.parametrize("mark", [".", ","])
def test_whole_numbers_beside_three_digits_after_a_mark_look_like_thousands(read, mark):
    with pytest.raises(
        InvalidPrices, match=rf"AAPL\.csv: 998 beside 1\{mark}002 looks like thousands, not like decimals"
    ):
        read(["998", f"1{mark}002", f"1{mark}003"])


@pytest.mark.parametrize("separator", [",", ";"])
def test_three_decimals_are_clear_where_some_numbers_have_fewer(read, separator):
    assert read(["1.234", "1.5", "1.25"], separator=separator)["close"].tolist() == [1.234, 1.5, 1.25]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["1.5", "2,5", "3"], "some numbers have a decimal point, others a decimal comma"),
        (["$1.5", "€2.5", "3"], r"prices in \$ and €; expected one currency"),
        (["1.5", "2.5", "3.5x"], r"line 4, column open: '3\.5x' is not a number"),
        (["1.5", "1,23.5", "3.5"], r"line 3, column open: '1,23\.5' is not a number"),
        (["1.234"] * 2 + ["13,5.5"], "may be thousands or decimals"),
    ],
)
def test_numbers_that_contradict_one_another_are_refused(read, texts, message):
    with pytest.raises(InvalidPrices, match=message):
        read(texts)


def test_one_number_does_not_decide_for_a_file_of_numbers_that_may_be_thousands(tmp_path):
    rows = "".join(f"2024-01-{day:02};1.3{day:02};1.400;1.200;1.3{day:02};1\n" for day in range(2, 20))
    (tmp_path / "AAPL.csv").write_text(f"Date;Open;High;Low;Close;Volume\n{rows}2024-01-22;13.5;1.400;1.200;1.300;1\n")
    with pytest.raises(InvalidPrices, match="nearly all numbers look like"):
        PriceFile(tmp_path / "AAPL.csv").prices("AAPL", "UTC")


@pytest.mark.parametrize("suffix", ["K", "M", "B"])
def test_volumes_may_be_in_thousands_millions_or_billions(read, suffix):
    factor = {"K": 1e3, "M": 1e6, "B": 1e9}[suffix]
    volumes = [f"2.61{suffix}", f"9.09{suffix.lower()}", "-"]
    assert read(["1.5", "2", "3"], volumes=volumes)["volume"].fillna(0).tolist() == [2.61 * factor, 9.09 * factor, 0]


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["13/02/2024", "14/02/2024", "1/3/2024"], ["2024-02-13", "2024-02-14", "2024-03-01"]),
        (["02/13/2024", "02/14/2024", "3/1/2024"], ["2024-02-13", "2024-02-14", "2024-03-01"]),
        (["12.02.2024", "13.02.2024", "14.02.2024"], ["2024-02-12", "2024-02-13", "2024-02-14"]),
        (["02-01-2024 16:00", "13-02-2024 16:00:00", ""], ["2024-01-02", "2024-02-13", None]),
        (["2024/1/2", "2024/01/03", "2024.1.4"], ["2024-01-02", "2024-01-03", "2024-01-04"]),
        (["13-FEB-2024", "14-Feb-2024", "1 March 2024"], ["2024-02-13", "2024-02-14", "2024-03-01"]),
        (["Feb 13, 2024", "Feb. 14, 2024", "March 1, 2024"], ["2024-02-13", "2024-02-14", "2024-03-01"]),
        (["13 fev 2024", "14 mar 2024", "2 out 2024"], ["2024-02-13", "2024-03-14", "2024-10-02"]),
        (["2024/01/02 00:00:00", "2024-01-03T16:00:00-05:00", "20240104"], DAYS),
    ],
)
def test_the_order_of_day_and_month_follows_from_the_file(read, texts, days):
    dates = read(["1.5", "2", "3"], dates=texts).index
    assert [None if pd.isna(day) else f"{day:%Y-%m-%d}" for day in dates] == days


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["01/02/2024", "02/02/2024", "05/02/2024"], "no date shows if 01/02/2024 has the day or the month first"),
        (["13/02/2024", "02/14/2024", "05/02/2024"], "13/02/2024 has the day first, 02/14/2024 the month"),
        (
            ["13/02/2024", "31/02/2024", "05/02/2024"],
            "line 3: '31/02/2024' is not a date; .*, day first as in the other",
        ),
        (["13/02/24", "14/02/24", "15/02/24"], "'13/02/24' is not a date; expected a date such as 2024-01-31"),
        (["0001-01-02", "2024-01-03", "2024-01-04"], "line 2: '0001-01-02' is not a date"),
        (["2024-01-02", "9999-01-03", "2024-01-04"], "line 3: '9999-01-03' is not a date"),
        (["1/2-2024", "1/3-2024", "1/4-2024"], "line 2: '1/2-2024' is not a date"),
        (["13/Xyz/2024", "14/Feb/2024", "15/Feb/2024"], "'13/Xyz/2024' is not a date"),
    ],
)
def test_dates_that_leave_the_order_open_are_refused(read, texts, message):
    with pytest.raises(InvalidPrices, match=message):
        read(["1.5", "2", "3"], dates=texts)


def test_the_error_for_an_open_order_names_the_option(read):
    with pytest.raises(InvalidPrices, match=r'in prices\.toml beside the file: dates = "day first" or "month first"'):
        read(["1.5"], dates=["01/02/2024"], volumes=["1"])
