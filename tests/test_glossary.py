"""The glossary: terms that the slides explain, each where it says."""

import re
from dataclasses import replace

import pytest

from minillama.build import reference_pages as pages
from minillama.build.lint import DECIMAL
from minillama.errors import UserError
from minillama.paper import glossary

TERMS = glossary.terms()
NAMES = [one.term for one in TERMS]
STRETCHES = pages.stretches()
PLACES = {(s.notebook, s.heading): n for n, s in enumerate(STRETCHES)}


def uses_before(one: glossary.Term) -> dict[str, list[str]]:
    """Headings before a term's own slide whose words use it, by notebook."""
    found: dict[str, list[str]] = {}
    for stretch in STRETCHES[:PLACES[one.notebook, one.heading]]:
        if one.used_in(stretch.prose):
            found.setdefault(stretch.notebook, []).append(stretch.heading)
    return found


def unexplained(one: glossary.Term) -> list[str]:
    """Notebooks that use a term in earnest before its slide, without being listed.

    In passing means: in the words of at most PASSING headings of one notebook. Speaker
    notes, code, formulas, links and the line of a title that says what is treated do
    not count.
    """
    listed = {earlier.notebook for earlier in one.earlier}
    return [notebook for notebook, headings in uses_before(one).items()
            if len(headings) > glossary.PASSING and notebook not in listed]


def test_terms_are_sorted_and_their_forms_belong_to_one_term_each():
    assert NAMES == sorted(NAMES, key=str.casefold) and len(NAMES) >= 90
    forms = [form.casefold() for one in TERMS for form in {*one.forms}]
    assert len(forms) == len(set(forms))
    assert len({one.anchor for one in TERMS}) == len(TERMS)


@pytest.mark.parametrize("one", TERMS, ids=NAMES)
def test_a_meaning_is_a_sentence_or_two_of_plain_words(one):
    assert one.forms and one.text[0].isupper() and one.text.endswith(".")
    sentences = re.findall(r"[.!?](?= |$)", one.text)
    assert len(sentences) <= 2 + one.text.count("Short: ")
    assert 5 <= len(one.text.split()) <= 45
    assert not re.search(r"!|\u2014|\b(?:simply|just|obviously|note that)\b", one.text)
    assert not DECIMAL.findall(one.text), "a typed number"
    assert one.text.count("**") % 2 == 0


@pytest.mark.parametrize("one", TERMS, ids=NAMES)
def test_its_slide_explains_it(one):
    assert (one.notebook, one.heading) in PLACES, f"{one.notebook}: {one.heading}"
    stretch = STRETCHES[PLACES[one.notebook, one.heading]]
    assert one.explained_in(stretch.prose), (
        f"{one.heading!r} has neither {one.words or one.forms!r} in its words")


@pytest.mark.parametrize("one", TERMS, ids=NAMES)
def test_no_earlier_notebook_uses_it_in_earnest_unless_listed(one):
    assert unexplained(one) == []
    used = uses_before(one)
    for earlier in one.earlier:
        assert earlier.why.endswith(".")
        assert len(used.get(earlier.notebook, [])) > glossary.PASSING, "needless"
        assert used[earlier.notebook][0] == earlier.heading


def test_bold_words_are_terms_and_explain_each_other_in_no_circle():
    known = {one.term: one for one in TERMS}
    done: set[str] = set()

    def walk(name: str, above: tuple[str, ...]) -> None:
        assert name in known, f"{above[-1]} sends to {name}, which is no term"
        assert name not in above, f"a circle: {' -> '.join((*above, name))}"
        if name not in done:
            for other in known[name].links:
                walk(other, (*above, name))
            done.add(name)

    for name in NAMES:
        walk(name, ())


def test_a_term_is_words_of_their_own():
    head = replace(TERMS[0], term="head", forms=("head", "heads"))
    assert head.used_in("Two Heads.") and head.used_in("a (head)")
    assert not head.used_in("ahead of a heading, head-on")
    assert glossary.anchor("best of n") == "best-of-n"
    assert glossary.define("queries").term == "query"
    with pytest.raises(UserError, match="no 'quarry'"):
        glossary.define("quarry")


def test_the_check_notices_a_term_that_is_used_before_its_slide():
    query = glossary.define("query")
    assert unexplained(query) == [] and query.earlier
    assert unexplained(replace(query, earlier=())) == ["03_rope"]
    late = replace(glossary.define("perplexity"), forms=("token",))
    assert "02_rmsnorm" in unexplained(late)


def test_prose_is_what_a_reader_reads_in_words():
    text = ("The **best** of $n$ is $x^2$ `code`, [a link](https://x.y), "
            "{{fact:z}} https://u.v\n**Paper**: all. **On the map**: *PPO*.\nEnd.")
    assert pages.prose_of(text) == "The best of n is , , End."
