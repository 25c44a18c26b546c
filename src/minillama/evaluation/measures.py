"""From the results of stages to one number a seed, which is what verdicts are made of.

Each function takes a result as its stage gives it and returns a list, one value a seed
(or, where it says so, one a pair). Nothing is trained here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ..alignment.ghost import PROMPTS, compliance, make_dialogues
from ..alignment.preferences import Pair
from ..alignment.reward import RewardModel, score
from ..errors import UserError
from ..model import Llama
from ..pasture import SystemPrompt
from ..tokenizer import Tokenizer
from .wins import tally

UNKNOWN = ("dear cat", "my old farm", "so there", "good hay")  # closings not trained
Row = Mapping[str, Any]
Rows = Sequence[Row]


def lead(losses: Mapping[str, Sequence[float]], ours: str, other: str) -> list[float]:
    """Stage ablations: by how many nats ``ours`` lies below ``other``, seed by seed."""
    return [theirs - mine for mine, theirs in zip(losses[ours], losses[other])]


def by_seed(rows: Rows, value: Callable[[Row], float], **wanted: Any) -> list[float]:
    """``value`` of the rows that have all of ``wanted``, in the order of their seeds.

    Raises UserError where nothing fits: a claim must not be judged on no rows.
    """
    mine = [row for row in rows if all(row[k] == v for k, v in wanted.items())]
    if not mine:
        raise UserError(f"no row has {wanted}")
    return [value(row) for row in sorted(mine, key=lambda row: row["seed"])]


def gap(rows: Rows, value: Callable[[Row], float], one: Row, other: Row) -> list[float]:
    """The value under ``one`` setting less that under ``other``, seed by seed."""
    pairs = zip(by_seed(rows, value, **one), by_seed(rows, value, **other), strict=True)
    return [a - b for a, b in pairs]


def far_gain(rows: Rows, narrow: int, wide: int, begin: int, end: int) -> list[float]:
    """Stage windows: nats by which the wide window is better at positions ``begin`` to
    ``end`` (the first included, the last not)."""
    def loss(row: Row) -> float:
        part = row["by_position"][begin:end]
        return sum(part) / len(part)

    return gap(rows, loss, {"window": narrow}, {"window": wide})


def all_pairs(row: Row) -> float:
    """Accuracy over all pairs, in points of a hundred."""
    return 100 * row["accuracy"]["all"]


def grown(scaling: Rows, what: str) -> list[float]:
    """Stage reward_study: points of accuracy gained from the smallest to the largest
    number of ``pairs`` (at the most layers) or ``parameters`` (at the most pairs)."""
    other = {"pairs": "parameters", "parameters": "pairs"}[what]
    most = max(row[other] for row in scaling)
    values = [row[what] for row in scaling if row[other] == most]
    return gap(scaling, all_pairs, {what: max(values), other: most},
               {what: min(values), other: most})


def clear_over_unsure(margins: Rows, clear: str, unsure: str) -> list[float]:
    """Points of accuracy by which one degree of preference leads another."""
    return by_seed(margins, lambda row: 100 * (
        row["accuracy"][clear] - row["accuracy"][unsure]), margin=None)


def from_the_middle(row: Row) -> float:
    """How far rewards lie from one half, in the mean; scores are logits."""
    return (torch.tensor(row["scores"]).sigmoid() - 0.5).abs().mean().item()


def version_gap(runs: Sequence[Any], newer: str, older: str, name: str = "utility",
                kind: str | None = None) -> list[float]:
    """Stage rlhf: a mean over held-out prompts, one version less another."""
    return [run.judged[newer].mean(name, kind) - run.judged[older].mean(name, kind)
            for run in runs]


def win_rates(runs: Sequence[Any], version: str, judge: str) -> list[float]:
    """Stage rlhf: wins of a version against SFT by a judge; a tie counts one half."""
    return [tally(*(getattr(run.judged[name], judge) for name in (version, "SFT"))).half
            for run in runs]


def wins_apart(runs: Sequence[Any], version: str) -> dict[bool, tuple[float, float]]:
    """Stage rlhf: wins of a version against SFT by the truth and by the helpfulness
    model, a tie counting one half, over the prompts of all runs: True where the truth
    decides, False where it calls a tie. Equal totals may hide that they differ here."""
    scores: dict[bool, list[tuple[float, ...]]] = {True: [], False: []}
    for run in runs:
        ours, theirs = run.judged[version], run.judged["SFT"]
        for four in zip(ours.utility, theirs.utility, ours.helpfulness,
                        theirs.helpfulness):
            scores[four[0] != four[1]].append(four)
    found = {}
    for decided, mine in scores.items():
        a, b, c, d = zip(*mine)
        found[decided] = (tally(a, b).half, tally(c, d).half)
    return found


def agreement(runs: Sequence[Any], version: str, over: Sequence[str]) -> list[float]:
    """Stage rlhf: correlation of the helpfulness score with the true utility over the
    answers to prompts of the kinds ``over``."""
    found = []
    for run in runs:
        judged = run.judged[version]
        mine = [(h, u) for h, u, kind in zip(judged.helpfulness, judged.utility,
                                             judged.kinds) if kind in over]
        found.append(torch.corrcoef(torch.tensor(mine).T)[0, 1].item())
    return found


def judge_falls(runs: Sequence[Any]) -> list[float]:
    """Stage rlhf: how much more often the helpfulness model was right about answers of
    the fine-tuned model than, before the last refresh, about those of V4."""
    return [run.rounds[0]["helpfulness_before"] - run.rounds[-1]["helpfulness_before"]
            for run in runs]


def truth_gained(runs: Rows, reward: str, last: int = 5) -> list[float]:
    """Stage overoptimisation: true utility of the last iterations less the first, for
    runs with the KL term, paid by ``reward``."""
    def gained(run: Row) -> float:
        truth = [row["utility"] for row in run["rows"]]
        return (sum(truth[-last:]) - sum(truth[:last])) / last

    with_kl = [run for run in runs if run["beta"] > 0]
    return by_seed(with_kl, gained, reward=reward)


def turn_gap(rows: Rows, one: Row, other: Row) -> list[float]:
    """Stage ghost: share of answers that comply, one turn or side less another."""
    return gap(rows, lambda row: row["compliance"], one, other)


def grounds(judges: Mapping[str, RewardModel], heldout: Mapping[str, Sequence[Pair]],
            tokenizer: Tokenizer) -> dict[str, list[float]]:
    """For each test set, pair by pair: one where its own judge alone is right, minus
    one where the other alone is, zero where they agree. Ties of scores count half."""
    found = {}
    for ground, pairs in heldout.items():
        prompts = [pair.prompt for pair in pairs]
        right = {}
        for name, judge in judges.items():
            up, down = (score(judge, tokenizer, prompts,
                              [getattr(pair, side) for pair in pairs])
                        for side in ("chosen", "rejected"))
            right[name] = ((up - down).sign() + 1) / 2
        away = next(name for name in judges if name != ground)
        found[ground] = (right[ground] - right[away]).tolist()
    return found


def closing(words: str) -> SystemPrompt:
    """An instruction in the usual sentence, with a closing of our own."""
    known = next(prompt for prompt in PROMPTS if prompt.name == "closing-hey-ho")
    return SystemPrompt(words, known.text.replace("hey ho", words),
                        lambda answer: answer.rstrip(".!").endswith(words),
                        lambda answer: f"{answer.rstrip('.')}, {words}.")


def unseen(model: Llama, tokenizer: Tokenizer, n: int = 40, turn: int = 4
           ) -> tuple[int, int]:
    """How many of ``n`` held-out dialogues keep an unknown closing at a turn, and n."""
    talks = make_dialogues(n, (turn,), seed=13, split="heldout", kinds=("sum", "sound"),
                           prompts=[closing(words) for words in UNKNOWN])
    last = compliance(model, tokenizer, talks, turn)[-1]
    return last.complied, last.n


def writers(items: Sequence[Any], careless: float) -> float:
    """Mean utility of demonstrations: references, and with chance ``careless`` one of
    the degraded answers."""
    worth = [(1 - careless) * item.utility(item.reference) + careless * sum(
        map(item.utility, item.degraded)) / len(item.degraded) for item in items]
    return sum(worth) / len(worth)


def rate(what: str, asked: str) -> Callable[[Row], float]:
    """A share of a tally: ``rate("violations", "unsafe")``, as a value of a row."""
    return lambda row: row[what] / row[asked]


def mean_of(name: str) -> Callable[[Row], float]:
    """One entry of a row ("utility_tasks"), as a value of it."""
    return lambda row: row[name]


def spared(pairs: Rows) -> list[float]:
    """Stage distillation: share of the answers to lures that the preamble made worse,
    of all of them less of those that the gate kept, seed by seed."""
    found = []
    for seed in sorted({pair["seed"] for pair in pairs}):
        mine = [(pair["utility_distilled"] < pair["utility_plain"], pair["kept"])
                for pair in pairs if pair["seed"] == seed and pair["kind"] == "unsafe"]
        kept = [worse for worse, passed in mine if passed]
        found.append(sum(worse for worse, _ in mine) / len(mine)
                     - sum(kept) / max(len(kept), 1))
    return found


def total(rows: Rows, what: str, **wanted: Any) -> int:
    """Sum over all seeds of a count, of the rows that have all of ``wanted``."""
    return int(sum(by_seed(rows, lambda row: row[what], **wanted)))


def broken(styles: Rows) -> list[float]:
    """Stage red_team: share of attacks that broke the model in the first round, less
    that in the last."""
    rounds = sorted({row["round"] for row in styles})
    shares = []
    for number in (rounds[0], rounds[-1]):
        sums: dict[int, list[int]] = {}
        for row in styles:
            if row["round"] == number:
                mine = sums.setdefault(row["seed"], [0, 0])
                mine[0], mine[1] = mine[0] + row["broken"], mine[1] + row["attempts"]
        shares.append([hit / tried for _, (hit, tried) in sorted(sums.items())])
    return [before - after for before, after in zip(*shares, strict=True)]


def mitigated(rounds: Rows) -> list[float]:
    """Stage red_team: of the prompts found in earlier rounds and asked again, the share
    now answered without harm, all rounds of a seed together."""
    sums: dict[int, list[int]] = {}
    for row in rounds:
        mine = sums.setdefault(row["seed"], [0, 0])
        mine[0], mine[1] = mine[0] + row["mitigated"], mine[1] + row["again"]
    return [cured / again for _, (cured, again) in sorted(sums.items()) if again]


def fewest(row: Row) -> float:
    """Stage rude_text: accuracy with the fewest examples."""
    return row["accuracy"][min(row["accuracy"], key=int)]


def leak_gain(rows: Rows, leak: str) -> list[float]:
    """Stage contamination: share of right answers to questions that leaked ("exact" or
    "reworded"), at the largest dose less the same questions without any leak."""
    def share(row: Row) -> float:
        mine = [right for right, kind in zip(row["right"], row["leak"]) if kind == leak]
        return sum(mine) / len(mine)

    leaks = [row for row in rows if row["run"] == "leak"]
    most = max(row["dose"] for row in leaks)
    return gap(leaks, share, {"dose": most}, {"dose": 0})
