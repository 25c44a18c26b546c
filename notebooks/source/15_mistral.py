# %% [markdown] slideshow={"slide_type": "slide"}
# # Two of Llama's authors leave, and come back with a window
#
# Ten weeks after Llama 2 a company of a few months publishes a model of seven billion parameters that claims to beat Llama 2 at thirteen. It is a Llama in almost every line. This notebook is about the lines that differ, the people, and the claim.
#
# **Paper**: section 2.2 and acknowledgements of Llama 2, Mistral 7B of October 2023. **Minutes**: 75. **On the map**: the end of the road, where others take it up.
#
# Afterwards you can build a sliding window and a cache that rolls, say how far news travels through both, count what they save at 7B, and check a claim against its own table.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: who has heard of Mistral, and who knows what is different in its first model? Most know the company and nobody the window. By the end everybody can draw both.
#
# Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
import tempfile
from datetime import date
from pathlib import Path

import torch
import transformers
from torch import Tensor

from minillama import paper, stages
from minillama.checkpoint import save_pretrained
from minillama.config import LlamaConfig
from minillama.mistral import Mistral, RollingCache
from minillama.teach import algorithm, frames, holds, show, table
from minillama.teach.checks import nb_15 as checks
from minillama.teach.drawings import nb_15 as drawings
from minillama.training.intervals import interval, paired_difference

transformers.utils.logging.disable_progress_bar()

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The cache grows with the text, and nobody stops it
#
# While a model writes, it keeps keys and values of all that it has read. Notebook 05 counted them. Llama 2 7B has thirty-two key-value heads, since its grouped-query attention begins at 34B.
#
# **Predict.** A text of 32 thousand tokens, one user, 16-bit numbers: do its keys and values take less than the 13 gigabytes of the weights, or more?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "less, it is only one text". It is more. Two remedies are drawn beside it: share heads, and stop looking back. The first is in Llama 2 70B already; the second is today's subject.
#
# Llama 2 was not made for such lengths, so the red line is arithmetic and no use case. Three minutes.

# %% tags=["result", "remove-input"]
llama, mistral = (LlamaConfig.named(name) for name in ("llama-2-7b", "mistral-7b"))
window = paper.context("mistral", "swa").value["window"]
lengths = [1024 * 2**n for n in range(6)]
kept = {"Llama 2 7B": [llama.kv_cache_bytes(1, n) for n in lengths],
        "with 8 key-value heads": [mistral.kv_cache_bytes(1, n) for n in lengths],
        "and a window of 4k": [mistral.kv_cache_bytes(1, min(n, window))
                               for n in lengths]}
assert kept["Llama 2 7B"][-1] > 2 * llama.parameter_count()
show(drawings.draw_cache(lengths, kept),
     "Gibibytes of keys and values against the length of the text: steep for Llama 2 "
     "7B, a quarter of that with eight heads, and level from four thousand tokens on "
     "with a window.", name="15_cache")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-mistral", "short"]
# ## Meta employees, Mistral AI: who went where
#
# Llama 1 has fourteen authors. Two of them, Guillaume Lample and Timothée Lacroix, founded Mistral AI with Arthur Mensch of DeepMind in the spring of 2023. They did not sign Llama 2; its acknowledgements thank them for having helped to start it.

# %% [markdown] slideshow={"slide_type": "notes"}
# A common slide in talks says that the authors of Llama 2 founded Mistral. They did not. The two founders are authors of Llama 1; two others, Lachaux and Lavril, signed Llama 1, Llama 2 and Mistral 7B.
#
# Counts of who left are of May 2025, by the press; say the date with the number. Two minutes.

# %% tags=["remove-input"]
names = {"founders": "who founded it", "not-llama2-authors": "the founders and Llama 2",
         "overlap-authors": "who signed all three papers",
         "llama1-departures": "Llama 1 authors who left Meta, by May 2025",
         "llama1-at-mistral": "of whom at Mistral then"}
