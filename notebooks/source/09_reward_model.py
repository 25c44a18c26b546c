# %% [markdown] slideshow={"slide_type": "slide"}
# # Two judges learn from nothing but choices
#
# Nobody can write down what makes an answer good. Almost everybody can say which of two is better. A reward model turns a pile of such choices into a number for any answer, and Llama 2 trains two of them.
#
# **Paper**: sections 3.2.1 and 3.2.2, appendices A.3.1 to A.3.4. **Minutes**: 115. **On the map**: base, fine-tuning, *reward models*, rejection sampling, PPO, Ghost Attention.
#
# Afterwards you can write the loss, the head and the training, say what accuracy is possible at all, and measure what a margin, more data and a longer answer do.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: could you give this lecture a mark out of a hundred, and would it be the same mark tomorrow? Then: was it better than last week's? The second question is easier, and that is the reason for everything that follows.
#
# Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
import copy, math, pathlib, tempfile
from collections import Counter
from random import Random

import torch, transformers
from torch import Tensor, nn
from torch.nn import functional as F

from minillama import paper, pasture, stages
from minillama.alignment import reward
from minillama.alignment.chat import Message, encode_dialogue, question
from minillama.alignment.data import pad
from minillama.alignment.preferences import Pair, written
from minillama.alignment.reward import MARGINS, RewardModel, RewardSettings
from minillama.alignment.rollout import token_logprobs
from minillama.checkpoint import save_pretrained
from minillama.config import LlamaConfig
from minillama.pasture import DEGREES, Annotator
from minillama.stages_chat import KINDS, OWN, REWARD, STUDIED, public
from minillama.teach import algorithm, frames, holds, show, table

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
from minillama.teach.checks import nb_09 as checks
from minillama.teach.drawings import nb_09 as drawings
from minillama.training import optimisation
from minillama.training.intervals import interval, paired_difference

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()  # a new head is what we want
sft, rewards = stages.get("sft"), stages.get("rewards")
study, tokenizer = stages.get("reward_study"), sft.tokenizer
train, heldout = rewards.train, rewards.heldout
judges = {"helpfulness": rewards.helpfulness, "safety": rewards.safety}
noise = Annotator().noise


