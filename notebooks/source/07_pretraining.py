# %% [markdown] slideshow={"slide_type": "slide"}
# # Pretraining turns noise into text, one surprise at a time
#
# The architecture is finished, and it knows nothing. This notebook gives it text, a loss, an optimiser and a schedule, follows a real run to its end, and recomputes the bill of Llama 2's.
#
# **Paper**: sections 2, 2.1, 2.2 and 2.3. **Minutes**: 90. **On the map**: tokenizer, norm, position, feed-forward, attention, model, *pretraining*.
#
# Afterwards you can write the whole loop, tell a good curve from a lying one, and compute hours and carbon of a run you have not done.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: what does a language model know before its first step? Expect "nothing". It knows one thing, how many pieces there are, and the next slide measures that.
#
# Two minutes.

# %% slideshow={"slide_type": "skip"} tags=["remove-cell"]
import contextlib, math, pathlib, re, tempfile

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from minillama import paper, pasture, stages
from minillama.config import LlamaConfig
from minillama.generation import generate
from minillama.model import Llama
from minillama.teach import algorithm, explore, frames, holds, show, table
from minillama.teach.checks import nb_07 as checks
from minillama.teach.drawings import nb_07 as drawings
from minillama.training import ablations, intervals, optimisation
from minillama.training.data import TokenStream
from minillama.training.optimisation import make_optimiser, train_step
from minillama.training.pretrain import Settings, evaluate, pretrain

base, corpus = stages.get("base"), stages.get("corpus")
trained, tokenizer = base.model.eval(), base.tokenizer

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A fresh model writes noise, and we can say how bad the noise is
#
# The loss is the mean surprise: minus the logarithm of the probability that the model gave to what came next. Weights that start near zero give every piece about the same probability.
#
# **Predict.** The vocabulary has 1,024 pieces. Which loss, in nats, does a model have before its first step?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them write a number. Expect "one" or "very large". It is the logarithm of 1,024, and this is the first check of every training run: a fresh model with another loss has a bug.
#
# Three minutes.

# %% tags=["result"]
torch.manual_seed(0)
fresh = Llama(LlamaConfig.named("tiny")).eval()
start = tokenizer.encode("Title:", bos=True)
noise, = generate(fresh, [start], 24, temperature=1.0)
print(repr(tokenizer.decode(noise)))
loss = evaluate(fresh, corpus.heldout, 256)
print(f"loss {loss:.2f}, log of 1024: {math.log(1024):.2f}")
assert abs(loss - math.log(1024)) < 0.1

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The text is a small world in which every truth is known
#
# Llama 2 read {{fact:pretrain_tokens}} tokens of public text, in a mixture that the paper does not disclose. Ours comes from the Pasture: a seeded generator of eleven kinds of documents about animals on a farm. An owl says hoot in all of them. What Olive the owl likes is true in one document only.

# %% [markdown] slideshow={"slide_type": "notes"}
# Stress the two sorts of truth: what can be learnt by heart, and what has to be read off the page. The end of this notebook measures both.
#
# Ask which of the kinds they could continue by looking at the last two words only. Two minutes.

# %% tags=["remove-input"]
documents = pasture.corpus(stages.CORPUS["train"])
rows = []
for kind in pasture.KINDS:
    same = [d for d in documents if d.kind == kind]
    first = min(same[:50], key=lambda d: len(d.text)).text.replace("\n", " / ")
    shown = first if len(first) < 76 else first[:75] + " ..."
    rows.append([kind, f"{len(same) / len(documents):.0%}", shown])
table(rows, ["kind", "share", "how one begins"], "Eleven kinds of documents")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## What is held out are combinations, not documents
#
# Documents that a generator writes resemble each other, so a random document held out would be half remembered. Instead one pair in ten of an animal and a thing is kept for the held-out texts. The owl is there, the thing is there, in hundreds of training texts.
#
# **Predict.** If nothing were held out, in how many of the training texts would both meet by chance: none, a few, or dozens? And does the pair stand in more or in fewer of the held-out texts than chance would put there?

# %% [markdown] slideshow={"slide_type": "notes"}
# The product of the two shares, times the number of documents, is what chance would give. A training text never holds such a pair, and each held-out text has at least one, of whichever animal and thing; so this pair is commoner there. Sums are held out in the same way, one pair of addends in ten.
#
# For real corpora nobody can do this, which is why contamination is a chapter of its own in the paper's appendix. Three minutes.

# %% tags=["result", "remove-input"]
thing = next(t for t in pasture.split.THINGS if pasture.is_held_out("owl", t))
for split in ("train", "heldout"):
    texts = pasture.texts(stages.CORPUS[split], split=split)
    words = [set(re.findall("[a-z]+", text.lower())) for text in texts]
    owls = sum("owl" in found for found in words)
    things = sum(thing in found for found in words)
    both = sum({"owl", thing} <= found for found in words)
    print(f"{split:>7}: owl in {owls}, {thing} in {things}, both in {both}, "
          f"by chance {owls * things / len(words):.0f}")
    assert (both > 0) == (split == "heldout")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The text is its own teacher: targets are the inputs, shifted
#
# All documents stand in one long row, each between `<s>` and `</s>`, and the row is cut into windows. Nothing is padded. Where a new document begins the target is masked: its begin mark earns no loss.

# %% [markdown] slideshow={"slide_type": "notes"}
# Read three columns aloud as questions: after this, what?
#
# Attention across the border stays open here; of Llama 2 the paper does not say. Llama 3.1 closed it. Two minutes.

