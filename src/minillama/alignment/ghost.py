"""Ghost Attention: an instruction given once is kept through a whole dialogue.

Source: Llama 2 paper, section 3.3 and appendix A.3.5. An instruction is joined to every
question of a dialogue, a policy answers turn by turn, and then the instruction is
dropped from all questions but the first. The model learns to answer as if it had been
told again. Earlier answers earn no loss: they were written by a policy that saw what
is no longer there.

The paper samples from its latest RLHF model, which follows an instruction that stands
in the question. A small model must be taught that first: ``applied`` writes answers by
rule; a model trained on them in the layout ``plain`` follows what stands in front of
it. It is the policy of ``sampled``, and the fair comparison.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random

import torch
from torch import Tensor

from ..errors import UserError
from ..model import Llama
from ..pasture import SYSTEM_PROMPTS, SystemPrompt, Task, make_tasks
from ..tokenizer import Tokenizer
from .chat import B_INST, B_SYS, Encoded, Message, encode_dialogue, encode_prompt
from .rollout import answers as texts_of
from .rollout import sample

SHORT = ("sum", "sound")  # six turns of them fit into 256 tokens, most fives if joined
# Instructions that an ordinary short answer does not already keep to. "Answer in one
# sentence" is kept by accident, and would measure nothing.
ORDINARY = "Olive likes plums."
PROMPTS = tuple(each for each in SYSTEM_PROMPTS if not each.complies(ORDINARY))


@dataclass(frozen=True)
class Dialogue:
    """Questions under one instruction, and the answers there are so far."""

    prompt: SystemPrompt
    tasks: tuple[Task, ...]  # one a turn
    answers: tuple[str, ...] = ()  # never more than tasks


@dataclass(frozen=True)
class Turn:
    """How many of ``n`` answers at one turn, counted from 1, kept the instruction."""

    turn: int
    complied: int
    n: int

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        return self.complied / self.n


def make_dialogues(n: int, turns: Sequence[int], seed: int = 0, split: str = "train",
                   kinds: Sequence[str] = SHORT,
                   prompts: Sequence[SystemPrompt] = PROMPTS) -> list[Dialogue]:
    """Draw ``n`` unanswered dialogues; dialogue i has ``turns[i % len(turns)]`` turns.

    No question is used whose reference answer keeps to the instruction by accident, as
    "Rolf says moo." may. Raises UserError for numbers below one and for an instruction
    that every ordinary answer keeps to.
    """
    if n < 1 or not turns or min(turns) < 1:
        raise UserError(f"cannot make {n} dialogues of {list(turns)} turns: both must "
                        "be at least one")
    idle = [prompt.name for prompt in prompts if prompt.complies(ORDINARY)]
    if idle or not prompts:
        raise UserError(f"instructions {idle} cannot be measured: give some that an "
                        "ordinary answer does not keep to anyway")
    rng, stream = Random(f"ghost/{seed}/{split}"), _stream(seed, split, kinds)
    made = []
    for number in range(n):
        prompt, tasks = rng.choice(prompts), []
        while len(tasks) < turns[number % len(turns)]:
            task = next(stream)
            if not prompt.complies(task.reference):
                tasks.append(task)
        made.append(Dialogue(prompt, tuple(tasks)))
    return made


def _stream(seed: int, split: str, kinds: Sequence[str]) -> Iterator[Task]:
    for block in count():
        yield from make_tasks(200, 1_000_003 * seed + block, split, kinds)


def joined(dialogue: Dialogue) -> list[Message]:
    """The dialogue with its instruction in front of every question.

    This layout and the next end with the last answer, or with the next question where
    that is still to be answered.
    """
    # step 1: the instruction joins every question
    return _alternate([f"{dialogue.prompt.text} {task.prompt}"
                       for task in dialogue.tasks], dialogue.answers)


def dropped(dialogue: Dialogue) -> list[Message]:
    """The same with the instruction in the first turn only, as its system message."""
    # step 4: dropped from all questions, and said once, before the first
    return [Message("system", dialogue.prompt.text),
            *_alternate([task.prompt for task in dialogue.tasks], dialogue.answers)]


def plain(dialogue: Dialogue) -> list[Message]:
    """The comparison without Ghost Attention: the instruction where it is needed.

    Questions, instruction and the answer that earns a loss are those of ``dropped``,
    token for token; only the place of the instruction differs. It stands in the last
    turn, so earlier answers are ordinary ones; with one turn both are the same. A model
    trained on it knows every instruction, has met dialogues just as long, and has
    never seen an instruction last: the paper's baseline, which follows at first.
    Raises UserError for an unfinished dialogue.
    """
    if len(dialogue.answers) != len(dialogue.tasks):
        raise UserError(f"the dialogue has {len(dialogue.tasks)} questions and "
                        f"{len(dialogue.answers)} answers: answer it first")
    if len(dialogue.tasks) == 1:
        return dropped(dialogue)
    *before, last = dialogue.tasks
    return _alternate([*(task.prompt for task in before),
                       f"{dialogue.prompt.text} {last.prompt}"],
                      [*(task.reference for task in before), dialogue.answers[-1]])


def ordinary(dialogue: Dialogue) -> list[Message]:
    """The questions without any instruction, with their reference answers.

    A model needs some of these, on either side, or else it learns always to obey.
    """
    return _alternate([task.prompt for task in dialogue.tasks],
                      [task.reference for task in dialogue.tasks])


def _alternate(questions: Sequence[str], answers: Sequence[str]) -> list[Message]:
    """Question, answer, question, up to the first question without an answer."""
    messages = []
    for number, text in enumerate(questions[: len(answers) + 1]):
        messages.append(Message("user", text))
        messages += [Message("assistant", said) for said in answers[number:number + 1]]
    return messages


def applied(dialogues: Sequence[Dialogue]) -> list[Dialogue]:
    """Answer every question with its reference, changed by rule to comply.

    An honest shortcut: no model is asked. The paper samples (see ``sampled``).
    """
    return [replace(dialogue, answers=tuple(dialogue.prompt.apply(task.reference)
                                            for task in dialogue.tasks))
            for dialogue in dialogues]


def sampled(policy: Llama, tokenizer: Tokenizer, dialogues: Sequence[Dialogue],
            tries: int = 4, max_new_tokens: int = 24, temperature: float = 1.0,
            generator: torch.Generator | None = None) -> list[Dialogue]:
    """Let a policy answer turn by turn, told the instruction before every question.

    Of ``tries`` answers the first that complies is kept; a dialogue for which none
    does is given up, so fewer may come back. Raises UserError where the joined
    dialogue does not fit into the policy's context. Section 3.3.
    """
    going = [replace(dialogue, answers=()) for dialogue in dialogues]
    for turn in range(max((len(each.tasks) for each in going), default=0)):
        # step 2: turn t of all dialogues is drawn together, several times
        asked = [each for each in going if len(each.tasks) > turn]
        drawn = _draw(policy, tokenizer, [joined(each) for each in asked
                                          for _ in range(tries)],
                      max_new_tokens, temperature, generator)
        # step 3: the first answer that complies is kept, and seen by the next turn
        groups = iter([drawn[i:i + tries] for i in range(0, len(drawn), tries)])
        going = [after for each in going for after in (
            [each] if len(each.tasks) <= turn else _first(each, next(groups)))]
    return going


def _first(dialogue: Dialogue, drawn: Sequence[str]) -> list[Dialogue]:
    """The dialogue with the first answer that complies; nothing where none does."""
    kept = [text for text in drawn if dialogue.prompt.complies(text)][:1]
    return [replace(dialogue, answers=(*dialogue.answers, text)) for text in kept]


def _draw(policy: Llama, tokenizer: Tokenizer, talks: Sequence[list[Message]],
          max_new_tokens: int, temperature: float,
          generator: torch.Generator | None, batch: int = 200) -> list[str]:
    """One answer to each dialogue, whose last word is the user's."""
    prompts = [encode_prompt(tokenizer, talk) for talk in talks]
    for prompt, talk in zip(prompts, talks):
        _check_room(len(prompt) + max_new_tokens, policy.config.max_seq_len, talk)
    found: list[str] = []
    for first in range(0, len(prompts), batch):
        found += texts_of(sample(policy, prompts[first:first + batch], max_new_tokens,
                                 temperature, generator, tokenizer.eos_id), tokenizer)
    return found


