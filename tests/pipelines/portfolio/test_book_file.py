import pytest

from zenith_core.errors import UserError
from zenith_core.portfolio.book_forecast import Book
from zenith_pipelines.portfolio import book_file
from zenith_pipelines.portfolio.book_file import read_book


@pytest.fixture
def written(tmp_path):
    """Write a book and return its path."""

    def write(content):
        path = tmp_path / "book.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_quantities_and_cash(written):
    book = read_book(written("\ufeffTicker, Quantity,note\naapl,10,first\nMSFT,-2.5,\nCASH,-100,debt\n"))

    assert book == Book({"AAPL": 10.0, "MSFT": -2.5}, are_values=False, cash=-100.0)


def test_values(written):
    assert read_book(written("ticker,value\nPETR4.SA,1e3\n")) == Book({"PETR4.SA": 1000.0}, are_values=True, cash=0.0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected a header `ticker,quantity` or `ticker,value` and a line for each position, not an empty file"),
        ("AAPL,10\n", "expected a header"),
        ("ticker,quantity,value\nAAPL,1,2\n", "expected a header"),
        ("ticker,value,value\nAAPL,1,2\n", "expected a header"),
        ("ticker,value\n", "has no position"),
        ("ticker,value\nCASH,5\n", "has no position"),
        ("ticker,value\nAAPL,nan\n", "line 2: the value of AAPL is 'nan', not a number"),
        ("ticker,value\nAAPL,inf\n", "line 2: the value of AAPL is 'inf', not a number"),
        ("ticker,value\nMSFT,1\nAAPL,1e200\n", "line 3: the value of AAPL is '1e200', not a number"),
        ("ticker,quantity\nAAPL,ten\n", "line 2: the quantity of AAPL is 'ten', not a number"),
        ("ticker,quantity\nAAPL\n", "line 2: the quantity of AAPL is 'missing', not a number"),
        ("ticker,quantity\nAAPL,\n", "line 2: the quantity of AAPL is 'missing', not a number"),
        ("ticker,quantity\n../x,1\n", "line 2: not a ticker"),
        ("ticker,quantity\nAAPL,1\nMSFT,2\naapl,3\n", "line 4: AAPL is on line 2 already; add the two up"),
        ("ticker,quantity\nCASH,1\nCASH,2\nAAPL,3\n", "line 3: CASH is on line 2 already"),
        (b"\xff\xfe\x00", "is not text in UTF-8"),
        (b"ticker,value\nAAPL,1\x00\n", "line 2: the value of AAPL"),
        ('ticker,value\n"AAPL,' + "x" * 200_000, "is not CSV (field larger"),
    ],
)
def test_a_bad_file_is_one_line(written, content, message):
    with pytest.raises(UserError) as error:
        read_book(written(content))

    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_more_positions_than_are_computed_together(written):
    lines = "".join(f"T{k},1\n" for k in range(10_000))

    with pytest.raises(UserError, match="has 10,000 positions; at most 1,000 are computed together"):
        read_book(written(f"ticker,quantity\n{lines}"))


def test_a_file_that_is_none(tmp_path, written, monkeypatch):
    for path in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(UserError, match="cannot be read: (Is a directory|No such file or directory)"):
            read_book(path)
    monkeypatch.setattr(book_file, "_MAX_BYTES", 5)
    with pytest.raises(UserError, match="is larger than 5 bytes"):
        read_book(written("ticker,value\nAAPL,1\n"))
