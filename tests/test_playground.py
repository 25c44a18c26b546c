"""Answers side by side: what they are worth, and whatever people may type."""

import io
import os
import select
import subprocess
import sys
import textwrap
import types
from dataclasses import replace
from html.parser import HTMLParser

import ipywidgets
import pytest
import torch
from models import loud, one_line

from minillama import stages
from minillama.alignment.chat import TAGS, encode_prompt
from minillama.alignment.chat import question as ask
from minillama.alignment.playground import (
    Contestant, Playground, Reply, assemble, log_likelihood, reply_all, visible)
from minillama.alignment.reward import RewardModel, score
from minillama.build import chat, cli
from minillama.build.paths import ROOT
from minillama.config import LlamaConfig
from minillama.errors import UserError
from minillama.generation import generate
from minillama.pasture import texts
from minillama.teach import playground as taught
from minillama.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(texts(100), 400)
CONFIG = LlamaConfig(400, 24, 2, 4, n_kv_heads=2, ffn_dim=50, max_seq_len=200)
QUESTION = "Where does an owl live?"
NASTY = "</td><script>alert(1)</script> <b>& \" ' $x$ \\(y\\)"


def judge(seed: int) -> RewardModel:
    """A reward model whose head says something."""
    reward = RewardModel(loud(CONFIG, seed), TOKENIZER).eval()
    with torch.no_grad():
        reward.backbone.output.weight.normal_(
            generator=torch.Generator().manual_seed(seed))
    return reward


BASE, SFT, V5 = (loud(CONFIG, seed) for seed in (1, 2, 3))
PANEL = Playground((Contestant("base", BASE, chat=False), Contestant("SFT", SFT),
                    Contestant("RLHF-V5", V5)), SFT, TOKENIZER, judge(4), judge(5))


def replies(question: str = QUESTION, panel: Playground = PANEL, **settings):
    return panel.ask(question, **{"max_new_tokens": 12, "temperature": 1.0, **settings})


# What a reply holds --------------------------------------------------------------

@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.3])
def test_the_reference_has_no_distance_from_itself(temperature):
    for seed in range(5):
        base, sft, v5 = replies(temperature=temperature, seed=seed)
        assert sft.kl == 0.0 and v5.kl != 0.0
        assert (base.kl != 0.0) == bool(base.tokens)


def test_a_contestant_of_the_same_weights_is_no_distance_away_either():
    twin = loud(CONFIG, 2)
    both = (Contestant("one", SFT), Contestant("two", twin))
    panel = replace(PANEL, contestants=both)
    one, two = replies(panel=panel)
    assert one.kl == two.kl == 0.0
    assert replace(one, name="") == replace(two, name="")


@pytest.mark.parametrize("system", [None, "You are an owl."])
def test_kl_is_the_sum_of_log_ratios_token_by_token(system):
    base, _, v5 = replies(system=system)
    given = encode_prompt(TOKENIZER, ask(QUESTION, system))
    own = TOKENIZER.encode(("" if system is None else f"{system}\n")
                           + f"Question: {QUESTION}\nAnswer:", bos=True)
    for reply, policy, form in ((base, BASE, own), (v5, V5, given)):
        ids = [TOKENIZER.pieces.index(piece) for piece in reply.tokens]
        total = 0.0
        for place, id in enumerate(ids):
            here, there = (
                model(torch.tensor([asked + ids[:place]]))[0, -1].log_softmax(0)
                for model, asked in ((policy, form), (SFT, given)))
            total += (here[id] - there[id]).item()
        assert ids and reply.kl == pytest.approx(total, abs=1e-4)


def test_its_mean_is_the_kl_divergence():
    """Over answers of one token the divergence is a sum over the vocabulary."""
    given = encode_prompt(TOKENIZER, ask(QUESTION))
    mine, theirs = (model(torch.tensor([given]))[0, -1].double().log_softmax(0)
                    for model in (V5, SFT))
    exact = (mine.exp() * (mine - theirs)).sum().item()
    panel = replace(PANEL, contestants=(Contestant("V5", V5),))
    seen = torch.tensor([replies(panel=panel, seed=seed, max_new_tokens=1)[0].kl
                         for seed in range(400)])
    error = seen.std().item() / len(seen) ** 0.5
    assert abs(seen.mean().item() - exact) < 4 * error and error < 0.3 * exact


