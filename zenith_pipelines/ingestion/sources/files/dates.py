"""Dates as text: year first, day and month in the order that the whole file shows, month names, seconds since 1970."""

from dataclasses import dataclass

import pandas as pd

from zenith_pipelines.ingestion.sources.files.forms import DAY_FIRST, EPOCH, MONTH_FIRST

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january janeiro",
            "feb february fev fevereiro",
            "mar march marco",
            "apr april abr abril",
            "may mai maio",
            "jun june junho",
            "jul july julho",
            "aug august ago agosto",
            "sep sept september set setembro",
            "oct october out outubro okt",
            "nov november novembro",
            "dec december dez dezembro",
        ),
        1,
    )
    for name in names.split()
}
_TIME = r"(?:[T ,]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?)?"
_MIDNIGHT = r"(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = (
    rf"^(?P<y>\d{{4}})(?P<m>\d{{2}})(?P<d>\d{{2}}){_MIDNIGHT}$",
    rf"^(?P<y>\d{{4}})(?P<s>[-/.])(?P<m>\d{{1,2}})(?P=s)(?P<d>\d{{1,2}}){_MIDNIGHT}$",
)
_TWO_NUMBERS = rf"^(?P<a>\d{{1,2}})(?P<s>[-/.])(?P<b>\d{{1,2}})(?P=s)(?P<y>\d{{4}}){_TIME}$"
_NAMED_MONTH = (
    rf"^(?P<d>\d{{1,2}})[-/. ]*(?P<m>[^\W\d]{{3,9}})\.?[-/, ]*(?P<y>\d{{4}}){_TIME}$",
    rf"^(?:[^\W\d]{{3}},? )?(?P<m>[^\W\d]{{3,9}})\.? (?P<d>\d{{1,2}}),? (?P<y>\d{{4}}){_TIME}$",
)
_EPOCH_DIGITS = {10: 1, 13: 1_000, 16: 1_000_000, 19: 1_000_000_000}


class UnclearOrder(Exception):
    """Day and month cannot be told apart; the message says why."""


@dataclass(frozen=True)
class Dates:
    """Parsed dates, naive midnights, NaT where there is no date; `wrong` marks texts that are no date."""

    days: "pd.Series[pd.Timestamp]"
    wrong: "pd.Series[bool]"
    order: str | None = None


def parse_dates(text: "pd.Series[str]", timezone: str, usual: str | None, *, strict: bool = False) -> Dates:
    """Parse dates; times with a zone become the local date of `timezone`, other times their own date.

    text:     stripped; empty for none
    usual: order, format or EPOCH of the form, used where the file leaves it open, or else if `strict`
    Raises UnclearOrder.
    """
    if (iso_dates := _iso_dates(text)) is not None:
        return Dates(iso_dates, _none(text))
    present = text != ""
    if usual and "%" in usual:
        days = _midnights(pd.to_datetime(text.where(present), format=usual, errors="coerce"))
        return Dates(days, days.isna() & present)
    order = None
    if usual == EPOCH and text[present].str.fullmatch(r"\d{10,19}(?:\.0)?").all():
        days = _epoch_dates(text.where(present), timezone)
    elif text[present].str.match(r"\d{1,2}(?:-\d{1,2}-|/\d{1,2}/|\.\d{1,2}\.)\d{4}").mean() > 0.5:
        days, order = _two_numbers(text, usual, strict=strict)
    elif text[present].str.contains(r"[^\W\d]{3}", regex=True).mean() > 0.5:
        days = _named_months(text)
    else:
        days = _year_first(text, timezone)
    return Dates(days, days.isna() & present, order)


def _iso_dates(text: "pd.Series[str]") -> "pd.Series[pd.Timestamp] | None":
    """Parse dates that are all written 2024-01-31, the usual and fastest case; return None otherwise."""
    if text.str.len().eq(10).all():
        dates = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
        if (days := _nanoseconds(dates)).notna().all():
            return days
    return None


