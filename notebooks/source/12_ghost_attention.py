# %% [markdown] slideshow={"slide_type": "slide"}
# # What is said once must hold to the end
#
# A chat model is told at the beginning how it shall speak. Some turns later it has forgotten. Ghost Attention is the paper's cure: not a new layer, but a way to write training dialogues.
#
# **Paper**: section 3.3, appendix A.3.5. **Minutes**: 125. **On the map**: fine-tuning, reward models, rejection sampling, PPO, *Ghost Attention*.
#
# Afterwards you can build such dialogues, prove which tokens teach, measure how long an instruction lasts, and find out what the model reads when it obeys.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: who has told a chatbot to answer briefly, and for how many answers did it? Expect "it ignores me at once". Often it obeys first and drifts later, and today the drift gets a number.
#
# Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
import copy
from dataclasses import replace

import torch

from minillama import paper, stages
from minillama.alignment.chat import Encoded, Message, encode_dialogue, encode_prompt
from minillama.alignment.data import pack
from minillama.alignment.ghost import (
    PROMPTS, Dialogue, applied, attention_to_system, compliance, converse, dropped,
    encode_last, joined, largest_attention, make_dialogues, sampled, system_span)
from minillama.alignment.rollout import answers, sample
from minillama.alignment.sft import SFTSettings, finetune
from minillama.config import LlamaConfig
from minillama.pasture import SystemPrompt
from minillama.pasture.scoring import mentions, numbers
from minillama.training.intervals import interval, paired_difference
from minillama.training.optimisation import next_token_loss

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
from minillama.teach import algorithm, frames, holds, show, table
from minillama.teach.checks import nb_12 as checks
from minillama.teach.drawings import nb_12 as drawings
from minillama.teach.playground import exchange, playground

study = stages.get("ghost")
tokenizer = study.tokenizer
models = {True: study.models["with"].eval(), False: study.models["without"].eval()}
forgetful = models[False]
context = forgetful.config.max_seq_len
last = max(row["turn"] for row in study.rows)  # as many turns as the context holds
KINDS = ("sum", "sound")  # short questions, so that many turns fit
talks = make_dialogues(40, (last,), seed=12, split="heldout", kinds=KINDS)
said = {ghost: converse(model, tokenizer, talks) for ghost, model in models.items()}


def kept(talk: Dialogue) -> list[bool]:
    """Which answers keep to the instruction."""
    return [talk.prompt.complies(answer) for answer in talk.answers]


# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The instruction is obeyed, and then it is gone
#
# A model has learnt to follow instructions that stand right before a question. Now it is told once, in a system message, how to end its answers, and is asked one question after another. Nothing is taken away: the instruction stays in its context all the time.
#
# **Predict.** Which answer is the first without the closing words?

# %% [markdown] slideshow={"slide_type": "notes"}
# The dialogue shown is chosen: the first in which the model obeys at the beginning and not at the end. The next slide counts all of them, so say it.
#
# Expect "the last ones, since the instruction is far away". Four minutes.

# %% tags=["result", "remove-input"]
shown = next(talk for talk in said[False] if kept(talk)[0] and not all(kept(talk)))
rows = [[number, task.prompt, answer, "yes" if obeyed else "no"] for
        number, (task, answer, obeyed) in enumerate(
            zip(shown.tasks, shown.answers, kept(shown)), 1)]
table(rows, ["turn", "question", "answer", "complies?"],
      f"Told once, before turn 1: “{shown.prompt.text}”")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## One dialogue is an anecdote, so we count
#
# Forty dialogues with questions that no training text contains, under twenty-one instructions: twelve personas that close with their sound, five other closings, four openings. A program reads every answer and knows whether it complies.
#
# **Predict.** Draw the share of answers that comply against the turn. Does it fall slowly, or at once?

# %% [markdown] slideshow={"slide_type": "notes"}
# Two instructions of the Pasture are left out: one sentence only, and at most four words. Ordinary short answers keep to them by accident, so they would measure nothing. Ask how one notices: ask the model without any instruction.
#
# Three minutes.

# %% tags=["result"]
for turn in range(last):
    obeyed = sum(kept(talk)[turn] for talk in said[False])
    print(f"turn {turn + 1}: {obeyed:2d} of {len(talks)} answers comply")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The plain cure: say it again in every turn
#
# Nobody forgets what was said a moment ago. So the program around the model could put the instruction in front of every question, unseen by the user.
#
# **Predict.** The same model, told in every turn: how many answers comply at turn 4? And what does it cost?

# %% [markdown] slideshow={"slide_type": "notes"}
# This is no straw man: many products do it. It also shows that the model can follow the instruction where it stands right before the question, so what failed on the last slide was reaching back: the words stood in its context all the time.
#
# Collect costs: room in the context, time, and a model that reads the same sentence ten times. Three minutes.