def test_rewards_are_those_of_the_reward_models():
    for reply in replies():
        for own, model in ((reply.helpfulness, PANEL.helpfulness),
                           (reply.safety, PANEL.safety)):
            assert own == score(model, TOKENIZER, [QUESTION], [reply.text]).item()
        assert reply.helpfulness != reply.safety


def test_chat_answers_are_those_of_generate():
    _, sft, v5 = replies(temperature=0.0)
    for reply, model in ((sft, SFT), (v5, V5)):
        given = encode_prompt(TOKENIZER, ask(QUESTION))
        ids = generate(model, [given], 12, 0.0, eos_id=TOKENIZER.eos_id)[0]
        assert reply.tokens == tuple(TOKENIZER.pieces[id] for id in ids)
        assert reply.text == TOKENIZER.decode(ids).strip()
        assert reply.ended == (ids[-1] == TOKENIZER.eos_id)


def parrot(after: list[int]) -> torch.nn.Module:
    """A model that writes these tokens, whatever was asked, then the first forever."""
    class Parrot(type(SFT)):
        def forward(self, tokens, cache=None):
            self.said = 0 if tokens.shape[1] > 1 else self.said + 1
            if cache is not None:
                cache.lengths = cache.lengths + tokens.shape[1]
            wanted = after[self.said] if self.said < len(after) else after[0]
            logits = torch.full((1, tokens.shape[1], 400), -9.0)
            logits[..., wanted] = 9.0
            return logits
    return Parrot(CONFIG).eval()


@pytest.mark.parametrize("written, text, ended", [
    ("A loft.\nQuestion: And a cow?", "A loft.", True),
    ("A loft.</s>", "A loft.", True),
    ("A loft.<s>", "A loft.", True), ("A loft. A loft.", "A loft. A loft.", False),
    ("\nA loft.", "", True)])
def test_the_base_ends_with_the_line_and_chat_with_its_mark(written, text, ended):
    marks = {"</s>": [TOKENIZER.eos_id], "<s>": [TOKENIZER.bos_id]}
    end = next((mark for mark in marks if written.endswith(mark)), "")
    ids = TOKENIZER.encode(written.removesuffix(end)) + marks.get(end, [])
    panel = replace(PANEL, contestants=(Contestant("base", parrot(ids), chat=False),
                                        Contestant("chat", parrot(ids))))
    base, talker = replies(panel=panel, temperature=0.0, max_new_tokens=len(ids))
    assert (base.text, base.ended) == (text, ended)
    assert "</s>" not in base.tokens and base.kl == base.kl
    assert talker.ended == (end == "</s>") and len(talker.tokens) == len(ids)
    if not text:
        assert base.tokens[-1:] in ((), ("▁",)) and abs(base.kl) < 100


def test_everyone_draws_with_the_seed_given():
    assert replies(seed=3) == replies(seed=3) != replies(seed=4)
    assert replies(temperature=0.0, seed=3) == replies(temperature=0.0, seed=4)


def test_spaces_around_a_question_change_nothing():
    assert replies(f"  {QUESTION}\n") == replies()


def test_an_answer_that_judges_cannot_read_has_no_score():
    short = RewardModel(loud(CONFIG.replace(max_seq_len=30)), TOKENIZER).eval()
    rows = replies(panel=replace(PANEL, safety=short), max_new_tokens=40)
    assert all(row.safety is None and row.helpfulness is not None for row in rows)


def test_stages_become_a_playground():
    panel = assemble(*(RESULTS[name] for name in ("base", "sft")), RESULTS["rlhf"][0])
    assert [c.name for c in panel.contestants] == ["base", "SFT", "RLHF-V5"]
    assert [c.chat for c in panel.contestants] == [False, True, True]
    assert panel == PANEL


# What cannot be asked -------------------------------------------------------------

