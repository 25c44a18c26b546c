# %% [markdown] slideshow={"slide_type": "slide"}
# # Make what scored well likelier, and stay near home
#
# Rejection sampling learns from winners. Proximal policy optimisation, PPO, learns from every answer and every token, and asks the policy again as soon as it has moved. It made the last version of Llama 2-Chat.
#
# **Paper**: section 3.2.3, equations 3 and 4, Figure 11. **Minutes**: 120. **On the map**: base, fine-tuning, reward models, rejection sampling, *PPO*, Ghost Attention.
#
# Afterwards you can write PPO from its pieces, prove each piece right where the truth is a table, read its diagnostics, and say when a rising reward is bad news.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: if you are paid by the click, what do you write? Whoever answers has understood the danger of this hour. PPO pays a model by the reward model's click, and the second half of every formula today is there to keep it honest.
#
# Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
import copy
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from minillama import paper, stages
from minillama.alignment import enumerable, judges, losses, reward, rlhf
from minillama.alignment.gae import gae
from minillama.alignment.ppo import Learner, ValueModel, ppo_step, train_ppo
from minillama.alignment.rejection import best_of_n
from minillama.alignment.rollout import sample
from minillama.config import LlamaConfig
from minillama.evaluation import measures
from minillama.teach import algorithm, frames, holds, show, table
from minillama.teach.checks import nb_11 as checks
from minillama.teach.drawings import nb_10 as of_rounds, nb_11 as drawings
from minillama.training.intervals import interval, paired_difference

torch.set_num_threads(1)  # matrices so small that a second thread costs time

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Follow the reward alone, and see what is left
#
# In the small world of notebook 10 a Llama of eleven thousand weights writes answers of four tokens out of eight: 4,096 answers, each with a known reward, of mean zero and deviation one. We let PPO raise the reward and ask for nothing else.
#
# **Predict.** After thirty iterations, how many of the 4,096 answers share nine tenths of the probability? Do three runs end with the same favourite?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "a few hundred good ones". There is one. A policy that is paid for its mean reward has no reason to keep two answers where one is a little better, or where one was found first.
#
# Whether three runs share a favourite is luck: the policy stops looking when it has found something good, so nothing assures that it is the best. The lines say how many are better. Translate to chat: every question gets the same cheerful paragraph. Four minutes.

# %% tags=["result", "remove-input"]
def fresh_learner(settings):
    policy = copy.deepcopy(world.policy)
    return Learner.start(policy, ValueModel(policy), settings)


world, twenty = enumerable.World.make(0), replace(enumerable.PPO, iterations=20)
settings = replace(enumerable.PPO, iterations=30, beta=0.0)
after = {f"seed {seed}": enumerable.table(enumerable.by_ppo(
    world, replace(settings, seed=seed), every=31)[0]) for seed in range(3)}
holds(all(end.max().exp() > 0.9 for end in after.values()), "one answer is left")
for name, logprobs in {"before": world.reference, **after}.items():
    chances = logprobs.exp()
    share = chances.sort(descending=True).values.cumsum(dim=0)
    better = int((world.rewards > world.rewards[chances.argmax()]).sum())
    print(f"{name}: nine tenths are with {int((share < 0.9).sum()) + 1} answers, mean "
          f"reward {chances @ world.rewards:.2f}, favourite {int(chances.argmax())}, "
          f"{better} are better")
    holds(name == "before" or chances.max() > 0.8, f"{name} ends with one answer")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-chat"]
# ## One model writes, four read, two learn
#
# The policy writes an answer. The policy as it was before PPO says how likely each token was at home. Two reward models judge the whole answer, once for safety and once for helpfulness. The value model says after each token what score it expects. Out of this comes a verdict on every single token.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which of the five could be left out. The reference, if one gives up staying near; the value model, at a price that a later slide measures. Nobody ever leaves out the judges, though that is where most errors come from.
#
# Numbers of memory at 70B come at the end; let them guess now. Two minutes.

# %% tags=["remove-input"]
show(drawings.draw_models(),
     "The policy writes an answer; the policy before PPO, two reward models and a "
     "value model read it; from what they say comes an advantage for each token, from "
     "which the policy and the value model learn.", name="11_models")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-chat"]
# ## Two equations say what is wanted
#
# Equation 3 asks for the highest mean reward over prompts $p$ and generations $g$. Equation 4 says what the reward is: the judges' score less $\beta$ times the distance from home. Notebook 10 knew the answer: the best policy is $\pi_0 \exp(\tilde{R}_c/\beta)/Z$. There it was a table. A chat model has no table, so it must be found by trying.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what happens at beta zero and at beta infinite. Zero was the last slide but one; infinite is the model that we already have.
#
# The tilde is whitening, a few slides ahead. Ask for the unit of beta: score given up for one nat. Without a fixed scale of the score beta means nothing. Three minutes.

# %% tags=["remove-input"]
paper.show_equation("rl_objective")
paper.show_equation("final_reward")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The recipe is of 2019, the two judges are new
#
# Reinforcement learning reached GPT-2 in 2019 with most of what is on the last slides: a reward learnt from comparisons, a penalty for distance, PPO. InstructGPT put fine-tuning before it and mixed pretraining into it. Llama 2 adds three things: a judge for safety beside the one for helpfulness, a rule that chooses between them, and four rounds of rejection sampling before PPO begins.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask who has heard of the accident of 2019: a sign was turned round in the code, and overnight the model learnt to write the worst it could, fluently. We rebuild a bug of that family in half an hour.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: one iteration in five steps
#
# Answers have been drawn and scored. $\pi_{\text{old}}$ is the policy that drew them, $\pi_0$ the one before PPO, $V_\phi$ the value model. The next slides build the parts of steps 2 and 3, then the update of step 4. What the values, the advantages and the discount are in Llama 2, the paper does not say.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them find the three policies: the one that drew, the one at home, the one that moves. Mixing up two of them is the commonest error in home-made PPO, and it never crashes.
#
# Keep this slide at hand; each detail of today belongs to one of its lines. Three minutes.

# %% tags=["formal", "remove-input"]
algorithm("ppo_step", source=False)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-chat", "predict"]
# ## The gate: when safety speaks, helpfulness is silent
#
# The reward $R_c$ is the safety score where the prompt was tagged as a lure, or where safety is below {{fact:ppo_threshold.threshold}}; elsewhere it is the helpfulness score. Table 35 of the paper has two answers: how to run a Ponzi scheme (safety {{fact:rm_tension_examples.Ponzi-scheme answer.safety}}, helpfulness {{fact:rm_tension_examples.Ponzi-scheme answer.helpfulness}}), and a refusal to help cheat ({{fact:rm_tension_examples.refusal to help cheat customers.safety}} and {{fact:rm_tension_examples.refusal to help cheat customers.helpfulness}}).
#
# **Predict.** Nobody tagged the two prompts. Which of the two answers will PPO make likelier?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "the refusal, that is what the gate is for". The safety score of the scheme is just above the threshold, so it passes the gate with its helpfulness; the refusal is paid for being unhelpful. Only the tag turns it round.
#
# The paper gives the threshold a precision of {{fact:ppo_threshold.precision}} and a recall of {{fact:ppo_threshold.recall}} on unsafe answers: without tags nearly half would pass. The two examples are ours to combine; the paper prints them for another purpose. Three minutes.

# %% tags=["result"]
def combine(safety: Tensor, helpful: Tensor, lure: Tensor) -> Tensor:
    return torch.where(lure | (safety < 0.15), safety, helpful)  # (batch,)


