"""A true table in any form, with any dirt, is read as the truth or refused in one line; never otherwise."""

import csv
import gzip
import io
from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipelines.ingestion.sources.files.written_forms import FORMS, WrittenForm, true_table
from zenith_core.errors import ZenithError
from zenith_pipelines.ingestion.sources.files.price_file import PriceFile

PRICES = ["open", "high", "low", "close"]
OWN_DATES = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%b-%Y", "%b %d, %Y"]
MARKS = [(".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "\u00a0")]


@dataclass(frozen=True)
class OwnForm:
    """A form in our own words: any dates, marks, separator and order of columns."""

    dates: str
    marks: tuple[str, str]
    decimals: int
    separator: str
    columns: tuple[str, ...]
    is_volume_grouped: bool

    def write(self, table: pd.DataFrame) -> str:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.separator, lineterminator="\n")
        writer.writerow(self.columns)
        for day, row in table.iterrows():
            cells = {name: self._number(row[name], self.decimals) for name in PRICES}
            volume = self._number(row["volume"], 0) if self.is_volume_grouped else f"{row['volume']:.0f}"
            cells |= {"date": f"{day:{self.dates}}", "volume": volume}
            writer.writerow(cells[name] for name in self.columns)
        return out.getvalue()

    def _number(self, value: float, decimals: int) -> str:
        decimal, thousands = self.marks
        return f"{value:,.{decimals}f}".translate(str.maketrans({".": decimal, ",": thousands}))


own_forms = st.builds(
    OwnForm,
    st.sampled_from(OWN_DATES),
    st.sampled_from(MARKS),
    st.integers(0, 4),
    st.sampled_from(",;\t|"),
    st.permutations(["date", *PRICES, "volume"]).map(tuple),
    st.booleans(),
)
tables = st.builds(
    true_table,
    st.integers(1, 30),
    start=st.dates(pd.Timestamp(2000, 1, 1).date(), pd.Timestamp(2024, 1, 1).date()).map(str),
    scale=st.sampled_from([0.9, 3.0, 40.0, 999.0, 1250.0, 45_000.0]),
    seed=st.integers(0, 99),
)


def cells_of(line: str) -> list[str]:
    return next(csv.reader([line], delimiter=max(",;\t|", key=line.count)))


DIRT = {
    "blank lines": lambda lines, at: [*lines[:at], "", *lines[at:], "", ""],
    "a blank line first": lambda lines, at: ["", *lines],
    "an address first": lambda lines, at: ["https://www.example.org/prices?x=1", *lines],
    "a row twice": lambda lines, at: [*lines, lines[-1 - at % 2]],
    "a row cut off": lambda lines, at: [*lines, lines[-1][: len(lines[-1]) * (at % 7) // 9]],
    "a row too long": lambda lines, at: [*lines[:-1], lines[-1] + ",7;7\t7|7"],
    "a row of text": lambda lines, at: [*lines, "Source: example.org"],
    "rows in another order": lambda lines, at: [*lines[:4], *sorted(lines[4:], key=lambda line: line[::-1])],
    "marks swapped in a row": lambda lines, at: [*lines[:-1], lines[-1].translate(str.maketrans(".,", ",."))],
    "a header in capitals": lambda lines, at: [lines[0] if "20" in lines[0] else lines[0].upper(), *lines[1:]],
    "a column renamed": lambda lines, at: [lines[0].replace("lo", "bottom", 1), *lines[1:]],
    "blanks around commas": lambda lines, at: [line.replace(",", " , ") if '"' not in line else line for line in lines],
    "a currency": lambda lines, at: [*lines[:-1], lines[-1].replace("1", "$1", 1)],
    "a comma at each end": lambda lines, at: [line + "," for line in lines],
    "a word for no number": lambda lines, at: [*lines[:-1], lines[-1].replace("1", "n/a", 1)],
}  # fmt: skip
dirt = st.lists(st.sampled_from(sorted(DIRT)), max_size=2)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])


def is_true(prices: pd.DataFrame, truth: pd.DataFrame) -> bool:
    """Return True if each row with a date is that of the truth; a cell that was cut off may be missing."""
    dated = prices[prices.index.notna()]
    if not dated.index.isin(truth.index).all():
        return False
    expected = truth.loc[dated.index]
    return all(
        ((dated[name] - expected[name]).abs() <= 1e-9 * expected[name]).where(dated[name].notna(), True).all()
        for name in [*PRICES, "volume"]
    )


def read_or_refuse(path, truth, text, encoding, is_packed):
    content = text.encode(encoding, errors="replace")
    path = path / ("AAPL.csv.gz" if is_packed else "AAPL.csv")
    path.write_bytes(gzip.compress(content) if is_packed else content)
    try:
        prices = PriceFile(path).prices("AAPL", "America/New_York")
    except ZenithError as error:
        assert "\n" not in str(error)
        return
    finally:
        path.unlink()
    assert is_true(prices, truth), f"\n{text}\n{prices}\n{truth}"


def any_form(examples):
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        st.one_of(own_forms, st.sampled_from(FORMS)),
        tables,
        dirt,
        st.integers(0, 30),
        encodings,
        st.booleans(),
        st.booleans(),
    )
    def check(tmp_path, form, truth, names, at, encoding, is_crlf, is_packed):
        if isinstance(form, WrittenForm):
            truth = truth.assign(volume=truth["volume"].map(form.volume))
        else:
            truth = truth.round(dict.fromkeys(PRICES, form.decimals))
        lines = form.write(truth).splitlines()
        for name in names:
            lines = DIRT[name](lines, min(at, len(lines)))
        text = ("\r\n" if is_crlf else "\n").join(lines) + "\n"
        read_or_refuse(tmp_path, truth, text, encoding, is_packed)

    return check


@pytest.mark.slow
def test_any_form_is_read_as_the_truth_or_refused(tmp_path):
    any_form(100)(tmp_path)


@pytest.mark.long
def test_ten_thousand_forms_are_read_as_the_truth_or_refused(tmp_path):
    any_form(10_000)(tmp_path)
