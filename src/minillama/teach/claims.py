"""The ledger of claims: what the paper says, and how the tiny model was asked.

Claims are in our words, each with its section, its experiment and the slide where the
experiment is seen. Verdicts are not written here: ``judge`` finds them in the results.
Margins (``NATS``, ``SHARE``) were chosen before any of these results was looked at.
"""

from collections.abc import Sequence
from typing import Any

from .. import stages
from ..evaluation import measures as m
from ..evaluation.claims import (
    Claim,
    all_of,
    rate_above,
    shown_above,
    shown_not_worse,
)
from ..pasture import DEGREES
from ..stages_chat import CARELESS, KINDS, heldout_prompts
from .claims_safety import SAFETY_CLAIMS

NATS = 0.05  # of loss: less than this is called no difference
SHARE = 0.05  # of utility, accuracy or a rate: likewise
MODEL, TEXT, SFT = "model", "pretraining", "supervised fine-tuning"
REWARDS, RLHF, GHOST = "reward models", "RLHF", "Ghost Attention"

MODEL_CLAIMS = (
    Claim("gqa-equal", MODEL, "Grouped keys and values cost hardly any quality against "
          "full multi-head attention.", "A.2.1", "two layers, 2 for 4 key-value heads, "
          "loss at most 0.05 nats higher", "05",
          "Use it: what does sharing cost the tiny models?", ("ablations",),
          lambda r: shown_not_worse(m.lead(r["ablations"], "Llama 2",
                                           "Llama 1 (multi-head)"), NATS, "nats")),
    Claim("gqa-mqa", MODEL, "Grouped keys are better than one key-value head for all.",
          "A.2.1", "the same, 2 key-value heads against 1", "05",
          "Use it: what does sharing cost the tiny models?", ("ablations",),
          lambda r: shown_above(m.lead(r["ablations"], "Llama 2", "multi-query"),
                                unit="nats")),
    Claim("rope", MODEL, "Rotary positions, a choice kept from Llama 1, beat learned "
          "ones.", "2.2", "the same, learned positions exchanged",
          "03", "Use it: what are positions worth to the tiny model?", ("ablations",),
          lambda r: shown_above(m.lead(r["ablations"], "Llama 2", "learned positions"),
                                unit="nats")),
    Claim("swiglu", MODEL, "The gated feed-forward layer, likewise kept, beats ReLU.",
          "2.2", "the same, ReLU of as many weights", "04",
          "Use it: what is the gate worth to the tiny model?", ("ablations",),
          lambda r: shown_above(m.lead(r["ablations"], "Llama 2", "ReLU"),
                                unit="nats")),
    Claim("pre-norm", MODEL, "The norm before each layer, likewise kept, beats one "
          "after the sum.", "2.2", "the same, norm after the sum", "02",
          "Use it: what does the norm decide in the tiny model?", ("ablations",),
          lambda r: shown_above(m.lead(r["ablations"], "Llama 2", "norm after"),
                                unit="nats")),
    Claim("context-long", MODEL, "A model that may look further back is better where "
          "texts are long.", "A.2.1", "all 128 tokens against a window of 32, loss "
          "from position 64 on", "15", "The tiny Mistral beside the tiny Llama",
          ("windows",), lambda r: shown_above(
              m.far_gain(r["windows"], 32, 128, 64, 128), unit="nats")),
    Claim("context-short", MODEL, "A model that may look further back loses nothing "
          "where texts are short.", "A.2.1",
          "the same, first 32 positions, at most 0.05 nats worse", "15",
          "Why? Look where the window hides nothing", ("windows",),
          lambda r: shown_not_worse(m.far_gain(r["windows"], 32, 128, 1, 32), NATS,
                                    "nats")),
)
TEXT_CLAIMS = (
    Claim("no-plateau", TEXT, "After two trillion tokens the loss still falls.", "2.2",
          "none", reason="one base model, and its rate falls to its end"),
    Claim("bigger-better", TEXT, "Larger models reach a lower loss on the same tokens.",
          "2.2", "none", reason="one size was pretrained"),
    Claim("carbon", TEXT, "Pretraining emitted 539 tonnes, all offset.", "2.2.1",
          "none", reason="its arithmetic holds; hours and offsets cannot be seen here"),
)
SFT_CLAIMS = (
    Claim("quality", SFT, "A few clean demonstrations beat many doubtful ones.", "3.1",
          "400 clean against 1,600 of which half are wrong; utility", "08",
          "Use it: few good demonstrations, or many doubtful ones?", ("sft_study",),
          lambda r: shown_above(m.gap(r["sft_study"], lambda row: row["utility"], {
              "name": "few, clean"}, {"name": "many, noisy"}), unit="utility")),
    Claim("as-good", SFT, "Answers of the fine-tuned model rival those of its "
          "annotators.", "3.1", "SFT on held-out prompts against its demonstrations, "
          "a third of them careless", "08", "A third of our teachers were careless",
          ("rlhf", "writers"), lambda r: shown_not_worse(
              [run.judged["SFT"].mean() - r["writers"] for run in r["rlhf"]], SHARE,
              "utility")),
)
REWARD_CLAIMS = (
    Claim("rm-data", REWARDS, "More comparisons make a better reward model.", "3.2.2",
          "1,400 against 200 comparisons, held-out accuracy", "09",
          "More comparisons, larger models: the tiny Figure 6", ("reward_study",),
          lambda r: shown_above(m.grown(r["reward_study"]["scaling"], "pairs"),
                                unit="points", digits=1)),
    Claim("rm-size", REWARDS, "A larger reward model is a better one.", "3.2.2",
          "4 against 2 layers of the same chat model", "09",
          "More comparisons, larger models: the tiny Figure 6", ("reward_study",),
          lambda r: shown_above(m.grown(r["reward_study"]["scaling"], "parameters"),
                                unit="points", digits=1)),
    Claim("margin", REWARDS, "A margin by degree of preference makes it more accurate.",
          "A.3.3", "small margin against none, same pairs", "09",
          "What three seeds have shown, and what they have not", ("reward_study",),
          lambda r: shown_above(m.gap(r["reward_study"]["margins"], m.all_pairs, {
              "margin": "small"}, {"margin": None}), unit="points", digits=1)),
    Claim("margin-edges", REWARDS, "The margin drives rewards towards zero and one.",
          "A.3.3", "large margin against none, distance of rewards from one half", "09",
          "Margins on and off: where do the rewards go?", ("reward_study",),
          lambda r: shown_above(m.gap(r["reward_study"]["margins"], m.from_the_middle, {
              "margin": "large"}, {"margin": None}))),
    Claim("rm-degrees", REWARDS, "Clear preferences are foreseen more often than "
          "unsure ones.", "3.2.2", "accuracy on the clearest against the unsure pairs",
          "09",
          "Use it: each judge on both grounds, degree by degree", ("reward_study",),
          lambda r: shown_above(m.clear_over_unsure(
              r["reward_study"]["margins"], DEGREES[0], DEGREES[-1]), unit="points",
              digits=0)),
    Claim("rm-home", REWARDS, "Each of the two reward models is the better one on its "
          "own ground.", "3.2.2", "both judges on both held-out sets, pair by pair "
          "(one training run)", "09",
          "Who leads at home, and is the lead larger than chance?", ("grounds",),
          lambda r: all_of([shown_above(r["grounds"][g]) for g in ("helpfulness",
                                                                  "safety")])),
    Claim("rm-truth", REWARDS, "Trained on choices alone, its score still rises with "
          "the quality of a single answer.", "A.3.6", "correlation of score and truth "
          "over the answers of V5 to tasks", "11",
          "From SFT to V5 on held-out prompts", ("rlhf",),
          lambda r: shown_above(m.agreement(r["rlhf"], "V5", KINDS),
                                unit="correlation")),
)
RLHF_CLAIMS = (
    Claim("rejection", RLHF, "Rounds of rejection sampling improve the model.", "3.2.3",
          "V4 against SFT, true utility of held-out answers", "10",
          "Proxy, truth and distance, version by version", ("rlhf",),
          lambda r: shown_above(m.version_gap(r["rlhf"], "V4", "SFT"), unit="utility")),
    Claim("ppo", RLHF, "PPO on top of it improves the model further.", "3.4.1",
          "V5 against V4, the same", "11", "What we had promised, and what came out",
          ("rlhf",), lambda r: shown_above(m.version_gap(r["rlhf"], "V5", "V4"),
                                           unit="utility")),
    Claim("own-judge", RLHF, "The model's own reward model sees larger gains than an "
          "outside judge.", "3.4.1", "win rate of V5 against SFT: by the helpfulness "
          "model less by the truth", "11",
          "The tiny Figure 11: who wins against the fine-tuned model?", ("rlhf",),
          lambda r: shown_above([a - b for a, b in zip(
              m.win_rates(r["rlhf"], "V5", "helpfulness"),
              m.win_rates(r["rlhf"], "V5", "utility"))], unit="of all wins")),
    Claim("fresh", RLHF, "A reward model is less often right about answers of later "
          "versions than about those it began with.", "3.2.1", "share of pairs judged "
          "rightly: answers of SFT less answers of V4", "11",
          "Why does V5 not rise above V4? Ask how often the judge is right",
          ("rlhf",), lambda r: shown_above(m.judge_falls(r["rlhf"]))),
    Claim("forgetting", RLHF, "Who imitates the last round alone forgets how to rhyme.",
          "3.2.3", "rhymes: SFT less V4 of such rounds", "10",
          "Is something forgotten on the way up?", ("rlhf", "forgetting"),
          lambda r: shown_above([a.judged["SFT"].mean("utility", "rhyme") - b
                                 for a, b in zip(r["rlhf"], m.by_seed(
                                     r["forgetting"], lambda row: row["by_kind"][
                                         "rhyme"], cure=False))], unit="utility")),
    Claim("cure", RLHF, "Winners of all earlier rounds in the heap cure the "
          "forgetting.", "3.2.3",
          "V4 with all winners less V4 of the last round's alone", "10",
          "The cure: imitate the best answers of earlier rounds too", ("forgetting",),
          lambda r: shown_above(m.gap(r["forgetting"], lambda row: row["utility"], {
              "cure": True, "judge": True}, {"cure": False}), unit="utility")),
    Claim("goodhart", RLHF, "With good reward models no over-optimisation was seen.",
          "3.4.1", "PPO paid by the strong judge: truth at the end less at first, at "
          "most 0.05 lower", "11", "The chat model again: when does a rising reward "
          "stop being good news?", ("overoptimisation",), lambda r: shown_not_worse(
              m.truth_gained(r["overoptimisation"], "strong"), SHARE, "utility")),
    Claim("beyond", RLHF, "RLHF surpasses the people who wrote its demonstrations.",
          "5.1", "V5 against the mean of those demonstrations", "11",
          "From SFT to V5 on held-out prompts", ("rlhf", "writers"),
          lambda r: shown_above([run.judged["V5"].mean() - r["writers"]
                                 for run in r["rlhf"]], unit="utility")),
)
GHOST_CLAIMS = (
    Claim("ghost-lost", GHOST, "Without Ghost Attention an instruction is lost within "
          "a few turns.", "A.3.5", "share of answers that comply: turn 1 less turn 4",
          "12", "Use it: with and without, turn by turn", ("ghost",),
          lambda r: shown_above(m.turn_gap(r["ghost"], {"ghost": False, "turn": 1},
                                           {"ghost": False, "turn": 4}))),
    Claim("ghost-kept", GHOST, "With Ghost Attention it holds to the last turn.", "3.3",
          "turn 6 less turn 1, at most 0.05 lower", "12", "Our Table 30", ("ghost",),
          lambda r: shown_not_worse(m.turn_gap(
              r["ghost"], {"ghost": True, "turn": 6}, {"ghost": True, "turn": 1}),
              SHARE)),
    Claim("ghost-unseen", GHOST, "Ghost Attention carries over to instructions never "
          "trained.", "A.3.5", "four unknown closings at turn 4, more than half obeyed "
          "(one model)", "12", "Does it follow an instruction that it never met?",
          ("unseen",),
          lambda r: rate_above(*r["unseen"], 0.5, "comply")),
)
CLAIMS: tuple[Claim, ...] = (*MODEL_CLAIMS, *TEXT_CLAIMS, *SFT_CLAIMS, *REWARD_CLAIMS,
                             *RLHF_CLAIMS, *GHOST_CLAIMS, *SAFETY_CLAIMS)


def gather(claims: Sequence[Claim] = CLAIMS) -> dict[str, Any]:
    """The results that claims need: those of stages, and three that are measured here,
    with models of the stages (about ten seconds)."""
    wanted = {name for claim in claims for name in claim.needs}
    found = {name: stages.get(name) for name in wanted if name in stages.STAGES}
    if "ghost" in wanted:
        found["ghost"] = found["ghost"].rows
    if "unseen" in wanted:
        ghost = stages.get("ghost")
        found["unseen"] = m.unseen(ghost.models["with"].eval(), ghost.tokenizer)
    if "grounds" in wanted:
        rewards = stages.get("rewards")
        judges = {"helpfulness": rewards.helpfulness, "safety": rewards.safety}
        found["grounds"] = m.grounds(judges, rewards.heldout, stages.get("tokenizer"))
    if "writers" in wanted:
        found["writers"] = m.writers(heldout_prompts(), CARELESS)
    return found
