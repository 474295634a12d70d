"""Axis values from the command line and the project file."""

import pytest

from bench import UsageError
from bench.axes import parse_axes


def parsed(*texts: str) -> dict[str, tuple[object, ...]]:
    return dict(parse_axes(("--bench-axis", text) for text in texts))


def test_values_have_the_type_of_their_axis() -> None:
    assert parsed("precision=fp32,amp_bf16", "batch=1, 32", "onednn=off,ON,no", "device=cpu,cuda:1") == {
        "precision": ("fp32", "amp_bf16"),
        "batch": (1, 32),
        "onednn": (False, True),
        "device": ("cpu", "cuda:1"),
    }


def test_an_axis_given_twice_has_the_values_of_both_in_order() -> None:
    assert parsed("batch=8,1", "threads=1", "batch=1,256") == {"batch": (8, 1, 256), "threads": (1,)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("batch", "give NAME=VALUE,VALUE, like batch=1,32"),
        ("bach=1", "there is no axis 'bach'; choose one of device, precision, batch"),
        ("batch=0", "batch cannot be '0'; give whole numbers from 1"),
        ("batch=1,,2", "batch cannot be ''; give whole numbers from 1"),
        ("threads=-1", "threads cannot be '-1'; give whole numbers from 0"),
        ("onednn=maybe", "onednn cannot be 'maybe'; give on or off"),
        ("device=gpu", "there is no device 'gpu'; give cpu, cuda:0"),
        ("precision=fp 16", "use letters, digits"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parsed(text)
