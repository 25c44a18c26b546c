# %% [markdown] slideshow={"slide_type": "slide"}
# # Position enters as a rotation
#
# A comparison of two words should know how far apart they are. RoPE turns every query and every key by an angle that grows with its position, so that their product sees the distance, and not where the two stand.
#
# **Paper**: section 2.2, appendix A.2.1. **Minutes**: 85, exercises 25. **On the map**: tokenizer, norm, *position*, feed-forward, attention, model, pretraining.
#
# Afterwards you can write RoPE, prove it right, tell its two layouts apart, and say what a model does beyond the length it was trained on.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: how does a language model know that one word came before another? Expect "it reads from left to right". It does not: attention reads everything at once.
#
# Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
import copy
import math

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaConfig as TheirConfig
from transformers.models.llama import modeling_llama as theirs

from minillama import paper, rope, stages
from minillama.attention import KVCache
from minillama.config import LlamaConfig
from minillama.generation import generate
from minillama.model import Llama
from minillama.teach import algorithm, explore, frames, holds, show, table
from minillama.teach.checks import nb_03 as checks
from minillama.teach.drawings import nb_03 as drawings

torch.set_printoptions(precision=3, sci_mode=False)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Who bit whom? Attention is given words and nothing else
#
# Here is attention with nothing but words in it. The last token, the full stop, asks every word, itself included, how relevant it is, and takes a weighted mean.
#
# **Predict.** It reads `dog bites man .` and then `man bites dog .`. How much do the two results differ: not at all, a little, or a lot?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let the class vote before the cell runs. Expect most to say "different, the sentences mean different things". The sum does not know that.
#
# Somebody will object that a real model has many layers and a causal mask. They are right, and it is answered on the next slide. Three minutes.

# %% tags=["result"]
torch.manual_seed(0)
vector = {word: torch.randn(16) for word in ("dog", "bites", "man", ".")}


def what_the_stop_hears(sentence: str) -> Tensor:
    x = torch.stack([vector[w] for w in sentence.split()])  # (length, 16)
    weights = (x @ x[-1] / 16**0.5).softmax(dim=0)  # (length,)
    return weights @ x  # (16,)


one = what_the_stop_hears("dog bites man .")
other = what_the_stop_hears("man bites dog .")
print("largest difference:", round((one - other).abs().max().item(), 5))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A sum does not know the order of its terms
#
# The weights moved along with the words, and a sum is the same in any order. Whoever bit whom, the full stop hears one and the same thing.
#
# In a deep model with a causal mask some order leaks in, because the second word has one word before it and the third has two. It is an indirect hint, and the ablation near the end measures how far it carries.

# %% [markdown] slideshow={"slide_type": "notes"}
# Question: does the causal mask not give the order away? A little, from the second layer on. It has to be inferred from counting, and nobody gave the model a ruler.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The first two answers put a position into the word
#
# The Transformer of 2017 **added** a vector of sines and cosines to every word. GPT-2 **learnt** one vector for each position and added that.
#
# **Predict.** `dog` stands one place before `bites`. We move both to later places, still side by side. Does their score stay the same?

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: which is more useful for grammar, "word number 3017" or "two words back"? Expect "two words back", and then ask whether adding a vector gives it.
#
# Two minutes.

# %% tags=["result"]
def sinusoid(position: int, dim: int = 16) -> Tensor:
    angle = position / 10000 ** (torch.arange(0, dim, 2) / dim)  # (dim / 2,)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten()  # (dim,)


