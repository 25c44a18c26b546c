# %% [markdown] slideshow={"slide_type": "slide"}
# # A gate lets one projection decide what of another passes
#
# Between two layers of attention every token is worked on alone. Most weights of Llama 2 sit there. SwiGLU, proposed in 2020, is the form it has in Llama: three matrices, a smooth function, and a product.
#
# **Paper**: section 2.2. **Minutes**: 55. **On the map**: tokenizer, norm, position, *feed-forward*, attention, model, pretraining.
#
# Afterwards you can write SwiGLU, say what the product buys, and derive the 11,008 of Llama 2 7B from its 4,096.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: attention or feed-forward, which of the two holds more of the weights? Expect "attention, it is in the title". The answer comes at the end: about two thirds of the small models, and more than four fifths at 70B.
#
# Two minutes.

# %% slideshow={"slide_type": "skip"} tags=["remove-cell"]
import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import LlamaConfig as TheirConfig
from transformers.models.llama.modeling_llama import LlamaMLP

from minillama import paper, stages
from minillama.config import LlamaConfig, ffn_width
from minillama.feedforward import SwiGLU
from minillama.generation import generate
from minillama.teach import algorithm, frames, holds, show, table
from minillama.teach.checks import nb_04 as checks
from minillama.teach.drawings import nb_04 as drawings
from minillama.training.ablations import GROUPS
from minillama.training.intervals import paired_difference
from minillama.training.pretrain import evaluate

torch.set_printoptions(precision=3, sci_mode=False)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A detour over 32 numbers looks like a gain
#
# A layer that widens a token from 8 to 32 numbers and narrows it again has 512 weights. One matrix from 8 to 8 has 64.
#
# **Predict.** Between the two matrices we put nothing. What can the pair compute that no single matrix can?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "more, it has more weights". Ask for one example of such a function. There is none.
#
# Two minutes.

# %% tags=["result"]
torch.manual_seed(0)
up, down = torch.randn(32, 8), torch.randn(8, 32)
x = torch.randn(1000, 8)
one = down @ up  # (8, 8)
gap = (x @ up.T @ down.T - x @ one.T).abs().max().item()
print(f"largest difference over 1000 tokens: {gap:.5f}")
assert gap < 1e-3

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Something has to bend in between
#
# The two matrices in a row were one matrix: a product of matrices is a matrix. So depth buys nothing until a function stands between them that is not linear. The simplest one cuts off what is negative: ${\mathrm{ReLU}(z) = \max(0, z)}$. The Transformer of 2017 used it, and a layer of it is a sum of hinges.

# %% [markdown] slideshow={"slide_type": "notes"}
# Draw two hinges on the board and add them: a piecewise straight line. With enough hinges any curve can be followed. Ask how many it takes to follow a product of two inputs.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The next problem: multiply two numbers
#
# Language is full of products: *not* turns the meaning of what follows, a plural changes a verb. So we ask a layer for the plainest product, ${y = x_1 x_2}$.
#
# **Predict.** How many hidden units does a ReLU layer need, after a short training, for an error of one part in a hundred: two, ten, or more than thirty?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them try it on paper with hinges for a minute. A product curves in two directions at once, and every hinge is a straight fold.
#
# Keep the numbers they call out, they are compared with the figure under "See it". Three minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## GELU and SiLU round the corner of ReLU
#
# ReLU has a corner, and it is dead on the left: no output, no gradient. GELU, which GPT-2 uses, and SiLU are smooth. ${\mathrm{SiLU}(z) = z\,\sigma(\beta z)}$ with $\beta = 1$, where $\sigma$ takes any number into the range from zero to one. The slider moves $\beta$, and with it the curve, from a straight line to ReLU.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: at beta zero it is half the identity, at twenty it is ReLU to the eye. The function was found twice, as SiLU by hand and as Swish by search.
#
# Ask what the dip below zero is good for. Nobody knows; what is known is that the gradient on the left is not zero. Three minutes.

