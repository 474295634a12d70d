from __future__ import annotations

import pytest
import torch

from suites import train
from suites.classifier import new_classifier

QUICK = ["--data", "synthetic:3x8x8", "--input", "3x8x8", "--epochs", "2", "--batch", "256"]
TINY = ["--model", "tests.suites.models:Tiny"]


def test_the_recipe_is_told_epoch_by_epoch_and_its_weights_are_saved(tmp_path, capsys):
    out = tmp_path / "new folder" / "tiny.pt"
    assert train.main([*QUICK, *TINY, "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "epoch 1 of 2   loss " in told
    assert "epoch 2 of 2   loss " in told
    assert "accuracy on 256 held-out images: " in told
    assert "predicted " in told
    model = new_classifier("tests.suites.models:Tiny", 10, seed=1)
    model.load_state_dict(torch.load(out, weights_only=True))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], "epochs must be at least 1, not 0"),
        (["--epochs", "many"], "argument --epochs: invalid int value: 'many'; see --help"),
        (["--data", "cifar"], "there is no data set 'cifar'; choose one of digits"),
        (["--model", "nowhere_at_all:make", "--out", "OUT"], "cannot be imported"),
        (QUICK, "say with --out FILE where to save this one"),
        (["--out", "FOLDER"], "is a folder; give a file"),
    ],
)
def test_a_mistake_ends_in_one_line_and_status_2_before_any_training(arguments, words, tmp_path, capsys):
    places = {"OUT": str(tmp_path / "weights.pt"), "FOLDER": str(tmp_path)}
    try:
        status = train.main([places.get(argument, argument) for argument in arguments])
    except SystemExit as ended:
        status = ended.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.err.count("\n") == 1
    assert words in captured.err
    assert "epoch" not in captured.out
