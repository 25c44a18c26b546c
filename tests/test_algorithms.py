"""The boxed algorithms and the source carry the same step numbers."""

import pytest

from minillama.teach.algorithms import box, resolve, source_of, step_numbers
from minillama.teach.formal import ALGORITHMS, LLAMA_2


@pytest.mark.parametrize("name", ALGORITHMS)
def test_steps_of_box_and_source_are_the_same(name):
    algorithm = ALGORITHMS[name]
    source = "\n".join(source_of(path) for path in algorithm.objects)
    assert step_numbers(source) == {number for number, _ in algorithm.steps}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_shown_source_is_short_and_has_no_docstring(name):
    for path in ALGORITHMS[name].objects:
        source = source_of(path)
        assert '"""' not in source
        assert f"def {resolve(path).__name__}(" in source


def test_step_numbers_reads_ranges_and_ignores_code():
    source = "x = 1  # step 2: this\n# steps 4 to 6\n# steps 8 and 9\nstep = 7\n"
    assert step_numbers(source) == {2, 4, 5, 6, 8, 9}


def test_a_missing_step_is_noticed():
    algorithm = ALGORITHMS["rms_norm"]
    source = source_of(algorithm.objects[0]).replace("# step 3", "#")
    assert step_numbers(source) != {number for number, _ in algorithm.steps}


def test_box_escapes_everything_but_maths():
    html = box(ALGORITHMS["swiglu"])
    assert "<script" not in html and html.count("<li") == 3


def test_whole_of_llama2_is_made_of_known_algorithms():
    assert set(LLAMA_2) <= set(ALGORITHMS)