# %% tags=["remove-input"]
frames(drawings.draw_curves, drawings.describe_curves,
       beta=[0, 0.5, 1, 1.5, 2, 3, 5, 10, 20])

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### The slope decides who can still learn
#
# A ReLU unit whose weighted sum is negative for every token is asleep. It can wake up only if a gradient reaches it.
#
# **Predict.** Without a look back at the curves: for an input of minus two, order the slopes of ReLU, GELU and SiLU by size. Is any of them negative?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "zero, small, small". Two of them are negative on the left of their dip: pushing the input down raises the output.
#
# Two minutes.

# %% tags=["result"]
z = torch.tensor([-4.0, -2.0, -0.5, 0.5, 2.0])
for function in (F.relu, F.gelu, F.silu):
    point = z.clone().requires_grad_()
    function(point).sum().backward()
    print(f"{function.__name__:>5}", point.grad)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-architecture"]
# ## The gate: one half asks, the other half answers
#
# A gated layer has two projections of the same token. One is bent by SiLU and becomes the **gate**, the other stays linear and is the **content**. They are multiplied number by number, and a third matrix brings the result back.

# %% [markdown] slideshow={"slide_type": "notes"}
# Follow one hidden unit with the finger: the gate says how much, the content says what.
#
# Ask where we have met a product of two projections before: in notebook 03, where a score was query times key. There the two came from two tokens and were summed to one number; here they come from one token and stay apart, unit by unit. Two minutes.

