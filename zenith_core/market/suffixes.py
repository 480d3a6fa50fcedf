"""Exchanges by the suffixes, prefixes and shapes of tickers, as Yahoo writes them.

An exchange without a calendar of its own in `exchange_calendars` has the nearest one: that of its country, of its week,
or WEEKDAYS, which takes no day of trading for a holiday. The library cannot build those with an Orthodox Easter under
pandas 3 either. An exchange that Yahoo does not have takes its MIC as suffix.
"""

from dataclasses import dataclass

EVERY_DAY, WEEKDAYS = "24/7", "24/5"


@dataclass(frozen=True)
class Exchange:
    """An exchange or market.

    code:     MIC; CCC for cryptocurrencies and CCY for currencies, as Yahoo calls them
    calendar: the name of its calendar in `exchange_calendars`
    currency: of its quotes; GBp, ZAc, ILA and KWF are hundredths or thousandths (see `unit_of`)
    sessions_per_year: annualizes returns and volatility
    commission, slippage: costs of trading by default, fractions of the value, per side
    """

    code: str
    calendar: str
    currency: str
    timezone: str
    sessions_per_year: int = 252
    commission: float = 0.001
    slippage: float = 0.0005


_TABLE = """
    -     XNYS  USD America/New_York
    .CBT  XCBT  USD America/Chicago      CMES
    .CME  XCME  USD America/Chicago      CMES
    .CMX  XCEC  USD America/Chicago      CMES
    .NYM  XNYM  USD America/Chicago      CMES
    .NYB  IFUS  USD America/New_York     IEPA
    .XCBF XCBF  USD America/Chicago
    .BA   XBUE  ARS America/Argentina/Buenos_Aires
    .XBDA XBDA  BMD Atlantic/Bermuda
    .SA   BVMF  BRL America/Sao_Paulo
    .TO   XTSE  CAD America/Toronto
    .V    XTSX  CAD America/Toronto      XTSE
    .CN   XCNQ  CAD America/Toronto      XTSE
    .NE   NEOE  CAD America/Toronto      XTSE
    .SN   XSGO  CLP America/Santiago
    .CL   XBOG  COP America/Bogota
    .MX   XMEX  MXN America/Mexico_City
    .LM   XLIM  PEN America/Lima
    .CR   XCAR  VES America/Caracas      24/5
    .L    XLON  GBp Europe/London
    .IL   XLON  USD Europe/London
    .AQ   AQXE  GBp Europe/London        XLON
    .XC   XCHI  GBp Europe/London        XLON
    .XD   CEUX  EUR Europe/London        XLON
    .IR   XDUB  EUR Europe/Dublin
    .PA   XPAR  EUR Europe/Paris
    .NX   XPAR  EUR Europe/Paris
    .AS   XAMS  EUR Europe/Amsterdam
    .BR   XBRU  EUR Europe/Brussels
    .LU   XLUX  EUR Europe/Luxembourg
    .LS   XLIS  EUR Europe/Lisbon
    .MC   XMAD  EUR Europe/Madrid
    .MI   XMIL  EUR Europe/Rome
    .TI   ETLX  EUR Europe/Rome          XMIL
    .DE   XETR  EUR Europe/Berlin
    .F    XFRA  EUR Europe/Berlin
    .BE   XBER  EUR Europe/Berlin        XFRA
    .BM   XBMS  EUR Europe/Berlin        XFRA
    .DU   XDUS  EUR Europe/Berlin
    .HM   XHAM  EUR Europe/Berlin
    .HA   XHAN  EUR Europe/Berlin        XHAM
    .MU   XMUN  EUR Europe/Berlin        XFRA
    .SG   XSTU  EUR Europe/Berlin
    .XEUR XEUR  EUR Europe/Berlin
    .XEEE XEEE  EUR Europe/Berlin
    .SW   XSWX  CHF Europe/Zurich
    .VI   XWBO  EUR Europe/Vienna
    .CO   XCSE  DKK Europe/Copenhagen
    .ST   XSTO  SEK Europe/Stockholm
    .OL   XOSL  NOK Europe/Oslo
    .HE   XHEL  EUR Europe/Helsinki
    .IC   XICE  ISK Atlantic/Reykjavik
    .TL   XTAL  EUR Europe/Tallinn
    .RG   XRIS  EUR Europe/Riga
    .VS   XLIT  EUR Europe/Vilnius
    .WA   XWAR  PLN Europe/Warsaw
    .PR   XPRA  CZK Europe/Prague
    .BD   XBUD  HUF Europe/Budapest
    .RO   XBSE  RON Europe/Bucharest       24/5
    .AT   ASEX  EUR Europe/Athens          24/5
    .XBRA XBRA  EUR Europe/Bratislava
    .XLJU XLJU  EUR Europe/Ljubljana
    .XZAG XZAG  EUR Europe/Zagreb
    .XBEL XBEL  RSD Europe/Belgrade        24/5
    .XCYS XCYS  EUR Asia/Nicosia           24/5
    .IS   XIST  TRY Europe/Istanbul
    .ME   XMOS  RUB Europe/Moscow
    .JO   XJSE  ZAc Africa/Johannesburg
    .CA   XCAI  EGP Africa/Cairo         XSAU
    .TA   XTAE  ILA Asia/Jerusalem
    .SR   XSAU  SAR Asia/Riyadh
    .SAU  XSAU  SAR Asia/Riyadh
    .KW   XKUW  KWF Asia/Kuwait          XSAU
    .QA   DSMD  QAR Asia/Qatar           XSAU
    .AE   XDFM  AED Asia/Dubai           24/5
    .AIXK AIXK  KZT Asia/Almaty
    .KA   XKAR  PKR Asia/Karachi
    .NS   XNSE  INR Asia/Kolkata         XBOM
    .BO   XBOM  INR Asia/Kolkata
    .BK   XBKK  THB Asia/Bangkok
    .VN   XSTC  VND Asia/Ho_Chi_Minh     24/5
    .JK   XIDX  IDR Asia/Jakarta
    .KL   XKLS  MYR Asia/Kuala_Lumpur
    .SI   XSES  SGD Asia/Singapore
    .PS   XPHS  PHP Asia/Manila
    .HK   XHKG  HKD Asia/Hong_Kong
    .SS   XSHG  CNY Asia/Shanghai
    .SZ   XSHE  CNY Asia/Shanghai        XSHG
    .TW   XTAI  TWD Asia/Taipei
    .TWO  ROCO  TWD Asia/Taipei          XTAI
    .KS   XKRX  KRW Asia/Seoul
    .KQ   XKOS  KRW Asia/Seoul           XKRX
    .T    XTKS  JPY Asia/Tokyo
    .AX   XASX  AUD Australia/Sydney
    .XA   CHIA  AUD Australia/Sydney     XASX
    .NZ   XNZE  NZD Pacific/Auckland
"""


