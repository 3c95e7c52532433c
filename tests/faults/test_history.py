"""The judge must find what it is there to find, and nothing else: each rule both ways."""

from __future__ import annotations

import pytest

from faults.history import ANY, DELETED, FAILED, OK, UNKNOWN, Effect, History, Op, Register, wrong_list

SECOND = 1_000_000
CELL = ("plain", 1, 0, "a")
LIST = ("lists", 1, None, "l")


class Told(History):
    """A history that is written down afterwards: one request each second."""

    def op(self, *effects: Effect, outcome: str = OK, at: int = 0, timestamp: int | None = None, kind: str = "insert") -> Op:
        op = Op(0, 1, kind, "", list(effects), at * SECOND, timestamp, at * SECOND + 100, outcome)
        self.add(op)
        return op

    def write(self, value: object, at: int, **more: object) -> Op:
        return self.op(Effect(CELL, value, more.pop("ttl", None)), at=at, **more)

    def verdict(self, seen: object, at: int = 100, path: tuple = CELL) -> str | None:
        return self.wrong(path, seen, at * SECOND, at * SECOND)


def test_an_acknowledged_write_must_be_there() -> None:
    told = Told()
    told.write(1, at=1)
    assert told.verdict(1) is None
    assert "nothing may have removed it" in told.verdict(None)
    assert "nobody wrote" in told.verdict(2)


def test_the_later_of_two_stands() -> None:
    told = Told()
    told.write(1, at=1)
    told.write(2, at=3)
    assert told.verdict(2) is None
    assert "came after it" in told.verdict(1)


def test_a_timestamp_of_the_clients_own_decides() -> None:
    told = Told()
    told.write(1, at=1, timestamp=50 * SECOND)
    told.write(2, at=3)
    assert told.verdict(1) is None
    assert "came after it" in told.verdict(2)


def test_requests_at_the_same_time_may_stand_in_either_order() -> None:
    told = Told()
    told.write(1, at=1)
    told.write(2, at=1)
    assert told.verdict(1) is None and told.verdict(2) is None
    assert told.verdict(None)


def test_one_of_unknown_fate_may_be_there_or_not() -> None:
    told = Told()
    told.write(1, at=1)
    told.write(2, at=3, outcome=UNKNOWN)
    assert told.verdict(1) is None and told.verdict(2) is None
    told.write(3, at=5)
    assert told.verdict(2) is None, "it may have arrived later than anybody thinks"
    assert told.verdict(1)


def test_a_refused_one_is_nowhere() -> None:
    told = Told()
    told.write(1, at=1, outcome=FAILED)
    assert told.verdict(None) is None
    assert "was refused" in told.verdict(1)


@pytest.mark.parametrize("path", [CELL, CELL[:3], CELL[:2]])
def test_what_a_deletion_above_removes(path: tuple) -> None:
    told = Told()
    told.write(1, at=1)
    told.op(Effect(path, DELETED), at=3)
    assert told.verdict(None) is None
    assert told.verdict(1)
    told.write(2, at=5)
    assert told.verdict(2) is None
    assert told.verdict(None)


def test_a_range_of_rows() -> None:
    told = Told()
    told.write(1, at=1)
    told.op(Effect(("plain", 1), DELETED, clustering=(1, 3)), at=3)
    assert told.verdict(1) is None and told.verdict(None)
    told.op(Effect(("plain", 1), DELETED, clustering=(0, 3)), at=5)
    assert told.verdict(None) is None and told.verdict(1)


def test_a_ttl_ends() -> None:
    told = Told()
    told.write(1, at=1, ttl=5)
    assert told.verdict(1, at=2) is None and told.verdict(None, at=2)
    assert told.verdict(None, at=6) is None and told.verdict(1, at=6) is None
    assert "5 s to live" in told.verdict(1, at=20)
    assert told.verdict(None, at=20) is None


def test_of_those_who_wrote_an_element_the_one_that_ran_out_is_told() -> None:
    told = Told()
    told.write(True, at=1)
    told.write(True, at=5, ttl=10)
    assert told.verdict(True, at=8) is None
    assert told.verdict(True, at=60).endswith("had 10 s to live")


def test_an_expired_cell_does_not_let_an_older_one_through() -> None:
    told = Told()
    told.write(1, at=1)
    told.write(2, at=3, ttl=2)
    assert told.verdict(None) is None
    assert "came after it" in told.verdict(1)


def test_what_a_server_made_may_be_anything() -> None:
    told = Told()
    told.op(Effect(CELL, ANY), at=1)
    assert told.verdict("x") is None
    assert told.verdict(None)


def test_an_overwrite_does_not_excuse_its_own_loss() -> None:
    told = Told()
    told.op(Effect((*LIST, 1), 1), Effect((*LIST, 2), 2), Effect(LIST), at=1, kind="list overwrite")
    assert not wrong_list(told, LIST, [1, 2], 100 * SECOND, 100 * SECOND)
    assert wrong_list(told, LIST, [1], 100 * SECOND, 100 * SECOND)


def test_a_list_has_each_element_once_and_in_order() -> None:
    told = Told()
    for number in (1, 2, 3):
        told.op(Effect((*LIST, number), number), at=number, kind="list append")
    now = 100 * SECOND
    assert not wrong_list(told, LIST, [1, 2, 3], now, now)
    assert "twice" in wrong_list(told, LIST, [1, 2, 3, 3], now, now)[0]
    assert "appended after" in wrong_list(told, LIST, [2, 1, 3], now, now)[0]
    assert "nothing is there" in wrong_list(told, LIST, [1, 3], now, now)[0]


def test_an_index_excuses_but_never_binds() -> None:
    told = Told()
    told.op(Effect((*LIST, 1), 1), at=1, kind="list append")
    told.op(Effect(LIST, maybe=True), at=3, kind="list index")
    now = 100 * SECOND
    assert not wrong_list(told, LIST, [1], now, now) and not wrong_list(told, LIST, [], now, now)


def test_counters() -> None:
    told = Told()
    path = ("counts", 1, None, "n")
    for change, outcome in ((5, OK), (2, UNKNOWN), (-1, UNKNOWN), (100, FAILED)):
        told.op(Effect(path, change), at=1, outcome=outcome)
    assert [value for value in range(-5, 120) if told.wrong_counter(path, value) is None] == [4, 5, 6, 7]


def test_a_register() -> None:
    register = Register()
    assert register.applied(None, 1) is None
    assert register.refused(2) is None
    assert register.applied(2, 3), "2 was never there"
    register = Register()
    register.applied(None, 1)
    register.unknown(1, 2)
    assert register.wrong(1) is None and register.wrong(2) is None and register.wrong(3)
    assert register.refused(1) is None
    assert register.wrong(1) and register.wrong(2) is None
    assert register.refused(2), "nothing else can be there"
