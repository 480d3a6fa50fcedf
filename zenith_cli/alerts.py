"""`zenith alerts`: the table of receivers, and a test of each."""

import json
import sys

from zenith_core.errors import NotAvailable, UserError
from zenith_core.words import Text
from zenith_pipelines.alert_receivers import Receiver, read_receivers
from zenith_pipelines.alerts.alert import Alert
from zenith_pipelines.alerts.delivery import deliver
from zenith_pipelines.patience import waiting_for
from zenith_pipelines.settings import Settings


def show_receivers(*, as_json: bool) -> None:
    """Print who gets what; no address. Raises NotAvailable without a table."""
    rows = [
        {"name": one.name, "service": _service(one), "language": one.language, "alerts": list(one.alerts)}
        for one in _receivers()
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['name']}: by {row['service']} in {row['language']}: {', '.join(row['alerts'])}")


def test_receivers(name: str | None, *, as_json: bool) -> int:
    """Send a test to all receivers, or to one. Return the exit status: 1 if one was not reached.

    Raises NotAvailable without a table, UserError for an unknown name.
    """
    receivers = [one for one in _receivers() if name in (None, one.name)]
    if not receivers:
        raise UserError(f"no receiver is named {name!r}: there are {', '.join(one.name for one in _receivers())}")
    with waiting_for("the receivers of ZENITH_ALERTS"):
        deliveries = deliver({one: [_test(one)] for one in receivers})
    if as_json:
        rows = [{"name": one.receiver, "delivered": one.problem is None, "problem": one.problem} for one in deliveries]
        print(json.dumps(rows, indent=2))
    for delivery in deliveries:
        if delivery.problem:
            print(f"zenith: {delivery.receiver}: not delivered: {delivery.problem}", file=sys.stderr)
        elif not as_json:
            print(f"{delivery.receiver}: delivered")
    return int(any(delivery.problem for delivery in deliveries))


def _receivers() -> tuple[Receiver, ...]:
    receivers = read_receivers(Settings().zenith_alerts).to
    if not receivers:
        raise NotAvailable(
            "nobody gets alerts yet: ZENITH_ALERTS names a TOML file of receivers, docs/guides/alerts.md"
        )
    return receivers


def _test(receiver: Receiver) -> Alert:
    kinds = tuple(Text(f"kind.{kind}") for kind in receiver.alerts)
    return Alert("test", Text("alert.test", {"name": receiver.name, "kinds": kinds}))


def _service(receiver: Receiver) -> str:
    return receiver.url.get_secret_value().partition("://")[0]
