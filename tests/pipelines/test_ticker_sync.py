import pytest

from zenith_pipelines.ticker_setting import SyncState, TickerSyncPlan, plan_ticker_sync


def after(setting, present, *, added=(), seen=()):
    return plan_ticker_sync(setting, present, SyncState(added=added, seen=seen))


def test_the_setting_adds_what_it_names_and_remembers_it():
    plan = after(["AAPL", "IBM"], ["IBM"])

    assert plan == TickerSyncPlan(
        add=("AAPL",), delete=(), withdraw=(), state=SyncState(added=("AAPL",), seen=("AAPL", "IBM"))
    )


@pytest.mark.parametrize(("added", "delete"), [(("AAPL",), ("AAPL",)), ((), ())], ids=["its own", "a person's"])
def test_out_of_the_setting_goes_only_what_it_had_added(added, delete):
    plan = after([], ["AAPL"], added=added, seen=("AAPL",))

    assert (plan.delete, plan.state.added) == (delete, ())


def test_what_was_there_before_the_setting_named_it_stays_when_it_names_it_no_more():
    named = after(["AAPL"], ["AAPL"])

    assert after([], ["AAPL"], added=named.state.added, seen=named.state.seen).delete == ()


def test_a_ticker_to_delete_is_taken_out_of_serving_once_it_is_gone():
    first = plan_ticker_sync([], ["AAPL"], SyncState(added=("AAPL",), seen=("AAPL",)))
    second = plan_ticker_sync([], [], first.state)
    third = plan_ticker_sync([], [], second.state)

    assert [plan.withdraw for plan in (first, second, third)] == [(), ("AAPL",), ()]


def test_a_ticker_that_a_person_removed_is_taken_out_of_serving():
    assert after([], ["IBM"], seen=("AAPL", "IBM")).withdraw == ("AAPL",)


def test_a_ticker_that_a_person_removed_comes_back_if_the_setting_names_it():
    plan = after(["AAPL"], [], added=("AAPL",), seen=("AAPL",))

    assert (plan.add, plan.withdraw, plan.state.added) == (("AAPL",), (), ("AAPL",))


def test_a_ticker_that_was_never_seen_is_left_alone():
    assert after([], ["AAPL"]).withdraw == ()


def test_the_memory_survives_as_json():
    state = SyncState(added=("AAPL",), seen=("AAPL", "IBM"))

    assert SyncState.from_json(state.to_json()) == state
