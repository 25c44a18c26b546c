# %% [markdown] slideshow={"slide_type": "slide"}
# # Llama 2 in miniature: what the paper did, and how we rebuild it
#
# *Llama 2: Open Foundation and Fine-Tuned Chat Models*, presented by Ricky Sun and Yuning Wu.
#
# **Paper**: the whole of it, from above. **Minutes**: 55, exercises 10. **On the map**: *overview*, then tokenizer, norm, position, feed-forward, attention, model, pretraining, and the alignment half.
#
# Afterwards you can say what problem the paper addresses and how, what changed against Llama 1, and where each part of it is rebuilt in this series.

# %% [markdown] slideshow={"slide_type": "notes"}
# Introduce yourselves. Say what the audience will see: seventeen notebooks, of which this one is the table of contents; every number on a slide is either computed in front of them or traced to a table of the paper.
#
# Two minutes.

# %% slideshow={"slide_type": "skip"} tags=["remove-cell"]
import copy
import math

import torch

from minillama import paper, pasture, stages
from minillama.config import LlamaConfig
from minillama.generation import generate
from minillama.model import Llama
from minillama.teach import algorithm, formal_llama2, frames, holds, show, table
from minillama.teach.checks import nb_00 as checks
from minillama.teach.drawings import nb_00 as drawings
from minillama.training.pretrain import evaluate

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-overview", "short"]
# ## Context: everyone could use these models, few could study them
#
# Large language models write, summarise and program, and millions of people reach them through a chat window. The weights of some were public by the middle of 2023: BLOOM, Llama 1, Falcon. They could continue a text. None could stand in for ChatGPT, BARD or Claude as a product.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: what is the difference between a model that continues a text and one you can talk to? Collect two answers. The second half of the paper is the answer.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["talk-overview", "short"]
# ### The problem: the last step was hidden
#
# What separates the closed products from the public models is the step after pretraining: tuning on human preferences, for helpfulness and for safety. It costs much computation and many annotators, and was seldom described well enough to be repeated. Research on alignment was left to those who owned a product.

# %% [markdown] slideshow={"slide_type": "notes"}
# This is the problem statement of the talk. Two gaps: of ability, and of transparency.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["talk-overview", "short"]
# ### The approach: do it in the open, and write it down
#
# Meta trained a family of models of up to 70 billion parameters on {{fact:pretrain_tokens}} tokens, tuned them into **Llama 2-Chat**, and described the tuning step by step: supervised examples, two reward models, which learnt from people what a good answer is, five rounds of tuning with their scores, a trick for remembering instructions, and the safety work around all of it.

# %% [markdown] slideshow={"slide_type": "notes"}
# "Open" deserves a footnote, and notebook 16 writes it: the weights come under a licence of their own, the data stayed closed.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["talk-overview"]
# ### How the problem was addressed, in one breath
#
# Sizes of {{fact:release_sizes}} were released; a fourth of 34B is reported and was held back. In human comparisons Llama 2-Chat beat most open chat models and came near some closed ones. Safety came from special annotation, from red teaming, in which more than {{fact:red_team_people}} people tried to make the model misbehave, and from evaluation again and again.

# %% [markdown] slideshow={"slide_type": "notes"}
# Say "in the authors' own human evaluation", because that is what it is. Ask what one would want to know about it. Notebook 14 reads the small print: agreement between raters, no coding questions, prompts of their own.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-overview", "predict"]
# ## What this series does: the same, seventy thousand times smaller
#
# We build a Llama 2 of a million parameters and take it through the whole paper. It knows nothing but a small farm, the Pasture, which a program invents. It trains in minutes on two cores.
#
# **Predict.** Such a model is asked to begin a story. Will it produce letters, words, sentences, or a story?

# %% [markdown] slideshow={"slide_type": "notes"}
# Do not apologise for the size. Because we wrote the world, we know the truth about it, and can measure what the paper could only estimate by asking people.
#
# Collect guesses; most say words, or sentences. What comes has the form of a story: a title, a hero, a wish, an obstacle. Then let them compare the wish in the title with the wish in the story. In the documents the two are always the same; a model of this size can lose the thread between them. Two minutes.

