# %% [markdown] slideshow={"slide_type": "slide"}
# # Text enters as pieces that were counted, not designed
#
# A model reads numbers, so text must become a sequence of numbers from a fixed list. Byte-pair encoding learns that list from the text itself: join what stands together most often, and repeat.
#
# **Paper**: section 2.2. **Minutes**: 75, exercises 30. **On the map**: *tokenizer*, norm, position, feed-forward, attention, model, pretraining.
#
# Afterwards you can train a tokenizer, encode by the rules of Llama 2, prove both right, and name the bugs that leave the text readable.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask: what does a language model read, letters or words? Expect both answers, about half and half. Neither, and this lesson says why.
#
# Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
import dataclasses
import io
import random
from collections import Counter

import sentencepiece
import torch
from torch.nn import functional as F

from minillama import paper, pasture, stages
from minillama.bpe_training import SPACE, may_be_piece
from minillama.config import LlamaConfig
from minillama.tokenizer import Tokenizer
from minillama.teach import algorithm, explore, frames, holds, show, table
from minillama.teach.checks import nb_01 as checks
from minillama.teach.drawings import nb_01 as drawings

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The world of this series is a farm, and a program wrote it
#
# Llama 2 learnt from {{fact:pretrain_tokens}} tokens of publicly available text. Our model learns from the **Pasture**: small texts about animals on a farm, made by a program from a seed. They are artificial, and that is their use: every fact in them is known, so every answer can be scored.

# %% [markdown] slideshow={"slide_type": "notes"}
# Say it plainly: nobody collected these texts, a generator with a grammar and a dice wrote them. The same seed gives the same farm on every machine.
#
# Ask what is lost by that. Expect "realism". Also ask what is gained: truth that can be checked, no licence, no personal data. Two minutes.