def _year_first(text: "pd.Series[str]", timezone: str) -> "pd.Series[pd.Timestamp]":
    days = _from_parts(text.str.extract(_YEAR_FIRST[1]))
    days = days.fillna(_from_parts(text.str.extract(_YEAR_FIRST[0])))
    other = days.isna() & (text != "")
    return days.where(~other, _local_dates(text[other], timezone).reindex(days.index)) if other.any() else days


def _two_numbers(text: "pd.Series[str]", usual: str | None, *, strict: bool) -> "tuple[pd.Series[pd.Timestamp], str]":
    parts = text.str.extract(_TWO_NUMBERS)
    first, second = (pd.to_numeric(parts[name], errors="coerce") for name in "ab")
    order = usual if strict and usual else _order(text, first > 12, second > 12, usual)
    return _from_parts(
        parts.rename(columns={"a": "d", "b": "m"} if order == DAY_FIRST else {"a": "m", "b": "d"})
    ), order


def _order(
    text: "pd.Series[str]", day_first: "pd.Series[bool]", month_first: "pd.Series[bool]", usual: str | None
) -> str:
    if day_first.any() and month_first.any():
        raise UnclearOrder(f"{text[day_first].iloc[0]} has the day first, {text[month_first].iloc[0]} the month")
    if day_first.any():
        return DAY_FIRST
    if month_first.any():
        return MONTH_FIRST
    if usual in (DAY_FIRST, MONTH_FIRST):
        return usual
    raise UnclearOrder(f"no date shows if {text[text != ''].iloc[0]} has the day or the month first")


def _named_months(text: "pd.Series[str]") -> "pd.Series[pd.Timestamp]":
    plain = text.str.normalize("NFKD").str.replace("\u0327", "", regex=False).str.lower()
    days = pd.Series(pd.NaT, index=text.index, dtype="datetime64[ns]")
    for pattern in _NAMED_MONTH:
        parts = plain.str.extract(pattern)
        days = days.fillna(_from_parts(parts.assign(m=parts["m"].map(_MONTHS))))
    return days


def _epoch_dates(text: "pd.Series[str]", timezone: str) -> "pd.Series[pd.Timestamp]":
    digits = text.str.replace(r"\.0$", "", regex=True)
    divisor = digits.str.len().map(_EPOCH_DIGITS)
    seconds = pd.to_numeric(digits, errors="coerce") // divisor
    moments = pd.to_datetime(seconds, unit="s", errors="coerce", utc=True)
    is_midnight = moments.dt.normalize() == moments  # the day itself, as with dates that carry midnight in UTC
    local = moments.dt.tz_convert(timezone).dt.tz_localize(None)
    return _midnights(local.where(~is_midnight, moments.dt.tz_localize(None)))


def _from_parts(parts: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    numbers = {
        name: pd.to_numeric(parts[key], errors="coerce").astype("float64")
        for name, key in (("year", "y"), ("month", "m"), ("day", "d"))
    }
    return _midnights(pd.to_datetime(pd.DataFrame(numbers), errors="coerce"))


def _local_dates(text: "pd.Series[str]", timezone: str) -> "pd.Series[pd.Timestamp]":
    """Return the local dates of times of day; a time without a zone is local. NaT for other text."""
    iso = text.str.replace(r"^(\d{4})[/.](\d{2})[/.](\d{2})", r"\1-\2-\3", regex=True)
    iso = iso.where(iso.str.contains(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"))
    moments = pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True)
    local = moments.dt.tz_convert(timezone).dt.tz_localize(None)
    has_zone = text.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$")
    return _midnights(local.where(has_zone, moments.dt.tz_localize(None)))


def _midnights(moments: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    return _nanoseconds(moments).dt.normalize()


def _nanoseconds(moments: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    """Return the moments in nanoseconds; NaT for those that have none, before 1678 and after 2261."""
    reachable = (moments >= pd.Timestamp.min.ceil("D")) & (moments <= pd.Timestamp.max.floor("D"))
    return moments.where(reachable).astype("datetime64[ns]")


def _none(text: "pd.Series[str]") -> "pd.Series[bool]":
    return pd.Series(False, index=text.index)