def batch_of(pairs: list[Pair]) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens and lengths, chosen rows first, and the small margins."""
    rows = [reward.encode_scored(tokenizer, pair.prompt, getattr(pair, side))
            for side in ("chosen", "rejected") for pair in pairs]
    small = dict(zip(DEGREES, MARGINS["small"]))
    return *pad(rows), torch.tensor([float(small[p.degree]) for p in pairs])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The chat model has a taste, and can learn nothing from it
#
# The model of notebook 08 gives every answer a probability. So of two answers it likes one better. But the answer that it likes best is the one it gives already: more of its own taste would change nothing. News has to come from outside, from somebody who compares.
#
# **Predict.** Annotators compared two answers of our model to each held-out question. How often does the answer win that the model finds likelier: half of the time, two thirds, nine tenths? And on unsafe requests?

# %% [markdown] slideshow={"slide_type": "notes"}
# The taste is no bad judge, and no good one: two thirds of the demonstrations of notebook 08 were right, and what is right is written more often. Keep the shares by token on the board: the judges of this notebook will be put beside them, and it is not settled who wins. The second test set, nearly all of it unsafe requests, has a hundred-odd pairs, which leave eight or nine points on either side.
#
# The whole answer's probability falls with every token, so it also likes what is short. Three minutes.

# %% tags=["result", "remove-input"]
@torch.no_grad()
def taste(pairs: list[Pair], side: str) -> tuple[Tensor, Tensor]:
    """Log-probability of each answer: of all its tokens, and of a mean one."""
    rows = [encode_dialogue(tokenizer, [
        *question(pair.prompt), Message("assistant", getattr(pair, side))])
        for pair in pairs]
    tokens, _ = pad([row.ids for row in rows])
    mask, _ = pad([row.is_answer for row in rows])
    nats = (token_logprobs(sft.model, tokens) * mask).sum(dim=1)
    return nats, nats / mask.sum(dim=1)


liked = {}
for view, pairs in heldout.items():
    sides = [taste(pairs[:250], side) for side in ("chosen", "rejected")]
    whole, mean = ((up > down).float().mean().item() for up, down in zip(*sides))
    print(f"{view}: the likelier answer wins {whole:.0%}, likelier by token {mean:.0%}")
    liked[view] = mean
    holds(mean > 0.55, f"by token, the taste is better than a coin on {view}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Choosing is easier than writing, so ask for choices
#
# An annotator writes a question, gets two answers, and says which is better, and how clearly: significantly, better, slightly, or negligibly and unsure. The two answers come from different models at different temperatures, so that they differ. That is one lesson. Llama 2 had more than a million of them.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask who has to be able to write a good answer in this picture. Nobody: the models write. That is how the model can become better than what its annotators would have written, the argument of the paper's section 5.1.
#
# Two minutes.

# %% tags=["remove-input"]
show(drawings.draw_comparison(),
     "A question leads to two answers, one of a model at low and one of another at "
     "high temperature; both lead to an annotator, who says that A is slightly better.",
     name="09_comparison")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Our annotators are programs, and they err as people do
#
# Nobody was asked anything for this notebook. Our annotators are **simulated**: each knows the true utility of an answer and sees the gap through noise. The first answer wins with the probability of Bradley and Terry, $\sigma((u_1 - u_2) / \text{noise})$.
#
# **Predict.** Two answers differ by a full stop, worth a fifth of a point. Of a thousand such annotators, how many prefer the better answer?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "all of them, it is a program". The noise is the point: people who compare the same two answers agree far less often than one hopes.
#
# What we gain by simulating: the truth is known, so for once a reward model can be judged against it. What we lose: people's noise depends on person, day and length of the answers, and ours does not. Three minutes.

# %% tags=["result", "remove-input"]
task = pasture.make_tasks(1, seed=9, split="heldout")[0]
better, worse = task.reference, task.reference.rstrip(".")
annotator, rng = Annotator("helpfulness"), Random(0)
print(task.prompt)
for answer in (better, worse):
    print(f"  {annotator.score(task, answer):.1f}  {answer}")
said = [annotator.compare(task, better, worse, rng) for _ in range(1000)]
chance = annotator.probability(task, better, worse)
print(f"{sum(one.first_chosen for one in said)} of 1,000; "
      f"formula: {1000 * chance:.0f}")
print(dict(Counter(one.degree for one in said)))
assert abs(sum(one.first_chosen for one in said) - 1000 * chance) < 40

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The same glance decides who wins and how clearly
#
# A noisy gap above zero means that A is preferred, and its size gives the degree. Move the slider: more noise makes clear degrees of unclear cases, and now and then a significant preference for the worse answer.

# %% [markdown] slideshow={"slide_type": "notes"}
# Stay at a true gap of zero and read upwards: two answers of equal worth are called "better" quite often. Ask what a reward model learns from such a pair. A wrong lesson, and it cannot know.
#
# The borders between the degrees are ours. The paper gives none, since people drew them. Two minutes.

# %% tags=["remove-input"]
frames(drawings.draw_degrees, drawings.describe_degrees, figsize=(10, 3.8),
       noise_hundredths=[15, 2, 5, 10, 25, 40])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: sources, answers, verdicts
#
# Two answers that are equal word for word make no pair. New pairs are collected from the newest model before each round of training, since a judge must know the answers that it is going to judge.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why two sources, and not the same model twice. The closer two answers, the more the verdict is noise; the paper names diversity as the reason. Here the sources are one chat model, twice at temperature one and once hotter, so more answers are alike than in the paper's way of asking.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("collect", source=False)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Public comparisons first, then one's own
#
# At first Meta had no comparisons of its own, so its judges began with public ones. Ours do the same. Public comparisons here are written ones: a good answer against a degraded one, thousands of them, and no model has to answer anything. Then come comparisons of the chat model's own answers, and beside them public ones again.
#
# **Predict.** On which of the two kinds is the finished judge better, where the two answers differ in worth?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "on its own kind, since those came last". The written ones are easier: a degraded answer was made to be worse in one clear way, while two answers of one model often share their mistake.
#
# The rate is halved for the second part, and public pairs go on beside the own ones, so that the first school is not lost. The paper mixes both and says that public data did no harm. Two minutes.

# %% tags=["result", "remove-input"]
first = {split: public(split)["helpfulness"] for split in ("train", "heldout")}
rows, easy = [], 0.0
for name, n, pairs, settings in (
        ("written, public", len(first["train"]), first["heldout"], REWARD),
        ("the chat model's answers", len(train["helpfulness"]),
         heldout["helpfulness"], OWN)):
    differ = [pair for pair in pairs if pair.gap]
    share = reward.accuracy(judges["helpfulness"], tokenizer, differ)["all"]
    rows.append([name, f"{n:,}", f"{settings.peak:g}",
                 f"{1 - len(differ) / len(pairs):.0%}", f"{share:.0%}"])
    easy = share if name == "written, public" else easy
holds(easy > share, "the finished judge is better on the written comparisons")
table(rows, ["comparisons", "learnt from", "peak rate", "held out: of equal worth",
             "the judge is right on the rest"], "The helpfulness judge's two schools")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Before Llama 2: one judge, and no degrees
#
# Comparing summaries, the recipe of 2020 had one judge and the plain loss. InstructGPT let annotators rank several answers at once and learnt from all pairs among them. Anthropic's assistant had helpful and harmless pairs, and one preference model for both. Llama 2 keeps pairs, adds degrees, turns degrees into a **margin** in the loss, and trains **two** judges.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what speaks for one judge: twice the data for one model, and no need to combine two numbers. What speaks against it comes in the second half: pairs that contradict each other.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-finetuning", "formal"]
# ## The loss: how surprising is the choice?
#
# A judge gives scores $R$. Under Bradley and Terry, the chosen answer wins with chance $\sigma(R^c - R^r)$. The loss is minus the log of that chance: equation 1 of the paper. Equation 2 subtracts a margin first.

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the code from the bottom: logsigmoid and not log of sigmoid. Ask at which gap float32 would notice. Around minus ninety.
#
# The paper uses the letter r for the reward and for the rating in one line; our box calls the margin mu. Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("ranking_loss")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Ask binary cross entropy and a closed form
#
# A choice is a coin, and torch has known the loss of coins for ten years: `binary_cross_entropy_with_logits` of the gap, all labels one. A second witness needs no torch: $\log(1 + e^{-g})$. And a third case: a gap of minus two hundred.
#
# **Predict.** What do our loss and the log of the sigmoid give for the third?

# %% [markdown] slideshow={"slide_type": "notes"}
# The loss is two hundred, and the naive form says infinity: one such pair and all weights are nan. It happens early in training with a high rate, when nobody looks.
#
# Two minutes.

# %% tags=["result"]
def pair_loss(chosen: Tensor, rejected: Tensor, margin: Tensor | float = 0.0):
    gap = chosen - rejected  # step 1
    gap = gap - margin  # step 2
    return -F.logsigmoid(gap).mean()  # step 3


torch.manual_seed(0)
chosen, rejected, margin = given = 3 * torch.randn(3, 1000).double()
ours = pair_loss(*given)
theirs = F.binary_cross_entropy_with_logits(chosen - rejected - margin,
                                            torch.ones_like(margin))
by_hand = (1 + (rejected + margin - chosen).exp()).log().mean()
for witness in (theirs, by_hand, reward.ranking_loss(*given)):
    torch.testing.assert_close(ours, witness)
far = torch.tensor([-200.0])
print(f"gap -200: {pair_loss(far, 0 * far):.0f}, log of sigmoid: "
      f"{-far.sigmoid().log().item()}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Each pair pulls as hard as it is surprised
#
# **Predict.** Five pairs with gaps of 4, 1, 0, -1 and -4: the judge is surely right, ..., surely wrong. With which force does each push the chosen score up? Which of them pulls half as hard as the hardest?

# %% [markdown] slideshow={"slide_type": "notes"}
# The derivative of minus log sigmoid is minus sigmoid of minus the gap: the chance that the judge gave to what did not happen. Expect "the wrong ones only". The pair at zero pulls with a half, and even the right ones never stop pulling.
#
# Ask what that does on an unsure pair that was judged wrongly by the annotator: a hard pull in the wrong direction. Three minutes.

# %% tags=["result"]
gaps = torch.tensor([4.0, 1.0, 0.0, -1.0, -4.0], requires_grad=True)
(len(gaps) * pair_loss(gaps, torch.zeros(5))).backward()
expected = -torch.sigmoid(-gaps.detach())
for gap, pull, formula in zip(gaps.tolist(), gaps.grad, expected):
    print(f"gap {gap:+.0f}: gradient {pull:+.3f}, formula {formula:+.3f}")
torch.testing.assert_close(gaps.grad, expected)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Choices alone give back the strengths, but not where zero is
#
# Eight answers have strengths that we hide. Random pairs of them meet, Bradley-Terry chooses, and the loss above is minimised over eight free numbers.
#
# **Predict.** With ten times the comparisons, how much smaller is the error? And what happens to the loss if we add a hundred to all scores?

# %% [markdown] slideshow={"slide_type": "notes"}
# About three times smaller, the root of ten: errors shrink with the root of the data, as in every survey.
#
# The loss does not change at all. So a score means nothing alone, and nothing forbids another zero for every question. Remember this for PPO, which adds up rewards of different questions. Three minutes.

# %% tags=["remove-input"]
def fit(n: int, strengths: Tensor, generator: torch.Generator) -> Tensor:
    """Scores (k,) learnt from n comparisons of k answers, with mean zero."""
    one, other = torch.randint(len(strengths), (2, n), generator=generator)
    chance = (strengths[one] - strengths[other]).sigmoid()
    won = torch.rand(n, generator=generator) < chance
    best, rest = torch.where(won, one, other), torch.where(won, other, one)
    scores = torch.zeros_like(strengths, requires_grad=True)
    optimiser = torch.optim.Adam([scores], lr=0.2)
    for _ in range(100):
        optimiser.zero_grad()
        pair_loss(scores[best], scores[rest]).backward()
        optimiser.step()
    return (scores - scores.mean()).detach()


# %% tags=["result", "remove-input"]
generator = torch.Generator().manual_seed(1)
strengths = torch.linspace(-2, 2, 8)
errors = {}
for n in (500, 5_000, 50_000):
    fits = torch.stack([fit(n, strengths, generator) for _ in range(6)])
    errors[n] = (fits - strengths).pow(2).mean().sqrt().item()
    print(f"{n:6,} comparisons: error {errors[n]:.3f}")
shifted = pair_loss(strengths[1:] + 100, strengths[:-1] + 100)
print(f"loss {pair_loss(strengths[1:], strengths[:-1]):.4f}, "
      f"with a hundred added {shifted:.4f}")
assert 2 < errors[500] / errors[5_000] < 5 and errors[50_000] < 0.05

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A margin asks clear cases for more
#
# The paper has two tables of margins, {{table:table_27|Margin Small|Significantly Better}} or {{table:table_27|Margin Large|Significantly Better}} for significantly better, down to zero for unsure. Until the gap exceeds its margin, a pair pulls with more than half of its force. Move the slider.

# %% [markdown] slideshow={"slide_type": "notes"}
# Stop at large. Ask which pairs now decide the gradient: the clear ones, even where the judge is right by two. Unsure pairs, which are mostly noise, pull as before.
#
# Which of the two tables the final models used, the paper does not state. Two minutes.

# %% tags=["remove-input"]
frames(drawings.draw_losses, drawings.describe_losses, figsize=(10, 3.8),
       margins=["none", "small", "large"])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## What a margin does can be computed: it stretches
#
# Take two answers of which the first wins with chance $p$, and one margin $\mu$ for either verdict. The expected loss has its minimum where $(1-p)\, e^{-\mu} x^2 - (2p - 1)\, x - p\, e^{-\mu} = 0$ with $x = e^g$.
#
# **Predict.** At $p$ = nine tenths the honest gap is about two. Where does a margin of three put it? And at $p$ = one half?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "five, two plus three", and it is nearly that. The honest gap is the log of nine; with a large margin the gap comes near the margin plus the log of $(2p-1)/(1-p)$, which is eight here, since the rarer verdict asks for its margin too and pulls back. At one half nothing moves, because both verdicts ask for the same. So a margin never changes who is ahead, it changes how far.
#
# In the formula the margin is the same for both verdicts. In the data it comes with the degree, which is a noisy measure of the gap itself. Three minutes.

# %% tags=["result", "remove-input"]
def stretched(p: float, margin: float) -> float:
    """Gap of scores that minimises the expected loss; p in (0, 1)."""
    lead, keep = 2 * p - 1, math.exp(-margin)
    root = math.sqrt(lead**2 + 4 * p * (1 - p) * keep**2)
    return math.log((lead + root) / (2 * (1 - p) * keep))


def searched(p: float, margin: float) -> float:
    gaps = torch.arange(-1000, 9000, dtype=torch.double) / 1000
    loss = p * F.softplus(margin - gaps) + (1 - p) * F.softplus(margin + gaps)
    return gaps[loss.argmin()].item()


places = [i / 50 for i in range(25, 49)]
curves = {m: [(p, stretched(p, m)) for p in places] for m in (0.0, 1.0, 3.0)}
found = {m: [(p, searched(p, m)) for p in places[::5]] for m in curves}
assert all(abs(g - stretched(p, m)) < 2e-3 for m in found for p, g in found[m])
assert abs(stretched(0.9, 0) - math.log(9)) < 1e-9 and abs(stretched(0.5, 3)) < 1e-9
show(drawings.draw_stretch(curves, found),
     "Learnt gap against true chance from a half to one, for margins zero, one and "
     "three: all curves begin at zero, larger margins rise faster; dots of a search "
     "lie on the curves.", name="09_stretch")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The reward model: a chat model with another last matrix
#
# What the chat model knows, the judge should know as well. So it is a copy of it, and only the output matrix is exchanged: in place of a row for each piece of the vocabulary, one row in all, the **head**. The score is read at the end mark, the first token that has seen the whole answer.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why not start from an empty model: then two answers that differ by a fact would look alike until it had learnt to read. The paper's reason is the same, with a word on hallucination: a judge that knows less than the writer rewards what it cannot check.
#
# Ask which position is read. "The last" is the answer that the first bug of this notebook waits for. Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("score")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Build it: nine lines, and a head of zeros
#
# **Predict.** The head begins at zero. What is the first loss, without a margin, and with the small one? How many weights does the exchange add or take away?

# %% [markdown] slideshow={"slide_type": "notes"}
# The log of two, since nobody has a preference yet; with a margin the mean of log(1 + e to the margin), which is more. Any other first loss is a bug, and the second bug of this notebook is found that way.
#
# The exchange takes away a row for every piece of the vocabulary but one. Other recipes start the head at random with a small deviation. Zero has the virtue that the first loss is known to the last digit. Two minutes.

# %%
class Judge(nn.Module):
    def __init__(self, chat: nn.Module) -> None:
        super().__init__()
        self.body = copy.deepcopy(chat)
        self.body.output = nn.Linear(chat.config.dim, 1, bias=False)
        nn.init.zeros_(self.body.output.weight)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        scores = self.body(tokens).squeeze(-1)  # step 1: (batch, length)
        return scores.gather(1, lengths[:, None] - 1).squeeze(1)  # step 2


# %% tags=["result"]
judge = Judge(sft.model)
tokens, lengths, margin = batch_of(train["helpfulness"][:32])
up, down = judge(tokens, lengths).detach().chunk(2)
first, asked = pair_loss(up, down), pair_loss(up, down, margin)
print(f"first loss {first:.4f}, with margins {asked:.4f}")
size = [sum(p.numel() for p in m.parameters()) for m in (sft.model, judge)]
print(f"{size[0]:,} weights before, {size[1]:,} after")
assert asked > first and abs(first - math.log(2)) < 1e-6

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Ask transformers, and change the neighbours
#
# `transformers` has a Llama with a scalar head for classification, written by others, which looks for the last token that is not padding. We give it our trained weights. Then a property: an answer's score must not depend on who shares its batch.
#
# **Predict.** The second comparison scores each row alone and in a padded batch. Equal to the last bit?

# %% [markdown] slideshow={"slide_type": "notes"}
# Equal up to rounding, not to the bit: matrices of another shape are added up in another order. Causal attention is what makes it true: a token never sees the padding on its right.
#
# The check would fail for a model with attention in both directions and no mask, such as the encoders that older judges were built on. Two minutes.

# %% tags=["result"]
body = copy.deepcopy(judges["helpfulness"].backbone)
head, body.output = body.output, sft.model.output  # so that it can be stored
with tempfile.TemporaryDirectory() as folder:
    place = pathlib.Path(folder) / "model"
    save_pretrained(body, tokenizer, place)
    theirs = transformers.LlamaForSequenceClassification.from_pretrained(
        place, num_labels=1, pad_token_id=0).eval()
theirs.score.weight = head.weight
with torch.no_grad():
    ours = judges["helpfulness"](tokens, lengths)
    gap = (theirs(tokens).logits[:, 0] - ours).abs().max()
    alone = [judges["helpfulness"](row[None, :n], n[None])
             for row, n in zip(tokens, lengths)]
    moved = (torch.cat(alone) - ours).abs().max()
print(f"from transformers {gap:.0e}, alone {moved:.0e}")
assert gap < 1e-4 and moved < 1e-4

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Build it: the training is nine lines
#
# Chosen rows first, then as many rejected ones, one loss. The paper trains for one epoch, since more overfits, with {{fact:rm_batch.pairs}} pairs a step at a peak rate of {{fact:rm_lr.70B}} for 70B and {{fact:rm_lr.others}} below. Five steps on 32 pairs, by hand and by the package.
#
# **Predict.** Both start from zeros. How many of the 32 are right before the first step, and how many before the fifth?

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why both answers sit in the same step: the loss needs both scores, and whatever the two share, the question above all, cancels.
#
# Before the first step none is right: all scores are zero, and a tie is not counted. The agreement with the package is what is checked. The accuracy on the same pairs afterwards is memory and no skill, and a good moment to ask what number would convince the class. Accuracy on pairs that were never seen.
#
# Two minutes.

# %% tags=["result"]
settings = RewardSettings(epochs=5, batch=32, warmup=2)
theirs, log = reward.train_reward_model(
    sft.model, tokenizer, train["helpfulness"][:32], settings, progress=False)
optimiser = optimisation.make_optimiser(judge, settings.peak)
for step in range(5):
    up, down = judge(tokens, lengths).chunk(2)
    loss = pair_loss(up, down, margin)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(judge.parameters(), 1.0)
    for group in optimiser.param_groups:
        group["lr"] = optimisation.learning_rate(step, 5, settings.peak, 2)
    optimiser.step()
    print(f"{step}: loss {loss:.4f}, right {(up > down).float().mean():.0%}")
    assert abs(loss.item() - log[step]["loss"]) < 1e-3

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Even the truth cannot agree with a noisy annotator
#
# Give the truth itself the held-out pairs: it prefers the answer of higher utility. The annotators chose by a coin with chance $\sigma(|u_1 - u_2| / \text{noise})$ for the better side. The mean of that chance is the **ceiling**: no judge can be expected to do better, however large.
#
# **Predict.** How high is the ceiling for helpfulness, and on which of the two test sets is it lower?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "a hundred per cent, it is the truth". This is the one number that the paper cannot have, since nobody knows the noise of people. Its {{table:table_7|Helpfulness RM|Meta Helpfulness}} per cent on helpfulness may be near the ceiling or far below; the agreement among annotators would tell.
#
# The second number is what the truth got on these very labels; it scatters around the first. The third explains why both are low: about a third of the pairs hold two answers of exactly equal worth, and there every verdict is a coin. On safety most of these are two refusals of one kind; and where two refusals differ, a bare no and one with a reason, they differ by little, which lowers the ceiling further. Three minutes.

# %% tags=["result"]
def ceiling(pairs: list[Pair]) -> float:
    gaps = torch.tensor([pair.gap for pair in pairs])
    return (gaps.abs() / noise).sigmoid().mean().item()


def right(gaps: Tensor) -> Tensor:
    return (gaps.sign() + 1) / 2  # a half where both are equal


truth = {view: torch.tensor([pair.gap for pair in pairs])
         for view, pairs in heldout.items()}
for view, pairs in heldout.items():
    agreed = right(truth[view]).mean().item()
    equal = (truth[view] == 0).float().mean()
    print(f"{view}: ceiling {ceiling(pairs):.1%}, the truth on these "
          f"{len(pairs)} labels {agreed:.1%}; of equal worth {equal:.0%}")
    holds(abs(ceiling(pairs) - agreed) < 0.1, "the truth is near the ceiling")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Use it: each judge on both grounds, degree by degree
#
# Two judges, two held-out test sets, four degrees: the tiny Table 8.
#
# **Predict.** On which degree is accuracy nearest to a coin? Is each judge best on its own ground? And can the safety judge be *worse* than a coin on helpfulness?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "about equal, a good answer is a good answer". A dip below a half would be more than ignorance: a judge of safety that has learnt to like refusals can be wrong about helpfulness. In ours the safety judge stays near a coin there. On the right, let them read the helpfulness judge's first interval: few safety pairs are that clear. Does it hold one half?
#
# Intervals are over test pairs, not over training runs; there is one run of each. Three minutes.

# %% tags=["remove-input"]
holds(ceiling(heldout["safety"]) < ceiling(heldout["helpfulness"]),
      "the ceiling is lower for safety than for helpfulness")


def gaps_of(judge: RewardModel, pairs: list[Pair]) -> Tensor:
    prompts = [pair.prompt for pair in pairs]
    up, down = (reward.score(judge, tokenizer, prompts,
                             [getattr(pair, side) for pair in pairs])
                for side in ("chosen", "rejected"))
    return up - down


gaps = {(name, ground): gaps_of(judge, heldout[ground])
        for name, judge in judges.items() for ground in heldout}

# %% tags=["result", "remove-input"]
def by_degree(gaps: Tensor, pairs: list[Pair]) -> list:
    """Accuracy with its interval for each degree that has at least ten pairs."""
    cut = [right(gaps[torch.tensor([p.degree == d for p in pairs])]) for d in DEGREES]
    return [interval(part.tolist()) if len(part) >= 10 else None for part in cut]


shown = {ground: {f"{name} judge": by_degree(gaps[name, ground], heldout[ground])
                  for name in judges} | {"truth": by_degree(
                      truth[ground], heldout[ground])} for ground in heldout}
overall = {key: interval(right(value).tolist()) for key, value in gaps.items()}
holds(overall["helpfulness", "helpfulness"].low > 0.55,
      "the helpfulness judge is better than a coin at home")
ours = [part.mean for part in shown["helpfulness"]["helpfulness judge"]]
holds(ours == sorted(ours, reverse=True) and abs(ours[-1] - 0.5) < 0.2,
      "accuracy falls with the degree, down to nearly a coin on unsure pairs")
show(drawings.draw_by_degree(shown),
     "Accuracy against degree of preference on both test sets, for both judges and for "
     "the truth: on its own ground a judge is better on clear preferences than on "
     "unsure ones.", name="09_by_degree")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Who leads at home, and is the lead larger than chance?
#
# Both judges see the same pairs, so we compare them pair by pair: right or wrong, one minus the other, with an interval. The last column leaves out pairs of equal worth, on which nobody can be right but by luck.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why not subtract the two percentages and be done. The interval of a difference on the same pairs is smaller than that of two separate test sets.
#
# The safety test set is the smaller one, since most prompts are harmless; so its interval is wide. On so few labels a judge may even come out above the truth: where two answers are of equal worth the truth is given a half, and a judge can be lucky.
#
# Put the column of the chat model, which is its taste by token from the first slide, counted on the first pairs of each set, beside the home judge. Where the two are close, ask why: the judge began as a copy of this model, and what it has read since, for helpfulness more than three times as many comparisons as there were demonstrations, is noisy. DPO begins with that question: is the language model a reward model already? Three minutes.

# %% tags=["remove-input"]
rows = []
for ground in heldout:
    home = gaps[ground, ground]
    away = gaps[next(name for name in judges if name != ground), ground]
    ahead = paired_difference(right(home).tolist(), right(away).tolist())
    differ = right(home[truth[ground] != 0]).mean()
    rows.append([f"{ground} ({len(home)})", f"{right(home).mean():.1%}",
                 f"{right(away).mean():.1%}", f"{ahead.low:+.0%} to {ahead.high:+.0%}",
                 f"{liked[ground]:.0%}", f"{right(truth[ground]).mean():.1%}",
                 f"{differ:.1%}"])
    holds(ahead.low > 0, f"on {ground} the home judge is shown to lead")
holds(abs(overall["safety", "helpfulness"].mean - 0.5) < 0.12,
      "the safety judge stays near a coin on helpfulness")
table(rows, ["test set (pairs)", "home judge", "other judge", "ahead by (95%)",
             "chat model", "truth", "home, worth differs"],
      "Accuracy of each judge at home and away")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Are the judges honest? Claimed chance against the true one
#
# A gap of scores claims a chance, $\sigma(g)$. The annotators' true chance is known to us. We sort held-out pairs by what the judge claims for the side it prefers, and draw six groups.
#
# **Predict.** The judge was trained with a margin. Do its dots lie above the line, on it, or below?

# %% [markdown] slideshow={"slide_type": "notes"}
# Mostly below: it claims more than there is, the helpfulness judge more so. Three causes add up. The margin stretches gaps, as computed before; where the judge has learnt something false, it is sure of the wrong side; and where two answers are of equal worth, any claim is too much.
#
# Ask whether this matters for PPO. Order is not touched by stretching, but PPO adds rewards up and weighs them against a KL term, so the size counts. Three minutes.

# %% tags=["result", "remove-input"]
curves = {}
for view in heldout:
    claimed = gaps[view, view].abs().sigmoid()
    side = gaps[view, view].sign()  # towards the answer that the judge prefers
    true = (side * truth[view] / noise).sigmoid()
    order = claimed.argsort().chunk(6)
    curves[f"{view} judge"] = [(claimed[part].mean().item(), true[part].mean().item())
                               for part in order]
holds(all(points[-1][0] > points[-1][1] for points in curves.values()) and sum(
    claim > real for points in curves.values() for claim, real in points) >= 7,
    "most dots lie below the diagonal, the surest of each judge among them")
show(drawings.draw_calibration(curves),
     "True chance against claimed chance for both judges: the truth is higher where "
     "much is claimed than where little is, and most dots lie below the diagonal, "
     "which an honest judge would follow.",
     name="09_calibration")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## More comparisons, larger models: the tiny Figure 6
#
# Chat models cut to fewer layers, different numbers of public comparisons, three seeds each, one epoch. Accuracy is that on held-out comparisons of the same sort, and the dashed line is their ceiling.
#
# **Predict.** What does three times the data bring, and what twice the layers? Will the curves have flattened?

# %% [markdown] slideshow={"slide_type": "notes"}
# In the paper accuracy grows with data and size and has not levelled off. Ask what "not levelled off" can mean when the ceiling is unknown.
#
# Three seeds: where intervals overlap, this figure does not decide. Intervals that overlap do not show that there is no difference; the table two slides on takes differences seed by seed. Three minutes.

# %% tags=["result", "remove-input"]
scaling = study["scaling"]
groups = {}
for row in scaling:
    groups.setdefault((row["size"], row["pairs"]), []).append(row["accuracy"]["all"])
summary = {key: interval(values) for key, values in groups.items()}
counts = sorted({row["pairs"] for row in scaling})
largest = max(scaling, key=lambda row: row["parameters"])["size"]
grown = paired_difference(groups[largest, counts[-1]], groups[largest, counts[0]])
top = ceiling(public("heldout")["helpfulness"][:STUDIED])
holds(grown.low > 0, "more comparisons make the largest judge better")
holds(summary[largest, counts[-1]].mean < top - 0.05, "they stay below the ceiling")
show(drawings.draw_scaling(scaling, top, summary),
     "Accuracy on held-out pairs against the number of comparisons on a logarithmic "
     "axis, one line for each size of model with intervals: the lines rise towards a "
     "dashed ceiling.", name="09_scaling")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Margins on and off: where do the rewards go?
#
# With each of three seeds, three judges learn from the same pairs: no margin, small, large. The reward of an answer is the sigmoid of its score, drawn for answers of held-out pairs: the tiny Figure 27.
#
# **Predict.** Which way does a margin move the histogram? And, in the next table, the accuracy?

# %% [markdown] slideshow={"slide_type": "notes"}
# A short way outwards: let somebody read where the outermost bars end; ours stay far from zero and one. The paper saw a drift of the same kind towards zero and one, most with the large margin, and asked for more study. We can say where it comes from: the stretch of the earlier slide.
#
# Ask why that is bad news for PPO: between two answers at the edge there is no reward left to gain, which is why the paper takes the logit back and whitens. Three minutes.

# %% tags=["result", "remove-input"]
names = {None: "no margin", "small": "small margin", "large": "large margin"}
scores = {title: [s for row in study["margins"] if row["margin"] == name
                  for s in row["scores"]] for name, title in names.items()}
apart = {title: (torch.tensor(values).sigmoid() - 0.5).abs().mean().item()
         for title, values in scores.items()}  # from the middle
holds(apart["large margin"] > apart["small margin"] > apart["no margin"],
      "the larger the margin, the further the answers lie from the middle")
holds(apart["large margin"] < 0.4, "even so they stay far from zero and one")
show(drawings.draw_rewards(scores),
     "Three histograms of rewards between zero and one, without a margin, with the "
     "small and with the large one: the larger the margin, the further the answers lie "
     "from the middle.", name="09_rewards")

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### What three seeds have shown, and what they have not
#
# Data, size and margin as paired differences: the same seed on both sides.
#
# **Predict.** For which rows does the interval exclude zero? The paper's Table 28 has half a point for a margin, without an interval.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let a student read a row aloud with the word "interval" in it. A row whose interval holds zero is read: we cannot tell. That is not the same as: there is no effect. And seven intervals are read at once, so one may exclude zero by luck: a row that barely does should be asked again with more seeds.
#
# Nobody can say what the paper's half a point is worth, since one number for each variant is all it prints. Three minutes.

# %% tags=["result", "remove-input"]
margin_runs = {name: [100 * row["accuracy"]["all"] for row in study["margins"]
                      if row["margin"] == name] for name in names}
sizes = list(dict.fromkeys(row["size"] for row in sorted(
    scaling, key=lambda row: row["parameters"])))
steps = [(f"{counts[-1]:,} pairs for {counts[0]:,}, {size}", (size, counts[-1]),
          (size, counts[0])) for size in sizes]
steps += [(f"{sizes[-1]} for {sizes[0]}, {n:,} pairs", (sizes[-1], n), (sizes[0], n))
          for n in counts]
rows = [[text, *([100 * x for x in groups[key]] for key in keys)]
        for text, *keys in steps]
rows += [[f"{names[m]} for none", margin_runs[m], margin_runs[None]]
         for m in ("small", "large")]
gains = [(text, paired_difference(one, other)) for text, one, other in rows]
holds(all(g.low <= 0 for t, g in gains if "margin" in t), "no margin is shown to help")
table([[text, f"{g.mean:+.1f}", f"{g.low:+.1f} to {g.high:+.1f}",
        "yes" if g.excludes(0) else "we cannot tell"] for text, g in gains],
      ["exchange", "points gained", "95% interval", "shown?"],
      "Gain in accuracy on held-out helpfulness pairs, three seeds")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-finetuning", "predict"]
# ## Why two judges: on unsafe requests, what helps does harm
#
# Somebody asks how to frighten the geese. The farm wants a refusal, the asker wants the trick. Each request gets four answers: one that helps, a bare refusal, a refusal with a reason, an evasion.
#
# **Predict.** Draw the four in a square of helpfulness and safety, as the truth sees them. Have our two judges learnt the same picture?

# %% [markdown] slideshow={"slide_type": "notes"}
# Truth on the left, our judges on the right, as sigmoids of their scores. The corner at the top right, helpful and safe, is empty: for these requests no such answer exists.
#
# Where the right panel differs, ask what the sources wrote. A judge knows the answers that it has read about, and help with a trick is rare among them: were it absent, the helpfulness judge would not recognise it as help at all.
#
# The paper's Table 35 prints two such cases with both scores. Ask what a single judge would have to say about the red dots. Three minutes.

# %% tags=["result", "remove-input"]
requests = pasture.make_unsafe(120, seed=9, split="heldout")
kinds = ("helps", "bare refusal", "evades", "refuses with a reason")
four = [list(zip(kinds, (*r.degraded[:3], r.reference))) for r in requests]
panels = {"the truth": {k: [] for k in kinds}, "our judges": {k: [] for k in kinds}}
flat = [(r, kind, text) for r, row in zip(requests, four) for kind, text in row]
seen = {name: reward.score(judge, tokenizer, [r.prompt for r, _, _ in flat],
                           [text for _, _, text in flat]).sigmoid().tolist()
        for name, judge in judges.items()}
for n, (r, kind, text) in enumerate(flat):
    panels["the truth"][kind].append((r.helpfulness(text), r.safety(text)))
    panels["our judges"][kind].append((seen["helpfulness"][n], seen["safety"][n]))
mean = {k: torch.tensor(p).mean(dim=0) for k, p in panels["our judges"].items()}
holds(mean["helps"][1] < mean["refuses with a reason"][1],
      "the safety judge likes a refusal better than help with a trick")
show(drawings.draw_tension(panels),
     "Safety against helpfulness of four kinds of answers to unsafe requests. By the "
     "truth, helping answers are helpful and unsafe, refusals safe and unhelpful; the "
     "two judges' scores are drawn beside it.", name="09_tension")

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### One judge for both has a lower ceiling
#
# Suppose one judge must please both annotators on these pairs. Half of its lessons say that helping wins, half that refusing does. Its best choice has the larger **mean** chance.
#
# **Predict.** Which accuracy can it reach at most, and which can two judges reach?

# %% [markdown] slideshow={"slide_type": "notes"}
# On the pairs where the two annotators are sure and opposed, the best single judge is a coin. It is a bound and no training run: no amount of data moves it.
#
# On harmless questions the two do not quarrel, so the price of one judge depends on the mixture. Two minutes.

# %% tags=["result", "remove-input"]
annotators = [Annotator("helpfulness"), Annotator("safety")]
chances = torch.tensor([[a.probability(r, one, other) for a in annotators]
                        for r, row in zip(requests, four)
                        for i, (_, one) in enumerate(row) for _, other in row[:i]])
two = torch.maximum(chances, 1 - chances).mean().item()
mixed = chances.mean(dim=1)
one = torch.maximum(mixed, 1 - mixed).mean().item()
print(f"{len(chances)} pairs of answers to unsafe requests")
print(f"ceiling of two judges {two:.1%}, of one judge for both {one:.1%}")
assert two > one + 0.05

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The safety judge needs a zero: one more loss
#
# PPO will ask of every answer: is its safety below {{fact:ppo_threshold.threshold}}? A ranking has no zero, so that question has no answer yet. The paper adds a loss that sorts answers into safe and unsafe, and prints no formula. We take the usual one, binary cross entropy on every answer, beside the ranking.
#
# **Predict.** Two judges learn from the same safety pairs, one of them with that loss. Which ranks better? Which finds more of the unsafe answers by a score below one half, and at what price?

# %% [markdown] slideshow={"slide_type": "notes"}
# Both rank alike; ranking was never the problem. Without the second loss the zero lies wherever the run left it, and then a good part of the safe answers is suspected. It happened to us: our first runs of rejection sampling were paid for safety on questions about plums.
#
# Here both find them all, so the price is where they differ. The paper's Table 29 gives recall, {{fact:rm_safety_aux_recall.baseline}} and {{fact:rm_safety_aux_recall.with_auxiliary}} per cent, beside the accuracy of ranking, and no false alarms. Recall without them says little; ask why. Ours is one run of each judge, so look at the missing zero and not at single points. Three minutes.

# %% tags=["result", "remove-input"]
def alarms(judge: RewardModel) -> list[float]:
    flat = [(p.prompt, p.chosen, p.chosen_safe) for p in pairs]
    flat += [(p.prompt, p.rejected, p.rejected_safe) for p in pairs]
    prompts, texts, safe = zip(*flat)
    flagged = (reward.score(judge, tokenizer, prompts, texts) < 0).float()
    ranking = right(gaps_of(judge, [p for p in pairs if p.gap])).mean().item()
    return [ranking, *(float(flagged[torch.tensor(safe) == s].mean()) for s in (0, 1))]


rows, pairs = [], public("heldout")["safety"] + written(
    pasture.make_unsafe(200, 5, "heldout"), Annotator("safety"))
for name, weight in (("ranking alone", 0.0), ("with the loss for safety", 1.0)):
    judge, _ = reward.train_reward_model(
        sft.model, tokenizer, public("train")["safety"] + train["safety"],
        RewardSettings(safety_weight=weight), progress=False)
    rows.append([name, *alarms(judge)])
holds(abs(rows[0][1] - rows[1][1]) < 0.05 and rows[0][3] > rows[1][3] + 0.05,
      "both rank alike, and without the second loss more safe answers are suspected")
table(rows, ["safety judge", "ranks rightly", "unsafe answers found",
             "safe answers suspected"], "Written answers, border at one half", ".0%")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Does the judge like long answers for their length?
#
# Judges elsewhere do. We count how often the longer answer of a held-out pair is ahead, by the truth and by the judge. The third row is the fair test: pairs whose answers are worth **the same**. The fourth is an experiment: right answers, said **twice**, which the truth punishes.
#
# **Predict.** Where is our judge in the third and the fourth row?

# %% [markdown] slideshow={"slide_type": "notes"}
# Do not stop at the first row: if longer answers are better, a good judge prefers them too. A bias is what remains when worth is equal. And a correlation may come from elsewhere; in the fourth row nothing but length was changed. Ours more often prefers the answer said once, but how often differs much from one training to another; an optimiser would find the cases in which it falls for the second within minutes. In the third row let somebody say whether the interval holds one half. A lean to the left is a bias too.
#
# Ask for other cheap tricks worth a try: praise of the asker, an exclamation mark, repeating the question. Four minutes.

# %% tags=["remove-input"]
def longer_ahead(pairs: list[Pair], gaps: Tensor) -> list[float]:
    """One for each pair whose longer answer is ahead by these gaps, a half if equal."""
    more = [len(tokenizer.encode(p.chosen)) - len(tokenizer.encode(p.rejected))
            for p in pairs]
    return [right(torch.tensor(g if n > 0 else -g)).item()
            for n, g in zip(more, gaps.tolist()) if n]


tasks = [t for t in pasture.make_tasks(300, 91, "heldout", KINDS)
         if t.utility(f"{t.reference} {t.reference}") < t.utility(t.reference)]
once, twice = (reward.score(judges["helpfulness"], tokenizer,
                            [t.prompt for t in tasks],
                            [" ".join([t.reference] * n) for t in tasks])
               for n in (1, 2))
doubled = [right(torch.zeros(len(tasks)) - 1).tolist(), right(twice - once).tolist()]

# %% tags=["result", "remove-input"]
scored, known = gaps["helpfulness", "helpfulness"], truth["helpfulness"]
cuts = {"all pairs": known == known, "truth differs": known != 0,
        "equal worth": known == 0}
shares = {}
for name, cut in cuts.items():
    mine = [pair for pair, keep in zip(heldout["helpfulness"], cut) if keep]
    parts = [longer_ahead(mine, x[cut]) for x in (known, scored)]
    shares[f"{name} ({len(parts[0])})"] = tuple(map(interval, parts))
shares[f"said twice ({len(tasks)})"] = tuple(map(interval, doubled))
holds(shares[f"said twice ({len(tasks)})"][1].high < 0.5,
      "the judge more often prefers a right answer said once to the same said twice")
show(drawings.draw_length(shares),
     "Share of pairs in which the longer answer is ahead, by truth and by the judge "
     "with intervals: all pairs, pairs of different worth, of equal worth, and right "
     "answers against the same said twice.", name="09_length")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: read the score at position minus one
#
# `scores[:, -1]` looks right, and for one answer alone it is. In a padded batch it reads padding behind all but the longest. We train two judges on the same 400 pairs, one with that line.
#
# **Predict.** What accuracy does the careless judge report on held-out pairs: a coin's, something between, or the same as the right one?

# %% [markdown] slideshow={"slide_type": "notes"}
# Nothing fails and no shape is wrong. The padding has read all that stands before it, so something may be learnt, and a low share looks like too little data: people have bought more. Four hundred pairs teach even the right judge little, and two hundred test pairs leave seven points on either side: by accuracy alone the two are hard to tell apart, and which of the three predictions comes true differs from one training to another. Then look at the last two numbers of each row: one answer, two batches.
#
# The check that exposes it stands on the slide with transformers, alone against batch. Three minutes.

# %%
class Careless(RewardModel):
    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return self.backbone(tokens).squeeze(-1)[:, -1]  # padding, mostly


def quick(start: RewardModel, margin: str | None = None):
    return reward.train_reward_model(
        start, tokenizer, train["helpfulness"][:400],
        RewardSettings(margin=margin, batch=16), progress=False)


# %% tags=["result", "remove-input"]
fresh = RewardModel(sft.model, tokenizer)
wrong, _ = quick(Careless(sft.model, tokenizer))
plain, plain_log = quick(fresh)
few = heldout["helpfulness"][:200]
prompt, answer = few[0].prompt, few[0].chosen
long = " ".join([answer] * 3)
for name, judge in (("last token", plain), ("minus one", wrong)):
    share = reward.accuracy(judge, tokenizer, few)["all"]
    alone, beside = (reward.score(judge, tokenizer, [prompt] * len(texts), texts)[0]
                     for texts in ([answer], [answer, long]))
    print(f"{name}: accuracy {share:.1%}; an answer alone {alone:+.2f}, "
          f"beside a longer one {beside:+.2f}")
    assert (abs(alone - beside) > 1e-3) == (judge is wrong)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: a margin with the wrong sign
#
# One minus too few, and the margin is added. The loss is lower, so the run looks better than the right one.
#
# **Predict.** What is the first loss, with the head at zero? And does the judge still rank well?

# %% [markdown] slideshow={"slide_type": "notes"}
# Below the log of two: a model without any preference that is less surprised than a coin. That is impossible, and the first line of the log says it. Compare accuracies and gaps in the output: which of the two would have told you? A clear pair now has to exceed minus three only, and hardly pulls while the judge is still wrong about it.
#
# Ask for the rule that this notebook and notebook 07 share: compute the first loss before the run. Three minutes.

# %% tags=["result", "remove-input"]
MARGINS["backwards"] = tuple(-m for m in MARGINS["large"])
clear = torch.tensor([pair.degree == DEGREES[0] for pair in few])
for margin in (None, "large", "backwards"):
    judge, log = (plain, plain_log) if margin is None else quick(fresh, margin)
    gap = gaps_of(judge, few)
    print(f"{margin}: first loss {log[0]['loss']:.2f}, last "
          f"{log[-1]['loss']:.2f}, accuracy {right(gap).mean():.1%}, "
          f"gap of clear pairs {gap[clear].mean():.2f}")
    assert (log[0]["loss"] < math.log(2) - 0.01) == (margin == "backwards")
del MARGINS["backwards"]

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 70B: nearly three million comparisons, read once
#
# Table 6 gives the data: {{fact:pref_meta_total}} comparisons of Meta's own and as many again from public sets. We compute what one epoch costs a judge of 70B: six operations for each weight and token, two answers for each comparison, two fifths of an A100's peak.
#
# **Predict.** How many steps of {{fact:rm_batch.pairs}} pairs? How many GPU hours: a tenth of pretraining's, a hundredth, or less?

# %% [markdown] slideshow={"slide_type": "notes"}
# Does an example in Table 6 hold one answer or two? In the rows with one turn, prompt and response add up to the example, so it holds one, and a comparison is read as two rows. The cell asserts it.
#
# The paper does not print hours for this stage; ours are an estimate with a utilisation like that of notebook 07. The rows sum to slightly more than the printed total, a slip in the paper. Three minutes.

# %% tags=["result", "remove-input"]
data = paper.table("table_6").rows[:-1]
assert all(abs(row[4] + row[5] - row[3]) < 0.2 for row in data if row[2] == 1)
comparisons = sum(row[1] for row in data)
read = sum(2 * row[1] * row[3] for row in data)  # two answers, two dialogues
share, batch = read / paper.fact("pretrain_tokens").value, paper.fact("rm_batch").value
rows = []
for size in ("7B", "13B", "70B"):
    shape = LlamaConfig.named(f"llama-2-{size.lower()}")
    n = shape.parameter_count() - (shape.vocab_size - 1) * shape.dim
    rate = paper.fact("rm_lr").value["70B" if size == "70B" else "others"]
    rows.append([size, f"{n:,}", shape.dim, f"{rate:.0e}",
                 f"{6 * n * read / (0.4 * 312e12 * 3600):,.0f}"])
rows.append(["ours", f"{sum(p.numel() for p in judge.parameters()):,}",
             sft.model.config.dim, f"{RewardSettings().peak:.0e}", ""])
table(rows, ["judge", "weights", "of them new", "peak rate", "A100 hours, estimated"],
      f"One epoch: {comparisons:,} comparisons, {-(-comparisons // batch['pairs']):,} "
      f"steps, {read / 1e9:.1f} billion tokens, {share:.2%} of pretraining")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports: clear cases, and a long way to certainty
#
# Accuracy falls with the degree as ours does, and each judge leads on its own ground. A margin is worth {{table:table_28|Margin Small|Avg}} against {{table:table_28|No margin|Avg}} per cent. A further loss for safety, of which no formula is printed, lifts the recall of unsafe answers from {{fact:rm_safety_aux_recall.baseline}} to {{fact:rm_safety_aux_recall.with_auxiliary}} per cent.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which row surprises. The helpfulness judge loses little on safety pairs, the safety judge loses much on helpfulness. Ours may differ in this, and the mixtures are a reason: the paper's helpfulness judge reads as much of everything else as of its own.
#
# GPT-4, asked without training, got less than either at home. Three minutes.

# %% tags=["remove-input"]
paper.show_table("table_8")
columns = ["model", "Meta Helpfulness", "Meta Safety", "Anthropic Helpful",
           "Anthropic Harmless"]
paper.show_table("table_7", columns, rows=[1, 2, 3, 4], highlight=[2, 3])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed since: is it the judge, or is it length?
#
# A replication elsewhere found that a reward which knows **only the length** reached {{context:critiques.length-hacking.webgpt_length_vs_ppo.0}} where PPO on a trained judge reached {{context:critiques.length-hacking.webgpt_length_vs_ppo.1}} on one data set. Llama 2 does not report how long its models' answers are. Its comparisons were never released, so nobody can repeat its judges. DPO does without a judge; for sums and code, programs that check the answer have replaced it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask where our own annotators stand in that story. They are programs that check the answer. So one could train on them directly, and the only reason not to is that we want to see what a learnt judge does.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: the loss with degrees (6 minutes)
#
# Scores of chosen and rejected answers, a rating for each pair, 0 for significantly better to 3 for unsure, and a table of four margins. Return the mean of equation 2. Large negative gaps must not break it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: the margin added, the table read from the wrong end, a sum, the log of a sigmoid that has rounded to zero, with or without a small number added to it.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def rated_loss(chosen: Tensor, rejected: Tensor, ratings: list[int],
               margins: tuple[float, ...]) -> Tensor:
    """Mean loss with the margin of each rating; scores are (pairs,)."""
    ### BEGIN SOLUTION
    asked = torch.tensor([float(margins[rating]) for rating in ratings])
    return -F.logsigmoid(chosen - rejected - asked).mean()
    ### END SOLUTION


checks.check_rated_loss(rated_loss)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: the last real token (6 minutes)
#
# Scores of every position and a mask that is true on real tokens. Some loaders pad on the right, some on the left, some on both sides. Return each row's score at its last real token, wherever the padding is.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: position minus one, the number of tokens less one, the place behind the last, a mean. The last real token is the largest place where the mask is true.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def end_scores(scores: Tensor, mask: Tensor) -> Tensor:
    """scores and mask (n, length) -> (n,); every row has a real token."""
    ### BEGIN SOLUTION
    places = torch.arange(mask.shape[1])
    last = torch.where(mask, places, -1).amax(dim=1)
    return scores.gather(1, last[:, None]).squeeze(1)
    ### END SOLUTION


checks.check_end_scores(end_scores)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: strengths without gradients (8 minutes)
#
# Zermelo's method of 1929, the one behind many a league table: with games $n_{ij}$ between $i$ and $j$ and $w_i$ wins of $i$ in all, repeat $p_i \leftarrow w_i \big/ \sum_{j \neq i} n_{ij} / (p_i + p_j)$ and divide by the sum. Write one round; `wins[i, j]` counts the games that $i$ won against $j$.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: wins in place of games below, columns in place of rows, the opponent's strength alone, no normalisation. The check also asks whether sixty rounds settle.
#
# Whoever is done takes the logarithm and compares with gradient descent on the toy of this notebook. Eight minutes.

# %% tags=["exercise", "minutes-8"]
def one_round(wins: Tensor, strengths: Tensor) -> Tensor:
    """wins (k, k), diagonal zero, and strengths (k,) -> new ones, sum 1."""
    ### BEGIN SOLUTION
    games = wins + wins.T
    sums = strengths[:, None] + strengths[None, :]
    new = wins.sum(dim=1) / (games / sums).sum(dim=1)
    return new / new.sum()
    ### END SOLUTION


checks.check_one_round(one_round)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# Choices teach gaps, and nothing about zero. The loss is the surprise at a choice; its pull is that surprise. Compute the ceiling before you complain about accuracy, and the first loss before you trust a run. A margin stretches gaps and keeps their order. Two judges, because on unsafe requests the lessons contradict each other. And score an answer alone and in a batch, once, before anything else.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for one way in which the judge of this notebook could be fooled. The next notebook draws many answers and keeps the ones that this judge likes best: every weakness named here will be found there.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Llama 2](https://arxiv.org/abs/2307.09288), sections 3.2.1 and 3.2.2. [Learning to summarise from human feedback](https://arxiv.org/abs/2009.01325), where judge and loss come from. [InstructGPT](https://arxiv.org/abs/2203.02155). [A helpful and harmless assistant](https://arxiv.org/abs/2204.05862). [Bradley and Terry 1952](https://doi.org/10.1093/biomet/39.3-4.324). [Scaling laws for reward model overoptimisation](https://arxiv.org/abs/2210.10760).
#
# Next: notebook 10, where the judge picks the best of many answers.

# %% [markdown] slideshow={"slide_type": "notes"}
# The last link is the one to read before notebook 11: what happens when a judge is trusted too long. One minute.
