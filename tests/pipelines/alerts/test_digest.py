"""The digest of a day: one message, with a line for each kind of event, in the receiver's language."""

from datetime import UTC, datetime, time

import pytest

from zenith_core.words import Text
from zenith_pipelines.alert_receivers import ReceiverTable
from zenith_pipelines.alerts.alert import Alert
from zenith_pipelines.alerts.delivery import message_of
from zenith_pipelines.alerts.digest import Day, digest, last_digest_time
from zenith_pipelines.disk_space import DiskSpace
from zenith_pipelines.settings import Settings

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
PLENTY = DiskSpace(free=200e9, needed=1.5e9, tickers=10)


def promoted(ticker):
    return Alert("promoted", Text("alert.promoted", {"subject": ticker, "version": "3"}))


def test_a_quiet_day_is_told_too():
    _, body = message_of([digest(Day([], [], [], [], PLENTY), NOON)], "en")

    assert body.splitlines() == [
        "Nov 30, 2026: 0 promoted, 0 refused, 0 rolled back",
        "Promoted: none",
        "Refused: none",
        "Rolled back: none",
        "Trained again early: none",
        "Failed runs: none",
        "Stale prices: none",
        "Disk: 200.0 GB free, four weeks need 1.5 GB",
    ]


def test_a_busy_day_names_ten_of_each_and_counts_the_rest_in_portuguese():
    day = Day(
        [promoted(f"T{number}") for number in range(12)],
        ["refresh_prices IBM"],
        ["AAPL"],
        ["MSFT"],
        DiskSpace(free=0.5e9, needed=1.5e9, tickers=1),
    )

    title, body = message_of([digest(day, NOON)], "pt")

    lines = body.splitlines()
    assert title == "Zenith: o dia"
    assert lines[0] == "30 de nov. de 2026: promoções: 12, recusas: 0, rollbacks: 0"
    assert lines[1].startswith("Promovidos: 12 (T0 versão 3, T1 versão 3, ")
    assert lines[1].endswith("T9 versão 3, e mais 2)")
    assert lines[4:] == [
        "Treinados de novo antes da hora: 1 (AAPL)",
        "Execuções com falha: 1 (refresh_prices IBM)",
        "Preços desatualizados: 1 (MSFT)",
        "Disco: SÓ 0,5 GB livres, quatro semanas precisam de 1,5 GB",
    ]


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 11, 30, 11, 1, tzinfo=UTC), "2026-11-30T08:00:00-03:00"),
        (datetime(2026, 11, 30, 10, 59, tzinfo=UTC), "2026-11-29T08:00:00-03:00"),
    ],
)
def test_a_digest_is_due_at_its_time_of_day_in_the_time_zone_of_the_schedules(now, due):
    table = ReceiverTable(digest_at=time(8))

    assert last_digest_time(table, Settings(zenith_timezone="America/Sao_Paulo"), now).isoformat() == due
