# %% [markdown] slideshow={"slide_type": "slide"}
# # A score is a measurement, and measurements have errors
#
# Tables of benchmarks look like facts. Behind each number stand a prompt, a rule, a set of questions, and a hope that the model had never seen them. Here we build the instruments and measure their errors.
#
# **Paper**: sections 2.3, 3.4 and appendix A.6, Tables 3, 4, 20 to 25 and 51. **Minutes**: 90. **On the map**: looking around, after the models are made.
#
# Afterwards you can score multiple choice, put an interval on a win rate, say how many comparisons a claim needs, look for a leaked test, and read the paper's tables with all that in mind.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask who has chosen a model by a leaderboard. Then ask how many questions stood behind the number, and how large a difference would have been chance. Nobody knows, and that is the reason for this notebook.
#
# Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
import tempfile
from math import sqrt
from pathlib import Path

import torch
import transformers

from minillama import paper, stages
from minillama.checkpoint import save_pretrained
from minillama.evaluation import contamination, wins
from minillama.evaluation.multiple_choice import (
    LAYOUTS, back, make_uneven, placed, rotated, score, write_prompt)
from minillama.evaluation.safety import wilson
from minillama.stages_evaluation import LEAK, SEEDS
from minillama.teach import algorithm, frames, holds, show, table
from minillama.teach.checks import nb_14 as checks
from minillama.teach.drawings import nb_14 as drawings
from minillama.training.evaluation import LETTERS, RULES, VALUES, make_choices
from minillama.training.intervals import interval, paired_difference

transformers.utils.logging.disable_progress_bar()

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
base, chat = stages.get("base"), stages.get("sft")
model, tokenizer = base.model.eval(), base.tokenizer
asked = make_choices(240, 14, "heldout")
few, leaks = asked[:100], stages.get("contamination")


def rate(correct):  # the share of right answers with its interval
    return sum(correct) / len(correct), wilson(sum(correct), len(correct))


def part(run, dose, seed, kind):  # accuracy on one kind of leak in one run
    row, = (r for r in leaks if (r["run"], r["dose"], r["seed"]) == (run, dose, seed))
    mine = [r for r, k in zip(row["right"], row["leak"]) if k == kind]
    return sum(mine) / len(mine)


def gain(run, dose, kind):  # against no leak, on the same questions, over the seeds
    return paired_difference([part(run, dose, s, kind) for s in SEEDS],
                             [part("leak", 0, s, kind) for s in SEEDS])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## One model, one test, and any score you like
#
# The fine-tuned model of notebook 08 gets questions about the Pasture with four listed options, and must say a letter. We ask the same questions four times and move the right option: to A, to B, to C, to D.
#
# **Predict.** How far apart are the four scores: a point or two, ten points, or more?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "a few points, by chance". It is nearly everything against nearly nothing: this model says A whatever is asked. A test whose author likes to put the right answer first would call it brilliant.
#
# Large models are milder, and have the same illness. Two minutes.

# %% tags=["result", "remove-input"]
at_place = [rate(score(chat.model.eval(), tokenizer, [placed(one, p) for one in few],
                       letters=True).right()) for p in range(4)]
holds(at_place[0][0] > 0.8 and max(r for r, _ in at_place[1:]) < 0.25,
      "the fine-tuned model says A whatever is asked")
show(drawings.draw_places({"fine-tuned model": at_place}),
     "Accuracy of the fine-tuned model when the right option stands at A, B, C or D: "
     "nearly all right at A, nearly all wrong elsewhere.", name="14_places")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The idea: let the model rate what it would never say
#
# A base model does not answer, it continues. So nobody asks it for an answer. Each option is put behind the question, and its probability is read off. The likeliest is the model's choice.
#
# **Predict.** Questions about treats and places: two options name something from the question, two something else. Which pair gets the higher scores?

# %% [markdown] slideshow={"slide_type": "notes"}
# Move the slider: eight questions. What stands in the question is likelier, right or wrong: copying is the first thing that such a model learns. That is why, for treats and places, one wrong option is taken from the question; otherwise the test would measure copying. Sounds and counts have no such option.
#
# Two minutes.

# %% tags=["result", "remove-input"]
full = score(model, tokenizer, asked)
number = next(i for i, one in enumerate(asked) if one.kind == "food"
              and full.right()[i] and one.question.count(".") == 3)
shown = {n: (asked[i], full.sums[i].tolist()) for n, i in
         enumerate([number, *(k for k, one in enumerate(asked) if k != number
                              and one.kind in ("food", "home"))][:8], 1)}
frames(lambda fig, question: drawings.draw_options(fig, *shown[question]),
       lambda question: drawings.describe_options(*shown[question]),
       figsize=(9.5, 3.7), question=list(shown))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: multiple choice by likelihood
#
# GPT-3 was scored like this, and so is MMLU, with {{fact:eval_shots.MMLU}} solved examples in front, in the Llama 2 paper. Where a chat model is asked to write its answer, another test is made, and another score comes out.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what the third step is for. Long options are unlikely for no other reason than that they are long; rare words likewise. There are several corrections, and papers do not always say which they took.
#
# Three minutes.

# %% tags=["formal", "remove-input"]
algorithm("multiple_choice", source=False)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Build it: the tokens of the option and no others
#
# The logits at a place foretell the token after it. So token $i$ is scored by row $i - 1$.
#
# **Predict.** The text is cut into pieces with the option behind it and once without. When do the two cuts differ?

# %% [markdown] slideshow={"slide_type": "notes"}
# Where a piece reaches over the seam: a text that ends in the middle of a word or in a space. The assertion refuses it. Many harnesses have met this one: a space at the end of the prompt, and every score is wrong.
#
# Three minutes.

# %% tags=["result"]
@torch.no_grad()
def option_logprob(model, text: str, option: str) -> float:
    head = tokenizer.encode(text, bos=True)
    ids = tokenizer.encode(f"{text} {option}", bos=True)
    assert ids[: len(head)] == head  # no piece reaches over the seam
    logits = model(torch.tensor([ids]))[0]  # (length, vocabulary)
    logs = logits.log_softmax(dim=-1)
    return sum(logs[place - 1, ids[place]].item()
               for place in range(len(head), len(ids)))


