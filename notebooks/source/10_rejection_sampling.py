# %% [markdown] slideshow={"slide_type": "slide"}
# # Draw many answers, keep the best, imitate it
#
# The fine-tuned model often knows a better answer than the one it gives. A reward model can tell which. Rejection sampling joins the two: it is how Llama 2-Chat was made up to its fourth version.
#
# **Paper**: section 3.2.3, Figures 7 and 8. **Minutes**: 100. **On the map**: base, fine-tuning, reward models, *rejection sampling*, PPO, Ghost Attention.
#
# Afterwards you can write a round, say exactly what the best of $n$ is and how far away it lies, find what a round forgets, and price it at 70B.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: who has asked a chatbot the same question twice to get a better answer? Everybody has. Ask who chose, and what would happen if the model learnt from that choice. That is the whole method.
#
# Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
import copy, itertools, math, random

import torch
from torch import Tensor

from minillama import config, paper, pasture, stages
from minillama.alignment import data, enumerable, reward as reward_models
from minillama.alignment.chat import Encoded, encode_prompt, question
from minillama.alignment.rejection import (
    RejectionSettings, best_of_n, best_of_n_kl, choose, draw_answers, max_and_median,
    rejection_round)
from minillama.alignment.rollout import answers, respond
from minillama.alignment.sft import finetune
from minillama.stages_chat import KINDS
from minillama.teach import algorithm, frames, holds, show, table
from minillama.teach.checks import nb_10 as checks
from minillama.teach.drawings import nb_10 as drawings
from minillama.training.intervals import interval, paired_difference

sft, runs = stages.get("sft"), stages.get("rlhf")
tokenizer, judge = sft.tokenizer, stages.get("rewards").helpfulness.eval()

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-chat", "predict"]
# ## The better answer is already in the model
#
# Forty held-out questions, each answered eight times by the fine-tuned model of notebook 08, at temperature one. In the Pasture the true utility of every answer is known, between zero and one.
#
# **Predict.** Somebody who knows the truth keeps the best of the eight. How much of what is missing in an answer taken at random does that add: little, half, or more?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them vote before running. Expect "little, it is the same model". The model is a distribution, and its best draw can be far from its typical one.
#
# Read the eight answers aloud. Nobody has trained anything yet. Three minutes.

# %% tags=["result", "remove-input"]
tasks = pasture.make_tasks(40, seed=10, split="heldout", kinds=KINDS)
asked = [task for task in tasks for _ in range(8)]
texts, _ = respond(sft.model, tokenizer, [task.prompt for task in asked],
                   generator=torch.Generator().manual_seed(0))
truth = torch.tensor([task.utility(text) for task, text in zip(asked, texts)])
truth = truth.view(40, 8)
mixed = int(truth.std(dim=1).argmax())  # the question it is least sure of
print(tasks[mixed].prompt)
for text, value in zip(texts[8 * mixed:], truth[mixed]):
    print(f"  {value:.1f}  {text[:60]}")
holds(truth.amax(dim=1).mean() - truth.mean() > 0.5 * (1 - truth.mean()),
      "the best of eight adds more than half of what is missing")
