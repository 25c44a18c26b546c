"""One question, several models: what each answers, and what the answer is worth.

Of every answer: its text and tokens, the scores of both reward models, and how much
likelier the model finds it than the reference does, in nats. For an answer drawn at
temperature 1 the expectation of that number is the KL divergence from the reference;
one answer alone may give less than zero.

A base model knows no chat format. To print it the tags would show what it makes of
symbols it never saw, not what it knows. So it is asked in the form of its own corpus,
"Question: ... Answer:", and its answer ends with the line, as answers do there. The
same answer is then read by the reference in the chat format. Each model is thus taken
as it would be used; the marks that end an answer differ between the two forms, so the
base's is left out of its sum.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import UserError
from ..model import Llama
from ..tokenizer import Tokenizer
from .chat import TAGS, encode_prompt
from .chat import question as ask
from .reward import RewardModel, encode_scored, score
from .rollout import sample, token_logprobs


@dataclass(frozen=True)
class Contestant:
    """A policy with a name. Without ``chat`` it continues text and knows no tags."""

    name: str
    policy: Llama
    chat: bool = True


@dataclass(frozen=True)
class Reply:
    """What one contestant answered."""

    name: str
    text: str
    tokens: tuple[str, ...]  # the pieces it wrote, an end mark among them
    helpfulness: float | None  # as reward.score gives it; None: too long to be read
    safety: float | None
    kl: float  # log pi - log pi_reference, summed over the tokens, in nats
    ended: bool  # false where the answer was cut off


@dataclass(frozen=True)
class Playground:
    """Contestants, and those who judge them."""

    contestants: tuple[Contestant, ...]
    reference: Llama  # what the KL divergence is measured from
    tokenizer: Tokenizer
    helpfulness: RewardModel
    safety: RewardModel

    def ask(self, question: str, temperature: float = 0.0, seed: int = 0,
            max_new_tokens: int = 48, system: str | None = None) -> list[Reply]:
        """What everyone answers; see reply_all."""
        return reply_all(question, self.contestants, self.reference, self.tokenizer,
                         self.helpfulness, self.safety, temperature, seed,
                         max_new_tokens, system)


def assemble(base: Any, sft: Any, run: Any) -> Playground:
    """Base, SFT and RLHF-V5, from the results of those stages.

    ``run`` is one of the runs of the stage "rlhf"; its reward models are the judges.
    The reference is the SFT model.
    """
    contestants = (Contestant("base", base.model, chat=False),
                   Contestant("SFT", sft.model),
                   Contestant("RLHF-V5", run.policies["V5"]))
    return Playground(contestants, sft.model, sft.tokenizer, run.helpfulness,
                      run.safety)


def reply_all(question: str, contestants: Sequence[Contestant], reference: Llama,
              tokenizer: Tokenizer, helpfulness: RewardModel, safety: RewardModel,
              temperature: float = 0.0, seed: int = 0, max_new_tokens: int = 48,
              system: str | None = None) -> list[Reply]:
    """Put one question to all contestants; one Reply each, in their order.

    Everyone begins with the same seed, so equal policies give equal answers. Scores
    are of question and answer alone: no reward model ever met a system text. Raises
    UserError for a text that cannot be asked, a wrong setting, and models of another
    vocabulary.
    """
    _check_text("question", question)
    if system is not None:
        _check_text("system text", system)
    _check_settings(contestants, temperature, max_new_tokens)
    question = question.strip()
    policies = [contestant.policy for contestant in contestants]
    _check_vocabulary([*policies, reference], tokenizer)
    context = min(p.config.max_seq_len for p in [*policies, reference])
    forms = {chat: _form(chat, tokenizer, question, system, context, max_new_tokens)
             for chat in {True, *(contestant.chat for contestant in contestants)}}
    replies = []
    for contestant in contestants:
        prompt = forms[contestant.chat]
        ids, ended = _answer(contestant, prompt, tokenizer, temperature, seed,
                             max_new_tokens)
        text = tokenizer.decode(ids).strip()
        scores = [_score(judge, tokenizer, question, text)
                  for judge in (helpfulness, safety)]
        kl = (log_likelihood(contestant.policy, prompt, ids)
              - log_likelihood(reference, forms[True], ids))
        replies.append(Reply(contestant.name, text, tuple(map(tokenizer.piece, ids)),
                             *scores, kl, ended))
    return replies


@torch.no_grad()
def log_likelihood(policy: Llama, prompt: list[int], answer: list[int]) -> float:
    """Log-probability of a whole answer after a prompt at temperature 1, in nats."""
    tokens = torch.tensor([prompt + answer], device=policy.embedding.weight.device)
    logprobs = token_logprobs(policy, tokens)[0, len(prompt):]
    return logprobs.double().sum().item()


def _answer(contestant: Contestant, prompt: list[int], tokenizer: Tokenizer,
            temperature: float, seed: int, most: int) -> tuple[list[int], bool]:
    """The ids of an answer, and whether it came to an end."""
    where = contestant.policy.embedding.weight.device
    generator = torch.Generator(where).manual_seed(seed)
    rollout = sample(contestant.policy, [prompt], most, temperature, generator,
                     tokenizer.eos_id)
    ids = rollout.tokens[rollout.answer_mask].tolist()
    if contestant.chat:
        return ids, bool(rollout.ended)
    marks = (tokenizer.bos_id, tokenizer.eos_id)
    ends = [place for place, id in enumerate(ids)
            if id in marks or "\n" in tokenizer.decode([id])]
    return ids[: ends[0]] if ends else ids, bool(ends)


def _form(chat: bool, tokenizer: Tokenizer, question: str, system: str | None,
          context: int, most: int) -> list[int]:
    """The ids of a question in the chat format, or in that of the corpus.

    Raises UserError where an answer of ``most`` tokens no longer fits behind it.
    """
    # what cannot fit need not be encoded, which takes long for a very long text
    longest = max(map(len, tokenizer.pieces))
    if len(question) + len(system or "") <= longest * context:
        if chat:
            ids = encode_prompt(tokenizer, ask(question, system))
        else:
            before = "" if system is None else f"{system.strip()}\n"
            ids = tokenizer.encode(f"{before}Question: {question}\nAnswer:", bos=True)
        if len(ids) + most <= context:
            return ids
    raise UserError(f"the question is too long: {context} tokens can be read in all, "
                    f"and {most} are kept for the answer; shorten either")


def _score(judge: RewardModel, tokenizer: Tokenizer, question: str, text: str
           ) -> float | None:
    """The score of an answer, or None where the judge cannot read so much.

    An answer of stray bytes is longer when it is spelt out again.
    """
    judge.check_tokenizer(tokenizer)
    length = len(encode_scored(tokenizer, question, text))
    if length > judge.backbone.config.max_seq_len:
        return None
    return score(judge, tokenizer, [question], [text]).item()


def _check_text(name: str, text: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise UserError(f"the {name} is empty: type some words")
    found = [tag for tag in TAGS if tag in text]
    if found:
        raise UserError(f"the {name} holds {found[0]}, which is a tag of the chat "
                        "format: leave it out")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UserError(f"the {name} holds bytes that are no UTF-8 text: type it again")


def _check_settings(contestants: Sequence[Contestant], temperature: float,
                    max_new_tokens: int) -> None:
    if not contestants:
        raise UserError("nobody is there to answer: give at least one contestant")
    if not 0 <= temperature < math.inf:
        raise UserError(f"the temperature is {temperature}: it must be a number from "
                        "zero up")
    if max_new_tokens < 1:
        raise UserError(f"an answer of {max_new_tokens} tokens cannot be given: ask "
                        "for at least one")


def _check_vocabulary(models: Sequence[Llama], tokenizer: Tokenizer) -> None:
    for model in models:
        size = model.config.vocab_size
        if size != tokenizer.vocab_size:
            raise UserError(f"the tokenizer has {tokenizer.vocab_size} pieces and a "
                            f"model {size}: they do not belong together")


def visible(text: str) -> str:
    """The text with every character that does not print shown as a sign.

    A model can write any byte. Sent to a terminal, some would move the cursor or turn
    the line round; as signs they do no more than show that they were written.
    """
    return "".join(
        c if c.isprintable() or c == "\n" else
        chr(0x2400 + ord(c)) if ord(c) < 32 else "\ufffd" for c in text)