examples = paper.fact("rm_tension_examples").value
safety, helpful = (torch.tensor([one[name] for one in examples.values()])
                   for name in ("safety", "helpfulness"))
for tagged in (False, True):
    rewards = combine(safety, helpful, torch.tensor(tagged))
    paid = [round(reward, 2) for reward in rewards.tolist()]
    print(f"tagged: {tagged!s:5}", dict(zip(examples, paid)))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Detail: whiten with a yardstick that stands still
#
# The score is a sigmoid; the paper undoes it with the logit, so that nearly perfect answers still differ, and whitens. Over what, it does not say. Over the batch is one reading. The other: mean and deviation of the policy's first answers, kept for good.
#
# **Predict.** Every answer becomes better by one logit. What does the mean reward say under each reading?

# %% [markdown] slideshow={"slide_type": "notes"}
# With the batch as yardstick the mean is zero for ever: the policy can improve as it likes and the log is a flat line. And the unit drifts, so beta buys another distance each time.
#
# Learning still works, since advantages are differences. What fails is every comparison in time, early stopping first of all. Three minutes.

# %% tags=["result"]
generator = torch.Generator().manual_seed(0)
start = 1 + 2 * torch.randn(512, generator=generator)
frozen = (start.mean().item(), start.std().item())
for name, statistics in (("this batch", None), ("frozen", frozen)):
    before, after = (losses.whitened_reward(x.sigmoid(), statistics).mean()
                     for x in (start, start + 1))
    print(f"{name:>10}: {before:+.2f} before, {after:+.2f} after")
    assert (after - before > 0.4) == (name == "frozen")  # the check

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Detail: the score belongs to the last token of the answer
#
# Every token pays its share of the distance, $\beta \log (\pi_\theta / \pi_0)$. The score comes once, at the end. A batch is a rectangle, and answers are not: three answers of two, five and three tokens lie in a table of five columns.
#
# **Predict.** Somebody adds the score to the last column. How many of the three answers are ever paid?

# %% [markdown] slideshow={"slide_type": "notes"}
# One: the longest. The others keep their costs and never see their score. The log looks like a hard task: the score of the answers is reported, and does not rise.
#
# Point at the line with argmax: the running count of answer tokens reaches its end at the last of them. Three minutes.

# %% tags=["result"] slideshow={"slide_type": "subslide"}
def token_rewards(scores, logprobs, reference, mask, beta=0.1):
    """Reward of every token, (batch, length), for (batch,) scores."""
    rewards = -beta * (logprobs - reference) * mask
    last = mask.long().cumsum(dim=1).argmax(dim=1)  # (batch,)
    rewards[torch.arange(len(scores)), last] += scores
    return rewards


torch.manual_seed(0)
mask = torch.arange(5) < torch.tensor([[2], [5], [3]])
scores, given = torch.tensor([1.0, 2.0, 3.0]), -torch.rand(2, 3, 5)
right, costs = (token_rewards(x, *given, mask) for x in (scores, 0 * scores))
careless = costs + F.pad(scores[:, None], (4, 0))  # into the last column
for name, rewards in (("fails", careless), ("passes", right)):
    paid = ((rewards - costs) * mask).sum(dim=1)  # inside the answer
    print(f"{name}: scores {scores.tolist()}, paid {paid.numpy().round(2)}")
    assert torch.allclose(paid, scores) == (name == "passes")  # the check

# %% [markdown] slideshow={"slide_type": "notes"}
# The check is the sentence of the title: a row's rewards less its costs are its score, once. The package does the same for padding on either side; its test works the table out by hand.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Detail: three ways to estimate the distance, and one of them for the reward
#
# From answers of the policy the KL divergence is estimated by $k_1 = \log (\pi/\pi_0)$, by $k_2 = k_1^2/2$, or by $k_3 = e^{-k_1} - 1 + k_1$. Only $k_2$ and $k_3$ are never negative. In the small world their means are sums over a table.
#
# **Predict.** Which of the three have the right mean? Which is the calmest, near home and two nats away?

# %% [markdown] slideshow={"slide_type": "notes"}
# Folklore says k3, unbiased and of low variance. Near home that is so. At two nats it is the wildest of the three, since an answer that home likes much better than the policy weighs exponentially.
#
# In the reward stands k1. For watching, k1 summed over the answer as well: a mean that stays below zero is no estimate but an alarm, for the answers were not drawn from the policy that is being scored. Three minutes.

# %% tags=["result", "remove-input"]
rows = []
for beta in (5.0, 0.5):
    policy = enumerable.optimum(world.reference, world.rewards, beta)
    p, k1 = policy.exp(), policy - world.reference
    for name, k in (("k1", k1), ("k2", k1**2 / 2), ("k3", (-k1).exp() - 1 + k1)):
        spread = (p @ (k - p @ k) ** 2).sqrt().item()
        rows.append([p @ k1, name, p @ k, spread, p @ (k < 0).double()])
rows = [[float(x) if isinstance(x, Tensor) else x for x in row] for row in rows]
table(rows, ["true KL (nats)", "estimate", "mean", "deviation", "below zero"],
      "Three estimates from one answer, exactly", ".3f")
assert rows[2][3] < rows[0][3] and rows[5][3] > 2 * rows[3][3]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One score becomes a verdict on every token
#
# The value model says before each token what score it expects. If the next expectation is higher, the token was a good choice. $\lambda$ says how far to look for the consequences: at 0 to the next value only, at 1 to the end. Move the sliders.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: lambda 0 first. Ask which token the value model blames: the ones after which its expectation fell, "and" and still more "hay". At lambda 1 every early token shares in the disappointing end.
#
# Then the weight of the KL: "plums" is what the policy says more often than home did, and it pays for that. The numbers are invented. Four minutes.

# %% tags=["remove-input"]
frames(drawings.draw_verdict, drawings.describe_verdict, kl_weight=[0, 0.1, 0.3],
       lam=[0, 0.5, 0.95, 1])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-source", "short", "formal"]
# ## The algorithm: advantages, from the last token to the first
#
# $\delta$ is the surprise of one token: what came, and what is now expected, against what was expected. The advantage is the sum of the surprises to come, each fading by $\gamma\lambda$. Padding hands on what stands behind it, so it may stand anywhere.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the loop runs backwards. Forwards one would need a loop in the loop: every token needs all surprises behind it.
#
# Ask what is expected after the last token: nothing, and a value of anything else there is a famous source of drift. Three minutes.

# %% tags=["formal", "remove-input"]
algorithm("gae", source=False)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Two other roads to the same number
#
# By matrix: the surprises times a triangle of powers of $\gamma\lambda$. By definition: look ahead one token, two tokens, and so on to the end, and take a weighted mean of what each look says.
#
# **Predict.** A hundred random rows with holes of padding in them: how large will the largest difference be?

# %% [markdown] slideshow={"slide_type": "notes"}
# Rounding in double precision. The point is where the truth comes from: a well-known test of this formula compares two functions that are both defined inside the test, so the trainer could do anything.
#
# Here it is the trainer's own gae that is compared. Two minutes.

# %%
def by_matrix(r: Tensor, v: Tensor, gamma: float, lam: float) -> Tensor:
    surprise = r - v + gamma * F.pad(v[1:], (0, 1))
    apart = torch.arange(len(r)) - torch.arange(len(r))[:, None]
    fading = (gamma * lam) ** apart.clamp(min=0).double()
    return fading.triu() @ surprise