def _row(line: str) -> tuple[str, Exchange]:
    suffix, code, currency, timezone, *calendar = line.split()
    return suffix.strip("-"), Exchange(code, calendar[0] if calendar else code, currency, timezone)


SUFFIXES: dict[str, Exchange] = dict(_row(line) for line in _TABLE.strip().splitlines())
"""Exchange by suffix; no suffix is New York."""

INDICES = {
    **dict.fromkeys(("^BVSP", "^IBX50"), ".SA"),
    **dict.fromkeys(("^FTSE", "^FTMC", "^FTAS"), ".L"),
    **dict.fromkeys(("^GDAXI", "^MDAXI", "^TECDAX", "^SDAXI"), ".DE"),
    **dict.fromkeys(("^FCHI", "^SBF120", "^STOXX50E", "^STOXX", "^N100"), ".PA"),
    **dict.fromkeys(("^N225", "^TOPX"), ".T"),
    **dict.fromkeys(("^BSESN", "^NSEI", "^NSEBANK", "^CNXIT"), ".BO"),
    **dict.fromkeys(("^KS11", "^KQ11", "^KS200"), ".KS"),
    **dict.fromkeys(("^AXJO", "^AORD"), ".AX"),
    **{"^AEX": ".AS", "^BFX": ".BR", "^IBEX": ".MC", "^SSMI": ".SW", "^ATX": ".VI", "^OMX": ".ST", "^OMXC25": ".CO"},
    **{"^HSI": ".HK", "^HSCE": ".HK", "^TWII": ".TW", "^STI": ".SI", "^JKSE": ".JK", "^KLSE": ".KL", "^NZ50": ".NZ"},
    **{
        "^GSPTSE": ".TO",
        "^MXX": ".MX",
        "^MERV": ".BA",
        "^IPSA": ".SN",
        "^TA125": ".TA",
        "^TASI": ".SR",
        "^XU100": ".IS",
    },
}
"""The suffix whose exchange an index of Yahoo's follows; any other index follows New York."""

_CODES = """
    AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNH CNY COP CRC CZK DKK EGP EUR GBP GHS HKD HUF IDR ILS INR ISK JOD JPY
    KES KRW KWD KZT LBP LKR MAD MXN MYR NGN NOK NZD OMR PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TND TRY TWD TZS
    UAH UGX USD UYU VND XAG XAU XPD XPT ZAR ZMW
"""
CURRENCIES = frozenset(_CODES.split())
"""Codes of currencies and metals that make up a currency pair (EURUSD, EURUSD=X)."""

COIN_CURRENCIES = ("USD", "EUR", "GBP", "JPY", "BRL", "CAD", "AUD", "KRW", "INR", "USDT", "USDC", "BTC", "ETH")
"""Currencies that cryptocurrencies are quoted in (BTC-USD)."""

_UNITS = {"GBp": ("GBP", 100), "GBX": ("GBP", 100), "ZAc": ("ZAR", 100), "ILA": ("ILS", 100), "KWF": ("KWD", 1000)}


def unit_of(currency: str) -> tuple[str, int]:
    """Return the main currency of quotes, and how many units of the quotes make one: ("GBP", 100) for GBp."""
    return _UNITS.get(currency, (currency, 1))