# %% tags=["result"]
base = stages.get("base")
model, tokenizer = base.model.eval(), base.tokenizer
prompt = tokenizer.encode("Title:", bos=True)
answer, = generate(model, [prompt], 90, temperature=0.0,
                   eos_id=tokenizer.eos_id)
print("Title:" + tokenizer.decode(answer))

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### How much smaller is that, exactly?
#
# Both counts come from the same function of the package, one on the tiny configuration, one on the real one.
#
# **Predict.** One sheet of paper stands for our model. How high is the pile that stands for the 70B model: a metre, a house, a mountain?

# %% [markdown] slideshow={"slide_type": "notes"}
# A sheet is a tenth of a millimetre. Seventy thousand of them make seven metres: a house.
#
# One minute.

# %% tags=["result"]
tiny, big = LlamaConfig.named("tiny"), LlamaConfig.named("llama-2-70b")
ratio = big.parameter_count() / tiny.parameter_count()
print(f"tiny: {tiny.parameter_count():,} parameters")
print(f"70B:  {big.parameter_count():,} parameters")
print(f"{ratio:,.0f} times as many, a pile of {ratio * 1e-4:.0f} metres")
assert big.parameter_count() == paper.fact("params_70b").value
assert 60_000 < ratio < 80_000

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A world that a program wrote, and can judge
#
# Documents of eleven kinds, from a seeded generator: stories, facts, questions, sums, letters. Move the slider through a few. An answer to a question about this farm is right or wrong, and a program can tell which. The annotators of the later notebooks are simulated too, and the series says so wherever they appear.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: move the slider through the kinds. Ask which kind can be answered only by looking back in the text. The look-ups: who likes what is drawn anew for each document, so there is nothing to learn by heart.
#
# Two minutes.

# %% tags=["remove-input"]
frames(drawings.draw_document, drawings.describe_document,
       kind=list(pasture.KINDS))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-architecture", "short"]
# ## Architectural overall: the family and its pipeline
#
# A foundation model is pretrained on raw text. Examples teach it to answer. People compare answers, and two reward models learn from them. Then the model is tuned to score well with those, round after round, with new comparisons of its newest answers every time.

# %% [markdown] slideshow={"slide_type": "notes"}
# Follow the arrows with a finger and stop at the loop: comparisons are collected anew for each round, because a reward model knows only the kind of answers it has seen. Ask why that might be. Notebook 11 lets it go wrong.
#
# Three minutes.

