"""Wrong answers to the exercises of notebook 06, and what the check must say."""

import torch


def count(tables=2, norms=2, last=1, matrices=3, full=False, repeated=True):
    def count_weights(vocab, dim, layers, heads, kv_heads, ffn_dim):
        kv_dim = dim if full else kv_heads * dim // heads
        layer = 2 * dim * dim + 2 * dim * kv_dim + matrices * dim * ffn_dim
        layer += norms * dim
        return tables * vocab * dim + (layers if repeated else 1) * layer + last * dim
    return count_weights


def no_sums(x, first_norm, attention, second_norm, ffn):
    return ffn(second_norm(attention(first_norm(x))))


def no_second_sum(x, first_norm, attention, second_norm, ffn):
    return ffn(second_norm(x + attention(first_norm(x))))


def no_first_sum(x, first_norm, attention, second_norm, ffn):
    x = attention(first_norm(x))
    return x + ffn(second_norm(x))


def norm_after(x, first_norm, attention, second_norm, ffn):
    x = first_norm(x + attention(x))
    return second_norm(x + ffn(x))


def parallel(x, first_norm, attention, second_norm, ffn):
    return x + attention(first_norm(x)) + ffn(second_norm(x))


def normed_stream(x, first_norm, attention, second_norm, ffn):
    x = first_norm(x)
    x = second_norm(x + attention(x))
    return x + ffn(x)


def one_norm(x, first_norm, attention, second_norm, ffn):
    x = x + attention(first_norm(x))
    return x + ffn(first_norm(x))


def parallel_one_norm(x, first_norm, attention, second_norm, ffn):
    seen = first_norm(x)
    return x + attention(seen) + ffn(seen)


def exchanged(x, first_norm, attention, second_norm, ffn):
    x = x + attention(second_norm(x))
    return x + ffn(first_norm(x))


def other_order(x, first_norm, attention, second_norm, ffn):
    x = x + ffn(second_norm(x))
    return x + attention(first_norm(x))


def in_place(x, first_norm, attention, second_norm, ffn):
    x += attention(first_norm(x))
    x += ffn(second_norm(x))
    return x


def _sorted(probabilities):
    ranked, order = probabilities.sort(dim=-1, descending=True)
    return ranked, order, ranked.cumsum(dim=-1)


def not_rescaled(probabilities, p):
    ranked, order, total = _sorted(probabilities)
    ranked = ranked.masked_fill(total - ranked >= p, 0.0)
    return torch.zeros_like(ranked).scatter(-1, order, ranked)


def still_sorted(probabilities, p):
    ranked, _, total = _sorted(probabilities)
    ranked = ranked.masked_fill(total - ranked >= p, 0.0)
    return ranked / ranked.sum(dim=-1, keepdim=True)


def drops_crossing(probabilities, p):
    ranked, order, total = _sorted(probabilities)
    ranked = ranked.masked_fill(total > p, 0.0)
    kept = torch.zeros_like(ranked).scatter(-1, order, ranked)
    return kept / kept.sum(dim=-1, keepdim=True).clamp(min=1e-9)


def nothing_left(probabilities, p):
    ranked, order, total = _sorted(probabilities)
    ranked = ranked.masked_fill(total > p, 0.0)
    kept = torch.zeros_like(ranked).scatter(-1, order, ranked)
    return kept / kept.sum(dim=-1, keepdim=True)


def keeps_one_more(probabilities, p):
    ranked, order, total = _sorted(probabilities)
    ranked = ranked.masked_fill(total - ranked > p, 0.0)
    kept = torch.zeros_like(ranked).scatter(-1, order, ranked)
    return kept / kept.sum(dim=-1, keepdim=True)


def unsorted(probabilities, p):
    before = probabilities.cumsum(dim=-1) - probabilities
    kept = probabilities.masked_fill(before >= p, 0.0)
    return kept / kept.sum(dim=-1, keepdim=True)


def fit(copies=2, byte=2, weight=2, keep_weights=True, up=False, per_layer=True):
    def texts_that_fit(weights, layers, kv_heads, head_dim, length, memory):
        text = copies * byte * kv_heads * head_dim * length
        text *= layers if per_layer else 1
        left = memory - (weight * weights if keep_weights else 0)
        return max(0, -(-left // text) if up else left // text)
    return texts_that_fit


def negative(weights, layers, kv_heads, head_dim, length, memory):
    return (memory - 2 * weights) // (4 * layers * kv_heads * head_dim * length)


WRONG = {
    "count_weights": [
        (count(tables=1), "only one table"), (count(last=0), "last norm"),
        (count(norms=1), "two norms"), (count(norms=0), "inside the layers"),
        (count(norms=0, last=0), "norms are missing"),
        (count(matrices=2), "three matrices"), (count(full=True), "fewer heads"),
        (count(repeated=False), "counted once"),
    ],
    "my_block": [
        (no_sums, "both sums"), (no_first_sum, "around attention"),
        (no_second_sum, "around the feed-forward"), (norm_after, "order of 2017"),
        (parallel, "parallel block"), (normed_stream, "normed copy"),
        (exchanged, "exchanged"), (other_order, "comes second"),
        (one_norm, "before both parts"), (parallel_one_norm, "one norm for both"),
        (in_place, "x itself was changed"),
    ],
    "top_p": [
        (not_rescaled, "sum to one"), (still_sorted, "sorted order"),
        (drops_crossing, "crosses p"), (nothing_left, "always stays"),
        (unsorted, "sort by probability"), (keeps_one_more, "exactly p"),
    ],
    "texts_that_fit": [
        (fit(copies=1), "two tensors"), (fit(byte=1), "every number takes two bytes"),
        (fit(byte=1, weight=1), "one byte a value"),
        (fit(weight=1), "two bytes each"), (fit(byte=4, weight=4), "32 bits"),
        (fit(keep_weights=False), "need room"), (fit(up=True), "round down"),
        (fit(per_layer=False), "every layer"), (negative, "does not fit on one"),
    ],
}
