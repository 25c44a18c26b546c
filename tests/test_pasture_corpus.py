"""The corpus: its words, its kinds, its split, its grammar, its reproducibility.

The split is checked on the text itself with a word scan that knows nothing of how
documents are made.
"""

import os
import re
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama import pasture
from minillama.errors import UserError
from minillama.pasture.__main__ import main
from minillama.pasture.goals import GOALS
from minillama.pasture.grammar import a, enumeration, sentences, words
from minillama.pasture.rhymes import RHYMES
from minillama.pasture.split import (
    HELD_OUT_PAIRS, HELD_OUT_SHARE, THINGS, is_held_out, sum_key)
from minillama.pasture.world import ANIMALS, PLACES, TREATS

CLEAN = pasture.corpus(4000, seed=11, rude_fraction=0)
HELD_OUT = pasture.corpus(1500, seed=11, split="heldout", rude_fraction=0)


def entity_words() -> dict[str, str]:
    """Every word that betrays an entity, singular and plural, and the entity."""
    forms = {}
    for animal in ANIMALS:
        forms[animal.name] = forms[animal.plural] = animal.name
    for treat in TREATS:
        forms[treat.one] = forms[treat.many] = treat.many
    return forms | {name: name for name in [place.name for place in PLACES]
                    + [goal.key for goal in GOALS]}


FORMS = entity_words()


def seen(text: str) -> set[str]:
    found = re.findall(r"[a-z]+", text.lower())
    return {FORMS[word] for word in found if word in FORMS}


def added(text: str) -> set[tuple[int, int]]:
    """Pairs of numbers that a text adds, smaller first."""
    plus = re.findall(r"(\d+) \+ (\d+)", text)
    told = re.findall(r"(?:had|picked) (\d+) .*? (\d+) more", text)
    return {tuple(sorted(map(int, pair))) for pair in plus + told}


def sums_of(split: str) -> set[tuple[int, int]]:
    documents = pasture.corpus(3000, seed=5, split=split, kinds=("sum",))
    return set().union(*(added(document.text) for document in documents))


def test_at_least_600_words_and_most_of_them_frequent():
    counted = Counter(word for document in CLEAN for word in words(document.text))
    assert len(counted) >= 600
    assert sum(count >= 5 for count in counted.values()) >= 600


def test_there_are_eleven_kinds_and_all_occur_with_variety():
    assert set(pasture.KINDS) == {"story", "fact", "question", "lookup", "sum", "list",
                                  "rhyme", "dialogue", "notice", "letter", "exercise"}
    assert set(pasture.LESSONS) < set(pasture.KINDS)
    for kind in pasture.KINDS:
        found = [document.text for document in CLEAN if document.kind == kind]
        assert len(found) > 100
        assert len(set(found)) > 0.7 * len(found)


def test_training_text_never_joins_a_held_out_pair():
    for document in pasture.corpus(6000, seed=3, rude_fraction=0.1):
        names = seen(document.text)
        for animal in ANIMALS:
            if animal.name in names:
                joined = {(animal.name, name) for name in names} & HELD_OUT_PAIRS
                assert not joined, document.text


def test_held_out_text_always_joins_one():
    sums = sums_of("heldout")
    for document in HELD_OUT:
        names = seen(document.text)
        joined = any((one, other) in HELD_OUT_PAIRS for one in names for other in names)
        assert joined or added(document.text) & sums, document.text


def test_sums_of_the_two_splits_are_disjoint_and_both_numerous():
    train, held_out = sums_of("train"), sums_of("heldout")
    assert len(train) + len(held_out) == 15 * 16 / 2
    assert len(held_out) >= 6 and not train & held_out


def test_entities_are_exactly_those_of_the_text():
    for document in CLEAN + HELD_OUT:
        stated = {name for name in document.entities if " + " not in name}
        assert stated == seen(document.text), document.text


def test_the_held_out_share_is_about_one_in_ten_and_touches_every_animal():
    share = len(HELD_OUT_PAIRS) / (len(ANIMALS) * len(THINGS))
    assert abs(share - HELD_OUT_SHARE) < 0.03
    assert {pair[0] for pair in HELD_OUT_PAIRS} == {animal.name for animal in ANIMALS}


