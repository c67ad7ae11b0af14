"""What every ledger must do."""

# ruff: noqa: S101 -- a contract suite asserts

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from assay.kernel.ledger import Ledger, verify_chain
from assay.records.event import GENESIS, Draft, event_digest

_HOSTILE: dict[str, Any] = {
    "nested": {"list": [1, 2.5, None, True, "<script>"], "empty": {}},
    "text": "naïve 表 \u202e '; DROP TABLE events; --\n\x00",
    "large": 2**63,
    "small": 5e-324,
}


def draft(subject: str = "thing", **data: object) -> Draft:
    """Return a draft to append."""
    return Draft(kind="test.noted", subject=subject, actor="tester", data=data)


class LedgerContract:
    """Checks of `kernel.ledger.Ledger`; give the fixture `ledger`, an empty one."""

    @pytest.fixture
    def ledger(self) -> Ledger:
        """Return an empty ledger."""
        raise NotImplementedError("override the fixture `ledger`")

    def test_starts_empty(self, ledger: Ledger) -> None:
        """An empty ledger reads as nothing."""
        assert list(ledger.read()) == []
        assert list(ledger.read(5)) == []

    def test_numbers_and_links_events(self, ledger: Ledger) -> None:
        """Numbers count from 0, and each event names the digest of the one before it."""
        events = [ledger.append(draft(str(i))) for i in range(5)]
        assert [event.seq for event in events] == [0, 1, 2, 3, 4]
        assert [event.previous for event in events] == [GENESIS, *(e.digest for e in events[:-1])]
        assert all(event.digest == event_digest(event) for event in events)
        assert verify_chain(ledger.read()) == 5

    def test_reads_from_any_number(self, ledger: Ledger) -> None:
        """`read(n)` starts at event n, and past the end there is nothing."""
        events = [ledger.append(draft(str(i))) for i in range(4)]
        for start in range(6):
            assert list(ledger.read(start)) == events[start:]

    def test_keeps_every_field(self, ledger: Ledger) -> None:
        """What was drafted is what is read, with text and numbers of any kind."""
        sent = Draft(
            kind="choice.made",
            subject="metric.primary",
            actor="Zoë <z@example.org>",
            agency="user",
            data=_HOSTILE,
            parents=("a" * 64, "b" * 64),
        )
        returned = ledger.append(sent)
        (event,) = ledger.read()
        assert event == returned
        names = ("kind", "subject", "actor", "agency", "data", "parents")
        assert {n: getattr(event, n) for n in names} == {n: getattr(sent, n) for n in names}

    def test_what_json_changes_stays_whole(self, ledger: Ledger) -> None:
        """Tuples and NaN become lists and null before they are digested, so the chain holds."""
        event = ledger.append(draft(pair=(1, 2), nothing=float("nan")))
        assert event.data == {"pair": [1, 2], "nothing": None}
        assert list(ledger.read()) == [event]
        assert verify_chain(ledger.read()) == 1

    def test_time_is_utc_and_rises(self, ledger: Ledger) -> None:
        """Times are ISO 8601 in UTC with microseconds, each later than the one before."""
        times = [ledger.append(draft()).at for _ in range(20)]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", t) for t in times)
        assert all(datetime.fromisoformat(t).utcoffset() == timedelta(0) for t in times)
        assert times == sorted(set(times))

    def test_is_not_changed_through_references(self, ledger: Ledger) -> None:
        """Changing the data of a draft or event in hand changes nothing in the ledger."""
        data: dict[str, Any] = {"list": [1]}
        ledger.append(draft(**data))
        data["list"].append(2)
        next(iter(ledger.read())).data["list"].append(3)
        assert next(iter(ledger.read())).data == {"list": [1]}
        assert verify_chain(ledger.read()) == 1

    def test_reader_may_append(self, ledger: Ledger) -> None:
        """A reader in the middle of the events holds up no writer."""
        for i in range(3):
            ledger.append(draft(str(i)))
        reader = ledger.read()
        assert next(reader).subject == "0"
        ledger.append(draft("3"))
        assert [event.subject for event in reader][:2] == ["1", "2"]
        assert verify_chain(ledger.read()) == 4

    def test_threads_append_at_once(self, ledger: Ledger) -> None:
        """Many threads lose no event and break no link."""
        with ThreadPoolExecutor(8) as pool:
            sent = list(pool.map(lambda i: ledger.append(draft(str(i))), range(80)))
        assert verify_chain(ledger.read()) == 80
        assert sorted(sent, key=lambda event: event.seq) == list(ledger.read())
        assert {event.subject for event in sent} == {str(i) for i in range(80)}
