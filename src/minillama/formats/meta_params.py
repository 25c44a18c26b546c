"""params.json of Meta's layout, completed from the tensors where it is silent."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from ..checkpoint_config import LONGEST, read_json
from ..config import LlamaConfig, ffn_width
from ..errors import UserError
from .guards import LARGEST_JSON, check_file

LARGEST = 2**31  # of any size; 405B has a dim of 2**14
CONTEXT = 4096  # tokens; Meta's files do not say. Llama 2 was trained with 4096
# What this model does not do. Their absence and these values are no loss.
FIXED = {"use_scaled_rope": False, "quantization_args": None, "lora_args": None,
         "moe": None, "moe_args": None, "vision_chunk_size": -1}


def read_params(folder: Path, tables: Sequence[dict[str, Tensor]], output: str,
                gate: str) -> LlamaConfig:
    """The shape of the checkpoint in ``folder``; ``tables`` are its shards.

    ``output`` and ``gate`` name the tensors whose rows are the vocabulary and the
    width of the feed-forward layer.

    Meta ships ``vocab_size`` -1 and lets the tokenizer say it; here the table of
    outputs does. The width of the feed-forward layer too is taken from the tensors,
    and must agree with the rule in the file if it has one. Raises UserError for
    values that no Llama 2 has.
    """
    file = folder / "params.json"
    check_file(file, LARGEST_JSON)
    content = read_json(file)
    _check_sizes(file, content)
    optional = {"n_kv_heads": None, "norm_eps": 1e-5, "rope_theta": 10000.0,
                "max_seq_len": CONTEXT}
    values = {key: content.get(key) if content.get(key) is not None else default
              for key, default in optional.items()}
    vocabulary, width = (_rows(folder, tables, name) for name in (output, gate))
    try:
        config = LlamaConfig(
            vocab_size=vocabulary, dim=content["dim"], n_layers=content["n_layers"],
            n_heads=content["n_heads"], ffn_dim=width, **values)
    except (TypeError, UserError) as error:
        raise UserError(f"{file}: {error}") from None
    if config.max_seq_len > LONGEST:
        raise UserError(f"{file}: max_seq_len {config.max_seq_len} is over {LONGEST}")
    if config.n_layers > len(tables[0]):  # before a billion names are made
        raise UserError(f"{folder} holds {len(tables[0])} tensors, too few for the "
                        f"{config.n_layers} layers in params.json")
    _check_vocabulary(file, content.get("vocab_size", -1), vocabulary)
    _check_width(file, content, config)
    return config


def _check_sizes(file: Path, content: dict) -> None:
    """Refuse other kinds of model, and sizes that are none."""
    for key, only in FIXED.items():
        if content.get(key, only) != only:
            raise UserError(f"{file}: {key} {str(content[key])[:60]} is not supported")
    for key in ("dim", "n_layers", "n_heads"):
        if key not in content:
            raise UserError(f"{file} lacks {key}")
        if type(content[key]) is not int or not 0 < content[key] <= LARGEST:
            raise UserError(f"{file}: {key} {str(content[key])[:60]} is no size of "
                            "a model")


def _rows(folder: Path, tables: Sequence[dict[str, Tensor]], name: str) -> int:
    """Rows of a tensor that is cut along them, over all shards."""
    if any(name not in table or table[name].dim() != 2 for table in tables):
        raise UserError(f"{folder}: a shard lacks the matrix {name}: this is no Llama")
    return sum(table[name].shape[0] for table in tables)


def _check_vocabulary(file: Path, stated: object, found: int) -> None:
    if type(stated) is not int or stated not in (-1, found):
        raise UserError(f"{file}: vocab_size {str(stated)[:60]} does not go with the "
                        f"{found} rows of output.weight: is a shard missing?")


def _check_width(file: Path, content: dict, config: LlamaConfig) -> None:
    """Compare the feed-forward width with the rule that the file states, if any."""
    multiple = content.get("multiple_of")
    if multiple is None:
        return
    factor = content.get("ffn_dim_multiplier")
    factor = 1.0 if factor is None else factor
    numbers = type(multiple) is int and type(factor) in (int, float)
    if not numbers or not (0 < multiple <= LARGEST and 0 < factor <= LARGEST):
        raise UserError(f"{file}: multiple_of {str(multiple)[:60]} and "
                        f"ffn_dim_multiplier {str(factor)[:60]} give no width")
    width = ffn_width(config.dim, factor, multiple)
    if width != config.ffn_dim:
        raise UserError(f"{file} calls for a feed-forward width of {width} and the "
                        f"shards have {config.ffn_dim}: is a shard missing?")
