"""Clients in threads, each on a keep-alive connection, and what became of every request."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shop import ROWS, Client, Shop

from assay.lifecycle.predict import load

Key = tuple[str, int]


def batch_answers(shop: Shop, *references: str) -> dict[Key, Any]:
    """Return what each version says of each of ROWS when it is asked in a batch, by Python."""
    found: dict[Key, Any] = {}
    for reference in references:
        for place, row in enumerate(load(reference, store=shop.store).predict(ROWS)):
            chances = {
                name.removeprefix("probability_"): value
                for name, value in row.items()
                if name.startswith("probability_")
            }
            found[reference, place] = {"label": row["prediction"], "probabilities": chances}
    return found


@dataclass
class Asked:
    """One request: which row, when sent and done, the version that answered, or the error."""

    place: int
    sent: float
    done: float = 0.0
    model: str = ""
    request: str = ""
    answer: Any = None
    error: str = ""


@dataclass
class Traffic:
    """Requests that go on until `stop`; a connection that breaks is opened again."""

    url: str
    clients: int = 4
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Traffic:
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.error]

    def wrong(self, expected: dict[Key, Any]) -> list[Asked]:
        """Return the answers that are not what their version says of their row in a batch."""
        return [
            asked
            for asked in self.asked
            if not asked.error and asked.answer != expected.get((asked.model, asked.place))
        ]

    def wait(self, enough: Callable[[list[Asked]], bool], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not enough(list(self.asked)):
            assert time.monotonic() < end, f"{len(self.asked)} requests, {len(self.failed)} failed"
            time.sleep(0.005)

    def _run(self, number: int) -> None:
        client, place = Client(self.url), number
        while not self._stopped.is_set():
            place = (place + self.clients) % len(ROWS)
            asked = Asked(place, time.monotonic())
            try:
                answer = client.post("/predict", ROWS[place])
                if answer.status == 200:
                    asked.model, [asked.answer] = answer.json["model"], answer.json["predictions"]
                    asked.request = answer.json["request"]
                else:
                    asked.error = f"{answer.status} {answer.body!r}"
            except (OSError, http.client.HTTPException) as error:
                asked.error = f"{type(error).__name__}: {error}"
                client.close()
            asked.done = time.monotonic()
            self.asked.append(asked)
            if asked.error:
                time.sleep(0.01)
        client.close()