facts = {name: paper.context("mistral", name).value for name in names}
both = facts["overlap-authors"]
rows = [[names["founders"], "; ".join(
            f"{who} ({where})" for who, where in facts["founders"].items())],
        [names["not-llama2-authors"], "thanked, not among its "
         f"{paper.fact('paper_authors').value} authors"],
        [names["overlap-authors"], ", ".join(both["all_three"])],
        [names["llama1-departures"], "{left_by_2025_05} of {authors}".format(
            **facts["llama1-departures"])],
        [names["llama1-at-mistral"], facts["llama1-at-mistral"]["count"]]]
table(rows, ["", "by the sources of the ledger"], "People between three papers")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## From a round without a product to a model in fifteen weeks
#
# Dates are those of the ledger. When the company was founded, sources do not agree: April or May 2023. A hundred and five million euros were raised before there was anything to show.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what one can do in fifteen weeks with a hundred million. One can copy what works: the block of Llama, nearly unchanged. What the rest was spent on can only be guessed; of the data the paper says nothing at all.
#
# Two minutes.

# %% tags=["remove-input"]
when = {name: paper.context("mistral", name).value["date"]
        for name in ("seed", "release", "series-a")}
out = paper.fact("paper_v1_date").value
millions = {name: paper.context("mistral", name).value["amount_eur"] / 1e6
            for name in ("seed", "series-a")}
events = [(when["seed"], f"{millions['seed']:.0f} million euros", "orange"),
          (out, "Llama 2", "green"), (when["release"], "Mistral 7B", "blue"),
          (when["series-a"], f"{millions['series-a']:.0f} million euros", "orange")]
days = (date.fromisoformat(when["release"]) - date.fromisoformat(out)).days
assert days == paper.context("mistral", "release").value["days_after_llama2"]
show(drawings.draw_timeline(events),
     "A line of the year 2023 with four dates: a seed round in June, Llama 2 in July, "
     "Mistral 7B in September, a second round in December.", name="15_timeline")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-mistral"]
# ## The idea: look back a little, and let layers do the rest
#
# Every token sees itself and the $W - 1$ tokens before it. What nobody will look at again need not be kept: position $i$ is stored in slot $i \bmod W$, over what lay there. Move the sliders.

# %% [markdown] slideshow={"slide_type": "notes"}
# Demo: window 4, then 13 tokens read, and ask which positions are still there and why they do not stand in order. Then window 8.
#
# Ask what is lost. Expect "everything before the window". The slide on how far news travels measures why that is wrong. Three minutes.

# %% tags=["remove-input"]
frames(drawings.draw_window, drawings.describe_window, figsize=(9.5, 3.7),
       window=[2, 4, 8], tokens_read=[1, 3, 6, 9, 13])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: a band in place of a triangle
#
# Queries and keys carry their positions, since in a cache that rolls the place of a key says nothing about where it stands in the text.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what each condition is for. The first keeps the future out, the second the far past, the third slots that are still empty. Then ask what the mask of notebook 05 is in this notation: a window as wide as the text.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("band_mask")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## It is an old idea, and it met grouped heads at the right size
#
# Bands of attention are in the Sparse Transformer of 2019 and in Longformer of 2020; GPT-3 alternates them with full layers. Grouped-query attention is of 2023, and Llama 2 has it from 34B on. Mistral put both into a model of 7B, where memory for the cache is what limits how many users one card can serve.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why Llama 2 did not group heads at 7B. The paper groups them in its larger models because of the size of the cache, and does not say why not in the small ones. A guess: for four thousand tokens the cache of the 7B model takes two gibibytes, as the first figure shows, and that could be afforded.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Build it: the mask in two comparisons
#
# How far back does each key lie? Between zero and $W - 1$ it is seen.
#
# **Predict.** A row of the mask for the tenth token, a window of four: how many ones?

# %% [markdown] slideshow={"slide_type": "notes"}
# Four, itself included. The commonest slip is five: "the last four and itself".
#
# Two minutes.

# %%
def band(length: int, window: int) -> Tensor:
    position = torch.arange(length)
    back = position[:, None] - position[None, :]  # (length, length)
    return (back >= 0) & (back < window)