# %% tags=["remove-input"]
show(
    drawings.draw_pipeline(),
    "A flow from pretraining text through the base model and supervised fine-tuning "
    "to Llama 2-Chat; human comparisons feed a helpfulness and a safety reward model, "
    "which drive rejection sampling and PPO, and an arrow leads from the chat model "
    "back to new comparisons.",
    name="00_pipeline",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The formal algorithm from above: every layer adds, none overwrites
#
# Notebook 06 gives the pseudocode of the whole model. From far away it is four steps and a block of two. $X$ holds one vector for each token, the stream; every layer reads it, and adds to it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Do not explain the parts now. Point at the two plus signs in the block: nothing is ever overwritten.
#
# The numbers of the steps return as comments in the source. Two minutes.

# %% tags=["formal", "remove-input"]
formal_llama2(("llama", "block"))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-source"]
# ## Source code and pseudocode stand side by side
#
# Every notebook shows the formal algorithm on the left and the code that runs on the right, with the same step numbers. A test holds the two sets of numbers equal. Here is a small one: how large a step is taken at each moment of training.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let the class find step two in the source. Ask for the shape of the whole curve: up in a straight line, down along half a cosine.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("learning_rate")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-llama1", "short", "predict"]
# ## Llama 2 vs Llama 1: what changed at a glance
#
# **Predict.** Which of these changed between the two: the tokenizer, the norm, the way positions enter, the feed-forward layer, the number of key-value heads, the length of the context, the amount of text, the learning rate?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them vote on each by raising hands. Most believe that the architecture was rebuilt.
#
# Answer with the table: three of the eight, and no layer was replaced. The paper counts two of them as architecture, the context and the key-value heads: in its larger models several query heads share one key and one value (notebook 05). Three minutes.

# %% tags=["remove-input", "result"]
old, new = paper.fact("context_length_llama1").value, big.max_seq_len
largest = ("Llama 1 / see the Llama 1 paper / 65B",
           "Llama 2 / new mix of public online data / 70B")


def printed(column: str) -> list[str]:
    return [str(paper.table("table_1").cell(row, column)) for row in largest]


heads = [str(LlamaConfig.named(n).n_kv_heads) for n in ("llama-1-65b", "llama-2-70b")]
rows = [
    ["tokenizer, norm, positions, feed-forward", "these", "the same"],
    ["context, tokens", f"{old:,}", f"{new:,}"],
    ["key-value heads, largest model", *heads],
    ["trillion tokens read, largest", *printed("pretraining tokens (trillions)")],
    ["peak learning rate, largest model", *printed("peak learning rate")],
    ["chat models, and how they were made", "none", "Llama 2-Chat"],
]
table(rows, ["", "Llama 1", "Llama 2"], "What changed, and what was kept")

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["talk-llama1"]
# ### The small models read as much as the large one

# %% [markdown] slideshow={"slide_type": "notes"}
# The two points at the upper left are the news. In Llama 1 the small models had read less than the large ones; here they read as much. About twenty tokens for each parameter were held to be the best use of a training budget. Llama 1 had left that behind at these sizes, and Llama 2 goes twice as far.
#
# Ask who gains from a small model trained for long. Everyone who runs it afterwards. Two minutes.

# %% tags=["remove-input"]
show(
    drawings.draw_family(paper.table("table_1")),
    "Training tokens against parameters for Llama 1 and Llama 2: Llama 1 lies at one "
    "trillion for its two small models and higher for its two large ones, all four "
    "Llama 2 models lie at two trillion.",
    name="00_family",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-uniques", "short"]
# ## Llama 2 uniques: what no open model had shown before
#
# Two reward models, because helpfulness and safety pull apart. A margin in their loss that asks for more distance between clearly different answers. Five rounds, first with rejection sampling, which keeps the best of several answers, at last with PPO too, a method of reinforcement learning. **Ghost Attention**, which keeps an instruction alive over a long talk. Context distillation for safety. And all of it with its prices: hours, watts, annotations.

# %% [markdown] slideshow={"slide_type": "notes"}
# Say where each is rebuilt: notebooks 09, 10, 11, 12, 13. Rejection sampling, PPO and context distillation were known, and Llama 1 too gave its hours and watts; new is to see all of it together, for a chat model whose weights can be had.
#
# Ask which of these they have heard of elsewhere. Ghost Attention will be the one that nobody has. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-chat", "short", "predict"]
# ## Llama 2 to Llama 2-Chat: the second half is fed by people
#
# The foundation read {{fact:pretrain_tokens}} tokens. Then came demonstrations written by people, and comparisons made by people.
#
# **Predict.** How many demonstrations did Meta collect before it stopped: ten million, one million, or thirty thousand? And how many comparisons?

# %% [markdown] slideshow={"slide_type": "notes"}
# The number of demonstrations is {{fact:sft_annotations}}. They stopped there because tens of thousands were enough; fewer and better ones had beaten millions from other sources. On the axis each step of the grid is a factor of a hundred, so the lengths of the bars must not be compared.
#
# Comparisons are cheaper than demonstrations: it is easier to judge an answer than to write one. Three minutes.

# %% tags=["remove-input", "result"]
meta = paper.table("table_6").cell("Meta (Safety & Helpfulness)", "comparisons")
counts = {"tokens of pretraining text": paper.fact("pretrain_tokens").value,
          "comparisons by Meta's annotators": meta,
          "demonstrations": paper.fact("sft_annotations").value}
assert 20_000 < counts["demonstrations"] < 30_000
show(
    drawings.draw_data(counts),
    "Three horizontal bars on a logarithmic axis: two trillion tokens of text, about "
    "one point four million comparisons, about twenty-seven thousand demonstrations.",
    name="00_data",
)

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["talk-finetuning", "short"]
# ### Fine-tuning (AB): annotators choose between answer A and answer B
#
# Each comparison is a prompt, two answers by two variants of the model, a choice, and one of four degrees: {{fact:pref_scale}}. With comparisons for safety comes a safety label. The reward models learn from the choice; the degree sets the margin in their loss.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let the class annotate one pair themselves: write a question and two answers on the board and ask for choice and degree. They will disagree. So no judge can agree with all of them, not even one that knows the truth: notebook 09 computes that ceiling.
#
# Three minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-open", "short", "predict"]
# ## Llama 2 vs other open models: first among its peers
#
# The paper compares base models on grouped benchmarks. Here is MMLU, questions from many school and university subjects.
#
# **Predict.** At about equal size, by how many points does Llama 2 lead over MPT and Falcon, and over Llama 1: about five, fifteen, or forty?

# %% [markdown] slideshow={"slide_type": "notes"}
# The answer: nearly twenty over both rivals at 7B; where Llama 2 has 34B, nearly sixteen over the 30B of MPT and seven over the 40B of Falcon; five to ten over Llama 1. Not every group of Table 3 looks like this: in code both models of MPT are ahead of Llama 2.
#
# MMLU's four choices make twenty-five the score of a guesser. Ask which models are at that line: the 7B models of the two rivals.
#
# Two minutes.

# %% tags=["remove-input", "result"]
show(
    drawings.draw_mmlu(paper.table("table_3")),
    "MMLU scores against model size for MPT, Falcon, Llama 1 and Llama 2, from Table "
    "3 of the paper: Llama 2 leads at every size, and the smallest MPT and Falcon "
    "models lie near the line of guessing.",
    name="00_mmlu",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Near GPT-3.5 except in code, far from GPT-4

# %% [markdown] slideshow={"slide_type": "notes"}
# Three rows have a number for GPT-3.5 and GPT-4. The gap to GPT-4 is large in all three, the gap to GPT-3.5 in code only. The paper says so itself.
#
# A shot is an example that stands in the prompt. Empty cells were not reported. One minute.

# %% tags=["remove-input"]
paper.show_table("table_4")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-safety", "short"]
# ## Safety and helpfulness pull in two directions
#
# A model that refuses everything is safe. So the paper measures both: violations on about two thousand adversarial prompts, and refusals of harmless ones. On its helpfulness set false refusals are rare; on a set of {{fact:false_refusal_borderline_n}} borderline prompts they are not. The table adds two automatic measures, of truth and of toxic language.

# %% [markdown] slideshow={"slide_type": "notes"}
# The example everyone remembers: a chat model that would not explain how to kill a process.
#
# Notebook 13 measures both sides on the tiny model, with borderline twins of every unsafe request. Two minutes.

# %% tags=["remove-input"]
paper.show_table("table_14")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Meta employees, Mistral AI, and what came of it
#
# Two authors of Llama 1 founded Mistral AI with a researcher from DeepMind in spring 2023. {{context:mistral.release.days_after_llama2}} days after Llama 2 came Mistral 7B, a Llama in shape whose heads share keys in groups, with a sliding window, free of Llama's licence. Its paper claims to beat Llama 2 13B throughout; its own table holds one exception.

# %% [markdown] slideshow={"slide_type": "notes"}
# The exception is NaturalQuestions, by two tenths of a point. Notebook 15 tells the story with sources and builds the window.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Check it: does the paper add up?
#
# A reader's first duty is arithmetic. Several of the paper's tables print a total beneath counts that anybody can add. We take two.
#
# **Predict.** GPU hours in Table 2, comparisons in Table 6: do both totals agree with their rows?

# %% [markdown] slideshow={"slide_type": "notes"}
# Nobody expects a wrong sum in a paper that was read by half the field. It is small, unexplained, and without consequences; it is also a good reason to recompute things.
#
# Two minutes.

# %% tags=["result"]
for number, column in (("table_2", "GPU hours"), ("table_6", "comparisons")):
    printed = paper.table(number)
    at = printed.columns.index(column)
    *parts, total = [row[at] for row in printed.rows]
    print(f"{column:>11}: rows add to {sum(parts):,}, "
          f"printed {total:,}, gap {sum(parts) - total:,}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The hours agree, the comparisons do not
#
# The rows of the comparisons are 1,577 more than their total, and the paper does not say why. We keep both numbers in the ledger and quote neither without saying which. Parameters can be recomputed as well: our configurations must give the counts that other public code quotes.

# %% [markdown] slideshow={"slide_type": "notes"}
# The ledger behind this series marks each number with its table and with how many independent transcriptions agree on it. A number that is not in it does not get on a slide.
#
# One minute.

# %%
sizes = {"7b": "llama-2-7b", "13b": "llama-2-13b", "70b": "llama-2-70b"}
for short, name in sizes.items():
    ours = LlamaConfig.named(name).parameter_count()
    known = paper.fact(f"params_{short}").value
    print(f"{name:>11}: {ours:,}", "agrees" if ours == known else "differs")
    assert ours == known

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: a bug that raises no error
#
# Nothing in a network complains when a sign is wrong. We take the tiny model and damage it: in one layer, eight of the 128 outputs of its attention are given the opposite sign.
#
# **Predict.** Reading its output, would you notice?

# %% [markdown] slideshow={"slide_type": "notes"}
# This is the first exhibit of a museum that runs through the series: bugs, some of them famous, rebuilt. What they have in common is that nothing stops and the output looks nearly right.
#
# Let them read both lines. The broken model tells another story, still in sentences. Where a word is odd, ask how one would know that the bug did it: a model of this size has odd words without any bug.
#
# What exposes it here is the loss on unseen text, and only beside the loss of the right model: alone it would alarm nobody. In later notebooks the check is an equality with somebody else's code. Three minutes.

# %% tags=["result"]
broken = copy.deepcopy(model)
with torch.no_grad():
    broken.layers[2].attention.output.weight[:8] *= -1
for name, which in (("right", model), ("broken", broken)):
    answer, = generate(which, [prompt], 30, temperature=0.0)
    print(f"{name:>6}:", repr(tokenizer.decode(answer)))

# %%
heldout = stages.get("corpus").heldout
losses = [evaluate(which, heldout, 128, most=32) for which in (model, broken)]
holds(losses[1] > losses[0], "the broken model's loss is the higher")
print(f"loss on unseen text: right {losses[0]:.2f}, broken {losses[1]:.2f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The road map: build, align, look around
#
# After this one, six notebooks build the model, one trains it, five turn it into a chat model, and four look around: safety, comparisons, Mistral, discussion. Each stands alone and can be opened first.

# %% [markdown] slideshow={"slide_type": "notes"}
# Say which ones today's talk will touch. Every notebook has the same arc: a problem felt, a picture, the formal algorithm beside the source, a check by an independent witness, a bug, a measured use, the real sizes.
#
# Two minutes.

# %% tags=["remove-input"]
show(
    drawings.draw_roadmap(),
    "A path of seventeen numbered stations in three rows: 00 to 07 from overview to "
    "pretraining, 08 to 12 from fine-tuning to Ghost Attention, 13 to 16 from safety "
    "to discussion.",
    name="00_roadmap",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How to read a notebook of this series
#
# Before each result the page asks you to **predict**. Write your answer down, then run the cell. Sliders with frames move without a kernel. Exercises check themselves and name the usual mistakes. Everything runs on a laptop, offline; what has to be trained is trained on the spot, once.

# %% [markdown] slideshow={"slide_type": "notes"}
# Show the student edition: the same page with empty exercises.
#
# Ask them to really write predictions down. A wrong one that was written is worth more than a right one that was thought. One minute.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Conclusion and discussion: four questions to carry along
#
# What did the authors overlook? What could have been taken further? Were there errors? Have others disputed the findings? Notebook 16 answers with sources: data that was never described, a method that was never compared, a licence that is not quite open, a parity that later votes did not confirm.

# %% [markdown] slideshow={"slide_type": "notes"}
# Hand out one question to each row; they report at the end of the series. Say of the votes that they compared other versions of ChatGPT: that weakens the claim of parity and does not refute it.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What changed since, and future research
#
# Llama 3 read {{context:followups.llama3.tokens}} tokens and kept this architecture with grouped keys at every size. The alignment half changed more: the margin was dropped, and DPO, which learns from comparisons without a reward model, took the place of PPO. What stayed open is the subject of the last slides of notebook 16.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which half of the paper they expect to have aged better. The architecture, inherited, is nearly unchanged; of the alignment recipe rejection sampling stayed, while the margin and PPO were gone in the report on Llama 3 a year later.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: tokens for each parameter (3 minutes)
#
# How many tokens did a model read for each of its parameters? Return the ratio. Twenty was once thought to be the best use of a budget.

# %% [markdown] slideshow={"slide_type": "notes"}
# For the 7B model it is about three hundred. Ask what that means: it was trained for those who run it, not for the lowest loss at a given price.
#
# Three minutes.

# %% tags=["exercise", "minutes-3"]
def tokens_per_parameter(tokens: float, parameters: float) -> float:
    """Tokens read for each parameter."""
    ### BEGIN SOLUTION
    return tokens / parameters
    ### END SOLUTION


checks.check_tokens_per_parameter(tokens_per_parameter)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: days on a cluster (4 minutes)
#
# Table 2 gives GPU hours. Return how many days a model takes on a given number of GPUs, if a share `lost` of all the time that passes goes to restarts.

# %% [markdown] slideshow={"slide_type": "notes"}
# The slips: multiplying by what is left instead of dividing by it, leaving out the GPUs, and forgetting that a day has twenty-four hours.
#
# Four minutes.

# %% tags=["exercise", "minutes-4"]
def days(gpu_hours: float, n_gpus: int, lost: float) -> float:
    """Days on the calendar; ``lost`` is a share between zero and one."""
    ### BEGIN SOLUTION
    hours = gpu_hours / n_gpus / (1 - lost)  # what is left must be enough
    return hours / 24
    ### END SOLUTION


checks.check_days(days)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: what is a win rate? (5 minutes)
#
# Figure 2 of the paper defines it as wins over wins plus losses. Figure 1 shows wins, ties and losses as parts of a whole. Return both rates, in percent: without ties, and as a part of all.

# %% [markdown] slideshow={"slide_type": "notes"}
# The same votes give two numbers that sound alike. With those of Figure 1 against ChatGPT the first passes fifty and the second does not. Ask which one ends up in a headline.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def win_rates(win: float, tie: float, loss: float) -> tuple[float, float]:
    """Percent of decided comparisons won, and of all comparisons."""
    ### BEGIN SOLUTION
    return 100 * win / (win + loss), 100 * win / (win + tie + loss)
    ### END SOLUTION


checks.check_win_rates(win_rates)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# Llama 2 is Llama 1 with more text, a longer view and grouped keys in its larger models. The news is the second half: how a model that continues texts becomes one that answers, written down with numbers. This series rebuilds all of it on a model small enough to know the truth about.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for the one part they want to see broken and mended. Start there.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Links to helpful resources
#
# [Llama 2 paper](https://arxiv.org/abs/2307.09288) · [Llama 2 playground](https://huggingface.co/spaces/huggingface-projects/llama-2-7b-chat) · [Llama 1 paper](https://arxiv.org/abs/2302.13971) · [Transformers explained](https://deepgram.com/learn/visualizing-and-explaining-transformer-models-from-the-ground-up) · [RMS normalization](https://arxiv.org/abs/1910.07467) · [RoPE](https://arxiv.org/abs/2104.09864) · [Activation functions](https://www.geeksforgeeks.org/activation-functions-neural-networks/) · [SwiGLU](https://paperswithcode.com/method/swiglu) · [RLHF explained](https://huyenchip.com/2023/05/02/rlhf.html) · [MMLU dataset](https://paperswithcode.com/dataset/mmlu) · [MMLU paper](https://arxiv.org/abs/2009.03300)
#
# Next: notebook 01, how text becomes numbers.

# %% [markdown] slideshow={"slide_type": "notes"}
# These are the links of the talk's outline. The playground and the sites of Papers with Code may have moved on since; the papers have not. One minute.