@pytest.mark.parametrize("question, fragment", [
    ("", "empty"), (" \n\t", "empty"), (None, "empty"), ("owl " * 60, "too long"),
    ("x" * 5_000_000, "too long"), ("a\udcffb", "no UTF-8"),
    *((f"Hi {tag} there", tag) for tag in TAGS)])
def test_a_bad_question_is_one_line(question, fragment):
    with pytest.raises(UserError) as caught:
        replies(question)
    one_line(caught.value, fragment)
    with pytest.raises(UserError) as caught:
        replies(system=question) if question is not None else replies(question)
    one_line(caught.value, fragment)


@pytest.mark.parametrize("settings, fragment", [
    ({"temperature": -0.1}, "-0.1"), ({"temperature": float("nan")}, "nan"),
    ({"temperature": float("inf")}, "inf"), ({"max_new_tokens": 0}, "0 tokens"),
    ({"max_new_tokens": 200}, "too long")])
def test_a_bad_setting_is_one_line(settings, fragment):
    with pytest.raises(UserError) as caught:
        replies(**settings)
    one_line(caught.value, fragment)


def test_the_longest_question_that_fits_is_answered():
    for words in range(1, 60):
        form = encode_prompt(TOKENIZER, ask("owl " * words))
        if len(form) + 100 > 200:
            break
        last = words
    assert len(replies("owl " * last, max_new_tokens=100)) == 3
    with pytest.raises(UserError, match="too long: 200 tokens .* 100 are kept"):
        replies("owl " * (last + 1), max_new_tokens=100)


def test_models_of_another_vocabulary_are_refused():
    stranger = loud(CONFIG.replace(vocab_size=401))
    for panel in (replace(PANEL, reference=stranger),
                  replace(PANEL, contestants=(Contestant("x", stranger),)),
                  replace(PANEL, safety=RewardModel(stranger)),
                  replace(PANEL, contestants=())):
        with pytest.raises(UserError) as caught:
            replies(panel=panel)
        one_line(caught.value)


def test_any_character_may_be_asked_about():
    for question in ("Où?", "\x00\x1b[2J", "🦉" * 9, "a\nb", "</s><s>", "\u202eowl"):
        assert len(replies(question, max_new_tokens=3)) == 3


def test_what_does_not_print_becomes_a_sign():
    assert visible("a\x1b[2J\x00\r\n\u202eé▁🦉") == "a␛[2J␀␍\n\ufffdé▁🦉"


# In a notebook --------------------------------------------------------------------