# %% tags=["remove-input"]
border = int((corpus.heldout.tokens[100:] == tokenizer.bos_id).nonzero()[0]) + 100
cut = corpus.heldout.tokens[border - 5 : border + 5]
inputs, targets = TokenStream(cut, tokenizer.bos_id).window(0, 9)
name = lambda i: tokenizer.pieces[i].replace("<0x0A>", "newline")
show(
    drawings.draw_window([name(i) for i in inputs.tolist()],
                         [None if i < 0 else name(i) for i in targets.tolist()]),
    "Nine tokens in a row with an arrow from each to its target, the token after it; "
    "the target of the end mark, which is the next begin mark, is masked.",
    name="07_window",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: cut one token more than is read
#
# The first two steps look harmless. The second half of this notebook forgets the shift, and then the mask of targets that should not count, and shows what the loss looks like.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the slice ends at plus one. The last input needs a target as well.
#
# The third step is for texts of which only a part is to be learnt: the lessons before the long run, and in the next notebook the answers of a chat. One minute.

# %% tags=["formal", "remove-input"]
algorithm("window")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Windows in a row give the stream again
#
# We check the cut by what must come out: inputs side by side are the stream, targets are what follows, and a target is masked exactly where a begin mark follows. Exercise 1 asks you to build it.
#
# **Predict.** The held-out stream has six hundred documents. How many targets are masked?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "six hundred". The first begin mark is never a target, and the last few tokens do not fill a window.
#
# Two minutes.

# %% tags=["result"]
stream, n = corpus.heldout.tokens, corpus.heldout.n_windows(128)
pairs = [corpus.heldout.window(index, 128) for index in range(n)]
inputs, targets = (torch.cat(part) for part in zip(*pairs))
follows, masked = stream[1 : 128 * n + 1], targets == -100
assert torch.equal(inputs, stream[: 128 * n])
assert torch.equal(targets[~masked], follows[~masked])
assert torch.equal(masked, follows == tokenizer.bos_id)
print(f"{n} windows, {int(masked.sum())} targets masked")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## One number, three units: nats, perplexity, bits per character
#
# The loss $\mathcal{L}$ is in nats for each token. Perplexity $e^{\mathcal{L}}$ is the number of equally likely pieces that would be as surprising. Both depend on the tokenizer: longer pieces, larger loss. Bits per character divide by what every tokenizer agrees on.

# %% [markdown] slideshow={"slide_type": "notes"}
# The fifth figure of the paper labels its axis perplexity and shows values that can hardly be anything but nats: about one and a half. Ask what a perplexity of one and a half would mean.
#
# Torch's cross entropy is the independent witness in the cell. Two minutes.

# %%
@torch.no_grad()
def total_surprise(texts: list[str]) -> tuple[Tensor, Tensor]:
    """Nats and number of targets of each text, (n,) both."""
    ids = [torch.tensor(tokenizer.encode(text, True, True)) for text in texts]
    padded = pad_sequence(ids, batch_first=True, padding_value=-100)
    inputs, targets = padded[:, :-1].clamp(min=0), padded[:, 1:, None]
    log_p = trained(inputs).log_softmax(dim=-1)
    nats = -log_p.gather(-1, targets.clamp(min=0)) * (targets >= 0)
    return nats.sum(dim=(1, 2)), (targets >= 0).sum(dim=(1, 2))



# %%
texts = pasture.texts(64, split="heldout")
nats, counts = (part.sum() for part in total_surprise(texts))
ids = torch.tensor(tokenizer.encode(texts[0], True, True))
theirs = F.cross_entropy(trained(ids[None, :-1])[0], ids[1:]).detach()
torch.testing.assert_close(total_surprise(texts[:1])[0] / (len(ids) - 1),
                           theirs[None])
loss, bits = nats / counts, nats / math.log(2) / sum(map(len, texts))
print(f"nats {loss:.2f}, perplexity {loss.exp():.2f}, bits {bits:.2f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## AdamW keeps two running means for every weight
#
# With gradient $g$, the running means $m$ of $g$ and $v$ of $g^2$, each corrected for having started at zero, rate $\eta$ and decay $\lambda$:
#
# $$w \leftarrow w - \eta \lambda w - \eta\, \hat m / (\sqrt{\hat v} + \epsilon)$$
#
# Llama 2: $\beta_1$ = {{fact:opt_pretrain.beta1}}, $\beta_2$ = {{fact:opt_pretrain.beta2}}, $\epsilon$ = {{fact:opt_pretrain.eps}}, $\lambda$ = {{fact:weight_decay}}.
#
# **Predict.** Three weights have gradients of a thousandth, one, and a thousand. How far does each go in its first step?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "a thousand times as far". The quotient cancels the size: each goes by the learning rate, in the direction against its gradient.
#
# The decay stands outside the quotient. That is the W, for weight decay apart from the gradient, and the only difference from Adam with a penalty in the loss. Four minutes.

# %%
def adamw(weight, grad, memory, t, rate, decay) -> None:
    """One step in place, t counts from 1; memory holds (m, v)."""
    m, v = memory
    m.mul_(0.9).add_(0.1 * grad)
    v.mul_(0.95).add_(0.05 * grad**2)
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.95**t)  # both began at zero
    weight -= rate * decay * weight  # not through the gradient
    weight -= rate * m_hat / (v_hat.sqrt() + 1e-5)



# %% [markdown] slideshow={"slide_type": "subslide"}
# ### All three go equally far, and torch agrees for fifty steps

# %% [markdown] slideshow={"slide_type": "notes"}
# The smallest gradient goes a little less far: there epsilon is no longer negligible. The rest are random gradients in double precision.
#
# Without the correction the first step would be less than half as long. Ask why: a tenth, divided by the root of a twentieth. Two minutes.

# %% tags=["result"]
ours = torch.zeros(3, dtype=torch.double)
memory = (torch.zeros_like(ours), torch.zeros_like(ours))
theirs = nn.Parameter(ours.clone())
optimiser = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.95),
                              eps=1e-5, weight_decay=0.1)
scale = torch.tensor([1e-3, 1.0, 1e3], dtype=torch.double)
for t in range(1, 51):
    grad = scale * (1 if t == 1 else torch.randn(3, dtype=torch.double))
    adamw(ours, grad, memory, t, rate=0.01, decay=0.1)
    theirs.grad = grad.clone()
    optimiser.step()
    if t == 1:
        print("after the first step:", [f"{w:.4f}" for w in ours.tolist()])
torch.testing.assert_close(ours, theirs.detach(), rtol=1e-10, atol=1e-12)
stated = paper.fact("opt_pretrain").value
assert optimisation.BETAS == (stated["beta1"], stated["beta2"])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The learning rate: a line up, half a cosine down
#
# Adam's first estimates rest on a handful of gradients, so the first steps are small. Llama 2 warms up for {{fact:lr_schedule.warmup_steps}} steps and ends at $\phi$ = {{fact:lr_schedule.final_lr_fraction}} of the peak $\eta_{\max}$, which is {{fact:lr_peak.7B}} for 7B and {{fact:lr_peak.70B}} for 70B. At step $s$ of $S$, after $w$ steps of warm-up:
#
# $$\eta(s) = \eta_{\max} \left(\phi + (1 - \phi)\, \tfrac12 (1 + \cos \pi k)\right), \qquad k = \tfrac{s - w}{S - 1 - w} .$$

