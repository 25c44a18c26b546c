"""Wrong answers to the exercises of notebook 05, and what the check must say."""

import torch


def positions(first, length):
    return torch.arange(first, first + length)[:, None]


def at_zero(first, length, n_keys):
    return torch.arange(n_keys) <= positions(0, length)


def blind_to_itself(first, length, n_keys):
    return torch.arange(n_keys) < positions(first, length)


def forbidden(first, length, n_keys):
    return torch.arange(n_keys) > positions(first, length)


def turned_round(first, length, n_keys):
    return torch.arange(n_keys) >= positions(first, length)


def whole_block(first, length, n_keys):
    return (torch.arange(n_keys) < first + length).expand(length, -1)


def at_the_end(first, length, n_keys):
    return torch.ones(length, n_keys).tril(n_keys - length).bool()


def tiled(key, n_heads):
    return key.repeat(1, 1, n_heads // key.shape[2], 1)


def along_length(key, n_heads):
    return key.repeat_interleave(n_heads // key.shape[2], dim=1)


def as_it_is(key, n_heads):
    return key


def first_for_all(key, n_heads):
    return key[:, :, :1].expand(-1, -1, n_heads, -1)


def keys_alone(config, texts, length):
    return 2 * config.n_layers * texts * length * config.n_kv_heads * config.head_dim


def of_query_heads(config, texts, length):
    return 4 * config.n_layers * texts * length * config.n_heads * config.head_dim


def one_layer(config, texts, length):
    return 4 * texts * length * config.n_kv_heads * config.head_dim


def one_text(config, texts, length):
    return 4 * config.n_layers * length * config.n_kv_heads * config.head_dim


def one_head(config, texts, length):
    return 4 * config.n_layers * texts * length * config.head_dim


def one_group(config, texts, length):
    return one_head(config, texts, length) * (config.n_heads // config.n_kv_heads)


def thirty_two_bits(config, texts, length):
    return 4 * keys_alone(config, texts, length)


def written(keys, starts, new):
    slot = torch.as_tensor(starts)[:, None] + torch.arange(new.shape[1])
    keys[torch.arange(len(keys))[:, None], slot] = new
    return keys


def one_too_far(keys, lengths, new):
    return written(keys, lengths + 1, new)


def one_too_early(keys, lengths, new):
    return written(keys, lengths - 1, new)


def at_the_longest(keys, lengths, new):
    return written(keys, lengths.max().expand(len(lengths)), new)


def like_the_first(keys, lengths, new):
    return written(keys, lengths[:1].expand(len(lengths)), new)


def from_the_start(keys, lengths, new):
    keys[:, : new.shape[1]] = new
    return keys


def reversed_order(keys, lengths, new):
    return written(keys, lengths, new.flip(1))


def forgetful(keys, lengths, new):
    return written(torch.zeros_like(keys), lengths, new)


WRONG = {
    "block_mask": [
        (at_zero, "starts at position zero"),
        (blind_to_itself, "see itself"),
        (forbidden, "True where reading is forbidden"),
        (turned_round, "the future and not the past"),
        (whole_block, "sees the whole block"),
        (at_the_end, "at the end of the keys"),
    ],
    "expand_heads": [
        (tiled, "dealt out in turn"),
        (along_length, "along the length"),
        (as_it_is, "nothing was repeated"),
        (first_for_all, "the first key head"),
    ],
    "cache_bytes": [
        (keys_alone, "keys are kept and values too"),
        (of_query_heads, "that counts query heads"),
        (one_layer, "every layer"),
        (one_text, "every text"),
        (one_head, "every key-value head keeps its own"),
        (one_group, "query heads of one group"),
        (thirty_two_bits, "32-bit"),
    ],
    "append": [
        (one_too_far, "one slot too far"),
        (one_too_early, "one slot too early"),
        (at_the_longest, "end of the longest"),
        (like_the_first, "where the first one ends"),
        (from_the_start, "at the beginning"),
        (reversed_order, "in reverse order"),
        (forgetful, "the old tokens are gone"),
    ],
}
