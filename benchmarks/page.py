"""benchmarks/README.md, made from results.json so that no number in it is typed."""

import textwrap
from typing import Any

from figure import TARGETS, alt, pair, ratios

from minillama.errors import UserError

SHARED = ("matrix products", "attention", "softmax and loss")  # the same calls
HALF = 0.5  # of an iteration of PPO: more may no part take besides own arithmetic
HOW = """# How fast is it?

Each benchmark does the same thing in two ways, in one process and in alternation,
after it has made sure that both give the same result. What is compared is the ratio
within a round, since a machine that slows down for a while slows both alike. The
interval is Student's at 95% over the rounds; the last column holds the slowest and the
fastest round.

    python benchmarks/run_all.py            # all, one after another
    python benchmarks/run_all.py --only sampling
    python benchmarks/sampling.py --help    # one of them, with its options

`run_all.py` writes `results.json`, the figure and this page. Nothing below is typed by
hand, and a test holds page and results equal. `pretraining_peer.py --compile` compiles
both sides, where there is a C++ compiler.
"""


def page(results: dict[str, Any]) -> str:
    """The whole page. Parts whose benchmark has not been run are left out."""
    known = results["benchmarks"]
    parts = [HOW, machine(results)]
    if ratios(results):
        parts.append(ratio_table(results))
    makers = {"pretraining_peer": pretraining, "sampling": sampling,
              "training_sentencepiece": lambda one: compiled(known),
              "ppo_iteration": ppo, "build_times": builds}
    parts += [make(known[name]) for name, make in makers.items() if name in known]
    return "\n".join(map(folded, parts))


def folded(text: str) -> str:
    """Paragraphs of prose in lines of one length; all else as it is."""
    blocks = text.split("\n\n")
    return "\n\n".join(
        textwrap.fill(block.replace("\n", " "), 88) + "\n" * block.endswith("\n")
        if block[:1].isalnum() else block for block in blocks)


def threads(one: dict[str, Any]) -> str:
    """"1 thread", "2 threads"."""
    return f"{one['threads']} thread" + "s" * (one["threads"] != 1)


def machine(results: dict[str, Any]) -> str:
    """Where this was measured, and what else ran there."""
    about = results["machine"]
    versions = ", ".join(f"{name} {about[name]}" for name in about
                         if name not in ("processor", "cores", "system"))
    note = f" {results['note']}" if results["note"] else ""
    return (f"Measured on {about['cores']} cores of {about['processor']} "
            f"({about['system']}) with {versions}.{note}\n")