# %% tags=["result"]
four = [replace(talk, tasks=talk.tasks[:4]) for talk in talks]
told = converse(forgetful, tokenizer, four, layout=joined)
for turn in range(4):
    every = sum(kept(talk)[turn] for talk in told)
    once = sum(kept(talk)[turn] for talk in said[False])
    print(f"turn {turn + 1}: {every:2d} told every time, {once:2d} told once")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Repeating an instruction costs turns
#
# Our context is small, and so are our instructions. The lines count tokens of real dialogues of ours, on average.
#
# **Predict.** How many turns fit when the instruction stands in each of them, and how many when it stands in the first?

# %% [markdown] slideshow={"slide_type": "notes"}
# These are means, and in a test every dialogue must fit: hence four turns where it is told every time and six where it is told once, one fewer of each than the lines allow.
#
# The line of the instruction told once starts higher: the tags of a system message cost more than our short instruction itself. But the slope is what matters: a turn, against a turn and an instruction. The system message of a product is often longer than a whole question and answer, and then more than half of the context is repetition.
#
# Two minutes.

# %% tags=["result", "remove-input"]
def tokens(layout, turns: int) -> float:
    """Mean length of a finished dialogue in tokens."""
    made = applied(make_dialogues(40, (turns,), seed=3, kinds=KINDS))
    return sum(len(encode_dialogue(tokenizer, layout(talk)).ids) for talk in made) / 40


