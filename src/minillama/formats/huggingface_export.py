"""An export that ``transformers`` opens whole: weights, tokenizer and chat template."""

import os
from pathlib import Path

from ..checkpoint import save_pretrained
from ..errors import UserError
from ..files import write_json, write_text
from ..model import Llama
from ..tokenizer import Tokenizer
from .tokenizer_json import to_json


class WholeTokenizer(Tokenizer):
    """A tokenizer that saves all that ``AutoTokenizer`` looks for beside its file.

    ``save_pretrained`` lets the tokenizer save itself into the draft of the folder, so
    whatever is written here appears together with the weights or not at all.
    """

    def __init__(self, tokenizer: Tokenizer, template: str | None) -> None:
        """The tokenizer, and a chat template in Jinja or None for a base model."""
        super().__init__(tokenizer.vocabulary)
        self.template = template

    def save(self, path: str | os.PathLike) -> None:
        """Write tokenizer.model and its companions into the folder of ``path``."""
        super().save(path)
        folder = Path(path).parent
        marks = {f"{name}_token": self.piece(id) for name, id in
                 (("unk", self.unk_id), ("bos", self.bos_id), ("eos", self.eos_id))}
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", **marks,
                    "add_bos_token": True, "add_eos_token": False,
                    "clean_up_tokenization_spaces": False,
                    "model_input_names": ["input_ids", "attention_mask"]}
        if self.template is not None:
            settings["chat_template"] = self.template
            write_text(folder / "chat_template.jinja", self.template)
        write_json(folder / "tokenizer_config.json", settings)
        write_json(folder / "tokenizer.json", to_json(self))
        write_json(folder / "generation_config.json", {
            "bos_token_id": self.bos_id, "eos_token_id": self.eos_id,
            "pad_token_id": self.eos_id})


def save_huggingface(model: Llama, tokenizer: Tokenizer, folder: str | os.PathLike,
                     template: str | None = None, overwrite: bool = False,
                     shard_bytes: int = 5 * 10**9) -> None:
    """Write a folder for ``AutoModelForCausalLM``, ``AutoTokenizer`` and pipelines.

    As ``save_pretrained``, with the files of WholeTokenizer. Raises UserError where
    model and tokenizer do not belong together.
    """
    if tokenizer.vocab_size != model.config.vocab_size:
        raise UserError(f"the tokenizer has {tokenizer.vocab_size} pieces and the model"
                        f" {model.config.vocab_size}: they do not belong together")
    whole = WholeTokenizer(tokenizer, template)
    save_pretrained(model, whole, folder, overwrite, shard_bytes)