def ratio_table(results: dict[str, Any]) -> str:
    """Figure and table of the ratios, with what was aimed at."""
    head = ("compared", "times as fast", "95% interval", "rounds", "aim",
            "single rounds")
    lines = ["## Ratios\n", f"![{alt(results)}](ratios.svg)\n",
             f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, one in ratios(results).items():
        aim = "" if name not in TARGETS else (
            f"{TARGETS[name]:g}, "
            + ("reached" if one["low"] >= TARGETS[name] else "not reached"
               if one["high"] < TARGETS[name] else "not decided"))
        lines.append(f"| {pair(one)} | {one['ratio']:.3g} | {one['low']:.3g} to "
                     f"{one['high']:.3g} | {one['rounds']} | {aim} | "
                     f"{one['least']:.3g} to {one['most']:.3g} |")
    return "\n".join(lines) + "\n"


def share_table(shares: dict[str, dict[str, float]]) -> str:
    """Shares of operators, a column for each side."""
    if not shares:
        raise UserError("there are no shares to show")
    groups = list(dict.fromkeys(g for one in shares.values() for g in one))
    lines = ["| operators | " + " | ".join(shares) + " |",
             "|---|" + "---|" * len(shares)]
    lines += [f"| {g} | " + " | ".join(f"{100 * one.get(g, 0):.1f} %"
                                       for one in shares.values()) + " |"
              for g in groups]
    return "\n".join(lines) + "\n"


def ceiling(one: dict[str, Any]) -> float:
    """The ratio if operators that the two sides do not have in common cost nothing."""
    ours = one["shares"]["ours"]
    return one["ratio"] / sum(ours.get(name, 0) for name in SHARED)


def pretraining(one: dict[str, Any]) -> str:
    """Tokens per second, share of the peak, and where the time goes."""
    return f"""## Pretraining against transformers

Ours trains on {one['tokens_per_second']:.0f} tokens a second and transformers on
{one['peer_tokens_per_second']:.0f}, in float32 with {threads(one)} of torch,
from the same weights, on the same batch, with the same AdamW and clipping. By the count
of `LlamaConfig.flops_per_token` ours does {one['gflops']:.3g} GFLOP/s, which is
{100 * one['of_square']:.0f} % of what this machine reached on large square products
({one['square_gflops']:.3g}) and {100 * one['of_own']:.0f} % of what it reached on
products of the model's own shapes ({one['own_gflops']:.3g}).

Both sides call the same operators of torch for products, attention, softmax and loss.
Counting the time in operators, the ratio could rise to {ceiling(one):.2f} if all other
operators cost us nothing.

{share_table(one['shares'])}"""


def sampling(one: dict[str, Any]) -> str:
    """Tokens per second, and where the time goes."""
    return f"""## Sampling against transformers.generate

{one['prompts']} prompts of mixed lengths, {one['new_tokens']} new tokens each,
{threads(one)} of torch: ours draws {one['tokens_per_second']:.0f} tokens a
second and notes how likely each was, transformers draws
{one['peer_tokens_per_second']:.0f}. Greedy answers were the same, token by token.
Counting the time in operators, the ratio could rise to {ceiling(one):.2f} if all but
products, attention and softmax cost us nothing.

{share_table(one['shares'])}"""


def compiled(known: dict[str, Any]) -> str:
    """What plain Python leaves to the compiled libraries."""
    said = {"encoding_sentencepiece": "sentencepiece encodes",
            "encoding_tokenizers": "tokenizers encodes",
            "training_sentencepiece": "sentencepiece learns its pieces"}
    times = [f"{words} {1 / known[name]['ratio']:.3g} times as fast as ours"
             for name, words in said.items() if name in known]
    one = known["training_sentencepiece"]
    return f"""## What remains to the compiled libraries

On {one['kilobytes']} kB of the Pasture with {one['vocab']} pieces, the same ids and the
same pieces on all sides: {'; '.join(times)}. A number below one says that ours is the
faster. Ours is plain Python, and encoding gains from remembering the words that it has
met; how much, the table says. The Pasture has few different words, which helps that.
"""


def ppo(one: dict[str, Any]) -> str:
    """The parts of an iteration."""
    worst = max(one["parts"], key=lambda name: one["parts"][name]["rest"])
    rest = one["parts"][worst]["rest"]
    lines = [f"""## One iteration of PPO

{one['batch']} answers of up to {one['new_tokens']} tokens; {one['seconds']:.3g} s an
iteration ({one['low_seconds']:.3g} to {one['high_seconds']:.3g} over {one['rounds']}
iterations). Own arithmetic is the time inside forward passes, backward passes, clipping
and the optimisers, the Python of the modules included: {100 * one['own']:.0f} % of the
whole. The largest part that is not own arithmetic, that of "{worst}", takes
{100 * rest:.1f} % of an iteration; the aim was at most {100 * HALF:.0f} %,
{'reached' if rest <= HALF else 'not reached'}.

| part | share | 95% interval | own arithmetic | rest |
|---|---|---|---|---|"""]
    lines += [f"| {name} | {100 * row['share']:.1f} % | {100 * row['low']:.1f} to "
              f"{100 * row['high']:.1f} % | {100 * row['own']:.1f} % | "
              f"{100 * row['rest']:.1f} % |" for name, row in one["parts"].items()]
    return "\n".join(lines) + "\n\n" + share_table(one["shares"])


def builds(one: dict[str, Any]) -> str:
    """Cold and warm build by notebook and stage."""
    measured, stages = one["measured_stages"], one["stage_seconds"]
    known = ("All seconds of stages were measured." if measured == len(stages) else
             f"Of {len(stages)} stages {measured} were timed when they were made; the "
             "others stand with the seconds that their definitions announce.")
    lines = [f"""## Building the series

Warm: the notebook with its stages ready, as the last build noted it. Cold: with all
stages that it needs, one after another. All notebooks: {one['warm'] / 60:.1f} min warm,
{one['cold'] / 60:.1f} min cold, in sequence; a build runs two jobs at a time. {known}

| notebook | warm, s | cold, s |
|---|---|---|"""]
    lines += [f"| {name} | {row['warm']:.0f} | {row['cold']:.0f} |"
              for name, row in one["notebooks"].items()]
    lines += ["\n| stage | s | |", "|---|---|---|"]
    lines += [f"| {name} | {row['seconds']:.0f} | "
              f"{'measured' if row['measured'] else 'announced'} |"
              for name, row in stages.items()]
    return "\n".join(lines) + "\n"
