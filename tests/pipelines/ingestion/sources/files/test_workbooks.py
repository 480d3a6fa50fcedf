"""Excel workbooks: dates and numbers as Excel has them, and text as people type it."""

import zipfile
from datetime import date

import pytest

from tests.pipelines.ingestion.sources.files.written_forms import FORMS, true_table
from zenith_core.errors import InvalidPrices, NoNewData
from zenith_pipelines.ingestion.sources.csv_folder import CsvFolderSource
from zenith_pipelines.ingestion.sources.files.price_file import PriceFile

HEADER = ["Date", "Open", "High", "Low", "Close", "Volume"]
_NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook {_NAMESPACE} xmlns:r="{_RELATIONS}">'
    '<sheets><sheet name="prices" sheetId="1" r:id="r1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet {_NAMESPACE}><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
}


def write_workbook(path, rows):
    """Write rows of text, numbers and dates as the first sheet."""

    def cell(value):
        if isinstance(value, date):
            return f'<c s="1"><v>{(value - date(1899, 12, 30)).days}</v></c>'
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return f"<c><v>{value!r}</v></c>"

    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in _PARTS.items():
            archive.writestr(name, text)
        archive.writestr(
            "xl/worksheets/sheet1.xml", f"<worksheet {_NAMESPACE}><sheetData>{lines}</sheetData></worksheet>"
        )


def test_dates_and_numbers_of_excel(tmp_path):
    truth = true_table(20).round(3)
    rows = [[day.date(), *map(float, row)] for day, row in zip(truth.index, truth.to_numpy(), strict=True)]
    write_workbook(tmp_path / "AAPL.xlsx", [HEADER, *rows])
    source = CsvFolderSource(tmp_path)
    assert source.tickers() == ["AAPL"]
    prices = source.fetch("AAPL").prices
    assert prices.index.tolist() == truth.index.tolist()
    assert prices[truth.columns].to_numpy().tolist() == truth.to_numpy().tolist()


def test_three_decimals_of_excel_are_no_thousands(tmp_path):
    write_workbook(tmp_path / "AAPL.xlsx", [HEADER, [date(2024, 1, 2), 1.234, 1.236, 1.234, 1.235, 7.0]])
    assert PriceFile(tmp_path / "AAPL.xlsx").prices("AAPL", "UTC")["close"].tolist() == [1.235]


def test_a_vendors_form_that_was_saved_as_a_workbook(tmp_path):
    truth = true_table(20)
    form = next(form for form in FORMS if form.name == "Investing.com (pt)")
    cells = [line.strip('"').split('","') for line in form.write(truth).splitlines()]
    write_workbook(tmp_path / "AAPL.xlsx", [["Prices of AAPL"], [], *cells])
    file = PriceFile(tmp_path / "AAPL.xlsx")
    assert file.header.form.name == "Investing.com (pt)"
    assert file.prices("AAPL", "UTC").sort_index()["close"].tolist() == truth["close"].tolist()


def test_a_workbook_of_other_content_is_refused_in_one_line(tmp_path):
    (tmp_path / "AAPL.xlsx").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(InvalidPrices, match=r"AAPL\.xlsx cannot be read as xlsx: it is no Excel workbook") as error:
        CsvFolderSource(tmp_path).fetch("AAPL")
    assert "\n" not in str(error.value)


def test_an_empty_workbook_has_no_rows(tmp_path):
    write_workbook(tmp_path / "AAPL.xlsx", [])
    write_workbook(tmp_path / "MSFT.xlsx", [HEADER])
    for ticker in ("AAPL", "MSFT"):
        with pytest.raises(NoNewData, match=rf"{ticker}\.xlsx has no rows"):
            CsvFolderSource(tmp_path).fetch(ticker)
