"""The compiled libraries against our plain Python: encoding, and learning the pieces.

Ours begins every round without remembered words. sentencepiece opens the very file
that ours saves; the tokenizers package is given its pieces and the pairs that make
them. All three must give the same ids first.

``python benchmarks/encoding.py [--kilobytes 500] [--vocab 1024] [--rounds 7]``
"""

import io
import tempfile
from pathlib import Path

import sentencepiece
from alternation import alternate, once, report
from peers import must_be_equal, options
from tokenizer_training import text_of
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import models, normalizers

from minillama.bpe_training import COVERAGE, LINE_BYTES, SPACE
from minillama.sentencepiece_file import write_vocabulary
from minillama.tokenizer import RESERVED, Tokenizer


def opened_by_sentencepiece(tokenizer: Tokenizer
                            ) -> sentencepiece.SentencePieceProcessor:
    """The file of ours, read by the package."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.model"
        write_vocabulary(tokenizer.vocabulary, file)
        return sentencepiece.SentencePieceProcessor(model_proto=file.read_bytes())


def in_tokenizers(tokenizer: Tokenizer) -> FastTokenizer:
    """The same pieces in the tokenizers package, with every pair that makes a piece in
    the order in which the pieces were learnt."""
    ids, merges = {piece: i for i, piece in enumerate(tokenizer.pieces)}, []
    learnt = sorted(tokenizer.ids, key=lambda p: -tokenizer.scores[tokenizer.ids[p]])
    for piece in learnt:
        merges += [(piece[:cut], piece[cut:]) for cut in range(1, len(piece))
                   if piece[:cut] in ids and piece[cut:] in ids]
    fast = FastTokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True,
                                    byte_fallback=True))
    fast.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE),
                                            normalizers.Replace(" ", SPACE)])
    return fast


def sentencepiece_learns(texts: list[str], vocab: int) -> list[str]:
    """The pieces that the package learns by the rules of Llama's tokenizer."""
    out = io.BytesIO()
    lines = (line for text in texts for line in text.split("\n") if line)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_writer=out, vocab_size=vocab, model_type="bpe",
        byte_fallback=True, split_digits=True, normalization_rule_name="identity",
        remove_extra_whitespaces=False, character_coverage=COVERAGE,
        max_sentence_length=LINE_BYTES, num_threads=1, minloglevel=2)
    learnt = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    return [learnt.id_to_piece(i) for i in range(learnt.get_piece_size())]


def encodes(texts: list[str], ours: Tokenizer, rounds: int, about: dict[str, int]
            ) -> None:
    """Hold the ids of all three equal, then encode in alternation."""
    theirs, fast = opened_by_sentencepiece(ours), in_tokenizers(ours)

    def encode() -> list[list[int]]:
        fresh = Tokenizer(ours.vocabulary)  # it has met no word yet
        return [fresh.encode(text) for text in texts]

    def encode_again() -> list[list[int]]:
        return [ours.encode(text) for text in texts]

    def by_sentencepiece() -> list[list[int]]:
        return [theirs.encode(text) for text in texts]

    def by_tokenizers() -> list[list[int]]:
        return [fast.encode(text, add_special_tokens=False).ids for text in texts]

    ids = encode()
    must_be_equal("ids of sentencepiece", ids, by_sentencepiece())
    must_be_equal("ids of tokenizers", ids, by_tokenizers())
    must_be_equal("ids of the second time", ids, encode_again())
    about = about | {"tokens": sum(map(len, ids))}
    for name, label, call in (
            ("encoding_sentencepiece", "sentencepiece (encoding)", by_sentencepiece),
            ("encoding_tokenizers", "tokenizers (encoding)", by_tokenizers)):
        report(name, "our encoding", label, alternate(call, encode, rounds), **about)
    report("encoding_remembered", "our encoding of words met before", "our encoding",
           alternate(encode, encode_again, rounds), **about)


def learns(texts: list[str], vocab: int, rounds: int, about: dict[str, int]) -> None:
    """Hold the pieces of ours and of sentencepiece equal, then learn in alternation."""

    def learn() -> list[str]:
        return Tokenizer.train(texts, vocab).pieces

    def sentencepiece_does() -> list[str]:
        return sentencepiece_learns(texts, vocab)

    mine, other = learn()[len(RESERVED):], sentencepiece_does()[len(RESERVED):]
    must_be_equal("pieces", [[p] for p in mine], [[p] for p in other])
    report("training_sentencepiece", "our training of a tokenizer",
           "sentencepiece (training)", alternate(sentencepiece_does, learn, rounds),
           **about)


def main(arguments: list[str] | None = None) -> None:
    """Encoding against both libraries, then learning against one."""
    args = options(__doc__, kilobytes=500, vocab=1024, rounds=7).parse_args(arguments)
    texts = text_of(args.kilobytes / 1000)
    about = {"kilobytes": args.kilobytes, "vocab": args.vocab}
    encodes(texts, Tokenizer.train(texts, args.vocab), args.rounds, about)
    learns(texts, args.vocab, args.rounds, about)


if __name__ == "__main__":
    once(main)
