# %% [markdown] slideshow={"slide_type": "slide"}
# # Eight memories serve sixty-four readers
#
# Attention lets a token choose what it reads. What may be read later has to be kept, and that memory is what limits a running model. Grouped-query attention lets several query heads read the same keys and values.
#
# **Paper**: section 2.2, appendix A.2.1. **Minutes**: 95. **On the map**: tokenizer, norm, position, feed-forward, *attention*, model, pretraining.
#
# Afterwards you can write attention with shared heads and a cache, test both, compute their memory, and measure what a head does.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: what does a chat program keep in memory while it talks to you? Expect "the text". The text is a few kilobytes; what it keeps is a hundred thousand times that.
#
# Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
import copy
import random
import time
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from minillama import paper, stages
from minillama.attention import GroupedQueryAttention, KVCache
from minillama.config import LlamaConfig
from minillama.generation import generate
from minillama.model import Llama
from minillama.teach import algorithm, explore, frames, holds, show, table
from minillama.teach.checks import nb_05 as checks
from minillama.teach.drawings import nb_05 as drawings
from minillama.training.ablations import GROUPS
from minillama.training.intervals import paired_difference

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A dictionary that may hesitate answers with a mean
#
# Three animals have eaten: the goose 2 worms, the owl 9, the mole 4. Their names are **keys**, the worms are **values**, and the **query** asks for the owl. Each key is compared with the query, softmax turns the scores into shares, and the answer is the mean of the values by these shares.
#
# **Predict.** The scores are multiplied by 0, then by larger numbers. What is the answer at zero, and where does it go?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let somebody compute the answer at zero aloud: all scores equal, all shares a third, so the plain mean, five.
#
# Expect "nine from the start, since the owl was asked for". A soft dictionary answers sharply only where scores are far apart. Three minutes.

# %% tags=["result"]
torch.manual_seed(0)
keys = F.normalize(torch.randn(3, 32), dim=1)  # goose, owl, mole
worms = torch.tensor([2.0, 9.0, 4.0])
for sharpness in (0, 1, 2, 8):
    shares = (sharpness * keys @ keys[1]).softmax(dim=0)
    print(f"times {sharpness}: {(shares @ worms).item():.2f} worms")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Whatever may be asked for must be kept
#
# A token read now may be asked for by every later one, in every layer and every head. So each leaves a key and a value behind in all of them. The 70B model has 80 layers and 64 query heads of 128 numbers, two bytes each.
#
# **Predict.** With one key-value head for each query head, what does one token leave behind: a kilobyte, a hundred kilobytes, or more than a megabyte?

# %% [markdown] slideshow={"slide_type": "notes"}
# Write the product on the board before running: two, times layers, times heads, times 128, times two bytes.
#
# Expect the middle answer. A token is four letters, and it leaves as much as a photograph. Three minutes.

# %% tags=["result"]
big = LlamaConfig.named("llama-2-70b")
multi_head = big.replace(n_kv_heads=big.n_heads)
for tokens in (1, big.max_seq_len):
    size = multi_head.kv_cache_bytes(batch=1, length=tokens)
    print(f"{tokens:4d} tokens: {size / 2**20:8.1f} MiB")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-architecture"]
# ## Heads can keep their questions and share the answers
#
# Queries are used once and forgotten; only keys and values are kept. So let neighbouring query heads read the same ones. Move the sliders.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: begin at eight, go down to one, then back to two and walk through the query heads. Ask which heads share KV1 when there are two. Expect "the odd ones" from some: that is the famous bug of this hour.
#
# Four minutes.

# %% tags=["remove-input"]
frames(drawings.draw_sharing, drawings.describe_sharing,
       key_value_heads=[8, 4, 2, 1], query_head=list(range(8)))

# %% tags=["live"] slideshow={"slide_type": "skip"}
explore(drawings.draw_memory, thousand_tokens=range(4, 129, 4),
        kv_heads=[64, 32, 16, 8, 4, 2, 1])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: attention in seven steps
#
# There are $H$ query heads and $G$ key-value heads of $c$ numbers each. The forms before it are in it: with $G = H$ it is multi-head attention, with $G = 1$ multi-query attention. Step 4 is all that grouping adds.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for the shape after each step, and for the step that mixes tokens. There is one only: step 7. Everything else treats each token alone or compares.
#
# Four minutes. The source that realises it is built on the next slides, under the same numbers.

# %% tags=["formal", "remove-input"]
algorithm("grouped_query_attention", source=False)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Sharing is older than Llama 2
#
# One key-value head for all was proposed in 2019 and carried PaLM. Groups, in between one for all and one for each, are the compromise of 2023.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the small Llama 2 models did not get it. The paper gives grouped-query attention to 34B and 70B alone and does not say why not to the others; a likely reason is that they fit on one card with room to spare.
#
# Two minutes.