def _check_room(needed: int, room: int, talk: Sequence[Message]) -> None:
    if needed > room:
        turns = sum(message.role == "user" for message in talk)
        raise UserError(f"a dialogue of {turns} turns needs {needed} tokens and the "
                        f"context holds {room}: use fewer turns or shorter tasks")


def encode_last(tokenizer: Tokenizer, messages: Sequence[Message], context: int
                ) -> Encoded:
    """Encode a dialogue of which only the last answer earns a loss.

    Raises UserError as encode_dialogue does, for a dialogue that does not end with an
    answer, and for one of more than ``context`` tokens. Section 3.3.
    """
    encoded = encode_dialogue(tokenizer, messages)
    if messages[-1].role != "assistant":
        raise UserError("the last message is the user's: there is no answer to learn")
    _check_room(len(encoded.ids), context, messages)
    # step 5: zero loss on all tokens of earlier turns, their answers included
    start = len(encode_prompt(tokenizer, messages[:-1]))
    return Encoded(encoded.ids, [at >= start for at in range(len(encoded.ids))])


def converse(model: Llama, tokenizer: Tokenizer, dialogues: Sequence[Dialogue],
             max_new_tokens: int = 24,
             layout: Callable[[Dialogue], list[Message]] = dropped) -> list[Dialogue]:
    """Let a model answer every question greedily, its own answers in its context.

    The instruction stands where ``layout`` puts it. Raises UserError for a dialogue
    that the context cannot hold.
    """
    going = [replace(dialogue, answers=()) for dialogue in dialogues]
    for turn in range(max((len(each.tasks) for each in going), default=0)):
        asked = [each for each in going if len(each.tasks) > turn]
        said = iter(_draw(model, tokenizer, [layout(each) for each in asked],
                          max_new_tokens, 0.0, None))
        going = [replace(each, answers=(*each.answers, next(said)))
                 if len(each.tasks) > turn else each for each in going]
    return going