class Page(HTMLParser):
    """Elements and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)

    def handle_data(self, data):
        self.text += data


def test_an_exchange_is_a_table_of_all_answers():
    page = Page(taught.exchange(QUESTION, PANEL, 1.0, max_new_tokens=8).data)
    rows = replies(max_new_tokens=8)
    assert page.elements.count("tr") == 5 and page.elements.count("table") == 1
    for row in rows:
        assert f"{row.helpfulness:.2f}" in page.text and visible(row.text) in page.text
        assert " ".join(visible(piece) for piece in row.tokens) in page.text
    without = Page(taught.exchange(QUESTION, PANEL, pieces=False, temperature=1.0,
                                   max_new_tokens=8).data)
    assert len(without.text) < len(page.text)


def test_everything_in_an_exchange_is_escaped():
    reply = Reply(NASTY, NASTY + "\x1b", (NASTY, "</s>"), None, -0.001, 1.5, False)
    page = Page(taught.replies_html(NASTY, [reply], NASTY))
    assert set(page.elements) <= {"table", "caption", "b", "thead", "tr", "th", "tbody",
                                  "td", "div", "span", "tfoot", "sub"}
    assert page.text.count(NASTY) == 5 and "␛" in page.text
    assert "-0.00" not in page.text and "cut off" in page.text
    raw = taught.replies_html(NASTY, [reply])
    assert raw.count("$") == raw.count("<span>$</span>") > 0  # no formula is begun


def test_an_exchange_refuses_what_cannot_be_asked():
    with pytest.raises(UserError, match="empty"):
        taught.exchange(" ", PANEL)


def test_without_a_kernel_there_is_one_line(capsys):
    taught.playground(PANEL)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "course.py chat" in said


@pytest.fixture
def kernel(monkeypatch):
    """Pretend that a kernel runs; returns what is displayed."""
    shown = []
    monkeypatch.setattr(taught, "get_ipython",
                        lambda: types.SimpleNamespace(kernel=object()))
    monkeypatch.setattr(taught, "display", shown.append)
    return shown


def test_without_widgets_there_is_one_line(kernel, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    taught.playground(PANEL)
    assert kernel == [] and capsys.readouterr().out.count("\n") == 1


def test_the_button_asks_and_says_what_is_wrong(kernel):
    taught.playground(PANEL, max_new_tokens=8)
    text, slider, button, answers = kernel[0].children
    text.value, slider.value = QUESTION, 1.0
    button.click()
    first = answers.value
    assert first == taught.exchange(QUESTION, PANEL, 1.0, 0, 8).data
    button.click()
    assert answers.value != first and not button.disabled
    text.value = "<i>[INST]"
    button.click()
    assert "holds [INST]" in answers.value and "<table" not in answers.value
    assert isinstance(answers, ipywidgets.HTML) and not button.disabled


def test_the_notebook_takes_the_models_from_the_stages(monkeypatch):
    monkeypatch.setattr(stages, "get", RESULTS.__getitem__)
    assert taught.from_stages() == PANEL
    assert "RLHF-V5" in taught.exchange(QUESTION, max_new_tokens=3).data


# In a terminal --------------------------------------------------------------------

RESULTS = {
    "base": types.SimpleNamespace(model=BASE, tokenizer=TOKENIZER),
    "sft": types.SimpleNamespace(model=SFT, tokenizer=TOKENIZER),
    "rlhf": [types.SimpleNamespace(policies={"SFT": SFT, "V5": V5}, safety=PANEL.safety,
                                   helpfulness=PANEL.helpfulness)]}


def piped(monkeypatch, capsys, content: bytes, *names: str) -> str:
    """What a session says when this comes through a pipe."""
    monkeypatch.setattr(stages, "get", RESULTS.__getitem__)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), "ascii"))
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    monkeypatch.setattr(sys, "stdout", out)
    assert chat.main(names) == 0
    return out.buffer.getvalue().decode("utf-8")


def test_a_pipe_gets_an_answer_to_every_line(monkeypatch, capsys):
    said = piped(monkeypatch, capsys, b"Where is it?\r\nWho?\n")
    assert said.count("\n> W") == 2 and said.count("\nRLHF-V5 ") == 4
    wanted = PANEL.ask("Where is it?")
    assert all(f"{row.helpfulness:8.2f}{row.safety:8.2f}" in said for row in wanted)
    assert "Question: ... Answer:" in " ".join(said.split())


@pytest.mark.parametrize("content, answered", [
    (b"", 0), (b"\n", 0), (b"quit\nWho?\n", 0), (b"Who?\n\nWho?\n", 1),
    (b"Who?", 1), (b"\xef\xbb\xbfquit\n", 0), (b"Who?\n  quit  \nWho?\n", 1)])
def test_a_session_ends_where_it_should(monkeypatch, capsys, content, answered):
    assert piped(monkeypatch, capsys, content).count("> Who?") == answered


@pytest.mark.parametrize("line, says", [
    (b"owl\xff\xfe", "no UTF-8"), (b"hi [INST] there", "holds [INST]"),
    (b"x" * 3_000_000, "too long"), (b"owl " * 30_000, "too long")])
def test_a_bad_line_is_said_and_the_next_one_answered(monkeypatch, capsys, line, says):
    said = piped(monkeypatch, capsys, line + b"\nWho?\n")
    assert says in said and "> Who?" in said and said.count("\nSFT ") == 2
    assert len(said) < 6000


def test_strange_bytes_reach_no_terminal(monkeypatch, capsys):
    said = piped(monkeypatch, capsys, b"\x1b[2J\x07\x00owl?\n", "1.3")
    assert all(c == "\n" or c.isprintable() or c == "\ufffd" for c in said)


def test_the_table_is_narrow(monkeypatch, capsys):
    for columns, most in ((20, 46), (60, 59), (200, 88)):
        monkeypatch.setenv("COLUMNS", str(columns))
        said = piped(monkeypatch, capsys, b"Who is it?\n", "1")
        assert max(map(len, said.splitlines())) <= most


@pytest.mark.parametrize("names", [["warm"], ["-1"], ["nan"], ["1", "2"], ["inf"]])
def test_a_bad_temperature_is_one_line(names, capsys, monkeypatch):
    monkeypatch.setattr(stages, "get", lambda name: pytest.fail("training began"))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["chat", *names])
    assert "no temperature" in stopped.value.code and "\n" not in stopped.value.code


def test_a_report_without_words_or_score():
    reply = Reply("base", "", (), None, 1.0, -0.001, False)
    said = chat.report([reply], 40)
    assert "(nothing)" in said and " -    1.00    0.00       0  cut" in said


def test_without_input_there_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UserError, match="no input"):
        chat.main()


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, EOFError])
def test_ctrl_c_and_the_end_of_input_are_polite(monkeypatch, capsys, trouble):
    said = iter([QUESTION])

    def typed(prompt):
        for line in said:
            return line
        raise trouble

    monkeypatch.setattr(stages, "get", RESULTS.__getitem__)
    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(
        isatty=lambda: True, reconfigure=lambda **_: None))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert chat.main() == 0
    sys.stdout.flush()
    text = sys.stdout.buffer.getvalue().decode("ascii")
    assert text.count("\nSFT ") == 2 and "Each line is a question" in text
    assert ("goodbye" in text) == (trouble is KeyboardInterrupt)


# The command in a process of its own, with the models of this file
SESSION = textwrap.dedent("""
    import sys
    sys.path.insert(0, "tests")
    import test_playground as t
    t.stages.get = t.RESULTS.__getitem__
    sys.modules["ipywidgets"] = None
    t.cli.main(["chat"])