for n in (0, 10, 100, 1000):
    asks = vector["bites"] + sinusoid(n + 1)
    answers = vector["dog"] + sinusoid(n)
    print(f"dog at {n:4d}: score {(asks @ answers).item():6.2f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same pair of words, another score at every place
#
# Multiply $(x + p_m)(y + p_n)$ out: word with word, position with position, and two mixed terms of a word with a position. Only the product of two sinusoids depends on the distance alone. The model must learn to see through the rest.
#
# A learnt table has the same trouble and one more: it has no row for a position it never saw. The 1025th token of GPT-2 is an index error.

# %% [markdown] slideshow={"slide_type": "notes"}
# Write the product on the board: it has four terms. Let someone point at the one we want.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-architecture"]
# ## Turn the arrow and leave its length alone
#
# Take two coordinates of a query as an arrow and turn it by an angle proportional to its position. Do the same to the key. Move the slider: both arrows turn, the angle between them stays, and so does their product.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: click into the slider and use the arrow keys. Let the position run at pair 0, then choose pair 1 and let it run again.
#
# Ask what the third pair is good for. Expect "nothing, it hardly moves". That is its use: it still tells near from far when the first has gone round many times. Four minutes.

# %% tags=["remove-input"]
frames(drawings.draw_pair, drawings.describe_pair,
       position=list(range(13)), pair=[0, 1, 2])

# %% tags=["live"] slideshow={"slide_type": "skip"}
explore(drawings.draw_pair, position=range(13), pair=range(4))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two turns cancel except for their difference
#
# Call $R_m$ the rotation by $m\theta$. Turning back is transposing, $R_m^\top = R_{-m}$, and turns add up, so
#
# $$(R_m q)^\top (R_n k) = q^\top R_m^\top R_n\, k = q^\top R_{n-m}\, k .$$
#
# The position of the query and that of the key have disappeared. What is left is the distance, and no mixed term. This is equation 16 of the RoPE paper in one line.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: what is turned, the query, the key, the value? Expect "all three". The value is what is delivered, not what is compared, and it stays as it is.
#
# Three minutes. This is the only derivation of the hour, do it slowly.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## One pair is one hand of a clock, and a head has many hands
#
# A single hand forgets: after a full turn every position looks like an old one. So a head of 128 coordinates is cut into 64 pairs, and pair $i$ turns by $\theta_i = 10000^{-2i/128}$ radians per token, each more slowly than the one before.
#
# **Predict.** Llama 2 reads {{fact:context_length}} tokens. How many of its 64 hands go round at least once in that stretch?

# %% [markdown] slideshow={"slide_type": "notes"}
# The picture to leave behind is a clock: seconds, minutes, hours. The fast hands tell neighbours apart, the slow ones chapters.
#
# Expect the guess "all of them". Three minutes.

# %%
pair = torch.arange(64)
speed = 10000.0 ** (-2 * pair / 128)  # radians per token
tokens_per_turn = 2 * math.pi / speed  # (64,)
print(tokens_per_turn[[0, 1, 2, 32, 63]])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Eighteen hands never come full circle

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the two ends off the figure: about six tokens for the fastest hand, more than fifty thousand for the slowest.
#
# Keep the grey region in mind. It is where the trouble past the training length begins: those hands reach angles that no training text ever showed. Two minutes.

# %% tags=["result", "remove-input"]
context = paper.fact("context_length").value
assert int((tokens_per_turn > context).sum()) == 18
show(
    drawings.draw_wavelengths(tokens_per_turn, context),
    "Tokens for one full turn against the pair number on a logarithmic axis: a "
    "straight rising line from about 6 at pair 0 to about 54,000 at pair 63; the "
    "last 18 pairs lie above the context length.",
    name="03_wavelengths",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: first the angles
#
# They depend on nothing but the configuration, so they are computed once and are no weights: RoPE has no parameter to learn. From here on $\theta$ is the base, as in configuration files, and $\omega_i$ the speed of a pair.

# %% [markdown] slideshow={"slide_type": "notes"}
# Walk through the numbers on the left and let the class find them on the right. Ask for the shape after each step.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("rotary_table")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: then the turn
#
# The matrix is never built. A rotation of a pair is four products, and all pairs of all heads are turned in one go.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the computation is done in float32 even when the model runs in bfloat16. Expect "habit". A bfloat16 has eight significant bits: it cannot tell position 256 from 257.
#
# The code on the right writes a pair as one complex number, since multiplying by cos + i sin is these four products. Three slides on, the notebook does the same.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("apply_rope")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: the table of angles
#
# Every position times every speed is an outer product. It is half as wide as a head, one angle for a pair.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let somebody say the shape of the result before it prints. Expect (length, head_dim), the usual slip.
#
# Two minutes.

# %%
def angles(head_dim: int, length: int, theta: float = 10000.0) -> Tensor:
    speed = 1.0 / theta ** (torch.arange(0, head_dim, 2) / head_dim)
    return torch.outer(torch.arange(length), speed)  # (length, head_dim / 2)


print(angles(head_dim=8, length=4))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: turn every pair of neighbours
#
# Coordinates 0 and 1 form the first pair, 2 and 3 the second, and so on. `a` takes the even ones and `b` the odd ones. The stack at the end puts them back between each other.

# %% [markdown] slideshow={"slide_type": "notes"}
# The classic slip is to overwrite a before b is computed from it. Both lines need the old a.
#
# Ask what happens at position zero. Nothing: the angle is zero. Three minutes.

# %%
def rotate(x: Tensor, turn: Tensor) -> Tensor:
    """x (batch, length, n_heads, head_dim), turn (length, head_dim / 2)."""
    cos, sin = turn.cos()[:, None], turn.sin()[:, None]  # one for all heads
    a, b = x[..., 0::2], x[..., 1::2]  # (..., n_heads, head_dim / 2)
    turned = torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1)
    return turned.flatten(-2)  # pairs become neighbours again


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same in one line, for those who like complex numbers
#
# A pair $(a, b)$ is the number $a + bi$, and multiplying with $e^{im\omega}$ turns it. Meta's code is written this way. Torch multiplies complex numbers without knowing about RoPE, so this is our first independent witness. Lengths are kept too, and position zero is left alone.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: which layout does view_as_complex assume? Neighbours, so the complex form settles the layout without a word.
#
# The second assertion compares with the package, so that this cell and src cannot part. Two minutes.

# %%
x, turn = torch.randn(2, 50, 4, 16), angles(16, 50)  # 4 heads of 16
pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))  # (..., head_dim / 2)
unit = torch.polar(torch.ones(50, 8), turn)[:, None]  # e^(i m omega)
turned = torch.view_as_real(pairs * unit).flatten(-2)
torch.testing.assert_close(turned, rotate(x, turn))
table_16 = rope.rotary_table(16, 50)
torch.testing.assert_close(turned, rope.apply_rope(x, *table_16))
torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
assert torch.equal(turned[:, 0], x[:, 0])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? First a property that needs no other code
#
# If scores depend on the distance alone, then moving the whole text by any number of places changes none of them. This knows nothing of sines or layouts.
#
# **Predict.** We move ten tokens by up to 4,000 places, a hundred times. Are the scores equal to the last bit, up to a rounding error, or roughly?

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for a wrong implementation that would still pass. Good answers: no rotation at all, the wrong speeds, the other sign. So the property is not enough, and the reference code comes next.
#
# Three minutes.