# %% tags=["remove-input"]
names = ("transformer-base", "gpt2-small", "palm-540b", "llama1-65b",
         "llama2-7b", "llama2-70b", "mistral-7b")
models = [paper.context("models", name) for name in names]
rows = [[m.name.split(" (")[0], m.year, m.value["heads"], m.value["kv_heads"]]
        for m in models]
table(rows, ["model", "year", "query heads", "key-value heads"],
      "Who shares keys and values", highlight_rows=[5])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: the mask is one comparison
#
# A key may be read when its position is not larger than the query's. Positions of queries are given, since with a cache a block of them starts in the middle of a text.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for the shape when three queries stand at positions 4, 5 and 6. Expect a square. It is three rows of seven: queries and keys are not equally many.
#
# Two minutes.

# %%
def may_read(positions: Tensor, n_keys: int) -> Tensor:
    return torch.arange(n_keys) <= positions[:, None]  # (length, n_keys)


print(may_read(torch.arange(4, 7), n_keys=7).int())

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Build it: divide by the root of the head size
#
# A score is a sum of $c$ products. For random entries of size one, each product has size one too.
#
# **Predict.** Heads grow from 4 to 1,024 coordinates, with ten keys to read. How large is the largest of the ten shares, without the root and with it?

# %% [markdown] slideshow={"slide_type": "notes"}
# A sum of c random terms has size root of c, not c. That is where the root comes from.
#
# Call the case without the root saturated: one share is nearly one, all others nearly zero, and hardly any gradient tells the model that another key would have been better. Three minutes.

# %% tags=["result"]
for size in (4, 16, 128, 1024):
    query, keys = torch.randn(1000, 1, size), torch.randn(1000, 10, size)
    scores = (query * keys).sum(dim=-1)  # (1000, 10)
    plain, scaled = ((scores * s).softmax(-1).amax(-1).mean()
                     for s in (1, size**-0.5))
    print(f"head of {size:4d}: {plain:.2f} without, {scaled:.2f} with root")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: steps 4 to 7
#
# Each key-value head is written out once for every query head that reads it, side by side. Then all heads are ordinary. The package saves the copies by broadcasting; the numbers are the same.

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the einsum letters aloud: batch, query, key, head, dimension of the head. Ask which letter is summed in each line.
#
# Three minutes. Whoever types along should guess the shape of scores first. Of step 7 the product with the output matrix is not here: the layer does it.

# %%
def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """(batch, length, heads, head_dim); key and value have fewer heads."""
    group = query.shape[2] // key.shape[2]
    key, value = (x.repeat_interleave(group, dim=2) for x in (key, value))
    scores = torch.einsum("bqhd,bkhd->bhqk", query, key)
    scores = scores * query.shape[-1] ** -0.5
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, value)


# %% [markdown] slideshow={"slide_type": "slide"}
# ## Ask someone who does not know our code: torch
#
# `scaled_dot_product_attention` gets the heads one by one, each with the partner that step 4 names: head $\lfloor hG/H \rfloor$. So torch has no say in who shares with whom. The package must agree with both.

# %% [markdown] slideshow={"slide_type": "notes"}
# The partner comes from the formula and not from repeat_interleave, so the two routes share no line.
#
# Ask why nine keys against five queries. In a square case, code that ignores the mask it is given and draws its own triangle would pass. Two minutes.