""")


def session(**settings) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", SESSION], cwd=ROOT,
                            stderr=subprocess.PIPE, **settings)


def test_a_reader_that_leaves_gets_no_traceback():
    process = session(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.close()
    _, errors = process.communicate(b"Who?\n" * 5)
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.skipif(os.name == "nt", reason="terminals are of another kind there")
def test_a_real_terminal_takes_a_line_strange_bytes_and_ctrl_c():
    import fcntl
    import pty
    import termios
    keyboard, terminal = pty.openpty()
    process = session(stdin=terminal, stdout=terminal, start_new_session=True,
                      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(terminal)
    try:
        assert "Each line is a question" in until(keyboard, "> ")
        os.write(keyboard, b"Who?\n")
        assert until(keyboard, "\r\n> ").count("\r\nSFT ") == 2
        os.write(keyboard, b"owl\xff\n")
        assert "no UTF-8" in until(keyboard, "\r\n> ")
        os.write(keyboard, b"\x03")
        # one that comes while readline is still preparing is seen with the next key
        until(keyboard, "goodbye", again=b"\x03")
        assert process.wait(30) == 0 and process.stderr.read() == b""
    finally:
        process.kill()
        os.close(keyboard)


def until(keyboard: int, mark: str, again: bytes = b"") -> str:
    """What the terminal shows up to a mark; ``again`` is typed in long silences."""
    said, silences = "", 0
    while mark not in said:
        if select.select([keyboard], [], [], 10)[0]:
            said += os.read(keyboard, 4096).decode("utf-8", "replace")
            continue
        silences += 1
        assert silences < 9, said
        os.write(keyboard, again)
    return said


def test_likelihood_of_nothing_is_one():
    assert log_likelihood(SFT, [1, 5], []) == 0.0
    assert reply_all(QUESTION, PANEL.contestants, SFT, TOKENIZER, PANEL.helpfulness,
                     PANEL.safety, max_new_tokens=4) == PANEL.ask(
                         QUESTION, max_new_tokens=4)
