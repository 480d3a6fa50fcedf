"""Known forms of price files: a declaration for each vendor, recognised by the header as a whole.

A declaration has the meaning of each column, the order of day and month, and the decimal mark.
The decimal mark and the order of a known form count only where the file itself does not show them.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType

from zenith_pipelines.ingestion.sources.base import ACTIONS, REQUIRED

COLUMNS = ("date", *REQUIRED, "adj_close", *ACTIONS)
DAY_FIRST, MONTH_FIRST, EPOCH = "day first", "month first", "epoch"
TICKER, UNUSED = "ticker", ""


@dataclass(frozen=True)
class Form:
    """The form of a file.

    columns:  header of each column, without case, accents, blanks and punctuation, to its meaning: one of COLUMNS,
              TICKER or UNUSED. A header may end with `*`; of two columns with one meaning the first counts
    optional: headers that may be absent
    extra:    True if other columns may stand between them
    dates:    DAY_FIRST, MONTH_FIRST, EPOCH (seconds or milliseconds since 1970), a format such as %d/%m/%y, or None
    decimal:  decimal mark, or None if only the file tells
    strict:   True if the file must be as declared, because its owner declared it
    units:    factor by which a column is multiplied
    suffixes: ending of the vendor's codes to the ending of tickers; "" for codes without a known ending
    has_volume: False if volumes are 0, as in a source of exchange rates
    """

    name: str
    columns: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    extra: bool = False
    dates: str | None = None
    decimal: str | None = "."
    strict: bool = False
    units: Mapping[str, float] = field(default_factory=dict)
    suffixes: Mapping[str, str] | None = None
    has_volume: bool = True

    def meanings(self, names: Sequence[str]) -> list[str] | None:
        """Return the meaning of each column, UNUSED for others; None if the header is not of this form."""
        keys = [self._key(normalized(name)) for name in names]
        if not self._required.issubset(keys):
            return None
        strangers = [name for name, key in zip(names, keys, strict=True) if name.strip() and key is None]
        if strangers and not self.extra:
            return None
        return [UNUSED if key is None else self.columns[key] for key in keys]

    @cached_property
    def _required(self) -> frozenset[str]:
        return frozenset(self.columns.keys() - self.optional)

    @cached_property
    def _beginnings(self) -> tuple[str, ...]:
        return tuple(key for key in self.columns if key.endswith("*"))

    def _key(self, text: str) -> str | None:
        if text in self.columns or not self._beginnings:
            return text if text in self.columns else None
        return next((key for key in self._beginnings if text.startswith(key[:-1]) and text != key[:-1]), None)

    def ticker(self, code: str) -> str:
        """Return the ticker for a vendor's code, such as PETR4.SA for B3's PETR4."""
        if self.suffixes is None:
            return code
        ending = next((end for end in self.suffixes if end and code.endswith(end)), "")
        return code.removesuffix(ending).replace("/", "-") + self.suffixes.get(ending, "")


@lru_cache(maxsize=1024)
def normalized(name: str) -> str:
    """Return a header without case, accents, blanks and punctuation: `Máxima` and ` <HIGH> ` are maxima and high."""
    plain = unicodedata.normalize("NFKD", name).replace("ł", "l").replace("Ł", "L")
    return re.sub(r"[\W_]+", "", "".join(c for c in plain if not unicodedata.combining(c)).lower())


def _form(name: str, header: str, meanings: str, *, optional: str = "", **options: object) -> Form:
    """Declare a form: `header` and `optional` as the vendor writes them, `|` between columns.

    meanings: of the columns of `header` in order: d(ate) o(pen) h(igh) l(ow) c(lose) v(olume) t(icker), a(djusted
              close), - for unused; optional columns are unused
    """
    words = {letter: word for word in (*COLUMNS[:7], TICKER) for letter in word[0]} | {"-": UNUSED}
    keys = [_key(text) for text in header.split("|")]
    extras = [_key(text) for text in filter(None, optional.split("|"))]
    columns = dict(zip(keys, (words[letter] for letter in meanings), strict=True)) | dict.fromkeys(extras, UNUSED)
    has_volume = "volume" in columns.values()
    return Form(name, MappingProxyType(columns), frozenset(extras), has_volume=has_volume, **options)  # type: ignore[arg-type]


def _key(text: str) -> str:
    return normalized(text) + ("*" if text.endswith("*") else "")


_INVESTING = {
    "en": ("Date|Price|Open|High|Low|Vol.|Change %", MONTH_FIRST, "."),
    "pt": ("Data|Último|Abertura|Máxima|Mínima|Vol.|Var%", DAY_FIRST, ","),
    "es": ("Fecha|Último|Apertura|Máximo|Mínimo|Vol.|% var.", DAY_FIRST, ","),
    "de": ("Datum|Zuletzt|Eröffn.|Hoch|Tief|Vol.|+/- %", DAY_FIRST, ","),
    "fr": ("Date|Dernier|Ouv.|Plus Haut|Plus Bas|Vol.|Variation %", DAY_FIRST, ","),
    "it": ("Data|Ultimo|Apertura|Massimo|Minimo|Vol.|Var. %", DAY_FIRST, ","),
}
_STOOQ_ENDINGS = {".US": "", ".UK": ".L", ".DE": ".DE", ".JP": ".T", ".HK": ".HK", ".PL": ".WA", ".HU": ".BD", "": ""}
_COTAHIST = ("cod_neg|pre_abe|pre_max|pre_min|pre_ult|qua_tot", "tohlcv")

VENDORS: tuple[Form, ...] = (
    *(
        _form(f"Investing.com ({language})", header, "dcohlv-", dates=order, decimal=mark)
        for language, (header, order, mark) in _INVESTING.items()
    ),
    _form("Nasdaq.com", "Date|Close/Last|Volume|Open|High|Low", "dcvohl", dates=MONTH_FIRST),
    _form("Stooq (pl)", "Data|Otwarcie|Najwyzszy|Najnizszy|Zamkniecie", "dohlc"),
    _form("Stooq (pl)", "Data|Otwarcie|Najwyzszy|Najnizszy|Zamkniecie|Wolumen", "dohlcv", optional="LOP"),
    _form(
        "Stooq (bulk)",
        "<TICKER>|<PER>|<DATE>|<TIME>|<OPEN>|<HIGH>|<LOW>|<CLOSE>|<VOL>",
        "t-d-ohlcv",
        optional="<OPENINT>",
        suffixes=_STOOQ_ENDINGS,
    ),
    _form("MetaTrader 5", "<DATE>|<OPEN>|<HIGH>|<LOW>|<CLOSE>|<VOL>", "dohlcv", optional="<TIME>|<TICKVOL>|<SPREAD>"),
    _form(
        "NSE India",
        "Date|Open|High|Low|Close|Shares Traded",
        "dohlcv",
        optional="Turnover (₹ Cr)|Turnover (Rs. Cr)|Index Name",
        dates=DAY_FIRST,
    ),
    _form(
        "NSE India (equity)",
        "Date|series|OPEN|HIGH|LOW|PREV. CLOSE|ltp|close|vwap|VOLUME",
        "d-ohl--c-v",
        optional="52W H|52W L|VALUE|No of trades",
        dates=DAY_FIRST,
    ),
    _form("MOEX ISS", "SECID|TRADEDATE|OPEN|LOW|HIGH|CLOSE|VOLUME", "tdolhcv", extra=True, suffixes={"": ".ME"}),
    _form("MOEX ISS", "TRADEDATE|OPEN|LOW|HIGH|CLOSE|VOLUME", "dolhcv", extra=True),
    *(
        _form("B3 COTAHIST", f"{date}|{_COTAHIST[0]}", f"d{_COTAHIST[1]}", extra=True, suffixes={"": ".SA"})
        for date in ("data", "dat_pre", "data_pregao", "dt_pregao")
    ),
    _form(
        "CryptoDataDownload",
        "date|symbol|open|high|low|close|Volume *",
        "dtohlcv",
        optional="unix|tradecount|buyTakerAmount|buyTakerQuantity|weightedAverage",
        suffixes={"": ""},
    ),
    _form(
        "CoinDesk",
        "Currency|Date|Closing Price (USD)|24h Open (USD)|24h High (USD)|24h Low (USD)",
        "-dcohl",
    ),
    _form("TradingView", "time|open|high|low|close|Volume", "dohlcv", extra=True, dates=EPOCH),
    _form("Bloomberg", "Date|PX_OPEN|PX_HIGH|PX_LOW|PX_LAST|PX_VOLUME", "dohlcv", dates=None),
    _form("ariva.de", "Datum|Erster|Hoch|Tief|Schlusskurs|Stuecke", "dohlcv", optional="Volumen", decimal=","),
    _form(
        "Euronext",
        "Date|Open|High|Low|Last|Close|Number of Shares",
        "dohl-cv",
        optional="Number of Trades|Turnover|vwap",
        dates=DAY_FIRST,
    ),
)

YFINANCE = Form(
    "yfinance download",
    MappingProxyType(
        {"price": "date", **{name: name for name in REQUIRED}, "adjclose": "adj_close", "dividends": "dividends"}
        | {"stocksplits": "splits", "capitalgains": UNUSED, "repaired": UNUSED}
    ),
    frozenset({"adjclose", "dividends", "stocksplits", "capitalgains", "repaired"}),
)

METATRADER4 = Form("MetaTrader 4", MappingProxyType({}))
METATRADER4_COLUMNS = ("date", UNUSED, *REQUIRED)
_METATRADER4_ROW = re.compile(r"\d{4}\.\d{2}\.\d{2}([,;\t])\d{2}:\d{2}(\1\d+(\.\d+)?){5}\s*")

_ALIASES = {
    "date": ("date", "datetime", "timestamp"),
    **{name: (name,) for name in REQUIRED},
    "adj_close": ("adjclose", "adjustedclose"),
    "dividends": ("dividends", "dividend", "dividendamount", "divcash", "exdividend"),
    "splits": ("stocksplits", "stocksplit", "splits", "split", "splitcoefficient", "splitfactor", "splitratio"),
    TICKER: ("ticker", "tickers", "symbol"),
}
_MEANINGS = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
PLAIN = Form("plain", MappingProxyType({}), decimal=None)


def plain_meanings(names: Sequence[str]) -> list[str]:
    """Return the meanings of a header in our own words, in any order and case; UNUSED for other columns."""
    meanings = [_MEANINGS.get(normalized(name), UNUSED) for name in names]
    if "date" not in meanings and names and (not names[0] or names[0].startswith(("Unnamed: 0", "index"))):
        meanings[0] = "date"  # an index saved without its name
    return meanings


def vendor_form(names: Sequence[str]) -> tuple[Form, list[str]] | None:
    """Return the vendor's form whose header this is, and the meaning of each column."""
    for form in VENDORS:
        if meanings := form.meanings(names):
            return form, _first_volume(meanings)
    return None


def _first_volume(meanings: Sequence[str]) -> list[str]:
    first = meanings.index("volume") if "volume" in meanings else -1
    return [UNUSED if word == "volume" and at != first else word for at, word in enumerate(meanings)]


def is_metatrader4(line: str) -> bool:
    """Return True for a row of MetaTrader 4's export, which has no header."""
    return _METATRADER4_ROW.fullmatch(line) is not None


def missing_columns(meanings: Iterable[str], form: Form) -> list[str]:
    """List the columns that prices need and a file does not have."""
    available = set(meanings)
    return [name for name in ("date", *REQUIRED) if name not in available and (name != "volume" or form.has_volume)]