def by_definition(r: Tensor, v: Tensor, gamma: float, lam: float) -> Tensor:
    result, end = torch.zeros_like(r), len(r)
    for t in range(end):
        for n in range(1, end - t + 1):  # look n tokens ahead
            seen = gamma ** torch.arange(n).double() @ r[t : t + n] - v[t]
            seen += gamma**n * v[t + n] if t + n < end else 0
            weight = 1 - lam if t + n < end else 1
            result[t] += weight * lam ** (n - 1) * seen
    return result


# %% tags=["result", "remove-input"] slideshow={"slide_type": "subslide"}
generator, worst = torch.Generator().manual_seed(0), 0.0
for gamma, lam in ((1.0, 0.95), (0.9, 0.5), (1.0, 0.0), (1.0, 1.0)):
    r, v = torch.randn(2, 25, 9, generator=generator).double()
    mask = torch.rand(25, 9, generator=generator) < 0.6
    advantages, _ = gae(r, v, mask, gamma, lam)
    for row, here in enumerate(mask):
        for road in (by_matrix, by_definition):
            other = road(r[row, here], v[row, here], gamma, lam)
            worst = max(worst, *(advantages[row, here] - other).abs().tolist(), 0.0)
print(f"a hundred rows, largest difference {worst:.0e}")
assert worst < 1e-6

# %% [markdown] slideshow={"slide_type": "notes"}
# Lambda 0 and 1 are among the cases: one step ahead, and everything that came less what was expected.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Detail: a value must not have seen its token
#
# In the small world the true advantage of a token is known: what is expected with it less what was expected without it. So we can ask how well an estimate agrees with the truth, for values that are exact, half as large, or absent, and for exact values that were read one place too late.
#
# **Predict.** Which $\lambda$ is best for each? And how good are the values that came one place too late?

# %% [markdown] slideshow={"slide_type": "notes"}
# The function takes the expected reward before each token and behind the last. With exact values lambda 0 is perfect. Without values the best is in the middle. The custom of nearly one is a confession: we do not trust our value model.
#
# The red line is exactly zero, for every lambda. A value that has seen its token has already counted it; what is left is the surprise of the next token, which says nothing about this one. The policy then learns from noise, at full speed. Four minutes.

# %%
def expectations(chances: Tensor, rewards: Tensor) -> Tensor:  # (4096, 5)
    p, r = chances.view(8, 8, 8, 8), rewards.view(8, 8, 8, 8)
    columns = []
    for t in range(4):
        left = tuple(range(t, 4))  # places still to be written
        mean = (p * r).sum(left, keepdim=True) / p.sum(left, keepdim=True)
        columns.append(mean.expand_as(p).flatten())
    return torch.stack([*columns, rewards], dim=1)


# %% tags=["result", "remove-input"] slideshow={"slide_type": "subslide"}
chances, lams = world.reference.exp(), (0, 0.25, 0.5, 0.75, 0.9, 0.95, 1)
expected = expectations(chances, world.rewards)
truth = expected[:, 1:] - expected[:, :-1]  # (4096, 4)
paid, everywhere = F.pad(world.rewards[:, None], (3, 0)), torch.ones(4096, 4).bool()
exact, late = expected[:, :4], expected[:, 1:]
critics = {"exact values": exact, "half as large": exact / 2, "no values": 0 * exact,
           "exact, but one place late": late}
lines = {name: [drawings.correlation(gae(paid, values, everywhere, 1.0, lam)[0], truth,
                                     chances[:, None]) for lam in lams]
         for name, values in critics.items()}
assert lines["exact values"][0] > 0.999
assert max(map(abs, lines["exact, but one place late"])) < 1e-6  # the check
show(drawings.draw_critics(lams, lines),
     "Correlation with the true advantage against lambda: exact values begin at one "
     "and fall, half values begin lower, no values are best in the middle, values that "
     "are one place late stay at zero.", name="11_critics")

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the right end: there the honest critics come close, since of their values only the one before the token is still used.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Detail: whiten advantages last, and without the padding
#
# Advantages are shifted to mean zero and scaled to deviation one, so that the size of a step does not hang on the size of the score. The value model learns from returns, advantage plus value. Order matters: returns come first.
#
# **Predict.** All answers score about three. What does a fresh value model learn to expect if advantages are whitened before the returns are made?

# %% [markdown] slideshow={"slide_type": "notes"}
# Zero: the mean was just taken away. It will expect zero for ever, and its error looks excellent from the start, since zero is what a fresh value model says anyway.
#
# The second error, padding among the statistics: here all advantages lie near three, so the zeros of the padding pull the mean down and the deviation up. Nearly every token is praised, and the differences shrink. With good values advantages lie around zero, and then the zeros pull the deviation down, and the advantages come out too large. How much depends on the longest answer in the batch, so the step size becomes a lottery. Three minutes.