# %%
for kind in ("fact", "question", "sum", "rhyme"):
    document, = pasture.corpus(1, kinds=[kind])
    print(f"--- {kind}\n{document.text}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Characters make texts long, words leave the unknown
#
# The two obvious lists are the characters and the words. We collect each from a thousand documents of the Pasture and read new ones with it, and then the first sentence of *Alice in Wonderland*.
#
# **Predict.** Which share of the words is missing from the list: in new documents of the Pasture, and in Alice?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let the class write two percentages down. Expect small numbers for both, since Alice is plain English.
#
# The Pasture has fewer than two thousand words in all, and still some are missing. Words are cut at spaces here, so the same word with a comma behind it is another word, which is part of the price of such a list. Three minutes.

# %% tags=["result"]
seen = pasture.texts(1000)
unseen = pasture.texts(300, split="heldout")
rows = []
for unit, cut in (("characters", list), ("words", str.split)):
    known = {part for text in seen for part in cut(text)}
    parts = [part for text in unseen for part in cut(text)]
    missing = [sum(part not in known for part in text) / len(text)
               for text in (parts, cut(drawings.ALICE))]
    rows.append([unit, len(known), f"{len(parts) / len(unseen):.0f}",
                 *(f"{share:.1%}" for share in missing)])
columns = ["unit", "in the list", "in a document", "unknown", "and in Alice"]
table(rows, columns, "What a list from a thousand documents knows")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Both answers waste what the model has least of
#
# Attention compares every unit with every other one, so a text five times as long costs more than five times the work, and the context fills up early.
#
# An unknown word is worse: it becomes one common symbol, `<unk>`, and its letters are gone. No amount of training brings them back, and the model can never write that word.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which of the two failures can be repaired by a bigger computer. The long text can, the lost word cannot.
#
# One minute.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The models before: words, then letters, then pieces
#
# Word vectors of 2013 had a row for each word and none for the rest. Models of characters had no unknown and very long texts.
#
# In 2016 Sennrich and others took a **compression** scheme of 1994, byte-pair encoding, and kept frequent words whole and rare ones in parts. BERT's WordPiece is a relative. GPT-2 runs it on bytes, Llama on characters with bytes to fall back on.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for a word that should be one piece and one that should not. Good: "the" and "hedgehogs".
#
# The original purpose was to shrink files. That it makes a good alphabet for a neural network was found out twenty years later. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Join the most frequent neighbours, and repeat
#
# At first every character is a piece. Move the slider: at each step the pair that stands side by side most often in the Pasture becomes one piece, everywhere. The sign `▁` is a space made visible.

# %% [markdown] slideshow={"slide_type": "notes"}
# Before touching it, ask which pair is joined first. Expect "t and h". It is h and e, since "she" and "her" hold them as well as "the"; the space and t come second, and after the third merge "the" is one piece with its space in front.
#
# Demo: click into the slider and use the arrow keys. Let someone call out when the first whole word appears.
#
# Two things to watch in the lower sentence: the digits of 12 and 19 never join, and neither does the letter with two dots, which the Pasture does not contain. Both are explained later. Four minutes.

# %% tags=["remove-input"]
frames(drawings.draw_cut, drawings.describe_cut,
       merges=[0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 186])

# %% tags=["live"] slideshow={"slide_type": "skip"}
explore(drawings.draw_cut, merges=range(187))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The best pair is always taken, so the counts fall
#
# A tokenizer small enough to read: 512 pieces from three thousand documents (that of the series has 1,024). Three of them are marks (`<unk>`, `<s>`, `</s>`), 256 are the bytes, the rest are the characters of the text and their unions. The function `on_merge` is told every pair and its count.
#
# **Predict.** The first pair stands side by side more than eighteen thousand times. By what factor has the count fallen at the eighth merge, and at the last one that finds room: by two, three, ten, forty, a thousand?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "a thousand" for the last. With so short a list every piece is still common; the lists of real models end at far rarer ones.
#
# Let them add up: three marks, 256 bytes, 67 characters and the merges make 512. Two minutes.

# %% tags=["result"]
texts, learnt = pasture.texts(3000), []
tokenizer = Tokenizer.train(
    texts, 512, on_merge=lambda pair, count: learnt.append((pair, count)))
for (left, right), count in learnt[:8]:
    print(f"{left:>3} + {right:<3} {count:6d} times")
print(len(learnt), "merges; the last:", learnt[-1])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: learning the pieces
#
# The counts are corrected around each merge and not counted anew. That changes the time and nothing else, and the next slides check it.

# %% [markdown] slideshow={"slide_type": "notes"}
# Walk through the steps on the left, let the class find them on the right. Step 3 puzzles: the same piece can be put together in two ways, ab and c or a and bc, and it enters the list once.
#
# Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("tokenizer_train")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Build it: every symbol in brackets of its own
#
# Spaces become visible, and every line gets one in front. Then each character stands in brackets, so that `[t][h]` are two symbols and `[th]` is one. Joining a pair is now a plain replacement of text.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the brackets are needed at all. Without them nobody could tell the symbol th from t and h side by side. A text that holds brackets itself would need other signs; the Pasture has none.
#
# Sennrich published a version with regular expressions; two brackets do the same. Two minutes.

# %%
def in_brackets(text: str) -> str:
    lines = [SPACE + line.replace(" ", SPACE) for line in text.split("\n")]
    return "".join(f"[{character}]" for character in "\n".join(lines))


print(in_brackets("the owl"))
print(in_brackets("the owl").replace("[t][h]", "[th]"))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Count all neighbours, take the best
#
# The most frequent pair wins. Of equals the shorter union wins, and then the one that comes first by code point. What may be a piece at all is a rule of its own, which has a slide to itself.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask what happens without a rule for ties. The result would depend on the order of a dictionary, and two programs need not agree.
#
# In the example three pairs stand side by side three times each: the space and o, t and h, h and e. All unions have two characters, so the code point decides.
#
# Two minutes.

# %%
def best_pair(text: str) -> tuple[str, str]:
    symbols = text[1:-1].split("][")
    count = Counter(zip(symbols, symbols[1:]))
    allowed = [pair for pair in count
               if "\n" not in pair and may_be_piece("".join(pair))]
    return min(allowed, key=lambda p: (-count[p], len("".join(p)), "".join(p)))


print(best_pair(in_brackets("the owl saw the other owls")))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A dozen lines, and the same merges as the package
#
# The whole loop counts everything anew at each step. It is slow and hard to get wrong, which is what one wants of a witness: the package, with its corrected counts and its heap, must join the same pairs in the same order.

# %% [markdown] slideshow={"slide_type": "notes"}
# The comparison is the point of the slide. A fast program that is checked by a slow and obvious one can be trusted; the other way round nothing is gained.
#
# Ask where the time goes. Counting: the text is read once for every merge. Two minutes.

# %%
few, mine, theirs = texts[:150], [], []
line = in_brackets("\n".join(few))
for _ in range(120):
    left, right = best_pair(line)
    line = line.replace(f"[{left}][{right}]", f"[{left}{right}]")
    mine.append((left, right))
Tokenizer.train(few, 512, on_merge=lambda pair, count: theirs.append(pair))
assert mine == theirs[:120]
print(mine[-4:])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## What may be a piece? The rules make the tokenizer
#
# Counting alone would glue whole sentences of the Pasture together. SentencePiece, the program behind Llama's tokenizer, forbids some unions.
#
# **Predict.** Which of these may become one piece: `▁likes`, `▁likes▁to`, `▁▁`, `12`, `▁1`, `owl.`, `...`, `été`, `owlсова`?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let hands go up for each. The last one mixes Latin and Cyrillic letters.
#
# Expect trouble with the two spaces. A run of nothing but spaces is allowed, and that is what makes indented code cheap. Three minutes.

# %% tags=["result"]
candidates = ["▁likes", "▁likes▁to", "▁▁", "12", "▁1", "owl.", "...", "été",
              "owlсова"]
for piece in candidates:
    print("may" if may_be_piece(piece) else "not", repr(piece))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Four rules, and each has a reason
#
# - A space only **begins** a piece, or fills it: pieces stay inside words.
# - **Digits** stay alone, so that numbers are spelt in one way.
# - Letters never join punctuation or another **alphabet**: `owl` and `owl.` share their pieces.
# - No piece is longer than sixteen characters.
#
# Ties are decided by length and then by code point. Without that last rule two trainers would part at the first tie.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which rule they would drop for source code. Some tokenizers do let pieces cross spaces, since code repeats whole phrases.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Ask someone who does not know our code: SentencePiece
#
# The program that made Llama's tokenizer is free. We give it the settings stored in Llama's file, the same text one line at a time, and 512 pieces.
#
# **Predict.** Of 512 pieces, how many will differ from ours?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "a few, because of ties". If one tie were decided otherwise, everything after it would shift.
#
# Coverage: the rarest characters, the last five of a hundred thousand, do not become pieces. They are left to the bytes. Two minutes.

# %%
RULES = dict(
    model_type="bpe", normalization_rule_name="identity", byte_fallback=True,
    split_digits=True, remove_extra_whitespaces=False, minloglevel=2,
    allow_whitespace_only_pieces=True, character_coverage=0.99995)


def their_tokenizer(texts, size: int, **changes):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter("\n".join(texts).split("\n")), vocab_size=size,
        model_writer=model, **(RULES | changes))
    content = model.getvalue()
    return sentencepiece.SentencePieceProcessor(model_proto=content)

