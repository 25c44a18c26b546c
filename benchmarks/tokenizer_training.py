"""Learning pieces: counts kept up to date, against the textbook loop that recounts.

``python benchmarks/tokenizer_training.py [--megabytes 1] [--vocab 512] [--rounds 7]``
"""

import argparse
from collections import Counter
from functools import cache
from itertools import islice

from alternation import alternate, once, report

from minillama import pasture
from minillama.bpe_training import (
    Pair, count_words, may_be_piece, merges, required_characters)
from minillama.errors import UserError
from minillama.tokenizer import RESERVED


def textbook_merges(words: Counter[str], alphabet: list[str],
                    wanted: int) -> list[tuple[Pair, int]]:
    """Sennrich et al.'s loop, word for word: count all pairs, join the best, repeat.

    The rules of what may be joined and of ties are SentencePiece's, so that the
    merges can be compared with those of minillama.bpe_training.
    """
    spelt = {word: list(word) for word in words}
    letters, known, found = set(alphabet), set(), []
    valid = cache(may_be_piece)  # the rules are no part of what is compared
    while len(found) < wanted:
        counts: Counter[Pair] = Counter()
        for word, symbols in spelt.items():
            for pair in zip(symbols, symbols[1:]):
                counts[pair] += words[word]
        allowed = [pair for pair in counts if "".join(pair) not in known
                   and all(len(s) > 1 or s in letters for s in pair)
                   and valid("".join(pair))]
        if not allowed:
            break
        best = min(allowed, key=lambda p: (-counts[p], len("".join(p)), "".join(p), p))
        known.add("".join(best))
        found.append((best, counts[best]))
        for word, symbols in spelt.items():
            spelt[word] = replace_pair(symbols, best)
    return found


def replace_pair(symbols: list[str], pair: Pair) -> list[str]:
    """A word with a pair joined wherever it stands, from the left."""
    done: list[str] = []
    for symbol in symbols:
        if done and (done[-1], symbol) == pair:
            done[-1] = done[-1] + symbol + "\n"  # closed: it joins nothing further
        else:
            done.append(symbol)
    return [symbol.removesuffix("\n") for symbol in done]


def text_of(megabytes: float) -> list[str]:
    """Pasture documents of at least that many bytes together."""
    documents, size = [], 0
    for document in pasture.stream():
        documents.append(document.text)
        size += len(document.text.encode("utf-8"))
        if size >= megabytes * 1e6:
            return documents
    raise AssertionError("the stream has no end")


def main(arguments: list[str] | None = None) -> None:
    """Compare both on the same counted words, after holding their merges equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=1.0)
    parser.add_argument("--vocab", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args(arguments)
    texts = text_of(args.megabytes)
    words = count_words(texts)
    alphabet = required_characters(words)
    wanted = args.vocab - len(RESERVED) - len(alphabet)

    def textbook() -> list[tuple[Pair, int]]:
        return textbook_merges(words, alphabet, wanted)

    def ours() -> list[tuple[Pair, int]]:
        return list(islice(merges(words, alphabet), wanted))

    if ours() != textbook():
        raise UserError("the two learn different pieces")
    print(f"{args.megabytes} MB of the Pasture, {len(words)} different words, "
          f"{wanted} merges, the same from both")
    report("tokenizer_training", "keeping counts", "recounting",
           alternate(textbook, ours, args.rounds), megabytes=args.megabytes,
           words=len(words), merges=wanted)


if __name__ == "__main__":
    once(main)