# %% [markdown] slideshow={"slide_type": "notes"}
# Move the slider. The end stays where it is, only the way there changes. Warm-up costs little and saves runs that would otherwise explode.
#
# The paper does not state the shape of the warm-up; a line is the custom. Three minutes.

# %% tags=["remove-input"]
frames(drawings.draw_schedule, drawings.describe_schedule, figsize=(9, 3.2),
       warmup=[0, 10, 20, 40, 80, 160, 320])

# %% tags=["live"] slideshow={"slide_type": "skip"}
explore(drawings.draw_schedule, warmup=range(0, 321, 20),
        steps=[400, 640, 1000, 2000], peak=[1e-3, 2e-3, 4e-3, 8e-3],
        final_tenths=range(11))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## One step: surprise, gradient, clip, move
#
# The third step is a fuse. If all gradients together are longer than one, they are shortened to one, all by the same factor, so the direction stays. Llama 2 clips at {{fact:grad_clip}}.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the norm of all weights together and not of each weight: clipping one by one would turn the direction.
#
# Ask too what clipping can do under Adam, which divides by the size anyway: one wild batch would spoil v for many steps. Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("train_step")

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### Build it: the same step without an optimiser object
#
# One norm over all gradients, our AdamW for each weight. Gains are not decayed, GPT's custom.
#
# **Predict.** By how much may our weights differ from the package's after five steps?

# %% [markdown] slideshow={"slide_type": "notes"}
# The paper does not say what is decayed. The difference is rounding, and larger than they expect of it: where a gradient is next to nothing, the quotient of AdamW enlarges its last digits. If they say "a bit, Adam is chaotic": yes, over thousands of steps, and then the first steps still agree.
#
# Two minutes.

# %%
def step_by_hand(model, memory, t, inputs, targets, rate):
    loss = F.cross_entropy(model(inputs).transpose(1, 2), targets)
    weights = list(model.parameters())
    grads = torch.autograd.grad(loss, weights)
    norm = sum(g.pow(2).sum() for g in grads).sqrt()  # of all together
    for w, g, kept in zip(weights, grads, memory):
        clipped, decay = g * min(1.0, 1 / norm), 0.1 if w.dim() > 1 else 0.0
        adamw(w.data, clipped, kept, t, rate, decay)
    return loss.item(), norm.item()



# %% tags=["result"]
ours, theirs = (ablations.build(ablations.Variant(), 0) for _ in range(2))
memory = [(0 * w.detach(), 0 * w.detach()) for w in ours.parameters()]
optimiser = make_optimiser(theirs, 1e-2)
for t in range(1, 6):
    batch = (*corpus.train.batch(t, 8, 128), 1e-2)
    step_by_hand(ours, memory, t, *batch)
    train_step(theirs, optimiser, *batch)
gaps = [(a - b).abs().max().item()
        for a, b in zip(ours.parameters(), theirs.parameters())]
print(f"five steps, {len(gaps)} weights: largest difference {max(gaps):.0e}")
assert max(gaps) < 1e-3

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The run leads from nonsense to Pasture English
#
# The log of the tiny model, trained with {{fact:opt_pretrain.optimizer}} as above. Before this run it had a thousand steps of lessons: questions about short texts, of which only the answers earned a loss. They are meant to teach a model of this size to look things up before it learns to tell stories; how far they got, a later slide measures. The paper reports no such stage for Llama 2.
#
# **Predict.** Draw training loss and held-out loss. Where do they begin, and how far apart do they end?

# %% [markdown] slideshow={"slide_type": "notes"}
# The lessons began at the logarithm of the vocabulary, as they must. This run begins above it: who has met answers only is sure of answers everywhere.
#
# Let two students draw. Most draw a gap that opens: they have seen overfitting. Here no window is read twice, so there is little to overfit to. Some short texts do come back, since the generator writes a few of them again, and the lessons already had others.
#
# Ask where the curve would be if the shift had been forgotten. Near zero: the eye likes that better. Four minutes.

# %% tags=["result", "remove-input"]
last = base.log[-1]
assert abs(base.lessons[0]["loss"] - math.log(1024)) < 0.2
holds(base.log[0]["loss"] > math.log(1024), "the run begins above guessing")
recent = [row["loss"] for row in base.log[-50:]]
holds(abs(last["heldout"] - sum(recent) / 50) < 0.15,
      "training loss and held-out loss end together")
