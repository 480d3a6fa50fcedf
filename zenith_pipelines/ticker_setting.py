"""How ZENITH_TICKERS and the tickers are kept in step. Pure: what is there in, what is to be done out.

The setting adds what it names. It removes only what it had added itself: a ticker that a person added stays when it is
taken out of the setting, and so does one that was there before the setting named it. What a person removes in the UI
while the setting names it, the setting adds again.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class SyncState:
    """What the last look left: the tickers that the setting had added, and all that were there."""

    added: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values; `from_json` restores them."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(added=tuple(document["added"]), seen=tuple(document["seen"]))


@dataclass(frozen=True)
class TickerSyncPlan:
    """What brings the tickers in step: partitions to add and to delete, tickers to take out of serving."""

    add: tuple[str, ...]
    delete: tuple[str, ...]
    withdraw: tuple[str, ...]
    state: SyncState


def plan_ticker_sync(setting: Sequence[str], present: Sequence[str], state: SyncState) -> TickerSyncPlan:
    """What to do when the setting is `setting` and the tickers are `present`.

    A ticker that was seen and is gone, by whatever hand, is taken out of serving: one to delete at the next look, when
    no run can put it back any more. One that was never seen is left alone: the data may be shared with an instance
    that knows it.
    """
    add = tuple(ticker for ticker in setting if ticker not in present)
    delete = tuple(ticker for ticker in state.added if ticker in present and ticker not in setting)
    kept = tuple(ticker for ticker in state.added if ticker in setting and ticker in present)
    there = tuple(sorted({*present, *add}))
    gone = tuple(ticker for ticker in state.seen if ticker not in there)
    return TickerSyncPlan(add, delete, withdraw=gone, state=SyncState(added=(*kept, *add), seen=there))