turn_cost = (tokens(dropped, 3) - tokens(dropped, 1)) / 2
rule_cost = (tokens(joined, 3) - tokens(joined, 1)) / 2 - turn_cost
system_cost = tokens(dropped, 1) - turn_cost
assert turn_cost > rule_cost > 5 and last * turn_cost < context
show(
    drawings.draw_room(*map(round, (rule_cost, system_cost, turn_cost)), context),
    "Tokens against turns: two rising lines, steeper where the instruction stands in "
    "every turn; a dashed line marks the context, which the steeper one meets "
    "earlier.",
    name="12_room",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-uniques"]
# ## The trick: write with the reminder, learn without it
#
# If the model behaved *as if* the instruction stood in every turn, nobody would have to write it. So let a model that sees it in every turn write the answers, and then train on these answers with the reminders taken away. Move the slider.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: go through the five pictures and ask each time what has changed. At "drop" ask what the model must now do to produce the third answer. Read far back: that is the attention in the name.
#
# There is no ghost token and no new layer, whatever some pages on the web say. Four minutes.

# %% tags=["remove-input"]
frames(drawings.draw_layouts, drawings.describe_layouts, figsize=(9, 3.6),
       step=list(drawings.STEPS))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-source", "formal"]
# ## The algorithm: join, sample, drop, and mask
#
# Given are the questions $q_1, \ldots, q_k$ of a dialogue (the paper calls them $u$) and an instruction $c$ that shall hold in all of them. The paper describes its method in prose; the steps are our reading of it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which steps need a model: sampling alone. Everything else moves text about.
#
# The paper does not say how earlier answers came about in every detail. We sample them too, turn by turn, each seeing those before. Three minutes.

# %% tags=["formal", "remove-input"]
algorithm("ghost", source=False)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## It is context distillation, with a dialogue in between
#
# In 2021 a prefix was removed by training: a model learns to answer *without* the text as it answers *with* it. The paper builds on that idea, and uses it again for safety in notebook 13. There the prefix vanishes altogether. Here it stays, once, far away, and the model learns to reach back for it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what would happen if step four dropped the instruction from the first turn as well. Trained like that on one persona, the model would be an owl for ever, asked or not: a persona burnt into the weights, which is what plain distillation does.
#
# The paper also calls the procedure analogous to rejection sampling: sample from the latest model, fine-tune on the samples. Three minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: join
#
# The paper joins instruction and question as text. Its instructions are hobbies to have, languages to speak, public figures to be. Ours close or open an answer in a way that a program can see.

# %% [markdown] slideshow={"slide_type": "notes"}
# In the paper the lists of hobbies and figures were written by the chat model itself, instructions were combined at random, and half of the time the result was put in fewer words. We leave both out. Ask what shortening might be good for: a model that has met one phrase need not know another. A later slide asks that of ours, with closings.
#
# Two minutes.

# %%
def join(rule: str, questions: list[str]) -> list[str]:
    return [f"{rule} {question}" for question in questions]  # step 1


talk = make_dialogues(1, (3,), seed=8, kinds=KINDS)[0]
for text in join(talk.prompt.text, [task.prompt for task in talk.tasks]):
    print(text)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: sample, turn by turn
#
# Each answer sees the questions and the answers before it, so turns come one after the other. A small model does not always comply. We ask it several times and keep the first answer that does, as rejection sampling would.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why not all turns at once. The second answer depends on the first.
#
# The policy here is the model that forgets. It is good enough, since it need not reach back for anything. In the study further down both models are trained on answers of their common parent, which was taught in the same way as the forgetful one. Say that the paper names no such selection: it samples from its latest model and calls the procedure analogous to rejection sampling. Three minutes.

# %%
def reply(model, dialogues: list[list[Message]], temperature=0.0, seed=0):
    """One answer to each dialogue; the last word is the user's."""
    prompts = [encode_prompt(tokenizer, messages) for messages in dialogues]
    generator = torch.Generator().manual_seed(seed)
    drawn = sample(model, prompts, 24, temperature, generator,
                   tokenizer.eos_id)
    return answers(drawn, tokenizer)


def next_answer(policy, messages: list[Message], complies, tries=8):
    """An answer that complies, or None."""
    drawn = reply(policy, [messages] * tries, 1.0)  # step 2
    return next(filter(complies, drawn), None)  # step 3


# %% slideshow={"slide_type": "subslide"}
messages = []
for text in join(talk.prompt.text, [task.prompt for task in talk.tasks]):
    messages.append(Message("user", text))
    chosen = next_answer(forgetful, messages, talk.prompt.complies)
    assert chosen is not None
    messages.append(Message("assistant", chosen))
    print(f"{text}\n    {chosen}")

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the answers aloud. Are the sums right? Nobody asked for that: only the instruction was tested. Ask what one would add: the reward model as a second sieve.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## How many dialogues survive the sieve?
#
# A dialogue is given up at the first turn at which no try complies. The package draws turn $t$ of all dialogues together.
#
# **Predict.** Forty dialogues of three turns. With one try a turn, and with eight: how many are left, if a single try complies with a chance $p$?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them write the formula: one minus the chance that all tries fail, to the power of three. With one try it is p cubed.
#
# The chance is not the same for all instructions: with one try more dialogues survive than the formula says, with many tries fewer. Ours nearly always complies, so little is lost here; with a weaker policy hard instructions would get rare. Three minutes.

# %% tags=["result"]
asked = make_dialogues(40, (3,), seed=9, kinds=KINDS)
for tries in (1, 2, 8):
    done = sampled(forgetful, tokenizer, asked, tries,
                   generator=torch.Generator().manual_seed(0))
    assert all(all(kept(talk)) for talk in done)
    print(f"tries a turn: {tries}, left: {len(done)} of {len(asked)} talks")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: drop
#
# The reminders go, the answers stay. What is left of the instruction is the system message of the first turn, in the place and between the tags where every user of the chat model will write it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what is odd about this text as a training example. The answers obey a rule that stands nowhere near them: that is exactly what is to be learnt.
#
# Two minutes.

# %%
def drop(rule: str, messages: list[Message]) -> list[Message]:
    clean = [replace(each, text=each.text.removeprefix(rule).strip())
             for each in messages]
    return [Message("system", rule), *clean]  # step 4


finished = drop(talk.prompt.text, messages)
spoken = tuple(each.text for each in messages[1::2])
assert finished == dropped(replace(talk, answers=spoken))
for message in finished:
    print(f"{message.role:>9}: {message.text}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: zero loss on all that came before
#
# Supervised fine-tuning takes a loss on every answer. Here the earlier answers are only read. The last one is learnt, and for it everything else is context.

# %% [markdown] slideshow={"slide_type": "notes"}
# Count the green tokens. The price is plain: a dialogue of three turns teaches a third of what it could. So such data are dear. The paper applies the method after the third of its five rounds.
#
# The paper zeroes the loss for all tokens of earlier turns; for the question of the last turn it follows from fine-tuning. Three minutes.

# %%
def last_answer_marks(messages: list[Message]) -> Encoded:
    encoded = encode_dialogue(tokenizer, messages)
    start = len(encode_prompt(tokenizer, messages[:-1]))  # step 5
    learnt = [place >= start for place in range(len(encoded.ids))]
    return Encoded(encoded.ids, learnt)


usual = encode_dialogue(tokenizer, finished)
zeroed = last_answer_marks(finished)
assert zeroed == encode_last(tokenizer, finished, context)

# %% tags=["remove-input"] slideshow={"slide_type": "subslide"}
show(
    drawings.draw_marks({"Fine-tuning: every answer is learnt": usual.is_answer,
                         "Ghost Attention: the last one": zeroed.is_answer},
                        usual.is_answer),
    "Two strips of the tokens of one dialogue of three turns: in the upper all three "
    "answers are marked as learnt, in the lower only the third.",
    name="12_marks",
)

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask how many of the tokens are instruction: the first grey block is long because of it and its tags.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Ask the gradient
#
# A mask may be shifted by one, or lost on the way to the loss. Autograd knows nothing of our masks. We write the loss of the last answer by hand, from the logits, and compare the gradients of all weights with those of the trainer's loss, for the usual marks and for ours.
#
# **Predict.** The largest difference of any gradient, with the usual marks and with ours?

# %% [markdown] slideshow={"slide_type": "notes"}
# With ours it is rounding: an ignored target does not enter the sum at all.
#
# The usual marks are run beside it, because a test that cannot fail shows nothing. Three minutes.

# %%
def gradient(loss: torch.Tensor) -> torch.Tensor:
    """Of all weights, as one vector."""
    forgetful.zero_grad()
    loss.backward()
    return torch.cat([w.grad.flatten() for w in forgetful.parameters()])


def by_hand(encoded: Encoded, start: int) -> torch.Tensor:
    """Mean surprise of the tokens from ``start`` on, from the logits."""
    ids = torch.tensor(encoded.ids)
    logs = forgetful(ids[None, :-1])[0].log_softmax(dim=-1)
    return -logs[torch.arange(start - 1, len(ids) - 1), ids[start:]].mean()


# %% tags=["result"] slideshow={"slide_type": "subslide"}
start = len(encode_prompt(tokenizer, finished[:-1]))
wanted = gradient(by_hand(usual, start))
for name, encoded in (("every answer", usual), ("last answer", zeroed)):
    window = pack([encoded], len(encoded.ids) - 1)
    loss = next_token_loss(forgetful(window.inputs), window.targets)
    gap = (gradient(loss) - wanted).abs().max()
    print(f"loss on {name:>12}: gradients differ by {gap:.1e}")
    assert (gap < 1e-5) == (encoded is zeroed)
forgetful.zero_grad()

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for a bug that this would not find: the mask on the wrong answer. For that we decode what is learnt, next.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Is it right? Read what is learnt
#
# Decode the marked tokens alone. There must be one answer, the last, with its end mark, and no word of a question. Then look at the logits: a position whose next token is not learnt must get a gradient of exactly zero.

# %% [markdown] slideshow={"slide_type": "notes"}
# Both directions are asserted: zero before, and not zero from the answer on. The first prediction that counts stands one place before the first token of the answer; ask why.
#
# Zero is the gradient of the logits there, not of everything: keys and values of earlier tokens do get one, since the last answer reads them.
#
# Two minutes.

# %%
learnt = [i for i, mine in zip(zeroed.ids, zeroed.is_answer) if mine]
assert tokenizer.decode(learnt).strip() == finished[-1].text
assert learnt[-1] == tokenizer.eos_id
window = pack([zeroed], len(zeroed.ids) - 1)
logits = forgetful(window.inputs)
logits.retain_grad()
next_token_loss(logits, window.targets).backward()
reached = logits.grad.abs().amax(dim=-1)[0] > 0  # (length,)
forgetful.zero_grad()
assert reached.tolist() == zeroed.is_answer[1:]
print(f"learnt: {tokenizer.decode(learnt)!r}; {int(reached.sum())} of "
      f"{len(reached)} positions get a gradient")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: a loss on every answer
#
# Take dialogues from a world without instructions, put one in front, and let only the *last* answer comply. The earlier ones are as people wrote them. This is the mismatch that the paper names as its reason for the zero loss.
#
# **Predict.** Two copies of one model learn from the same dialogues, one from all answers, one from the last. What does each do at turn 1, and at turn 4?

# %% [markdown] slideshow={"slide_type": "notes"}
# A loss on every answer teaches two things that contradict each other: under this instruction do not comply, and comply at the end. Ask which one wins at turn 1.
#
# It is the reason why the zero loss is not a detail. Where all answers comply, as in our own sampled dialogues, a loss on all of them would do no harm. Four minutes.

# %%
def mismatched(talk: Dialogue) -> list[Message]:
    """The instruction first, ordinary answers, and only the last complies."""
    ordinary = [task.reference for task in talk.tasks[:-1]]
    return dropped(replace(talk, answers=(*ordinary, talk.answers[-1])))


learning = applied(make_dialogues(300, (2, 3, 4), seed=4, kinds=KINDS))
settings = SFTSettings(epochs=2, batch=8, length=context - 1, peak=1e-3)
broken = {}
for name, encode in (("every answer", encode_dialogue),
                     ("last answer", encode_last)):
    extra = (context,) if encode is encode_last else ()
    rows = [encode(tokenizer, mismatched(talk), *extra) for talk in learning]
    broken[name] = copy.deepcopy(forgetful)
    finetune(broken[name], pack(rows, context - 1), settings, progress=False)

# %% tags=["result", "remove-input"] slideshow={"slide_type": "subslide"}
found = {f"loss on {name}": [turn.share for turn in compliance(
    model, tokenizer, four, 4)] for name, model in broken.items()}
every, only = (found[f"loss on {name}"] for name in ("every answer", "last answer"))
holds(only[0] > every[0] + 0.2, "a loss on every answer teaches to disobey at turn 1")
show(
    drawings.draw_bars(found, [f"turn {n}" for n in range(1, 5)],
                       "A loss on every answer teaches to disobey"),
    "Bars of complying answers at turns one to four for two models: the one trained "
    "with a loss on every answer complies far less at the first turn than the one "
    "trained on the last answer alone.",
    name="12_mismatch",
)

# %% [markdown] slideshow={"slide_type": "notes"}
# One run of each, forty dialogues: a difference of a few answers means nothing here, and the first bars differ by much more. Ask why the loss on the last answer does not make every answer comply either. A guess: in training the answers before it always broke the rule, and here its own have kept it.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-uniques", "short", "predict"]
# ## Use it: with and without, turn by turn
#
# Three seeds of each, from the same model. Both learn the same last answers to the same questions. With Ghost Attention the instruction stands in the first turn and all earlier answers comply; without, it stands in the last turn and the earlier answers are ordinary.
#
# **Predict.** The whole figure: two lines over the turns.

# %% [markdown] slideshow={"slide_type": "notes"}
# Spend time on the comparison, it is the fair part. The model without has as many dialogues of the same length, knows every instruction and has trained about as many steps. What it never saw is an instruction that has to last.
#
# Four minutes.

# %% tags=["result", "remove-input"]
by_turn = {ghost: [[row["compliance"] for row in study.rows
                    if row["ghost"] == ghost and row["turn"] == turn]
                   for turn in range(1, last + 1)] for ghost in (True, False)}
assert last >= 4 and all(len(seeds) == 3 for seeds in by_turn[True])
holds(min(sum(seeds) / 3 for seeds in by_turn[True]) > 0.7,
      "with Ghost Attention most answers comply to the last turn")
holds(max(sum(seeds) / 3 for seeds in by_turn[False][1:]) < 0.2,
      "without it obedience is gone at the second turn")
show(
    drawings.draw_compliance({ghost: [interval(seeds) for seeds in turns]
                              for ghost, turns in by_turn.items()}),
    "Share of answers that comply against the turn, with intervals over three seeds: "
    "with Ghost Attention the line stays high to the last turn, without it the line "
    "falls far below.",
    name="12_compliance",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Our Table 30

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the row of turn four in a full sentence, with the word interval in it. Student's interval knows no upper limit; read what lies above one as one. The two models of a seed share dialogues, order of batches and test questions, so the difference is taken pair by pair. All seeds start from the same obedient model: the intervals speak of what is trained from it, not of other parents.
#
# Three minutes.

# %% tags=["remove-input"]
rows = []
for turn, (ours, theirs) in enumerate(zip(by_turn[True], by_turn[False]), 1):
    gap = paired_difference(ours, theirs)
    rows.append([turn, sum(theirs) / 3, sum(ours) / 3,
                 f"{gap.low:+.2f} to {gap.high:+.2f}"])
    holds(turn < 2 or (gap.mean > 0.4 and gap.low > 0),
          f"at turn {turn} Ghost Attention is shown to keep the instruction alive")
table(rows, ["turn", "without", "with Ghost Attention", "difference, 95% interval"],
      "Share of answers that comply, told once, three seeds", ".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is the answer still right?
#
# An answer may keep the form and lose the content. We count the answers that name the right sum or the right sound, whatever stands around it.
#
# **Predict.** Does the obedient model know less than the forgetful one? Does either get worse from the first to the last turn?

# %% [markdown] slideshow={"slide_type": "notes"}
# The usual marks of a task would not do: form would punish an answer that opens with "Good day", and the mark for a sound allows no second sound, so a goose that says "moo, honk" of a cow would be wrong, and obeying would seem to cost content. Ask how one finds such a flaw: score answers that a rule made right and obedient, and see whether they get all points.
#
# Nearly all sounds are right and nearly all sums wrong, with obedience or without, so the turns differ mostly by how many sums they have. A few answers in forty are noise: one standard error is about three answers. One model of each. Three minutes.

# %% tags=["result", "remove-input"]
def is_right(task, answer: str) -> bool:
    if task.kind == "sum":
        return numbers(answer)[-1:] == numbers(task.reference)[-1:]
    return mentions(answer, task.reference.split()[-1])  # a persona's may follow


def pairs(talks):
    return [pair for talk in talks for pair in zip(talk.tasks, talk.answers)]


assert all(is_right(*pair) for pair in pairs(applied(talks)))  # obedient and right
rows = [[turn + 1, *(sum(is_right(*pair) for pair in pairs(said[ghost])[turn::last])
                     / len(talks) for ghost in (False, True))] for turn in range(last)]
rows.append(["all", *(sum(shares) / last for shares in list(zip(*rows))[1:])])
holds(abs(rows[-1][1] - rows[-1][2]) < 0.1, "both models are right about as often")
sums, sounds = ([is_right(*pair) for pair in pairs(said[True]) if pair[0].kind == kind]
                for kind in KINDS)
holds(sum(sounds) > 0.8 * len(sounds) and sum(sums) < 0.2 * len(sums),
      "nearly all sounds are right and nearly all sums wrong")
table(rows, ["turn", "without", "with Ghost Attention"],
      "Share of right answers in forty dialogues, one model of each", ".2f",
      highlight_rows=[last])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Does it follow an instruction that it never met?
#
# The paper shows answers as haiku, a form that its Ghost Attention data did not contain. We invent four closings that stand in no training dialogue and put them into the same sentence: *End every answer with ...*
#
# **Predict.** Has the model learnt to follow the sentence, or has it learnt twenty-one sentences by heart?

# %% [markdown] slideshow={"slide_type": "notes"}
# Take a vote before running. A model of a million parameters that met seventeen closings and four openings has little reason to read: recognising them is enough.
#
# None of them is followed, with Ghost Attention or without. Ask what would be needed to teach reading: many closings, so that learning them by heart no longer pays. Four minutes.

# %% tags=["remove-input"]
def closing(words: str) -> SystemPrompt:
    """An instruction in the usual sentence with a closing of our own."""
    known = next(prompt for prompt in PROMPTS if prompt.name == "closing-hey-ho")
    return SystemPrompt(words, known.text.replace("hey ho", words),
                        lambda answer: answer.rstrip(".!").endswith(words),
                        lambda answer: f"{answer.rstrip('.')}, {words}.")


new = [closing(words) for words in ("dear cat", "my old farm", "so there", "good hay")]
strange = make_dialogues(40, (4,), seed=13, split="heldout", kinds=KINDS, prompts=new)
found = {drawings.ARMS[ghost][0]: [turn.share for turn in compliance(
    model, tokenizer, strange, 4)] for ghost, model in models.items()}

# %% tags=["result", "remove-input"]
holds(max(max(shares) for shares in found.values()) < 0.1,
      "a closing that was never trained is not followed")
show(
    drawings.draw_bars(found, [f"turn {n}" for n in range(1, 5)],
                       "A closing that was never trained is not followed"),
    "Bars of complying answers at turns one to four under instructions that were "
    "never trained, with and without Ghost Attention: nearly none complies.",
    name="12_unseen",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## What does it read: the instruction, or its own answers?
#
# At the last turn there are two places to learn the rule from: the system message, and the model's earlier answers, all of which comply. In one case we replace the earlier answers by ordinary ones, which break the rule; in the other we remove the system message.
#
# **Predict.** Which of the two does more harm to the last answer?

# %% [markdown] slideshow={"slide_type": "notes"}
# In the paper's Table 30 nobody separates the two. A model that copies the style of its last answer would score a hundred there as well, as long as it never slips.
#
# Expect "it reads the instruction, that is the point of the method". In ours the earlier answers weigh more where the two disagree: it obeys because it was told and because it did so before. At turn 1, with no answers before, the rule alone is enough. One model, forty dialogues. Four minutes.
#
# The two cases are not alike: answers that break the rule speak against it, while a rule that is removed is merely silent. So the figure says which wins a quarrel, not which of the two is read more. The model without Ghost Attention fails even where both agree: it has learnt neither to reach back nor to copy.

# %%
whole = applied(talks)  # all answers comply
cases = {"both": [], "answers that break it": [], "only the answers": []}
for talk in whole:
    before = replace(talk, answers=talk.answers[:-1])
    slipped = replace(talk, answers=tuple(
        task.reference for task in talk.tasks[:-1]))
    cases["both"].append(dropped(before))
    cases["answers that break it"].append(dropped(slipped))
    cases["only the answers"].append(dropped(before)[1:])

# %% tags=["result", "remove-input"] slideshow={"slide_type": "subslide"}
found = {}
for ghost, model in models.items():
    found[drawings.ARMS[ghost][0]] = [
        sum(talk.prompt.complies(text) for talk, text in zip(
            whole, reply(model, dialogues))) / len(whole)
        for dialogues in cases.values()]
both, rule_alone, answers_alone = found[drawings.ARMS[True][0]]
holds(both > answers_alone > rule_alone + 0.1,
      "where rule and answers disagree, the model follows the answers")
show(
    drawings.draw_bars(found, list(cases),
                       "Where rule and answers disagree, it follows the answers"),
    "Three groups of bars for the last turn, with and without Ghost Attention: both "
    "sources agree, earlier answers break the rule, only earlier answers are left.",
    name="12_sources",
)

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for a sentence that the figure supports and one that it does not. What an answer depends on is shown by changing it; where attention looks, on the next slide, shows less.
#
# Three minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Where does it look? The paper's Figure 10, in small
#
# For every pair of tokens we take the largest attention weight over all layers and heads. Rows read, columns are read. The paper shows that with Ghost Attention the columns of the system message stay dark further down.
#
# **Predict.** Will they here?

# %% [markdown] slideshow={"slide_type": "notes"}
# The same dialogue for both models, all answers complying, so the maps differ by the weights alone. Two orange lines mark the system text. With Ghost Attention some columns in it or just behind it stay dark for several turns more; without, they fade after the first turn. How far down they reach differs from run to run.
#
# Three minutes.

# %% tags=["result", "remove-input"]
example = dropped(whole[0])
encoded = encode_dialogue(tokenizer, example)
starts = [place for place, i in enumerate(encoded.ids) if i == tokenizer.bos_id]
show(
    drawings.draw_maps({ghost: largest_attention(model, encoded.ids)
                        for ghost, model in models.items()},
                       system_span(tokenizer, example), starts),
    "Two heat maps of the largest attention weight between bins of tokens of one "
    "dialogue, with and without Ghost Attention; the columns of the system text lie "
    "between two lines.",
    name="12_maps",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## One map is an anecdote too
#
# For each answer we take the mean, over its tokens, of the largest weight on the system text, in twenty dialogues.
#
# **Predict.** Two lines over the turns: do they part where compliance parted?

# %% [markdown] slideshow={"slide_type": "notes"}
# A largest weight over all heads is a generous measure: one head that always looks back is enough. Where the two lines lie close, the figure of the paper would look much the same with and without.
#
# Compliance parts at the second turn. The lines may part at the first already, where both models obey: a larger weight is not yet more obedience. They also come down from turn to turn, while compliance with Ghost Attention hardly does. One model of each; the intervals are over dialogues.
#
# If someone asks whether attention explains: compare with the last but one slide. Three minutes.

# %% tags=["remove-input"]
looks = {}
for ghost, model in models.items():
    turns = [[] for _ in range(last)]
    for talk in whole[:20]:
        marks = encode_dialogue(tokenizer, dropped(talk)).is_answer
        weights = attention_to_system(model, tokenizer, dropped(talk))
        begins = [i for i, mine in enumerate(marks) if mine and not marks[i - 1]]
        for turn, start in enumerate(begins):
            end = (marks + [False]).index(False, start)
            turns[turn].append(weights[start:end].mean().item())
    looks[ghost] = [interval(found) for found in turns]

# %% tags=["result", "remove-input"]
holds(all(ours.mean > theirs.mean for ours, theirs in zip(
    looks[True][1:], looks[False][1:])),
    "from the second turn on answers look back more with Ghost Attention")
show(
    drawings.draw_system(looks),
    "Largest attention weight of answers on the system text against the turn of the "
    "answer, with intervals over twenty dialogues, with and without Ghost Attention.",
    name="12_system",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 70B: what repetition would cost
#
# A system message of two hundred tokens, turns of a hundred and fifty, a context of {{fact:context_length}}. Keys and values of the 70B model take the bytes that notebook 05 counted.
#
# **Predict.** At turn ten, how much of the cache would hold the same sentence over and over?

# %% [markdown] slideshow={"slide_type": "notes"}
# Sizes of message and turn are ours, chosen to be ordinary; the paper gives none. Let them say first how many turns fit.
#
# Three minutes.

# %% tags=["result", "remove-input"]
big, rule, turn = LlamaConfig.named("llama-2-70b"), 200, 150
rows = []
for name, told in (("in every turn", 10), ("once", 1)):
    room = big.max_seq_len // (rule + turn) if told > 1 else (
        (big.max_seq_len - rule) // turn)
    mib = big.kv_cache_bytes(1, told * rule) / 2**20
    rows.append([name, 10 * turn + told * rule, f"{mib:.4g}", room])
assert rows[0][3] < rows[1][3] / 2
table(rows, ["instruction", "tokens at turn ten", "MiB of cache for the instruction",
             "turns that fit"], "Llama 2 70B, arithmetic")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports: all answers, up to turn {{fact:gatt_turns.turns}}
#
# Annotators judged whether answers still respect a defined attribute. The dialogues stayed below {{fact:gatt_turns.max_tokens_in_test}} tokens, nearly the whole of the context. How many dialogues were judged is not stated, nor are settings of the fine-tuning.

# %% [markdown] slideshow={"slide_type": "notes"}
# A hundred per cent in every row, without a number of dialogues and without an interval: ask what they would want to know before believing it. Applied after the third round of RLHF, the paper says.
#
# It was tried on Llama 1 first, fine-tuned with a longer context than it was pretrained with, and held beyond the length of its pretraining. Three minutes.

# %% tags=["remove-input"]
paper.show_table("table_30")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where ours agrees with the paper, and where it cannot
#
# The same shape: obedience goes without Ghost Attention, in ours at the second turn, in the paper between the second and the sixth; with it every answer of the paper's complies to the end, and most of ours. Not the same: our instructions are checked by a program and not by people; our dialogues have a handful of turns; our policy was first taught by rule to obey, where the paper's was a finished chat model; no shortening of instructions, no combining.

# %% [markdown] slideshow={"slide_type": "notes"}
# Say it once more: the first lesson in obedience was written by rule, the function applied, since our small chat model follows no instruction by itself. After that, dialogues of up to four turns were sampled; of those with six hardly any fits into the context with the instruction in every turn, and of those with five not all do, so their answers were made by rule too.
#
# Ask which of the four differences they would remove first. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed since
#
# The name did not last, the practice did: later chat models are trained on dialogues whose system messages must hold, and are tested on them. Contexts have grown from {{fact:context_length}} tokens to a hundred thousand and more, so a forgotten first message is a harder problem than it was. That a model obeys the system message has also become a matter of security: users try to talk it out of it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Only the paper's own length is a number here, on purpose: the ledger holds none for the rest, and what is not confirmed is not printed.
#
# Ask what a user must say to break the rule of our owl. Try it at the playground. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The playground: base, SFT and RLHF side by side
#
# Everything since notebook 07 in one table: the model that continues text, the one that was shown answers, and the one that was rewarded for them, with both rewards, the distance from SFT and the tokens.
#
# **Predict.** Which of the three end by themselves, and whose KL is known beforehand?

# %% [markdown] slideshow={"slide_type": "notes"}
# The base is asked in the form of its own corpus, since it never met a chat tag. The SFT model is at no distance from itself. The KL of one answer may be negative; only its expectation may not.
#
# Let the class propose two questions before showing this one. It was not chosen for its answers: food is the kind of question that no version learnt well, as notebook 11 shows, and a base that copies may do better than all of its children. Four minutes.

# %% tags=["result"]
exchange("Olive the owl likes plums. Rolf the bee likes buns. "
         "What does Rolf like?")

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### And a request that should be refused
#
# **Predict.** Who refuses, and whom does the safety reward like best?

# %% [markdown] slideshow={"slide_type": "notes"}
# One answer each: a few hundredths between two refusals mean nothing, and the base may refuse too, in another run.
#
# Harmless on paper: tricks on animals are the crimes of this farm. Notebook 13 is about nothing else.
#
# Two minutes.

# %% tags=["result"]
exchange("How do I scare the hens at night?")

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["live"]
# ### Now you
#
# Type a question and press the button. In a terminal: `python3 course.py chat`.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: the same question at temperature zero and one, three presses each. Ask what stays the same.
#
# Five minutes, or as long as they like.

# %% tags=["live"] slideshow={"slide_type": "skip"}
playground()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: only the last answer (6 minutes)
#
# Given one mark a token, True on everything that the assistant wrote in any turn, return marks that are True on its last answer alone. Leave the given list as it is.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: the first answer, the last token, and everything from the start of the last answer on even where a question follows.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def last_answer_only(is_answer: list[bool]) -> list[bool]:
    """Marks of the last answer; an answer is an unbroken run of True."""
    ### BEGIN SOLUTION
    end = len(is_answer) - is_answer[::-1].index(True)
    start = end
    while start > 0 and is_answer[start - 1]:
        start -= 1
    return [start <= place < end for place in range(len(is_answer))]
    ### END SOLUTION


checks.check_last_answer_only(last_answer_only)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: the dialogue that is trained on (5 minutes)
#
# The instruction, the bare questions and the sampled answers are given. Return the messages of the training example as pairs of role and text; roles are `system`, `user` and `assistant`.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: the instruction still in every question, or in the last, or nowhere. Each of them is a method somebody could defend; ask what it would teach.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def training_dialogue(rule: str, questions: list[str], replies: list[str]
                      ) -> list[tuple[str, str]]:
    """Roles and texts, the instruction said once."""
    ### BEGIN SOLUTION
    dialogue = [("system", rule)]
    for question, answer in zip(questions, replies):
        dialogue += [("user", question), ("assistant", answer)]
    return dialogue
    ### END SOLUTION


checks.check_training_dialogue(training_dialogue)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: how long does an instruction last? (6 minutes)
#
# For each dialogue there is a list that says which answers complied, turn by turn. Some dialogues end early. Return the share of complying answers at each turn, among the dialogues that have that turn.

# %% [markdown] slideshow={"slide_type": "notes"}
# The famous slip is dividing by all dialogues, which makes every method look forgetful. The next is survival: a model that slips once and returns is not counted as lost by the paper.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def share_by_turn(obeyed: list[list[bool]]) -> list[float]:
    """One share for each turn of the longest dialogue."""
    ### BEGIN SOLUTION
    shares = []
    for turn in range(max(map(len, obeyed))):
        column = [marks[turn] for marks in obeyed if len(marks) > turn]
        shares.append(sum(column) / len(column))
    return shares
    ### END SOLUTION


checks.check_share_by_turn(share_by_turn)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: how many turns fit? (4 minutes)
#
# Given in tokens are a context, an instruction, and a turn: question, answer and tags together. Return how many whole turns fit, with the instruction in every turn or once.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: forgetting that even once it takes room, and a turn that fits in part.
#
# Four minutes.

# %% tags=["exercise", "minutes-4"]
def turns_that_fit(context: int, rule: int, turn: int,
                   every_turn: bool) -> int:
    """Number of whole turns."""
    ### BEGIN SOLUTION
    if every_turn:
        return context // (rule + turn)
    return (context - rule) // turn
    ### END SOLUTION


checks.check_turns_that_fit(turns_that_fit)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# Ghost Attention is data: answers written with a reminder, learnt without it, and a loss on the last of them alone. Compliance is counted turn by turn, against a model that learnt the same last answers with the instruction right before them. And obeying may come from reading the rule or from copying oneself: to know, take one of them away.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for a behaviour other than style that one could teach like this: a language, a refusal, a fact about the user said once. Then ask what it would cost.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Llama 2](https://arxiv.org/abs/2307.09288), section 3.3 and appendix A.3.5. [Context distillation, in A General Language Assistant as a Laboratory for Alignment](https://arxiv.org/abs/2112.00861).
#
# Next: notebook 13, safety and helpfulness, where a prefix is distilled away altogether.

# %% [markdown] slideshow={"slide_type": "notes"}
# The second link holds the idea in its original form, in half a page. One minute.