def compliance(model: Llama, tokenizer: Tokenizer, dialogues: Sequence[Dialogue],
               turns: int, max_new_tokens: int = 20) -> list[Turn]:
    """How many answers keep to the instruction at each of the first ``turns`` turns.

    The tiny Table 30, judged by a program. Raises UserError for no dialogues and for
    ones with fewer turns or too long.
    """
    if not dialogues or min(len(each.tasks) for each in dialogues) < turns:
        raise UserError(f"compliance over {turns} turns needs dialogues of as many")
    spoken = converse(model, tokenizer, [replace(each, tasks=each.tasks[:turns])
                                         for each in dialogues], max_new_tokens)
    return [Turn(turn + 1, sum(each.prompt.complies(each.answers[turn])
                               for each in spoken), len(spoken))
            for turn in range(turns)]


@torch.no_grad()
def largest_attention(model: Llama, ids: Sequence[int]) -> Tensor:
    """The largest weight over all layers and heads, (length, length); rows read."""
    layers = [block.attention for block in model.layers]
    try:
        for layer in layers:
            layer.keep_weights = True
        model(torch.tensor([list(ids)], device=model.embedding.weight.device))
        weights = torch.cat([layer.weights for layer in layers], dim=1)[0]
    finally:
        for layer in layers:
            layer.keep_weights, layer.weights = False, None
    return weights.amax(dim=0).cpu()


def system_span(tokenizer: Tokenizer, messages: Sequence[Message]) -> tuple[int, int]:
    """Where the system text begins and ends among the tokens of a dialogue.

    Raises UserError where the dialogue has no system message.
    """
    if not messages or messages[0].role != "system":
        raise UserError("the dialogue has no system message to attend to")
    before = f"{B_INST} {B_SYS}"
    # a piece never reaches across the line break at either end of the system text
    start, end = (len(tokenizer.encode(text, bos=True))
                  for text in (before, before + messages[0].text))
    return start, end


def attention_to_system(model: Llama, tokenizer: Tokenizer,
                        messages: Sequence[Message]) -> Tensor:
    """The largest weight that each token gives to any token of the system text.

    Over all layers and heads, as in the paper's Figure 10; (length,), zero before
    that text. Raises UserError where the dialogue has no system message.
    """
    start, end = system_span(tokenizer, messages)
    ids = encode_dialogue(tokenizer, messages).ids
    return largest_attention(model, ids)[:, start:end].amax(dim=1)
