"""Write a true table of prices in the form of each vendor."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from zenith_core.market.exchanges import exchange_of
from zenith_core.market.sessions import sessions_between

ISO = "%Y-%m-%d"


@dataclass(frozen=True)
class WrittenForm:
    """The look of a vendor's file.

    header: first lines, without the last line end
    row:    from a day, its prices and its volume to a line
    volume: the volume that the form keeps of a true one
    """

    name: str
    header: str
    row: Callable[[pd.Timestamp, "pd.Series[float]"], str]
    newest_first: bool = False
    volume: Callable[[float], float] = float
    ending: str = "\n"

    def write(self, table: pd.DataFrame) -> str:
        """Return the text of a file with the rows of the table."""
        rows = table[::-1] if self.newest_first else table
        lines = [self.row(day, row) for day, row in rows.iterrows()]
        return self.ending.join(filter(None, [self.header, *lines, ""])) + self.ending


def true_table(count: int = 40, *, start: str = "2024-01-02", scale: float = 1250.0, seed: int = 0) -> pd.DataFrame:
    """Return sessions of New York with prices in cents and whole volumes."""
    random = np.random.default_rng(seed)
    first = pd.Timestamp(start)
    index = sessions_between(exchange_of("AAPL"), first.date(), (first + pd.Timedelta(days=2 * count + 10)).date())
    close = scale * np.exp(np.cumsum(random.normal(0, 0.02, count)))
    open_ = close * np.exp(random.normal(0, 0.01, count))
    high, low = np.maximum(open_, close) * 1.005, np.minimum(open_, close) * 0.995
    table = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close}, index=index[:count]).round(2)
    return table.assign(volume=random.integers(1_000_000, 20_000_000, count).astype(float))


def _english(value: float) -> str:
    return f"{value:,.2f}"


def _continental(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def _millions(volume: float) -> float:
    return round(volume / 1e6, 2) * 1e6


def _quoted(*cells: str) -> str:
    return ",".join(f'"{cell}"' for cell in cells)


def _investing(language: str, header: str, date: str, number: Callable[[float], str]) -> WrittenForm:
    def row(day: pd.Timestamp, r: "pd.Series[float]") -> str:
        volume = number(r.volume / 1e6) + "M"
        return _quoted(f"{day:{date}}", *(number(r[name]) for name in ("close", "open", "high", "low")), volume, "1%")

    return WrittenForm(f"Investing.com ({language})", _quoted(*header.split("|")), row, True, _millions)


def _plain(r: "pd.Series[float]", *names: str, separator: str = ",") -> str:
    return separator.join(f"{r[name]:.0f}" if name == "volume" else repr(float(r[name])) for name in names)


_OHLCV = ("open", "high", "low", "close", "volume")

FORMS = [
    _investing("en", "Date|Price|Open|High|Low|Vol.|Change %", "%m/%d/%Y", _english),
    _investing("pt", "Data|Último|Abertura|Máxima|Mínima|Vol.|Var%", "%d.%m.%Y", _continental),
    _investing("es", "Fecha|Último|Apertura|Máximo|Mínimo|Vol.|% var.", "%d.%m.%Y", _continental),
    _investing("de", "Datum|Zuletzt|Eröffn.|Hoch|Tief|Vol.|+/- %", "%d.%m.%Y", _continental),
    _investing("fr", "Date|Dernier|Ouv.| Plus Haut|Plus Bas|Vol.|Variation %", "%d/%m/%Y", _continental),
    _investing("it", "Data|Ultimo|Apertura|Massimo|Minimo|Vol.|Var. %", "%d.%m.%Y", _continental),
    WrittenForm(
        "Nasdaq.com",
        "Date,Close/Last,Volume,Open,High,Low",
        lambda day, r: f"{day:%m/%d/%Y},${r.close:.2f},{r.volume:.0f},${r.open:.2f},${r.high:.2f},${r.low:.2f}",
        True,
    ),
    WrittenForm(
        "plain",  # Stooq in English
        "Date,Open,High,Low,Close,Volume",
        lambda day, r: f"{day:{ISO}},{_plain(r, *_OHLCV)}",
        ending="\r\n",
    ),
    WrittenForm(
        "Stooq (pl)",
        "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen",
        lambda day, r: f"{day:{ISO}},{_plain(r, *_OHLCV)}",
        ending="\r\n",
    ),
    WrittenForm(
        "Stooq (bulk)",
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        lambda day, r: f"TEST.US,D,{day:%Y%m%d},000000,{_plain(r, *_OHLCV)},0",
    ),
    WrittenForm(
        "MetaTrader 4",
        "",
        lambda day, r: f"{day:%Y.%m.%d},00:00,{_plain(r, *_OHLCV)}",
    ),
    WrittenForm(
        "MetaTrader 5",
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
        lambda day, r: "\t".join(
            [f"{day:%Y.%m.%d}", _plain(r, *_OHLCV[:4], separator="\t"), "77", f"{r.volume:.0f}", "1"]
        ),
    ),
    WrittenForm(
        "NSE India",
        "Date ,Open ,High ,Low ,Close ,Shares Traded ,Turnover (₹ Cr)",
        lambda day, r: f"{day:%d-%b-%Y}".upper() + f",{_plain(r, *_OHLCV)},1.5",
        True,
    ),
    WrittenForm(
        "NSE India (equity)",
        '"Date ","series ","OPEN ","HIGH ","LOW ","PREV. CLOSE ","ltp ","close ","vwap ","52W H","52W L ",'
        '"VOLUME ","VALUE ","No of trades "',
        lambda day, r: _quoted(
            f"{day:%d-%b-%Y}",
            "EQ",
            *(_english(r[name]) for name in ("open", "high", "low")),
            "1.00",
            "1.00",
            _english(r.close),
            "1.00",
            "9.00",
            "1.00",
            f"{r.volume:,.0f}",
            "1.00",
            "7",
        ),
        True,
    ),
    WrittenForm(
        "MOEX ISS",
        "TRADEDATE;OPEN;LOW;HIGH;CLOSE;VOLUME;NUMTRADES",
        lambda day, r: f"{day:{ISO}};{_plain(r, 'open', 'low', 'high', 'close', 'volume', separator=';')};9",
    ),
    WrittenForm(
        "B3 COTAHIST",
        "data,cod_neg,pre_abe,pre_max,pre_min,pre_ult,qua_tot,vol_tot",
        lambda day, r: f"{day:{ISO}},TEST3,{_plain(r, *_OHLCV)},123",
    ),
    WrittenForm(
        "CryptoDataDownload",
        "https://www.example.org\nunix,date,symbol,open,high,low,close,Volume TST,Volume USDT",
        lambda day, r: f"1707782400,{day:{ISO}} 00:00:00,TST/USDT,{_plain(r, *_OHLCV)},1.5",
        True,
    ),
    WrittenForm(
        "CoinDesk",
        "Currency,Date,Closing Price (USD),24h Open (USD),24h High (USD),24h Low (USD)",
        lambda day, r: f"TST,{day:{ISO}},{_plain(r, 'close', 'open', 'high', 'low')}",
        volume=lambda _: 0.0,
    ),
    WrittenForm(
        "TradingView",
        "time,open,high,low,close,Volume,Volume MA",
        lambda day, r: f"{day.timestamp() + 14.5 * 3600:.0f},{_plain(r, *_OHLCV)},",
    ),
    WrittenForm(
        "Bloomberg",
        "Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME",
        lambda day, r: f"{day:%d/%m/%Y},{_plain(r, *_OHLCV)}",
    ),
    WrittenForm(
        "ariva.de",
        "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen",
        lambda day, r: ";".join(
            [f"{day:{ISO}}", *(_continental(r[name]) for name in _OHLCV[:4]), f"{r.volume:,.0f}".replace(",", "."), "9"]
        ),
        True,
    ),
    WrittenForm(
        "Euronext",
        'Historical Data\n"From 2023-01-01 to 2024-01-01"\nFR0000120271\n'
        'Date;Open;High;Low;Last;Close;"Number of Shares";"Number of Trades";Turnover;vwap',
        lambda day, r: (
            f"{day:%d/%m/%Y};{_plain(r, 'open', 'high', 'low', 'close', 'close', 'volume', separator=';')};1;2;3"
        ),
        True,
    ),
    WrittenForm(
        "yfinance download",
        "Price,Close,High,Low,Open,Volume\nTicker,TEST,TEST,TEST,TEST,TEST\nDate,,,,,",
        lambda day, r: f"{day:{ISO}},{_plain(r, 'close', 'high', 'low', 'open', 'volume')}",
    ),
    WrittenForm(
        "plain",  # Excel in a country of decimal commas
        "sep=;\nDate;Open;High;Low;Close;Volume",
        lambda day, r: ";".join(
            [f"{day:%d-%m-%Y}", *(f"{r[name]:.2f}".replace(".", ",") for name in _OHLCV[:4]), f"{r.volume:.0f}"]
        ),
        ending="\r\n",
    ),
    WrittenForm(
        "plain",  # pages of Yahoo, copied
        "Date,Open,High,Low,Close,Volume",
        lambda day, r: _quoted(f"{day:%b %d, %Y}", *(_english(r[name]) for name in _OHLCV[:4]), f"{r.volume:,.0f}"),
        True,
    ),
    WrittenForm(
        "plain",  # Google Sheets
        "Date,Open,High,Low,Close,Volume",
        lambda day, r: f"{day.month}/{day.day}/{day.year} 16:00:00,{_plain(r, *_OHLCV)}",
    ),
]
