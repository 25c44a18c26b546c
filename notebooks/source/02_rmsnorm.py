# %% [markdown] slideshow={"slide_type": "slide"}
# # A norm before every layer keeps the stream in range
#
# RMSNorm divides each token by its own size and multiplies by a learned gain. It is the smallest part of Llama 2, it stands in front of every layer, and it is one of the first places where low precision hurts.
#
# **Paper**: section 2.2. **Minutes**: 60, exercises 20. **On the map**: tokenizer, *norm*, position, feed-forward, attention, model, pretraining.
#
# Afterwards you can write RMSNorm, say what it drops from LayerNorm, prove it right, and explain why it is computed in 32 bits and placed before the layer.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: what would you do first with a vector whose numbers may have any size? Expect "normalise it", and ask them to define the word.
#
# Two minutes.

# %% slideshow={"slide_type": "skip"} tags=["remove-cell"]
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from minillama import norm, paper, stages
from minillama.config import LlamaConfig
from minillama.model import Llama
from minillama.teach import algorithm, frames, holds, show, side_by_side, table
from minillama.teach.checks import nb_02 as checks
from minillama.teach.drawings import nb_02 as drawings
from minillama.training import ablations
from minillama.training.ablations import GROUPS, VARIANTS, Variant
from minillama.training.intervals import interval, paired_difference
from minillama.training.optimisation import make_optimiser, train_step

torch.set_printoptions(precision=3, sci_mode=False)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Without a norm, every layer adds to what it was given
#
# A transformer is a sum: each layer reads the stream and adds its answer. Here are eighty random layers, as many as Llama 2 70B has, each of which answers with a vector about as large as the stream it read.
#
# **Predict.** A token enters with size one. How large is it after eighty layers: about one, about nine, or beyond a billion?

# %% [markdown] slideshow={"slide_type": "notes"}
# Size means root mean square here, the typical size of one coordinate. Say it aloud, the word comes back all hour.
#
# Expect "about nine", the square root of eighty, from those who know random walks. They forget that each step is as large as the vector itself. Three minutes.

# %%
torch.manual_seed(0)
dim, n_layers = 256, 80
layers = [torch.randn(dim, dim) / dim**0.5 for _ in range(n_layers)]


def size(x: Tensor) -> float:
    """Root mean square of all coordinates."""
    return x.pow(2).mean().sqrt().item()



# %% tags=["result"]
stream = torch.randn(1, dim)  # (1, dim)
for number, weight in enumerate(layers, 1):
    stream = stream + stream @ weight.T
    if number in (1, 10, 40, 80):
        print(f"after {number:2d} layers: {size(stream):.1e}")
assert size(stream) > 1e9

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A sum of two equals is longer by the root of two, each time
#
# The answer of a layer is about as large as its input and almost at a right angle to it, as random directions in many dimensions are, so the sum grows by a factor of about $\sqrt 2$. Eighty such factors come to about a one with twelve zeros behind it.
#
# A 16-bit float of the kind called float16 ends at 65,504. A typical coordinate would pass it after about thirty-two layers.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for the power: root two to the eighty is two to the forty. The largest coordinate is about three times the typical one, so the first overflow comes a few layers sooner.
#
# If somebody objects that training would find smaller weights: yes, and it would have to keep all eighty of them in balance. One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Where the norm stands decides how the stream grows
#
# We may normalise nothing, normalise **before** each layer, so that it reads numbers of size one and adds to an untouched stream, or normalise the **sum** after each layer, as the Transformer of 2017 did.
#
# **Predict.** Draw the size of the stream against depth for all three before you look.

# %% [markdown] slideshow={"slide_type": "notes"}
# Draw the axes on the board, depth to the right, size upward on a logarithmic scale, and let three students draw a curve each.
#
# The curve before the layer is the random walk that somebody guessed on the first slide. Three minutes.

# %%
def stream_sizes(place: str) -> list[float]:
    """Size after every layer; place is "nowhere", "before" or "after"."""
    x, sizes = torch.randn(1, dim), []
    for weight in layers:
        seen = x / size(x) if place == "before" else x
        x = x + seen @ weight.T
        x = x / size(x) if place == "after" else x
        sizes.append(size(x))
    return sizes



# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Before the layer the stream grows like a random walk

# %% [markdown] slideshow={"slide_type": "notes"}
# Blue is the explosion just seen, on a logarithmic axis. Orange grows with the square root of the depth, green is held at one by force.
#
# Ask which of the two lower ones they would choose. The picture does not decide it; gradients will. Two minutes.

# %% tags=["result", "remove-input"]
sizes = {place: stream_sizes(place) for place in ("nowhere", "before", "after")}
assert 6 < sizes["before"][-1] < 12 and abs(sizes["after"][-1] - 1) < 1e-5
show(
    drawings.draw_sizes(sizes),
    "Size of the stream against depth on a logarithmic axis for three placements of "
    "the norm: without one it climbs in a straight line by twelve powers of ten, "
    "before the layer it rises to about nine, after the sum it stays at one.",
    name="02_stream_size",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-architecture"]
# ## Keep the direction, drop the size
#
# RMSNorm divides a token by its root mean square. What is left is a direction. LayerNorm, its predecessor, first shifts the coordinates until their mean is zero.
#
# Move the sliders. A larger scale changes neither result. An offset, added to all coordinates before the scale is applied, changes only RMSNorm.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: scale first. Both norms stand still. Then the offset: LayerNorm stands still, RMSNorm moves.
#
# Ask: is that a weakness? Expect yes. Zhang and Sennrich measured that the shift is not what makes LayerNorm work; dropping it cost nothing in their experiments. Four minutes.

# %% tags=["remove-input"]
frames(drawings.draw_bars, drawings.describe_bars,
       scale=[0.5, 1, 2, 3], offset=[-1, -0.5, 0, 0.5, 1])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### LayerNorm is RMSNorm of what is left after subtracting the mean
#
# With $\mu$ the mean of the coordinates of $x$,
#
# $$\mathrm{RMSNorm}(x) = \frac{x}{\sqrt{\tfrac1d \sum_i x_i^2 + \epsilon}} \odot g, \qquad \mathrm{LayerNorm}(x) = \mathrm{RMSNorm}(x - \mu) + b .$$
#
# One subtraction, one mean and one bias are gone. The gain $g$ stays, one number for each coordinate, because after a division by the size some coordinates deserve to be louder.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what happens to LayerNorm's output when the mean is already zero. Then the two are the same up to the bias, and the check further down uses it.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: four steps for each token
#
# No step looks at another token. That sentence looks harmless, and to forget it is the costliest mistake on this page, as a famous notebook shows later.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let the class find the step numbers of the left in the source on the right. Ask which step could be left out without anybody noticing in float32: the first and half of the fourth.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("rms_norm")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed on the way from the Transformer to Llama
#
# The Transformer of 2017 put LayerNorm after the sum. GPT-2 and GPT-3 moved it before the layer and added one at the end. Llama 1 replaced LayerNorm by RMSNorm, and Llama 2 kept that. The difference in code is two lines and a bias.

# %% [markdown] slideshow={"slide_type": "notes"}
# Point at the lines that vanish, the mean and the bias. Llama has no bias anywhere: not in the norms, not in the projections.
#
# One minute.

# %% tags=["remove-input"]
side_by_side(
    "mean = x.mean(-1, keepdim=True)\nx = x - mean\n"
    "square = x.pow(2).mean(-1, keepdim=True)\nx = x / sqrt(square + eps)\n"
    "return x * gain + bias",
    "\n\nsquare = x.pow(2).mean(-1, keepdim=True)\nx = x / sqrt(square + eps)\n"
    "return x * gain",
    ("LayerNorm (Transformer, GPT-2, GPT-3)", "RMSNorm (Llama 1, Llama 2)"),
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: the size of a token
#
# The mean is taken over the last axis only. `keepdim` leaves an axis of one, so that the division broadcasts over the coordinates of the same token and no other.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for the shape before running. Expect (2, 5): that is the shape without keepdim, and then the division would fail, or worse, broadcast along the wrong axis when the numbers happen to fit.
#
# Two minutes.

# %%
x = 3 * torch.randn(2, 5, 8)  # (batch, length, dim)
mean_square = x.pow(2).mean(dim=-1, keepdim=True)
print(tuple(mean_square.shape), mean_square[0, :, 0])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Build it: divide, return to the caller's precision, apply the gain
#
# The whole norm is a function of four lines. It multiplies by the inverse root, `rsqrt`, because a product is cheaper than a quotient.

# %% [markdown] slideshow={"slide_type": "notes"}
# The order at the end is the reference's: back to the caller's precision first, then the gain. Other code multiplies first. In float32 the two are equal.
#
# Two minutes.

# %%
def rms_norm(x: Tensor, gain: Tensor, eps: float = 1e-5) -> Tensor:
    """x (..., dim), gain (dim,)."""
    wide = x.float()
    mean_square = wide.pow(2).mean(dim=-1, keepdim=True)  # (..., 1)
    return (wide * torch.rsqrt(mean_square + eps)).to(x.dtype) * gain


print("sizes after:", rms_norm(x, torch.ones(8)).pow(2).mean(-1)[0].sqrt())

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Three witnesses who do not know our code
#
# Torch has an RMSNorm of its own, transformers has another, and LayerNorm must agree wherever the mean is zero. We use gains other than one.
#
# **Predict.** Which mistake could hide if all gains were one, as they are in every freshly built model?

# %% [markdown] slideshow={"slide_type": "notes"}
# The answer: forgetting the gain, applying it twice, or loading it into the wrong layer. An early torchtune scaled twice, and its tests passed, because their weights were all one.
#
# Expect "none, one is one". Two minutes.

# %% tags=["result"]
gain, x = 1 + torch.randn(64), 5 * torch.randn(3, 7, 64)
theirs = LlamaRMSNorm(64, eps=1e-5)
theirs.weight.data = gain
ours = rms_norm(x, gain)
centred = x - x.mean(-1, keepdim=True)
torch.testing.assert_close(ours, F.rms_norm(x, (64,), gain, eps=1e-5))
torch.testing.assert_close(ours, theirs(x))
layer_normed = F.layer_norm(x, (64,), gain)
torch.testing.assert_close(rms_norm(centred, gain), layer_normed)
print("all three agree; without the gain the gap would be",
      f"{(ours - rms_norm(x, torch.ones(64))).abs().max():.1f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Two properties that need no other code
#
# Scaling a token changes nothing, and turning the whole space turns the result along: without its gain, RMSNorm knows only lengths. LayerNorm fails the second, since its mean depends on the axes.
#
# The package is compared in the same cell, so that this page and `src` cannot part.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask how to get a random rotation: the Q of a QR decomposition of a random matrix.
#
# The second property is why people can rotate the stream of a trained Llama before quantising it, and undo it in the next matrix. They first multiply the gains into that matrix, as exercise 3 does, since gains other than one break the property. Two minutes.

# %%
ones = torch.ones(64)
turn = torch.linalg.qr(torch.randn(64, 64)).Q  # orthogonal
module = norm.RMSNorm(64)
module.weight.data = gain
torch.testing.assert_close(rms_norm(1000 * x, ones), rms_norm(x, ones),
                           rtol=1e-4, atol=1e-4)
torch.testing.assert_close(rms_norm(x @ turn, ones), rms_norm(x, ones) @ turn,
                           rtol=1e-4, atol=1e-4)
torch.testing.assert_close(module(x), rms_norm(x, gain))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: one size for the whole text
#
# A much-read notebook takes the mean over time **and** coordinates, instead of one for each token. Its assertions pass, its loss falls.
#
# **Predict.** We multiply the last token by ten. Which tokens of the output change under the right norm, and which under this one?

# %% [markdown] slideshow={"slide_type": "notes"}
# The notebook is llama-from-scratch by B. Kitano, a good and honest text; the bug was reported years ago and is still there. We show it because everyone makes it once.
#
# Expect "only the last token" for both. Under the right norm not even that one moves, since a louder token has the same direction; under the other all of them do, so the past has seen the future. Three minutes.

# %%
def norm_over_text(x: Tensor) -> Tensor:
    """x (batch, length, dim): one size for length and dim together."""
    return x * torch.rsqrt(x.pow(2).mean(dim=(1, 2), keepdim=True) + 1e-5)


def norm_over_token(x: Tensor) -> Tensor:
    return rms_norm(x, torch.ones(x.shape[-1]))



# %% tags=["result"]
text = torch.randn(1, 6, 16)
louder = text.clone()
louder[:, -1] *= 10
for function in (norm_over_token, norm_over_text):
    moved = (function(louder) - function(text)).abs().amax(dim=-1)[0]
    print(f"{function.__name__:>15}:", moved)
before, after = norm_over_token(text), norm_over_token(louder)
assert torch.equal(before[:, :-1], after[:, :-1])

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### Would the training curve tell you?
#
# We train the small model of the ablations twice on the same batches, once with each norm, in less than half a minute.
#
# **Predict.** Will the training loss of the broken model be clearly worse, much the same, or clearly better?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them argue. Worse because it is a bug; better because it can look ahead.
#
# What comes out here is close, which is the lesson: nothing in the curve says "bug". It is one run of each, so which of the two ends a little lower means nothing. Three minutes, including the run.

# %%
class NormOverText(nn.Module):
    """RMSNorm with the mean over time and coordinates."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return norm_over_text(x) * self.weight


def with_broken_norms(model: Llama) -> Llama:
    for parent in (model, *model.layers):
        for name in ("norm", "attention_norm", "feed_forward_norm"):
            if hasattr(parent, name):
                setattr(parent, name, NormOverText(model.config.dim))
    return model



# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A short training, the same for both
#
# Eighty steps, each on eight windows of the corpus, with the optimiser of notebook 07. The seed gives both models the same first weights and the same batches.

# %% [markdown] slideshow={"slide_type": "notes"}
# Nothing in this function knows which of the two norms it trains. One minute.

# %%
corpus = stages.get("corpus")


def short_run(model: Llama, steps: int = 80) -> list[float]:
    """Losses in nats of a short training, batches of 8 windows of 128."""
    optimiser, losses = make_optimiser(model, 5e-3), []
    for step in range(steps):
        inputs, targets = corpus.train.batch(step, 8, 128)
        losses.append(train_step(model, optimiser, inputs, targets, 5e-3)[0])
    return losses



# %% tags=["result"]
honest = ablations.build(Variant(), seed=0)
broken, ends = with_broken_norms(ablations.build(Variant(), seed=0)), []
for name, model in (("per token", honest), ("per text", broken)):
    losses = short_run(model)
    ends.append(sum(losses[-10:]) / 10)
    print(f"norm {name:>9}: first loss {losses[0]:.2f}, "
          f"last ten {ends[-1]:.2f}")
    holds(abs(ends[-1] - ends[0]) < 0.3, "the two losses end close together")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The check that exposes it is causality
#
# Change a token of the future and look at the logits of the past. In a causal model they do not move by one bit. This needs no reference, no loss and one line, and it finds leaks of every kind inside a model: a wrong mask, a wrong norm, a wrong axis.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what this bug does to generation: without a future, the sizes are others than in training, and a cache gives other numbers than a full pass.
#
# If somebody asks what it cannot see: targets that nobody shifted, so that each token is asked for itself. Then the leak is in the data, the model is causal, and the loss falls to almost nothing.
#
# Put this check into your first commit. One minute.

# %%
tokens = corpus.heldout.window(0, 64)[0][None]  # (1, length)
changed = tokens.clone()
changed[0, -1] = (changed[0, -1] + 100) % 1024
with torch.no_grad():
    for name, model in (("per token", honest), ("per text", broken)):
        gap = (model(changed) - model(tokens))[:, :-1].abs().max()
        print(f"norm {name:>9}: logits of the past move by {gap:.5f}")
        assert (gap == 0) == (model is honest)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Why float32 inside: the squares do not fit
#
# Trained models carry a few coordinates that are hundreds of times larger than the rest. In float16 nothing beyond 65,504 exists.
#
# **Predict.** One coordinate is 300, the others about one. What does a norm computed in float16 give: a small error, infinity, or zero?

# %% [markdown] slideshow={"slide_type": "notes"}
# Work it out on the board: three hundred squared is ninety thousand, that is infinity in float16, the inverse root of infinity is zero.
#
# Expect "infinity" or "nan", which one would notice. Zero passes through every layer without a word. Three minutes.

# %%
def norm_in_place(x: Tensor, eps: float = 1e-5) -> Tensor:
    """All steps in the precision of x."""
    return x * torch.rsqrt(x.pow(2).mean(dim=-1, keepdim=True) + eps)



# %% tags=["result"]
x = torch.randn(1, 64)
x[0, 0] = 300
exact = norm_in_place(x.double())
for precision in (torch.float16, torch.bfloat16):
    short = x.to(precision)
    inside = rms_norm(short, torch.ones(64, dtype=precision))
    print(f"{precision}: all in it {norm_in_place(short)[0, 0].item():.3f}, "
          f"float32 inside {inside[0, 0].item():.3f}, "
          f"exact {exact[0, 0].item():.3f}")
assert norm_in_place(x.half()).abs().max() == 0

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### In bfloat16 nothing overflows, and digits are lost
#
# A bfloat16 reaches as far as a float32 and keeps eight significant bits. The error of one norm is small. A model has one in front of every layer.
#
# **Predict.** How much larger is the mean error without the step to float32: not at all, about half as much again, or ten times?

# %% [markdown] slideshow={"slide_type": "notes"}
# Several popular notebooks compute it this way. The result is not catastrophic, which is why it survives.
#
# Part of the error is unavoidable, since the answer itself is rounded to bfloat16. Two minutes.

# %% tags=["result"]
x = torch.randn(2000, 512).bfloat16()
exact = norm_in_place(x.double())
error = {
    "all in bfloat16": (norm_in_place(x) - exact).abs().mean(),
    "float32 inside": (rms_norm(x, torch.ones(512).bfloat16()) - exact)
    .abs().mean(),
}
ratio = error["all in bfloat16"] / error["float32 inside"]
print(f"mean error: {ratio:.2f} times that with float32 inside")
assert 1.2 < ratio < 2.5

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The small constant is not always small
#
# $\epsilon$ keeps a vector of zeros finite. It also shrinks every token that is quiet: the size becomes $\sqrt{m / (m + \epsilon)}$, with $m$ the mean square. Embeddings begin with a deviation of two hundredths.
#
# **Predict.** By how much does $\epsilon = 10^{-5}$ shrink such a token: a millionth, a hundredth, a tenth?

# %% [markdown] slideshow={"slide_type": "notes"}
# Llama 2 uses ten to the minus five. The first file of the 7B chat model said ten to the minus six; an engineer of Meta confirmed the other in an issue. A reader who loads the weights with the wrong one gets slightly other logits and no error.
#
# Expect "a millionth". Two minutes.

# %% tags=["result"]
for deviation in (1.0, 0.02, 0.002):
    quiet = deviation * torch.randn(4000, 256)
    for eps in (1e-5, 1e-6):
        left = size(rms_norm(quiet, torch.ones(256), eps))
        closed = (deviation**2 / (deviation**2 + eps)) ** 0.5
        assert abs(left - closed) < 0.01
        print(f"deviation {deviation:5}: eps {eps:.0e} leaves {left:.3f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The gradient: the norm passes on only what turns the token
#
# Stretching a token changes nothing behind the norm, so the gradient has no part along the token. And since the token is divided by its size, the gradient is as well: loud tokens are moved less.

# %% [markdown] slideshow={"slide_type": "notes"}
# Draw the circle and an arrow on it. A push along the arrow does nothing; only the part across it turns the arrow.
#
# Autograd is the independent witness here, it knows nothing of circles. Two minutes.

# %%
x = torch.randn(5, 64, dtype=torch.float64)
for factor in (1.0, 10.0):
    token = (factor * x).requires_grad_()
    torch.manual_seed(1)
    (norm_in_place(token, eps=0.0) * torch.randn(5, 64)).sum().backward()
    along = (token.grad * token).sum(-1).abs().max()
    print(f"scale {factor:4}: gradient {token.grad.norm():.3f}, "
          f"part along the token {along:.0e}")
    assert along < 1e-10

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Before or after? Ask the gradients of a fresh model
#
# With the norm before the layer the stream is a plain sum, and a gradient runs down it undivided. With the norm after the sum it passes through a norm at every layer.
#
# We start a model of 24 layers in two usual ways: with small weights, as GPT-2 did, and with weights of $1/\sqrt d$, the textbook's choice.
#
# **Predict.** For which placement do the gradients depend more on the start?

# %% [markdown] slideshow={"slide_type": "notes"}
# Xiong and others measured in 2020 that the translation model of 2017, with the norm after, begins with large gradients near its output, which is why it needed a warm-up. Our model is another and so are its starts: look at which layers are large here, and say that it differs.
#
# Expect "the norm keeps them equal". Three minutes.

# %%
def gradients_by_layer(placement: str, small: bool, seed: int) -> Tensor:
    """Gradient norm of each block of a fresh deep model, (n_layers,)."""
    shape = LlamaConfig(1024, 64, 24, 4, ffn_dim=176, max_seq_len=64)
    variant = Variant(placement=placement, n_kv_heads=4)
    model = ablations.build(variant, seed, shape)
    if not small:
        for weight in (p for p in model.layers.parameters() if p.dim() > 1):
            nn.init.normal_(weight, std=64**-0.5)
    inputs, targets = corpus.train.batch(seed, 8, 64)
    F.cross_entropy(model(inputs).transpose(1, 2), targets).backward()
    squares = [sum(p.grad.pow(2).sum() for p in block.parameters())
               for block in model.layers]
    return torch.stack(squares).sqrt()



# %% [markdown] slideshow={"slide_type": "subslide"}
# ### After the sum, everything hangs on the start

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the greatest distance between the two curves of one colour. In blue it is a factor of about ten, in the last layers; in orange about a thousand, in the first, and about ten in the last. Neither placement is free of the start; one depends on it far more.
#
# The model is fresh: nothing was learnt yet, so this is a property of the arrangement. Two minutes.

# %% tags=["result", "remove-input"]
curves = {(place, small): torch.stack(
    [gradients_by_layer(place, small, seed) for seed in range(3)])
    for place in ("pre", "post") for small in (True, False)}
first = {key: curve[:, 0].mean().item() for key, curve in curves.items()}
assert first["pre", False] / first["pre", True] < 100
assert first["post", False] / first["post", True] > 500
show(
    drawings.draw_gradients(curves),
    "Gradient norm against layer, logarithmic, for a fresh model of 24 layers. With "
    "the norm before the layer the curves of the two starts lie within a factor of "
    "about ten; with the norm after the sum they lie a factor of about a thousand "
    "apart at the first layer and of about ten at the last.",
    name="02_gradients",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Use it: what does the norm decide in the tiny model?
#
# Equal batches, three seeds. Only the norm or its place differs, and LayerNorm pays for its biases with one unit of the feed-forward's width.
#
# **Predict.** Two layers deep, trained for a few seconds: will RMSNorm beat LayerNorm, lose, or can nobody tell? And the norm after the sum?

# %% [markdown] slideshow={"slide_type": "notes"}
# The honest expectation for RMSNorm against LayerNorm is "no difference". The claim of RMSNorm is that it is cheaper, never that it is better.
#
# If an interval contains zero, say that three seeds cannot tell the two apart, which does not prove them equal. For the norm after the sum, recall that the gradients above were those of 24 layers; two layers may be too few to show a difference. Three minutes.

# %% tags=["result", "remove-input"]
losses, rows = stages.get("ablations"), []
for name in GROUPS["norm"]:
    gap = paired_difference(losses[name], losses["Llama 2"])
    more = "" if name == "Llama 2" else f"{gap.low:+.2f} to {gap.high:+.2f}"
    rows.append([name, sum(losses[name]) / 3, more])
rows[0][0] = "RMSNorm before (Llama 2)"
columns = ["norm", "loss (nats)", "more than Llama 2, 95% interval"]
table(rows, columns, "Held-out loss, three seeds of each", number_format=".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it faster? Two calls, taken in turns
#
# Zhang and Sennrich report a speed-up of {{context:papers.rmsnorm.reported_speedup}}. Torch offers each norm as one call, so we can time them side by side, taking turns, and look at the ratio alone.
#
# **Predict.** On this machine, is RMSNorm faster, equal or slower?

# %% [markdown] slideshow={"slide_type": "notes"}
# Timings on a shared machine jump about; that is why we alternate and show an interval for the mean ratio. It covers this run only: on another day the same machine may give another ratio, outside it. Whatever comes out is a statement about two pieces of code on one processor: on a CPU this torch runs LayerNorm as one fused kernel, and RMSNorm as a square, a mean, an inverse root and products.
#
# The argument for RMSNorm was made with both unfused, where every mean is a pass over memory. Two minutes.

# %% tags=["result", "timing"]
import time

x, gain, bias = torch.randn(512, 1024), torch.ones(1024), torch.zeros(1024)
ratios = []
for _ in range(15):
    spent = []
    for call in (lambda: F.layer_norm(x, (1024,), gain, bias),
                 lambda: F.rms_norm(x, (1024,), gain)):
        start = time.perf_counter()
        for _ in range(20):
            call()
        spent.append(time.perf_counter() - start)
    ratios.append(spent[1] / spent[0])
mean = interval(ratios)
print(f"RMSNorm takes {mean.low:.2f} to {mean.high:.2f} times as long")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## At 70B: a hundred and sixty-one norms, hardly any weights
#
# A layer of the model has two parts, attention and feed-forward, with a norm before each; one more stands at the end. We count the gains on the real configuration, and the share of the arithmetic at four operations for each coordinate.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them put a number on "hardly any" first. Expect "one per cent" of the weights; it is two in a hundred thousand.
#
# The norm is limited by memory, not arithmetic: it reads and writes the stream once for very little work. That is why kernels fuse it into its neighbours. Two minutes.

# %%
big = LlamaConfig.named("llama-2-70b")
n_norms = 2 * big.n_layers + 1
gains = n_norms * big.dim
work = 4 * gains / big.flops_per_token(big.max_seq_len)
assert work < 1e-4
rows = [["norms", str(n_norms)], ["gains", f"{gains:,}"],
        ["share of all weights", f"{gains / big.parameter_count():.4%}"],
        ["share of the arithmetic", f"{work:.4%}"]]
table(rows, ["Llama 2 70B", ""], "What normalisation costs")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper says: one sentence, and a footnote in an issue
#
# The paper names RMSNorm and its place before the layer, and refers to Llama 1 for the rest. It reports no experiment on it. The value of $\epsilon$ is not in the paper; the reference code has {{fact:norm_eps_history}}.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what evidence the paper gives for its architecture. The honest answer: for the norm, none. It inherits a recipe that worked.
#
# One minute.

# %% tags=["remove-input"]
paper.show_equation("rmsnorm")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What changed since: the norm stayed and multiplied
#
# RMSNorm before the layer is in nearly every open model since. Newer ones add more of it: a norm on queries and keys, so that scores stay bounded, or a second norm behind each layer, before the sum. The stream itself is still left alone.

# %% [markdown] slideshow={"slide_type": "notes"}
# Gemma 2 and 3 and Qwen 3 are examples for norms on queries and keys or behind the layer.
#
# Ask what a norm on queries and keys prevents. Scores are products of the two; with both of fixed length no score can grow without end. One minute.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: write it (6 minutes)
#
# RMSNorm for a tensor of any shape whose last axis holds the coordinates of a token. Compute in float32, return the precision of `x`.

# %% [markdown] slideshow={"slide_type": "notes"}
# The usual slips: no square root, the standard deviation in place of the root mean square, the epsilon outside the root, a division by `rsqrt`, the mean over everything. The check names each.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def my_rms_norm(x: Tensor, gain: Tensor, eps: float) -> Tensor:
    """x (..., dim), gain (dim,); the result has the shape and dtype of x."""
    ### BEGIN SOLUTION
    wide = x.float()
    root = torch.sqrt(wide.pow(2).mean(dim=-1, keepdim=True) + eps)
    return (wide / root).to(x.dtype) * gain
    ### END SOLUTION


checks.check_my_rms_norm(my_rms_norm)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: LayerNorm from RMSNorm (4 minutes)
#
# You are given an RMSNorm without gain, `rms(x)`. Make LayerNorm of it, with gain and bias, in one line.

# %% [markdown] slideshow={"slide_type": "notes"}
# Whoever subtracts the mean of everything has the axis wrong; whoever adds the bias before the gain has the order wrong.
#
# Four minutes.

# %% tags=["exercise", "minutes-4"]
def layer_norm(x: Tensor, gain: Tensor, bias: Tensor, rms) -> Tensor:
    """x (..., dim), gain and bias (dim,), rms a function of x."""
    ### BEGIN SOLUTION
    return rms(x - x.mean(dim=-1, keepdim=True)) * gain + bias
    ### END SOLUTION


checks.check_layer_norm(layer_norm)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: fold the gain away (6 minutes)
#
# Behind every norm stands a matrix. Since $(\hat x \odot g) W^\top = \hat x\, W'^\top$ for a suitable $W'$, the gain can be multiplied into the weight and dropped. Return $W'$.

# %% [markdown] slideshow={"slide_type": "notes"}
# Inference engines do this before quantising. The slip is to scale the rows, the outputs, instead of the columns, the inputs; with a square matrix nothing complains.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def fold_gain(weight: Tensor, gain: Tensor) -> Tensor:
    """weight (n_out, dim), gain (dim,); the folded weight (n_out, dim)."""
    ### BEGIN SOLUTION
    return weight * gain  # broadcasts along the columns, the inputs
    ### END SOLUTION


checks.check_fold_gain(fold_gain)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: find the leak (6 minutes)
#
# Write the causality check for any function from `(batch, length, dim)` to the same shape. Return whether changing the last token leaves all earlier outputs untouched.

# %% [markdown] slideshow={"slide_type": "notes"}
# Those who compare the whole output always find a difference: the last token may of course change. Those who change the tensor in place spoil the caller's input.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def is_causal(layer, x: Tensor) -> bool:
    """Does the last token of x (batch, length, dim) leave the others alone?"""
    ### BEGIN SOLUTION
    changed = x.clone()
    changed[:, -1] = 10 * changed[:, -1] + 1
    return torch.equal(layer(x)[:, :-1], layer(changed)[:, :-1])
    ### END SOLUTION


checks.check_is_causal(is_causal)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# A norm before every layer gives each layer numbers of size one and leaves the stream alone. RMSNorm is LayerNorm without mean and bias, computed for each token by itself and in 32 bits. A norm that looks at other tokens looks into the future; the loss does not tell you, a causality check does.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for one check they would run on somebody else's norm. Good answers: gains other than one; a loud coordinate in half precision; change the last token.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Root mean square layer normalisation](https://arxiv.org/abs/1910.07467). [Llama 2](https://arxiv.org/abs/2307.09288), section 2.2. [Llama 1](https://arxiv.org/abs/2302.13971), section 2.2. [Layer normalisation](https://arxiv.org/abs/1607.06450). [On layer normalisation in the Transformer, before or after](https://arxiv.org/abs/2002.04745). [The norm over time in a well-known notebook](https://github.com/bkitano/llama-from-scratch/issues/4).
#
# Next: notebook 03, where positions enter as rotations.

# %% [markdown] slideshow={"slide_type": "notes"}
# The first link is the one of the outline; its four pages of method are enough. One minute.