show(
    drawings.draw_curve(base.log, math.log(1024)),
    "Loss against step: training batches and held-out combinations begin above "
    "the log of the vocabulary, fall steeply, then slowly, and lie on each other "
    "to the end.",
    name="07_curve",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Yardsticks: how good is a table of counts?
#
# A loss means nothing alone. An $n$-gram counts which piece followed the last $n - 1$ pieces in the training text, and leans on the shorter table where the count $c$ is thin: $p_n = (c + 3\, p_{n-1}) / (c_{\text{context}} + 3)$, where $c_{\text{context}}$ counts those $n - 1$ pieces alone.
#
# **Predict.** How long must the context of the table be to come near the tiny Llama?

# %% [markdown] slideshow={"slide_type": "notes"}
# These yardsticks know nothing of our model or its code. Whoever trains without them cannot tell learning from counting.
#
# The Pasture is formulaic, so tables do well. None comes near, and the longest is no better than the one before: many contexts of four pieces are new or rare in the training text. Three minutes.

# %% tags=["remove-input"]
def lookup(known: Tensor, asked: Tensor) -> Tensor:
    """How often each asked key stands among the known ones."""
    keys, counts = known.unique(return_counts=True)
    place = torch.searchsorted(keys, asked).clamp(max=len(keys) - 1)
    return torch.where(keys[place] == asked, counts[place], 0).double()


def ngram_losses(train: Tensor, heldout: Tensor, longest: int) -> list[float]:
    """Held-out nats per token for n = 1 to longest; begin marks do not count."""
    p, losses = torch.full((len(heldout),), 1 / 1024, dtype=torch.double), []
    for n in range(1, longest + 1):
        known, asked = (sum(x[j : len(x) - n + 1 + j] * 1024 ** (n - 1 - j)
                            for j in range(n)) for x in (train, heldout))
        context = lookup(known // 1024, asked // 1024)
        p = (lookup(known, asked) + 3 * p[-len(asked):]) / (context + 3)
        counts = heldout[n - 1 :] != tokenizer.bos_id
        losses.append(-p[counts].log().mean().item())
    return losses



# %% tags=["result", "remove-input"]
tables = ngram_losses(corpus.train.tokens, corpus.heldout.tokens, 5)
names = ("unigram", "bigram", "trigram", "4-gram", "5-gram")
losses = {"guessing": math.log(1024), **dict(zip(names, tables))}
losses["tiny Llama"] = evaluate(trained, corpus.heldout, 256, most=200)
trained.eval()
assert tables[0] > tables[1] > tables[2] > min(tables[3:])  # counts alone
holds(losses["tiny Llama"] < min(tables), "the tiny Llama beats every table")
show(
    drawings.draw_yardsticks(losses),
    "Bars of held-out loss: guessing is longest, then unigram, bigram and trigram, "
    "each shorter than the one before; 4-gram and 5-gram are about equal, and the tiny "
    "Llama is shortest.",
    name="07_yardsticks",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Which texts are hard, and do held-out pairs make them harder?
#
# Forty new documents of each kind with combinations seen in training, forty with held-out ones.
#
# **Predict.** Which kind has the highest perplexity, and where do held-out pairs hurt most?

# %% [markdown] slideshow={"slide_type": "notes"}
# Perplexity averages over all tokens, and most tokens of a story are grammar. So a document may be easy and its only interesting token wrong.
#
# Expect stories to be called hard, because they are long. Forty documents are few: do not read a ranking out of neighbours. Some of the forty short questions stand in the training text word for word, so the first dot of their row is partly memory. Three minutes.

# %% tags=["result", "remove-input"]
found = {}
for kind in pasture.KINDS:
    pair = []
    for split in ("train", "heldout"):
        texts = pasture.texts(40, seed=7, split=split, rude_fraction=0, kinds=[kind])
        nats, counts = total_surprise(texts)
        pair.append(math.exp(nats.sum() / counts.sum()))
    found[kind] = tuple(pair)
holds(all(held / seen < 1.3 for seen, held in found.values()),
      "held-out combinations cost little more in every kind of document")
show(
    drawings.draw_kinds(found),
    "Perplexity by kind of document, two dots a row: new texts with combinations seen "
    "in training, and held-out combinations; in every row the dots are close.",
    name="07_kinds",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Samples show in which order things are learnt
#
# The run kept what the model wrote at each evaluation, always with its favourite token.
#
# **Predict.** In which order will these appear, if all of them do: words, sentences, the form of a document, a correct sum?

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the columns downwards. A story finds its form, a title and then an opening, while the answer to the sum is a number from the start: the lessons had sums. Ask at which step, if at any, what is said becomes true; in the runs that we saw the form came and the right sum did not.
#
# Ask for the answer to the sum: twelve. Nobody told the model that it matters more than the full stop. Three minutes.

# %% tags=["result", "remove-input"]
steps = sorted({sample["step"] for sample in base.samples})
clean = lambda text: "".join(c if c.isprintable() else " / " if c == "\n" else "·"
                             for c in text)[:52]
rows = []
for step in [steps[0], steps[1], steps[3], steps[5], steps[8], steps[-1]]:
    texts = [clean(s["text"]) for s in base.samples if s["step"] == step]
    rows.append([step, texts[0], texts[2]])
prompts = [clean(sample["prompt"]) + " ..." for sample in base.samples[:3]]
table(rows, ["step", prompts[0], prompts[2]], "What the model wrote while it learnt")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A low loss is an average: does the model know the answer?
#
# We offer two answers to a question, one right and one wrong, and see which surprises the model less. The question is the same in both, so its surprise cancels. A coin gives one half.
#
# **Predict.** Order by success: the name asked about, what that animal likes, its sound, the right one of two sums, an exact sum. Are held-out pairs harder?

# %% [markdown] slideshow={"slide_type": "notes"}
# The loss has just beaten every table of counts. Of a hundred tokens perhaps three carry the answer, so a model can guess at these and the curve still looks finished.
#
# What it can do carries over to pairs it never saw; sums may differ, since a sum can be learnt by heart. Reading needs a head that finds the name and copies what stands behind it, and such heads form late. "Not shown" is not the same as shown to be a coin. A share clearly below one half, as a sum against one off may have for held-out pairs, is no coin either: there the model prefers the neighbour of the right result.
#
# Ask why a result that is seven too many would be a bad wrong answer: large results are rare, so a model that ignores the sum still avoids them. Here each result is right once and wrong once. Four minutes.

# %%
def preference(kind: str, slip, split: str) -> float:
    """Share of 100 questions whose right answer surprises less; ties: half."""
    tasks = pasture.make_tasks(100, seed=5, split=split, kinds=[kind])
    asked = [f"Question: {task.prompt}\nAnswer: " for task in tasks]
    right = [q + task.reference for q, task in zip(asked, tasks)]
    wrong = [q + answer for q, answer in zip(asked, slip(tasks))]
    nats, _ = total_surprise(right + wrong)
    return (0.5 + 0.5 * (nats[100:] - nats[:100]).sign()).mean().item()



# %% tags=["remove-input"]
def swapped(tasks: list) -> list[str]:
    halves = [task.reference.split("=") for task in tasks]
    return [f"{left}={right}"  # each sum with the result of the next
            for (left, _), (_, right) in zip(halves, halves[1:] + halves[:1])]


degraded = lambda n: lambda tasks: [task.degraded[n] for task in tasks]
rows, noise = [], 1.96 * (0.25 / 100) ** 0.5  # of a coin thrown 100 times
for kind, slip, what in (("food", degraded(1), "the name asked about"),
                         ("sum", swapped, "a sum, against another's result"),
                         ("food", degraded(0), "what that one likes, as just read"),
                         ("sound", degraded(0), "its sound, known by heart"),
                         ("sum", degraded(0), "a sum, against one off")):
    seen, held = (preference(kind, slip, split) for split in ("train", "heldout"))
    able = "yes" if min(seen, held) > 0.5 + noise else "not shown"
    rows.append([what, seen, held, able])
    holds(abs(seen - held) < 3 * noise or kind == "sum",
          f"{what} is as hard for held-out pairs as for seen ones")

# %% tags=["result", "remove-input"]
columns = ["question", "seen pairs", "held-out pairs", "better than a coin?"]
holds(rows[0][-1] == "yes", "the name asked about is preferred")
table(rows, columns, f"Right answer preferred; a coin: 0.5 ± {noise:.1f}", ".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: the targets are not shifted
#
# The most flattering bug there is. Inputs and targets are the same tokens. We train the small model of the ablations for sixty steps, with and without the shift.
#
# **Predict.** What do the two training losses look like after sixty steps, and what does each model write?

# %% [markdown] slideshow={"slide_type": "notes"}
# Somebody will say that it cannot learn anything. It learns to copy its input, quickly and perfectly.
#
# In some libraries the model shifts the labels itself. Shifting again then asks for the token after the next, which looks like a model that learns slowly. Three minutes.

# %% tags=["remove-input"]
def plain(number: int) -> tuple[Tensor, Tensor]:
    return corpus.train.batch(number, 8, 128)


def short_run(batch=plain, step=train_step, steps=60):
    """A small model after a short training, and its losses."""
    model, log = ablations.build(ablations.Variant(), seed=0), []
    optimiser = make_optimiser(model, 5e-3)
    for number in range(steps):
        log.append(step(model, optimiser, *batch(number), 5e-3))
    return model, [loss for loss, _ in log]

# %% tags=["result"]
def unshifted(number: int) -> tuple[Tensor, Tensor]:
    return plain(number)[0], plain(number)[0]


start = tokenizer.encode("Title: Clara", bos=True)
runs = {"shifted": short_run(), "unshifted": short_run(unshifted)}
for name, (model, losses) in runs.items():
    true_loss = evaluate(model, corpus.heldout, 128)
    answer, = generate(model.eval(), [start], 10, temperature=0.0)
    print(f"{name:>9}: training loss {losses[-1]:5.2f}, held-out, by the "
          f"package, {true_loss:5.2f}, writes {tokenizer.decode(answer)!r}")
holds(losses[-1] < 0.3 and true_loss > math.log(1024),
      "unshifted, the loss looks perfect and the model knows nothing")
inputs, targets = unshifted(0)
assert not torch.equal(inputs[:, 1:], targets[:, :-1])  # the check

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: padding that earns loss
#
# Many loops take one document a row and fill up with padding. Llama's tokenizer has no padding piece, so the end mark is used. Whoever forgets the mask asks the model to foresee padding.
#
# **Predict.** More than half of the targets are padding. What does the reported loss do?

# %% [markdown] slideshow={"slide_type": "notes"}
# It reads far too low, since the padding is soon foreseen: whoever compares with another team reports about half the loss, or less.
#
# The opposite slip masks every end mark, the true one too; then the model never stops. Three minutes.

# %% tags=["result"]
ids = [torch.tensor(tokenizer.encode(text, bos=True, eos=True))
       for text in pasture.texts(480, kinds=["question", "fact", "sum"])]


def padded(number: int, length: int = 128) -> tuple[Tensor, Tensor]:
    rows = torch.full((8, length + 1), tokenizer.eos_id)
    for row, document in zip(rows, ids[8 * number :]):
        row[: len(document)] = document[: length + 1]
    return rows[:, :-1], rows[:, 1:]


model, losses = short_run(padded)
inputs, targets = padded(59)  # the last batch
real = targets.masked_fill(inputs == tokenizer.eos_id, -100)
honest = F.cross_entropy(model(inputs).transpose(1, 2), real).item()
holds(honest > losses[-1] + 0.5, "the padding flatters the loss")
print(f"reported {losses[-1]:.2f}, on real tokens {honest:.2f}; the check: "
      f"{int((real >= 0).sum())} of {targets.numel()} targets are real")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: gradients that are never cleared
#
# Torch adds each gradient to what is there. Without `zero_grad` every step walks along a pile: the new gradient on top of what is left of all earlier ones. Clipping cuts the pile itself back where it is longer than one.
#
# **Predict.** Does the loss explode, stand still, or fall?

# %% [markdown] slideshow={"slide_type": "notes"}
# It falls, only more slowly. The pile is a second momentum under AdamW's own, and since the clip shrinks it in place, old gradients fade. Without the clip it is the plain sum of all gradients and forgets nothing; then the loss stops falling within these sixty steps and climbs again.
#
# Expect "explode". The check uses a rate of zero: the same batch twice must give the same norm twice. Three minutes.

# %% tags=["result"]
def never_cleared(model, optimiser, inputs, targets, rate):
    loss = F.cross_entropy(model(inputs).transpose(1, 2), targets)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()  # at the rate it was made with
    return loss.item(), norm.item()


losses = {True: runs["shifted"][1], False: short_run(step=never_cleared)[1]}
holds(losses[False][-1] < losses[False][0] - 1, "uncleared, the loss falls")
print(f"last loss {losses[False][-1]:.2f}, cleared {losses[True][-1]:.2f}")
for step in (train_step, never_cleared):  # the check: same batch, rate zero
    model = ablations.build(ablations.Variant(), seed=0)
    optimiser = make_optimiser(model, 0.0)
    norms = [step(model, optimiser, *plain(0), 0.0)[1] for _ in range(2)]
    print(f"{step.__name__}: norms {norms[0]:.2f} and {norms[1]:.2f}")
    assert (abs(norms[0] - norms[1]) < 1e-4) == (step is train_step)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: weight decay that pulls on the gains
#
# `AdamW(model.parameters(), weight_decay=...)` decays everything. A gain of a norm begins at one and has no reason to be zero, and now it is drawn there. In a short run nobody sees it.
#
# **Predict.** A gain that no gradient touches: what is left of it after the {{fact:pretrain_tokens}} tokens of Llama 2 7B?

# %% [markdown] slideshow={"slide_type": "notes"}
# Half a million steps, each with the rate times a tenth. Expect "almost all, the rate is tiny".
#
# The check takes steps with gradients of zero: only what is decayed moves. Three minutes.

# %% tags=["result", "remove-input"]
model = ablations.build(ablations.Variant(), seed=0)
careless = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
for name, optimiser in (("careless", careless),
                        ("package", make_optimiser(model, 1e-2))):
    nn.init.ones_(model.norm.weight)
    for _ in range(10):  # the check: steps with gradients of zero
        for weight in model.parameters():
            weight.grad = torch.zeros_like(weight)
        optimiser.step()
    print(f"{name:>8}: gain after ten idle steps {model.norm.weight[0]:.4f}")
    assert (model.norm.weight[0] == 1) == (name == "package")
steps = int(paper.fact("pretrain_tokens").value / paper.fact("global_batch").value)
peak = paper.fact("lr_peak").value["7B"]
pull = sum(10 * optimisation.learning_rate(step, steps, peak, 2000)
           for step in range(0, steps, 10))
print(f"after the {steps:,} steps of Llama 2 7B: {math.exp(-0.1 * pull):.4f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: judging by the text that was trained on
#
# We train the small model on sixteen windows only, again and again, and evaluate it twice: on those windows, and on held-out combinations.
#
# **Predict.** After a hundred steps, what are the two losses? And how large is this gap for the tiny model of the long run, which read no window twice?

# %% [markdown] slideshow={"slide_type": "notes"}
# The held-out loss ends above what bare token frequencies cost: a list of counts would do better than sixteen windows learnt by heart.
#
# Test sets that leaked into a corpus do this silently to benchmarks; the paper's appendix A.6 looks for them. Three minutes.

# %% tags=["result", "remove-input"]
assert stages.BASE.steps * stages.BASE.batch <= corpus.train.n_windows(256)
few = TokenStream(corpus.train.tokens[: 16 * 128 + 1], tokenizer.bos_id)
crammed, _ = short_run(lambda number: few.batch(number, 8, 128), steps=100)
much = TokenStream(corpus.train.tokens[: 64 * 256 + 1], tokenizer.bos_id)
for name, model, seen, length in (("sixteen windows", crammed, few, 128),
                                  ("the long run", trained, much, 256)):
    losses = [evaluate(model, part, length) for part in (seen, corpus.heldout)]
    print(f"{name:>15}: training text {losses[0]:.2f}, "
          f"held out {losses[1]:.2f}")
    model.eval()
    holds((losses[1] - losses[0] > 1) == (model is crammed),
          "only the crammed model is far better on what it was trained on")
    holds(model is trained or losses[1] > tables[0],
          "the crammed model is worse on held-out text than bare frequencies")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A run that was stopped must go on as if nothing had happened
#
# Real runs die. What has to be kept is weights, the memory of AdamW, and the step, which gives the place in text and schedule. We pull the plug at step 17.
#
# **Predict.** Will the losses agree to two digits, or to the last bit?

# %% [markdown] slideshow={"slide_type": "notes"}
# To the last bit on one machine, because the batch is a function of the step. Loops that draw batches from a generator that is not saved read other text after a stop.
#
# The saved state lies at step 16 here. Ask what goes wrong if only the weights are kept: AdamW starts with empty memory, and the loss jumps. Two minutes.

# %% tags=["result"]
class Unplugged(TokenStream):
    def batch(self, step: int, *more) -> tuple[Tensor, Tensor]:
        if step == 17:
            raise KeyboardInterrupt
        return super().batch(step, *more)

def curve(train: TokenStream, state: pathlib.Path | None = None) -> list:
    settings = Settings(30, 4, 64, peak=5e-3, warmup=5, evaluate_every=8)
    model = ablations.build(ablations.Variant(), seed=0)
    return pretrain(model, train, corpus.heldout, settings, state, None, False)

whole = curve(corpus.train)
with tempfile.TemporaryDirectory() as folder:
    state = pathlib.Path(folder) / "state.pt"
    with contextlib.suppress(KeyboardInterrupt):
        curve(Unplugged(corpus.train.tokens, tokenizer.bos_id), state)
    resumed = curve(corpus.train, state)
print("last losses:", whole[-1]["loss"], resumed[-1]["loss"])
assert resumed == whole

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Use it: what is each component of the last five notebooks worth?
#
# Every variant has as many parameters as Llama 2's, reads the same batches, and is trained three times. The ladder goes from the Transformer of 2017 over GPT-2 and Llama 1 to Llama 2.
#
# **Predict.** Which single exchange costs most? Which differences will three seeds not be able to show?

# %% [markdown] slideshow={"slide_type": "notes"}
# Collect votes for norm, position, feed-forward and heads on the board.
#
# Say what is compared: the difference to Llama 2 with the same seed, with an interval of 95 per cent. With three seeds the intervals are wide, and that is the honest width. Three minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Whatever touches the line may be nothing

# %% [markdown] slideshow={"slide_type": "notes"}
# The axis is linear near zero and logarithmic outside. Left of the line is better than Llama 2.
#
# Multi-head attention may well come out better than grouped: grouping saves memory when writing, it does not help the loss. Three minutes.

# %% tags=["remove-input"]
ablated = stages.get("ablations")
groups = {group: {name: intervals.paired_difference(ablated[name], ablated["Llama 2"])
                  for name in names if name != "Llama 2"}
          for group, names in ablations.GROUPS.items()}

# %% tags=["result", "remove-input"]
holds(all(groups["ladder"][n].low > 0 for n in ("Transformer 2017", "GPT-2")),
      "the Transformer of 2017 and GPT-2 are shown to be worse")
single = {name: gap for group, gaps in groups.items() if group != "ladder"
          for name, gap in gaps.items()}
holds(single["learned positions"].low > 0 and max(
    single, key=lambda name: single[name].mean) == "learned positions",
    "of the single exchanges learned positions have the largest mean, above zero")
holds(sum(g.low <= 0 for g in single.values()) >= 3, "several intervals cross zero")
show(
    drawings.draw_ablations(groups),
    "Differences in held-out loss from Llama 2 with intervals, grouped by norm, "
    "position, feed-forward, heads and ladder; the Transformer of 2017 and GPT-2 lie "
    "to the right of zero, several other intervals cross it.",
    name="07_ablations",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What three short runs can say, and what they cannot
#
# One learning rate for all, and 160 steps. A variant that fails here fails **at this rate** and in this time. Learned positions have the largest mean of the single exchanges, yet they are not shown to be worse than no positions: a table has had little time to be learnt.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them read one row in a full sentence, with the word "interval" in it. Where the last column says no, the sentence is: we cannot tell.
#
# Llama 2 is not best in every row, and we did not look for a seed in which it is: these are small models and short runs. An interval that ends right beside the line settles little: there are ten of them, each is wrong one time in twenty, and on another machine its end may lie on the other side.
#
# The ladder does not rise rung by rung. If they ask: GPT-2 has the larger mean loss than the Transformer of 2017, and it is the one with learned positions. Three minutes.

# %% tags=["remove-input"]
rows = []
for name in dict.fromkeys(n for names in ablations.GROUPS.values() for n in names):
    gap = intervals.paired_difference(ablated[name], ablated["Llama 2"])
    shown = "" if name == "Llama 2" else f"{gap.low:+.2f} to {gap.high:+.2f}"
    verdict = "" if name == "Llama 2" else (
        "no" if not gap.excludes(0) else "worse" if gap.mean > 0 else "better")
    rows.append([name, sum(ablated[name]) / 3, shown, verdict])
rows.sort(key=lambda row: row[1])
holds(not intervals.paired_difference(
    ablated["learned positions"], ablated["no positions"]).excludes(0),
    "learned positions are not shown to be worse than no positions")
table(rows, ["variant", "loss (nats)", "above Llama 2, 95% interval", "shown?"],
      "Held-out loss of small models of equal size, three seeds", ".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 70B: the bill, recomputed
#
# Training costs about six operations for each parameter and token: two forward, four backward. An A100 does at most 312 trillion a second in 16 bits. Table 2 of the paper prints hours, watts and carbon; a batch holds {{fact:global_batch}} tokens.
#
# **Predict.** Which share of its peak did the hardware reach: nearly all, two fifths, or a tenth? And how many steps was the run?

# %% [markdown] slideshow={"slide_type": "notes"}
# The carbon of a kilowatt-hour is not printed: it is derived from the table itself. So the check is that one value fits all four rows, which it does.
#
# Expect "nearly all". Waiting for memory and for other machines takes the rest. Four minutes.

# %% tags=["result", "remove-input"]
printed, rows = paper.table("table_2"), []
tokens = paper.fact("pretrain_tokens").value
intensity = paper.fact("carbon_intensity_derived").value  # kg/kWh, or t/MWh
for size, ledger in paper.fact("mfu_derived").value.items():
    size = size.split()[0]
    n = LlamaConfig.named(f"llama-2-{size.lower()}").parameter_count()
    hours, watts, carbon = next(r[1:] for r in printed.rows if r[0].endswith(size))
    share = 6 * n * tokens / (hours * 3600 * 312e12)
    energy = hours * watts / 1e6
    rows.append([size, f"{6 * n * tokens:.1e}", hours, f"{share:.0%}", f"{energy:.0f}",
                 f"{energy * intensity:.2f}", f"{carbon:.2f}"])
    assert abs(share - ledger) < 0.01 and abs(energy * intensity - carbon) < 0.1
columns = ["size", "6ND", "GPU hours", "of peak", "MWh", "tCO2eq, ours", "printed"]
steps = f"{tokens / paper.fact('global_batch').value:,.0f}"
table(rows, columns, f"Table 2 recomputed; {steps} steps; parameters of 34B inferred")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 70B: what training remembers fits no single GPU
#
# A weight, its gradient and AdamW's two means are four numbers of 32 bits for each parameter. `torchrun --nproc-per-node 8 -m minillama.training.pretrain --shard` runs this notebook's loop in eight processes that keep a share each. Llama 2 had A100s of 80 GB; up to {{fact:roce_scaling}} of them worked well together.
#
# **Predict.** How many such GPUs does it take to hold what 70B has to remember? And how many days are its GPU hours, if that many run at once?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "two or three": they count the weights in 16 bits only. Activations come on top, and recomputing them is the usual bargain.
#
# Then divide the batch by the context: it has fewer windows than there are GPUs. So rows alone cannot feed them all, and the model itself has to be cut as well. How Meta did it, and on how many GPUs each size ran, the paper does not say. Four minutes.

# %% tags=["result", "remove-input"]
gpus, rows = paper.fact("roce_scaling").value, []
for size in ("7B", "13B", "34B", "70B"):
    n = LlamaConfig.named(f"llama-2-{size.lower()}").parameter_count()
    remembered = 16 * n  # bytes
    hours = next(r[1] for r in printed.rows if r[0].endswith(size))
    rows.append([size, f"{n / 1e9:.1f}", f"{remembered / 1e9:,.0f} GB",
                 math.ceil(remembered / 80e9), f"{remembered / gpus / 1e9:.2f} GB",
                 f"{hours:,}", f"{hours / gpus / 24:.1f}"])
assert remembered > 1e12 and rows[0][3] == 2 and 13 <= rows[-1][3] <= 15
windows = paper.fact("global_batch").value / paper.fact("context_length").value
assert windows < gpus
columns = ["size", "parameters (billions)", "remembered", "GPUs to hold it",
           f"share of {gpus:,}", "GPU hours", f"days on {gpus:,}"]
table(rows, columns, f"What has to be held; a batch is {windows:.0f} windows of "
                     f"{paper.fact('context_length').value:,} tokens; "
                     "parameters of 34B inferred")

# %% slideshow={"slide_type": "subslide"} tags=["formal", "remove-input"]
algorithm("shared_step")  # add up surprises, never means

# %% [markdown] slideshow={"slide_type": "notes"}
# The same step as before, taken by many processes: each reads its rows of the batch, and the curve stays that of one. Ask what happens if each takes its own mean and the means are averaged. Expect "the same". Targets are masked, so one process may have three and another three hundred, and each would weigh as much: exercise 3 meets the same slip.
#
# Step 3 is where machines talk. The README says how to start this on several of them. Three minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## How the models before differ: few tokens for many parameters
#
# Chinchilla found that a fixed sum of arithmetic is best spent on about twenty tokens for each parameter. The models of the next table share most of their architecture. In this number they lie far apart.
#
# **Predict.** How many tokens did Llama 2 7B read for each parameter? And the tiny model of this notebook?

# %% [markdown] slideshow={"slide_type": "notes"}
# Chinchilla's rule is the cheapest way to a loss in training. Whoever serves the model to millions prefers a small one trained too long.
#
# Ours stopped below twenty, also if the lessons are counted, which the table leaves out: they had about as many tokens again, of which only the answers earned a loss. Whether more tokens would teach it what it cannot do is an experiment and no conclusion from this table. Three minutes.

# %% tags=["result", "remove-input"]
def amount(text: str) -> float:
    """"1.4T" and "15T+" as numbers."""
    text = text.rstrip("+")
    return float(text[:-1]) * {"B": 1e9, "T": 1e12}[text[-1]]


rows, known = [], stages.BASE
for name in ("gpt3-175b", "chinchilla-70b", "llama1-65b", "llama2-70b",
             "llama1-7b", "llama2-7b", "llama3-8b"):
    value = paper.context("models", name).value
    size = value.get("params_recomputed") or amount(value["params_reported"])
    rows.append([name, f"{size:.1e}", value["tokens"],
                 amount(value["tokens"]) / size])
size, read = LlamaConfig.named("tiny").parameter_count(), (
    known.steps * known.batch * known.length)
rows.append(["the tiny model", f"{size:.1e}", f"{read / 1e6:.1f}M", read / size])
assert 19 < rows[1][-1] < 21 and rows[-1][-1] < 20
table(rows, ["model", "parameters", "tokens", "tokens per parameter"],
      "What was read for each parameter", ".1f", highlight_rows=[5, 7])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports: more tokens, and a loss still falling
#
# {{fact:changes_vs_llama1.token_increase_percent}} per cent more tokens than Llama 1, twice its context. Figure 5 ends at {{fact:fig_5.7B}} for 7B and {{fact:fig_5.70B}} for 70B, still falling. Llama 3 read {{context:followups.llama3.tokens}} tokens in {{context:followups.llama3.gpu_hours}} hours of a newer GPU, against {{fact:gpu_hours_total}} hours of an A100 for all of Llama 2; Llama 4 read {{context:followups.data-scale.llama4}} tokens.

# %% [markdown] slideshow={"slide_type": "notes"}
# Do not attribute a column to a single change: data, amount, context and attention changed together, and the paper has no ablation of the data. Forty per cent holds against the larger two of Llama 1.
#
# Figure 5's axis says perplexity; the values are read off it, and as nats they make sense. The math column, left out here, is GSM8K alone for the smaller two, a slip in the paper. Four minutes.

# %% tags=["remove-input"]
columns = ["family", "params", "context length (tokens, as printed)", "GQA",
           "pretraining tokens (trillions)", "peak learning rate"]
paper.show_table("table_1", columns, rows=[0, 3, 4, 7])
columns = ["model", "size", "Code", "Commonsense Reasoning", "World Knowledge", "MMLU"]
paper.show_table("table_3", columns, rows=[4, 7, 8, 11], highlight=[3])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: targets of packed documents (5 minutes)
#
# Given a stretch of the stream with several documents in it, return the targets: one fewer than tokens, shifted, and -100 where the target begins a document. Leave the tokens as they are.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: no shift, masking what follows the begin mark, masking the end marks, changing the inputs through a view.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def packed_targets(ids: Tensor, bos_id: int) -> Tensor:
    """ids (n,) -> targets (n - 1,) of the first n - 1 tokens."""
    ### BEGIN SOLUTION
    targets = ids[1:].clone()  # a copy: inputs share the memory
    targets[targets == bos_id] = -100
    return targets
    ### END SOLUTION


checks.check_packed_targets(packed_targets)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: the learning rate (7 minutes)
#
# A line up in `warmup` equal rises, so that step 0 already moves and step `warmup - 1` has the peak. Then half a cosine as in the formula of the schedule: step `warmup` has the peak too, step `total - 1` a tenth of it. Steps count from zero, and `warmup` may be zero.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: a first step of rate zero, a cosine that ends at zero, a cosine that starts too early, an end that is missed by one step.
#
# Seven minutes.

# %% tags=["exercise", "minutes-7"]
def rate(step: int, total: int, peak: float, warmup: int) -> float:
    """Learning rate of a step."""
    ### BEGIN SOLUTION
    if step < warmup:
        return peak * (step + 1) / warmup
    share = (step - warmup) / (total - 1 - warmup)
    return peak * (0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2)
    ### END SOLUTION


checks.check_rate(rate)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: perplexity over uneven batches (5 minutes)
#
# An evaluation gives, for each batch, the sum of its surprises in nats and the number of its targets. Return the perplexity of the whole text. A batch may have no targets at all.

# %% [markdown] slideshow={"slide_type": "notes"}
# The famous slip is the mean of means: the last batch is small and weighs as much as the rest. Others average perplexities.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def perplexity(sums: list[float], counts: list[int]) -> float:
    """Perplexity per token; sums in nats, counts in tokens."""
    ### BEGIN SOLUTION
    return math.exp(sum(sums) / sum(counts))  # every token weighs the same
    ### END SOLUTION


checks.check_perplexity(perplexity)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: the carbon of a planned run (7 minutes)
#
# Somebody plans a model and asks what it will emit. Given parameters, tokens, the share of the peak of an A100 (312 trillion operations a second), watts per GPU and kilograms of CO2 per kilowatt-hour, return tonnes.

# %% [markdown] slideshow={"slide_type": "notes"}
# Units are the exercise: seconds to hours, watts to kilowatts, kilograms to tonnes. The utilisation divides.
#
# Whoever is done computes Llama 2 70B and compares with table 2. Seven minutes.

# %% tags=["exercise", "minutes-7"]
def tonnes(parameters: float, tokens: float, utilisation: float, watts: float,
           kg_per_kwh: float) -> float:
    """Tonnes of CO2 for one training run on A100s."""
    ### BEGIN SOLUTION
    seconds = 6 * parameters * tokens / (312e12 * utilisation)
    kilowatt_hours = seconds / 3600 * watts / 1000
    return kilowatt_hours * kg_per_kwh / 1000
    ### END SOLUTION


checks.check_tonnes(tonnes)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# Targets are inputs, shifted and masked. A fresh model's loss is the logarithm of the vocabulary, and a loss that falls too well is a bug until shown otherwise. Hold out combinations, count what an $n$-gram can do, and ask questions, since a mean over all tokens hides the few that matter. Six operations for each parameter and token are where the bill begins.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for the first thing they would look at in somebody else's training run. Good answers: the first loss, decoded targets, the number of targets that earn loss, a yardstick.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Llama 2](https://arxiv.org/abs/2307.09288), sections 2 to 2.3. [A recipe for training neural networks](https://karpathy.github.io/2019/04/25/recipe/). [Decoupled weight decay](https://arxiv.org/abs/1711.05101). [Chinchilla](https://arxiv.org/abs/2203.15556). [Scaling laws, and where 6ND comes from](https://arxiv.org/abs/2001.08361). [Combinations held out: generalisation without systematicity](https://arxiv.org/abs/1711.00350).
#
# Next: notebook 08, where the model that continues texts learns to answer.

# %% [markdown] slideshow={"slide_type": "notes"}
# The second link is the best use of half an hour before a first run of one's own. One minute.