# %% tags=["result"]
reference = their_tokenizer(texts, 512)
their_pieces = [reference.id_to_piece(id) for id in range(512)]
print(sum(a != b for a, b in zip(tokenizer.pieces, their_pieces)), "differ")
assert their_pieces == tokenizer.pieces

# %% [markdown] slideshow={"slide_type": "slide"} tags=["formal"]
# ## The algorithm: encoding follows the order of learning
#
# A tokenizer keeps no text, only the list. To encode, it joins again what it joined then: what was learnt first is joined first, however short it is. The **score** of a piece is its place in that order with a minus sign, so the best score is the earliest. This is no search for the fewest or the longest pieces.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why the order matters. Because a rare long piece may overlap a frequent short one, and the model has only ever seen the cut that the order gives.
#
# In the package a heap finds the best pair; the steps are the same. Two minutes.

# %% tags=["formal", "remove-input"]
algorithm("tokenizer_encode", source=False)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Build it: replay the merges
#
# In the notation of brackets, encoding is four lines: put the text in brackets and make every replacement that was made in training, in the same order. On three hundred unseen documents it gives the pieces of the package.

# %% [markdown] slideshow={"slide_type": "notes"}
# Somebody may ask whether replaying pairs and joining by unions is always the same. Not for every list of pieces: a piece can be put together from other halves than the ones learnt. On these documents it never happens, and exercise 3 takes the general rule.
#
# Training reads line by line, so there every line got a space in front; a text to encode is taken whole and gets one.
#
# Two minutes.

# %%
def replay(text: str) -> list[str]:
    line = "".join(f"[{c}]" for c in SPACE + text.replace(" ", SPACE))
    for (left, right), _ in learnt:
        line = line.replace(f"[{left}][{right}]", f"[{left}{right}]")
    return line[1:-1].split("][")


assert all(replay(t) == tokenizer.encode_pieces(t) for t in unseen)
print(replay("Clover the owl likes pumpkins."))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A space in front makes the first word like any other
#
# Llama's tokenizer puts a space before every text and takes it away on the way back. It is called the dummy prefix.
#
# **Predict.** `owl` alone, `owl` behind `the`, and ` owl` with a space before it: in which of the three does the owl cost one token more than in the other two?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "in the second", since it has a space to pay for. The prefix makes the lonely owl look like the one in a sentence, so these two cost the same; the third ends up with two spaces.
#
# Two minutes.