for option in asked[number].options:
    value = option_logprob(model, write_prompt(asked[number]), option)
    print(f"{value:7.2f}  {option}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? A Llama that others wrote, one option at a time
#
# We write the base to a folder, open it as the Llama of transformers, and score every option alone: no batch, no padding, no cache, and the softmax in double precision. The package's scorer works in padded batches.
#
# **Predict.** Of two dozen questions, on how many do the two choose the same option?

# %% [markdown] slideshow={"slide_type": "notes"}
# On all. The check is worth its name because the two share nothing but the tokenizer and the weights. Ask what would still slip through: a wrong prompt, since both are given the same text.
#
# Three minutes.

# %%
with tempfile.TemporaryDirectory() as folder:
    save_pretrained(model, tokenizer, Path(folder) / "model")
    peer = transformers.LlamaForCausalLM.from_pretrained(
        Path(folder) / "model").eval()


@torch.no_grad()
def alone(text: str, option: str) -> float:
    start = len(tokenizer.encode(text, bos=True))
    ids = tokenizer.encode(f"{text} {option}", bos=True)
    logits = peer(torch.tensor([ids]), use_cache=False).logits[0]
    logs = logits.double().log_softmax(-1)
    return sum(logs[i - 1, ids[i]].item() for i in range(start, len(ids)))


# %% tags=["result"] slideshow={"slide_type": "subslide"}
theirs = torch.tensor([[alone(write_prompt(one), option)
                        for option in one.options] for one in asked[:24]])
gap = (theirs - full.sums[:24]).abs().max()
same = (theirs.argmax(1) == full.sums[:24].argmax(1)).sum()
print(f"largest difference {gap:.0e} nats, same choice on {same} of 24")
assert gap < 1e-3 and same == 24

# %% [markdown] slideshow={"slide_type": "notes"}
# Question by question, not on average: two scorers with the same accuracy may disagree on every third question.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: four slips that look like scores
#
# The option's first token left out; the question scored as well; rows not shifted; no space before the option. Each is a character or two away from the right code.
#
# **Predict.** Which of them would you notice by looking at the accuracy?

# %% [markdown] slideshow={"slide_type": "notes"}
# None for certain. Without the shift the score falls, and still beats guessing: one would call it a weak model. Scoring the question adds the same number to all four, so the choice is the same here, and wrong as soon as somebody divides by length. The first token of our options is the same name four times.
#
# That is the lesson: accuracy does not test a scorer, a second scorer does. Three minutes.

# %%
@torch.no_grad()
def faulty(text: str, option: str, slip: str) -> float:
    space = "" if slip == "no space" else " "
    ids = tokenizer.encode(text + space + option, bos=True)
    start = len(tokenizer.encode(text, bos=True))
    start = {"first token left out": start + 1,
             "question scored too": 1}.get(slip, start)
    logs = model(torch.tensor([ids]))[0].log_softmax(dim=-1)
    shift = 0 if slip == "rows not shifted" else 1
    return sum(logs[i - shift, ids[i]].item() for i in range(start, len(ids)))


# %% tags=["result", "remove-input"] slideshow={"slide_type": "subslide"}
rows = []
for slip in ("none", "first token left out", "question scored too", "rows not shifted",
             "no space"):
    made = torch.tensor([[faulty(write_prompt(one), option, slip)
                          for option in one.options] for one in asked[:60]])
    correct = [int(row.argmax()) == one.answer for row, one in zip(made, asked)]
    off = (made - full.sums[:60]).abs().max().item()
    rows.append([slip, 100 * sum(correct) / 60, off])
    assert (off < 1e-3) == (slip == "none")
table(rows, ["slip", "right (percent)", "largest difference (nats)"],
      "Sixty questions, scored with a slip", ".1f")

# %% [markdown] slideshow={"slide_type": "notes"}
# The last column is the comparison of the slide before, and it catches all of them: the smallest difference is far above that of the right code.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## What the base knows, with an interval on everything
#
# Four kinds of question: the sound of a species, which is the same in all texts; a treat and a place, which must be read off the page; and a count. All are held out: every question has a pair of animal and thing that no training text has. For sounds it is not the pair that is asked about.
#
# **Predict.** Order the four, and say which are at guessing, one in four.

# %% [markdown] slideshow={"slide_type": "notes"}
# Sounds are known by heart. Treat and place are near one half: the model knows that the answer stands in the question and not which of two it is. So half is guessing too, between two. Ask what "chance" should mean then.
#
# Wilson's interval, of notebook 13. Two minutes.

# %% tags=["result", "remove-input"]
rows = {kind: rate([r for r, one in zip(full.right(), asked) if one.kind == kind])
        for kind in VALUES}
rows["all four"] = rate(full.right())
holds(rows["sound"][0] > 0.9 and rows["food"][0] < 0.75,
      "sounds are known by heart, and treats are not")
show(drawings.draw_rates(rows, "Known by heart, half read, badly counted"),
     "Accuracy of the base by kind of question with intervals: sounds nearly always "
     "right, food and home about one half, counts above guessing.", name="14_kinds")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Trap one: a letter, or the whole answer
#
# MMLU lists the options and scores a letter. Our scores above were those of full answers. Same questions, same model.
#
# **Predict.** Which is easier for a small model, and by how much?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "letters, they are only one token". But a letter must be looked up in a list and tied to a question; this model never saw such a list. With letters it guesses; with answers it is far above that.
#
# In the paper too, some models are near guessing on MMLU and near the others on tests scored by full answers; we meet them below. Part of what MMLU asks is the form. Three minutes.

# %% tags=["result", "remove-input"]
listed = [score(model, tokenizer, [rotated(one, by) for one in few], letters=True)
          for by in range(4)]
rows = {"full answers": rate(score(model, tokenizer, few).right()),
        "letters": rate(listed[0].right())}
holds(rows["full answers"][1].low > 0.35 and rows["letters"][1].low < 0.25,
      "with letters the model guesses, and with answers it does not")
show(drawings.draw_rates(rows, "Asked for a letter, the base guesses"),
     "Accuracy with full answers far to the right of the line of guessing, with "
     "letters on it.", name="14_letters")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Trap two: the order of the options
#
# Full answers are scored without a list, so their order cannot matter. With letters, every question is asked in four orders, each option standing once at each letter.
#
# **Predict.** On how many of the questions does the base choose the same option in all four orders? And does the mean over the orders help?

# %% [markdown] slideshow={"slide_type": "notes"}
# On hardly any. Averaging over orders removes the taste for a letter exactly. What is left is what the model knows about the content, and here that is nothing: it stays at guessing. A correction takes a bias away and puts no knowledge in.
#
# The control: full answers, rotated, agree on all. Three minutes.

# %% tags=["result", "remove-input"]
moved = [score(model, tokenizer, [rotated(one, by) for one in few[:40]])
         for by in range(4)]
rows = []
for name, runs in (("letters", listed), ("full answers", moved)):
    straight = [back(run.sums, by) for by, run in enumerate(runs)]
    picks = torch.stack([scores.argmax(1) for scores in straight])  # (4, n)
    mean = torch.stack(straight).mean(0).argmax(1)
    answers = torch.tensor(runs[0].answers)
    said = [LETTERS[p] for run in runs for p in run.chosen()]
    rows.append([name, 100 * float((picks == picks[0]).all(0).float().mean()),
                 100 * float((mean == answers).float().mean()),
                 ", ".join(f"{k} {said.count(k)}" for k in LETTERS)])
assert rows[1][1] == 100 and rows[0][1] < 30
table(rows, ["asked for", "same option in four orders", "right by the mean of four",
             "places chosen"], "Orders of the options, percent of the questions", ".0f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Trap three, by hand: four rules, three winners
#
# Four options of one, three, two and one tokens; their probabilities after the question and, in the last column, after a bare cue.
#
# **Predict.** Which option wins by the sum of log-probabilities, which by the mean over tokens, which by the surplus over the bare cue?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them compute: the cube root of a tenth is almost a half. The surplus, log p(option given question) less log p(option given nothing), is a pointwise mutual information; it adores options that nobody would say, as the last row shows.
#
# The same numbers are a test of the package. Three minutes.

# %% tags=["result"]
toy = [("no", 1, 0.20, 0.400), ("certainly", 3, 0.10, 0.100),
       ("a b", 2, 0.15, 0.100), ("zz", 1, 0.01, 0.001)]
for text, tokens, after, bare in toy:
    print(f"{text:10} sum {after:.2f}   mean {after ** (1 / tokens):.2f}   "
          f"character {after ** (1 / len(text)):.2f}   "
          f"surplus {after / bare:.1f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Trap three, measured: options of unequal length
#
# "Bess likes pumpkins." against "Bess likes apples, muffins and peaches." In new questions three animals like one, two and three treats, and any of them may be asked about. A guesser is right once in four, whatever the length.
#
# **Predict.** Which lengths does the base get right? Which of the four rules cures it?

# %% [markdown] slideshow={"slide_type": "notes"}
# It takes the short one, nearly always, and no rule cures it. We expected that division by length would help. It does not: lists after "likes" are rare in what the model read, and no correction supplies knowledge that is missing.
#
# By hand, on the slide before, the rule decided everything. So it must be chosen, and said, before the scores are seen. Three minutes.

# %% tags=["result", "remove-input"]
uneven = make_uneven(240, 14, "heldout")
scored = score(model, tokenizer, uneven)
size = [text.count(",") + text.count(" and ") + 1
        for one in uneven for text in [one.options[one.answer]]]
by_rule = {rule: [sum(r for r, n in zip(scored.right(rule), size) if n == k)
                  / size.count(k) for k in (1, 2, 3)] for rule in RULES}
holds(min(values[0] for values in by_rule.values()) > 0.6
      and max(max(values[1:]) for values in by_rule.values()) < 0.25,
      "the short option is taken nearly always, whatever the rule")
show(drawings.draw_lengths(by_rule),
     "Accuracy by length of the right option for four rules: high where it is the "
     "short one, near zero where it lists two or three treats, under every rule.",
     name="14_lengths")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Trap four: the layout of the prompt
#
# "Question: … Answer:" as in the corpus, "Q: … A:", small letters, all on one line, no label. A person would not care.
#
# **Predict.** The base was trained on the first layout. Is it best there?

# %% [markdown] slideshow={"slide_type": "notes"}
# It is not. Two strange layouts are clearly better than its own. We did not expect it and do not know why; one guess is that on one line the question is nearer to the story texts, in which it learnt to look things up. The spread from the best to the worst layout is larger than that from Llama 2 7B to 13B on MMLU.
#
# So two papers that score one model with two layouts will differ. Three minutes.

# %% tags=["result", "remove-input"]
by_layout = {name: full.right() if n == 0 else
             score(model, tokenizer, asked, layout=name).right()
             for n, name in enumerate(LAYOUTS)}
rows = {name: rate(correct) for name, correct in by_layout.items()}
own, *others = by_layout
gaps = {name: wins.difference(by_layout[name], by_layout[own]) for name in others}
spread = max(r for r, _ in rows.values()) - min(r for r, _ in rows.values())
sizes = [paper.table("table_3").cell(f"Llama 2 / {size}", "MMLU") / 100
         for size in ("7B", "13B")]
holds(rows[own][0] < max(r for r, _ in rows.values())
      and spread > sizes[1] - sizes[0], "another layout is better than its own, and "
      "layouts lie further apart than Llama 2 7B and 13B on MMLU")
show(drawings.draw_rates(rows, "The layout alone moves the score"),
     "Accuracy of the base in five layouts of the same questions; the layouts differ "
     "by more than ten points.", name="14_layouts")

# %% tags=["remove-input"] slideshow={"slide_type": "subslide"}
table([[name, 100 * gap.mean, f"{100 * gap.low:+.1f} to {100 * gap.high:+.1f}",
        "yes" if gap.excludes(0) else "no"] for name, gap in gaps.items()],
      ["layout", "difference (points)", "interval", "shown?"],
      "Each layout against that of the corpus, question by question", "+.1f")

# %% [markdown] slideshow={"slide_type": "notes"}
# Differences are paired: the same questions. Several layouts were tried, so one of them may look good by chance: with four comparisons, ask each for a chance below one in eighty, not one in twenty. Those that are marked hold even so.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Trap five: how many examples stand in front
#
# Few-shot means solved examples before the question. The paper uses {{fact:eval_shots.MMLU}} for MMLU, {{fact:eval_shots.GSM8K}} for GSM8K, none for SQuAD.
#
# **Predict.** Does the base of the Pasture gain from one example, from two?

# %% [markdown] slideshow={"slide_type": "notes"}
# Nothing that can be shown here. Learning from examples in the prompt is what GPT-3 made famous, at a size far beyond ours. And each example makes the question stand later, in a longer text.
#
# Say what would be a fair claim: no effect larger than the interval. Two minutes.

# %% tags=["result", "remove-input"]
examples = make_choices(8, 1, "train")
shots = {n: score(model, tokenizer, few, examples[:n]).right() for n in (0, 1, 2)}
gaps = {n: wins.difference(shots[n], shots[0]) for n in (1, 2)}
table([[f"{n} shot", 100 * sum(shots[n]) / len(few), *(
            (f"{100 * gaps[n].mean:+.1f}", f"{100 * gaps[n].low:+.1f} to "
             f"{100 * gaps[n].high:+.1f}") if n else ("", ""))] for n in shots],
      ["examples", "right (percent)", "against none", "interval"],
      "Solved examples before the question", ".1f")

# %% tags=["remove-input"] slideshow={"slide_type": "subslide"}
show(drawings.draw_shots(paper.table("table_22")),
     "NaturalQuestions against the number of examples, none to sixty-four, for three "
     "models of 7B and Llama 2 70B: all rise, the large model most.", name="14_shots")

# %% [markdown] slideshow={"slide_type": "notes"}
# In the paper's Table 22 examples help everybody: here the answer is written out, and they show how short it should be. So one column of this table must never be compared with another.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Two models on the same questions: compare pair by pair
#
# Did the five rounds of notebook 11 change what the model knows? The version V5 of each of three runs against the fine-tuned model, on our multiple choice.
#
# **Predict.** Two intervals of six points each way overlap. Does that mean that there is no difference?

# %% [markdown] slideshow={"slide_type": "notes"}
# It does not. Questions that both get right, or both wrong, say nothing about which is better and a lot about how hard the test is. Only where they differ is there evidence. McNemar's test of 1947.
#
# A run's interval speaks of its questions, and the interval of their mean of what other seeds would give. Three runs say little about their own spread, so the last one is wide; but a claim about the method rests on it. One run alone may leave out zero where the mean does not. Three minutes.

# %% tags=["result", "remove-input"]
tuned = score(chat.model.eval(), tokenizer, asked).right()
rows, means = [], []
for run in stages.get("rlhf"):
    mine = score(run.policies["V5"].eval(), tokenizer, asked).right()
    met, gap = wins.tally(mine, tuned), wins.difference(mine, tuned)
    apart = sqrt(sum(found.half_width**2 for _, found in (rate(mine), rate(tuned))))
    means.append(gap.mean)
    rows.append([f"V5 of run {run.seed}", f"{met.wins} : {met.losses}",
                 100 * gap.mean, 100 * gap.half_width, 100 * apart])
    holds(gap.half_width < apart, "the paired interval is the narrower")
over = interval(means)
rows.append(["mean of the runs", "", 100 * over.mean, 100 * over.half_width, ""])
table(rows, ["", "only V5 right : only SFT right", "difference (points)",
             "± paired", "± unpaired"], "V5 against SFT on 240 questions", ".1f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Win rates: three numbers from one set of comparisons
#
# Chat models are compared answer by answer. Held-out prompts, answers of SFT and of V5 of the first run; the judge is the truth of the Pasture. Often both answers are equally good.
#
# **Predict.** Half of the comparisons are ties. Can a model that wins less than half of all be called the winner?

# %% [markdown] slideshow={"slide_type": "notes"}
# It can: more than four in ten are won, and few are lost. Three rates are in use: wins among all, a tie as half a win, and wins among the decided. Figure 2 of the paper takes the third, Figure 1 shows all three parts. A rate without its rule says little.
#
# Ask what the paper's rule hides: how many ties there were. A model that changes three answers in a thousand, all for the better, has a win rate of one. Two minutes.

# %% tags=["result", "remove-input"]
runs = stages.get("rlhf")
ours, theirs = (runs[0].judged[name].utility for name in ("V5", "SFT"))
met = wins.tally(ours, theirs)
rows = [["wins among all", 100 * met.share, ""],
        ["a tie is half a win", 100 * met.half, 100 * met.half_interval().half_width],
        ["wins among the decided", 100 * met.decided,
         100 * met.decided_interval().half_width]]
holds(met.share < 0.5 < met.decided and met.ties > 100,
      "ties decide which of the three numbers is above a half")
table(rows, ["", "win rate of V5 (percent)", "±"],
      f"{met.wins} wins, {met.ties} ties, {met.losses} losses of V5 against SFT", ".1f")
paper.show_equation("gpt4_win_rate")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A judge that likes whoever speaks first
#
# A model or a person as judge may prefer the answer that is shown first. We simulate one, after Bradley and Terry: log-odds for the gap in worth, plus a leaning for the first place. It judges V5 against SFT.
#
# **Predict.** Ours always first, theirs always first, a coin for each prompt, both orders: which of them gives the truth?

# %% [markdown] slideshow={"slide_type": "notes"}
# The first two give anything. A coin favours neither side; yet even without a leaning the rate is below the truth, since this judge tosses a coin between equal answers and calls it decided, and a strong leaning drowns small differences besides. Both orders are the safest: of equal answers half come out as ties without a leaning, and nearly all with a strong one. At some leanings ours first may lie nearer to the truth, by luck, where two errors cancel. None gives the truth exactly.
#
# This judge is simulated, with a knob for its leaning. Where annotators of the paper rated answers side by side, the order was random. Three minutes.

# %% tags=["result", "remove-input"]
leanings = (0.0, 1.0, 2.0, 3.0, 4.0)
curves = {order: [wins.judged(wins.Judge(8.0, leaning=b), ours * 5, theirs * 5,
                              order).decided for b in leanings]
          for order in ("ours first", "theirs first", "random", "both")}
holds(curves["ours first"][-1] > 0.8 and curves["theirs first"][-1] < 0.3
      and min(curves["both"]) > 0.5, "the first place decides, and both orders cure it")
show(drawings.draw_leaning(leanings, curves, met.decided),
     "Reported win rate against the judge's leaning: rising to nearly all when ours "
     "stands first, falling to about a quarter when theirs does, level below the truth "
     "for a random order, and for both orders never far from it.",
     name="14_leaning")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: how many comparisons a claim needs
#
# An interval that leaves one half out is the least that a claim of superiority needs. How many comparisons make that likely, for a given true rate?

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for the intuition: noise falls with the root of n, so half the lead needs four times the comparisons. Three of the numbers are worth remembering and come on the next slide.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("needed")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## 51 wins in a hundred: twenty thousand comparisons to show it
#
# The closed form, and dots from a simulation that draws comparisons and counts how often Wilson's interval leaves one half out.
#
# **Predict.** For a true rate of 60 in a hundred, is a hundred comparisons enough?

# %% [markdown] slideshow={"slide_type": "notes"}
# No: a hundred succeed about every second time, and four times in five takes about two hundred. For 55, eight hundred. For 51, twenty thousand. The paper's set of about four thousand prompts, a third of them ties, can show a lead of some two or three points and nothing smaller.
#
# So the paper's set is well chosen for what it claims; a home-made test of fifty prompts shows nothing below a landslide. Three minutes.

# %% tags=["result", "remove-input"]
levels = [0.51, 0.515, 0.52, 0.53, 0.55, 0.575, 0.6, 0.65, 0.7]
closed = [wins.needed(level) for level in levels]
found = {(r, wins.needed(r)): wins.power(r, wins.needed(r))
         for r in (0.51, 0.55, 0.6, 0.7)}
assert all(0.74 < share < 0.86 for share in found.values())
assert 19_000 < closed[0] < 21_000
show(drawings.draw_power(levels, closed, found, paper.fact("fig_1_prompts").value),
     "Number of decided comparisons against the true win rate on a logarithmic axis, "
     "falling steeply; simulated points on the line find the difference in about four "
     "of five sets.", name="14_power")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-open", "predict"]
# ## What the paper reports: people prefer Llama 2-Chat, by how much?
#
# About {{fact:fig_1_prompts|,}} prompts, three raters each, Figure 1. On the right we leave out ties, as Figure 2 does, and add the interval of as many independent prompts.
#
# **Predict.** Against ChatGPT, {{fact:fig_1.70b vs ChatGPT-0301.0}} per cent won and {{fact:fig_1.70b vs ChatGPT-0301.2}} per cent lost: is the lead shown?

# %% [markdown] slideshow={"slide_type": "notes"}
# By the sampling of prompts alone, barely. But raters agree poorly here: between {{fact:human_eval_irr.0}} and {{fact:human_eval_irr.1}} on the paper's scale, least where models are close. And without its system prompt ChatGPT loses more: {{fact:fig_30.win_without_system_prompt}} per cent of prompts are won in place of {{fact:fig_30.win_with_system_prompt}}. Such choices move more than the interval is wide.
#
# The text claims more than three quarters against Vicuna as well; the figure shows it for Falcon alone. Three minutes.

# %% tags=["result", "remove-input"]
printed = paper.fact("fig_1").value
n = paper.fact("fig_1_prompts").value
decided = {}
for name, (won, _, lost) in printed.items():
    met = wins.Tally(round(n * won / 100), 0, round(n * lost / 100))
    decided[name] = (met.decided, met.decided_interval())
assert decided["70b vs ChatGPT-0301"][1].low > 0.5
assert not decided["34b vs Vicuna-33b-v1.3"][0] > 0.75
show(drawings.draw_human(printed, decided),
     "Win, tie and loss of six Llama 2-Chat models against rivals, and wins among "
     "decided prompts with intervals: slightly above one half against ChatGPT, near "
     "nine in ten against Falcon.", name="14_human")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Contamination: we leak the test
#
# A test that stands in the training text measures memory. We take the base, let it read forty thousand tokens more, and put a quarter of a test among them word for word, a quarter in other words. The other half stays clean. Three runs, each with another choice of what leaks.
#
# **Predict.** The text holds what leaked once, three times, six times. What is gained on each quarter, and what on the clean half?

# %% [markdown] slideshow={"slide_type": "notes"}
# Other words means: sentences turned round, other verbs, and asked from the other side ("Who likes plums?"). It helps too, by the points a little less; three runs cannot separate the two. On the clean half no gain is shown, nor by practice on as many questions outside the test. So it looks like memory and not like skill, but with three runs the intervals are wide: those of what leaked leave zero out, and that of the clean half leaves much open.
#
# With six copies most of that text is the leak; a real one is a far smaller part of far more text. What carries over is the shape. We began with the small models of notebook 07, trained from scratch; they guess, and a dozen copies hardly moved them, so there was little to see. Four minutes.

# %% tags=["result", "remove-input"]
names = {"exact": "leaked word for word", "reworded": "leaked in other words",
         "none": "not leaked"}
most = max(LEAK.doses)
curves = {name: [gain("leak", d, kind) for d in LEAK.doses[1:]]
          for kind, name in names.items()}
still = {name: gain("practice", most, kind) for kind, name in names.items()}
holds(min(curves[name][-1].low for name in list(names.values())[:2]) > 0
      and not any(one.excludes(0) for one in still.values()),
      "what leaked is gained on, and the clean half is not")
show(drawings.draw_leak(LEAK.doses[1:], curves, still),
     "Gain in accuracy against the number of copies of the leak: about a quarter for "
     "what leaked word for word, less for other words, little for what did not leak, "
     "none for practice.", name="14_leak")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The paper's search: tokens that stand in both
#
# Appendix A.6 marks each token of a test question that lies in a run of at least {{fact:contamination_rule.min_ngram}} tokens shared with the training text, of which {{fact:contamination_rule.skipgram_budget}} may differ. On the whole training text this took about {{fact:contamination_cost.hours}} hours on {{fact:contamination_cost.cores|,}} cores.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why tokens and not words, and why a share and not yes or no. Because a passage of a book may stand in the training text while the question about it does not.
#
# Ours looks ten tokens up in a table; the paper uses suffix arrays, for the size. Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("matched_tokens")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Does the search find what we planted?
#
# The mean share of contaminated tokens, for what leaked word for word, in other words, and not at all. Longer runs are asked for from left to right.
#
# **Predict.** Which row will the search miss?

# %% [markdown] slideshow={"slide_type": "notes"}
# Other words are invisible: from runs of twenty on, nothing is found, though they helped too. With runs of ten, on the other hand, questions that did not leak look a quarter contaminated, since the Pasture repeats its sentences. The paper met the same and tries five lengths.
#
# At forty tokens most questions are shorter than the run, at fifty all. Three minutes.

# %% tags=["result", "remove-input"]
cells = []
for kind, name in names.items():
    mine = [r for r in leaks if (r["run"], r["dose"]) == ("leak", most)]
    cells.append([name, *(100 * sum(sum(
        s for s, k in zip(r["shares"][str(least)], r["leak"]) if k == kind)
        / r["leak"].count(kind) for r in mine) / len(mine)
        for least in contamination.LENGTHS)])
assert cells[0][2] > 95 and cells[1][2] < 10
table(cells, ["", *(f"runs of {n}" for n in contamination.LENGTHS)],
      "Contaminated tokens of a question, percent, mean of three runs", ".0f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The paper's verdict: four subsets, all unusual
#
# What is found need not have helped. So the accuracy of clean and of dirty questions is compared with that of as many questions drawn from all. Evidence is $|Z_n| > 2$ in all four subsets.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why one subset is not enough: short questions may be both easier and more often in the training text. Both ends must point the same way.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("contamination_z", source=False)
paper.show_equation("contamination_z")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Does their verdict find our leak?
#
# Runs of twenty tokens, three hundred questions. The first column counts single runs with evidence; the columns with $Z$ and the last one are of the three runs together.
#
# **Predict.** A gain of twenty points and more on a quarter of the test: is it evidence, by the rule of four?

# %% [markdown] slideshow={"slide_type": "notes"}
# Not in a single run: there $Z$ is smaller than in the table by about the root of three. The dirty subsets stand out; the clean one does so less, for two reasons. It holds three quarters of the test, so it cannot lie far from the mean of all. And it holds what leaked in other words, which the search calls clean. Only the three runs together pass, at the largest dose, and they share their questions, which the rule does not know.
#
# A test that finds nothing has not shown that nothing is there. Three minutes.

# %% tags=["result", "remove-input"]
cells = []
for run, dose in (*(("leak", d) for d in LEAK.doses), ("practice", most)):
    mine = [r for r in leaks if (r["run"], r["dose"]) == (run, dose)]
    single = [contamination.subsets(r["shares"]["20"], r["right"]) for r in mine]
    joint = contamination.subsets([s for r in mine for s in r["shares"]["20"]],
                                  [x for r in mine for x in r["right"]])
    zs = {one.name: f"{round(one.z, 1) + 0.0:+.1f}" if one.n > 30 else "too few"
          for one in joint}
    alone_yes = sum(contamination.affected(one) for one in single)
    cells.append([f"{run}, {dose} cop{'y' if dose == 1 else 'ies'}",
                  f"{alone_yes} of {len(single)}", *zs.values(),
                  "yes" if contamination.affected(joint) else "no"])
holds(cells[0][-1] == cells[-1][-1] == "no" and all(c[1][0] == "0" for c in cells),
      "no single run is evidence, nor are the three together without a leak")
table(cells, ["", "runs with evidence", *(f"Z {n}" for n in zs), "all runs together"],
      "The rule of appendix A.6 on leaks that we know", ".1f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## How large a test must be to show its leak
#
# From the accuracies that we measured, the four values of $Z_n$ to be expected for tests of any size. The weakest decides.
#
# **Predict.** MMLU has about fourteen thousand questions, in Table 51. Would our leak be evidence there?

# %% [markdown] slideshow={"slide_type": "notes"}
# At three and six copies by far, at one copy by a little. A small benchmark, of a few hundred questions, is not protected by this test; it is only quiet. Many tests of coding or mathematics have a few hundred.
#
# Two minutes.

# %% tags=["result", "remove-input"]
def weakest(dose, n):
    """Of the Z of clean and dirty; a quarter of the test is found."""
    dirty = sum(part("leak", dose, s, "exact") for s in SEEDS) / 3
    rest = sum(part("leak", dose, s, "reworded") + 2 * part("leak", dose, s, "none")
               for s in SEEDS) / 9
    mean = dirty / 4 + rest * 3 / 4
    sigma = sqrt(mean * (1 - mean))
    return min(abs(dirty - mean) * sqrt(n / 4), abs(rest - mean) * sqrt(n * 3 / 4)
               ) / sigma


sizes = (100, 300, 1000, 3000, 10_000)
curves = {f"{d} copies" if d > 1 else "1 copy": [weakest(d, n) for n in sizes]
          for d in LEAK.doses[1:]}
holds(weakest(most, 10_000) > 2 > weakest(most, 100), "a large test would show the "
      "leak and a small one would not")
show(drawings.draw_test_size(sizes, curves, 2),
     "Expected weakest Z against the number of questions, rising with its root; the "
     "line of evidence is crossed between some hundred and some thousand questions.",
     name="14_test_size")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## What the paper found: Table 51, computed anew
#
# Accuracy, $\mu_n$ and $n$ are printed, so $Z_n$ can be checked if we know how $\sigma_n$ was meant: of $n$ questions drawn with replacement, or without.
#
# **Predict.** Drawn without replacement from ten thousand, a mean of seven thousand varies less. Which did the paper take?

# %% [markdown] slideshow={"slide_type": "notes"}
# With replacement: all twenty values come out within rounding, and a test of the series says so. Without replacement the clean subset of HellaSwag would stand more than ten deviations out. The choice is the cautious one.
#
# HellaSwag and MMLU-Humanities are marked as affected; MMLU as a whole a little. Later work, some by people of Meta, finds larger effects in such models. Three minutes.

# %% tags=["result", "remove-input"]
source = paper.table("table_51").rows
cells, off = [], 0.0
for first in range(0, len(source), 4):
    clean, dirty = source[first : first + 2]
    total = clean[4] + dirty[4]
    p = (clean[4] * clean[5] + dirty[4] * dirty[5]) / total / 100
    for row in source[first : first + 4]:
        sigma = 100 * sqrt(p * (1 - p) / row[4])
        z, shrunk = (row[5] - row[6]) / sigma, sqrt((total - row[4]) / (total - 1))
        off = max(off, abs(z - row[7]) - 0.1 / sigma - 0.005)
        if row[2] in ("Clean", "Dirty") and "7B" != row[1]:
            cells.append([row[0], row[2], row[4], row[7], z, z / shrunk])
assert off < 0.05
table(cells, ["Llama 2 70B", "subset", "n", "Z printed", "with replacement",
              "without"], "Table 51, Z computed from its other columns", "+.1f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-open", "predict"]
# ## Llama 2 vs other open-sourced models, group by group
#
# Table 3 groups some thirty benchmarks. For MPT and Falcon the paper takes the better of its own measurement and what was published. The column Math is left out: it is a mean of two tests, except for Llama 2 7B and 13B, where it is GSM8K alone.
#
# **Predict.** In which group does an open rival of the same size win?

# %% [markdown] slideshow={"slide_type": "notes"}
# MPT in code, at 7B and at 30B against 34B. The paper says so. Everything else goes to Llama 2, against Falcon all of it. The cell computes the paper's two sentences and stops if they fail.
#
# The slip in the Math column makes Llama 2 look better; notebook 16 recomputes it. Three minutes.

# %% tags=["result", "remove-input"]
source = paper.table("table_3")


def lost_to(ours, rival):
    """Groups in which a model of Table 3 is not ahead of a rival."""
    return [g for g in drawings.GROUPS if source.cell(ours, g) <= source.cell(rival, g)]


for size, big in (("7B", "30B"), ("7B", "40B")):
    rival = "MPT" if big == "30B" else "Falcon"
    for ours, theirs in (("7B", size), ("34B", big)):
        lost = lost_to(f"Llama 2 / {ours}", f"{rival} / {theirs}")
        assert lost == (["Code"] if rival == "MPT" else [])
show(drawings.draw_groups(source, dict.fromkeys(drawings.FAMILIES, "7B")),
     "Scores of MPT, Falcon, Llama 1 and Llama 2 at 7B in seven groups of benchmarks; "
     "Llama 2 is rightmost in all but code, where MPT is.", name="14_groups")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Llama 2 vs Llama 1: where the points were gained
#
# Twice the context, more and other text, grouped heads for the two large sizes. Here are the gains by group, size against size.
#
# **Predict.** Is more gained by the small models or by the large? In every group?

# %% [markdown] slideshow={"slide_type": "notes"}
# It depends on the group. On MMLU the small ones gain most, ten points against five; on code, BBH and AGI Eval the 70B does. The 34B loses a little where Llama 1 33B was strong. The paper names {{fact:eval_gain_mmlu_bbh.MMLU}} and {{fact:eval_gain_mmlu_bbh.BBH}} points for 70B on MMLU and BBH.
#
# Which of the changes did it, nobody can say from this: they were made together. And 70B is compared with 65B, 34B with 33B. Three minutes.

# %% tags=["result", "remove-input"]
pairs = (("7B", "7B"), ("13B", "13B"), ("33B", "34B"), ("65B", "70B"))
gains = {new: source.cell(f"Llama 2 / {new}", "MMLU")
         - source.cell(f"Llama 1 / {old}", "MMLU") for old, new in pairs}
assert 10 < gains["7B"] < 11 and gains["7B"] > gains["70B"] > 5
show(drawings.draw_gains(source, pairs),
     "Gains of Llama 2 over Llama 1 in seven groups at four sizes: largest on MMLU for "
     "7B and 13B, and on BBH, code and AGI Eval for 70B; small for commonsense.",
     name="14_gains")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## MMLU with its interval: some models hardly beat a guess
#
# Table 51 tells how many questions MMLU has; so each score gets an interval.
#
# **Predict.** Which models of Table 3 are within two points of guessing, and which neighbours are not told apart?

# %% [markdown] slideshow={"slide_type": "notes"}
# Falcon and MPT at 7B: above guessing, by one and nearly two points. Perhaps they failed at the form and not at the subjects: on HellaSwag, in Table 20, both are near the others. MPT 30B and Llama 1 13B are equal to the last digit; Falcon 7B and MPT 7B, and Llama 2 13B and Falcon 40B, are too near each other as well.
#
# The interval knows of the sampling of questions alone. Layout and letters, the traps above, come on top. Two minutes.

# %% tags=["result", "remove-input"]
clean, dirty = (r[4] for r in paper.table("table_51").rows[16:18])
questions = clean + dirty
chosen = [r for r in source.rows if r[0] != "Llama 1" or r[1] in ("7B", "13B")]
rows = {f"{r[0]} {r[1]}": (r[7] / 100, wilson(round(questions * r[7] / 100), questions))
        for r in sorted(chosen, key=lambda r: r[7])}
low = [name for name, (score_of, _) in rows.items() if score_of < 0.27]
assert low == ["Falcon 7B", "MPT 7B"] and rows["Falcon 7B"][1].low > 0.25
show(drawings.draw_rates(rows, "Two of the 7B models are a point or two above a guess",
                         limits=(20, 75)),
     "MMLU scores of ten models with narrow intervals; MPT 7B and Falcon 7B lie a "
     "point or two right of the line of guessing.", name="14_mmlu")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Against the closed models: near GPT-3.5, but for code
#
# Table 4 sets the 70B model beside models that cannot be downloaded. Their numbers were taken from their makers' reports: other prompts, other programs. An empty cell was not reported.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which differences one would dare to claim after today. On MMLU, a point to GPT-3.5 is about what chance allows, and far less than our layouts made. On HumanEval it is nearly twenty points, and that is a difference.
#
# Two minutes.

# %% tags=["remove-input"]
paper.show_table("table_4")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## An average hides its weights: AGI Eval
#
# Table 24 prints an average beside eight tests. Is it their mean?
#
# **Predict.** How far is the printed average from the plain mean: rounding only, a point, several?

# %% [markdown] slideshow={"slide_type": "notes"}
# Nearly two points at most, in both directions. Tests are weighted by their questions, as notebook 16 finds; the paper does not say. An average of benchmarks is a choice of what matters, made by somebody.
#
# Two minutes.

# %% tags=["result", "remove-input"]
cells = []
for row in paper.table("table_24").rows:
    mean = sum(row[3:]) / len(row[3:])
    cells.append([f"{row[0]} {row[1]}", row[2], mean, mean - row[2]])
widest = sorted(cells, key=lambda c: -abs(c[3]))[:6]
assert abs(widest[0][3]) > 1
table(widest, ["", "printed average", "mean of the columns", "difference"],
      "Table 24, the six largest differences", ".1f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-open"]
# ## The open models of 2023, side by side
#
# Blocks differ in several columns at once, so no column can take the credit for a score. And the two Llamas at 7B, nearly equal here, are ten points apart on MMLU. Where the ledger rests on memory alone we write "unknown": the sources that we read do not say.

# %% [markdown] slideshow={"slide_type": "notes"}
# Read by column. Falcon had shared key-value heads before Llama 2 70B had them. Llama 2 differs from Llama 1 at 7B in two cells: context and tokens.
#
# Ask which column explains the scores. Expect tokens; but Falcon 7B read half more than Llama 1 7B and is behind it. What is missing is the data, which has no column, since nobody says enough about it. Three minutes.

# %% tags=["remove-input"]
fields = ("position", "norm", "activation", "attention", "context", "tokens", "vocab")
cells = []
for name in ("mpt-7b", "falcon-7b", "falcon-40b", "llama1-7b", "llama2-7b",
             "llama2-70b", "mistral-7b"):
    entry = paper.context("models", name)
    unsure = entry.raw["memory_only_fields"]
    cells.append([entry.raw["name"].split(" (comp")[0], *(
        "unknown" if f in unsure or entry.value.get(f) is None else
        f"{entry.value[f]:,}" if isinstance(entry.value[f], int) else
        entry.value[f].split(" eps")[0].split(" in the")[0] for f in fields)])
assert cells[0][1] == "unknown" and cells[4][5] == "4,096"
table(cells, ["", *fields], "Architectures, from the ledger")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed since: judges are corrected for length
#
# On AlpacaEval 2 the raw win rate puts Llama 2-Chat 70B above ChatGPT of March 2023, {{context:critiques.length-bias-in-parity.llama2_70b_chat.raw|.1f}} against {{context:critiques.length-bias-in-parity.gpt35_0301.raw|.1f}}; corrected for the length of answers the order turns, {{context:critiques.length-bias-in-parity.llama2_70b_chat.length_controlled|.1f}} against {{context:critiques.length-bias-in-parity.gpt35_0301.length_controlled|.1f}}. The correction lifted the agreement with people's votes from {{context:critiques.judge-bias.correlation_before}} to {{context:critiques.judge-bias.correlation_after}}.

# %% [markdown] slideshow={"slide_type": "notes"}
# Contamination is now often defined by what it does: a score that does not survive a rewording of the questions (ConStat). After our leak in other words, ask whether that would catch everything. It would not: what leaks in other words survives other words.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: the score of an option (6 minutes)
#
# Given logits (length, vocabulary) of a text, its tokens, and the place where the option starts, return the log-probability of the option. Do not look back.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: no shift, a start that is off by one, the question scored, the mean in place of the sum, logits taken for log-probabilities.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def option_score(logits: torch.Tensor, ids: list[int], start: int) -> float:
    """Nats of the tokens from ``start`` to the end."""
    ### BEGIN SOLUTION
    logs = logits.log_softmax(dim=-1)
    wanted = torch.tensor(ids[start:])
    rows = logs[start - 1 : len(ids) - 1]  # each foretells the next
    return rows.gather(1, wanted[:, None]).sum().item()
    ### END SOLUTION


checks.check_option_score(option_score)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: a verdict from both orders (5 minutes)
#
# A judge sees our answer first and theirs second and says `before`; then theirs first and ours second, and says `after`. Each is "first", "second" or "tie". A win must be won in both orders; all else is a tie. Return "ours", "theirs" or "tie".

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: forgetting that in the second round ours stands second, using one round, being content with one win.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def verdict(before: str, after: str) -> str:
    """Who wins when both orders must agree."""
    ### BEGIN SOLUTION
    if before == "first" and after == "second":
        return "ours"
    if before == "second" and after == "first":
        return "theirs"
    return "tie"
    ### END SOLUTION


checks.check_verdict(verdict)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: how unusual is a subset? (6 minutes)
#
# `right` says which questions were answered rightly, `chosen` which belong to a subset. Return $Z_n$ as in appendix A.6, with $\sigma_n$ of $n$ questions drawn with replacement from all.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: no root of n, n of all questions, the deviation of the subset, comparing with the rest in place of all.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def z_score(right: list[bool], chosen: list[bool]) -> float:
    """Deviations between the subset's accuracy and that of all."""
    ### BEGIN SOLUTION
    mine = [r for r, c in zip(right, chosen) if c]
    mean = sum(right) / len(right)
    sigma = sqrt(mean * (1 - mean) / len(mine))
    return (sum(mine) / len(mine) - mean) / sigma
    ### END SOLUTION


checks.check_z_score(z_score)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# A score belongs to a model, a prompt, a rule and a set of questions. Letters, order and layout moved ours by ten points and more; a scorer is tested by a second scorer. A win rate needs its rule for ties, both orders, and for small leads thousands of comparisons. A leak in other words helps too, and a search for words does not see it. Llama 2 leads MPT and Falcon of its size in every group but code, where MPT is ahead; on MMLU by far more than the sampling of questions explains. Whether the form was fair to all of them, the tables do not say.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for one question that they would put to the next table of benchmarks they see.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [MMLU paper](https://arxiv.org/abs/2009.03300) and [MMLU dataset](https://paperswithcode.com/dataset/mmlu). [GPT-3](https://arxiv.org/abs/2005.14165), section 2.4, for scoring by likelihood. [Judging with a model](https://arxiv.org/abs/2306.05685), for biases of judges. [ConStat](https://arxiv.org/abs/2405.16281) and [a study of contamination](https://arxiv.org/abs/2411.03923). [Llama 2](https://arxiv.org/abs/2307.09288), appendix A.6.
#
# Next: notebook 15, from Meta to Mistral.

# %% [markdown] slideshow={"slide_type": "notes"}
# The MMLU repository shows the exact prompt; read it once and look for the traps. One minute.