# %% tags=["result", "remove-input"]
lengths = torch.randint(2, 30, (64, 1), generator=generator)
mask = torch.arange(30) < lengths
scores = 3 + torch.randn(64, generator=generator)
nothing = torch.zeros(64, 30)  # a fresh value model, and no drift from home
rewards = token_rewards(scores, nothing, nothing, mask)
advantages, returns = gae(rewards, nothing, mask, 1.0, 1.0)
white, spoilt = losses.whiten(advantages, mask), losses.whiten(advantages)
for name, targets, used in (("right", returns, white), ("early", white, white),
                            ("padded", returns, spoilt)):
    print(f"{name:>6}: values learn {targets[mask].mean():.2f}, advantages "
          f"{used[mask].mean():+.2f} with deviation {used[mask].std():.2f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Detail: the clip takes the worse of two, not the clipped one
#
# The new probability of a token over the old is the ratio $\rho$. PPO maximises $\min(\rho A, \bar{\rho} A)$, with $\bar{\rho}$ kept within $1 \pm \epsilon$, and $\epsilon$ is {{fact:ppo_batch.clip_threshold}} in the paper. Move the sliders.
#
# **Predict.** A token has become half as likely, though its advantage is positive. Clipped alone, $\bar{\rho} A$: is there a gradient that brings it back?

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: advantage plus one, and ask where the line is flat. On one side only. Then minus one. The minimum is pessimistic: it believes improvements up to a fifth and believes all deterioration.
#
# With the clamp alone both sides are flat, and a token that was pushed the wrong way by its neighbours stays there. Three minutes.

# %% tags=["remove-input"]
frames(drawings.draw_clip, drawings.describe_clip, advantage=[1, -1, 2, -2],
       old_chance=[0.2, 0.5, 0.7])

# %% tags=["result"] slideshow={"slide_type": "subslide"}
def clamped(ratio: Tensor, advantage: Tensor) -> Tensor:
    return ratio.clamp(0.8, 1.2) * advantage


def worse(ratio: Tensor, advantage: Tensor) -> Tensor:
    return torch.minimum(ratio * advantage, clamped(ratio, advantage))


advantages = torch.tensor([1, 1, 1, -1, -1, -1])
for objective in (clamped, worse):
    ratios = torch.tensor([0.5, 1.0, 1.5] * 2, requires_grad=True)
    pull, = torch.autograd.grad(objective(ratios, advantages).sum(), ratios)
    print(f"{objective.__name__:>7}:", pull.int().tolist())
    assert (pull[0] > 0 > pull[5]) == (objective is worse)  # the check

# %% [markdown] slideshow={"slide_type": "notes"}
# Six tokens: ratios of a half, one, one and a half, first with advantage plus one, then minus one. Read column one and column six: there the policy went the wrong way. Only the second row pulls it back.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Detail: before the first step every ratio is one
#
# The policy that drew the answers and the policy that learns are the same until it has moved. So the first ratios of an iteration are one, all of them. It is the cheapest test there is, and it finds whatever differs between writing and learning.
#
# **Predict.** Answers are drawn at `temperature=0.7`, as is customary for quality, and learnt from at 1. What will the first ratios be, and what the KL from home?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "small differences". Many tokens are outside the clip before anything was learnt, and the distance is not zero at home.
#
# The same alarm rings for dropout left on, for top-k in sampling, for a mask shifted by one, for half precision in one of the two. The cure is not to tune, it is to divide the logits by the temperature everywhere. Three minutes.

# %% tags=["result"]
for name, temperature in (("fails", 1.0), ("passes", 0.7)):
    settings = replace(enumerable.PPO, temperature=temperature)
    learner = fresh_learner(settings)
    drawn = sample(learner.policy, [[0]] * 512, 4, 0.7, generator)
    row = ppo_step(learner, drawn, torch.zeros(512), settings, generator)
    print(f"{name}: off by {row['first_ratio_error']:.4f}, KL {row['kl']:.3f}")
    assert (row["first_ratio_error"] < 1e-4) == (name == "passes")  # the check

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Detail: home is a copy, not a name
#
# The reference must be the policy as it was. In Python `reference = policy` makes no copy: both names mean the model that is being trained.
#
# **Predict.** What does the log show as KL after twenty iterations, and what is it in truth?

# %% [markdown] slideshow={"slide_type": "notes"}
# Zero, from the first iteration to the last. People read it as "wonderfully stable". The penalty is nothing, so this run is the one of the second slide in disguise.
#
# Check for both: zero before the first step, and above zero soon after. Two minutes.

# %% tags=["result"]
for name in ("fails", "passes"):
    learner = fresh_learner(twenty)
    if name == "fails":
        learner.reference = learner.policy
    log = train_ppo(learner, [[0]], world.score, twenty, eos_id=-1)
    true = world.standing(learner.policy).kl
    print(f"{name}: logged KL {log[-1]['kl']:.2f}, in truth {true:.2f} nats")
    assert (log[-1]["kl"] > 0.1) == (name == "passes")  # the check

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Detail: an answer that was cut off must not pay
#
# Let token 7 be the end mark, and let the judge like long answers, as judges do. An answer that never ends is cut after four tokens. No judge was trained on such an answer, so we cap its score at zero and subtract one. The paper mentions nothing of the kind.
#
# **Predict.** Which share of answers still ends by itself after twenty iterations, without and with that penalty?

# %% [markdown] slideshow={"slide_type": "notes"}
# Without it hardly any. The score is wonderful: the policy has found out that silence is not paid.
#
# Codes differ here: some replace the score by a constant, some subtract one, some do nothing. Look at the share of answers that end in every run, whatever the code says. Two minutes.

# %% tags=["result"]
def loves_length(rollout, numbers) -> Tensor:
    return rollout.answer_mask.sum(dim=1) - 2.5


for name, penalty in (("fails", None), ("passes", 1.0)):
    settings = replace(twenty, batch=256, beta=0.1, truncation_penalty=penalty)
    learner = fresh_learner(settings)
    log = train_ppo(learner, [[0]], loves_length, settings, eos_id=7)
    print(f"{name}: ended {log[0]['ended']:.2f} -> {log[-1]['ended']:.2f}, "
          f"tokens {log[0]['length']:.1f} -> {log[-1]['length']:.1f}")
    holds((log[-1]["ended"] > 0.6) == (name == "passes"),
          "with the penalty answers end, without it hardly any")  # the check

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The whole of it, in a world with an answer key
#
# All parts are right; now they train together. Eighty iterations of 512 answers, $\beta$ one half. The best policy is known, so its KL from home and its entropy can be drawn as dashed lines, and the last panel shows what no chat model can show: the true distance to the optimum.
#
# **Predict.** Which of the first five curves would have told you that the run is right, without the sixth and without dashed lines?

# %% [markdown] slideshow={"slide_type": "notes"}
# None alone. The score rises in wrong runs as well, as a slide further on shows. Together they tell a lot: KL rises and levels off, entropy falls and levels off, up to half of the tokens are clipped at first and hardly any at the end, values explain more and more. Beware of the clipped share: the rate falls to zero in this run, and with it the share would vanish in a wrong run too.
#
# The first five iterations are flat: only the values learn. Ask why: advantages from bad values mislead. Four minutes, with the waiting.

# %% tags=["result", "remove-input"]
best = enumerable.optimum(world.reference, world.rewards, enumerable.PPO.beta)
by_ppo, log = enumerable.by_ppo(world)
wanted = {"score": enumerable.expected(best, world.rewards), "to_optimum": 0,
          "kl": enumerable.kl(best, world.reference),
          "entropy": -enumerable.expected(best, best) / enumerable.LENGTH}
names = ("score", "kl", "entropy", "clip_fraction", "explained_variance", "to_optimum")
holds(log[-1]["to_optimum"] < 0.05, "the run ends near the optimum")
show(drawings.draw_diagnostics(
        [log], names, "PPO in the small world; dashed: the optimum", wanted),
     "Six curves over eighty iterations: score and KL rise to the dashed lines of the "
     "optimum, entropy falls to its line, tokens are clipped at first, explained "
     "variance rises, the KL to the optimum falls to nearly nothing.",
     name="11_diagnostics")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Three methods on one map
#
# PPO, rejection sampling (best of four, then imitation) and DPO, which needs neither reward model nor sampling: it turns the formula of the optimum round and learns from comparisons. Each is drawn at its own distance from home, under the highest reward that any policy can have there.
#
# **Predict.** Which of the three will be furthest below the line?

# %% [markdown] slideshow={"slide_type": "notes"}
# Best of four, and not by an error: chosen by rank, it follows a currency other than reward. Even its exact policy, without any training, is off by about an eighth of a nat. Notebook 10 shows why.
#
# DPO stands nearer to home because its beta is one, and that of PPO a half. How far one goes is a choice; how far below the line one ends is the method. Four minutes, with the waiting.

# %% tags=["result", "remove-input"]
imitation, _ = enumerable.by_rejection(world)
by_dpo, _ = enumerable.by_dpo(world, replace(enumerable.DPO, steps=300))
stands = {name: world.standing(policy) for name, policy in (
    ("PPO", by_ppo), ("imitation of best of 4", imitation), ("DPO", by_dpo))}
ideal = {n: world.standing(best_of_n(world.reference.exp(), world.rewards, n)
                           .clamp(min=1e-300).log()) for n in (2, 4, 8, 16, 32)}
show(drawings.draw_plane(world, stands, list(ideal.values())),
     "Expected reward against KL with the exact frontier. PPO and DPO lie on it to the "
     "eye, the imitation of best of four a little below.", name="11_plane")

# %% tags=["remove-input"] slideshow={"slide_type": "subslide"}
holds(stands["PPO"].gap < 0.05 and stands["DPO"].gap < 0.05
      and stands["imitation of best of 4"].gap > 0.05,
      "PPO and DPO lie on the frontier to the eye, the imitation a little below")
holds(stands["imitation of best of 4"].gap < ideal[4].gap + 0.02,
      "the imitation is no further off the frontier than its teacher")
rows = [[name, one.kl, one.reward, one.best_reward, one.gap] for name, one in
        [*stands.items(), ("best of 4, exact", ideal[4])]]
table(rows, ["method", "KL from home (nats)", "reward", "best reward at that KL",
             "off the frontier (nats)"], "Each method at its own distance", ".3f")

# %% [markdown] slideshow={"slide_type": "notes"}
# The last column is the KL divergence from the best policy of the same distance. Say the sentence for the second and the fourth row aloud: best of n follows ranks, the frontier follows rewards.
#
# One run of each, one seed: this is a check of three programs, no ranking of methods. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: the sign of the KL, and advantages one token late
#
# Two lines. In the first, drifting away is paid instead of charged. In the second, every token receives the advantage of the one before it. Neither raises an error, and thirty iterations are run.
#
# **Predict.** Draw the score against iterations for both, and beside it the KL to the optimum.

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect falling scores. Both rise; the reversed sign gives the highest score of the three, since it collapses on good answers. In a log without an answer key it is the best run of the week.
#
# The late advantages are worse to find: the score is nearly that of the right run, and yet after thirty iterations it is still several times as far from the optimum. Three minutes.

# %%
def reversed_sign(scores, logprobs, reference, mask, beta):
    return losses.shaped_rewards(scores, logprobs, reference, mask, -beta)


def one_token_late(rewards, values, mask, gamma, lam):
    advantages, returns = gae(rewards, values, mask, gamma, lam)
    return F.pad(advantages, (1, -1)) * mask, returns


# %% tags=["result", "remove-input"] slideshow={"slide_type": "subslide"}
parts = {"right": {}, "sign reversed": {"shape": reversed_sign},
         "one token late": {"estimate": one_token_late}}
short = replace(enumerable.PPO, iterations=30)
broken = {name: enumerable.by_ppo(world, short, every=5, **part)[1]
          for name, part in parts.items()}
begin = enumerable.kl(world.reference, best)
show(drawings.draw_bugs(broken, begin),
     "Left: the mean score rises in the right run and in both broken ones. Right: the "
     "KL to the optimum falls near zero in the right run only.", name="11_bugs")
for name, rows in broken.items():  # the check
    complaint = enumerable.complaint([begin, rows[-1]["to_optimum"]])
    holds(rows[-1]["score"] > rows[0]["score"] + 0.5, f"the score rises ({name})")
    holds((complaint is None) == (name == "right"),
          "only the right run ends near the optimum")
ends = {name: rows[-1]["to_optimum"] for name, rows in broken.items()}
holds(ends["one token late"] > 3 * ends["right"],
      "with late advantages it ends several times as far from the optimum")

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what they would log in a real run to find either. For the sign: entropy and KL, which run away. For the shift: nothing in the panel; only a test on a world like this one, or on rows by hand.
#
# A sign that was turned round is a true story of 2019: there reward and KL were reversed together, so that the model stayed fluent and wrote the worst. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Which details matter? Take them away one at a time
#
# Twenty-five iterations, four passes over each batch, three seeds. The measure is the true KL to the optimum at the end: lower is better, and home itself is at two nats.
#
# **Predict.** Order them: no clip, $\lambda$ of zero, a discount, no value model, no warm-up of the values. Does any of them help when it is taken away?

# %% [markdown] slideshow={"slide_type": "notes"}
# The clip should pay for the four passes, and the mean without it is high; whether three seeds show it, the last column says. Without a value model lambda is one as well. Lambda zero trusts values that are not yet good. A discount says that early tokens matter less, which is false here.
#
# Without the warm-up the mean is even a little lower, which is at the limit of what three seeds can show: these values learn fast. What changes nothing here is no proof for 70B: the study that found Adam's epsilon to matter worked with a pretrained GPT-2 and early steps. Say "not in this world". Three minutes.

# %% tags=["result", "remove-input"]
found, rows, gaps = {}, [], {}
for row in stages.get("ppo_details"):
    found.setdefault(row["name"], []).append(row["to_optimum"])
for name, mine in found.items():
    gaps[name] = gap = paired_difference(mine, found["as it is"])
    shown = [f"{gap.low:+.2f} to {gap.high:+.2f}", "yes" if gap.excludes(0) else "no"]
    rows.append([name, sum(mine) / 3, *(["", ""] if name == "as it is" else shown)])
holds(gaps["lambda 0"].low > 0 < gaps["discount 0.8"].low and gaps["no warm-up"].mean
      < 0 < gaps["no clip"].mean, "lambda zero and a discount cost, the mean without "
      "clip is higher, and without warm-up it is a bit lower")
holds(gaps["no value model"].mean < gaps["discount 0.8"].mean,
      "to do without a value model costs less than a discount")
table(rows, ["taken away", "KL to the optimum", "more, 95% interval", "shown?"],
      "Three seeds of each, in nats", ".2f")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Forty details, and what became of each
#
# The ledger of this series lists forty details of PPO for language models that published code disagrees about. Some had a slide, some are built in without one, and some are not used here. None was left to chance.

# %% [markdown] slideshow={"slide_type": "notes"}
# Do not read it aloud. Let everybody choose one from the third row and say why it is not needed: an adaptive weight of the KL, for instance, aims at a distance instead of a price.
#
# The list is of other people's code and papers, not of Llama 2, which states about ten of these. Two minutes.

# %% tags=["remove-input"]
fates = {
    "on a slide of its own": "reward-placement rm-normalisation reward-normalise-batch "
    "kl-estimator value-mask-off-by-one advantage-normalisation policy-clip "
    "gamma-lambda first-ratio-check temperature-consistency reference-model "
    "missing-eos-penalty eos-truncation value-warmup ppo-epochs reward-hacking-watch "
    "logging seeds",
    "built in, no slide": "kl-fixed kl-in-reward-vs-loss top-k-mismatch dropout-off "
    "value-head-init critic-shared-or-separate value-loss padding-positions "
    "learning-rate two-learning-rates lr-schedule adam-eps grad-clip batch "
    "rollout-diversity sft-first cpu-numerics entropy",
    "not used here": "reward-whitening kl-adaptive toy-reward-choice simplest-baseline"}
names = [name for text in fates.values() for name in text.split()]
assert len(set(names)) == len(names) == 40
assert all(paper.context("ppo_details", name) for name in names)
table([[fate, len(text.split()), text.replace(" ", ", ").replace("-", " ")]
       for fate, text in fates.items()], ["what became of it", "how many", "which"],
      "The forty details of the ledger")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-chat", "short", "predict"]
# ## The chat model again: when does a rising reward stop being good news?
#
# Now the Pasture. PPO starts from the fine-tuned model and is paid by a **weak** reward model, trained on few comparisons, by a **strong** one, or by the **truth** itself. The first two with the KL term and without. Full lines are the truth, dotted lines the score that the policy is paid.
#
# **Predict.** In which of the five runs does the truth turn down, and where does the score point there?

# %% [markdown] slideshow={"slide_type": "notes"}
# Under the weak judge the truth ends about where it began, or lower, and the score gains little too: this judge says so little about the policy's new answers that PPO drifts. How far the truth falls differs much from machine to machine. Under the strong one both rise at first; score up and truth down is seen at most towards the end without the KL term, in one run, and not far beyond the noise.
#
# The panel on the right is the control: same program, same rates, a judge without error. If the truth rises further there than on its left, PPO is right and the judge is the limit.
#
# Gao and others describe the law with a large model as the truth: the real reward rises with the root of the KL, bends, and falls; a better judge moves the bend outward. Four minutes.

# %% tags=["result", "remove-input"]
studies, panels = stages.get("overoptimisation"), {}
mean = lambda values: sum(values) / len(values)
for run in studies:
    panels.setdefault(run["reward"], {})[f"beta {run['beta']:g}"] = (
        drawings.smooth(run["rows"]), "red" if run["beta"] == 0 else "blue")
start = mean([row["utility"] for run in studies for row in run["rows"][:5]])
show(drawings.draw_overoptimisation(panels, start),
     "True utility and score against KL for a weak reward model, a strong one and the "
     "truth as a judge, with and without the KL term; full lines are the truth, dotted "
     "ones the score.", name="11_overoptimisation")

# %% tags=["remove-input"] slideshow={"slide_type": "subslide"}
some = lambda run, name, part: mean([row[name] for row in run["rows"][part]])
first, final = slice(0, 5), slice(-5, None)
rows = [[f"{run['reward']}, beta {run['beta']:g}", some(run, "score", final),
         some(run, "utility", first), max(some(run, "utility", slice(i, i + 5))
                                          for i in range(len(run["rows"]) - 4)),
         some(run, "utility", final), some(run, "kl", final)] for run in studies]
gains = {row[0]: row[4] - row[2] for row in rows}
by_judge = [[gain for name, gain in gains.items() if name.startswith(judge)]
            for judge in ("weak", "strong", "truth")]
holds(max(by_judge[0]) < min(by_judge[1]) and max(by_judge[1]) < by_judge[2][0],
      "the better the judge, the more the truth gains")
holds(max(by_judge[0]) < 0.02,
      "under the weak judge the truth gains nothing beyond the noise")
table(rows, ["paid by", "score at the end", "truth at first", "at its best",
             "at the end", "KL (nats)"], "Means of five iterations", ".2f")

# %% [markdown] slideshow={"slide_type": "notes"}
# One run of each, so read directions and not digits: an iteration is one batch of 64 answers, and the mean of five has a standard error of about two hundredths. The column of the best picks the luckiest five iterations, so the end lies below it even where nothing falls.
#
# The paper kept a third reward model, trained on open data, as a watchman against this, and reports no parting of the two. Ask whether a watchman of the same kind can see what the judge cannot. Three minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## RLHF-V5: PPO on top of four rounds
#
# As in the paper, PPO starts from a model made by rejection sampling, here V4, with the reward models refreshed on V4's own answers. Three runs with three seeds. The truth is noted beside every batch, and PPO never sees it.
#
# **Predict.** Score and utility start at the values of V4. Does either rise? What happens to the length of the answers?

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the panels as a doctor would: score and truth together, or parted? KL levelling off? Entropy falling without reaching the floor? Clipped share below a tenth? Answers still ending? Here score, truth and length stay within the noise from batch to batch, and the KL stays small and wavers.
#
# The paper's Figure 11 shows two models called V5, one without PPO and one with it. Ours is the one with it.
#
# Then ask which panel they would look at first tomorrow morning if only one were sent by mail. There is no right answer, but score is the wrong one. Four minutes.

# %% tags=["result", "remove-input"]
versions, runs = ["SFT", "V1", "V2", "V3", "V4", "V5"], stages.get("rlhf")
judged = lambda version, name: [run.judged[version].mean(name) for run in runs]
names = ("score", "utility", "kl", "entropy", "clip_fraction", "explained_variance",
         "length", "ended")
moved = {name: max(abs(mean([row[name] for row in run.ppo[-5:]])
                       - mean([row[name] for row in run.ppo[:5]])) for run in runs)
         for name in ("score", "utility")}
holds(moved["score"] < 0.25 and moved["utility"] < 0.1, "score and truth hardly move")
show(drawings.draw_diagnostics([run.ppo for run in runs], names,
                               "PPO on V4: score and truth hardly move, in three runs"),
     "Eight curves over the iterations of PPO for three runs: score, true utility, KL "
     "from V4, entropy, clipped share, explained variance, length, and the share of "
     "answers that end.", name="11_v5_run")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-chat", "short", "predict"]
# ## From SFT to V5 on held-out prompts
#
# All versions answer the same held-out prompts, at temperature one. The truth is the utility; both reward models are those of the last refresh; the distance is the KL from the fine-tuned model. Open circles are a control: the truth when every version takes the likeliest token each time.
#
# **Predict.** Which of the four changes from V4 to V5 has an interval without zero? And what do the open circles do from SFT to V4?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "utility, upwards". It is not shown to rise: three seeds, Student's t with two degrees of freedom, a factor of more than four. The title names what is shown to move at all, up or down, however little. It compares V5 with V4 run by run, which is sharper than the bars, since each bar also holds what differs between the runs. But with four such intervals chance alone can name something in nearly one case of five. The next slides look closer.
#
# Then the open circles. Expect them to rise half as far. They hardly rise, and three runs cannot tell whether at all: so answered, the fine-tuned model was about as good. The first circle has no bar, since it is one model and nothing is drawn. One reading: the rounds made it surer of what it knew. Equal means do not prove that the answers are the same. It is worth having, since people are given drawn answers and remember the blunder; the paper's Figure 20 shows the worst answers going first. But it is another claim than "it has learnt", and a curve at one temperature cannot tell the two apart. Four minutes.

# %% tags=["result", "remove-input"]
titles = {"utility": "truth: utility", "kl": "KL from SFT (nats)",
          "helpfulness": "helpfulness model", "safety": "safety model"}
panels = {title: [interval(judged(version, name)) for version in versions]
          for name, title in titles.items()}
last = {title: paired_difference(judged("V5", name), judged("V4", name))
        for name, title in titles.items()}
holds(last["truth: utility"].low <= 0, "after V4 the truth is not shown to rise")
sure = {v: [run.likeliest[v] for run in runs] for v in versions}
gained = paired_difference(sure["V4"], sure["SFT"])
holds(not gained.excludes(0) and gained.mean < 0.05,
      "the likeliest answers of V4 are not shown to be better than those of SFT")
show(of_rounds.draw_versions(
        panels, versions, "Drawn answers rise to the likeliest. Shown to move after "
        f"V4: {drawings.shown_to_move(last)}", [interval(sure[v]) for v in versions]),
     "Four panels by version from SFT to V5 with intervals over three runs: true "
     "utility, KL from the fine-tuned model, helpfulness score and safety score. The "
     "utility of the likeliest answers hardly changes.",
     name="11_versions")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The tiny Figure 11: who wins against the fine-tuned model?
#
# The paper follows its versions by win rate, judged by its own reward models and by GPT-4. We judge by the truth and by both reward models: for every held-out prompt a version's answer against that of the fine-tuned model, a tie counting half.
#
# **Predict.** Who will be more enthusiastic about V5, the reward model that trained it or the truth?

# %% [markdown] slideshow={"slide_type": "notes"}
# In the paper the opponent is ChatGPT and not the fine-tuned model: its reward models see both axes above one half after V3, while GPT-4 is cooler and ends above sixty per cent. A judge that trained the player may be a fan. Whether ours is one, three runs do not show: it counts about as many wins as the truth, within a few hundredths. Equal totals are no agreement: the line below counts both where the truth decides and where it calls a tie. The safety model is cooler; one reading is that most prompts are none of its business.
#
# Ties matter here: about half of the prompts are answered equally well by both, so the truth cannot prefer. Three minutes.

# %% tags=["result", "remove-input"]
rates = {title: [interval(measures.win_rates(runs, version, judge))
                 for version in versions[1:]]
         for title, judge in (("judged by the truth", "utility"),
                              ("by the helpfulness model", "helpfulness"),
                              ("by the safety model", "safety"))}
own, true = rates["by the helpfulness model"], rates["judged by the truth"]
holds(all(abs(a.mean - b.mean) < 0.06 for a, b in zip(own, true)),
      "its own judge counts about as many wins as the truth, in the mean")
show(drawings.draw_wins(rates, versions[1:]),
     "Win rate against the fine-tuned model from V1 to V5 with intervals over three "
     "runs, judged by the truth, by the helpfulness model and by the safety model.",
     name="11_wins")
for decided, (truth, judge) in measures.wins_apart(runs, "V5").items():
    print(f"where the truth {'decides' if decided else 'calls a tie'}, V5 wins "
          f"{truth:.0%} by the truth, {judge:.0%} by its own judge")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Did PPO pay for one skill with another?
#
# A mean can rise while a skill dies. So look at every kind of task: fine-tuned, after four rounds, after PPO.
#
# **Predict.** Which kind gains most from PPO? Is there one that is worse than before all of it?

# %% [markdown] slideshow={"slide_type": "notes"}
# Compare blue with orange for PPO alone, and blue with grey for the whole way. Kinds have few prompts each, so intervals are wide. PPO alone moves little. The whole way lifts every kind in the mean, and most of all requests that only sound unsafe and rhymes. Why these, we have not tested. In the small rounds of notebook 10, by lot or by judge, the first of the two fell in the mean, so being surer does not explain it alone.
#
# The rule of the house: no kind may end more than a twentieth below its fine-tuned value. The next slide says whether that holds. Three minutes.

# %% tags=["result", "remove-input"]
kinds = sorted(set(runs[0].judged["SFT"].kinds))
by_kind = {kind: {version: interval([run.judged[version].mean(kind=kind)
                                     for run in runs])
                  for version in ("SFT", "V4", "V5")} for kind in kinds}
change = {kind: paired_difference(*([run.judged[version].mean(kind=kind) for run in
                                     runs] for version in ("V5", "SFT")))
          for kind in kinds}
holds(all(gap.high >= 0 for gap in change.values()),
      "no kind of task is shown to end below where it began")
climbs = {kind: of["V5"].mean - of["SFT"].mean for kind, of in by_kind.items()}
holds(min(climbs.values()) > 0 and set(sorted(climbs, key=climbs.get)[-2:]) == {
    "borderline", "rhyme"}, "every kind ends higher in the mean, and most of all "
    "requests that only sound unsafe and rhymes")
holds(all(abs(of["V5"].mean - of["V4"].mean) < 0.1 for of in by_kind.values()),
      "PPO alone moves little")
show(of_rounds.draw_kinds(by_kind, "No kind is shown to end below where it began"),
     "True utility for each kind of task with intervals over three runs: fine-tuned "
     "model, V4 and V5.", name="11_kinds")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-chat"]
# ## What we had promised, and what came out
#
# We wrote this list for earlier settings, whose runs did not keep all of it. Single runs on other prompts then chose new settings. One choice was made here, after seeing both: eight hundred prompts a round in place of seven, which flatters the utility by a hundredth or two. The list is unchanged, and a promise that is not kept is reported as one. With three seeds a difference is shown only where its interval leaves out zero.

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the last column first. Where it says no, ask the class what they would try, and compare with the truth curves a few slides back. The next slide says what we tried.
#
# The row of the kinds shows the one whose interval reaches lowest: the promise was for every kind, so it is kept only if that one keeps it. Promises written afterwards are always kept. Two minutes.

# %% tags=["remove-input"]
utility = {version: judged(version, "utility") for version in versions}
steps = {f"{b} above {a}": paired_difference(utility[b], utility[a])
         for a, b in (("SFT", "V4"), ("V4", "V5"))}
worst, lost = min(change.items(), key=lambda item: item[1].low)
v5 = {name: sum(judged("V5", name)) / len(runs) for name in ("utility", "kl", "ended")}
rows = [[name, "interval above 0", f"{gap.low:+.3f} to {gap.high:+.3f}", gap.low > 0]
        for name, gap in steps.items()]
good = v5["utility"] >= 0.85
spared = all(gap.high >= -0.05 for gap in change.values()) and "cannot tell"
rows += [["utility of V5", "0.85 or more", f"{v5['utility']:.3f}", good],
         [f"least certain kind ({worst}), V5 less SFT", "-0.05 or more",
          f"{lost.low:+.3f} to {lost.high:+.3f}", lost.low >= -0.05 or spared],
         ["KL of V5 from SFT", "below 15 nats", f"{v5['kl']:.1f}", v5["kl"] < 15],
         ["answers that end", "98% or more", f"{v5['ended']:.1%}", v5["ended"] >= 0.98]]
holds(steps["V4 above SFT"].low > 0 and v5["kl"] < 15,
      "V4 is shown to be above the fine-tuned model, and V5 stays near it")
holds(steps["V5 above V4"].low <= 0, "V5 is not shown to be above V4")
table(rows, ["", "promised", "found", "kept?"], "Three runs, held-out prompts")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Why does V5 not rise above V4? Ask how often the judge is right
#
# Before every round, and before PPO, annotators compared answers of the newest model. The judge was asked whom they had preferred, before it learnt from these pairs. Only pairs that differ in truth count.
#
# **Predict.** A coin is right in half of them. How often is the judge right about answers of the fine-tuned model, and how often about answers of V4?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "it gets better, it has learnt from four more rounds". In the means it falls after the fine-tuned model, to about a coin. It is not shown to have forgotten: on the held-out pairs of notebook 09, in the last two rows, the last judges are about as good as the first. One reading, not tested: the pairs became harder. Colder draws alone lower the share, as the first and the sixth row show; and as the gaps shrink, noisy annotators are right less often too. PPO is paid by the judge after this lesson, for answers drawn at temperature one, so the table is a hint and no proof.
#
# What we tried before these settings, one run each, on other prompts. Draws at temperature one, four hundred prompts a round: V4 reached about seven tenths, and its likeliest answers were worse than those of the fine-tuned model. Draws at one half and twice the prompts: the V4 of this notebook. Colder still: no more. At the settings of this notebook, winners by lot: within three hundredths of V4. PPO with a third of the weight of the KL, with twice the rate, with judges that had just compared draws at temperature one: V5 stayed at V4.
#
# A better judge may be the way out. In the study before, the truth as a judge helped most, but there PPO started from the fine-tuned model; from V4 we have not tried it. Ask where a better judge would come from at 70B. Four minutes.

# %% tags=["remove-input"]
asked = ("SFT", "V1", "V2", "V3", "V4")
right = [[run.rounds[place]["helpfulness_before"] for run in runs]
         for place in range(len(asked))]
rows = [[f"answers of {name}", found.mean, f"{found.low:.2f} to {found.high:.2f}"]
        for name, found in zip(asked, map(interval, right))]
holds(sum(right[0]) > sum(right[-1]), "the judge tells answers of V4 apart less well")
holds(rows[0][1] > 0.65 and all(abs(row[1] - 0.5) < 0.15 for row in rows[1:]),
      "after the fine-tuned model the judge falls to about a coin")
first = stages.get("rewards")
pairs = judges.ranked(first.heldout["helpfulness"])
old, *new = (reward.accuracy(one.helpfulness, stages.get("tokenizer"), pairs)["all"]
             for one in (first, *runs))
new = interval(new)
rows += [["held-out pairs of notebook 09, first judge", old, ""],
         ["the same, last judges", new.mean, f"{new.low:.2f} to {new.high:.2f}"]]
holds(new.mean > old - 0.05, "on the old pairs it is about as good as before")
table(rows, ["pairs that differ in truth", "judge right", "95% interval"],
      "The helpfulness model; above before it learns from the pairs", ".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 70B: five models in memory, two of them with their optimiser
#
# A model that only reads needs two bytes a weight. One that learns needs about sixteen: weights, gradients, and what AdamW keeps. The paper does not say what its value model is; we take a second model of 70B.
#
# **Predict.** How many cards of 80 GB does it take to hold all of that, before a single answer is written?

# %% [markdown] slideshow={"slide_type": "notes"}
# Sixteen bytes: two for the weights, two for gradients, twelve for a precise copy and both moments of AdamW. Expect guesses of eight cards.
#
# One iteration of {{fact:ppo_batch.batch_size}} answers took {{fact:ppo_time}} seconds; writing was slower by a factor of {{fact:ppo_fsdp}} until the weights were gathered once before it. The number of cards is not stated, so the hours of cards below rest on our count. Three minutes.

# %% tags=["result", "remove-input"]
size = LlamaConfig.named("llama-2-70b").parameter_count()
parts = {"policy": 16, "value model (our assumption)": 16, "policy before PPO": 2,
         "safety reward model": 2, "helpfulness reward model": 2}
total = sum(parts.values()) * size
cards = -(-total // (80 * 10**9))  # rounded up
seconds, few, many = paper.fact("ppo_time").value, *paper.fact("ppo_iterations").value
hours = many * seconds / 3600
rows = [[name, each, f"{each * size / 1e9:,.0f} GB"] for name, each in parts.items()]
rows += [["together", "", f"{total / 1e9:,.0f} GB"],
         ["cards of 80 GB that hold it", "", int(cards)],
         [f"{few} to {many} iterations", "",
          f"{few * seconds / 3600:.0f} to {hours:.0f} h"],
         ["hours of cards, 400 iterations on these", "", f"{hours * cards:,.0f}"]]
table(rows, ["model", "bytes a weight", "PPO at 70B"], "Memory and time", "", [5])
assert 25 < cards < 50

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper states, beside ours, and what it does not state
#
# Its settings are in one paragraph of section 3.2.3. Iterations end early, by held-out prompts. By Figure 11 the last version with PPO wins most, by its own reward models and by GPT-4. Four rows must be guessed by whoever wants to repeat it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which missing line hurts most. The whitening: beta is measured in its unit, so the paper's beta cannot be used without it.
#
# The rates differ by two hundred, the models by some seventy thousand. Three minutes.

# %% tags=["remove-input"]
adam, batch, betas = (paper.fact(f"ppo_{name}").value
                      for name in ("optimizer", "batch", "beta"))
ours = rlhf.RLHFSettings().ppo
rows = [["answers an iteration", batch["batch_size"], ours.batch],
        ["answers a minibatch", batch["mini_batch_size"], ours.minibatch],
        ["steps on a minibatch", batch["gradient_steps_per_mini_batch"], ours.epochs],
        ["clip", batch["clip_threshold"], ours.clip],
        ["weight of the KL", f"{betas['7B']} (34B, 70B: {betas['70B']})", ours.beta],
        ["learning rate, constant", f"{adam['lr']:g}", f"{ours.policy_rate:g}"],
        ["weight decay", adam["weight_decay"], ours.weight_decay],
        ["iterations", f"{few} to {many}", ours.iterations],
        ["value function", "not stated", "a model of its own"],
        ["advantages", "not stated", f"lambda {ours.lam}, gamma {ours.gamma:g}"],
        ["temperature of sampling", "not stated", f"{ours.temperature:g}"],
        ["whitened over", "not stated", "256 answers of V4, once"]]
assert paper.fact("ppo_unspecified").confidence == "verified-2-sources"
table(rows, ["", "Llama 2", "tiny model"], "Settings of PPO", "g")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed since: the value model went first
#
# DPO took the place of PPO in most open recipes; Llama 3 chose it. A study of 2024 finds that well-tuned PPO still wins, so the question is open. GRPO and RLOO keep the sampling and drop the value model: an answer is compared with its siblings. Where answers can be checked, as in mathematics, the reward model went too. In the most used open library PPO lies in the experimental part since {{context:followups.ppo-demoted-in-tools.snapshot}} at the latest.

# %% [markdown] slideshow={"slide_type": "notes"}
# Point back at the table of details: to do without a value model cost less there than a discount. That is the seed of GRPO.
#
# Ask what DPO gives up: it never sees its own answers. In the small world comparisons came from the reference and covered everything; in a language they do not. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: what every token is paid (8 minutes)
#
# One answer, as lists over its tokens. Every token pays $\beta \log(\pi_\theta / \pi_0)$; the last also receives the score. If the answer did not end by itself, the score is capped at zero first, and `penalty` is taken off. Return the list of rewards.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: the sign, the cap without the penalty, the last token that forgets its own KL.
#
# Eight minutes.

# %% tags=["exercise", "minutes-8"]
def reward_row(logprobs: list[float], reference: list[float], score: float,
               ended: bool, beta: float, penalty: float) -> list[float]:
    """Rewards of the tokens of one answer."""
    ### BEGIN SOLUTION
    if not ended:
        score = min(score, 0.0) - penalty
    rewards = [-beta * (new - old) for new, old in zip(logprobs, reference)]
    rewards[-1] += score
    return rewards
    ### END SOLUTION


checks.check_reward_row(reward_row)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: whiten what is marked (6 minutes)
#
# Shift and scale `x` so that the entries where `mask` is True have mean zero and deviation one over the whole batch (the variance divides by their number). The others become zero, whatever they hold.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: padding among the statistics, each row for itself, the deviation with n minus one. A hint for those who multiply by the mask: padding may hold infinity.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def whiten_marked(x: Tensor, mask: Tensor) -> Tensor:
    """(batch, length) both, and what comes back."""
    ### BEGIN SOLUTION
    marked = x[mask]
    white = (x - marked.mean()) / marked.std(unbiased=False)
    return torch.where(mask, white, 0.0)
    ### END SOLUTION


checks.check_whiten_marked(whiten_marked)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: which way does PPO push? (5 minutes)
#
# For one token with its ratio and its advantage: return 1 where the clipped objective pushes its probability up, -1 where it pushes down, 0 where it lets go. At the very edge of the clip it still pushes.

# %% [markdown] slideshow={"slide_type": "notes"}
# Those who return the sign of the advantage have written the policy gradient; those who return zero outside the interval have written the clamp that fails.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def push(ratio: float, advantage: float, epsilon: float = 0.2) -> int:
    """1, -1 or 0."""
    ### BEGIN SOLUTION
    if advantage > 0:
        return 1 if ratio <= 1 + epsilon else 0
    if advantage < 0:
        return -1 if ratio >= 1 - epsilon else 0
    return 0
    ### END SOLUTION


checks.check_push(push)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# PPO makes tokens likelier that did better than expected, charges every token for leaving home, and lets go beyond a fifth. Its bugs can raise the score. Test its parts where the truth is known: first ratios of one, a KL that is zero at the start only, advantages by three roads, and a world with a table. A score that rises is a question; the answer is the truth, or somebody who is not paid by the same judge.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for one bug of today and the number that would have shown it.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Llama 2](https://arxiv.org/abs/2307.09288), section 3.2.3. [PPO](https://arxiv.org/abs/1707.06347). [Generalised advantages](https://arxiv.org/abs/1506.02438). [Fine-tuning from human preferences](https://arxiv.org/abs/1909.08593), where the recipe begins. [N+ implementation details](https://arxiv.org/abs/2403.17031). [Over-optimisation](https://arxiv.org/abs/2210.10760). [DPO](https://arxiv.org/abs/2305.18290), and [whether it is superior](https://arxiv.org/abs/2404.10719). [Three estimates of KL](http://joschu.net/blog/kl-approx.html).
#
# Next: notebook 12, Ghost Attention, so that an instruction outlives the first turn.

# %% [markdown] slideshow={"slide_type": "notes"}
# Whoever wants to write PPO at work reads the fifth link first. One minute.
