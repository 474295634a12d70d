from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.pricebook import SHIPPED, read_prices
from bench.records.prices import PriceBook

MINIMAL = 'currency = "EUR"\n'
RENT = '[[rent]]\ndevice = "X*"\nprovider = "P"\nper_hour = {price}\nsource = "{source}"\ndate = "2026"\n'


def read(tmp_path: Path, text: str) -> PriceBook:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return read_prices(path)


def test_the_shipped_book_is_sound_and_names_a_source_and_a_date_for_every_price() -> None:
    book = read_prices()
    assert book.path == str(SHIPPED)
    entries = [*book.rent, *book.purchase, *book.board, *book.electricity, *book.carbon, *book.overhead]
    assert all(entry.source and entry.date for entry in entries)
    assert all("check before use" in entry.source for entry in (*book.rent, *book.purchase))
    assert book.electricity_here() is not None
    assert book.carbon_here() is not None
    assert book.overhead_here() is not None


@pytest.mark.parametrize(
    ("device", "provider"),
    [
        ("NVIDIA H100 80GB HBM3", "A"),
        ("Tesla T4", "B"),
        ("NVIDIA A100 80GB PCIe", "C"),
        ("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", "D"),
    ],
)
def test_real_names_of_devices_find_their_rent(tmp_path: Path, device: str, provider: str) -> None:
    patterns = {"A": "NVIDIA H100 80GB HBM3", "B": "*T4", "C": "nvidia a100*80GB*", "D": "Intel(R) Xeon(R)*"}
    rents = "".join(
        RENT.format(price=1, source="a").replace('"X*"', f'"{pattern}"').replace('"P"', f'"{name}"')
        for name, pattern in patterns.items()
    )
    rent = read(tmp_path, MINIMAL + rents).rent_of(device, spot=False)
    assert rent is not None
    assert rent.provider == provider


def test_the_first_entry_that_fits_counts_whatever_the_case_of_letters(tmp_path: Path) -> None:
    book = read(tmp_path, MINIMAL + RENT.format(price=1, source="a") + RENT.format(price=2, source="b"))
    rent = book.rent_of("xylophone", spot=False)
    assert rent is not None
    assert rent.per_hour == 1
    assert book.rent_of("xylophone", spot=True) is None
    assert book.rent_of("other", spot=False) is None


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("", "currency is missing"),
        ("currency = ", "is no TOML"),
        (MINIMAL + "[rents]\n", "'rents' means nothing here"),
        (MINIMAL + "rent = 3\n", "write [[rent]]"),
        (MINIMAL + "assume = 3\n", "write [assume]"),
        (MINIMAL + "[[rent]]\nper_huor = 1\n", "[[rent]] number 1 has 'per_huor'"),
        (MINIMAL + '[[rent]]\ndevice = "X"\n', "misses the field `provider`"),
        (MINIMAL + RENT.format(price="-1", source="a"), "per_hour = -1"),
        (MINIMAL + RENT.format(price="nan", source="a"), "per_hour = nan"),
        (MINIMAL + RENT.format(price='"1"', source="a"), "Expected `float`"),
        (MINIMAL + RENT.format(price="1", source=" "), "[[rent]] number 1 has no source"),
        (MINIMAL + "[assume]\nutilisation = 1.5\n", "utilisation of 1.5"),
        (MINIMAL + '[[overhead]]\nsite = "s"\npue = 0.9\nsource = "a"\ndate = "b"\n', "PUE of 0.9"),
    ],
)
def test_a_slip_of_the_pen_is_a_sentence_that_names_the_file(tmp_path: Path, text: str, trouble: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert trouble in str(caught.value)
    assert "prices.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_book_that_is_not_there_or_no_text_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_prices(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is no TOML"):
        read_prices(tmp_path / "bytes.toml")