# %%
def scores(query: Tensor, key: Tensor, first: int, precision) -> Tensor:
    """All scores of a text whose first token stands at position ``first``."""
    position = torch.arange(first, first + len(query)).double()
    speed = 10000.0 ** (-torch.arange(0, 64, 2).double() / 64)
    turn = torch.outer(position, speed).to(precision).double()
    q, k = rotate(query[None, :, None], turn), rotate(key[None, :, None], turn)
    return q[0, :, 0] @ k[0, :, 0].T  # (length, length)


# %% tags=["result"]
query, key = torch.randn(2, 10, 64, dtype=torch.float64)
shifts = torch.randint(1, 4000, (100,)).tolist()
for precision in (torch.float32, torch.float64):
    still = scores(query, key, 0, precision)
    moved = [scores(query, key, shift, precision) for shift in shifts]
    worst = max((other - still).abs().max() for other in moved)
    print(f"angles in {precision}: scores change by up to {worst:.0e}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The property is exact; what remains is rounding
#
# It comes from the angles: the reference keeps them in float32, and an angle of 4,000 radians leaves only three or four digits behind the point. We keep float32 too, since the published weights were trained with these very angles.

# %% [markdown] slideshow={"slide_type": "notes"}
# A famous relative of this: angles kept in bfloat16 made long texts worse in several libraries, and short tests never showed it.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Ask someone who does not know our code: transformers
#
# The library of Hugging Face computes the same rotation with other pairs: coordinate $i$ goes with $i + d/2$. Our function takes the layout by name, so the two can be compared number by number, at an unusual base and head size.

# %% [markdown] slideshow={"slide_type": "notes"}
# Point at the transposes: transformers keeps heads before length, we keep length before heads. Many bug reports about RoPE are about this and not about angles.
#
# Two minutes.

# %%
their_config = TheirConfig(
    hidden_size=24, num_attention_heads=4, head_dim=6,
    rope_parameters={"rope_type": "default", "rope_theta": 5e5},
)
x = torch.randn(2, 300, 4, 6)
swapped = x.transpose(1, 2)  # (batch, n_heads, length, head_dim)
embedding = theirs.LlamaRotaryEmbedding(their_config)
cos2, sin2 = embedding(x, torch.arange(300)[None])
reference, _ = theirs.apply_rotary_pos_emb(swapped, swapped, cos2, sin2)
ours = rope.apply_rope(x, *rope.rotary_table(6, 300, theta=5e5), "halves")
gap = (ours - reference.transpose(1, 2)).abs().max().item()
print("largest difference:", gap)
assert gap <= 1e-6

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two layouts, one idea, and the most repeated confusion of the field
#
# The RoPE paper and Meta's weights pair **neighbours**. Hugging Face pairs the first **half** of a head with the second. Neither is wrong. Weights trained for one and read by the other are.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which of the two is "the right RoPE". Expect a fight. The answer is on the next slide: a head has no natural order of its coordinates, so both are.
#
# Two minutes.

# %% tags=["remove-input"]
show(
    drawings.draw_layouts(),
    "Eight boxes in two rows, coloured by pair. In the upper row equal colours stand "
    "next to each other; in the lower row equal colours stand four boxes apart.",
    name="03_layouts",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Reorder the rows of two matrices and the models are one
#
# A dot product does not care in which order its terms are added. Reorder the coordinates of queries **and** keys in the same way and every score stays. The coordinates come out of a projection, so it is enough to reorder the rows of its weight, once, when the file is read.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which of the four projections must be permuted. Expect "all". Only query and key: values and output never meet an angle.
#
# Two minutes.

# %%
row = torch.arange(8)[:, None]  # a weight whose rows carry their own number
there = rope.interleaved_to_halves(row, n_heads=2)
back = rope.halves_to_interleaved(there, n_heads=2)
print("as one head: ", rope.interleaved_to_halves(row, 1).flatten().tolist())
print("as two heads:", there.flatten().tolist())
print("and back:    ", back.flatten().tolist())

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### Grouped keys have fewer heads, and a count of their own
#
# A head must be reordered within itself. Queries have 4 heads here and keys 2, so each projection is given its own number, and both routes lead to the same scores.
#
# **Predict.** What happens when the keys are reordered with the number of *query* heads: an error, or other scores without a word?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "an error". A converter much used in 2023 went wrong just here: it divided the number of query heads by that of key heads. For Llama 2 70B this is right by chance, since sixty-four by eight is eight. TinyLlama, with thirty-two and four, came out as gibberish, and no error said why.
#
# With the right count the change is rounding. With the wrong one nothing complains: the rows still divide evenly, they are merely other rows. Three minutes.

# %% tags=["result"]
x = torch.randn(1, 20, 32)  # (batch, length, dim); 4 heads of 8, 2 for keys
wq, wk = torch.randn(32, 32) / 6, torch.randn(16, 32) / 6


def all_scores(wq: Tensor, wk: Tensor, layout: str) -> Tensor:
    cos, sin = rope.rotary_table(head_dim=8, length=20)
    q = rope.apply_rope((x @ wq.T).unflatten(-1, (4, 8)), cos, sin, layout)
    k = rope.apply_rope((x @ wk.T).unflatten(-1, (2, 8)), cos, sin, layout)
    return torch.einsum("bqhd,bkhd->bhqk", q, k.repeat_interleave(2, dim=2))


moved = rope.interleaved_to_halves(wq, n_heads=4)
for heads in (2, 4):
    keys = rope.interleaved_to_halves(wk, n_heads=heads)
    gap = all_scores(moved, keys, "halves") - all_scores(wq, wk, "interleaved")
    print(f"keys reordered as {heads} heads: gap {gap.abs().max():.5f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The sign: turning the other way is another convention
#
# Some code turns by $-m\omega$. Scores then depend on $m-n$ where ours depend on $n-m$: still distance alone, and a model trained that way is as good.
#
# **Predict.** The same queries and keys, turned backwards. Are the scores the same? And if the two coordinates of every pair are swapped too?

# %% [markdown] slideshow={"slide_type": "notes"}
# nanochat is an example: it turns by minus omega.
#
# Expect the class to say "same scores, since both turn the other way". Work one pair by hand: q turned back by the distance is not q turned forward. Swapping the coordinates holds up a mirror to the plane. So weights cannot be carried over as they are. Three minutes.

# %% tags=["result"]
q, k = torch.randn(2, 1, 20, 1, 8)  # (batch, length, n_heads, head_dim) each
mirror = [1, 0, 3, 2, 5, 4, 7, 6]


def score_table(q: Tensor, k: Tensor, sign: int) -> Tensor:
    q, k = (rotate(vector, sign * angles(8, 20)) for vector in (q, k))
    return q[0, :, 0] @ k[0, :, 0].T  # (length, length)


gap = score_table(q, k, -1) - score_table(q, k, 1)
mended = score_table(q[..., mirror], k[..., mirror], -1) - score_table(q, k, 1)
print(f"backwards: scores differ by up to {gap.abs().max():.1f}")
print(f"backwards and swapped: by up to {mended.abs().max():.1e}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: forget the permutation
#
# We take the tiny model of notebook 07 and do what many people did in 2023: store its weights in one layout and run them in the other. Nothing fails, since all shapes fit.
#
# **Predict.** Which token's prediction is still exactly right in the broken model, and what happens to the ones after it?

# %% [markdown] slideshow={"slide_type": "notes"}
# Say what is being simulated: a checkpoint from the hub, loaded into Meta's code without the permutation.
#
# Read the two continuations aloud. Expect "garbage from the first token" as the prediction. Three minutes.

# %%
base = stages.get("base")
model, tokenizer, config = base.model.eval(), base.tokenizer, base.model.config
broken = copy.deepcopy(model)
with torch.no_grad():
    for block in broken.layers:
        q, k = block.attention.query.weight, block.attention.key.weight
        q.copy_(rope.interleaved_to_halves(q, config.n_heads))
        k.copy_(rope.interleaved_to_halves(k, config.n_kv_heads))
start = tokenizer.encode("Title: ", bos=True)
for name, which in (("right ", model), ("broken", broken)):
    answer, = generate(which, [start], 40, temperature=0.0)
    print(name, repr(tokenizer.decode(start + answer)))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The loss of every position by itself tells the story
#
# An average over all tokens would hide where it goes wrong. So we keep the positions apart, and average over many windows of text that the model was not trained on.

# %% [markdown] slideshow={"slide_type": "notes"}
# This function is worth keeping: loss by position is the first plot to make of any model whose positions are in doubt.
#
# One minute.

# %%
def unseen(length: int, most: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets of held-out text, each (at most ``most``, length)."""
    stream = stages.get("corpus").heldout
    numbers = range(min(most, stream.n_windows(length)))
    windows = [stream.window(number, length) for number in numbers]
    return tuple(map(torch.stack, zip(*windows)))


@torch.inference_mode()
def loss_by_position(model, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean surprise in nats at every position, (length,)."""
    logits = model(inputs).transpose(1, 2)  # (batch, vocab, length)
    losses = F.cross_entropy(logits, targets, reduction="none")
    return losses.sum(dim=0) / (targets != -100).sum(dim=0)


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The first position is untouched, and then it gets worse

# %% [markdown] slideshow={"slide_type": "notes"}
# Position zero is not turned, and it sees only itself, so layouts cannot matter. This is the fingerprint to remember: fine at first, then worse. Whoever tests with one token sees no bug. The equality with transformers sees it, at the second token.
#
# Two minutes.

# %% tags=["result", "remove-input"]
texts = unseen(length=128, most=200)
right, wrong = (loss_by_position(m, *texts) for m in (model, broken))
assert abs(right[0] - wrong[0]) < 1e-4  # position zero is not turned
holds(wrong[64:].mean() > right[64:].mean() + 1,
      "without the permutation the loss stays far above the right one")
show(
    drawings.draw_losses({"layouts agree": right, "permutation forgotten": wrong},
                         "The same at position zero, and worse from there on"),
    "Loss against position on unseen text. The two curves start in the same point "
    "and part within the first tokens; the correct model falls and stays low while "
    "the one without the permutation stays far above it.",
    name="03_forgotten_permutation",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it again: one position too far
#
# With a cache, which keeps the keys and values of tokens already read, a new token must be told where it stands. Programs get this wrong by one, or begin again at zero for every token. We read half of each text properly and the other half with the mistake.
#
# **Predict.** Which would you notice in the loss: one place too far, five places too far, always position zero?

# %% [markdown] slideshow={"slide_type": "notes"}
# Explain the trick of the cell: rolling the table of angles by one is the same as counting one too far.
#
# Expect "off by one will ruin everything". It hardly shows, and that is the danger. Three minutes.

# %%
def misplaced(places: int | None):
    """The model with its positions off by ``places``; None: always zero."""
    copied = copy.deepcopy(model)
    for name in ("cos", "sin"):
        rows = getattr(model, name)  # (max_seq_len, head_dim / 2)
        zero = rows[:1].expand_as(rows)
        moved = zero if places is None else rows.roll(-places, 0)
        setattr(copied, name, moved)
    return copied


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A slip of one hides, because distances hardly change
#
# Among the new tokens all distances are right; those to the old ones are wrong by one, or by five, and the loss barely moves. The last column exposes it: logits with a cache must **equal** those without.

# %% [markdown] slideshow={"slide_type": "notes"}
# The moral of the whole series in one slide: a good loss proves little, an equality with an independent computation proves much. Notebook 05 runs it for random cuts.
#
# Two minutes.

# %% tags=["result"]
inputs, targets, found = texts[0][:100], texts[1][:100, 64:], []
with torch.inference_mode():
    whole = model(inputs)[:, 64:]  # without a cache
    slips = (("right", 0), ("one", 1), ("five", 5), ("zero", None))
    for name, places in slips:
        cache = KVCache(config, batch=100, length=128)
        model(inputs[:, :64], cache)
        logits = misplaced(places)(inputs[:, 64:], cache)
        loss = F.cross_entropy(logits.transpose(1, 2), targets)
        found.append(loss.item())
        gap = (logits - whole).abs().max()
        print(f"{name:>6}: loss {loss:.2f}, off by up to {gap:.5f}")
    holds(max(found[1:3]) < found[0] + 0.1 < found[3] - 1,
          "slips of one and five hardly move the loss, position zero does")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Does attention fade with distance, as is often said?
#
# The RoPE paper proves a bound that falls with distance, often quoted as "RoPE makes far tokens matter less". We measure the score, once for a query that equals its key, once for random ones.
#
# **Predict.** For random queries and keys, does the size of the score fall with distance, stay, or rise?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "yes, it decays, I read it in a blog". A bound that falls is not a score that falls.
#
# For random vectors a turned key is as random as before. Decay appears where query and key point the same way in most pairs: then distance moves them out of step. Three minutes.

# %% tags=["result", "remove-input"]
distance = torch.arange(0, 2000, 4)
turn = angles(128, 2000)[distance]  # (500, 64)
equal = turn.cos().mean(dim=-1)  # score of a vector of ones with itself, over 128
q, k = torch.randn(2, 500, 1, 1, 128)  # 500 pairs of a query and a key
by_distance = (q * rotate(k.expand(500, 500, 1, 128), turn)).sum((-2, -1)) / 128
typical = by_distance.pow(2).mean(dim=0).sqrt()  # (500,)
assert equal[0] > 0.99 and equal[250:].max() < 0.5
assert typical.min() > 0.8 * typical.max()
show(
    drawings.draw_decay(distance, equal, typical),
    "Score against distance up to 2000 tokens. The curve for equal vectors falls "
    "quickly from one and then wavers around a low level; the curve for random "
    "vectors is flat and small at every distance.",
    name="03_decay",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What happens past the training length?
#
# RoPE has an angle for every position, so nothing stops us from reading a text twice as long as those of the training. It takes a configuration with a larger `max_seq_len`, a longer table of angles, and the same weights.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask first whether it will run. It will. Then ask whether it will work.
#
# Expect the guess "it works, since only distances matter". But distances beyond the training length are new as well. Two minutes.

# %%
def stretched(length: int, scale: float = 1.0, theta: float = 1e4) -> Llama:
    longer = Llama(config.replace(max_seq_len=length))
    longer.load_state_dict(model.state_dict())
    table = rope.rotary_table(config.head_dim, length, theta, scale)
    longer.cos, longer.sin = table
    return longer.eval()


# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### Two ways out, neither of which touches a weight
#
# **Position interpolation** divides positions by a scale, so that a text twice as long fits into the angles already known. Raising the **base** slows the hands, the slow ones most.
#
# **Predict.** With no further training: which is best at the known positions, and which is best at the end: nothing changed, positions halved, or a base ten times as large?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let the class argue for each of the three. Expect interpolation as the favourite, because it has the best name.
#
# Two minutes.

# %%
trained = stages.BASE.length  # longest position the model was trained on
long_texts = unseen(length=2 * trained, most=100)
variants = {
    "positions halved": stretched(2 * trained, scale=2.0),
    "nothing changed": stretched(2 * trained),
    "base ten times larger": stretched(2 * trained, theta=1e5),
}
curves = {name: loss_by_position(changed, *long_texts)
          for name, changed in variants.items()}

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Beyond its training length the model falls off a cliff

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the picture from left to right. Up to the training length nothing beats the unchanged model; at the end the larger base is best.
#
# The cliff does not stand at the line. A likely reason: soon after it, only the first few tokens of the text lie at a distance that training never showed, and a token can do without them. Further on they are many.
#
# Interpolation takes the cliff away and pays everywhere, since neighbouring tokens now stand half a step apart, which the model has never seen. The larger base leaves the fast hands almost alone.
#
# Both are normally followed by some training, which comes next. Three minutes.

# %% tags=["result", "remove-input"]
plain, halved = curves["nothing changed"], curves["positions halved"]
larger = curves["base ten times larger"]
holds(plain[-64:].mean() > plain[64:trained].mean() + 0.5,
      "unchanged, the loss climbs steeply past the training length")
holds(halved[:trained].mean() > plain[:trained].mean() + 0.1,
      "with positions halved the loss is raised at known positions too")
holds(larger[-64:].mean() < min(plain[-64:].mean(), halved[-64:].mean())
      and larger[64:trained].mean() > plain[64:trained].mean(),
      "the larger base is best at the end, and not before")
show(
    drawings.draw_losses(curves, "Some way past the training length the loss climbs",
                         mean_of=16, trained=trained),
    "Loss against position up to twice the training length, for three settings. "
    "Unchanged, the loss is low up to the training length and some way past it, then "
    "climbs steeply; with positions halved it is high and flat throughout; with a "
    "base ten times larger it is raised a little and stays flat to the end.",
    name="03_past_training_length",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Interpolation was meant to be followed by training
#
# Chen et al. never proposed to interpolate and stop. They train on, for at most a thousand steps. We train on for a dozen, each on four texts of the new length: one run of each kind, so we look and rank nothing.

# %% [markdown] slideshow={"slide_type": "notes"}
# The point is how little training is needed. Ask what each of the two has to learn: the halved one finer steps between angles that it knows, the unchanged one angles that it never met.
#
# Three minutes, with the waiting.

# %%
lessons = stages.get("corpus").train


def train_on(longer: Llama, steps: int = 12) -> Llama:
    optimiser = torch.optim.AdamW(longer.train().parameters(), lr=5e-4)
    for step in range(steps):
        inputs, targets = lessons.batch(step, size=4, length=2 * trained)
        loss = F.cross_entropy(longer(inputs).transpose(1, 2), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return longer.eval()


# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### What twelve steps of training buy
#
# **Predict.** After twelve steps, is the loss at the new positions still above that at the known ones: for the unchanged model, and for the one with positions halved?

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the table by rows. With positions halved new positions cost about as much as known ones, before and after, and both have come down a long way. The unchanged model has learnt most of the new positions, and its loss there is still above that at the known ones.
#
# The known positions include the costly beginning of each text, so equal columns flatter the new ones a little. And interpolation has not won in this run: twelve steps bring the unchanged model to a loss about as low or lower, and only the gap between its columns tells the two apart.
#
# Say again that this is one run of each. Two minutes.

# %% tags=["result"]
rows = []
for name in ("nothing changed", "positions halved"):
    after = loss_by_position(train_on(variants[name]), *long_texts)
    for when, curve in (("before", curves[name]), ("after", after)):
        near, far = curve[:trained].mean(), curve[trained:].mean()
        rows.append([name, when, near.item(), far.item()])
columns = ["positions", "training", "known positions", "new positions"]
holds(rows[1][3] > rows[1][2] + 0.02 and rows[3][3] < rows[3][2] + 0.02,
      "with positions halved new ones cost no more, unchanged they do")
table(rows, columns, "Loss in nats, twelve steps apart", number_format=".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Use it: what are positions worth to the tiny model?
#
# The same budget, the same number of parameters within one part in a hundred, three seeds. Only the way in which positions enter differs.
#
# **Predict.** Order these by held-out loss: rotation, learnt vectors, nothing at all. Which gaps will three seeds bear out?

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask who would bet on "no positions at all" being useless. The causal mask leaks order, and the loss without positions comes out near that of learnt vectors.
#
# Rotation is ahead of both. The line under the table compares the other two with each other: its interval contains zero, so we cannot tell them apart. Learnt vectors have much to learn in so short a training, and their seeds differ more. Three minutes.

# %% tags=["result", "remove-input"]
from minillama.training.ablations import GROUPS
from minillama.training.intervals import paired_difference

losses, rows = stages.get("ablations"), []
for name in GROUPS["position"]:
    gap = paired_difference(losses[name], losses["Llama 2"])
    more = "" if name == "Llama 2" else f"{gap.low:+.2f} to {gap.high:+.2f}"
    rows.append([name, sum(losses[name]) / 3, more])
    holds(name == "Llama 2" or gap.low > 0, "rotation is ahead of both")
rows[0][0] = "rotation (Llama 2)"
columns = ["positions", "loss (nats)", "more than rotation, 95% interval"]
table(rows, columns, "Held-out loss, three seeds of each", number_format=".2f")
gap = paired_difference(losses["learned positions"], losses["no positions"])
holds(not gap.excludes(0), "learned positions and none cannot be told apart")
print(f"learned positions more than none: {gap.low:+.2f} to {gap.high:+.2f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## At 70B: no parameter, two megabytes, hardly any work
#
# The largest Llama 2 turns 64 query heads and 8 key heads in each of 80 layers. What does that cost? The same functions answer, on the real configuration.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them guess the share of the arithmetic first. Expect "a few per cent".
#
# Six operations for a pair: four products, two sums. Two minutes.

# %%
big = LlamaConfig.named("llama-2-70b")
length = big.max_seq_len
pairs = (big.n_heads + big.n_kv_heads) * big.head_dim // 2  # in each layer
share = 6 * pairs * big.n_layers / big.flops_per_token(length)
table_bytes = 2 * length * (big.head_dim // 2) * 4  # cos and sin, float32
assert share < 0.001
rows = [
    ["parameters of RoPE", "0"],
    ["parameters of a learnt table", f"{length * big.dim:,}"],
    ["table of angles", f"{table_bytes / 2**20:.0f} MiB for all layers"],
    ["share of the arithmetic", f"{share:.4%}"],
]
table(rows, ["Llama 2 70B", ""], f"What positions cost at {length} tokens")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports: twice the context, little lost
#
# Llama 1 read {{fact:context_length_llama1}} tokens, Llama 2 reads {{fact:context_length}}. Two models with equal budgets show what it buys: some tasks with long inputs become possible, and the general ones stay about where they were.

# %% [markdown] slideshow={"slide_type": "notes"}
# The tasks of Table 16 have inputs of about 3,500 tokens on average, so the model of 2,048 must either lose much of them or read beyond its training length. Which of the two was done the table does not say; scores near zero look like the cliff. QuALITY offers four choices, so there the shorter model hardly does better than guessing, and the longer one is not far above that. The collapse is no surprise; that the short tasks lose so little is the finding.
#
# One run of each length, no intervals: say so. Three minutes.

# %% tags=["remove-input"]
paper.show_table("table_16", columns=["context", "NarrativeQA F1", "Qasper F1",
                                      "QuALITY acc", "ContractNLI EM"])
paper.show_table("table_17")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed since: the base grew, the rotation stayed
#
# Code Llama went on with a base of {{context:followups.code-llama.rope_base}} and {{context:followups.code-llama.train_context}} tokens, Llama 2 Long with {{context:followups.llama2-long.rope_base}} and {{context:followups.llama2-long.max_context}}. Llama 3 kept a large base. Position interpolation was the first idea, the larger base is the one most used since, and RoPE itself is in nearly every open model since.

# %% [markdown] slideshow={"slide_type": "notes"}
# Several repositories say that Llama 2 Long interpolates positions. It raises the base; its paper says so.
#
# Ask what the larger base does to the eighteen slow hands: there are more of them. One minute.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: how long is a turn? (4 minutes)
#
# Return the number of tokens in which one pair goes round once. Pair 0 of any head needs a little more than six.

# %% [markdown] slideshow={"slide_type": "notes"}
# The usual slips: the exponent without its factor two, and a turn without two pi. The check names both.
#
# Four minutes.

# %% tags=["exercise", "minutes-4"]
def turn_length(pair: int, head_dim: int, theta: float) -> float:
    """Tokens for one full turn of a pair, counted from zero."""
    ### BEGIN SOLUTION
    speed = theta ** (-2 * pair / head_dim)  # radians per token
    return 2 * math.pi / speed
    ### END SOLUTION


checks.check_turn_length(turn_length)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: turn the halves (8 minutes)
#
# Write the rotation in the other layout: coordinate $i$ forms a pair with coordinate $i + d/2$. The shapes are those of `rotate`.

# %% [markdown] slideshow={"slide_type": "notes"}
# Walk round and look for the overwritten first half. Whoever is done early writes the version with a swapped and negated copy, as transformers has it.
#
# Eight minutes.

# %% tags=["exercise", "minutes-8"]
def rotate_halves(x: Tensor, turn: Tensor) -> Tensor:
    """x (batch, length, n_heads, head_dim), turn (length, head_dim / 2)."""
    ### BEGIN SOLUTION
    cos, sin = turn.cos()[:, None], turn.sin()[:, None]
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)
    ### END SOLUTION


checks.check_rotate_halves(rotate_halves)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: export the keys of a grouped model (6 minutes)
#
# Reorder a key projection from neighbours to halves. Both head counts are given; choose. Do it with views and transposes, without calling `rope`.

# %% [markdown] slideshow={"slide_type": "notes"}
# The head count of this line is what the converter had wrong. The check names that mistake as well.
#
# Hint: give every row three coordinates: head, pair, first or second. Six minutes.

# %% tags=["exercise", "minutes-6"]
def keys_to_halves(weight: Tensor, n_heads: int, n_kv_heads: int) -> Tensor:
    """weight (n_kv_heads * head_dim, dim), rows reordered, same shape."""
    ### BEGIN SOLUTION
    rows = weight.unflatten(0, (n_kv_heads, -1, 2))  # (head, pair, which, dim)
    return rows.transpose(1, 2).reshape(weight.shape)
    ### END SOLUTION


checks.check_keys_to_halves(keys_to_halves)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: squeeze the positions (5 minutes)
#
# Position interpolation, with one refinement: a text that fits into the training length is left alone. The scale is the ratio of the two lengths. Return the positions as floats.

# %% [markdown] slideshow={"slide_type": "notes"}
# Those who squeeze short texts too have stretched them: the scale falls below one and the angles grow.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def squeezed_positions(length: int, trained_length: int) -> Tensor:
    """Positions (length,) such that none reaches ``trained_length``."""
    ### BEGIN SOLUTION
    scale = max(1.0, length / trained_length)
    return torch.arange(length) / scale
    ### END SOLUTION


checks.check_squeezed_positions(squeezed_positions)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# Positions enter by turning queries and keys, and scores keep only the distance. Two layouts exist; a permutation of rows joins them, with the right number of heads for each. Forgotten, it spares the first token. Past the training length the slow hands reach angles that were never learnt.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for the one check they would run first on somebody else's RoPE. Good answers: shift the positions; compare with transformers beyond the first token.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [RoFormer, which introduced RoPE](https://arxiv.org/abs/2104.09864). [Llama 2](https://arxiv.org/abs/2307.09288), section 2.2 and appendix A.2.1. [The Transformer and its sinusoids](https://arxiv.org/abs/1706.03762). [Position interpolation](https://arxiv.org/abs/2306.15595). [Llama 2 Long and the larger base](https://arxiv.org/abs/2309.16039). [Code Llama](https://arxiv.org/abs/2308.12950).
#
# Next: notebook 04, the feed-forward layer and its gate.

# %% [markdown] slideshow={"slide_type": "notes"}
# The first link is the one of the outline. Its section 3 is readable in an evening. One minute.
