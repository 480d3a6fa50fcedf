import pytest

from zenith_pipelines.ticker_setting import Memory, Step, step


def after(setting, present, *, added=(), seen=()):
    return step(setting, present, Memory(added=added, seen=seen))


def test_the_setting_adds_what_it_names_and_remembers_it():
    todo = after(["AAPL", "IBM"], ["IBM"])

    assert todo == Step(add=("AAPL",), delete=(), withdraw=(), memory=Memory(added=("AAPL",), seen=("AAPL", "IBM")))


@pytest.mark.parametrize(("added", "delete"), [(("AAPL",), ("AAPL",)), ((), ())], ids=["its own", "a person's"])
def test_out_of_the_setting_goes_only_what_it_had_added(added, delete):
    todo = after([], ["AAPL"], added=added, seen=("AAPL",))

    assert (todo.delete, todo.memory.added) == (delete, ())


def test_what_was_there_before_the_setting_named_it_stays_when_it_names_it_no_more():
    named = after(["AAPL"], ["AAPL"])

    assert after([], ["AAPL"], added=named.memory.added, seen=named.memory.seen).delete == ()


def test_a_ticker_to_delete_is_taken_out_of_serving_once_it_is_gone():
    first = step([], ["AAPL"], Memory(added=("AAPL",), seen=("AAPL",)))
    second = step([], [], first.memory)
    third = step([], [], second.memory)

    assert [todo.withdraw for todo in (first, second, third)] == [(), ("AAPL",), ()]


def test_a_ticker_that_a_person_removed_is_taken_out_of_serving():
    assert after([], ["IBM"], seen=("AAPL", "IBM")).withdraw == ("AAPL",)


def test_a_ticker_that_a_person_removed_comes_back_if_the_setting_names_it():
    todo = after(["AAPL"], [], added=("AAPL",), seen=("AAPL",))

    assert (todo.add, todo.withdraw, todo.memory.added) == (("AAPL",), (), ("AAPL",))


def test_a_ticker_that_was_never_seen_is_left_alone():
    assert after([], ["AAPL"]).withdraw == ()


def test_the_memory_survives_as_json():
    memory = Memory(added=("AAPL",), seen=("AAPL", "IBM"))

    assert Memory.from_json(memory.to_json()) == memory