print(band(6, 3).int())
assert band(10, 4)[9].sum() == 4

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Build it: slots that are written over
#
# A list of as many slots as the window is wide. Each new token takes the slot of its position modulo $W$.
#
# **Predict.** After ten tokens and a window of four: what lies in slot 0?

# %% [markdown] slideshow={"slide_type": "notes"}
# Position 8. Expect "6, the oldest that is kept". The oldest lies in slot 2.
#
# Two minutes.

# %% tags=["result"]
slots = [None] * 4
for position in range(10):
    slots[position % 4] = position
    print(f"after position {position}: {slots}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? A full Llama with a band for a mask
#
# The truth is the Llama of notebook 06, which knows of no window: we hand the band to its blocks from outside.
#
# **Predict.** In single precision, how large is the largest difference, as a share of the largest logit?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect some millionths of rounding. It is nothing at all, since both take the same sums in the same order. Ask which part of the code the two have in common: all of the block, and nothing of the mask.
#
# Two minutes.

# %% tags=["result"]
torch.manual_seed(0)
shape = LlamaConfig(101, 48, 4, 4, n_kv_heads=2, ffn_dim=96, max_seq_len=128)
model = Mistral(shape, window=8).eval()
for weight in model.parameters():
    weight.data *= 4  # louder than at the start, so that mistakes are heard
tokens = torch.randint(1, 101, (3, 40))
with torch.no_grad():
    x, angles = model.embedding(tokens), (model.cos[:40], model.sin[:40])
    for block in model.layers:
        x = block(x, *angles, band(40, 8))
    by_hand, ours = model.output(model.norm(x)), model(tokens)
peak = ours.abs().max()  # differences are given as a share of it
print(f"largest difference {(ours - by_hand).abs().max() / peak:.1e}")
assert (ours - by_hand).abs().max() < 1e-5 * peak

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? The Mistral of transformers
#
# The library that serves Mistral 7B to the world has a class for it. We give the tiny base of notebook 07 a window, write it to a folder, open it there with the same window, and compare. Then we tell the library a window that is wider by one.
#
# **Predict.** By how much do the logits then differ, as a share of the largest: by rounding, by a hundredth, by more?

# %% [markdown] slideshow={"slide_type": "notes"}
# By much more than a hundredth: of eight tokens one more is a lot, in every layer. Then ask who would notice it without this comparison. Hardly anybody: a model trained with either window works, and at 4,096 one token more or less is next to nothing.
#
# The slip is easy to make, since the Mistral paper can be read both ways: its text lets position i look at those from i minus W on, its figure counts W tokens with the token itself.
#
# The second line of the output is the control: a check that cannot fail shows nothing. Three minutes.

# %% tags=["result", "remove-input"]
base = stages.get("base")
big = Mistral(base.model.config, window=8).eval()
big.load_state_dict(base.model.state_dict())
asked = torch.randint(1, 1024, (2, 60))
with tempfile.TemporaryDirectory() as folder, torch.no_grad():
    save_pretrained(big, base.tokenizer, Path(folder) / "model")
    for theirs in (8, 9):
        settings = transformers.AutoConfig.from_pretrained(Path(folder) / "model")
        made = {k: v for k, v in settings.to_dict().items()
                if k not in ("model_type", "architectures")}
        peer = transformers.MistralForCausalLM.from_pretrained(
            Path(folder) / "model", config=transformers.MistralConfig(
                **made | {"sliding_window": theirs}), attn_implementation="eager")
        mine = big(asked)
        gap = (mine - peer(asked).logits).abs().max() / mine.abs().max()
        print(f"window 8 against {theirs}: off by {gap:.1e} of the largest logit")
        assert (gap < 1e-5) == (theirs == 8)
        holds(theirs == 8 or gap > 0.01, "one token more moves the logits visibly")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: append to a cache that rolls
#
# What was stored and what is new are handed to attention side by side. Only then are the slots written.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the new keys are not simply written and read from the slots, as the cache of notebook 05 does. Give it to them as a riddle; the bug comes in three slides.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("rolling_cache", source=False)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Cut the text anywhere
#
# Read a text at once, and read it in pieces through the rolling cache. Cached must equal uncached, however it is cut: token by token, in pieces longer than the window, in one.
#
# **Predict.** How large is the largest difference now: nothing at all, as with the mask, or some millionths?

# %% [markdown] slideshow={"slide_type": "notes"}
# Some millionths, even for one piece: attention now sums over slots that are hidden or empty as well, so the sums are taken in another order. Say what is compared: logits of every token, not of the last alone.
#
# Ask how many slots the cache has after forty tokens: eight, before and after.
#
# Two minutes.

# %% tags=["result"]
def in_pieces(model, tokens: Tensor, cuts: list[int]) -> Tensor:
    cache = RollingCache(model.config, len(tokens), model.window)
    return torch.cat([model(part, cache) for part in tokens.split(cuts, 1)], 1)


with torch.no_grad():
    for cuts in ([1] * 40, [25, 15], [3, 20, 1, 9, 7], [40]):
        gap = (in_pieces(model, tokens, cuts) - ours).abs().max() / peak
        print(f"{len(cuts):2d} pieces: largest difference {gap:.1e}")
        assert gap < 1e-5

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## How far does news travel? One window a layer
#
# A token sees $W - 1$ tokens before it, and these have seen $W - 1$ before them. We take the gradient of the last token's state after each layer at every token's embedding: where it is zero, nothing has arrived.
#
# **Predict.** Four layers, a window of eight: from how many tokens back can news arrive at all? And how much of it arrives?

# %% [markdown] slideshow={"slide_type": "notes"}
# From twenty-eight: four times seven. Then look at the colours: the scale is a logarithm. What can arrive is one thing, what does arrive fades from window to window.
#
# The weights are random, those of the checks above. So the border of the field holds for every model, and the fading is that of a model which has not learnt to pass anything on.
#
# The paper names a reach of about {{context:mistral.swa.nominal_reach|,}} tokens for {{context:mistral.swa.layers}} layers. That is the border of the coloured field, not the dark part of it. Four minutes.

# %%
def influence(model, tokens: Tensor) -> Tensor:
    """Of each token on the last, after every layer: (n_layers, length)."""
    start = model.embedding(tokens).detach().requires_grad_()
    positions, mask = model._positions(tokens, None)
    angles, x, rows = (model.cos[positions], model.sin[positions]), start, []
    for block in model.layers:
        x = block(x, *angles, mask)
        pull, = torch.autograd.grad(x[0, -1].norm(), start, retain_graph=True)
        rows.append(pull[0].norm(dim=1))
    return torch.stack(rows)


# %% tags=["result", "remove-input"] slideshow={"slide_type": "subslide"}
grids, text = {}, tokens[:1, :33]
for name, wide in (("window 4", 4), ("window 8", 8), ("full attention", 33)):
    trial = Mistral(shape, wide)
    trial.load_state_dict(model.state_dict())
    grid = influence(trial, text)
    for layer, row in enumerate(grid, 1):
        assert int((row > 0).sum()) == min(33, layer * (wide - 1) + 1)
    grids[name] = grid / grid.max(dim=1, keepdim=True).values
show(drawings.draw_reach(grids),
     "Three maps, one for each window: rows are layers, columns are tokens before the "
     "last. With a window the coloured field grows by one window a layer and pales on "
     "its far side; with full attention it is whole from the first layer on.",
     name="15_reach")

# %% [markdown] slideshow={"slide_type": "notes"}
# The assertion in the cell is the formula: after layer k exactly $k(W - 1)$ tokens before the last one reach it, and itself.
#
# Ask what a model would have to do to use the far end: copy a fact forward, window by window, before it knows that it will be asked. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: write first, then read
#
# The cache of notebook 05 writes new keys and returns what it holds. Do the same with slots, and read a text in pieces of six through a window of eight.
#
# **Predict.** Token by token it will be right. Which tokens of a piece are wrong: the first, the last, all?

# %% [markdown] slideshow={"slide_type": "notes"}
# All. In the first layer only the last token of a piece is right: the later ones have been written over keys that the earlier still needed. From the second layer on it is wrong as well, since it reads the others. Generation, one token at a time, never shows it; reading the prompt does. So a demo works and long prompts are answered by a confused model.
#
# The check is the one above: any cut. Three minutes.

# %%
class Hasty(RollingCache):
    """Writes, and then returns what the slots hold."""

    def append(self, layer, key, value):
        super().append(layer, key, value)
        return self.keys[layer], self.values[layer]

    def key_positions(self, positions):
        last = positions[:, -1:]
        return last - (last - torch.arange(self.window)) % self.window


# %% tags=["result", "remove-input"] slideshow={"slide_type": "subslide"}
with torch.no_grad():
    for name, kind in (("fails", Hasty), ("passes", RollingCache)):
        for size in (1, 6):
            cache = kind(shape, 3, 8)
            parts = [model(part, cache) for part in tokens[:, :36].split(size, 1)]
            gap = (torch.cat(parts, 1) - ours[:, :36]).abs().amax((0, 2)) / peak
            by_place = gap[12:].view(-1, size).amax(0)
            print(f"{name}, pieces of {size}: largest difference by place in the "
                  f"piece {[float(f'{x:.0e}') for x in by_place]}")
    assert (gap < 1e-5).all()

# %% [markdown] slideshow={"slide_type": "notes"}
# Differences are shares of the largest logit: one means that nothing is left of the answer.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: rotate by the slot
#
# Keys are stored rotated by their position. Somebody who rotates by the slot instead saves a number and gets angles that start anew every $W$ tokens.
#
# **Predict.** Up to which token is that model right?

# %% [markdown] slideshow={"slide_type": "notes"}
# Up to the eighth, where slot and position are the same. Then every distance across the seam is wrong. On short tests nobody sees it.
#
# Two minutes.

# %% tags=["result"]
class BySlot(Mistral):
    def _positions(self, tokens, cache):
        positions, mask = super()._positions(tokens, cache)
        return positions % self.window, mask


wrong = BySlot(shape, 8).eval()
wrong.load_state_dict(model.state_dict())
with torch.no_grad():
    gap = (wrong(tokens) - ours).abs().amax(dim=(0, 2)) / peak  # (length,)
first = int((gap > 1e-4).nonzero()[0])
print(f"right up to token {first}, then off by up to {gap.max():.2f}")
assert first == model.window

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The tiny Mistral beside the tiny Llama
#
# The small models of notebook 07 again, two layers, texts of 128 tokens, the same batches. They differ in the window alone: 8, 32, or the whole text. Three seeds.
#
# **Predict.** In each layer a window of 32 hides three quarters of the text from the last token. What does that cost in loss: much, a little, nothing?

# %% [markdown] slideshow={"slide_type": "notes"}
# Everybody expects a cost. In these runs the narrow window is better, and clearly. We expected a cost too, and the first version of this slide said so.
#
# Do not explain it yet; ask for explanations and keep them for the next slide. Two candidates: what is near is all that matters here, or the narrow model learns faster. Three minutes.

# %% tags=["result", "remove-input"]
study = stages.get("windows")
widths = sorted({row["window"] for row in study})
label = {w: "full attention" if w == widths[-1] else f"window {w}" for w in widths}
losses = {w: [row["loss"] for row in study if row["window"] == w] for w in widths}
holds(paired_difference(losses[widths[0]], losses[widths[-1]]).high < 0,
      "the narrowest window is ahead, and its interval leaves out zero")
holds(sum(losses[8]) < sum(losses[32]) < sum(losses[widths[-1]]),
      "the narrower the window, the lower the loss")
show(drawings.draw_losses({label[w]: interval(losses[w]) for w in widths}),
     "Held-out loss of windows of 8, 32 and 128 tokens with intervals over three "
     "seeds: the narrower, the lower.", name="15_losses")

# %% tags=["remove-input"] slideshow={"slide_type": "subslide"}
rows = []
for narrow in widths[:-1]:
    gap = paired_difference(losses[narrow], losses[widths[-1]])
    rows.append([label[narrow], gap.mean, f"{gap.low:+.3f} to {gap.high:+.3f}",
                 "yes" if gap.excludes(0) else "no"])
table(rows, ["", "loss above full attention (nats)", "95% interval", "shown?"],
      "Window against full attention, three seeds, pair by pair", "+.3f")

# %% [markdown] slideshow={"slide_type": "notes"}
# Below zero is better. In the picture before, intervals may overlap; here two runs of one seed are compared, and what the seed does to both drops out. Three seeds are few, and an interval of three is itself uncertain: ask whether it leaves out zero, and do not read much into its width.
#
# The paper reports, at its scale and with twice the context, the opposite sign for long inputs; notebook 03 has the table.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Why? Look where the window hides nothing
#
# Up to its eighth token a text fits into the narrowest window. There all three models see exactly the same. If the far past did harm only where it is seen, they would be equal there and part later. If the narrow model has learnt more, it is ahead there already.
#
# **Predict.** Which of the two?

# %% [markdown] slideshow={"slide_type": "notes"}
# It is ahead there already, in the mean of the first eight. So its weights are better where it sees no less: in a hundred and sixty steps it learnt to use the tokens nearby. Look at the very first token, which sees only itself: there it is behind.
#
# Why it learns this faster the picture does not say. Two guesses: the full model still spreads its attention over far tokens that it cannot use yet, and the band tells the narrow one where to look; or the narrow one practises short contexts at every place, the full one only at the beginning.
#
# What this does not say either: that Mistral's window of four thousand would help, or that the order holds after a long training. Ask how one would find out: train longer, and let the curves cross or not. Positions are averaged over nine neighbours, and over fewer at the beginning, so that the first tokens are not blurred. Three minutes.

# %% tags=["result", "remove-input"]
curves = {label[w]: [sum(column) / 3 for column in zip(*(
    row["by_position"] for row in study if row["window"] == w))] for w in widths}
narrow, full = curves[label[8]], curves[label[widths[-1]]]
holds(sum(narrow[:8]) < sum(full[:8]),
      "the narrow window is ahead in its first eight tokens, where it hides nothing")
holds(narrow[0] > full[0], "at the very first token the narrow window is behind")
show(drawings.draw_positions(curves),
     "Held-out loss against position for three windows: all fall steeply at first; the "
     "window of eight crosses below the others before its eighth token.",
     name="15_positions")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 7B: where the parameters went
#
# Grouping heads makes the matrices of keys and values smaller. Mistral has as many layers as Llama 2 7B and the same width, and yet half a billion parameters more.
#
# **Predict.** Where are they?

# %% [markdown] slideshow={"slide_type": "notes"}
# In the feed-forward layers: {{context:models.mistral-7b.d_ff}} wide, where Llama 2 7B has {{context:models.llama2-7b.d_ff}}. So "a 7B that beats a 13B" is a comparison of a little over seven with thirteen, and against Llama 2 7B it has seven per cent more.
#
# The sums are those of our own configuration; the ledger counts the same. Three minutes.

# %% tags=["result", "remove-input"]
def parts(config: LlamaConfig) -> list[float]:
    """Millions of parameters: keys and values, feed-forward, all."""
    pairs = 2 * config.dim * config.n_kv_heads * config.head_dim
    wide = 3 * config.dim * config.ffn_dim
    return [n / 1e6 for n in (config.n_layers * pairs, config.n_layers * wide,
                              config.parameter_count())]


rows = [[name, *parts(config)] for name, config in (
    ("Llama 2 7B", llama), ("Mistral 7B", mistral))]
rows.append(["difference", *(b - a for a, b in zip(rows[0][1:], rows[1][1:]))])
table(rows, ["", "keys and values", "feed-forward", "all"],
      "Millions of parameters", ",.0f")
counted = paper.context("models", "mistral-7b").value["params_recomputed"]
assert mistral.parameter_count() == counted

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 7B: what the window saves
#
# Operations of one new token are those of the weights and those of attention. Only attention grows with the text, and a window stops it.
#
# **Predict.** At 16 thousand tokens the paper reports about twice the speed. How much do the operations say?

# %% [markdown] slideshow={"slide_type": "notes"}
# Well below two: at 7B the weights still cost more than attention at sixteen thousand tokens. Over a whole text of that length the saving is smaller still, since its early tokens see less.
#
# Ask where two could come from. The paper speaks of changed attention kernels against a plain attention, and does not say whether the whole model was timed. The operations of attention alone, over the whole text, shrink by a little more than two. Besides, an operation of attention takes longer than one of a matrix product, and the cache must be read.
#
# So a number may be right and still not be what one thought it was. Three minutes.

# %% tags=["result", "remove-input"]
rows = []
for n in (4096, 16_384, 32_768, 131_072):
    # flops_per_token takes the mean over a text: k keys are the mean of 2k - 1
    full, banded = (mistral.flops_per_token(2 * k - 1) for k in (n, min(n, window)))
    stored = [mistral.kv_cache_bytes(1, k) / 2**30 for k in (n, min(n, window))]
    rows.append([f"{n:,}", full / 1e9, banded / 1e9, full / banded, *stored,
                 stored[0] / stored[1]])
table(rows, ["tokens", "full (GFLOP)", "window", "ratio", "full (GiB)",
             "window", "ratio"], "Mistral 7B, the last token of a text: operations, "
      "then keys and values", ".1f")
eighth = paper.context("mistral", "rolling-buffer").value["saving_at_32k"]
assert f"{rows[2][-1]:.0f}x" == eighth and rows[1][3] < 1.5

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-mistral", "short", "predict"]
# ## The claim: better than Llama 2 13B on every benchmark
#
# The abstract says so. Table 2 of the same paper has twelve benchmarks, all measured by Mistral with the same program. We subtract.
#
# **Predict.** On how many of the twelve is the difference positive?

# %% [markdown] slideshow={"slide_type": "notes"}
# Eleven. The exception is small, two tenths of a point on NaturalQuestions, and nobody should make much of it. But "all" is a word that can be checked, and it took one subtraction.
#
# Large are the differences in code and mathematics; small ones are within what another program would give, as the next slide shows. Three minutes.

# %% tags=["result", "remove-input"]
scores = paper.context("mistral", "scores").value
gains = [a - b for a, b in zip(scores["Mistral 7B"], scores["Llama 2 13B"])]
worse = [name for name, gain in zip(scores["columns"], gains) if gain < 0]
assert worse == ["NQ"] and len(gains) == 12
show(drawings.draw_scores(scores["columns"], gains),
     "Bars of Mistral 7B less Llama 2 13B on twelve benchmarks: eleven to the right of "
     "zero, NaturalQuestions a little to the left.", name="15_scores")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Whose numbers? The same model, measured twice
#
# Mistral measured Llama 2 13B anew. Llama 2's own Table 20 has six of these benchmarks.
#
# **Predict.** How far apart are two measurements of one model: tenths of a point, one point, five?

# %% [markdown] slideshow={"slide_type": "notes"}
# Up to about two points: number of examples in the prompt, scoring by label or by full text, and more. Notebook 14 is about that. A difference of half a point between two papers is none.
#
# Two minutes.

# %% tags=["result", "remove-input"]
own = paper.table("table_20")
columns, row = own.raw["columns"], next(
    row for row in own.raw["rows"] if row[:2] == ["Llama 2", "13B"])
theirs = dict(zip(scores["columns"], scores["Llama 2 13B"]))
rows = [[name, row[columns.index(name)], theirs[name],
         theirs[name] - row[columns.index(name)]] for name in columns if name in theirs]
table(rows, ["benchmark", "Llama 2 paper", "Mistral paper", "difference"],
      "Llama 2 13B, percent", ".1f")
assert max(abs(row[3]) for row in rows) > 0.5

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports, and what it keeps to itself
#
# The weights came under {{context:mistral.release.license}}, freer than Llama's licence. What they were trained on, and on how many tokens, is not said. Llama 2 gives fewer rights and more facts.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which of the two they would call more open. Both answers are right, and that is the point: a licence, a recipe and data are three things.
#
# Its chat version was tuned on public instruction data alone, without reinforcement learning. Two minutes.

# %% tags=["remove-input"]
rows = [["licence of the weights", "community licence of Meta",
         paper.context("mistral", "release").value["license"]],
        ["training tokens", paper.context("models", "llama2-7b").value["tokens"],
         paper.context("mistral", "openness-irony").value["tokens"]],
        ["attention at 7B", "multi-head, full", "8 key-value heads, window"],
        ["context in tokens", llama.max_seq_len, mistral.max_seq_len],
        ["alignment of the chat model", "SFT, RLHF in five versions",
         "public instructions, no RLHF"]]
table(rows, ["", "Llama 2 7B", "Mistral 7B"], "Two kinds of open")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed since: the window went, the grouped heads stayed
#
# The next version of the same model, of March 2024, dropped the window and raised the base of RoPE to {{context:mistral.swa-dropped.rope_base|,}} for a context of {{context:mistral.swa-dropped.context|,}} tokens. Mixtral, of December 2023, has none either. Grouped-query attention is in Llama 3 at every size.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why. Its makers gave no reason that we know of. Two guesses: better kernels made full attention cheaper, and a border in what can be looked up is hard to explain to users. Later models mix windows and full layers, which is GPT-3's idea again.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: what lies where (6 minutes)
#
# After `read` tokens, positions 0 to `read - 1`, return what each of `window` slots holds: a position, or -1 where nothing was written yet.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: positions in order, which is what a queue holds, and counting from one.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def held(read: int, window: int) -> list[int]:
    """The position in each slot."""
    ### BEGIN SOLUTION
    last = read - 1
    found = [last - (last - slot) % window for slot in range(window)]
    return [position if position >= 0 else -1 for position in found]
    ### END SOLUTION


checks.check_held(held)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: who is seen (4 minutes)
#
# Return the positions that the token at position `query` sees through a window, in rising order.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: one too many, the token itself left out, positions below zero.
#
# Four minutes.

# %% tags=["exercise", "minutes-4"]
def seen(query: int, window: int) -> list[int]:
    """Positions of the keys."""
    ### BEGIN SOLUTION
    return list(range(max(0, query - window + 1), query + 1))
    ### END SOLUTION


checks.check_seen(seen)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: bytes of a cache (6 minutes)
#
# One text of `length` tokens, 16-bit numbers. `window` is None for full attention. Return the bytes of the keys and values that are stored in all layers.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: keys without values, one byte a number, bits in place of bytes, one layer, the window where the text is shorter.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def cache_bytes(length: int, window: int | None, layers: int, kv_heads: int,
                head_dim: int) -> int:
    """Bytes of the keys and values of one text."""
    ### BEGIN SOLUTION
    stored = length if window is None else min(length, window)
    numbers = 2 * layers * stored * kv_heads * head_dim
    return 2 * numbers
    ### END SOLUTION


checks.check_cache_bytes(cache_bytes)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# Mistral 7B is Llama 2 with eight key-value heads, a wider feed-forward layer, and a window. The window makes the cache level and lets news travel one window a layer, fading; after a short training our tiny models are even ahead with it. The founders signed Llama 1 and not Llama 2. The claim holds on eleven benchmarks of twelve, and two measurements of one model differ by more than some of the differences.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for one sentence of a press release that they would now check, and how.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Mistral 7B](https://arxiv.org/abs/2310.06825). [Longformer](https://arxiv.org/abs/2004.05150), the band. [Sparse Transformers](https://arxiv.org/abs/1904.10509). [Grouped-query attention](https://arxiv.org/abs/2305.13245). [Llama 1](https://arxiv.org/abs/2302.13971), for its list of authors.
#
# Next: notebook 16, discussion and future research.

# %% [markdown] slideshow={"slide_type": "notes"}
# The first link is nine pages, pictures included. One minute.
