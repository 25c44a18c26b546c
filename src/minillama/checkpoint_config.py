"""config.json of the Hugging Face layout, read with suspicion and written plainly."""

import json
from pathlib import Path

from .config import LlamaConfig
from .errors import UserError

FIELDS = {  # ours: Hugging Face's
    "vocab_size": "vocab_size",
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "ffn_dim": "intermediate_size",
    "max_seq_len": "max_position_embeddings",
    "norm_eps": "rms_norm_eps",
}
# What this model does not do, with the only value under which that is no loss.
FIXED = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
         "quantization_config": None}
LONGEST = 2**20  # tokens
LARGEST_JSON = 50 * 10**6  # bytes; a real index of 70B is under 0.1 MB


def read_json(file: Path) -> dict:
    """The object in a JSON file; UserError says what is wrong with it otherwise."""
    if not file.is_file():
        raise UserError(f"{file} is missing: {file.parent} is no checkpoint folder in "
                        "the Hugging Face layout")
    if file.stat().st_size > LARGEST_JSON:
        raise UserError(f"{file} is too large to be what its name says")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"{file} is damaged, it is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{file} is damaged: it holds no JSON object")
    return content


def config_from_json(folder: Path) -> LlamaConfig:
    """The shape of the checkpoint in ``folder``; UserError for what is not a Llama."""
    file = folder / "config.json"
    content = read_json(file)
    if content.get("model_type") != "llama":
        raise UserError(f"{file} describes a {content.get('model_type')!r} model, and "
                        "only 'llama' is read")
    for key, only in FIXED.items():
        if content.get(key, only) != only:
            raise UserError(f"{file}: {key} {content[key]!r} is not supported, Llama 2 "
                            f"has {only!r}")
    required = ["vocab_size", "dim", "n_layers", "n_heads", "ffn_dim"]
    missing = [FIELDS[name] for name in required if content.get(FIELDS[name]) is None]
    if missing:
        raise UserError(f"{file} lacks {', '.join(missing)}")
    values = {ours: content[theirs] for ours, theirs in FIELDS.items()
              if content.get(theirs) is not None}
    values.setdefault("norm_eps", 1e-6)  # Hugging Face's default, not Llama 2's
    values.setdefault("max_seq_len", 2048)
    try:
        config = LlamaConfig(
            **values, rope_theta=_rope_theta(content, file),
            tie_embeddings=content.get("tie_word_embeddings") or False,
        )
    except (TypeError, UserError) as error:
        raise UserError(f"{file}: {error}") from None
    if config.max_seq_len > LONGEST:
        raise UserError(f"{file}: max_position_embeddings {config.max_seq_len} is over "
                        f"{LONGEST}, more than its table of angles may take")
    if content.get("head_dim") not in (None, config.head_dim):
        raise UserError(f"{file}: head_dim {content['head_dim']} is not hidden_size / "
                        "num_attention_heads, which this model assumes")
    return config


def _rope_theta(content: dict, file: Path) -> float:
    """The base of the angles; its place in the file moved in transformers 5."""
    theta = content.get("rope_theta", 10000.0)
    for key in ("rope_scaling", "rope_parameters"):  # a file may hold both
        rope = content.get(key) or {}
        if not isinstance(rope, dict):
            raise UserError(f"{file}: {key} is not an object")
        kind = rope.get("rope_type", rope.get("type", "default"))
        if kind != "default":
            raise UserError(f"{file}: RoPE of type {kind!r} is not supported, only "
                            "plain")
        theta = rope.get("rope_theta", theta)
    return theta


def config_to_json(config: LlamaConfig, dtype: str) -> dict:
    """What transformers, old and new, needs to open the model as a Llama."""
    content = {theirs: getattr(config, ours) for ours, theirs in FIELDS.items()}
    rope = {"rope_type": "default", "rope_theta": config.rope_theta}
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", **content,
        "head_dim": config.head_dim, "rope_theta": config.rope_theta,
        "rope_parameters": rope, "tie_word_embeddings": config.tie_embeddings,
        "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
        "bos_token_id": 1, "eos_token_id": 2, "dtype": dtype, "torch_dtype": dtype,
    }
