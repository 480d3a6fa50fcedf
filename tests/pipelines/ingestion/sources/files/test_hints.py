"""prices.toml: what the owner of files says on them."""

import pytest

from zenith_core.errors import InvalidPrices
from zenith_pipelines.ingestion.sources.files.price_file import PriceFile

UNKNOWN = "Tag;Auf;Hoch;Tief;Zu;Stück\n02/01/2024;1.234;1.300;1.200;1.250;7\n03/01/2024;1.234;1.300;1.200;1.260;8\n"
HINT = """["AAPL*"]
columns = {date = "Tag", open = "Auf", high = "Hoch", low = "Tief", close = "Zu", volume = "Stück"}
dates = "day first"
decimal = ","
"""


@pytest.fixture
def read(tmp_path):
    def prices(text, hint, name="AAPL.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        (tmp_path / "prices.toml").write_text(hint, encoding="utf-8")
        return PriceFile(tmp_path / name).prices("AAPL", "America/New_York")

    return prices


def test_columns_dates_and_decimal_mark(read):
    prices = read(UNKNOWN, HINT)
    assert prices["close"].tolist() == [1250.0, 1260.0]
    assert prices["volume"].tolist() == [7.0, 8.0]
    assert [f"{day:%Y-%m-%d}" for day in prices.index] == ["2024-01-02", "2024-01-03"]


def test_columns_that_are_not_named_keep_their_own_names(read):
    text = "Date,Open,High,Low,Last,Close,Volume\n2024-01-02,1,3,1,2,9,5\n"
    assert read(text, '["*"]\ncolumns = {close = "Last"}\n')["close"].tolist() == [2.0]


def test_a_file_without_a_header(read):
    hint = '["*"]\ncolumns = ["", "date", "close", "open", "high", "low", "volume"]\ndates = "%d%m%y"\n'
    prices = read("x 020124 2.5 1.5 3.5 1.0 7\nx 030124 2.6 1.5 3.5 1.0 8\n", hint + 'separator = " "\n')
    assert prices[["open", "close", "volume"]].to_numpy().tolist() == [[1.5, 2.5, 7.0], [1.5, 2.6, 8.0]]
    assert f"{prices.index[1]:%Y-%m-%d}" == "2024-01-03"


def test_a_file_without_volumes(read):
    text = "Date,Open,High,Low,Close\n2024-01-02,1,3,1,2\n"
    assert read(text, '["*"]\ncolumns = {volume = "none"}\n')["volume"].tolist() == [0.0]


def test_units_that_are_not_one(read):
    text = "Date,Open,High,Low,Close,Volume\n2024-01-02,100.5,110,90,100,7\n"
    prices = read(text, '["*"]\nunits = {close = 0.01, volume = 1000}\n')
    assert prices[["open", "close", "volume"]].iloc[0].tolist() == [100.5, 1.0, 7000.0]


def test_an_encoding(read):
    text = UNKNOWN.replace("Tag", "日付")
    hint = HINT.replace("Tag", "日付") + 'encoding = "shift_jis"\n'
    assert read(text.replace("ü", "u"), hint.replace("ü", "u"), encoding="shift_jis")["volume"].tolist() == [7.0, 8.0]


def test_the_entry_of_the_files_name_comes_before_patterns(read):
    hint = '["*"]\ndecimal = "."\n\n["AAPL.csv"]\ndecimal = ","\n'
    text = "Date;Open;High;Low;Close;Volume\n2024-01-02;1.234;1.234;1.234;1.234;7\n"
    assert read(text, hint)["close"].tolist() == [1234.0]


def test_what_the_owner_says_must_hold(read):
    with pytest.raises(InvalidPrices, match=r"line 2: '13/02/2024' is not a date; .* month first as in the other rows"):
        read("Date,Open,High,Low,Close,Volume\n13/02/2024,1,1,1,1,1\n", '["*"]\ndates = "month first"\n')
    with pytest.raises(InvalidPrices, match=r"column open: '1\.5' is not a number"):
        read("Date,Open,High,Low,Close,Volume\n2024-01-02,1.5,1,1,1,1\n", '["*"]\ndecimal = ","\n')
    with pytest.raises(InvalidPrices, match=r"has no column Zuletzt, which prices\.toml names; it has Tag, Auf"):
        read(UNKNOWN, HINT.replace('"Zu"', '"Zuletzt"'))


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        ("[", "cannot be read as TOML"),
        ('decimal = ","', "decimal: Input should be a valid dictionary"),
        ('["*"]\ndecimal = ";"', r"\*\.decimal: Input should be '\.' or ','"),
        ('["*"]\nmark = ","', r"\*\.mark: unknown; expected columns, dates, decimal, units, separator, encoding"),
        ('["*"]\ndates = "dmy"', "expected day first, month first, epoch or a format such as %d/%m/%y"),
        ('["*"]\nencoding = "utf-9"', "expected an encoding such as utf-8"),
        ('["*"]\ncolumns = {last = "Zu"}', "'last' is none of date, open, high, low, close, volume"),
        ('["*"]\ncolumns = ["date", "open"]', "high, low, close is missing"),
        ('["*"]\ncolumns = ["date", "open", "high", "low", "close", "close"]', "close is there twice"),
        ('["*"]\nunits = {date = 2}', "'date' is none of open, high, low, close, volume"),
        ('["*"]\nunits = {close = 0}', "units.*Input should be greater than 0"),
        ('["*"]\nseparator = ";;"', "separator: String should have at most 1 character"),
    ],
)
def test_an_invalid_file_is_refused_in_one_line(read, hint, message):
    with pytest.raises(InvalidPrices, match=rf"prices\.toml.*{message}") as error:
        read(UNKNOWN, hint)
    assert "\n" not in str(error.value)
