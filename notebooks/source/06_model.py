# %% [markdown] slideshow={"slide_type": "slide"}
# # Llama 2 is five small parts and one running sum
#
# Every part has had its hour. Now they are put together, and what holds them together turns out to matter as much as the parts: a sum that every layer adds to and none overwrites.
#
# **Paper**: section 2.2 and Table 1. **Minutes**: 80. **On the map**: tokenizer, norm, position, feed-forward, attention, *model*, pretraining.
#
# Afterwards you can write the whole model from memory, count its weights to the last one, and prove it equal to somebody else's.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask the class to name the five parts without looking: embedding, norm, attention with its rotation, SwiGLU, read-out.
#
# Expect the norm or the read-out to be forgotten. Two minutes.

# %% slideshow={"slide_type": "skip"} tags=["remove-cell"]
import copy, math, tempfile
from dataclasses import asdict, replace
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F

from minillama import checkpoint, generation, paper, stages
from minillama.model import Block, GroupedQueryAttention, Llama, LlamaConfig
from minillama.model import RMSNorm, SwiGLU, rotary_table
from minillama.teach import (
    algorithm, formal_llama2, frames, holds, show, side_by_side, table)
from minillama.teach.checks import nb_06 as checks
from minillama.teach.drawings import nb_06 as drawings
from minillama.training import ablations, intervals
from minillama.training.pretrain import evaluate, pretrain

transformers.utils.logging.disable_progress_bar()

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Embedding and read-out alone are a table of pairs
#
# Take the smallest language model there is: look up the last token, read out the next. Nothing it can learn goes beyond a table of how often which token follows which.
#
# **Predict.** Guessing blindly among our 1,024 tokens costs almost seven nats. What do token frequencies cost, what the best table of pairs, and what the small Llama of notebook 07?

# %% [markdown] slideshow={"slide_type": "notes"}
# Write the three guesses on the board. Expect the table of pairs to be guessed too good: many think of it as "almost language".
#
# The logarithm of 1,024 is the loss of somebody who knows nothing; that number comes back. Three minutes.

# %% tags=["result"]
base, corpus = stages.get("base"), stages.get("corpus")
model, tokenizer, heldout = base.model.eval(), base.tokenizer, corpus.heldout
text, n = corpus.train.tokens, tokenizer.vocab_size
single = torch.bincount(text, minlength=n).expand(n, n)
pairs = torch.bincount(n * text[:-1] + text[1:], minlength=n * n).view(n, n)
loss = {"Llama": evaluate(model, heldout, 128)}
for name, counts in (("frequencies", single), ("pairs", pairs)):
    shares = F.normalize(counts + 0.01, p=1, dim=1)  # rows sum to one
    writer = nn.Embedding.from_pretrained(shares.log())
    loss[name] = evaluate(writer, heldout, 128)
assert loss["pairs"] < loss["frequencies"] - 2  # both are counts
holds(loss["Llama"] < loss["pairs"] - 1, "Llama is far below the pairs")
print({name: round(value, 2) for name, value in loss.items()})

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## All the parts in a row, and one mistake
#
# Now all parts, each right, one behind the other. The mistake: every layer hands on its answer **in place of** what it was given, not **in addition** to it. Two lines differ.
#
# **Predict.** Same weights, same batches, sixty steps. Will the loss be a little worse, as bad as the pairs, or as bad as the bare frequencies?

# %% [markdown] slideshow={"slide_type": "notes"}
# Say that the loss does fall, from almost seven, as a loss should. Nothing warns.
#
# Expect "a little worse". Two minutes for the guess.

# %%
class WithoutSum(Block):
    def forward(self, x, *rest):
        x = self.attention(self.attention_norm(x), *rest)  # no x + here
        return self.feed_forward(self.feed_forward_norm(x))  # nor here


def short_run(model: nn.Module, steps: int, **changes: float) -> float:
    settings = replace(ablations.SETTINGS, steps=steps, **changes)
    pretrain(model, corpus.train, heldout, settings, progress=False)
    return evaluate(model, heldout, settings.length)



# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Without the sum it learns how often each token comes, and stops

# %% [markdown] slideshow={"slide_type": "notes"}
# The last number is the cost of the bare frequencies from the first slide. A model of several layers has learnt a list of 1,024 numbers.
#
# Ask why. A likely reason, which we have not tested: at the start each layer hands on a faint, scrambled copy, and the read-out cannot tell the tokens apart, so only its average is of use.
#
# This is one seed and sixty steps. Whether it would leave this cost after thousands of steps we have not tried; with the sum nobody has to wait. Two minutes.

# %% tags=["result"]
right = ablations.build(ablations.VARIANTS["Llama 2"], seed=0)
wrong = copy.deepcopy(right)
for block in wrong.layers:
    block.__class__ = WithoutSum
result = [short_run(which, 60) for which in (right, wrong)]
holds(result[0] < 4 and abs(result[1] - loss["frequencies"]) < 0.1,
      "without the sum it learns the frequencies and stops")
