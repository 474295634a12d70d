from __future__ import annotations

import pytest
import torch

from bench import UnavailableError, UsageError, Variant
from suites.backends import Brief, find_backend
from suites.backends.compiled import check_compiler, inductor_compilers, reads_weights, tuning_proof, watch_tuning
from suites.data import Split
from tests.suites.models import Tiny


def test_a_compiler_that_is_not_there_is_named_with_the_fix():
    with pytest.raises(UnavailableError, match="no-such-compiler does not run") as caught:
        check_compiler(["no-such-compiler"])
    assert "apt install g++ python3-dev" in caught.value.fix


def test_a_compiler_that_fails_is_not_taken_for_one():
    with pytest.raises(UnavailableError, match="false fails: no message"):
        check_compiler(["false"])


def test_a_later_compiler_may_do_what_an_earlier_cannot(compiler):
    check_compiler(["no-such-compiler", *inductor_compilers()])


@pytest.mark.parametrize(
    ("backend", "training", "words"),
    [
        ("compile_reduce_overhead", False, "CUDA graphs, and changes nothing on a CPU"),
        ("compile_max_autotune", True, "choose backend compile for training"),
        ("compile_frozen", True, "choose backend compile for training"),
    ],
)
def test_a_mode_that_would_change_nothing_on_a_cpu_is_refused(backend, training, words):
    images = torch.zeros(1, 3, 8, 8)
    brief = Brief(Variant.of(backend=backend), training, images, Split(images, torch.zeros(1, dtype=torch.int64)))
    with pytest.raises(UsageError, match=words):
        find_backend(backend)(Tiny(), brief)


def test_whether_a_result_follows_the_weights_is_found_by_moving_them():
    model, images = Tiny(), torch.randn(2, 3, 8, 8)
    before = model.head.weight.clone()
    constant = model(images).detach()
    assert reads_weights(model, lambda: model(images).detach())
    assert not reads_weights(model, lambda: constant)
    assert torch.equal(model.head.weight, before)


def test_the_default_mode_tunes_nothing_and_max_autotune_without_constants_neither(compiler):
    model, images = Tiny().eval(), torch.randn(3, 3, 16, 16)
    tuned = watch_tuning()
    with torch.inference_mode():
        torch.compile(model, mode="max-autotune", dynamic=False)(images)
    from torch._dynamo.utils import counters

    if not counters["inductor"]["fxgraph_cache_hit"]:
        assert tuned() == "no"


@pytest.mark.usefixtures("compiler")
def test_for_triton_a_compiler_of_c_is_tried(tmp_path, monkeypatch):
    (tmp_path / "cc").write_text('#!/bin/sh\necho "$@" > "$(dirname "$0")/asked"\n')
    (tmp_path / "cc").chmod(0o755)
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    check_compiler(in_c=True)
    asked = (tmp_path / "asked").read_text()
    assert "probe.c " in asked
    assert "openmp" not in asked
    monkeypatch.delenv("CC")
    check_compiler(in_c=True)  # gcc, or clang
    with pytest.raises(UnavailableError):
        check_compiler(["false"], in_c=True)


def test_on_a_small_gpu_nothing_is_tuned_which_no_label_denies():
    assert [tuning_proof(68, tuned).honoured for tuned in ("yes", "no")] == [True, False]
    small = tuning_proof(46, "no")
    assert (small.judged, small.observed) == (False, "no: the GPU is small")
