"""What a million predictions cost."""

from __future__ import annotations

import pytest

from assay.errors import UsageError
from assay.loadgen.cost import EXAMPLE, Prices, read_prices


def test_the_example_is_a_price_file(tmp_path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(EXAMPLE)
    prices = read_prices(file)
    assert (prices.currency, prices.per_hour, prices.cores) == ("EUR", 0.096, 4)


def test_a_million_predictions() -> None:
    prices = Prices(currency="EUR", per_hour=0.36, cores=4)
    # 1,000 a second are 3.6 million an hour, which cost a quarter of 0.36 on one of four cores
    assert prices.per_million(1000, 1) == pytest.approx(0.025)
    assert prices.per_million(1000, 4) == pytest.approx(0.1)
    assert prices.per_million(1000, 8) == pytest.approx(0.1)  # the machine has no more
    assert prices.per_million(0, 1) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "per_hour = ",
        'currency = "EUR"\nper_hour = "much"\ncores = 2',
        'currency = "EUR"\nper_hour = 1.0\ncores = 0',
        'currency = "EUR"\nper_hour = -1.0\ncores = 1',
        'currency = "EUR"\nper_hour = 1.0\ncores = 1\nutilisation = 1.5',
        'currency = "EUR"\nper_hour = 1.0\ncores = 1\ndiscount = 0.5',
    ],
)
def test_what_is_no_price_file(tmp_path, text) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_prices(file)
    assert caught.value.code == "PRICES-FILE"
    assert caught.value.where == str(file)


def test_a_price_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_prices(tmp_path / "none.toml")