def test_entity_words_tell_entities_apart():
    stated = [animal.name for animal in ANIMALS] + list(THINGS)
    assert len(set(stated)) == len(stated) == len(set(FORMS.values()))


def test_a_stream_does_not_depend_on_its_length():
    assert pasture.corpus(20, seed=4) == pasture.corpus(60, seed=4)[:20]
    assert pasture.texts(5, seed=4) == [d.text for d in pasture.corpus(5, seed=4)]
    assert pasture.corpus(20, seed=4) != pasture.corpus(20, seed=5)
    assert pasture.corpus(0) == []


def test_the_same_text_in_every_process():
    code = ("from minillama import pasture; import hashlib; "
            "s = repr(pasture.corpus(200, seed=9)) + repr(pasture.make_tasks(50)) "
            "+ repr(pasture.make_unsafe(20)) + repr(pasture.make_borderline(20)); "
            "print(hashlib.sha256(s.encode()).hexdigest())")
    results = set()
    for hash_seed in ("0", "1", "123"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        results.add(subprocess.run([sys.executable, "-c", code], env=environment,
                                   capture_output=True, text=True, check=True).stdout)
    assert len(results) == 1


def test_rude_fraction_is_kept_and_changes_nothing_else():
    n, share = 6000, 0.05
    spoilt = pasture.corpus(n, seed=2, rude_fraction=share)
    rude = sum(document.rude for document in spoilt)
    assert abs(rude - n * share) < 4 * (n * share * (1 - share)) ** 0.5
    for document, clean in zip(spoilt, pasture.corpus(n, seed=2, rude_fraction=0)):
        assert document.rude == pasture.is_rude(document.text)
        assert not pasture.is_rude(clean.text)
        assert document.rude or document == clean
    assert all(document.rude for document in pasture.corpus(50, rude_fraction=1))


def test_articles_agree_and_spaces_are_single():
    for document in CLEAN + HELD_OUT:
        text = document.text
        assert not re.search(r"\b[Aa] [aeiou]", text), text
        assert not re.search(r"\b[Aa]n (?!hour)[^aeiou]", text), text
        assert "  " not in text and " \n" not in text and "\n\n" not in text
        assert " ." not in text and ".." not in text and "{" not in text
        assert text == text.strip()


def test_one_is_singular_and_more_is_plural():
    singular = {treat.one for treat in TREATS}
    plural = {treat.many for treat in TREATS}
    for document in CLEAN:
        for count, noun in re.findall(r"\b(\d+) ([a-z]+)", document.text):
            assert noun not in (plural if count == "1" else singular), document.text


def test_sentences_begin_with_a_capital_and_end_with_a_mark():
    for document in CLEAN:
        lines = document.text.split("\n")
        assert not re.search(r"[.!?] [a-z]", document.text), document.text
        if document.kind in ("rhyme", "letter"):  # verse and signatures have none
            continue
        for line in lines:
            if not line.startswith("Title:"):
                assert line[-1] in '.!?":', document.text
            assert line[0].isupper() or line[0].isdigit() or line[0] == '"', line


def test_sums_are_right():
    checked = 0
    for document in CLEAN:
        for one, other, result in re.findall(r"(\d+) \+ (\d+) = (\d+)", document.text):
            assert int(one) + int(other) == int(result)
            checked += 1
        told = re.search(r"(?:had|picked) (\d+) .*? (\d+) more.*(?:makes|has) (\d+)",
                         document.text, re.DOTALL)
        if told:
            one, other, result = map(int, told.groups())
            assert one + other == result, document.text
            checked += 1
    assert checked > 300


def test_order_and_counts_are_right():
    for document in CLEAN:
        if document.kind == "exercise":  # several questions; see the last test
            continue
        mixed = re.search(r"Mixed: (.*)\.\nIn order: (.*)\.$", document.text)
        if mixed:
            before, after = ([int(item) for item in part.split(", ")]
                             for part in mixed.groups())
            assert after == sorted(before)
        counted = re.search(r"That makes (\d+) animals", document.text)
        if counted:
            assert int(counted[1]) == len(seen(document.text)
                                          & {animal.name for animal in ANIMALS})


def test_knowledge_agrees_with_the_world():
    sounds = {animal.name: animal.sound for animal in ANIMALS}
    for document in CLEAN:
        for name, sound in re.findall(r"\bAn? ([a-z]+) says ([a-z]+)\.", document.text):
            assert sounds[name] == sound, document.text


def test_documents_fit_a_short_context():
    lengths = sorted(len(document.text) for document in CLEAN)
    assert 80 < lengths[len(lengths) // 2] < 280
    assert lengths[-1] < 600


@pytest.mark.parametrize("wrong", [
    {"split": "test"}, {"kinds": ("novel",)}, {"kinds": ()}, {"rude_fraction": 1.5},
    {"n_documents": -1}])
def test_wrong_settings_get_one_clear_line(wrong):
    with pytest.raises(UserError) as caught:
        pasture.corpus(**({"n_documents": 3} | wrong))
    assert "\n" not in str(caught.value)
    assert str(next(iter(wrong.values()))).strip("(),'") in str(caught.value)


def test_one_kind_may_be_given_as_a_word():
    assert {document.kind for document in pasture.corpus(5, kinds="rhyme")} == {"rhyme"}


def test_describe_and_the_command_show_every_kind(capsys):
    overview = pasture.describe()
    assert all(f"{kind} (" in overview for kind in pasture.KINDS)
    assert main([]) == 0
    assert capsys.readouterr().out.strip() == overview
    assert main(["--kind", "story", "-n", "3", "--seed", "7"]) == 0
    assert capsys.readouterr().out.count("Title:") == 3
    assert main(["--tasks", "-n", "12"]) == 0
    assert "1.00" in capsys.readouterr().out
    assert main(["--kind", "story", "-n", "-1"]) == 1
    assert "n_documents" in capsys.readouterr().err


def test_read_text_gives_paragraphs(tmp_path):
    path = tmp_path / "own.txt"
    path.write_bytes("\ufeffOne.\r\nStill one.\r\n \r\n\r\nZwei: \u00fc.\n".encode())
    assert pasture.read_text(path) == ["One.\nStill one.", "Zwei: \u00fc."]


def test_read_text_says_what_is_wrong(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("first line\nfin\u00e9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"byte 15 .* line 2, is 0xe9"):
        pasture.read_text(path)
    path.write_text(" \n\n", encoding="utf-8")
    with pytest.raises(UserError, match="no text"):
        pasture.read_text(path)
    for missing in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            pasture.read_text(missing)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80))
def test_grammar_helpers_take_any_text(text):
    assert isinstance(pasture.is_rude(text), bool)
    assert all(part == part.strip() and part for part in sentences(text))
    assert all(word == word.lower() for word in words(text) if word.isascii())


def test_articles_and_enumerations():
    assert [a("owl"), a("hen"), a("old hen")] == ["an owl", "a hen", "an old hen"]
    assert enumeration(["figs"]) == "figs"
    assert enumeration(["figs", "nuts"]) == "figs and nuts"
    assert enumeration(["figs", "nuts", "peas"]) == "figs, nuts and peas"


def test_exercises_are_answered_rightly_and_hold_out_their_sums():
    seen = Counter()
    for document in pasture.corpus(400, seed=3, rude_fraction=0, kinds=("exercise",)):
        asked = re.findall(r"Question: (.*)\nAnswer: (.*)", document.text)
        assert len(asked) in (3, 4) and document.text.count("\n") == 2 * len(asked) - 1
        for question, answer in asked:
            figures = [int(found) for found in re.findall(r"\d+", answer)]
            if "+" in question:
                one, other, result = figures
                assert one + other == result and f"{one} + {other}?" in question
                assert not is_held_out(*sum_key(one, other))
            elif "order" in question:
                assert figures == sorted(map(int, re.findall(r"\d+", question)))
            elif "How many" in question:
                animals = {a.name for a in ANIMALS} & set(words(question))
                assert figures == [len(animals)]
            else:
                word, animal = re.fullmatch(r"(.*) rhymes with (.*)\.", answer).groups()
                assert word.lower() in RHYMES[animal] and animal in question
            seen[question.split()[0] + answer.split()[0]] += 1
    assert len(seen) > 4
