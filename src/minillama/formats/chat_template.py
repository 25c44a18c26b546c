"""Chat templates: the little program, in Jinja, that turns messages into one text.

Hugging Face folders carry one each. It is a stranger's program, so it runs in Jinja's
sandbox, which gives it the messages and nothing else. What it writes is measured part
by part and may not become too long, and the quickest ways to fill memory are closed;
but a template that is made to waste time or memory can still do so until it is
interrupted. ``LLAMA2`` is the format of Llama 2's reference code (``chat_completion``)
written as such a template; an export carries it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..checkpoint_config import read_json
from ..errors import UserError
from ..sentencepiece_file import CONTROL
from ..tokenizer import Tokenizer
from .guards import LARGEST_JSON, check_file
from .tokenizer_json import JsonTokenizer

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

LONGEST = 10**6  # characters of a rendered dialogue
MOST_STEPS = 10**4  # of one loop over numbers
LARGEST_FACTOR = 2**64
TAGS = ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")
LLAMA2 = r"""
{%- if messages[0]['role'] == 'system' -%}
    {%- set system = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set system = '' -%}
    {%- set turns = messages -%}
{%- endif -%}
{%- for message in turns -%}
    {%- if message['role'] != ('user' if loop.index0 is even else 'assistant') -%}
        {{- raise_exception('user and assistant must take turns') -}}
    {%- endif -%}
    {%- if message['role'] == 'user' -%}
        {%- set said = (system if loop.first else '') + message['content'] -%}
        {{- bos_token + '[INST] ' + said | trim + ' [/INST]' -}}
    {%- else -%}
        {{- ' ' + message['content'] | trim + ' ' + eos_token -}}
    {%- endif -%}
{%- endfor -%}
""".strip()


def read_template(folder: Path) -> str | None:
    """The chat template of a folder; None for a base model, which has none.

    It stands in a file of its own or in tokenizer_config.json, there as text or as a
    list of named ones of which "default" is taken.
    """
    file = folder / "chat_template.jinja"
    if file.exists():
        check_file(file, LARGEST_JSON)
        try:
            return file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UserError(f"{file} is no text") from None
    found = read_settings(folder).get("chat_template")
    if isinstance(found, list):
        named = {str(each.get("name")): each.get("template") for each in found
                 if isinstance(each, dict)}
        found = named.get("default")
    if found is not None and not isinstance(found, str):
        raise UserError(f"{folder / 'tokenizer_config.json'}: chat_template is no text")
    return found


def read_settings(folder: Path, name: str = "tokenizer_config.json") -> dict:
    """The content of a JSON file of the folder; empty where there is no such file."""
    file = folder / name
    if not file.exists():
        return {}
    check_file(file, LARGEST_JSON)
    return read_json(file)


def render(template: str, messages: Sequence[dict[str, str]], bos: str, eos: str
           ) -> str:
    """The text of a dialogue after which the assistant's answer begins.

    ``messages`` have a "role" and a "content". Raises UserError for a template that is
    none, that refuses the messages, that reaches for what it must not, or that writes
    over LONGEST characters. How long it computes is not limited.
    """
    parts, length = [], 0
    try:
        for part in _sandbox().from_string(template).generate(
                messages=list(messages), bos_token=bos, eos_token=eos,
                add_generation_prompt=True):
            parts.append(part)
            length += len(part)
            if length > LONGEST:
                raise UserError(f"the chat template wrote over {LONGEST} characters")
    except UserError:
        raise
    except Exception as error:  # whatever a stranger's program can do wrong
        raise UserError(f"the chat template cannot be used: {_line(error)}") from None
    return "".join(parts)


def _sandbox() -> "SandboxedEnvironment":
    """Jinja's sandbox with narrower loops and products than its own."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # only chats need it

    sandbox = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    sandbox.globals |= {"raise_exception": _refuse, "range": _range}
    sandbox.intercepted_binops = frozenset(("*", "**"))
    sandbox.binop_table |= {"*": _product, "**": _power}
    return sandbox


def _refuse(reason: str) -> NoReturn:
    raise UserError(f"the chat template refuses these messages: {_line(reason)}")


def _range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MOST_STEPS:
        raise UserError(f"the chat template counts over {MOST_STEPS} steps")
    return numbers


def _product(left: Any, right: Any) -> Any:
    """Of two numbers of common size, or of a text or list that stays short."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, int) and (
                abs(one) > LARGEST_FACTOR
                or hasattr(other, "__len__") and len(other) * one > LONGEST):
            raise UserError("the chat template multiplies into what is too large")
    return left * right


def _power(left: Any, right: Any) -> NoReturn:
    raise UserError("the chat template uses **, which no dialogue needs")


def _line(text: object) -> str:
    """A stranger's words, cut to one line."""
    return " ".join(str(text).split())[:120]


def marks_of(tokenizer: Tokenizer | JsonTokenizer) -> dict[str, int]:
    """The marks that stand for one id each and are no text: ``<s>`` and its kin."""
    if isinstance(tokenizer, JsonTokenizer):
        marks = tokenizer.marks
    else:
        marks = {tokenizer.piece(id): id for id, kind in enumerate(tokenizer.types)
                 if kind == CONTROL}
    return {mark: id for mark, id in marks.items() if mark}  # "" is in every text


def _forbidden(tokenizer: Tokenizer | JsonTokenizer, template: str) -> list[str]:
    """What only the template may write: marks, and the tags that it has."""
    return [*marks_of(tokenizer), *(tag for tag in TAGS if tag in template)]


def without_marks(tokenizer: Tokenizer | JsonTokenizer, template: str, text: str
                  ) -> str:
    """A model's answer as it may be shown to the model again.

    Spelt in characters, ``</s>`` would be an end the next time. It is taken out until
    none is left, since what stood around one may make another.
    """
    forbidden = _forbidden(tokenizer, template)
    while any(mark in text for mark in forbidden):
        for mark in forbidden:
            text = text.replace(mark, "")
    return text


def encode_chat(tokenizer: Tokenizer | JsonTokenizer, template: str,
                messages: Sequence[dict[str, str]]) -> list[int]:
    """The ids after which the assistant's answer begins.

    Only the template may write marks: a user's text that holds one, or a tag of the
    Llama 2 format where the template has them, could forge a turn and is refused.
    """
    marks, forbidden = marks_of(tokenizer), _forbidden(tokenizer, template)
    for message in messages:
        found = [mark for mark in forbidden if mark in message["content"]]
        if found and message["role"] != "assistant":
            raise UserError(f"the text holds {found[0]}, which would be read as a part "
                            "of the chat format: leave it out")
    names = {id: mark for mark, id in marks.items()}
    text = render(template, messages, names.get(tokenizer.bos_id, ""),
                  names.get(tokenizer.eos_id, ""))
    return encode_marked(tokenizer, text, marks)


def encode_marked(tokenizer: Tokenizer | JsonTokenizer, text: str,
                  marks: dict[str, int]) -> list[int]:
    """Ids of a text in which marks are marks. What stands between two is encoded as a
    text of its own, as in Llama 2's reference code."""
    ids: list[int] = []
    while text:
        places = [(text.find(mark), -len(mark), mark) for mark in marks if mark in text]
        if not places:
            return ids + tokenizer.encode(text)
        at, _, mark = min(places)
        ids += tokenizer.encode(text[:at]) + [marks[mark]]
        text = text[at + len(mark):]
    return ids