print(f"with the sum {result[0]:.2f}, without it {result[1]:.2f}, "
      f"frequencies alone {loss['frequencies']:.2f}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-architecture", "short"]
# ## The whole of Llama 2 on one page

# %% [markdown] slideshow={"slide_type": "notes"}
# Follow the thick grey line from left to right with the finger. It is never interrupted inside the frame: layers read from it and add to it.
#
# Ask where tokens exchange anything. Expect "everywhere"; it is one box out of seven. Three minutes.

# %% tags=["remove-input"]
show(
    drawings.draw_model(),
    "Diagram of Llama 2 from left to right: tokens, embedding, then a thick line, the "
    "stream, past a frame that is repeated L times. In the frame a norm and attention "
    "branch off and are added back, then a norm and SwiGLU. After it a last norm and "
    "the output give logits.",
    name="06_llama",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The stream can be read at every floor
#
# Since all layers add to one sum, the last norm and the read-out can be applied after any of them. We get a guess from the embedding alone, from the first layer, and so on. The trick is known as the **logit lens**.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask whether this would work without the sum. No: then each layer would speak its own language.
#
# The function is the forward pass itself, with the intermediate sums kept. One minute.

# %%
@torch.inference_mode()
def stream(model: Llama, tokens: Tensor) -> list[Tensor]:
    """The sum after the embedding and after each layer."""
    length = tokens.shape[1]
    sums = [model.embedding(tokens)]  # (batch, length, dim)
    for block in model.layers:
        sums.append(block(sums[-1], model.cos[:length], model.sin[:length]))
    return sums



# %% [markdown] slideshow={"slide_type": "subslide"} tags=["predict"]
# ### Floor by floor, the guess changes
#
# Layer 0 is the embedding alone. **Predict**, after some climbing: on average over held-out text, do the layers bring the loss down in equal shares, is it mostly the first, or the last?

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: begin with the goose and move the layer. Before each move ask what will be on top. The read-out was trained on the sum after the last layer alone, so strange pieces on the lower floors mean little. In a single text the answer may appear at the last floor only, or come early and lose again; the average is asked for below.
#
# Expect equal shares for the average. Four minutes.

# %% tags=["remove-input"]
def lens(text: str) -> Tensor:
    """Logits for what follows the text, after each layer: (layers + 1, vocab_size)."""
    tokens = torch.tensor([tokenizer.encode(text, bos=True)])
    with torch.inference_mode():
        return torch.stack([model.output(model.norm(x))[0, -1]
                            for x in stream(model, tokens)])


TEXTS = {"goose": "Question: Monty the goose sits under the",
         "owl": "Juno the owl likes tarts.\nQuestion: Who likes tarts?\n"
                "Answer: Juno the",
         "day": "Finn wanted to play the drum on",
         "tale": "It did not go well, for he had only two sticks and no idea"}
kit = {"views": {name: lens(text) for name, text in TEXTS.items()},
       "pieces": tokenizer.pieces, "texts": TEXTS}
frames(lambda fig, **values: drawings.draw_lens(fig, **values, **kit),
       lambda **values: drawings.describe_lens(**values, **kit),
       text=list(TEXTS), layer=list(range(5)))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Every layer brings the stream nearer to its answer

# %% [markdown] slideshow={"slide_type": "notes"}
# Warn against reading it as "the first layer does most". The curve begins above the cost of the bare frequencies, since the read-out was never trained on the bare embedding; part of the first fall is only the stream coming into the read-out's reach. The lens shows when the answer is in the words of the read-out, not when it is known.
#
# Two minutes.

# %% tags=["result", "remove-input"]
tokens, targets = map(torch.stack, zip(*(heldout.window(i, 128) for i in range(32))))
with torch.inference_mode():
    by_depth = [F.cross_entropy(model.output(model.norm(x)).transpose(1, 2), targets)
                .item() for x in stream(model, tokens)]
falls = [before - after for before, after in zip(by_depth, by_depth[1:])]
holds(min(falls) > 0 and max(falls) == falls[0], "every layer helps, the first most")
holds(by_depth[0] > loss["frequencies"] and loss["pairs"] > by_depth[-1] + 1,
      "the embedding does not even reach the frequencies, and the last layer beats the "
      "table of pairs")
show(
    drawings.draw_depth(by_depth, loss["pairs"]),
    "Loss of the logit lens against the layer it is read after: it falls from the "
    "embedding to the last layer, and the first step is the largest; a dashed line "
    "marks the table of pairs, which the embedding does not reach.",
    name="06_lens",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-architecture", "short", "formal"]
# ## The pseudocode of all of Llama 2, and the source it stands for
#
# Five slides hold the whole model, from the outside in, and the last one its use. On this one the source is shown as well: every step has its number there.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let somebody read a step on the left and somebody else the line on the right. The source shown is the one that runs here; a test keeps the numbers equal for all algorithms.
#
# Three minutes.

# %% tags=["formal", "remove-input"]
algorithm("llama")

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["talk-architecture", "formal"]
# ### The block, and the only place where tokens meet

# %% [markdown] slideshow={"slide_type": "notes"}
# Notebook 05 for the right side. Blocks map the stream to the stream; that is why one may stack any number of them.
#
# Cover step 5 and ask what breaks without the mask. Two minutes.

# %% tags=["formal", "remove-input"]
formal_llama2(("block", "grouped_query_attention"))

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["formal"]
# ### Each token by itself

# %% [markdown] slideshow={"slide_type": "notes"}
# Notebooks 02 and 04. Ask what both have in common: the input is one token, no step sees another.
#
# One minute.

# %% tags=["formal", "remove-input"]
formal_llama2(("rms_norm", "swiglu"))

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["formal"]
# ### Where a token stands

# %% [markdown] slideshow={"slide_type": "notes"}
# Notebook 03. The table is computed once for a model and has no weights; that is why checkpoints need not hold it.
#
# One minute.

# %% tags=["formal", "remove-input"]
formal_llama2(("rotary_table", "apply_rope"))

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["formal"]
# ### From logits to a text

# %% [markdown] slideshow={"slide_type": "notes"}
# Sampling is not part of the network and decides much of what a user sees. The third step of the left one is exercise 3.
#
# One minute.

# %% tags=["formal", "remove-input"]
formal_llama2(("sample", "generate"))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-architecture", "short"]
# ## The ladder: six years, line by line

# %% [markdown] slideshow={"slide_type": "notes"}
# Read it row by row, not model by model, and ask at each step to the right what changed. Two steps change nearly every row: from the Transformer to GPT-2 and from GPT-3 to Llama 1. Not one of the changes of the second was invented for it. For GPT-3 the table has only what its report spells out; it follows GPT-2, whose last norm it does not repeat.
#
# Three minutes.

# %% tags=["remove-input"]
names = ("transformer-base", "gpt2-xl", "gpt3-175b", "llama1-65b", "llama2-70b")
models = [paper.context("models", name) for name in names]
rows = [[row, *(m.value[key] for m in models)] for row, key in (
    ("norm", "norm"), ("placed", "norm_placement"), ("position", "position"),
    ("function", "activation"), ("attention", "attention"), ("context", "context"),
    ("vocabulary", "vocab"))]
table(rows, ["", *(f"{m.name.split(' (')[0]}, {m.year}" for m in models)],
      "From the Transformer to Llama 2")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### First step: the norm moves, and the stream is left alone
#
# From the decoder of 2017 to GPT-2. What is normalised on the right is a copy for the layer to read. The sum itself runs through to the end, where one last norm is needed.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which line matters most. Expect GELU. It is the order of norm and sum, because it lets gradients run down undivided.
#
# The factor with the root on the left returns near the end of the hour. Two minutes.

# %% tags=["remove-input"]
side_by_side(
    "x = embed(tokens) * dim**0.5 + waves\nfor layer in layers:\n"
    "    x = layer_norm(x + attention(x))\n"
    "    x = layer_norm(x + down(relu(up(x))))\nreturn x @ embed.T",
    "x = embed(tokens) + learned\nfor layer in layers:\n"
    "    x = x + attention(layer_norm(x))\n"
    "    x = x + down(gelu(up(layer_norm(x))))\nreturn layer_norm(x) @ embed.T",
    ("Transformer (decoder)", "GPT-2 and GPT-3"),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Second step: every line changes, none by much
#
# From GPT-3 to Llama 1. Positions leave the stream and enter attention as angles. The norm loses its mean, the function gains a gate, all biases go, and the read-out gets a matrix of its own.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what is lost on the right. Biases, the shift of the norm, the learned table of positions: the models that followed mostly do without them too.
#
# Two minutes.

# %% tags=["remove-input"]
side_by_side(
    "x = embed(tokens) + learned\nfor layer in layers:\n"
    "    x = x + attention(layer_norm(x))\n    seen = layer_norm(x)\n"
    "    x = x + down(gelu(up(seen)))\nreturn layer_norm(x) @ embed.T",
    "x = embed(tokens)\nfor layer in layers:\n"
    "    x = x + attention(rms_norm(x), angles)\n    seen = rms_norm(x)\n"
    "    x = x + down(silu(gate(seen)) * up(seen))\nreturn rms_norm(x) @ output.T",
    ("GPT-2 and GPT-3", "Llama 1"),
)

# %% [markdown] slideshow={"slide_type": "subslide"} tags=["talk-llama1", "predict"]
# ### Third step: not a line of code
#
# Our class builds Llama 1 and Llama 2 alike; only the configuration differs, ten fields in all.
#
# **Predict.** Which of the ten fields differ between Llama 1 65B and Llama 2 70B? The paper names two changes.

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "context and heads", as the paper says. The third follows from the second: what the keys and values saved went into the feed-forward layer, which notebook 04 worked out.
#
# Two minutes.

# %% tags=["result"]
one, two = (asdict(LlamaConfig.named(name))
            for name in ("llama-1-65b", "llama-2-70b"))
for field, old in one.items():
    if two[field] != old:
        print(f"{field:>11}: {old} -> {two[field]}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: a block has two sentences
#
# Read the stream through a norm, let the tokens talk, add. Read it through another norm, let each token think, add. The three parts are those of notebooks 02 to 05.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what happens if the second norm is given the x from before attention. It runs and learns; GPT-J did it on purpose. It is another model.
#
# Two minutes.

# %%
class MyBlock(nn.Module):
    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.attention = GroupedQueryAttention(config)
        self.feed_forward_norm = RMSNorm(config.dim, config.norm_eps)
        self.feed_forward = SwiGLU(config.dim, config.ffn_dim)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(batch, length, dim) both ways."""
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.feed_forward(self.feed_forward_norm(x))



# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Build it: the model in seventeen lines

# %% [markdown] slideshow={"slide_type": "notes"}
# Count together what is missing for a full Llama 2: nothing but the cache. Masks are made inside attention when none is given.
#
# Let one student say each line before you uncover it. Three minutes.

# %%
class MyLlama(nn.Module):
    def __init__(self, c: LlamaConfig) -> None:
        super().__init__()
        self.config = c
        self.embedding = nn.Embedding(c.vocab_size, c.dim)
        self.layers = nn.ModuleList(MyBlock(c) for _ in range(c.n_layers))
        self.norm = RMSNorm(c.dim, c.norm_eps)
        self.output = nn.Linear(c.dim, c.vocab_size, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, length) -> logits (batch, length, vocab_size)."""
        c = self.config
        turn = rotary_table(c.head_dim, tokens.shape[1], c.rope_theta)
        x = self.embedding(tokens)  # (batch, length, dim)
        for block in self.layers:
            x = block(x, *turn)
        return self.output(self.norm(x))



# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## How it starts: knowing nothing, and knowing that
#
# The paper does not say how weights begin. We follow GPT-2: a deviation of two hundredths, and less for matrices that write into the stream, since many of them are added up.
#
# **Predict.** What is the loss of a fresh model, to within a tenth? Name the formula before the number.

# %% [markdown] slideshow={"slide_type": "notes"}
# The logarithm of the vocabulary. If a fresh model costs more than that, it begins with strong opinions, and the first hundred steps unlearn them.
#
# This is the cheapest test of a model there is: run it before every training. Two minutes.

# %% tags=["result"]
def start(model: nn.Module) -> nn.Module:
    quiet = 0.02 / (2 * model.config.n_layers) ** 0.5
    for name, weight in model.named_parameters():
        writes = name.endswith(("attention.output.weight", "down.weight"))
        if weight.dim() > 1:  # gains stay at one
            nn.init.normal_(weight, std=quiet if writes else 0.02)
    return model


for seed in range(3):
    torch.manual_seed(seed)
    fresh = start(MyLlama(LlamaConfig.named("tiny")))
    first = evaluate(fresh, heldout, 128, most=8)
    print(f"loss {first:.3f}, logarithm of {n}: {math.log(n):.3f}")
    assert abs(first - math.log(n)) < 0.1

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Ask a library that never saw our code
#
# We save the trained model in the format of Hugging Face, let `transformers` open the folder as a Llama, and compare all logits of eight texts of two hundred tokens.
#
# **Predict.** About how large is the largest difference: zero, the size of float32 rounding, or a hundredth? And in 64 bits?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "zero" from programmers. Two orders of summation never give the same last bits; exactly zero would mean that we compared a thing with itself.
#
# Logits reach twenty, so seven digits leave about a hundred-thousandth. In 64 bits the rest comes from angles and norms, which both compute in 32. The trained gains are not one, so this sees what a fresh model hides. Two minutes.

# %% tags=["result"]
tokens = torch.stack([heldout.window(i, 200)[0] for i in range(8)])
mine, ours = MyLlama(model.config), copy.deepcopy(model)
mine.load_state_dict(model.state_dict())
with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
    torch.testing.assert_close(mine(tokens), ours(tokens))
    place = Path(folder) / "tiny-llama"
    checkpoint.save_pretrained(model, tokenizer, place)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(place).eval()
    for precision, most in ((torch.float32, 1e-4), (torch.float64, 5e-5)):
        both = (each.to(precision)(tokens) for each in (ours, theirs))
        gap = (next(both) - next(both).logits).abs().max().item()
        print(f"{precision}: largest difference {gap:.1e}")
        assert gap <= most

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### And back: a foreign model of an odd shape
#
# So far only our writing was tested. Reading our own file back would let a mistake made twice cancel. So `transformers` builds a Llama with 97 tokens, three layers and heads of size ten, we shake all its weights, gains included, and open it with ours.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why odd numbers: square and equal shapes let transposes and mixed-up sizes pass.
#
# The layouts of RoPE differ between the two, so queries and keys are reordered on the way; notebook 03 has the reason. Two minutes.

# %%
torch.manual_seed(0)
shape = transformers.LlamaConfig(
    vocab_size=97, hidden_size=60, intermediate_size=104, num_hidden_layers=3,
    num_attention_heads=6, num_key_value_heads=3, rms_norm_eps=1e-5)
theirs = transformers.LlamaForCausalLM(shape).eval()
with torch.no_grad():
    for weight in theirs.parameters():
        weight += 0.1 * torch.randn_like(weight)
with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
    theirs.save_pretrained(folder)
    opened, _ = checkpoint.load_pretrained(folder)
    odd = torch.randint(97, (4, 50))
    gap = (opened(odd) - theirs(odd).logits).abs().max().item()
print(f"largest difference {gap:.1e}; head size {opened.config.head_dim}")
assert gap <= 1e-5

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Generation: the cached loop must say what the slow loop says
#
# `generate` reads the prompt once and then one token at a time. The slow loop below reads everything anew for every token and knows no cache. With temperature zero both have to agree, token by token.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which bugs this would show: wrong positions behind a cache, a mask off by one, lengths not advanced. All of them happen.
#
# One minute.

# %%
@torch.inference_mode()
def write(model: Llama, text: str, steps: int, temperature: float) -> str:
    tokens = torch.tensor([tokenizer.encode(text, bos=True)])
    for _ in range(steps):
        token = generation.sample(model(tokens)[:, -1], temperature)
        tokens = torch.cat([tokens, token[:, None]], dim=1)
    return tokenizer.decode(tokens[0].tolist())



# %%
for text in ("Question: What", "12 + 12 =", "Title: Clara and the"):
    prompt = tokenizer.encode(text, bos=True)
    cached, = generation.generate(model, [prompt], 60, temperature=0.0)
    assert tokenizer.decode(prompt + cached) == write(model, text, 60, 0.0)
print("equal for three prompts, the last:", tokenizer.decode(cached))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Temperature bends the distribution, top-p cuts its tail
#
# After *"Monty the goose sits"* several pieces are possible. Blue ones can be drawn, grey ones were cut off.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: temperature from low to high with top-p at one, then set it high and lower top-p. Ask at which setting they would let a model do sums, and at which write a story.
#
# Meta's chat example uses a temperature a bit above one half and a top-p of nine tenths. Three minutes.

# %% tags=["remove-input"]
with torch.inference_mode():
    goose = tokenizer.encode("Monty the goose sits", bos=True)
    logits = model(torch.tensor([goose]))[0, -1]
kit = {"logits": logits, "pieces": tokenizer.pieces}
frames(lambda fig, **values: drawings.draw_next(fig, **values, **kit),
       lambda **values: drawings.describe_next(**values, **kit),
       temperature=[0.2, 0.6, 1, 1.5, 2, 4], top_p=[1, 0.9, 0.5])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: one gain in the wrong place
#
# A loader puts the gains of the norm before attention also into the norm before the feed-forward layer. Names differ by one word and shapes are equal. We do it to a fresh model and to the trained one.
#
# **Predict.** For each of the two: do the logits change, and by how much does the loss rise?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect disaster for the trained one. It is worse than a disaster: it is plausible.
#
# For the fresh one nothing changes at all, since all gains are one. What exposes it is parity of logits on trained gains; and a count, since every stored tensor has to be used exactly once. Three minutes.

# %% tags=["result"]
new = Llama(LlamaConfig.named("tiny"))
for name, right in (("fresh", new), ("trained", model)):
    wrong = copy.deepcopy(right)
    for block in wrong.layers:
        block.feed_forward_norm.weight = block.attention_norm.weight
    with torch.inference_mode():
        gap = (wrong(tokens) - right(tokens)).abs().max()
    losses = [evaluate(which, heldout, 128) for which in (right, wrong)]
    print(f"{name:>7}: loss {losses[0]:.2f} -> {losses[1]:.2f}, "
          f"logits move by {gap:.2f}")
    assert (gap == 0) == (right is new)
holds(0 < losses[1] - losses[0] < 0.5, "the trained one gets a little worse")
print(len(model.state_dict()), "names,",
      len(set(wrong.parameters())), "tensors behind them")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: tie what was not tied
#
# GPT-2 uses one matrix for embedding and read-out. Llama 2 has two. A single word in `config.json` decides whether a loader looks for the second one.
#
# **Predict.** We flip that word for our trained model. Does loading fail? What is the loss: as before, a bit worse, or worse than blind guessing?

# %% [markdown] slideshow={"slide_type": "notes"}
# Nothing fails: the second matrix in the file is skipped without complaint, and the embedding serves for both. Some writers store the tied matrix twice, so readers skip it. That courtesy hides this mistake.
#
# Blind guessing costs the logarithm of 1,024. Expect "a bit worse". The count of weights would have told it before the first token. Two minutes.

# %% tags=["result"]
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "model" / "config.json"
    checkpoint.save_pretrained(model, tokenizer, file.parent)
    right = '"tie_word_embeddings": false'
    file.write_text(file.read_text().replace(right, right[:-5] + "true"))
    tied, _ = checkpoint.load_pretrained(file.parent)
count, kept = (m.config.parameter_count() for m in (model, tied))
tied_loss = evaluate(tied, heldout, 128)
holds(tied_loss > math.log(n), "the tied model is worse than blind guessing")
print(f"loss {tied_loss:.2f}; {count - kept:,} of {count:,} "
      f"weights were skipped, {n} x {model.config.dim}")
assert count - kept == n * model.config.dim

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: the quiet start for the wrong matrix
#
# A much-copied training script makes `wo` and `w3` quieter. The comment says "residual projections", but the one that writes into the stream is `w2`, our `down`; `w3` is `up`.
#
# **Predict.** Twenty-four fresh layers: with no quiet matrix, with the right one, with the wrong one. How does the stream grow in each case?

# %% [markdown] slideshow={"slide_type": "notes"}
# The script is that of llama2.c; the last link of this notebook leads to the report.
#
# Nearly all expect the wrong one to grow as if nothing had been done. Let them draw the three curves. Three minutes.

# %%
def deep(*quiet: str) -> Llama:
    torch.manual_seed(0)
    model = Llama(LlamaConfig(n, 128, n_layers=24, n_heads=4))
    for name, weight in model.named_parameters():
        small = 0.02 / 48**0.5 if name.endswith(quiet) else 0.02
        if weight.dim() > 1:
            nn.init.normal_(weight, std=small)
    return model



# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The wrong one keeps the stream as quiet as the right one, and only the weights tell

# %% [markdown] slideshow={"slide_type": "notes"}
# The lower two curves lie on each other: the layer is a product, down times (gate times up), and a factor at up gives exactly what the same factor at down gives. (Not at gate, which passes through a curve.) So growth does not expose the bug. Ask what does.
#
# The right panel: print the deviation of every kind of matrix once, and compare with what you meant. A bug that changes nothing you look at is still a bug; the next reader will trust the comment. Three minutes.

# %% tags=["result", "remove-input"]
output = "attention.output.weight"
starts = {"none": deep(), "down": deep(output, "down.weight"),
          "up": deep(output, "up.weight")}
with torch.inference_mode():
    curves = {name: [x.pow(2).mean().sqrt().item() for x in stream(which, tokens[:4])]
              for name, which in starts.items()}
assert curves["none"][-1] > 4 * curves["down"][-1]
assert abs(curves["up"][-1] / curves["down"][-1] - 1) < 0.05
first = {name: which.layers[0].feed_forward for name, which in starts.items()}
spread = {name: {part: getattr(layer, part).weight.std().item() for part in
                 ("gate", "up", "down")} for name, layer in first.items()}
show(drawings.draw_growth(curves, spread),
     "Left, size of the stream against depth for three fresh models: without a quiet "
     "start it grows about tenfold, with the right and with the wrong matrix quiet the "
     "curves coincide and stay nearly flat. Right, the deviations of gate, up and "
     "down, which tell the two apart.", name="06_start")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Use it: does the ladder go up?
#
# Four rungs, numbers of weights within one per cent, equal batches, equal learning rate, three seeds, a few seconds of training each.
#
# **Predict.** Order the four by held-out loss. Between which two rungs is the largest step? Can the last step, from many heads to grouped ones, be an improvement?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "each is better than the one before". The first step need not be an improvement. One suspect: a table of positions has to be learnt, waves and angles are given. And grouped-query attention was never meant to lower the loss; it makes the cache small and costs a little.
#
# The rungs change norm, place, position, function and heads; the last norm, the read-out of its own and linear layers without biases stay as in Llama in all four. The intervals compare with Llama 2 only; for a step between two other rungs there are means and no interval.
#
# Where an interval contains zero, say that we cannot tell. Three minutes.

# %% tags=["result", "remove-input"]
losses, rows = stages.get("ablations"), []
for name in ablations.GROUPS["ladder"]:
    gap = intervals.paired_difference(losses[name], losses["Llama 2"])
    more = "" if name == "Llama 2" else f"{gap.low:+.2f} to {gap.high:+.2f}"
    rows.append([name, sum(losses[name]) / 3, more])
rows.append(["frequencies alone", loss["frequencies"], ""])
table(rows, ["rung", "loss (nats)", "more than Llama 2, 95% interval"],
      "Held-out loss, three seeds of each", number_format=".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A rung that had learnt frequencies only: ask why
#
# In our first rebuilding the lowest rung stood at the cost of the bare frequencies, as if the sum were missing. Three suspects: a learning rate too high for it, a warm-up too short for a norm after the sum, or tokens too small beside the waves of position: the paper of 2017 multiplies embeddings by $\sqrt d$ before it adds the waves, and we did not.
#
# **Predict.** Which one?

# %% [markdown] slideshow={"slide_type": "notes"}
# Most vote for the warm-up, because the norm after the sum is known to need one. It was the first guess of the authors of this notebook as well.
#
# The factor stands on the left side of the first step of the ladder; whoever remembers it wins. The mended rung has the factor and the larger start that belongs to it, a deviation of one over the root of the width, so that tokens begin about as large as the waves. Three minutes.

# %%
def first_rebuilding() -> Llama:
    rung = ablations.build(ablations.VARIANTS["Transformer 2017"], seed=0)
    rung.embedding.scale = 1.0  # and tokens as small as in our Llama
    nn.init.normal_(rung.embedding.weight, std=0.02)
    return rung



# %% tags=["result"]
mended = ablations.build(ablations.VARIANTS["Transformer 2017"], seed=0)
tried = {"an eighth of rate": short_run(first_rebuilding(), 100, peak=1e-3),
         "longer warm-up": short_run(first_rebuilding(), 100, warmup=80),
         "larger tokens": short_run(mended, 100)}
holds(tried["larger tokens"] < 4, "with larger tokens it learns")
for name in ("an eighth of rate", "longer warm-up"):
    holds(abs(tried[name] - loss["frequencies"]) < 0.1,
          f"with {name} it stays at the frequencies")
print({name: round(value, 2) for name, value in tried.items()})

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A comparison is only as fair as its weakest rebuilding
#
# Waves some thirty times as large as the tokens had drowned them. The table would have shown Llama far ahead of 2017, and the gap would have been our bug.
#
# Rate, depth and length of training are still one choice for all rungs, and the learned positions of GPT-2 have had only seconds to be learnt.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which number should have made us suspicious: a loss that equals the cost of bare frequencies. A design that is merely worse would hardly stop just there.
#
# Tables that show one's own method in the last row are prone to this fault. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 70B: every weight counted
#
# The same class, built on torch's *meta* device, where tensors have shapes and no memory. We count, and compare with the counts in the ledger.
#
# **Predict.** How many bytes do 70 billion weights take in 16 bits, how many operations does one token cost, and which of the three models keeps the most bytes of keys and values for a token?

# %% [markdown] slideshow={"slide_type": "notes"}
# Two bytes a weight, two operations a weight. Expect "70B" for the last question; it is 13B, which shares no heads.
#
# What exceeds two operations a weight is attention over a full context; the embedding is looked up and costs nothing. Three minutes.

# %% tags=["result", "remove-input"]
rows, kept = [], paper.fact("kv_cache_derived").value
for size in ("7B", "13B", "70B"):
    config = LlamaConfig.named(f"llama-2-{size.lower()}")
    with torch.device("meta"):
        count = sum(w.numel() for w in Llama(config).parameters())
    assert count == paper.fact(f"params_{size.lower()}").value
    assert config.kv_cache_bytes(batch=1, length=1) == kept[size]
    rows.append([size, f"{count:,}", f"{2 * count / 2**30:.0f}",
                 f"{config.flops_per_token(config.max_seq_len) / 1e9:.0f}",
                 f"{kept[size] / 2**10:.0f}"])
columns = ["model", "weights", "GiB in 16 bits", "GFLOP a token", "KiB kept a token"]
table(rows, columns, "Llama 2, counted; operations at 4,096 tokens")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Most weights sit in the feed-forward layers

# %% [markdown] slideshow={"slide_type": "notes"}
# In the tiny model the two tables of tokens are a visible share; at 70B they are a hair. Norms are too thin to be seen in any of them.
#
# Ask what a large vocabulary would do to the bar on top. Two minutes.

# %% tags=["remove-input"]
def by_group(config: LlamaConfig) -> dict[str, int]:
    with torch.device("meta"):
        weights = list(Llama(config).named_parameters())
    groups = dict.fromkeys(drawings.GROUPS, 0)
    for name, weight in weights:
        groups[next(g for g in drawings.GROUPS if g in name)] += weight.numel()
    return groups


shapes = {name.removeprefix("llama-2-"): by_group(LlamaConfig.named(name))
          for name in ("tiny", "llama-2-7b", "llama-2-13b", "llama-2-70b")}
inside = [shape["feed_forward"] / sum(shape.values()) for shape in shapes.values()]
assert min(inside) > 0.5 and max(inside[:3]) < 0.68 and inside[3] > 0.8
show(
    drawings.draw_weights(shapes),
    "Stacked bars of the shares of weights in the tiny model and in Llama 2 7B, 13B "
    "and 70B: feed-forward layers hold most everywhere, attention the "
    "next largest share, embedding and output shrink to a sliver.",
    name="06_weights",
)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports: a table of settings, no evidence for the shape
#
# Experiments are reported for the context length and the shared heads alone; all else is inherited. Since then the ladder has hardly grown. What stayed in nearly every open model: {{context:followups.arch-what-stayed.unchanged}}. Shared heads became the rule, and DeepSeek-V3 has many feed-forward layers to choose from: {{context:followups.arch-gqa-everywhere.deepseek_v3}}.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which column explains most of the difference to Llama 1. Expect the heads. Nobody can tell from this table: tokens, data and context changed together, and of the data the paper says least.
#
# nanochat is an exception worth a look: squared ReLU, and norms without gains. Three minutes.

# %% tags=["remove-input"]
paper.show_table("table_1", columns=[
    "family", "params", "context length (tokens, as printed)", "GQA",
    "pretraining tokens (trillions)", "peak learning rate"])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: count by hand (6 minutes)
#
# Return the number of weights of a Llama from six numbers. It must give the published counts exactly, so nothing may be forgotten, however small.

# %% [markdown] slideshow={"slide_type": "notes"}
# The usual slips: the last norm, the second table, two matrices in place of three, keys and values as wide as queries. The check names each.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def count_weights(vocab, dim, layers, heads, kv_heads, ffn_dim) -> int:
    """Number of weights, each counted once; nothing is tied."""
    ### BEGIN SOLUTION
    kv_dim = kv_heads * dim // heads
    layer = 2 * dim * dim + 2 * dim * kv_dim + 3 * dim * ffn_dim + 2 * dim
    return 2 * vocab * dim + layers * layer + dim  # two tables, the last norm
    ### END SOLUTION


checks.check_count_weights(count_weights)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: the block (5 minutes)
#
# You are given two norms, an attention and a feed-forward layer as functions of the stream. Put them together as Llama does.

# %% [markdown] slideshow={"slide_type": "notes"}
# All the orders of history come up here: the one of 2017, the parallel one of GPT-J and PaLM, and the forgotten sum. The check calls them by name.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def my_block(x: Tensor, first_norm, attention, second_norm, ffn) -> Tensor:
    """(batch, length, dim) both ways; the other arguments are functions."""
    ### BEGIN SOLUTION
    x = x + attention(first_norm(x))
    return x + ffn(second_norm(x))
    ### END SOLUTION


checks.check_my_block(my_block)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: top-p (8 minutes)
#
# Keep the smallest set of tokens whose probabilities reach $p$, set the others to zero, and let the rest sum to one again. Rows are independent.

# %% [markdown] slideshow={"slide_type": "notes"}
# The token that crosses the threshold stays; most first versions drop it. And after sorting, the way back to the old order has to be found.
#
# Eight minutes.

# %% tags=["exercise", "minutes-8"]
def top_p(probabilities: Tensor, p: float) -> Tensor:
    """(batch, vocab_size) both ways; 0 < p <= 1."""
    ### BEGIN SOLUTION
    ranked, order = probabilities.sort(dim=-1, descending=True)
    before = ranked.cumsum(dim=-1) - ranked  # the sum of those more likely
    ranked = ranked.masked_fill(before >= p, 0.0)
    kept = torch.zeros_like(ranked).scatter(-1, order, ranked)
    return kept / kept.sum(dim=-1, keepdim=True)
    ### END SOLUTION


checks.check_top_p(top_p)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: how many texts fit on a machine? (6 minutes)
#
# Weights and cache are kept in 16 bits. How many texts of full length fit into `memory` bytes beside the weights? Other memory is ignored.

# %% [markdown] slideshow={"slide_type": "notes"}
# Keys **and** values; two bytes each; in every layer. And if the weights alone do not fit, the answer is zero, not a negative number.
#
# Who is done may ask for 70B on eight GPUs of 80 GB. Six minutes.

# %% tags=["exercise", "minutes-6"]
def texts_that_fit(weights: int, layers: int, kv_heads: int, head_dim: int,
                   length: int, memory: int) -> int:
    """How many texts of ``length`` tokens can be generated at once."""
    ### BEGIN SOLUTION
    text = 2 * 2 * layers * kv_heads * head_dim * length  # bytes of one cache
    return max(0, (memory - 2 * weights) // text)
    ### END SOLUTION


checks.check_texts_that_fit(texts_that_fit)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# A Llama is an embedding, a sum that blocks read through norms and add to, and a read-out. Forget the sum and it learns frequencies. A fresh model costs the logarithm of its vocabulary. Parity with another implementation, in both directions and with gains that are not one, finds what neither loss nor text betrays.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for the model in five sentences, one student a sentence. Then ask which check each would run first on a stranger's Llama.
#
# Three minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Llama 1](https://arxiv.org/abs/2302.13971). [Llama 2](https://arxiv.org/abs/2307.09288), section 2.2. [Llama 2 Playground](https://huggingface.co/spaces/huggingface-projects/llama-2-7b-chat). [Formal algorithms for Transformers](https://arxiv.org/abs/2207.09238). [Attention is all you need](https://arxiv.org/abs/1706.03762), section 3.4 for the factor. [The quiet start in llama2.c](https://github.com/karpathy/llama2.c/issues/579).
#
# Next: notebook 07, where this model learns.

# %% [markdown] slideshow={"slide_type": "notes"}
# The first and the third link are those of the outline. Let them ask the Playground for a sum and compare with our tiny model. One minute.
