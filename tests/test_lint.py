"""The rules of notebooks, each broken on purpose in a source that keeps them all."""

import pytest

from minillama.build import lint
from minillama.build.source import read

SLIDE = ' slideshow={"slide_type": "slide"}'
NOTES = (' [markdown] slideshow={"slide_type": "notes"}',
         "# Ask the question, wait for the wrong answer, one minute.")


def markdown(text: str, mark: str = "") -> tuple[str, str]:
    return f" [markdown]{mark}", "\n".join(f"# {line}" for line in text.split("\n"))


def code(text: str, *tags: str) -> tuple[str, str]:
    listed = ", ".join(f'"{tag}"' for tag in tags)
    return (f" tags=[{listed}]" if tags else ""), text


def exercise(number: int, *tags: str) -> tuple[str, str]:
    return code(f"def f{number}():\n    ### BEGIN SOLUTION\n    return 1\n"
                "    ### END SOLUTION", "exercise", *tags)


def good() -> list[tuple[str, str]]:
    """Cells that keep every rule: 1 + 12 * 3 + 1 + 3 without notes."""
    cells = [markdown("# A title says one thing", SLIDE), NOTES]
    for n in range(12):
        cells += [markdown(f"## Claim {n} is true", SLIDE), NOTES,
                  markdown("Some words about it."), code(f"a{n} = {n}\na{n} + 1")]
    cells[4] = markdown("**Predict.** What comes?", ' tags=["predict"]')
    cells[5] = code("print(1)", "result")
    cells += [markdown("## Try it", SLIDE), NOTES]
    return cells + [exercise(n, "minutes-3") for n in range(3)]


def findings(tmp_path, cells) -> list[str]:
    path = tmp_path / "00_made.py"
    path.write_text("\n\n".join(f"# %%{head}\n{body}" for head, body in cells) + "\n",
                    encoding="utf-8")
    return lint.findings(path, read(path))


def test_a_good_source_has_no_findings(tmp_path):
    assert findings(tmp_path, good()) == []
    for more in (0, 40):  # 40 and 80 cells are just allowed
        cells = good()[:8] + [markdown("More.")] * more + good()[9:]
        assert findings(tmp_path, cells) == []


def put(place: int, *cells):
    """Replace one cell of the good source by others."""
    return lambda source: source[:place] + list(cells) + source[place + 1:]


def lines(number: int) -> str:
    return "\n".join(f"x{n} = {n}" for n in range(number))


def with_code(text: str, places):
    def change(source):
        for place in places:
            source[place] = code(text)
        return source
    return change


CODES = [9 + 4 * n for n in range(11)]  # code cells that are no result
PROSE = 8  # "Some words about it."
WRONG = {  # what is wrong: the change, what is said
    "a long cell": (put(9, code(lines(19))), "made-10: 19 lines of code, 18 fit"),
    "a wide cell": (put(9, code("x = " + "1" * 76)), "made-10: 80 columns, 79 at most"),
    "a wide drawing": (put(9, code("x = " + "1" * 85, "remove-input")),
                       "89 columns, 88 at most"),
    "a long text": (put(PROSE, markdown("word " * 121)), "made-09: 121 words, 120"),
    "code long in the middle": (with_code(lines(9), CODES), "median of 9"),
    "code long at the end": (with_code(lines(16), CODES[:3]), "longer than 15 lines"),
    "too few cells": (lambda source: source[:8] + source[9:12] + source[13:],
                      "39 cells, 40 to 80"),
    "too many cells": (put(PROSE, *[markdown("More.")] * 41), "81 cells, 40 to 80"),
    "no notes": (put(7), "made-07: 0 cells of speaker notes"),
    "notes twice": (put(7, NOTES, NOTES), "made-07: 2 cells of speaker notes"),
    "no notes at the end": (put(51), "made-51: 0 cells of speaker notes"),
    "empty notes": (put(7, (NOTES[0], "# One minute.")), "made-08: notes that say"),
    "result unasked": (put(9, code("print(2)", "result")), "made-10: a result that"),
    "no prediction": (put(4, markdown("Look.")), "made-06: a result that"),
    "no result": (put(5, code("print(1)")), "no cell is tagged result"),
    "no minutes": (put(52, exercise(0)), "made-53: an exercise without minutes"),
    "no solution marks": (put(52, code("def f():\n    return 1", "exercise",
                                       "minutes-1")), "without solution marks"),
    "two exercises": (put(52, code("1")), "2 exercises, three at least"),
    "no title": (put(0, markdown("## A claim", SLIDE)), "first cell must be the title"),
    "title in code": (lambda source: [code("1"), *source], "must be the title"),
}
NUMBERS = {  # text of a cell, its tags, code that asserts: the number said to be typed
    "decimal": ("It is 3.14 here.", "", "", "3.14"),
    "percent": ("About 30 % of all.", "", "", "30 %"),
    "percent close": ("About 2.5% of all.", "", "", "2.5"),
    "one typed beside one filled": ("{{fact:context_length}} and 0.5.", "", "", "0.5"),
    "range, not asserted": ("Between 0.5 and one.", "range", "print(0.5)", "0.5"),
    "asserted, not tagged": ("Between 0.5 and one.", "", "assert x < 0.5", "0.5"),
    "asserted is another": ("Between 0.5 and one.", "range", "assert x < 10.55", "0.5"),
    "range": ("Between 0.5 and one.", "range", "assert x < 0.5", None),
    "range in percent": ("Below 30 %.", "range", "assert 100 * x < 30", None),
    "filled": ("It is {{fact:carbon_total|.1f}}.", "", "", None),
    "whole": ("It has 32 layers in 2023.", "", "", None),
    "code and maths": ("`x = 0.5`, $0.5$, $$1.5\\%$$ and so on.", "", "", None),
    "block": ("```\nx = 0.5\n```", "", "", None),
    "places": ("Section 2.3, Table 1.1, Llama 3.1, Python 3.10, arXiv 2307.09288, "
               "[a](http://x.y/1.5), https://x.y/2.5", "", "", None),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_broken_rule_is_found_and_nothing_else(tmp_path, name):
    change, says = WRONG[name]
    found = findings(tmp_path, change(good()))
    assert len(found) == 1 and says in found[0], found


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_in_prose(tmp_path, name):
    text, tag, asserting, typed = NUMBERS[name]
    cells = good()
    cells[PROSE] = markdown(text, f' tags=["{tag}"]' if tag else "")
    cells[9] = code(asserting or "1")
    found = findings(tmp_path, cells)
    expected = [] if typed is None else [
        f"made-09: the number {typed} is typed in prose"]
    assert found == expected
