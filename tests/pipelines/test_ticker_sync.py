import pytest

from zenith_pipelines.tickers import SyncState, TickerSyncPlan, plan_ticker_sync


def plan_sync(setting, present, *, added=(), earlier=()):
    return plan_ticker_sync(setting, present, SyncState(added=added, present=earlier))


def test_the_setting_adds_its_tickers_and_the_state_records_them():
    plan = plan_sync(["AAPL", "IBM"], ["IBM"])

    assert plan == TickerSyncPlan(
        add=("AAPL",), delete=(), withdraw=(), state=SyncState(added=("AAPL",), present=("AAPL", "IBM"))
    )


@pytest.mark.parametrize(("added", "delete"), [(("AAPL",), ("AAPL",)), ((), ())], ids=["its own", "a person's"])
def test_a_ticker_no_longer_in_the_setting_is_deleted_only_if_the_setting_added_it(added, delete):
    plan = plan_sync([], ["AAPL"], added=added, earlier=("AAPL",))

    assert (plan.delete, plan.state.added) == (delete, ())


def test_a_ticker_that_existed_before_the_setting_named_it_stays():
    first = plan_sync(["AAPL"], ["AAPL"])

    assert plan_sync([], ["AAPL"], added=first.state.added, earlier=first.state.present).delete == ()


def test_a_deleted_ticker_is_withdrawn_from_serving_at_the_next_sync():
    first = plan_ticker_sync([], ["AAPL"], SyncState(added=("AAPL",), present=("AAPL",)))
    second = plan_ticker_sync([], [], first.state)
    third = plan_ticker_sync([], [], second.state)

    assert [plan.withdraw for plan in (first, second, third)] == [(), ("AAPL",), ()]


def test_a_ticker_that_a_person_removed_is_withdrawn_from_serving():
    assert plan_sync([], ["IBM"], earlier=("AAPL", "IBM")).withdraw == ("AAPL",)


def test_a_ticker_that_a_person_removed_is_added_again_if_the_setting_names_it():
    plan = plan_sync(["AAPL"], [], added=("AAPL",), earlier=("AAPL",))

    assert (plan.add, plan.withdraw, plan.state.added) == (("AAPL",), (), ("AAPL",))


def test_a_ticker_that_never_existed_here_is_left_alone():
    assert plan_sync([], ["AAPL"]).withdraw == ()


def test_the_state_survives_as_json():
    state = SyncState(added=("AAPL",), present=("AAPL", "IBM"))

    assert SyncState.from_json(state.to_json()) == state
