"""Checks of exercises: right answers pass, wrong ones are told why in one line."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from minillama.errors import UserError
from minillama.teach.exercises import Wrong, call, close, diagnose, expect, passed

T = torch.tensor


@pytest.mark.parametrize("a, b, same", [
    (1, 1.00001, True), (1, 1.001, False), (0.0, 1e-5, True), (T([1.0]), [1.0], True),
    (T([1.0, 2.0]), T([[1.0, 2.0]]), False), (T([1.0]), "one", False),
    (T([1, 2]), T([1.0, 2.0]), True), (T([float("nan")]), T([float("nan")]), False),
    ([1, (2.0, 3)], (1, [2.0, 3.0]), True), ([1], [1, 2], False), ("a", "a", True),
    (float("nan"), float("nan"), False), (float("inf"), float("inf"), True),
    (np.array([1.0, 2.0]), [1.0, 2.0], True), (np.float32(0.1), 0.1, True),
    (np.array([1.0, 2.0]), np.array([1.0, 3.0]), False), (None, 0, False),
    (T(3.0), 3, True), ({"a": 1}, {"a": 1}, True), (np.array([1, 2]), 1, False)])
def test_close(a, b, same):
    assert close(a, b) is same and close(b, a) is same


@given(st.floats(-1e6, 1e6), st.floats(0, 1e-2))
@example(0.0, 0.0)
def test_close_keeps_to_its_tolerance(a, share):
    b = a * (1 + share)
    if abs(a - b) <= 0.9e-3 * abs(a):
        assert close(a, b, 1e-3) and close(T([a]).double(), T([b]).double(), 1e-3)
    elif abs(a - b) > 1.1e-3 * max(1, abs(a), abs(b)):
        assert not close(a, b, 1e-3)


def fail(error):
    def student(*_args):
        raise error
    return student


@pytest.mark.parametrize("function, says", [
    (fail(NotImplementedError("your turn")), "student is still waiting"),
    (fail(ValueError("two\n  lines")), "student stopped with ValueError: two lines"),
    (fail(AssertionError()), "stopped with AssertionError"),
    (lambda *_: None, "gave nothing back")])
def test_call_turns_trouble_into_a_line(function, says):
    with pytest.raises(Wrong) as caught:
        call(function, 1)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_call_passes_everything_through():
    assert call(lambda a, *, b: (a, b), 1, b=2) == (1, 2) and call(lambda: 0) == 0


MISTAKES = {"you forgot the root": 16.0, "upside down": 0.25}


@pytest.mark.parametrize("answer, truth, says", [
    (16.0, 4.0, "you forgot the root"), (0.25, 4.0, "upside down"),
    (5.0, 4.0, "f(4) should be 4, and yours is 5"),
    (T([16.0]), T([4.0]), "off by up to 12, and by no mistake known"),
    (T([[4.0]]), T([4.0]), "should have shape (1,), and yours has (1, 1)"),
    (4.0, T([4.0]), "should be a tensor, and yours is a float"),
    (T([float("nan")]), T([4.0]), "holds nan"),
    (torch.arange(12.0).view(3, 4), 4.0, "should be 4, and yours is tensor([[ 0."),
    ("x" * 200, "y", "yours is 'xxx"), (np.arange(3), [1, 2, 3], "yours is array([0")])
def test_diagnose_names_the_mistake(answer, truth, says):
    with pytest.raises(Wrong) as caught:
        diagnose(answer, truth, MISTAKES, "f(4)")
    said = str(caught.value)
    assert says in said
    assert "\n" not in said and len(said) < 200


def test_the_right_answer_passes_even_where_a_mistake_gives_the_same():
    assert diagnose(16.00001, 16.0, MISTAKES, "f(16)") is None


def test_a_verdict_is_one_line(capsys):
    passed("it holds")
    assert capsys.readouterr().out == "Right: it holds.\n"
    expect(True, "no")
    with pytest.raises(Wrong) as caught:
        expect(False, "not this")
    assert caught.value._render_traceback_() == ["Not yet: not this"]
    assert UserError("x")._render_traceback_() == ["UserError: x"]