# %% tags=["remove-input"]
show(
    drawings.draw_layers(),
    "Two diagrams. Left, the plain layer: token, up, function, down. Right, SwiGLU: "
    "the token goes through gate and SiLU and, beside it, through up; the two are "
    "multiplied and go through down.",
    name="04_two_layers",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: three steps for each token
#
# Shazeer, who proposed SwiGLU, tried several functions as the gate, found that they beat the plain layer, and offered no explanation. He attributed their success, in print, to divine benevolence.

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the last sentence again: it is an honest one. The paper is short enough to be read in the break.
#
# Let the class find the three steps in the source. Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("swiglu")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## For years the inside was four times as wide
#
# The rows are published models: the function, the two widths, and their ratio. Watch the ratio fall at Llama and rise again at 70B, and ask yourself why. Later slides answer both.

# %% [markdown] slideshow={"slide_type": "notes"}
# PaLM kept the ratio of four and paid for the third matrix. Llama shrank the width so that three matrices cost what two did.
#
# One minute.

# %% tags=["remove-input"]
rows = []
for name in ("transformer-base", "gpt2-xl", "gpt3-175b", "palm-540b",
             "llama1-7b", "llama2-7b", "llama2-70b"):
    value = paper.context("models", name).raw["value"]
    rows.append([name, value["activation"], value["d_model"], value["d_ff"],
                 value["d_ff"] / value["d_model"]])
columns = ["model", "function", "width", "inside", "inside / width"]
table(rows, columns, "The feed-forward layer of seven models", ".2f")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: a number times its own sigmoid
#
# A sigmoid between zero and one, times its own argument. For large arguments it is the identity, for very negative ones it is zero, and in between it is smooth.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for SiLU of zero, and for its slope there. Zero, and one half.
#
# One minute.

# %%
def silu(z: Tensor) -> Tensor:
    return z / (1 + torch.exp(-z))  # z times sigmoid(z)


print(silu(torch.tensor([-10.0, -1.0, 0.0, 1.0, 10.0])))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Build it: three matrices and one product
#
# Names say the role. Meta's file calls the three matrices `w1`, `w2` and `w3`, where `w2` is the last one to be applied. So gate and up, `w1` and `w3`, are easily mixed up.

# %% [markdown] slideshow={"slide_type": "notes"}
# Write the translation on the board: w1 is gate, w3 is up, w2 is down.
#
# Ask for the shapes of the three weights of a torch linear layer: outputs first. Two minutes.

# %%
class Gated(nn.Module):
    def __init__(self, dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.gate = nn.Linear(dim, ffn_dim, bias=False)
        self.up = nn.Linear(dim, ffn_dim, bias=False)
        self.down = nn.Linear(ffn_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim)."""
        return self.down(silu(self.gate(x)) * self.up(x))



# %% [markdown] slideshow={"slide_type": "slide"}
# ## Is it right? Transformers, and the slope in closed form
#
# The layer of Hugging Face gets our weights and must give our numbers. The derivative ${\sigma(z)\,(1 + z\,(1 - \sigma(z)))}$ is compared with what autograd finds. The package is compared too.

# %% [markdown] slideshow={"slide_type": "notes"}
# Point out that strict loading of a state dict already checks names and shapes, and that it would not notice gate and up being exchanged. The comparison of values does.
#
# Two minutes.

# %%
ours, packaged = Gated(24, 56), SwiGLU(24, 56)
theirs = LlamaMLP(TheirConfig(hidden_size=24, intermediate_size=56,
                              num_attention_heads=4))
packaged.load_state_dict(ours.state_dict())
theirs.load_state_dict({name.replace(".", "_proj."): value
                        for name, value in ours.state_dict().items()})
x = 3 * torch.randn(2, 7, 24)
torch.testing.assert_close(ours(x), theirs(x))
torch.testing.assert_close(ours(x), packaged(x))
z = torch.linspace(-8, 8, 100, requires_grad=True)
silu(z).sum().backward()
closed = z.sigmoid() * (1 + z * (1 - z.sigmoid()))
torch.testing.assert_close(z.grad, closed.detach())

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## See it: one budget of weights, spent in two ways
#
# Back to $y = x_1 x_2$. We train plain and gated layers of several widths on points of a square, three seeds each.
#
# **Predict.** At the same number of weights, which wins? And is there a width at which one of them is exact?

# %% [markdown] slideshow={"slide_type": "notes"}
# Remind them of the number of units they called out. Then show the figure.
#
# The second answer is not in the figure: two gated units are exact, and exercise 4 asks for the six numbers. Gradient descent finds something close. Three minutes.

# %%
def fit(n_hidden: int, gated: bool, seed: int, steps: int = 300) -> float:
    """Root mean square error on the product, relative to its own size."""
    torch.manual_seed(seed)
    x = 4 * torch.rand(512, 2) - 2
    y = x[:, :1] * x[:, 1:]
    inside, out = nn.Linear(2, n_hidden), nn.Linear(n_hidden, 1)
    up = nn.Linear(2, n_hidden)
    weights = [*inside.parameters(), *out.parameters(), *up.parameters()]
    optimiser = torch.optim.Adam(weights, lr=0.03)
    for step in range(steps):
        hidden = F.silu(inside(x)) * up(x) if gated else F.relu(inside(x))
        loss = F.mse_loss(out(hidden), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (loss.sqrt() / y.std()).item()



# %% [markdown] slideshow={"slide_type": "subslide"}
# ### At equal weights the gate is ahead from the start
#
# A plain unit costs four weights, a gated one seven. The last square is a layer of 48 plain units, and it still misses by more than one part in a hundred. Two gated units can be exact; exercise 4 asks how.

# %% [markdown] slideshow={"slide_type": "notes"}
# The horizontal axis counts weights, not units, so the third matrix is paid for; a square and the dot beside it differ by a few weights. Three dots a column are three seeds.
#
# The errors are those of one short training with one learning rate. What longer training would do is not measured here.
#
# Ask what the plain layer is doing: folding a sheet of paper into a saddle. Two minutes.

# %% tags=["result", "remove-input"]
fits = {}
for gated, widths in ((False, (3, 6, 12, 24, 48)), (True, (2, 4, 7, 14, 28))):
    per_unit = 7 if gated else 4  # weights and biases of a hidden unit
    fits["gated" if gated else "plain"] = {
        per_unit * n + 1: [fit(n, gated, seed) for seed in range(3)]
        for n in widths}
pairs = zip(fits["gated"].values(), fits["plain"].values())
holds(all(max(gate) < min(plain) for gate, plain in pairs),
      "at every size the gated layer errs less, whatever the seed")
holds(max(fits["gated"][197]) < 0.01 < min(fits["plain"][193]),
      "the largest plain layer misses by more than one part in a hundred")
show(
    drawings.draw_fits(fits),
    "Relative error in fitting a product of two inputs against the number of "
    "weights, both axes logarithmic: at every size the dots of the gated layer lie "
    "below those of the plain layer.",
    name="04_product",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Why three matrices need a narrower layer
#
# Two matrices of width $4d$ hold $8d^2$ weights. A third of the same width would add half as much again, and comparisons would be unfair.
#
# **Predict.** How wide must three matrices be to hold $8d^2$ weights? Llama 2 7B has $d = 4096$; does the result come out even?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let somebody solve it: three d times f equals eight d squared. Eight thirds of 4,096 is no whole number.
#
# Expect "four thirds", from halving the wrong thing. Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("ffn_width")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 11,008 is two thirds of $4d$, rounded up
#
# Take two thirds of $4d$, drop the fraction, and round up to a multiple of 256, because hardware likes round numbers. There is nothing deeper in the number.

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the lines of output from left to right. For 13B the same rule gives 13,824.
#
# One minute.

# %% tags=["result"]
for name in ("llama-2-7b", "llama-2-13b"):
    config = LlamaConfig.named(name)
    third = int(2 * 4 * config.dim / 3)
    rounded = math.ceil(third / 256) * 256
    print(f"{name}: {config.dim} -> {third} -> {rounded}")
    assert rounded == config.ffn_dim == ffn_width(config.dim)

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### The 70B model is wider on purpose
#
# Grouped-query attention saved weights in the projections of keys and values. The paper's experiment spends them here and makes the layer {{fact:attn_ablation_ffn.GQA}} times as wide. The file of the 70B model has the same factor, and rounds to a multiple of 4,096.
#
# **Predict.** With $d = 8192$: what comes out?

# %% [markdown] slideshow={"slide_type": "notes"}
# Work it out together: 21,845, times the multiplier and rounded down, 28,398, rounded up to 28,672.
#
# The order matters: multiply before rounding up. Whoever rounds to the same multiple first is off, as the second line shows. Two minutes.

# %% tags=["result"]
config = LlamaConfig.named("llama-2-70b")
multiplier = paper.fact("config_70b").raw["value"]["ffn_dim_multiplier"]
print("by the rule:        ", ffn_width(config.dim, multiplier, 4096))
early = int(multiplier * ffn_width(config.dim, 1.0, 4096))
print("rounded before it:  ", early)
print("in the configuration:", config.ffn_dim)
assert config.ffn_dim == ffn_width(config.dim, multiplier, 4096)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: exchange gate and up
#
# Both have the same shape. A loader that mixes them up, because a file calls them `w1` and `w3`, gets no error. We do it to the tiny model of notebook 07.
#
# **Predict.** The product is symmetric, the SiLU is on one side only. How much does it matter: not at all, somewhat, or is the text gone?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "not at all, a product commutes". It would be right without the SiLU.
#
# Applying the SiLU to the wrong factor in the code is the same bug in other clothes. Two minutes.

# %%
base = stages.get("base")
model, tokenizer = base.model.eval(), base.tokenizer
broken = copy.deepcopy(model)
for block in broken.layers:
    layer = block.feed_forward
    layer.gate, layer.up = layer.up, layer.gate

# %% tags=["result"]
heldout = stages.get("corpus").heldout
start = tokenizer.encode("Title: ", bos=True)
for name, which in (("right", model), ("exchanged", broken)):
    loss = evaluate(which, heldout, 128, most=32)
    answer, = generate(which.eval(), [start], 24, temperature=0.0)
    print(f"{name:>9}: loss {loss:.2f}", repr(tokenizer.decode(answer)))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The check that exposes it compares values, not shapes
#
# Loading succeeded, the shapes agreed, and the model wrote something. Its loss alone could be that of a weaker model. The comparison with an independent implementation leaves no doubt, and it needs one token.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why a test that loads our own export into our own code would not have found it: exchanged twice is right again.
#
# This is the reason for checks against transformers in both directions in notebook 06. One minute.

# %%
layer = copy.deepcopy(ours)
layer.gate, layer.up = layer.up, layer.gate
token = torch.randn(1, 24)
gap = (layer(token) - theirs(token)).abs().max().item()
print(f"one token, compared with transformers: off by {gap:.2f}")
assert gap > 0.01

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## What do the gates of a trained model do?
#
# A gate can stand near zero and let nothing through, open wide, or stand below zero and turn the sign of what passes. In a fresh model all of them hover around zero.
#
# **Predict.** After training, what share of the gates is nearly closed, with less than a tenth of the average size of an opening: few, half, or most?

# %% [markdown] slideshow={"slide_type": "notes"}
# The gate value is SiLU of the gate projection, collected with a forward hook on held-out text.
#
# Expect "most", from talk of sparse networks. The histogram answers for this little model and for no other.
#
# The measure is relative. In a fresh model the mean size is small as well, and values scattered around zero like a bell would leave about as small a share below a tenth of it. So a small share says that the gates are not sparse, and no more. Three minutes.

# %%
@torch.inference_mode()
def gate_values(model) -> list[Tensor]:
    """Openings on held-out text, a (tokens, ffn_dim) for each layer."""
    kept, hooks = [], []
    for block in model.layers:
        keep = lambda module, args, out: kept.append(F.silu(out).flatten(0, 1))
        hooks.append(block.feed_forward.gate.register_forward_hook(keep))
    model(torch.stack([heldout.window(i, 128)[0] for i in range(40)]))
    for hook in hooks:
        hook.remove()
    return kept


gates = gate_values(model)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Few gates are closed, and most stand below zero

# %% [markdown] slideshow={"slide_type": "notes"}
# Between the dashed lines a gate is nearly closed. The tall bar on the left is not closed: it is the lowest value that SiLU can take, and there the content passes with its sign turned, at little more than a quarter of its size.
#
# Ask what ReLU in place of SiLU would do to the bar: all of it would stand at zero. Two minutes.

# %% tags=["result", "remove-input"]
openings = torch.cat([layer.flatten() for layer in gates])
closed = openings.abs() < 0.1 * openings.abs().mean()
holds(closed.float().mean() < 0.25 and (openings < 0).float().mean() > 0.5,
      "few gates are closed, and most stand below zero")
show(
    drawings.draw_gates(gates),
    "Histograms of gate openings, one curve a layer, with a logarithmic count: each "
    "begins steeply at the lowest value of SiLU, somewhat below zero, and has a long "
    "tail to the right. Two dashed lines close to zero enclose the closed gates.",
    name="04_gates",
)

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### Some units have a subject
#
# For every unit of the last layer we look at the tokens for which its gate opens widest, and pick the units whose favourites are most alike.
#
# **Predict.** What will such units be for: letters, parts of words, animals, ends of sentences?

# %% [markdown] slideshow={"slide_type": "notes"}
# Say clearly that these are picked as the most uniform of several hundred, and that each piece is listed once. The table does not say how many units have a subject, or what the others are for.
#
# The measure is the share of the forty widest openings that fall on one and the same piece. The piece `<0x0A>` is the line break, `<s>` the start of a document. Three minutes.

# %%
read = torch.stack([heldout.window(i, 128)[0] for i in range(40)]).flatten()
pieces = [tokenizer.pieces[i] for i in read.tolist()]
rows = []
for unit in range(gates[-1].shape[1]):
    top = gates[-1][:, unit].topk(40).indices.tolist()
    found = [pieces[i] for i in top]
    favourite = max(set(found), key=found.count)
    rows.append([unit, favourite, found.count(favourite) / 40,
                 pieces.count(favourite) / len(pieces)])
rows.sort(key=lambda row: (-row[2], row[3], row[0]))

# %% tags=["result", "remove-input"]
columns = ["unit", "piece", "share of its 40 widest", "share of the text"]
kept = {}
for row in rows:
    kept.setdefault(row[1], row)
holds(rows[0][2] > 0.5, "some units have a subject")
table(list(kept.values())[:6], columns, "Units of the last layer with a subject",
      ".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Use it: what is the gate worth to the tiny model?
#
# Equal parameters, so the plain layers are wider; equal batches; three seeds. Only the feed-forward layer differs.
#
# **Predict.** Which of SwiGLU, GELU and ReLU has the lowest held-out loss on average? Will the intervals of the other two, against SwiGLU, exclude zero?

# %% [markdown] slideshow={"slide_type": "notes"}
# Shazeer's gains were small and consistent. With three short runs of a tiny model a small gain may drown.
#
# The intervals are of differences between runs that share a seed. If one contains zero, or ends close to it, say that three seeds do not settle it. GELU and ReLU are compared with SwiGLU only, not with each other. Three minutes.

# %% tags=["result", "remove-input"]
losses, rows = stages.get("ablations"), []
for name in GROUPS["ffn"]:
    gap = paired_difference(losses[name], losses["Llama 2"])
    more = "" if name == "Llama 2" else f"{gap.low:+.3f} to {gap.high:+.3f}"
    rows.append([name, sum(losses[name]) / 3, more])
rows[0][0] = "SwiGLU (Llama 2)"
columns = ["function", "loss (nats)", "more than SwiGLU, 95% interval"]
table(rows, columns, "Held-out loss, three seeds of each", number_format=".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 70B: this is where the weights are
#
# The same functions on the real configurations: three matrices in every layer, two operations for each weight and token.
#
# **Predict.** What share of the weights of the 7B model sits in its feed-forward layers, and what share at 70B?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "half". The share grows with the size because grouped-query attention shrinks the rest and the multiplier widens this.
#
# Two minutes.

# %% tags=["result"]
rows = []
for name in ("llama-2-7b", "llama-2-13b", "llama-2-70b"):
    config = LlamaConfig.named(name)
    weights = 3 * config.dim * config.ffn_dim * config.n_layers
    share = weights / config.parameter_count()
    work = 2 * weights / config.flops_per_token(1)
    rows.append([name, f"{weights:,}", f"{share:.0%}", f"{work:.0%}"])
    assert 0.6 < share < 0.85
columns = ["model", "weights in SwiGLU", "of all weights", "of the arithmetic"]
table(rows, columns, "The feed-forward layer at full size, short texts")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports, and what changed since
#
# The paper names SwiGLU in half a sentence and tests nothing about it. Its only numbers on this layer are the widenings in the attention experiment: {{fact:attn_ablation_ffn.MQA}} times for multi-query, {{fact:attn_ablation_ffn.GQA}} times for grouped-query attention.
#
# Since then the gate has stayed. What changed is how many such layers there are: Mixtral has {{context:models.mixtral-8x7b.experts}} of them side by side and uses {{context:models.mixtral-8x7b.experts_per_token}} for each token.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the paper widened the layer when it shrank the attention: to compare models of equal size.
#
# The series builds no layer of experts; notebook 15, on Mistral, mentions Mixtral in passing. Two minutes.

# %% tags=["remove-input"]
paper.show_equation("swiglu")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: the slope of SiLU (5 minutes)
#
# Return the derivative of $z\,\sigma(\beta z)$ for a tensor of any shape, without autograd. For $\beta = 1$ it must be the closed form you have seen. It should survive arguments of two hundred in both directions.

# %% [markdown] slideshow={"slide_type": "notes"}
# The usual slips: the slope of the sigmoid alone, the product rule with a term missing, the factor beta of the chain rule forgotten, and an exponential that overflows.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def silu_slope(z: Tensor, beta: float) -> Tensor:
    """d/dz of z * sigmoid(beta * z), same shape as z."""
    ### BEGIN SOLUTION
    gate = torch.sigmoid(beta * z)
    return gate + beta * z * gate * (1 - gate)  # product rule and chain rule
    ### END SOLUTION


checks.check_silu_slope(silu_slope)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: the layer from its weights (5 minutes)
#
# Given three weights as torch stores them, outputs first, compute the layer for a batch of tokens.

# %% [markdown] slideshow={"slide_type": "notes"}
# Transposes are the work here. With square weights a forgotten transpose does not complain, and the check tries those too.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def gated_layer(x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """x (..., dim), gate and up (ffn_dim, dim), down (dim, ffn_dim)."""
    ### BEGIN SOLUTION
    return (F.silu(x @ gate.T) * (x @ up.T)) @ down.T
    ### END SOLUTION


checks.check_gated_layer(gated_layer)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: the rule of the width (5 minutes)
#
# Write the rule for any multiplier and any multiple. Whole numbers only: the reference drops fractions twice and rounds up once.

# %% [markdown] slideshow={"slide_type": "notes"}
# The slips: rounding to the nearest multiple, rounding before the multiplier, the factor four or one of the two dropped fractions forgotten. The check knows the published widths.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def width(dim: int, multiplier: float, multiple_of: int) -> int:
    """Width inside SwiGLU, by the rule of the reference code."""
    ### BEGIN SOLUTION
    inside = int(2 * 4 * dim / 3)
    inside = int(multiplier * inside)
    return math.ceil(inside / multiple_of) * multiple_of
    ### END SOLUTION


checks.check_width(width)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: multiply with six numbers (8 minutes)
#
# Find a SwiGLU layer with two hidden units that computes $x_1 x_2$ **exactly**. Return `gate` and `up`, each (2, 2), and `down`, (1, 2); six entries other than zero are enough. Hint: what is $\mathrm{SiLU}(z) - \mathrm{SiLU}(-z)$?

# %% [markdown] slideshow={"slide_type": "notes"}
# The hint is the whole solution: the difference is z itself. So two gates with opposite signs, the same content, and a minus in down.
#
# Eight minutes. Whoever is done may show that one unit cannot do it. One unit with a tiny gate comes as near as you like on a bounded square, since SiLU is almost a straight line at zero; that is why the task says exactly, and why the check also looks far out.

# %% tags=["exercise", "minutes-8"]
def product_layer() -> tuple[Tensor, Tensor, Tensor]:
    """Weights (gate, up, down) of a SwiGLU that multiplies its two inputs."""
    ### BEGIN SOLUTION
    gate = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])  # SiLU(x1), SiLU(-x1)
    up = torch.tensor([[0.0, 1.0], [0.0, 1.0]])  # x2 for both
    down = torch.tensor([[1.0, -1.0]])  # (SiLU(x1) - SiLU(-x1)) x2 = x1 x2
    return gate, up, down
    ### END SOLUTION


checks.check_product_layer(product_layer)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# Without a bend between them, two matrices are one. A gate adds a product, which sums of hinges only approach. Three matrices of eight thirds of the width cost what two of four times the width did, and rounding makes 11,008 of it. Gate and up have the same shape, and only a comparison of values tells them apart.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for the one sentence they would put beside w1, w2 and w3 in Meta's file.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Activation functions explained](https://www.geeksforgeeks.org/activation-functions-neural-networks/). [SwiGLU at Papers with Code](https://paperswithcode.com/method/swiglu). [GLU variants improve the Transformer](https://arxiv.org/abs/2002.05202), short. [Llama 2](https://arxiv.org/abs/2307.09288), section 2.2. [Gaussian error linear units](https://arxiv.org/abs/1606.08415).
#
# Next: notebook 05, where tokens look at each other.

# %% [markdown] slideshow={"slide_type": "notes"}
# The first two links are those of the outline. One minute.