print(f"any answer {truth.mean():.2f}, best of 8 {truth.amax(1).mean():.2f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Choosing is easier than writing, so let the judge teach
#
# A round has four parts. The policy, as the model that answers is called from here on, answers every prompt several times. The reward model scores all answers. The best answer to each prompt is kept. The policy is fine-tuned on what was kept, exactly as in notebook 08, with its own words in place of a person's.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask where a human stands in this picture. Nowhere: people compared answers earlier, and the reward model stands in for them. That is why a round is cheap and why it can go wrong.
#
# The answers in the picture are invented. Two minutes.

# %% tags=["remove-input"]
show(drawings.draw_round(),
     "A question leads to four answers with their rewards; an arrow goes on from the "
     "answer of highest reward alone, to a box that says fine-tune on it.",
     name="10_round")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: one round
#
# The policy is $\pi_\theta$, the reward of an answer $R$. An answer that was cut off for its length is lowered in step 3, for a reason that the second half of this notebook shows. How many answers the paper draws, and for how many prompts, it does not say. In the box they are $K$ and $n$; on all other slides $n$ counts the answers.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for the shapes: prompts by answers everywhere. Ask along which of the two the maximum in step 4 is taken, and remember the answer for the first bug.
#
# Three minutes. The source in the package carries the same numbers.

# %% tags=["formal", "remove-input"]
algorithm("rejection_round", source=False)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Build it: the round, with dice for a policy
#
# The function knows nothing of language. So we can try it on something of which everything is known: a policy that throws a die, and a reward that is the number thrown.
#
# **Predict.** The mean of a die is three and a half. What is the mean of the best of three?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them guess to one digit. Expect "six, or nearly". It is a little under five.
#
# The truth next to it is a sum over all throws of three dice, two hundred and sixteen of them. Two minutes.

# %%
def one_round(draw, score, prompts, n):
    """The best of n answers to each prompt, and all scores, (prompts, n)."""
    answers = [[draw(prompt) for _ in range(n)] for prompt in prompts]
    scores = torch.tensor([[score(prompt, answer) for answer in row]
                           for prompt, row in zip(prompts, answers)])
    best = scores.argmax(dim=1).tolist()
    return [row[place] for row, place in zip(answers, best)], scores


# %% tags=["result"]
random.seed(0)
throw, worth = lambda _: random.randint(1, 6), lambda _, die: float(die)
best, scores = one_round(throw, worth, range(20_000), n=3)
exact = [max(dice) for dice in itertools.product(range(1, 7), repeat=3)]
played, truth = sum(best) / len(best), sum(exact) / len(exact)
print(f"played {played:.3f}, exact {truth:.3f}")
assert abs(played - truth) < 0.03

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Earlier models had the parts, Llama 2 made them a ladder
#
# InstructGPT fine-tuned and went straight to PPO. Anthropic's assistant of 2022 drew several answers and kept the best, mostly of sixteen, to gather better comparisons from people. Llama 2 learns from the best answers, and does so again and again: new answers, new comparisons, new reward models, four times over, before PPO touches it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what else can be done with the best of sixteen. Give it to the user, every time: that costs sixteen answers for each question for ever. Imitation pays once.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: one set of draws gives the whole curve
#
# Thirty-two answers were drawn, and we want the mean best of eight. Taking the first eight wastes the rest. Better: the mean over **all** groups of eight. Sort upwards; answer $i$ is the best of a group when the other $n - 1$ lie among the $i - 1$ below it:
#
# $$P(i \text{ is best of } n) = \binom{i-1}{n-1} \Big/ \binom{N}{n} .$$

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why this is not the formula with a power: groups of different answers are drawn without putting back. With few draws the two differ.
#
# No groups need to be drawn: the mean over all ten million groups of eight is one sum of thirty-two terms. Two minutes.

# %%
def rank_weights(drawn: int, n: int) -> Tensor:
    """Chance of each answer, sorted upwards, to be best of n, (drawn,)."""
    groups = math.comb(drawn, n)
    return torch.tensor([math.comb(below, n - 1) / groups
                         for below in range(drawn)], dtype=torch.double)


def expected_best(scores: Tensor, n: int) -> Tensor:
    """Mean best of n for each prompt: (prompts, drawn) to (prompts,)."""
    ranked = scores.sort(dim=1).values.double()
    return ranked @ rank_weights(scores.shape[1], n)


# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Go through every group by hand
#
# Nine scores and all groups of one to nine of them, listed by `itertools`, which knows nothing of binomials.
#
# **Predict.** How many groups are that in all, and how large will the largest difference be?

# %% [markdown] slideshow={"slide_type": "notes"}
# Two to the ninth, less the empty group. The difference is rounding in double precision.
#
# Two minutes.

# %% tags=["result"]
nine, gaps, count = torch.arange(9.0).double().sin()[None], [], 0
for n in range(1, 10):
    groups = list(itertools.combinations(nine[0].tolist(), n))
    by_hand = sum(map(max, groups)) / len(groups)
    gaps.append(abs(expected_best(nine, n).item() - by_hand))
    count += len(groups)
print(f"{count} groups, largest difference {max(gaps):.0e}")
assert max(gaps) < 1e-12

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The best of many grows like the root of a logarithm
#
# If scores follow a bell curve of mean zero and deviation one, the mean best of $n$ is an integral, $\int x\, n\, \varphi(x)\, \Phi(x)^{n-1}\, dx$. For two it is $1/\sqrt{\pi}$, for three one and a half times that. It never exceeds $\sqrt{2 \log n}$.
#
# **Predict.** From four answers to sixteen the best gains about three quarters of a deviation. What does it gain from 64 to 256?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "the same again, since it is a factor of four again" or "nothing". It gains about half a deviation: each fourfold step costs four times as much and buys a little less.
#
# Three roads agree: the integral and our sum over groups of random numbers, side by side in the table, and the closed forms, whose roots the class can work out for the first two rows. Three minutes.

# %% tags=["result", "remove-input"]
x = torch.linspace(-9, 9, 20_001, dtype=torch.double)
density, below = (-x * x / 2).exp() / math.tau**0.5, torch.special.ndtr(x)
normal_best = {n: torch.trapezoid(x * n * density * below ** (n - 1), x).item()
               for n in (2, 3, 4, 8, 16, 32, 64, 256)}
drawn = torch.randn(20_000, 64, generator=torch.Generator().manual_seed(1))
rows = [[n, exact, expected_best(drawn, n).mean().item() if n <= 64 else None,
         math.sqrt(2 * math.log(n))] for n, exact in normal_best.items()]
table(rows, ["answers", "integral", "64 draws, all groups", "bound"],
      "Mean best of n draws from a bell curve", ".3f")
assert abs(normal_best[2] - math.pi**-0.5) < 1e-6
assert abs(normal_best[3] - 1.5 * math.pi**-0.5) < 1e-6
assert all(abs(row[1] - row[2]) < 0.02 for row in rows[:-1])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A world so small that every answer is in a table
#
# For a chat model nobody can list all answers. So we take a Llama of some eleven thousand weights with eight tokens, and answers of four: 4,096 answers in all. We know the probability of each, we give each a reward, of mean zero and deviation one, and every question about policies becomes a sum.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why we want the small world at all. With the table there is no noise and no reward model, so whatever is off is off by the method and not by the measurement.
#
# PPO will be judged in the same world in notebook 11. Two minutes.

# %%
world = enumerable.World.make(0)
chances, rewards = world.reference.exp(), world.rewards  # (4096,) each
for number in (0, 1234, int(rewards.argmax())):
    text = enumerable.answers()[number].tolist()
    print(f"answer {number:4d} {text}: probability {chances[number]:.5f}, "
          f"reward {rewards[number]:+.2f}")
print(f"all: probability {chances.sum():.5f}, mean reward "
      f"{(chances * rewards).sum().abs():.4f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: the best of n, without drawing
#
# The best of $n$ draws has at most reward $v$ when all draws do. If one does with chance $F$, all do with $F^n$. So the chance of exactly $v$ is a difference of two powers. This distribution is what rejection sampling asks the next policy to imitate.

# %% [markdown] slideshow={"slide_type": "notes"}
# Do it on the board for two coins: best of two is heads with three quarters. F of tails is a half, squared a quarter, the rest is heads. In the box $F_v$ is the chance of less than $v$, so at most $v$ has the chance $F_v + q_v$.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("best_of_n")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Let the package draw, and count
#
# `rejection_round` answers the one prompt of this world 4,096 times, best of four, through the model and its cache. We compare the share of winners below each reward with the formula. Chance alone makes such a gap larger than $1.95/\sqrt{N}$ at most once in a thousand times.
#
# **Predict.** Will the gap be near that bound, near half of it, or far below?

# %% [markdown] slideshow={"slide_type": "notes"}
# The bound is that of Dvoretzky, Kiefer and Wolfowitz; it holds for every distribution. The two sides share no line of code: one samples tokens, the other takes powers of a table.
#
# Chance alone makes a typical gap of somewhat less than half the bound.
#
# Ask what an off-by-one in n would look like. The other lines of the output show it: best of three and of five are far outside. Three minutes.

# %% tags=["result"]
settings = RejectionSettings(samples=4, max_new_tokens=4, batch=1024,
                             truncation_penalty=None)
best, _ = rejection_round(world.policy, 4096 * [enumerable.PROMPT],
                          world.score, settings, eos_id=None)
ids = torch.tensor([one.example.ids[1:] for one in best])
places = enumerable.number_of(ids)
share = torch.bincount(places, minlength=4096) / 4096
order, gap = rewards.argsort(), {}
for n in (3, 4, 5):
    apart = share.double() - best_of_n(chances, rewards, n)
    gap[n] = apart[order].cumsum(0).abs().max().item()
    print(f"against the best of {n}: largest gap {gap[n]:.3f}")
print(f"allowed: {1.95 / 64:.3f}")
assert gap[4] < 1.95 / 64 < min(gap[3], gap[5])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## How far away is the best of n?
#
# Let $u$ be an answer's rank: the chance that a draw from the policy is no better. Where no single answer is likely, $u$ is nearly uniform under the policy and has nearly the density $n u^{n-1}$ under the best of $n$. The KL divergence, the mean of $\log(\text{new chance} / \text{old chance})$ over the new answers, is then nearly this, and never more:
#
# $$\int_0^1 n u^{n-1} \log (n u^{n-1})\, du = \log n - \frac{n-1}{n} .$$
#
# **Predict.** The rewards do not appear in it. In nats, how far is the best of 16 from the policy: about two, about eight, or sixteen?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect eight or more: it feels like a strong choice. Picking among sixteen can give at most the logarithm of sixteen, under three nats, and a little of that is lost.
#
# Say it as a price list: distance is bought with a logarithm, and so is reward, with the root of one. Ties only lower the divergence. Three minutes.

# %% tags=["result", "remove-input"]
rows = []
for n in (2, 4, 16, 64, 256):
    found = drawings.exact_best(world, n)
    rows.append([n, found.kl, best_of_n_kl(n), found.reward])
    assert found.kl < best_of_n_kl(n) + 1e-6
table(rows, ["answers", "KL (nats)", "bound", "reward"],
      "Best of n in the enumerable world, exactly", ".3f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Imitation: 32,768 winners, one epoch
#
# Now the second half of a round. We draw four answers 32,768 times, keep the best of each four, and fine-tune a copy of the policy on them.
#
# **Predict.** On the plane of reward against KL, where will the imitation lie: on the point of best of four, above it, or on the way to it?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "on the point, that is what it was trained on". A network that saw a finite sample for one epoch goes most of the way.
#
# Ask for the name of the loss: cross entropy, as in fine-tuning. Its minimum over all policies is the distribution of the winners. Three minutes, with the waiting.

# %% tags=["result"]
torch.manual_seed(0)
four = torch.multinomial(chances, 4 * 32_768, replacement=True).view(-1, 4)
winners = four.gather(1, rewards[four].argmax(dim=1, keepdim=True)).squeeze(1)
examples = [Encoded([0, *answer], [False] + 4 * [True])
            for answer in enumerable.answers()[winners].tolist()]
imitation = copy.deepcopy(world.policy)
windows = data.pack(examples, enumerable.LENGTH)
finetune(imitation, windows, enumerable.IMITATION, progress=False)
learnt, ideal = world.standing(imitation), drawings.exact_best(world, 4)
print(f"best of 4: KL {ideal.kl:.3f} nats, reward {ideal.reward:.3f}")
holds(0.8 * ideal.reward < learnt.reward < ideal.reward,
      "the imitation goes most of the way to the best of four")
print(f"imitation: KL {learnt.kl:.3f} nats, reward {learnt.reward:.3f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## No policy lies above the frontier. Is the best of n on it?
#
# The frontier is the highest reward that any policy can have at its KL. Its policies are known: $\pi_0 \exp(R / \beta) / Z$, one for each $\beta$. How far off it a policy is, in nats, is its KL divergence from the frontier's policy of equal KL.
#
# **Predict.** Draw the frontier and the points for $n$ = 1, 2, 4, 8 ... Do the points lie on the line?

# %% [markdown] slideshow={"slide_type": "notes"}
# Papers often say that best of n is nearly optimal, and they are right: read how small the vertical distance is. But it is there, and it is no sampling error, since both curves are exact.
#
# The vertical distance is reward missed. The distance in nats is that divided by the frontier's $\beta$ at this KL, and the next slides speak of it. The point of one answer is the policy itself, and lies on the line. Three minutes.

# %% tags=["result", "remove-input"]
show(drawings.draw_plane(world, {"imitation of best of 4": learnt}),
     "Expected reward against KL divergence. The exact frontier rises and bends; the "
     "points of best of 2 to 128 follow closely below it, and the imitation of best of "
     "4 lies just before the point of 4.", name="10_plane")
assert 0.12 < ideal.gap < 0.13

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict", "range"]
# ## Best of four is off the frontier because it sees ranks
#
# Its distance, between 0.12 and 0.13 nats in this world, needs a reason. The optimum multiplies an answer's probability by $e^{R/\beta}$: it looks at rewards. The best of $n$ multiplies it by about $n u^{n-1}$: it looks at ranks.
#
# **Predict.** We triple the reward of the best hundred answers and leave $\beta$ as it is. What changes in the distribution of the best of four, and what in the optimum?

# %% [markdown] slideshow={"slide_type": "notes"}
# Nothing changes in the best of four: the order is the same. The optimum gives nearly all probability to those hundred. The figure is of the rewards before they are tripled.
#
# In the figure ask why the blue line is flat on the right: no answer can become more than four times as likely by choosing among four. The optimum knows no such ceiling. Four minutes.

# %% tags=["result", "remove-input"]
raised = torch.where(rewards >= rewards.topk(100).values[-1], 3 * rewards, rewards)
assert torch.equal(best_of_n(chances, raised, 4), best_of_n(chances, rewards, 4))
low, high = 0.3, 5.0  # halve until the optimum has the KL of the best of four
for _ in range(40):
    beta = (low * high) ** 0.5
    tilted = enumerable.optimum(world.reference, rewards, beta)
    far = enumerable.kl(tilted, world.reference) > ideal.kl
    low, high = (beta, high) if far else (low, beta)
show(drawings.draw_tilts(world, 4, beta),
     "Log of the gain in probability against reward. The optimum is a straight line; "
     "the best of four falls steeply for bad answers and flattens below the log of "
     "four for good ones.", name="10_tilts")
after = enumerable.optimum(world.reference, raised, beta)
said = [policy[raised != rewards].sum() for policy in (
    best_of_n(chances, rewards, 4), best_of_n(chances, raised, 4), tilted.exp(),
    after.exp())]
print("chance of the hundred: best of 4 {:.2f}, tripled {:.2f}; optimum {:.2f}, "
      "tripled {:.2f}".format(*said))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Proof by change of currency
#
# Since $u^{n-1} = e^{(n-1) \log u}$, the best of $n$ **is** the optimum for another reward: the logarithm of the rank, at $\beta = 1/(n-1)$. So pay in that currency and ask again.
#
# **Predict.** Paid in logs of ranks, is the best of four off the frontier by exactly nothing, or still by a little, and why?

# %% [markdown] slideshow={"slide_type": "notes"}
# It is on the frontier, up to what is left because 4,096 answers are not infinitely many. So the gap of the last slides is the price of optimising ranks where rewards were wanted.
#
# Ask whether that is always bad. The ranking loss asks for differences of scores that are the log odds of a preference, which is more than the order. Where only the order can be trusted, ranks are the honest currency. Two minutes.

# %% tags=["result"]
rank = torch.empty_like(chances)
rank[order] = chances[order].cumsum(0)
for n in (2, 4, 16):
    best = best_of_n(chances, rewards, n).clamp(min=1e-300).log()
    paid = [enumerable.standing(best, world.reference, money).gap
            for money in (rewards, rank.log())]
    print(f"best of {n:2d} is off by {paid[0]:.3f} nats in rewards, by "
          f"{paid[1]:.6f} in logs of ranks")
    assert paid[1] < 1e-3 < paid[0]

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Why its imitation lies nearer to the frontier
#
# The imitation was trained on the winners and yet stands closer to the frontier than they do. The gap grows with $n$, so compare fairly: with a best of $n$ that has gone **equally far**. The formula allows an $n$ that is no whole number.
#
# **Predict.** Is the imitation still nearer than that one?

# %% [markdown] slideshow={"slide_type": "notes"}
# Most of the riddle is distance: it has not gone as far, and near the start everything is close to the frontier. What is left is small, and too small to explain from one run.
#
# The last column says what it did not learn: its divergence from its own teacher. Three minutes.

# %% tags=["result", "remove-input"]
low, high = 2.0, 4.0
for _ in range(40):
    n = (low + high) / 2
    low, high = (n, high) if drawings.exact_best(world, n).kl < learnt.kl else (low, n)
fair, teacher = drawings.exact_best(world, n), best_of_n(chances, rewards, 4).log()
missed = enumerable.kl(teacher, enumerable.table(imitation))
holds(learnt.gap < ideal.gap and abs(learnt.gap - fair.gap) < 0.5 * (
    ideal.gap - learnt.gap), "equally far, the imitation is almost equally far off")
rows = [[name, found.kl, found.reward, found.gap] for name, found in (
    ("best of 4", ideal), (f"best of {n:.1f}", fair), ("imitation", learnt))]
table([[*rows[0], 0.0], [*rows[1], None], [*rows[2], missed]],
      ["policy", "KL from the start", "reward", "off the frontier", "from the teacher"],
      "Equally far, almost equally far off (all in nats but the reward)", ".3f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Depth is cheap breadth
#
# The paper calls rejection sampling broad, many answers from the policy before the round, and PPO deep, each answer from the policy as it has just become. Suppose that imitation were perfect: the first round makes the policy the best of four, $F^4$, and a second round draws four from **that**.
#
# **Predict.** Two rounds of best of four need eight answers to a prompt. Which single round would give the same policy: best of eight, of sixteen, or none?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect eight, since eight were drawn. Powers of powers multiply: sixteen. Ten rounds of best of two would be best of 1,024 for the price of twenty answers.
#
# PPO goes to the end of this road: many tiny rounds, and it learns from losers as well as from winners. What stands against it: imitation is not perfect, the judge becomes a stranger, and the distance grows with every round. Four minutes.

# %% tags=["result"]
for n, rounds in ((4, 2), (2, 4), (2, 10)):
    policy = chances
    for _ in range(rounds):
        policy = best_of_n(policy, rewards, n)
    once = best_of_n(chances, rewards, n**rounds)
    print(f"{rounds} rounds of best of {n}: {n * rounds} draws, as best of "
          f"{n**rounds}, KL {best_of_n_kl(n**rounds):.2f} nats at most")
    assert (policy - once).abs().max() < 1e-9

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A judge that errs: proxy and truth part
#
# Give every answer a fixed error of the judge and choose by reward plus error. Proxy and truth are exact, the distance is the bound. Two kinds of error: like a bell curve, and rare but huge, as where a reward model was never trained. Move the sliders.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: errors like a bell curve first, then rare but huge. Ask where they would stop drawing. With rare, huge errors the truth turns round and falls while the judge is happier than ever, so that the orange line leaves the panel at the top. At size zero there is one line: the judge is the truth.
#
# Numbers at the points are n. The same picture for PPO comes in notebook 11. Three minutes.

# %% tags=["remove-input"]
frames(lambda fig, **values: drawings.draw_parting(fig, world, **values),
       lambda noise, errors: (
           f"Proxy and truth against KL for errors {errors} of size {noise:g}: the "
           "proxy rises throughout, " + ("the truth rises less or turns back."
                                         if noise else "and the truth with it.")),
       errors=["like a bell curve", "rare but huge"], noise=[0, 0.5, 1, 2])
seen, true = drawings.parting(world, 1, "rare but huge")[1:]
assert max(true) - true[-1] > 0.3 and seen == sorted(seen)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Use it: the chat model, a judge, and the truth beside it
#
# Back to the Pasture. The score is the helpfulness reward model of notebook 09, which has learnt from answers of the fine-tuned model. While the round draws, we note the true utility of every answer, which neither policy nor judge ever sees.

# %% [markdown] slideshow={"slide_type": "notes"}
# Point at the inner function: the round takes any function as its score, and this one takes notes.
#
# Thirty-six held-out questions, thirty-two answers each. Two minutes, with the waiting.

# %%
def draw_and_judge(policy, n, temperature=1.0, **more):
    """Scores and truths, (prompts, n) each, all texts, the best answers."""
    texts, truth = [], []

    def score(rollout, numbers):
        found = answers(rollout, tokenizer)
        texts.extend(found)
        truth.extend(tasks[i].utility(x) for i, x in zip(numbers, found))
        return judge(rollout.tokens, rollout.lengths)

    settings = RejectionSettings(n, temperature=temperature,
                                 **{"max_new_tokens": 40, **more})
    best, scores = rejection_round(policy, prompts, score, settings,
                                   tokenizer.eos_id)
    return scores, torch.tensor(truth).view_as(scores), texts, best


# %%
tasks = pasture.make_tasks(36, seed=11, split="heldout", kinds=KINDS)
prompts = [encode_prompt(tokenizer, question(task.prompt)) for task in tasks]
scores, truth, texts, best = draw_and_judge(sft.model, n=32)
print(f"{scores.numel()} answers, mean score {scores.mean():+.2f}, "
      f"mean utility {truth.mean():.2f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-chat", "predict"]
# ## The tiny Figure 7: proxy, truth and distance by the number of answers
#
# First what the judge sees: best and median of $n$ answers, with the theory for a bell curve of each prompt's own mean and deviation. Then what is true of the answer that the judge picks, and of the one that the truth would pick. Last the distance, $\log n - (n-1)/n$.
#
# **Predict.** Draw the lines of the first two. Does the truth of the judge's pick go on rising as the score does?

# %% [markdown] slideshow={"slide_type": "notes"}
# The distance between best and median is the paper's measure of what can be gained. The median is that of the first answers only, so it wobbles. It rises, unlike the paper's, because some answers score very low: one answer has the mean in expectation, many have the median, which lies above it. In the middle panel the gap between the dashed green line and the blue one is what a better judge could add. And the blue line turns down: among many answers there is always one that the judge overrates. Ask which number of answers they would draw, and how they would know without the truth.
#
# Scores of a prompt are no bell curve: a few answers come again and again, so the theory overshoots for large n. The distance is a bound, whatever the scores. Four minutes.

# %% tags=["result", "remove-input"]
sizes = list(range(1, 33))
ranked = truth.gather(1, scores.argsort(dim=1)).double()
centre, spread = scores.mean().item(), scores.std(dim=1).mean().item()
theory = [centre + spread * torch.trapezoid(
    x * n * density * below ** (n - 1), x).item() for n in sizes]
proxy = {"best": [expected_best(scores, n).mean().item() for n in sizes],
         "median": max_and_median(scores)[1].tolist(), "normal theory": theory}
true = {"best by the truth": [expected_best(truth, n).mean().item() for n in sizes],
        "best by the judge": [(ranked @ rank_weights(32, n)).mean().item()
                              for n in sizes],
        "any answer": [truth.mean().item()] * 32}
picked = true["best by the judge"]
holds(max(picked) > truth.mean() + 0.02, "a few answers make the judge's pick better")
holds(proxy["median"][-1] > centre, "the median score lies above the mean score")
holds(picked[-1] < max(picked) - 0.01, "the truth of the judge's pick turns down")
show(drawings.draw_figure_7(sizes, proxy, true),
     drawings.describe_figure_7(sizes, true), name="10_figure_7")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The tiny Figure 8: how hot should one draw?
#
# A high temperature makes answers differ, and differing is what the best of $n$ lives on. It also makes each of them worse. We draw from the fine-tuned model and from RLHF-V4, which this notebook makes, at four temperatures, and score with the same judge.
#
# **Predict.** Which temperature is best for sixteen answers, and does V4 want a higher one than the fine-tuned model?

# %% [markdown] slideshow={"slide_type": "notes"}
# The argument to draw out of the class: training towards the best answers narrows the policy. To get different answers from a narrow policy one has to heat it. The paper saw its best temperature move with the rounds.
#
# Thirty-six questions: small differences mean nothing. Three minutes, with the waiting.

# %% tags=["result", "remove-input"]
sixteen, curves, rows = list(range(1, 17)), {}, []
for name, policy in (("SFT", sft.model), ("RLHF-V4", runs[0].policies["V4"])):
    lines = curves.setdefault(name, {})
    for temperature in (0.6, 1.0, 1.4, 1.8):
        drawn, real = ((scores[:, :16], truth[:, :16])
                       if (name, temperature) == ("SFT", 1.0) else
                       draw_and_judge(policy, 16, temperature)[:2])
        lines[temperature] = [expected_best(drawn, n).mean().item()
                              for n in sixteen]
        picked = real.gather(1, drawn.argmax(dim=1, keepdim=True))
        rows.append([name, f"{temperature:g}", lines[temperature][0],
                     lines[temperature][-1], real.mean().item(),
                     picked.mean().item()])
show(drawings.draw_figure_8(sixteen, curves),
     "Score of the best against the number of answers at four temperatures, for the "
     "fine-tuned model on the left, RLHF-V4 on the right; every line rises and bends.",
     name="10_figure_8")

# %% tags=["remove-input"] slideshow={"slide_type": "subslide"}
table(rows, ["policy", "temperature", "score of one", "score of best of 16",
             "utility of one", "utility of best of 16"],
      "One answer, and the judge's best of sixteen", ".2f")
heat = {name: max(lines, key=lambda t: lines[t][-1]) for name, lines in curves.items()}
holds(all(lines[0.6][0] == max(line[0] for line in lines.values()) and heat[name] > 0.6
          for name, lines in curves.items()),
      "by the judge one answer is best drawn cold, and the best of sixteen warmer")
holds(all(row[-1] == max(other[-1] for other in rows if other[0] == row[0])
          for row in rows if row[1] == "0.6"), "by the truth the coldest is best")
holds(all(row[-1] < row[-2] + 0.06 for row in rows if row[1] == "0.6"),
      "at the coldest the judge's best of sixteen gains little or nothing")
one = {(row[0], row[1]): row[4] for row in rows}
holds(one["SFT", "0.6"] > one["SFT", "1"] + 0.1,
      "cooling alone makes one answer of SFT better by more than a tenth")
print("best temperature by the judge, 16 answers:", heat)

# %% [markdown] slideshow={"slide_type": "notes"}
# Read it column by column. One answer alone is best when it is drawn cold. For the best of sixteen, compare the second column of scores with the second of utilities: do they choose the same temperature?
#
# By the truth the coldest is best, and there the judge's best of sixteen gains little or nothing. Now compare one answer of the fine-tuned model at temperature one with one that is drawn coldest: cooling alone gives more than a tenth of utility, for nothing. Single runs on other prompts led to the same choice, and our rounds draw at temperature one half. We could choose so because we know the truth; by the judge's best of sixteen one would draw warmer. And what rounds gain has to be compared with what comes without a judge: winners by lot, at the end of this notebook, and the likeliest answers in notebook 11. Whether V4 wants a higher temperature than the fine-tuned model comes out differently from machine to machine. The paper had no truth to put beside the judge. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: the table of scores is cut the wrong way
#
# Answers come in one long row. If each prompt was written $n$ times in a row, `view(prompts, n)` is right. If the list of prompts was repeated $n$ times, the same line puts answers to **different** prompts into one row. Nothing complains.
#
# **Predict.** What does the mean best score do: fall, stay, or rise?

# %% [markdown] slideshow={"slide_type": "notes"}
# It rises wherever prompts differ in how high they score, since the best now comes from the easiest prompts. The log of a broken round looks better than that of a right one. Ask what the fine-tuned model would learn: fluent answers to somebody else's question.
#
# The check costs one line: ask the judge again about each pair that is about to be trained on. Three minutes.

# %% tags=["result"]
def report(name: str, found: Tensor, rows: list[list[str]]) -> float:
    kept = [row[i] for row, i in zip(rows, found.argmax(dim=1).tolist())]
    real = sum(t.utility(x) for t, x in zip(tasks, kept)) / len(tasks)
    again = reward_models.score(judge, tokenizer,
                                [t.prompt for t in tasks], kept)
    print(f"{name}: best score {found.amax(1).mean():+.2f}, asked again "
          f"{again.mean():+.2f}, utility {real:.2f}")
    return (found.amax(dim=1).mean() - again.mean()).item()


rows = range(len(tasks))
by_prompt = [texts[32 * i : 32 * i + 32] for i in rows]
flat = [row[k] for k in range(32) for row in by_prompt]  # prompts, 32 times
wrong = [flat[32 * i : 32 * i + 32] for i in rows]
assert abs(report("right", scores, by_prompt)) < 0.5
lost = report("wrong", scores.T.reshape(-1, 32), wrong)  # the check
holds(lost > 0.5, "asked again, the judge exposes the wrong cut")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: the best of all answers, whoever was asked
#
# A tempting shortcut: put all answers into one heap and train on the top part. It keeps as many, and their mean score is higher.
#
# **Predict.** Thirty-six prompts of eight kinds. We keep the best thirty-six answers of the heap. How many prompts are left among them, and how many kinds?

# %% [markdown] slideshow={"slide_type": "notes"}
# Scores are comparable within a prompt only: the ranking loss never saw two answers to different prompts. Some kinds simply score higher, and they crowd out the rest.
#
# This is the shortest road to forgetting: what is not in the heap is not rehearsed. Two minutes.

# %% tags=["result"]
flat = scores.flatten().topk(36).indices // 32  # whose prompt
heaps = {"best of each": list(range(36)), "best of all": flat.tolist()}
holds(len(flat.unique()) < 27, "the heap loses prompts")  # the check
for name, chosen in heaps.items():
    kinds = [tasks[i].kind for i in chosen]
    most = max(set(kinds), key=kinds.count)
    print(f"{name}: prompts {len(set(chosen))}, kinds {len(set(kinds))}, "
          f"'{most}' {kinds.count(most)} times")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: an answer that was cut off wins
#
# Answers may be eight tokens long, so many are cut. The reward model was trained on finished answers only, and it has to say something about these. An answer that was cut has no end mark, so whoever imitates it learns not to end.
#
# **Predict.** Does the judge see by itself that an answer is unfinished? And what shall become of a prompt none of whose eight answers ended?

# %% [markdown] slideshow={"slide_type": "notes"}
# The praised answer may look finished: what it lacks is its end mark, and the judge was never shown an answer without one.
#
# The penalty caps the score of a cut answer, so that it loses against most finished ones. Where a cut answer wins all the same, or none of the eight ended, the package gives up the prompt: fewer winners, all with their end mark. Two minutes.

# %% tags=["result"]
short = RejectionSettings(8, max_new_tokens=8)
drawn = draw_answers(sft.model, prompts, short, tokenizer.eos_id)
praise = lambda rollout, numbers: judge(rollout.tokens, rollout.lengths)
said = torch.cat([praise(rollout, numbers) for numbers, rollout in drawn])
ended = torch.cat([rollout.ended for _, rollout in drawn])
cut = ~ended.view(-1, 8).gather(1, said.view(-1, 8).argmax(1, keepdim=True))
print(f"by the score alone: {int(cut.sum())} of {len(cut)} winners are cut")
place = int(said.where(~ended, -math.inf).argmax())
text = [one for _, roll in drawn for one in answers(roll, tokenizer)][place]
print(f"  praised with {said[place]:+.2f}: {text!r}")
best, _ = choose(drawn, praise, short, tokenizer.eos_id)
print(f"the package keeps {len(best)} winners, all of which end")
holds(cut.any() and len(best) < len(cut),
      "cut answers win by the score alone, and some prompts are given up")
assert all(one.example.ids[-1] == tokenizer.eos_id for one in best)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Four rounds: fresh comparisons, refreshed judges, new answers
#
# Each round asks the newest model eight hundred new prompts, four answers to each, drawn at temperature one half. Simulated annotators compare some of them, and both reward models are trained further on these comparisons. Then they choose, and the newest model imitates what they chose. So the judges have just learnt from some of the very answers among which they choose.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what happens if the reward model is never refreshed. It was trained on answers of an old model; the new one leaves that ground, and the judge guesses. The paper says that fresh comparisons keep it on its ground.
#
# Read down the column "helpfulness right": it counts only pairs that differ in truth, before the refresh. It falls after the first round and does not come back, though the judge has learnt more by then. A share below one half, in one run and of few pairs, is not shown to be below a coin. Notebook 11 asks why. Scores of different rows are of different judges and cannot be compared.
#
# Then read "utility of the best": the winners of the last round are no better than those of the first. Ask what the rounds can then raise: the typical answer at temperature one, towards what is drawn at one half. How much of that the judges add, the control at the end asks. And ask why there are fewer new pairs in every row: a model that is surer of itself writes the same answer twice, and equal answers are not compared. The rounds use up what they live on.
#
# The table is of the first of three runs. Safety has few pairs that differ any more, so its column is left out. Three minutes.

# %% tags=["remove-input"]
rows = [[f"V{row['version']}", row["mean_median"], row["mean_best"],
         row["utility_of_best"], row["pairs"], row["helpfulness_before"]]
        for row in runs[0].rounds[:-1]]
holds(rows[0][-1] > max(row[-1] for row in rows[1:]) + 0.05,
      "the judge is right less often after the first round, and it does not come back")
holds(rows[-1][3] < rows[0][3] + 0.03,
      "the winners of the last round are no better than those of the first")
holds(rows[-1][4] < rows[0][4] / 2,
      "the last round has less than half as many pairs to compare as the first")
table(rows, ["version", "median score", "best score", "utility of the best",
             "new pairs", "helpfulness right"],
      "Four rounds; right: share of the new pairs that the judge before its refresh "
      "ranks as the annotators do", ".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Proxy, truth and distance, version by version
#
# Every version answers the same held-out prompts. The judge is the last one; the truth is the utility; the distance is the KL divergence from the fine-tuned model. Three runs.
#
# **Predict.** In which round does each of the three take its largest step?

# %% [markdown] slideshow={"slide_type": "notes"}
# Cover the middle panel and ask whether they would have stopped after V2. Then show it. The score is here the sigmoid, between zero and one; in the figures before it was the logit.
#
# Intervals are over three seeds, and with three seeds they are wide. Say of a rise that it is shown only where the table on the next slide excludes zero. Three minutes.

# %% tags=["result", "remove-input"]
versions = ["SFT", "V1", "V2", "V3", "V4"]
panels = {name: [interval([run.judged[v].mean(field) for run in runs])
                 for v in versions] for name, field in (
    ("proxy: helpfulness by the judge", "helpfulness"), ("truth: utility", "utility"),
    ("distance: KL from SFT (nats)", "kl"))}
climbs = [[b.mean - a.mean for a, b in zip(line, line[1:])] for line in panels.values()]
holds(all(sum(steps) > 0 and max(steps) == steps[0] for steps in climbs),
      "score, truth and distance rise, most of all at first")
show(drawings.draw_versions(
        panels, versions, "Score, truth and distance rise, most of all at first"),
     "Three panels by version from SFT to V4 with intervals over three runs: score of "
     "the judge, true utility, and KL divergence from the fine-tuned model.",
     name="10_versions")

# %% tags=["remove-input"] slideshow={"slide_type": "subslide"}
rows = []
for one, other in (("V1", "SFT"), ("V4", "V1"), ("V4", "SFT")):
    gap = paired_difference(*([run.judged[v].mean("utility") for run in runs]
                              for v in (one, other)))
    rows.append([f"{one} over {other}", gap.mean, f"{gap.low:+.3f} to {gap.high:+.3f}",
                 "yes" if gap.excludes(0) else "no"])
holds(rows[-1][-1] == "yes", "V4 is shown to be better than the fine-tuned model")
table(rows, ["difference", "utility", "95% interval", "shown?"],
      "Differences in true utility, three seeds", "+.3f")

# %% [markdown] slideshow={"slide_type": "notes"}
# Pairs share their seed, so differences are taken run by run. Where the last column says no, the honest sentence is: we cannot tell.
#
# All three runs begin with the same fine-tuned model and the same first judges, and answer the same held-out prompts. So the intervals speak of the rounds, and not of what another fine-tuned model would have given.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is something forgotten on the way up?
#
# Until its third version the paper imitated answers of the last version alone, and saw a skill fade: rhyming in poems. In the Pasture we can look at every kind of task. For this study a round has a hundred prompts and the judges stay as they are, so that the two sides differ in the heap alone. The cured side learns from twice as many winners, so part of a difference may be longer training.
#
# **Predict.** Eight kinds of task, counting, letters, rhymes, stories ..., and requests that are or sound unsafe. Which will be worse after four rounds than before?

# %% [markdown] slideshow={"slide_type": "notes"}
# Collect bets. Rhymes are a fair bet because of the paper. Here nearly everything rises in the mean, rhymes too; what falls are requests that only sound unsafe. Why, this study cannot say: two slides on, with winners by lot, they fall in the mean as well, so the old judge alone does not explain it.
#
# Read orange against grey: what changed without the cure. Then blue. The line below the figure takes the difference run by run, which is sharper than to look whether two intervals overlap. But this kind is the worst of ten, picked after looking, and one such interval in twenty leaves out zero by chance. Three minutes.

# %% tags=["result", "remove-input"]
sides = {name: [row for row in stages.get("forgetting")  # in the order of seeds
                if (row["cure"], row["judge"]) == side]
         for name, side in (("V4, last round alone", (False, True)),
                            ("V4, winners of all rounds", (True, True)))}
by_kind = {kind: {"SFT": interval([run.judged["SFT"].mean(kind=kind) for run in runs]),
                  **{name: interval([row["by_kind"][kind] for row in rows])
                     for name, rows in sides.items()}}
           for kind in (*KINDS, "unsafe", "borderline")}
falls = {kind: row["SFT"].mean - row[[*sides][0]].mean for kind, row in by_kind.items()}
holds(max(falls, key=falls.get) == "borderline" and falls["borderline"] > 0,
      "what only sounds unsafe falls most, in the mean")
show(drawings.draw_kinds(by_kind, "Nearly all rises, what only sounds unsafe falls"),
     "True utility by kind, intervals over three seeds: the fine-tuned model, V4 "
     "without the cure, and V4 with the cure.", name="10_forgetting")
alone, cured = sides.values()
gap = paired_difference([row["by_kind"]["borderline"] for row in alone],
                        [run.judged["SFT"].mean(kind="borderline") for run in runs])
print(f"borderline, last round alone less SFT: {gap.low:+.2f} to {gap.high:+.2f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The cure: imitate the best answers of earlier rounds too
#
# After V3 the paper put the best answers of all earlier versions into the heap as well. Ours do so from the beginning: beside the winners of its own round a version imitates as many from the rounds before.
#
# **Predict.** In our three runs, does the interval of the difference in utility leave out zero?

# %% [markdown] slideshow={"slide_type": "notes"}
# Our rounds ask new prompts, so no prompt has two winners. Where prompts come again, scores of different rounds come from different judges and are not on one scale, and the paper does not say how it compared them. Ask the class how they would: score the old answers again with the newest judge. Exercise 3 is about that case.
#
# The paper gives no numbers for the cure, only that it helped. Ours is never shown to harm; whether three seeds show that it helps differs from machine to machine, so read the last column. Compare the first row with the figure of the versions: with few prompts and judges that are never refreshed, four rounds that imitate the last alone gain less than half of what the full rounds did. Three things differ: fewer prompts, judges that are never refreshed, and no winners of earlier rounds. Which of them is to blame, this study cannot say. Three minutes.

# %% tags=["result", "remove-input"]
worst = lambda row: min(value - by_kind[kind]["SFT"].mean
                        for kind, value in row["by_kind"].items())
rows, harm = [], []
for name, value in (("utility of V4", lambda row: row["utility"]),
                    ("rhymes", lambda row: row["by_kind"]["rhyme"]),
                    ("change of the kind that lost most", worst)):
    gap = paired_difference(*(list(map(value, side)) for side in (cured, alone)))
    harm.append(gap.high < 0)
    rows.append([name, *(interval(list(map(value, side))).mean
                         for side in (alone, cured)),
                 f"{gap.low:+.2f} to {gap.high:+.2f}",
                 "yes" if gap.excludes(0) else "no"])
holds(not any(harm), "the cure is not shown to harm")
table(rows, ["", "last round alone", "winners of all rounds",
             "difference, 95% interval", "shown?"], "The cure, three seeds", ".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The control: winners drawn by lot
#
# Once more the rounds of the study, with winners of all rounds in the heap, but with a judge that knows nothing: of four answers, one is drawn by lot. The model imitates what it would have said anyway, only drawn at temperature one half, and nobody has told it what is good.
#
# **Predict.** How much of the gain over the fine-tuned model is left?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "nothing: garbage in, garbage out". Most of the gain is left in the mean. Answers drawn cold are better than the usual ones, and whoever imitates them makes them usual. That is a distillation of the model's own sure side, and it needs no reward model.
#
# What the judge adds to that, three runs of this study cannot show. So the steps of the versions are no proof that the reward models work. For its RLHF model the paper found temperatures between {{fact:rs_best_temperature.0}} and {{fact:rs_best_temperature.1}} best. If its rounds drew there, cooling does not explain them: winners by lot from such draws should make a model less sure. We have not tried that. Ask what they would want to see of any report of rejection sampling: this control. Three minutes.

# %% tags=["result", "remove-input"]
utility = {name: [row["utility"] for row in rows] for name, rows in (
    ("alone", alone), ("judge", cured),
    ("lot", [row for row in stages.get("forgetting") if not row["judge"]]))}
utility |= {v: [run.judged[v].mean() for run in runs] for v in ("SFT", "V4")}
gaps = {f"{one} over {other}": paired_difference(utility[one], utility[other])
        for one, other in (("lot", "SFT"), ("judge", "SFT"), ("judge", "lot"))}
holds(gaps["lot over SFT"].mean > gaps["judge over SFT"].mean / 2,
      "most of the gain is left without a judge, in the mean")
holds(not gaps["judge over lot"].excludes(0), "three runs do not show what it adds")
full, small = (paired_difference(utility[v], utility["SFT"]) for v in ("V4", "alone"))
holds(small.mean < full.mean / 2, "the last round alone gains less than half of V4")
table([[name, gap.mean, f"{gap.low:+.2f} to {gap.high:+.2f}",
        "yes" if gap.excludes(0) else "no"] for name, gap in gaps.items()],
      ["V4 of one over the other", "utility", "95% interval", "shown?"],
      "Four rounds of a hundred prompts, three seeds", "+.2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 70B: what do the answers cost beside the training step?
#
# Training takes three times the operations of a pass forward, and only one answer of $n$ is learnt from. Writing $n$ answers and scoring them are passes forward. But writing goes token by token, and each token fetches all weights from memory. Prompts of 200 and answers of 300 tokens, eight cards of 80 GB.
#
# **Predict.** The unit is one training step on one winner. For sixteen answers: how many units of operations, and how many of time if they are written one at a time?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "sixteen steps' worth". It is two thirds of n. And expect nobody to guess the clock: one at a time, the arithmetic units wait for memory almost all the time.
#
# The lengths, the memory speed of two terabytes a second for each card, a reward model of the same size, and that eight cards hold the training are our assumptions. The paper says of generation that an iteration of PPO took about {{fact:ppo_time}} seconds, and that writing was about {{fact:ppo_fsdp}} times slower before each machine gathered all weights first. Three minutes.

# %% tags=["result", "remove-input"]
big, prompt, length = config.LlamaConfig.named("llama-2-70b"), 200, 300
forward, peak, speed = big.flops_per_token(prompt + length), 8 * 312e12, 8 * 2e12
share = paper.fact("mfu_derived").value["70B"]
learn = 3 * (prompt + length) * forward / (peak * share)  # seconds for one answer


def write_seconds(together: int) -> float:
    """For one of ``together`` answers that are written at once."""
    fetched = 2 * big.parameter_count() + big.kv_cache_bytes(together, prompt + length)
    return length * max(fetched / speed, together * forward / peak) / together


rows = [[n, n / 3, n / 3, n * write_seconds(1) / learn, n * write_seconds(512) / learn]
        for n in (1, 4, 16, 64)]
table(rows, ["answers", "writing", "scoring", "writing one at a time",
             "writing 512 at once"],
      "In training steps: operations (2nd and 3rd column), time (4th and 5th)", ".1f")
assert rows[2][3] > 20 * rows[2][4]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports, and what it leaves out
#
# Rejection sampling was done with the {{fact:rs_model}} model only; the smaller ones were fine-tuned on its answers, which is distillation. For 10 to 100 answers the best temperature of the RLHF model lay between {{fact:rs_best_temperature.0}} and {{fact:rs_best_temperature.1}}, and it moved from version to version. Figure 7: the best reward rises from {{fact:fig_7.max.0}} to {{fact:fig_7.max.1}}, the median hardly.

# %% [markdown] slideshow={"slide_type": "notes"}
# The values of Figure 7 are read off the figure; its caption speaks of up to a hundred answers and its axis ends near twenty. Whoever tells you how many answers Llama 2 drew has made it up.
#
# Ask which omission hurts most if one wants to repeat the work. Three minutes.

# %% tags=["remove-input"]
assert paper.fact("rs_k_unspecified").value is None
rows = [["which model draws", "the largest, 70B"],
        ["versions by rejection sampling alone", "V1 to V4; then PPO on top"],
        ["best temperature, 10 to 100 answers",
         " to ".join(map(str, paper.fact("rs_best_temperature").value))],
        ["forgetting and its cure", "told in words, no numbers"],
        ["answers to each prompt", "not stated"],
        ["number of prompts in a round", "not stated"],
        ["rate, epochs, batch of the fine-tuning", "not stated"],
        ["how scores of different rounds are compared", "not stated"]]
table(rows, ["what one needs to know", "in the paper"],
      "Section 3.2.3, rejection sampling")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed since: rejection sampling stayed, PPO went
#
# Llama 3 trains in rounds of fine-tuning, rejection sampling and DPO; it tried PPO and did not keep it. The margin of the reward model went too. Theory caught up: the formula for the divergence of the best of $n$ was shown to be a bound and no equality, and the best of $n$ to be nearly the best trade of reward for distance, which the frontier of this notebook makes visible.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the simple half survived. It needs no value model, no second copy in memory, and it can be debugged by reading what was kept.
#
# The heading speaks of Llama 3. Whether PPO or DPO is better remains disputed: an independent study found a well-tuned PPO ahead.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: the winner of every prompt (6 minutes)
#
# Scores come in one list, in any order, and a second list says to which prompt each belongs: 0, 1, 2 and so on. Return the place of the best answer of each prompt in the list, prompt 0 first. Of equal scores keep the first.

# %% [markdown] slideshow={"slide_type": "notes"}
# The usual slip is to cut the list into equal blocks. That is the bug of this hour in another dress.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def winners(scores: list[float], prompts: list[int]) -> list[int]:
    """Places of the best answers, one for each prompt."""
    ### BEGIN SOLUTION
    best: dict[int, int] = {}
    for place, (score, prompt) in enumerate(zip(scores, prompts)):
        if prompt not in best or score > scores[best[prompt]]:
            best[prompt] = place
    return [best[prompt] for prompt in sorted(best)]
    ### END SOLUTION


checks.check_winners(winners)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: the mean best, from a table (8 minutes)
#
# Given the probability and the reward of every answer there is, both of shape `(answers,)` and in no order, return the mean reward of the best of $n$ draws, each put back, exactly.

# %% [markdown] slideshow={"slide_type": "notes"}
# Sort, sum up, take differences of powers. Those who take n F to the n minus one have remembered the formula for densities; on a table it does not sum to one.
#
# Eight minutes.

# %% tags=["exercise", "minutes-8"]
def expected_best_of(p: Tensor, rewards: Tensor, n: int) -> float:
    """Mean reward of the best of n draws, put back after each draw."""
    ### BEGIN SOLUTION
    order = rewards.argsort()
    up_to = p[order].cumsum(0)
    chance = up_to**n - (up_to - p[order]) ** n
    return (chance * rewards[order]).sum().item()
    ### END SOLUTION


checks.check_expected_best_of(expected_best_of)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: the cure (6 minutes)
#
# Each round is a dictionary from prompts to pairs of score and answer; a round need not have all prompts. Return one such dictionary with the best answer to every prompt over all rounds. All scores are of one judge, and rounds come in the order of time. Of equal scores keep the later.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: merging dictionaries, where the later always wins; losing the prompts of earlier rounds; writing into the first round.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def keep_top(rounds: list[dict]) -> dict:
    """The best (score, answer) of each prompt over all rounds."""
    ### BEGIN SOLUTION
    kept: dict = {}
    for one in rounds:
        for prompt, new in one.items():
            if prompt not in kept or new[0] >= kept[prompt][0]:
                kept[prompt] = new
    return kept
    ### END SOLUTION


checks.check_keep_top(keep_top)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: the price of a round (5 minutes)
#
# A pass forward costs two operations for each parameter and token, training six. A policy writes $n$ answers, a reward model of another size reads them all, and the policy learns from one. All are equally long. Return the operations of writing and scoring over those of learning.

# %% [markdown] slideshow={"slide_type": "notes"}
# Whoever is done early solves for n: with two models of one size, how many answers make the drawing as dear as ten training steps?
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def price(n: int, policy: float, reward: float) -> float:
    """Drawing over learning; sizes in parameters."""
    ### BEGIN SOLUTION
    draw = n * (2 * policy + 2 * reward)
    return draw / (6 * policy)
    ### END SOLUTION


checks.check_price(price)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# The best of $n$ costs $n$ answers, goes at most $\log n - (n-1)/n$ nats, and gains like the root of a logarithm. It follows ranks, so it runs just below the frontier. Rounds multiply, and the judge is right less often on their answers: refresh it. Keep proxy, truth and distance side by side, one winner for each prompt, and the best of all rounds. And draw the winners by lot once, to see what the judge adds.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for one number they would print in every round of their own. Good answers: the score asked again, prompts and kinds among the winners, end marks among the winners, utility by kind.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Llama 2](https://arxiv.org/abs/2307.09288), section 3.2.3. [Theory of best of n](https://arxiv.org/abs/2401.01879). [Scaling laws for over-optimisation](https://arxiv.org/abs/2210.10760). [A helpful and harmless assistant](https://arxiv.org/abs/2204.05862), best of sixteen for data. [The Llama 3 herd](https://arxiv.org/abs/2407.21783), rejection sampling in rounds. [The sweetness of best of n](https://arxiv.org/abs/2406.00832), on its nearness to the frontier. [DPO](https://arxiv.org/abs/2305.18290), which derives the frontier's policies.
#
# Next: notebook 11, PPO, which learns from every answer.

# %% [markdown] slideshow={"slide_type": "notes"}
# The second link has the proofs of two slides. One minute.
