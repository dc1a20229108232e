from hypothesis import given
from hypothesis import strategies as st

from lora_lab.config import Settings
from lora_lab.runs import folder, queue
from lora_lab.runs.queue import Ticket, order

tickets = st.lists(
    st.builds(
        Ticket, run=st.uuids().map(str), owner=st.sampled_from("abcd"), queued=st.floats(0, 99)
    ),
    unique_by=lambda ticket: ticket.run,
    max_size=20,
)


def names(ordered):
    return [ticket.run for ticket in ordered]


def test_people_take_turns_however_many_runs_one_of_them_queued():
    waiting = [Ticket(f"ana{i}", "ana", i) for i in range(4)]
    waiting += [Ticket(f"brais{i}", "brais", 10 + i) for i in range(2)]
    assert names(order(waiting, {})) == ["ana0", "brais0", "ana1", "brais1", "ana2", "ana3"]


def test_who_ran_last_waits_for_who_has_not():
    waiting = [Ticket("ana1", "ana", 1), Ticket("brais1", "brais", 2)]
    assert names(order(waiting, {"ana": 1000.0})) == ["brais1", "ana1"]
    assert names(order(waiting, {"ana": 1000.0, "brais": 2000.0})) == ["ana1", "brais1"]


@given(tickets)
def test_nobody_is_lost_and_ones_own_runs_keep_their_order(waiting):
    ordered = order(waiting, {})
    assert sorted(names(ordered)) == sorted(names(waiting))
    for owner in "abcd":
        own = [ticket.queued for ticket in ordered if ticket.owner == owner]
        assert own == sorted(own)


@given(tickets)
def test_nobody_has_two_turns_while_another_waits_for_the_first(waiting):
    ordered = order(waiting, {})
    people = {ticket.owner for ticket in ordered}
    assert {ticket.owner for ticket in ordered[: len(people)]} == people


def test_who_let_others_go_first_stands_behind_those_whose_turn_is_longer_ago():
    def run_of(owner, state, **told):
        made = folder.create(Settings(), owner, lambda path: path.mkdir(), **told)
        made.set_status(state)
        return made

    run_of("brais", "done", started=100.0)
    aside = run_of("ana", "queued", started=200.0)
    waits, new = run_of("brais", "queued"), run_of("carme", "queued")
    assert [ticket.run for ticket in queue.look().waiting] == [new.id, waits.id, aside.id]
