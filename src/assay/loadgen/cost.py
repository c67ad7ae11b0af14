"""What a million predictions cost, from a price file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from assay.errors import UsageError

EXAMPLE = """\
currency = "EUR"
per_hour = 0.096      # the whole machine
cores = 4             # that it has
utilisation = 0.5     # of the capacity that is used, over day and night
"""


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a machine costs: its price an hour for all its cores, and how much of it is used."""

    currency: str
    per_hour: float
    cores: int
    utilisation: float = 0.5

    def __post_init__(self) -> None:
        if self.per_hour < 0 or self.cores < 1 or not 0 < self.utilisation <= 1:
            raise ValueError("per_hour is at least 0, cores at least 1, utilisation over 0 up to 1")

    def per_million(self, rate: float, cores: int) -> float | None:
        """Return the cost of a million predictions; None where nothing was answered.

        `rate` is the mean of predictions a second over the hours that are paid for, on so many
        `cores` of the machine.
        """
        if rate <= 0:
            return None
        return self.per_hour * min(cores / self.cores, 1.0) / (rate * 3600) * 1e6


def read_prices(file: Path) -> Prices:
    """Read a price file; raises UsageError PRICES-FILE that says what one looks like."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Prices)
    except (OSError, ValueError) as error:  # TOML's, msgspec's and ours are ValueErrors
        raise UsageError(
            "PRICES-FILE",
            f"this is not a price file: {error}",
            where=str(file),
            allowed=EXAMPLE.splitlines(),
            hint="write the four lines above with your provider's price",
        ) from error
