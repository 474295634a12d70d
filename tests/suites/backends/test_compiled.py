from __future__ import annotations

import pytest

from bench import UnavailableError
from suites.backends.compiled import check_compiler, inductor_compilers


def test_a_compiler_that_is_not_there_is_named_with_the_fix():
    with pytest.raises(UnavailableError, match="no-such-compiler does not run") as caught:
        check_compiler(["no-such-compiler"])
    assert "apt install g++ python3-dev" in caught.value.fix


def test_a_compiler_that_fails_is_not_taken_for_one():
    with pytest.raises(UnavailableError, match="false fails: no message"):
        check_compiler(["false"])


def test_a_later_compiler_may_do_what_an_earlier_cannot(compiler):
    check_compiler(["no-such-compiler", *inductor_compilers()])