# %% tags=["result"]
for text in ("owl", "the owl", " owl"):
    print(f"{text!r:>9}", tokenizer.encode_pieces(text))
for text in unseen:  # cut at a single space: nothing changes
    words = text.split(" ")
    apart = [id for word in words for id in tokenizer.encode(word)]
    assert apart == tokenizer.encode(text)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Nothing is unknown: what has no piece is spelt in bytes
#
# UTF-8 writes any character with one to four bytes, and all 256 bytes are in the list. So no character is ever unknown.
#
# **Predict.** How many tokens does the owl emoji cost? And does Greek cost more or less per character than English?

# %% [markdown] slideshow={"slide_type": "notes"}
# The emoji has four bytes, and the space before it costs one more. Greek letters take two bytes each, so with our list, which was learnt from English alone, a Greek reader pays for every letter twice and fits far less into the same context. A list learnt from many languages has pieces for Greek too, and fewer of them than for English.
#
# This is a real issue of fairness: prices are per token. Three minutes.

# %% tags=["result"]
sentences = ("The owl lives in the barn.", "Die Eule wohnt in der Scheune.",
             "Η κουκουβάγια ζει στον αχυρώνα.", "🦉")
rows = []
for text in sentences:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    rows.append([text, len(text), len(ids), len(ids) / len(text)])
columns = ["text", "characters", "tokens", "tokens per character"]
table(rows, columns, "Never unknown, not always cheap", number_format=".1f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Is it right? Five thousand texts made to hurt
#
# Spaces at both ends, half of an accent, marks written as text, control characters, letters from anywhere in Unicode. Our ids must equal those of SentencePiece, and so must the text that comes back.
#
# **Predict.** Is there any text that does **not** come back as it was?

# %% [markdown] slideshow={"slide_type": "notes"}
# Most will say no, since bytes cover everything. Give them a minute: which sign has another meaning inside the tokenizer?
#
# A mark such as </s> written by a user must stay text. If it became the end mark, a user could end the text. Three minutes.

# %%
def hostile(rng: random.Random) -> str:
    low, high = rng.randrange(1, 0xD800), rng.randrange(0xE000, 0x110000)
    odd = [*" ▁\n\t09é🦉中\u0301\0", " the owl", "</s>", "<0x41>"]
    odd += [chr(low), chr(high)]
    return "".join(rng.choices(odd, k=rng.randrange(20)))


rng = random.Random(1)
hard = [hostile(rng) for _ in range(5000)]

# %% tags=["result"]
lost = []
for text in hard:
    ids = tokenizer.encode(text)
    assert ids == reference.encode(text)
    assert tokenizer.decode(ids) == reference.decode(ids)
    if tokenizer.decode(ids) != text:
        lost.append(text)
print(len(lost), "texts came back changed;",
      "every one contains ▁:", all(SPACE in text for text in lost))
assert lost and all(SPACE in text for text in lost)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Digits stay alone by rule, not by counting
#
# One of the four rules keeps every digit a piece of its own. We let SentencePiece train once without it, on the same texts, with room for 1,024 pieces.
#
# **Predict.** Will `12`, `17`, `21` and `48` then all be cut in the same way?

# %% [markdown] slideshow={"slide_type": "notes"}
# Counting knows nothing of numbers: frequent ones became a piece and others did not. Ask how one would teach addition when twelve is one sign and forty-eight is two. The columns no longer line up.
#
# With the rule a number of three digits is always three tokens behind its space, in order. It costs length and buys a regular notation. Two minutes.

# %% tags=["result"]
free = their_tokenizer(texts, 1024, split_digits=False)
for number in (7, 12, 17, 21, 48):
    pieces = free.encode(f"{number} figs", out_type=str)[:-1]
    print(f"{number:2d}", pieces, "with the rule:",
          tokenizer.encode_pieces(f"{number}"))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A larger list makes shorter texts, ever more slowly
#
# Each merge takes the best pair that is left, so the gains shrink. We train at six sizes and measure characters per token on unseen text.
#
# **Predict.** From 512 to 2048 pieces: how much shorter do unseen Pasture texts become? And Alice?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "four times shorter". The curve is closer to a logarithm, and at the right end flatter than that.
#
# Alice gains less: the first few hundred pieces are common English, the later ones are words of the farm. A tokenizer carries its training text along. Two minutes.

# %%
sizes = [340, 512, 724, 1024, 1448, 2048]
curves = {"unseen Pasture": [], "Alice in Wonderland": []}
for size in sizes:
    one = Tokenizer.train(texts, size)
    for name, sample in zip(curves, ("\n".join(unseen), drawings.ALICE)):
        curves[name].append(len(sample) / len(one.encode(sample)))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Two thousand pieces do not even halve the text

# %% [markdown] slideshow={"slide_type": "notes"}
# Read off the left end: with hardly any merges a token is about a character. Up to 512 pieces Alice does as well as the farm, since she has no digits and no line breaks. Then the lines part: that is what it costs to leave the farm.
#
# One minute.

# %% tags=["result", "remove-input"]
farm, alice = curves.values()
assert 1.5 < farm[5] / farm[1] < 2 and alice[5] / alice[1] < 1.5
show(
    drawings.draw_compression(sizes, curves),
    "Characters per token against vocabulary size on a logarithmic axis. Two lines "
    "rise together from above one to two; then unseen Pasture text goes on to three "
    "and a half while Alice in Wonderland flattens below three.",
    name="01_compression",
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Tokens are what we pay for, characters are what we get
#
# The tiny model with each of these lists: a larger one means fewer tokens, and two larger tables, one to read and one to write. The series takes 1,024, where every name is one piece and the tables are a quarter of the model.

# %% [markdown] slideshow={"slide_type": "notes"}
# The last column divides the work of a token by the characters it brings. It has a smallest value: beyond it the larger output table costs more than the shorter texts save. The tables eat into a small model long before that.
#
# Ask what a model of a hundred times the size would choose. Two minutes.

# %% tags=["remove-input"]
rows = []
for size, farm_characters in zip(sizes, farm):
    model = LlamaConfig.named("tiny").replace(vocab_size=size)
    tables = 2 * size * model.dim / model.parameter_count()
    work = model.flops_per_token(256) / farm_characters / 1e6
    rows.append([size, farm_characters, f"{tables:.0%}", work])
columns = ["pieces", "characters per token", "tables of all parameters",
           "million operations per character"]
assert min(row[3] for row in rows) not in (rows[0][3], rows[-1][3])
table(rows, columns, "The price of a vocabulary, tiny model", ".2f", [1])

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: take the longest piece that fits
#
# It looks reasonable, it is what WordPiece does, and people write it from memory: at each place take the longest piece in the list. The text decodes perfectly.
#
# **Predict.** For which share of words do the pieces differ from ours, and does the wrong encoder need more tokens or fewer?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "it is the same thing". The pieces differ for about one word in fifteen, and the wrong way is even shorter, though by a few tokens in tens of thousands.
#
# Let them argue before turning the page. Two minutes.

# %%
class LongestFirst(Tokenizer):
    def encode_pieces(self, text: str) -> list[str]:
        line, pieces = SPACE + text.replace(" ", SPACE), []
        while line:
            fits = (n for n in range(16, 1, -1) if line[:n] in self.ids)
            pieces.append(line[:next(fits, 1)])
            line = line[len(pieces[-1]):]
        return pieces


longest = LongestFirst(tokenizer.vocabulary)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The owl is cut in another way, and nobody sees it
#
# Every text still comes back whole, and the wrong encoder even needs a few tokens fewer. Short and lossless is what people test for.

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the three words aloud, piece by piece. A model trained on our pieces has met one of the two spellings again and again and the other never.
#
# Two minutes.

# %% tags=["result"]
words = [word for text in unseen for word in text.split()]
other = [w for w in words if longest.encode(w) != tokenizer.encode(w)]
assert all(longest.decode(longest.encode(text)) == text for text in unseen)
assert 1 / 16 < len(other) / len(words) < 1 / 14
lengths = [sum(len(e.encode(t)) for t in unseen) for e in (longest, tokenizer)]
assert 0.99 * lengths[1] < lengths[0] < lengths[1]
print(f"{len(other) / len(words):.1%} of words differ, {lengths} tokens")
for word in ("owl", "fond", "donkey"):
    print(longest.encode_pieces(word), tokenizer.encode_pieces(word))

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it again: encode the parts and join the ids
#
# A program encodes the question once and adds the ids of the answer. A chat template is easily written this way.
#
# **Predict.** The answer is written with a space in front, ` A goat.`, and then without. In which case are the joined ids those of the whole text?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "with the space, since the text then reads correctly". Every call of encode puts a space in front, so each seam adds one.
#
# The right way with this tokenizer: leave the space out and let the prefix stand for it, or encode the whole at once. Three minutes.

# %% tags=["result"]
question = "Question: What is Juno?\nAnswer:"
whole = question + " A goat."
for answer in (" A goat.", "A goat."):
    joined = tokenizer.encode(question) + tokenizer.encode(answer)
    same = joined == tokenizer.encode(whole)
    end = tokenizer.decode(joined)[-15:]
    print(f"{answer!r:>10}: the same ids: {same}, ends in {end!r}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it once more: show every token as it comes
#
# A chat window wants to print each token at once, so somebody decodes ids one at a time.
#
# **Predict.** What does `The owl said 🦉 hoot.` look like then? Two different things go wrong.

# %% [markdown] slideshow={"slide_type": "notes"}
# The spaces vanish, since decode removes the first space of every text, and each text is now one token. The owl becomes four question marks in boxes, since a single byte of it is no character.
#
# The cure: decode the whole list each time and print what is new, but hold back an unfinished character. Two minutes.

# %% tags=["result"]
ids = tokenizer.encode("The owl said 🦉 hoot.")
print("".join(tokenizer.decode([id]) for id in ids))
shown = ""
for n in range(len(ids) + 1):
    now = tokenizer.decode(ids[:n])
    if not now.endswith("\ufffd"):  # perhaps an unfinished character
        print(now[len(shown):], end="")
        shown = now

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The model notices what the reader does not
#
# All these slips keep the text readable, so we ask the trained model of notebook 07 how surprised it is, in nats per character, by unseen texts encoded in each way. Three of the ways decode to the same text; "line by line" puts a space more in front of every line but the first.
#
# **Predict.** Order them: right, no space in front, longest piece, line by line.

# %% [markdown] slideshow={"slide_type": "notes"}
# The tiny model stands in for any pretrained model here; how it is made comes later. One model, some two hundred texts.
#
# The surprise at a token is minus the natural logarithm of the probability that the model gave it, and its unit is the nat. It is divided by characters here and not by tokens, since the ways of cutting need different numbers of tokens.
#
# Expect "the prefix hardly matters, it is one token". Three minutes.

# %%
base = stages.get("base")
model, trained = base.model.eval(), base.tokenizer
short = [text for text in unseen if len(text) < 350]


@torch.inference_mode()
def surprise(encode) -> float:
    nats = 0.0
    for text in short:
        ids = torch.tensor([[trained.bos_id, *encode(text)]])
        logits = model(ids[:, :-1])  # (1, length, vocab)
        nats += F.cross_entropy(logits[0], ids[0, 1:], reduction="sum").item()
    return nats / sum(map(len, short))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Readable, and far more surprising to the model
#
# The loss says that something is wrong, and not what. What points at the bug is the equality from before: the same ids as SentencePiece, on texts that were chosen to hurt.

# %% [markdown] slideshow={"slide_type": "notes"}
# A loss that is higher than expected is the usual way in which these bugs are met, months later and without an address.
#
# Ask which test would have caught each of the three. The hostile strings catch them all. Two minutes.

# %% tags=["result"]
bare = dataclasses.replace(trained.vocabulary, add_dummy_prefix=False)
newline = trained.byte_ids[10]
ways = {
    "right": trained.encode,
    "no space in front": Tokenizer(bare).encode,
    "line by line": lambda text: [
        id for line in text.split("\n")
        for id in (newline, *trained.encode(line))][1:],
    "longest piece": LongestFirst(trained.vocabulary).encode,
}
nats = {name: surprise(encode) for name, encode in ways.items()}
wrong = min(value for name, value in nats.items() if name != "right")
holds(wrong > 1.3 * nats["right"], "each slip surprises the model far more")
table(list(nats.items()), ["encoded", "nats per character"],
      "The same texts, cut in four ways", number_format=".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Use it: the tokenizer of all later notebooks
#
# It is kept as a stage, in a file that SentencePiece opens too: 1,024 pieces, learnt from the farm and from a thousand dialogues in the chat format of notebook 08. Ids run through marks, bytes, pieces in the order of learning, and characters. The newline has no piece, since SentencePiece trains on lines: it is the byte 10.
#
# **Predict.** Of stories, questions, rhymes and sums: which costs the most tokens per character, which the fewest?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them look for the begin mark, the byte and the learnt pieces in the list of ids.
#
# Expect "stories are longest, so they cost most". Per character it is the sums: digits stand alone, and the space before a number is a token of its own. Two minutes.

# %%
stage = stages.get("tokenizer")
assert stage.vocab_size == 1024 and "INST" in stage.pieces
for id in stage.encode("Sums\n7 + 5 =", bos=True):
    print(id, repr(stage.piece(id)), end="; ")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Questions are packed best, sums worst

# %% [markdown] slideshow={"slide_type": "notes"}
# Remember this figure when losses per token are compared between kinds of text: a token of a sum carries fewer characters than a token of a question.
#
# One minute.

# %% tags=["result", "remove-input"]
characters, tokens = Counter(), Counter()
for document in pasture.corpus(1000, split="heldout"):
    characters[document.kind] += len(document.text)
    tokens[document.kind] += len(stage.encode(document.text))
kinds = {kind: characters[kind] / tokens[kind] for kind in tokens}
assert min(kinds, key=kinds.get) == "sum"
assert max(kinds, key=kinds.get) == "question"
show(
    drawings.draw_kinds(kinds),
    "Horizontal bars of characters per token for eleven kinds of document, longest for "
    "questions at above three and a half and shortest for sums at below two.",
    name="01_kinds",
)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## At 70B: a large model can afford a large list
#
# Two tables have one row for each piece, one to read and one to write. Llama 2 has {{fact:tokenizer_vocab}} pieces, Llama 3 has {{context:followups.llama3.vocab}}.
#
# **Predict.** Which share of the parameters are these tables, at 7B and at 70B? And with Llama 3's list?

# %% [markdown] slideshow={"slide_type": "notes"}
# Let them guess before the table. Expect a few per cent at both sizes.
#
# The last column is the break-even: a token must carry that much more text before the larger list pays at inference. A big model can afford a big list, and this is one reason why lists grew. Three minutes.

# %% tags=["result"]
larger, rows = paper.context("followups", "llama3").value["vocab"], []
for name in ("tiny", "llama-2-7b", "llama-2-70b"):
    config = LlamaConfig.named(name)
    both = [config, config.replace(vocab_size=larger)]
    shares = [2 * c.vocab_size * c.dim / c.parameter_count() for c in both]
    work = both[1].flops_per_token(4096) / both[0].flops_per_token(4096) - 1
    shown = [f"{share:.1%}" for share in (*shares, work)]
    rows.append([name, config.vocab_size, *shown])
columns = ["model", "pieces", "tables", f"with {larger:,}", "more work"]
table(rows, columns, "Two tables as a share of all parameters")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the paper reports: one paragraph
#
# Section 2.2: the tokenizer of Llama 1, {{fact:tokenizer_type}}, numbers split into digits, bytes for unknown characters, {{fact:tokenizer_vocab}} pieces. The file says more: {{fact:tokenizer_piece_counts.normal}} ordinary pieces, {{fact:tokenizer_piece_counts.byte}} bytes, {{fact:tokenizer_piece_counts.control}} marks and one unknown. Coverage is {{fact:tokenizer_training.character_coverage}}, normalisation {{fact:tokenizer_training.normalization}}.
#
# No ablation of the vocabulary is reported. In the file, the chat markers such as `[INST]` are no pieces of their own: they are plain text.

# %% [markdown] slideshow={"slide_type": "notes"}
# Point out what is not there: no measurement of other sizes, and no word on what the list costs in languages other than English. The choice was inherited.
#
# The numbers about the file come from reading it, not from the paper. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What changed since: four times the list, and bytes first
#
# Llama 3 moved to {{context:followups.llama3.vocab}} pieces, learnt on bytes in the manner of GPT-2 and read by the tiktoken library. There is no dummy prefix any more, and numbers are cut into groups of up to three digits. Mistral 7B kept a list of {{context:models.mistral-7b.vocab}}; Falcon had {{context:models.falcon-7b.vocab}}, and BLOOM, for 46 languages, {{context:models.bloom-176b.vocab}}.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which of today's bugs are gone with Llama 3. What came from the prefix is: the forgotten space, the space more at a seam, the spaces that vanish in a chat window. The longest piece and single bytes are still there, and so are seams inside a word, where no pair is joined across the seam.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: count with weights (5 minutes)
#
# A text repeats its words. Count every distinct word once and give its pairs the weight of its frequency: the result is the same, and far less has to be read.

# %% [markdown] slideshow={"slide_type": "notes"}
# The usual slip is a set of pairs for each word: banana has two of its pairs twice.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def count_pairs(words: dict[tuple[str, ...], int]) -> Counter:
    """Neighbouring symbols, as pairs, over all words by their frequency."""
    ### BEGIN SOLUTION
    counts = Counter()
    for symbols, frequency in words.items():
        for pair in zip(symbols, symbols[1:]):
            counts[pair] += frequency
    return counts
    ### END SOLUTION


checks.check_count_pairs(count_pairs)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: one merge over one word (5 minutes)
#
# Join a pair wherever it stands in a list of symbols, from left to right, without brackets. Give back a new list.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let those who finish early explain what three equal symbols become. Two join, the third stays.
#
# Some write the symbols with spaces between them and replace text. That is a trap: "th e" holds "h e", though h is no symbol there. The brackets were there to prevent it.
#
# Five minutes.

# %% tags=["exercise", "minutes-5"]
def merge_word(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    """The symbols with every occurrence of the pair joined."""
    ### BEGIN SOLUTION
    joined, i = [], 0
    while i < len(symbols):
        width = 2 if tuple(symbols[i : i + 2]) == pair else 1
        joined.append("".join(symbols[i : i + width]))
        i += width
    return joined
    ### END SOLUTION


checks.check_merge_word(merge_word)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: encode by rank (8 minutes)
#
# `rank` says when each piece was learnt, 0 first. Cut the word into characters and join the neighbours whose **union** has the lowest rank, the leftmost of equals, until no union is a piece.

# %% [markdown] slideshow={"slide_type": "notes"}
# This is Llama's rule in full, without the speed. Whoever writes the longest piece first has rebuilt the bug of the day, and the check says so.
#
# Two more slips: going once through the ranks, as replaying does, misses a piece that becomes possible later; and a rank of 0 counts as false in Python, so `if rank.get(union)` skips the first piece.
#
# Eight minutes.

# %% tags=["exercise", "minutes-8"]
def encode_word(word: str, rank: dict[str, int]) -> list[str]:
    """The pieces of one word; characters without a piece stay alone."""
    ### BEGIN SOLUTION
    symbols = list(word)
    while True:
        unions = [a + b for a, b in zip(symbols, symbols[1:])]
        known = [i for i, union in enumerate(unions) if union in rank]
        if not known:
            return symbols
        i = min(known, key=lambda i: rank[unions[i]])
        symbols[i : i + 2] = [unions[i]]
    ### END SOLUTION


checks.check_encode_word(encode_word)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: spell the unknown in bytes (4 minutes)
#
# Turn pieces into ids. What is not in `ids` becomes the ids of its bytes in UTF-8; the byte 0 has the id `first_byte`, the byte 1 the next one.

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect ord in place of the bytes. For the letter a both agree, which is why an English test does not notice.
#
# Four minutes.

# %% tags=["exercise", "minutes-4"]
def to_ids(pieces: list[str], ids: dict[str, int], first_byte: int) -> list:
    """Ids of the pieces, unknown ones spelt in bytes."""
    ### BEGIN SOLUTION
    result = []
    for piece in pieces:
        spelt = [first_byte + byte for byte in piece.encode("utf-8")]
        result += [ids[piece]] if piece in ids else spelt
    return result
    ### END SOLUTION


checks.check_to_ids(to_ids)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 5: and back again (6 minutes)
#
# Turn ids into text. `pieces` holds the learnt ones; any other id is a byte, and byte 0 has the id `first_byte`. All bytes given form valid characters. Remember the space in front.

# %% [markdown] slideshow={"slide_type": "notes"}
# Those who decode byte by byte get question marks. A simple way: make everything bytes first and decode once.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def from_ids(tokens: list, pieces: dict[int, str], first_byte: int) -> str:
    """The text behind the ids, as it was before encoding."""
    ### BEGIN SOLUTION
    raw = b"".join(pieces[id].encode() if id in pieces
                   else bytes([id - first_byte]) for id in tokens)
    return raw.decode("utf-8").replace(SPACE, " ").removeprefix(" ")
    ### END SOLUTION


checks.check_from_ids(from_ids)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What to take home
#
# Pieces are learnt by joining frequent neighbours, and encoding repeats the joins in the order of learning. Rules decide what may join, bytes catch the rest. Slips leave a text readable: the longest piece, no space in front, parts joined by their ids. Equality with a reference on hostile texts finds them.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask each row for one text they would use to test somebody else's tokenizer. Good answers: two spaces, an emoji, a newline, the empty text.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Sennrich, Haddow and Birch: byte-pair encoding for words](https://arxiv.org/abs/1508.07909). [SentencePiece](https://arxiv.org/abs/1808.06226). [Llama 2](https://arxiv.org/abs/2307.09288), section 2.2. [Llama 1](https://arxiv.org/abs/2302.13971), section 2.1. [Llama 3 and its new vocabulary](https://arxiv.org/abs/2407.21783).
#
# Next: notebook 02, the norm, and why every token is divided by its own size.

# %% [markdown] slideshow={"slide_type": "notes"}
# The first one is short and still the best explanation there is. One minute.