# %%
for n_kv in (8, 4, 2, 1):
    query = torch.randn(2, 5, 8, 16)
    key, value = torch.randn(2, 2, 9, n_kv, 16)
    mask = may_read(torch.arange(4, 9), n_keys=9)
    ours = attend(query, key, value, mask)
    for head in range(8):
        k, v = (x[:, :, head * n_kv // 8] for x in (key, value))
        theirs = F.scaled_dot_product_attention(query[:, :, head], k, v, mask)
        torch.testing.assert_close(ours[:, :, head], theirs)
    layer = GroupedQueryAttention(LlamaConfig(9, 128, 1, 8, n_kv_heads=n_kv))
    torch.testing.assert_close(layer.attend(query, key, value, mask), ours)
print("equal for 8, 4, 2 and 1 key-value heads")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? The future must change nothing
#
# We take the tiny model of notebook 07, 64 held-out texts of 40 tokens, and replace token 25 in each of them by another.
#
# **Predict.** By how much do the logits change at the tokens before it, at the token itself, and after it? Is "nothing" exactly zero, or a rounding error?

# %% [markdown] slideshow={"slide_type": "notes"}
# A model that fails this test has a wonderful training loss, since it reads the answers. It is the first test to write for any decoder.
#
# Exactly zero: a masked share is zero, and zero times anything finite is zero. Three minutes.

# %% tags=["result"]
base = stages.get("base")
model, tokenizer, config = base.model.eval(), base.tokenizer, base.model.config
texts = torch.stack([stages.get("corpus").heldout.window(i, 40)[0]
                     for i in range(64)])  # (64, 40)
changed = texts.clone()
changed[:, 25] = (texts[:, 25] + 100) % config.vocab_size
with torch.inference_mode():
    gap = (model(changed) - model(texts)).abs().amax(dim=(0, 2))  # (40,)
assert gap[:25].max() < 1e-5
for name, part in (("before", gap[:25]), ("at", gap[25]), ("after", gap[26:])):
    print(f"{name:>6}: {part.max():.3g}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Writing one token reads the whole text again, unless something is kept
#
# To write a text, the model is asked for one token after another. The plain way feeds the whole text again for each.
#
# **Predict.** A text of 39 tokens gets one more. Of the keys that the *last* layer computes, how many change? Remember that keys there depend on all layers below.

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "all, because every layer mixes tokens". Mixing goes forward in time only, by the property of the last slide, so the cache is a consequence of the mask.
#
# A hook on the key projection shows what the last layer computes. Three minutes.

# %% tags=["result"]
seen = []
hook = model.layers[-1].attention.key.register_forward_hook(
    lambda layer, inputs, output: seen.append(output))
with torch.inference_mode():
    model(texts[:, :39]), model(texts)
hook.remove()
gap = (seen[1][:, :39] - seen[0]).abs().max()
print(f"old keys change by up to {gap:.1g}; there is one new key, "
      f"of size {seen[1][:, 39].abs().max():.1f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: append, and hand back what is filled
#
# Old keys never change, so they are kept. Rows of a batch have texts of different lengths, so each row has its own place to write. Whatever stands behind a row's end is in its future, and the mask hides it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what is in the cache: keys before or after their rotation? After. A key is rotated by its own position, which never changes, so once is enough.
#
# Three minutes.

# %% tags=["formal", "remove-input"]
algorithm("kv_cache")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Any cut must give the same predictions
#
# We read the texts in pieces, cut at random places, with a cache between the pieces. The plain reading, all at once, knows nothing of a cache.
#
# **Predict.** Do a hundred random ways of cutting agree with the plain reading to the last bit, to rounding, or roughly?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "to the last bit". The same sums are made in blocks of other shapes, and float addition depends on the order.
#
# Random cuts matter: pieces of one token and one big piece are the two cases everybody tests, and errors live between them. Two minutes.

# %% tags=["result"]
random.seed(0)
worst = 0.0
with torch.inference_mode():
    whole = model(texts[:8])
    for _ in range(100):
        cuts = sorted(random.sample(range(1, 40), random.randint(1, 12)))
        cache = KVCache(config, batch=8, length=40)
        pieces = [model(texts[:8, start:end], cache)
                  for start, end in zip([0, *cuts], [*cuts, 40])]
        gap = (torch.cat(pieces, dim=1) - whole).abs().max().item()
        worst = max(worst, gap)
assert worst < 1e-3
print(f"largest difference in a hundred ways of cutting: {worst:.0e}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## With a cache the operations fall a hundredfold
#
# Two hundred tokens, read anew for each or kept. We count operations and take the time, five rounds of both in turn, so that a busy machine is unfair to neither.
#
# **Predict.** By what factor is the tiny model faster with its cache: nearest to a hundred, to ten, or to three?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "a hundred, as computed". One call on fifty tokens takes only a few times as long as one call on a single token, since the matrices are so small that much of the time goes into starting the call.
#
# A big model has the same trouble for another reason: it must fetch all its weights for a single token. Three minutes.

# %%
@torch.inference_mode()
def without_cache(model: Llama, prompt: list[int], n_new: int) -> list[int]:
    tokens = torch.tensor([prompt])
    for _ in range(n_new):
        best = model(tokens)[:, -1].argmax(dim=-1, keepdim=True)
        tokens = torch.cat([tokens, best], dim=1)
    return tokens[0, len(prompt):].tolist()


# %% tags=["result", "timing"] slideshow={"slide_type": "subslide"}
# flops_per_token takes the mean over a text: t keys are the mean of 2t - 1
once = [config.flops_per_token(2 * t - 1) for t in range(1, 201)]
again = [t * config.flops_per_token(t) for t in range(1, 201)]
ratios, start = [], [tokenizer.bos_id]
for _ in range(5):
    began = time.perf_counter()
    plain = without_cache(model, start, 200)
    halfway = time.perf_counter()
    cached, = generate(model, [start], 200, temperature=0.0)
    ratios.append((halfway - began) / (time.perf_counter() - halfway))
    assert plain == cached
print(f"operations: {sum(again) / sum(once):.0f} times fewer")
print(f"time: {sorted(ratios)[2]:.1f} times less, from {min(ratios):.1f} to "
      f"{max(ratios):.1f} in five rounds; the texts are equal")

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what would have to grow for the clock to follow the count: the text, and the matrices. With both ten times as large the factor rises.
#
# The spread is the machine, not the method. The last words matter most: equal texts. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## See it: what do the heads of the tiny model read?
#
# Each layer hands out its shares $A$, the **attention weights**, when we ask for them. We look for three heads in held-out text: the one that reads the **previous** token most, the one that reads **itself** most, and the one that spreads its attention most **evenly**. Then we watch the three on one question.
#
# **Predict.** In which of the four layers will each of them be?

# %% [markdown] slideshow={"slide_type": "notes"}
# Large models have their previous-token heads early, and many heads that park on the first token. Ask the class to bet before looking.
#
# Two minutes.

# %%
@torch.inference_mode()
def look_inside(model: Llama, tokens: Tensor) -> Tensor:
    """Every weight: (n_layers, batch, n_heads, length, n_keys)."""
    layers = [block.attention for block in model.layers]
    for layer in layers:
        layer.keep_weights = True
    model(tokens)
    for layer in layers:
        layer.keep_weights = False
    return torch.stack([layer.weights for layer in layers])


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The heads differ in how far they look and how widely

# %% [markdown] slideshow={"slide_type": "notes"}
# Rows are tokens that read, columns tokens that are read; the upper right is empty by the mask. The heads were chosen by their mean over 64 texts, and the picture is one question. Ask how much the first two heads do here what they are named for: being the most of all heads need not be much. Layers and heads count from zero.
#
# An even head is no failure: the mean of all that came before says what kind of text this is. A beautiful pattern is not yet a function, which is the next question. Three minutes.

# %% tags=["result", "remove-input"]
weights = look_inside(model, texts)
ahead = torch.arange(1, 40)
entropy = -(weights * weights.clamp(min=1e-9).log()).sum(-1).mean(dim=(1, 3))
kinds = {"previous": weights[..., ahead, ahead - 1].mean(dim=(1, 3)),
         "itself": weights[..., ahead, ahead].mean(dim=(1, 3)),
         "even": entropy}
found = {name: divmod(int(of.argmax()), config.n_heads)
         for name, of in kinds.items()}
tokens = tokenizer.encode("Question: What does an owl say?\nAnswer:", bos=True)
inside = look_inside(model, torch.tensor([tokens]))[:, 0]
show(drawings.draw_patterns(
        [inside[where] for where in found.values()],
        [f"{name}: layer {a}, head {b}" for name, (a, b) in found.items()],
        [tokenizer.decode([token]).strip() for token in tokens]),
     "Three heat maps of attention in a question, each a lower triangle: the head "
     "that in held-out text reads the previous token most, the one that reads itself "
     "most, and the most even one.",
     name="05_patterns")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Does a head know how to copy?
#
# Large models hold **induction heads**. After `Pearl the cat ... Pearl` such a head looks for the earlier `Pearl`, reads the token **behind** it, and so proposes `the`. To find one, show text that comes twice, and measure the weight from each token to the one behind its first occurrence.
#
# **Predict.** Does our tiny model have one?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect a confident yes: it writes stories in which names come back. Let them say why they believe it, and then measure.
#
# With random tokens nothing but copying can help, so the measure is clean. Three minutes.

# %%
def copying(model: Llama, twice: Tensor) -> Tensor:
    """Weight on the token behind the first occurrence, (n_layers, n_heads)."""
    half = twice.shape[1] // 2
    asking = torch.arange(half, 2 * half - 1)  # tokens that come again
    weights = look_inside(model, twice)[..., asking, asking - half + 1]
    return weights.mean(dim=(1, 3))


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### No head of the tiny model copies

# %% [markdown] slideshow={"slide_type": "notes"}
# No head puts even a twentieth of its weight there; an equal share for all would be about one part in seventy. Nor is it the fault of random tokens: held-out stories read twice give the same empty map.
#
# A null result needs a second look: is there nothing to see, or is the meter broken? Two minutes.

# %% tags=["result", "remove-input"]
torch.manual_seed(0)
nonsense = torch.randint(3, config.vocab_size, (64, 50))
stories = torch.cat([texts, texts], dim=1)
scores = copying(model, torch.cat([nonsense, nonsense], dim=1))
holds(scores.max() < 0.05 and copying(model, stories).max() < 0.05,
      "no head of the tiny model copies, not even in stories")
show(drawings.draw_heads(scores, "Random tokens that come twice: an empty map",
                         "weight"),
     "Heat map of four layers by eight heads. All thirty-two fields are nearly "
     "white, with numbers close to zero.", name="05_no_copying")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A meter that shows nothing must be tried on something
#
# So we train a second, smaller model for a few seconds on nothing but repetition: two layers of four heads, and up to sixteen shuffled symbols that come twice. The length varies, so that "look fifteen back" is no way out.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the length must vary. With a fixed length RoPE can find the token by its distance alone, and no content is compared.
#
# Only the second half earns a loss: the first half is unpredictable by construction. Guessing among all symbols is a weak rival. A model that knew which symbols came, and not in which order, would still pay about one to two nats; the loss printed must be held against that too. Two minutes, with the waiting.

# %%
def repeated(rows: int, length: int) -> Tensor:
    half = torch.rand(rows, 32).argsort(dim=1)[:, :length]  # no symbol twice
    return torch.cat([half, half], dim=1)


def copying_loss(model: Llama, twice: Tensor) -> Tensor:
    half = twice.shape[1] // 2
    logits = model(twice[:, :-1])[:, half:].transpose(1, 2)
    return F.cross_entropy(logits, twice[:, half + 1:])


# %%
torch.manual_seed(1)
shape = LlamaConfig(vocab_size=32, dim=64, n_layers=2, n_heads=4, n_kv_heads=2,
                    ffn_dim=96, max_seq_len=64)
copier = Llama(shape)
optimiser = torch.optim.AdamW(copier.parameters(), lr=3e-3)
for step in range(500):
    loss = copying_loss(copier, repeated(32, random.randint(6, 16)))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
print(f"loss {loss.item():.2f} nats; by guessing {torch.tensor(32).log():.2f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Where will the copying heads be?
#
# The same meter, on fresh sequences of sixteen symbols.
#
# **Predict.** In layer 0, in layer 1, or in both?

# %% [markdown] slideshow={"slide_type": "notes"}
# The argument to draw out of the class: to find "the token behind the earlier Pearl", the token behind must know what stood before it. A key knows that only after an earlier layer has told it. So layer 0 copies the neighbour, layer 1 finds the match.
#
# Four minutes. This is the deepest idea of the hour.

# %% tags=["result", "remove-input"]
twice = repeated(200, 16)
scores = copying(copier, twice)
holds(scores[1].max() > 0.3 > scores[0].max(),
      "the copying heads sit in the second layer")
show(drawings.draw_heads(scores, "The copying heads sit in the second layer",
                         "weight"),
     "Heat map of two layers by four heads. The row of layer 0 is pale, the row "
     "of layer 1 holds dark fields.", name="05_copying")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A pattern is not yet a cause: take heads away
#
# A head is silenced by setting the columns of the output projection that read it to zero. Then we measure the loss on repeated symbols again.
#
# **Predict.** What hurts most: losing a head of layer 1, which copies, or one of layer 0, which does not?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "layer 1, it does the copying". The likely reason for what comes: heads of layer 1 stand in for each other, and all of them need what layer 0 writes about the neighbour. The loss alone does not prove it. Ask what would: the weight that each head of layer 0 puts on the previous token. And this is one trained model; another seed may use other heads.
#
# Setting to zero takes away the mean as well, which is harsh; a fairer way replaces by the mean. For a yes or no it will do. Three minutes.

# %%
@torch.inference_mode()
def loss_without(layer: int, head: int) -> float:
    silenced, size = copy.deepcopy(copier), copier.config.head_dim
    output = silenced.layers[layer].attention.output.weight  # (dim, dim)
    output[:, head * size : (head + 1) * size] = 0
    return copying_loss(silenced, twice).item()


# %% tags=["result", "remove-input"] slideshow={"slide_type": "subslide"}
losses = torch.tensor([[loss_without(layer, head) for head in range(4)]
                       for layer in range(2)])
whole_loss = copying_loss(copier, twice).item()
holds(losses[0].max() > losses[1].max() > whole_loss,
      "a head of layer 0 is missed more than any of layer 1")
show(drawings.draw_removal(losses, whole_loss),
     "Bars of the loss without each head: four of layer 0 and four of layer 1, "
     "and a dashed line for the whole model.", name="05_removal")

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the tallest bar first and ask which layer it is in. Then ask why no single head of the other layer is missed as much. Where a bar is higher than guessing would be, the heads above were misled, and the model is sure of the wrong symbol.
#
# This is the difference between a pattern and a cause. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: repeat in place of repeat_interleave
#
# Two functions of torch copy heads, and both give the right shape. `repeat_interleave` gives `0 0 1 1`, `repeat` gives `0 1 0 1`. With the second, query heads read each other's memories.
#
# **Predict.** The trained model, with the wrong one of the two: an error, noise, or something like English?

# %% [markdown] slideshow={"slide_type": "notes"}
# A model trained with repeat is as good as any: it has learnt another grouping. The bug shows only where weights come from elsewhere, and then nothing complains.
#
# Read both continuations aloud. Three minutes.

# %%
def variant(tiled=False, masked=True, scale=None) -> Llama:
    """The tiny model with one line of its attention changed."""
    def attend(query, key, value, mask):
        if tiled:
            group = query.shape[2] // key.shape[2]
            key, value = (x.repeat(1, 1, group, 1) for x in (key, value))
        mask = mask if mask.dim() == 2 else mask[:, None]
        heads = (x.transpose(1, 2) for x in (query, key, value))
        return F.scaled_dot_product_attention(
            *heads, attn_mask=mask if masked else None, scale=scale,
            enable_gqa=True).transpose(1, 2)
    changed = copy.deepcopy(model)
    for block in changed.layers:
        block.attention.attend_fused = attend
    return changed


# %% tags=["result"] slideshow={"slide_type": "subslide"}
def writes(model: Llama) -> str:
    start = tokenizer.encode("Title: ", bos=True)
    return tokenizer.decode(start + generate(model, [start], 50, 0.0)[0])


print("right:", writes(variant()), "\n\nwrong:", writes(variant(tiled=True)))

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what a user would report: "the model is badly trained". Some words survive, others are not English, and no line of the log is red.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The bug hides from the tests that people write first
#
# A unit test compares attention with torch on random numbers. Eight query heads, and a number of key-value heads that the author of the test chose.
#
# **Predict.** For which of 8, 4, 2 and 1 key-value heads does the test notice that `repeat` was used?

# %% [markdown] slideshow={"slide_type": "notes"}
# With eight nothing is repeated, with one everything is the same. Exactly multi-head and multi-query, the two cases with a name, pass.
#
# The moral: test a group size strictly between the ends. Two minutes.

# %% tags=["result"]
for n_kv in (8, 4, 2, 1):
    query, mask = torch.randn(2, 9, 8, 16), may_read(torch.arange(9), 9)
    key, value = torch.randn(2, 2, 9, n_kv, 16)
    tiled = [x.repeat(1, 1, 8 // n_kv, 1) for x in (key, value)]
    gap = attend(query, *tiled, mask) - attend(query, key, value, mask)
    print(f"{n_kv} key-value heads: off by up to {gap.abs().max():.2f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it three times more
#
# The mask is missing; the root of the head size is forgotten; the cache starts at slot one and leaves slot zero empty. Each is one line, and none raises an error.
#
# **Predict.** Order them by the loss on held-out text. Then say for the first two whether they still write the same text.

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect the missing mask to be called fatal for writing. Here it writes the very same text: a single new token has no future to look at, and only the prompt, which is short, is misread. In training it would be fatal, since the answers are in view.
#
# The empty slot takes a share of every softmax and adds nothing. Three minutes.

# %%
inputs, targets = map(torch.stack, zip(*[
    stages.get("corpus").heldout.window(i, 128) for i in range(100)]))
shifted = KVCache(config, batch=100, length=129)
shifted.lengths += 1
cases = {"right": (variant(), None), "no mask": (variant(masked=False), None),
         "no root": (variant(scale=1.0), None), "slot one": (model, shifted)}

# %% tags=["result"] slideshow={"slide_type": "subslide"}
with torch.inference_mode():
    whole, rows = model(inputs), []
    for name, (broken, cache) in cases.items():
        logits = broken(inputs, cache)
        loss = F.cross_entropy(logits.transpose(1, 2), targets).item()
        gap = (logits - whole).abs().max().item()
        text = "same" if writes(broken) == writes(model) else "another"
        rows.append([name, loss, gap, "not run" if cache else text])
holds(rows[1][3] == "same", "without a mask it writes the very same text")
holds(rows[3][1] < rows[0][1] + 0.1, "slot one hardly moves the loss")
table(rows, ["attention", "loss (nats)", "logits off by", "text it writes"],
      "Four models of equal weights", number_format=".3f")

# %% [markdown] slideshow={"slide_type": "notes"}
# The last line is the dangerous one: the loss hardly moves, and it may even fall a little, perhaps since an empty slot lets a head read nothing. Only the equality with the plain reading exposes it, and causality exposes the missing mask.
#
# The text of the last case was not generated, since generate makes its own cache. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Use it: what does sharing cost the tiny models?
#
# Four query heads with four, two or one key-value heads. What sharing saves in parameters goes into the feed-forward layer, as in the paper, so all three are of nearly the same size. Three seeds of each.
#
# **Predict.** Order them by held-out loss. Will the intervals exclude zero?

# %% [markdown] slideshow={"slide_type": "notes"}
# An interval that contains zero means that we cannot tell. One that hardly excludes it, with three seeds, means that we would like more seeds.
#
# Remind them what was bought: a cache of half or a quarter of the size. Three minutes.

# %% tags=["result", "remove-input"]
losses, rows = stages.get("ablations"), []
for name, kv_heads in zip(GROUPS["heads"], (2, 4, 1)):
    gap = paired_difference(losses[name], losses["Llama 2"])
    more = "" if name == "Llama 2" else f"{gap.low:+.3f} to {gap.high:+.3f}"
    rows.append([name, kv_heads, sum(losses[name]) / 3, more])
columns = ["model", "key-value heads", "loss (nats)",
           "more than Llama 2, 95% interval"]
table(rows, columns, "Held-out loss, three seeds of each", number_format=".3f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-uniques", "predict"]
# ## At 70B: sharing decides how many can be served
#
# Eight cards of 80 GB hold the weights in 16 bits. What is left is cache, here counted as one memory, for texts of {{fact:context_length}} tokens.
#
# **Predict.** How many texts fit at once with 64, with 8 and with 1 key-value head?

# %% [markdown] slideshow={"slide_type": "notes"}
# The same function as at the beginning, on the same configuration. Expect guesses of thousands for all three.
#
# More texts at once means that one fetch of the weights serves more readers: this is what throughput is. One memory is a simplification that flatters the single head, and the next slide takes it back. Three minutes.

# %% tags=["result", "remove-input"]
room = 8 * 80 * 10**9 - 2 * big.parameter_count()  # bytes left for the cache
show(drawings.draw_budget(room, big.max_seq_len, height=3.6),
     "Cache size against the number of texts on logarithmic axes: three rising "
     "lines, which meet the memory left by the weights at just under fifty, some four "
     "hundred and some three thousand texts.", name="05_budget")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Why eight, and not one?
#
# The 70B model runs on eight cards at once, and each takes an eighth of the heads. A head cannot be cut, so every card needs at least one key-value head of its own.
#
# **Predict.** Counted per card, how much smaller is the cache of multi-query attention than that of eight groups?

# %% [markdown] slideshow={"slide_type": "notes"}
# The paper gives this as one of its reasons. With one head for all, each of the eight cards keeps a copy. The saving over eight groups is gone, and what it may cost in quality stays. So the largest count of the last slide falls to that of eight groups.
#
# The paper names another way, to deal out the texts of a batch in place of the heads, and sets it aside: it needs more texts than cards, and traffic between the cards.
#
# Two minutes.

# %% tags=["result"]
rows = []
for name, (heads, _) in drawings.VARIANTS.items():
    whole = big.replace(n_kv_heads=heads).kv_cache_bytes(1, big.max_seq_len)
    card = big.replace(n_kv_heads=max(heads, 8)).kv_cache_bytes(1, 4096) / 8
    rows.append([name, heads, f"{whole / 2**20:,.0f}", f"{card / 2**20:,.0f}"])
table(rows, ["attention", "key-value heads", "MiB on one card",
             "MiB on each of eight"], "Cache of a text of 4096 tokens at 70B")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports: about as good as no sharing
#
# Three models of {{fact:attn_ablation_setup.model_size}}, trained on {{fact:attn_ablation_setup.tokens}} tokens each. The feed-forward layer is widened {{fact:attn_ablation_ffn.MQA}} times for multi-query (MQA) and {{fact:attn_ablation_ffn.GQA}} times for grouped (GQA), to match multi-head (MHA) in size. One run of each, no intervals: differences of a point mean little.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which row they would choose from this table alone. There is no clear winner in quality, and that is the finding: the cache decides. Multi-head ran out of memory at a batch of 128 with two thousand tokens of context, the others went on.
#
# Three minutes.

# %% tags=["remove-input"]
paper.show_table("table_18", columns=[
    "variant", "BoolQ", "HellaSwag", "ARC-c", "NQ", "TriviaQA", "MMLU (5-shot)",
    "GSM8K (8-shot)", "HumanEval"])
ablation = paper.table("table_18")
means = [[row[0], sum(row[1:]) / len(row[1:])] for row in ablation.rows]
assert sorted(means, key=lambda row: -row[1])[0][0] == "GQA"
table(means, ["variant", "mean of all eleven tasks"],
      "Our own average of Table 18", number_format=".1f")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed since: most share, some forget, some compress
#
# Llama 3 has {{context:models.llama3-8b.kv_heads}} key-value heads even in its smallest model. The first Mistral 7B read the last {{context:mistral.swa.window}} tokens only in each layer and overwrote the rest; Gemma 2 has such layers in turn with full ones. DeepSeek keeps one short vector per token, from which keys and values are computed again. Multi-head models can be converted: average the heads of a group, and train on for {{context:papers.gqa.uptraining_alpha|.0%}} of the steps.

# %% [markdown] slideshow={"slide_type": "notes"}
# All three ideas attack the same product: layers, heads, numbers per head, tokens, bytes. Ask which factor each one makes smaller; the short vector of DeepSeek replaces heads and numbers per head together. Quantised caches take the last factor.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: a mask from the middle (5 minutes)
#
# A block of `length` queries starts at position `first`, behind what is in the cache. Return which of `n_keys` keys each may read, True for yes.

# %% [markdown] slideshow={"slide_type": "notes"}
# The usual slips: a mask that starts at zero, and a token that cannot see itself. The check names both.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def block_mask(first: int, length: int, n_keys: int) -> Tensor:
    """(length, n_keys), True where reading is allowed."""
    ### BEGIN SOLUTION
    positions = torch.arange(first, first + length)
    return torch.arange(n_keys) <= positions[:, None]
    ### END SOLUTION


checks.check_block_mask(block_mask)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: a partner for every query head (5 minutes)
#
# Expand grouped keys to as many heads as the queries have, so that neighbouring query heads share one. Leave the given tensor alone.

# %% [markdown] slideshow={"slide_type": "notes"}
# Whoever is done early does it without a copy: unsqueeze, expand, flatten. Let them find out when flatten copies after all.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def expand_heads(key: Tensor, n_heads: int) -> Tensor:
    """(batch, length, n_kv_heads, head_dim) to (..., n_heads, head_dim)."""
    ### BEGIN SOLUTION
    group = n_heads // key.shape[2]
    return key.repeat_interleave(group, dim=2)
    ### END SOLUTION


checks.check_expand_heads(expand_heads)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: what does a cache weigh? (5 minutes)
#
# Bytes of all keys and values for `texts` texts of `length` tokens in 16-bit numbers. A configuration knows `n_layers`, `n_heads`, `n_kv_heads` and `head_dim`. Write the product yourself.

# %% [markdown] slideshow={"slide_type": "notes"}
# Two twos: keys and values, and two bytes. Half of the class forgets one of them.
#
# Ask afterwards for the number for Llama 2 7B at full length: two gibibytes, since it does not share. Five minutes.

# %% tags=["exercise", "minutes-5"]
def cache_bytes(config: LlamaConfig, texts: int, length: int) -> int:
    """Bytes of the cache, two for each number."""
    ### BEGIN SOLUTION
    numbers = config.n_layers * config.n_kv_heads * config.head_dim
    return 2 * 2 * numbers * texts * length
    ### END SOLUTION


checks.check_cache_bytes(cache_bytes)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: append to rows of different lengths (8 minutes)
#
# Row `r` of `keys` holds `lengths[r]` tokens, with free slots behind them. Write the new ones of each row there, in place or in a copy, and return all of it, slots that stay free included.

# %% [markdown] slideshow={"slide_type": "notes"}
# A loop over rows is a fine answer. The short one needs two index tensors that broadcast: row numbers as a column, slots as a table.
#
# Eight minutes.

# %% tags=["exercise", "minutes-8"]
def append(keys: Tensor, lengths: Tensor, new: Tensor) -> Tensor:
    """keys (batch, room, heads, dim), new (batch, n_new, heads, dim)."""
    ### BEGIN SOLUTION
    slot = lengths[:, None] + torch.arange(new.shape[1])  # (batch, n_new)
    row = torch.arange(len(keys))[:, None]  # (batch, 1)
    keys[row, slot] = new
    return keys
    ### END SOLUTION


checks.check_append(append)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# Attention is a dictionary that answers with a mean. Its keys and values never change, so they are kept; what is kept fills the memory, so heads share it. Three equalities test it: with torch, with no cache, and with another future. A pattern that looks like a function is tested by taking it away.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for a bug that hides. They have seen three today: the empty slot in the loss, the missing mask in the written text, and heads dealt out in turn in a test with one key-value head.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Transformers Explained](https://deepgram.com/learn/visualizing-and-explaining-transformer-models-from-the-ground-up), with pictures, from the ground up. [Attention Is All You Need](https://arxiv.org/abs/1706.03762). [One Write-Head Is All You Need](https://arxiv.org/abs/1911.02150), multi-query attention. [GQA](https://arxiv.org/abs/2305.13245). [Llama 2](https://arxiv.org/abs/2307.09288), section 2.2 and appendix A.2.1. [Induction heads](https://arxiv.org/abs/2209.11895).
#
# Next: notebook 06, the whole model.

# %% [markdown] slideshow={"slide_type": "notes"}
# The first link is the one of the outline, good for whoever missed this hour. One minute.
