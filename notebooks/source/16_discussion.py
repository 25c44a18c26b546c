# %% [markdown] slideshow={"slide_type": "slide"}
# # A paper is a set of claims, and claims can be tried
#
# Four questions end every reading: what was overlooked, what could have been taken further, were there errors, and have others disputed it? We answer with the paper's own tables, with later work, and with our tiny model: forty-six claims: forty with an experiment and a verdict that the run fills in, six with the reason why there is none.
#
# **Paper**: all of it. **Minutes**: 90, and 24 of exercises. **On the map**: the end of the road.
#
# Afterwards you can recompute a table, say what rounding explains and what it does not, decide a claim from three seeds, and name three studies that fit into an afternoon.

# %% [markdown] slideshow={"slide_type": "notes"}
# Hand the four questions of notebook 00 back to the rows of the class. Each row reports before its part, and we see what they found that we did not.
#
# Nothing here is against the authors. A paper that can be checked is one that said enough to be checked. Two minutes.

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
from calendar import month_name as MONTHS
from decimal import Decimal
from pkgutil import resolve_name

from IPython.display import HTML, display

from minillama import paper
from minillama.evaluation import claims as rules
from minillama.paper import context, fact, recompute
from minillama.teach import holds, show, table
from minillama.teach.checks import nb_16 as checks
from minillama.teach.claims import CLAIMS, gather
from minillama.teach.drawings import nb_16 as drawings
from minillama.training.intervals import interval

intensity, pue = map(float, context("critiques", "carbon").value[
    "llama1_formula"].split(" x "))
findings = recompute.all_findings(intensity, pue)

# %% tags=["remove-cell"] slideshow={"slide_type": "skip"}
def words(rows: list, columns: list[str], caption: str) -> None:
    display(HTML(drawings.words_html(rows, columns, caption)))


def span(pair: list[float]) -> str:
    return f"{pair[0]:g} to {pair[1]:g} %"


def dated(arxiv: str) -> str:
    return f"{arxiv}, {MONTHS[int(arxiv[2:4])]} 20{arxiv[:2]}"


results = gather()
found = {claim.id: rules.judge(claim, results) for claim in CLAIMS}


def ledger(*ids: str) -> None:
    mine = [claim for claim in CLAIMS if claim.id in ids]
    assert len(mine) == len(ids)
    display(HTML(drawings.claims_html(mine, found)))


# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-conclusion", "short", "predict"]
# ## Conclusion and discussion: were there any errors?
#
# Many numbers follow from others: totals from their rows, averages from their columns, a score printed in two tables. We computed every one that the ledger allows, nearly two hundred, and asked whether rounding explains the difference.
#
# **Predict.** What share comes out as printed: nine tenths, all, a half? And where are the rest?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "all, it was read by thousands". Most do, and those that do not sit in a few places. Say aloud that a printed number which we cannot explain is no proof of a mistake: an average may be weighted in a way that nobody wrote down.
#
# Read the bars from the top: the averages of benchmarks hold, the bookkeeping of the comparisons does not. Two minutes.

# %% tags=["result", "remove-input"]
show(drawings.draw_places(findings),
     "Bars for each table of the paper with the count of numbers that come out as "
     "printed and of those that do not; Tables 3, 24 and 51 hold nearly throughout, "
     "the averages of Table 7 do not.", name="16_places")
assert 0.8 < sum(one.agrees for one in findings) / len(findings) < 1

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-conclusion", "predict"]
# ## The Math column: two of twelve averages are not averages
#
# Section 2.3 says that the Math column of Table 3 is the mean of GSM8K and MATH. Table 25 prints both for every model.
#
# **Predict.** For which models will the printed value be something else, and in whose favour?

# %% [markdown] slideshow={"slide_type": "notes"}
# The 7B and the 13B of Llama 2 have their GSM8K score alone, so that the 13B seems better at mathematics than the 34B. The official model card repeats it. Nobody in the sources we read mentions it.
#
# Ask what tipped us off: 13B above 34B. Ask too what it does not change: with the mean of both tests Llama 2 is still ahead of MPT and Falcon of its size. Two minutes.

# %% tags=["result", "remove-input"]
maths = [one for one in findings if one.what.endswith(", Math")]
odd = [one.what for one in maths if not one.agrees]
assert odd == ["Llama 2 7B, Math", "Llama 2 13B, Math"]
show(drawings.draw_math(maths),
     "For twelve models the printed Math value of Table 3 beside the mean of GSM8K and "
     "MATH: equal in ten rows, far above the mean for Llama 2 7B and 13B.",
     name="16_math")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict", "range"]
# ## Build it: how much can rounding explain?
#
# A printed number stands for an interval: half a unit of its last digit to both sides. Section 4.1 says that Llama 2 7B is 21.37 % more truthful than Llama 1 7B, from the printed scores {{table:table_11|Llama 1 / 7B|TruthfulQA % truthful and informative (higher better)}} and {{table:table_11|Llama 2 / 7B|TruthfulQA % truthful and informative (higher better)}}.
#
# **Predict.** The quotient gives 21.41 %. An error?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "yes, four hundredths". The scores are themselves rounded; at the edge of their intervals the quotient is just small enough. So it is no error, and our first notes, which called it one, were too quick.
#
# The rule for all findings: the largest difference that rounding of every number involved can make. Three minutes.

# %% tags=["result"]
truth = recompute.relative_changes()[0]
assert truth.printed == 21.37
for low, high in ((27.42, 33.29), (27.42 + 0.005, 33.29 - 0.005)):
    print(f"{high:.3f} / {low:.3f} - 1 = {100 * (high / low - 1):.2f} %")
print(f"rounding explains up to {truth.allowed:.3f}: agrees {truth.agrees}")
assert round(truth.computed, 2) == 21.41 and truth.agrees

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Is it right? Sums by hand, in decimals
#
# The functions work with binary fractions and read the ledger. So we write some rows out once more, by hand, in exact decimals. The tests do this for every kind of finding, and change single cells to see that the finding changes.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why decimals: a tenth has no binary fraction, so a comparison at half a unit could fall to the wrong side by chance.
#
# Two minutes.

# %%
by_name = {one.what: one for one in findings}  # of equal names the last
by_hand = {
    "Llama 2 7B, Math": (Decimal("14.6") + Decimal("2.5")) / 2,
    "sum of comparisons": sum((122387, 43966, 176625, 13333, 1038480, 74882,
                               33139, 1418091), Decimal(0))}
for what, truth in by_hand.items():
    assert abs(by_name[what].computed - float(truth)) < 1e-9
    print(f"{what}: {truth}, printed {by_name[what].printed}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The comparisons: do the total and the means fit the rows?
#
# Table 6 counts the comparisons behind the reward models, and gives means of turns and tokens in its last row. Table 26 counts Meta's own, week by week.
#
# **Predict.** Does Table 26 add up? Does Table 6? And is the mean number of turns that it prints the mean over its dialogues?

# %% [markdown] slideshow={"slide_type": "notes"}
# Table 26 adds up, and so Meta's row in Table 6 is safe. The total of Table 6 is too small by a little over fifteen hundred, and no single row could be meant: each is larger.
#
# The means are stranger. Those of Table 26 miss by little, those of Table 6 by much. There every row has one turn, or three, or nearly four, and nearly half of all comparisons have nearly four; the mean of the dialogues is two and a half, and the table prints less than two. The four means ask for four different shares of Meta's own data, so no weighting of open data against it explains them. Three minutes.

# %% tags=["result", "remove-input"]
sums = [one for one in findings if "comparisons" in one.what]
means = [one for one in findings if one.where in ("Table 6", "Table 26")
         and one.what.startswith("avg") and not one.agrees]
table([[f"{one.where}: {one.what}", f"{one.printed:,}", f"{one.computed:,.1f}",
        f"{one.difference:+,.1f}", "yes" if one.agrees else "no"]
       for one in (*sums, *means)],
      ["", "printed", "computed", "difference", "by rounding?"],
      "Sums, and means weighted by the number of comparisons")
assert [one.agrees for one in sums] == [True, True, False]

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict", "range"]
# ## The carbon table: a gap of two hundredths of a tonne
#
# Llama 1 printed a formula: hours of GPUs times watts, times 1.1 for the building, times 0.385 kilograms for a kilowatt hour. Llama 2 prints hours, watts and tonnes, and no formula. The rows of Table 2 add up to two hundredths of a tonne less than the total.
#
# **Predict.** Is the total wrong, or are the rows?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "the total". With Llama 1's factors the unrounded total is the printed one to the hundredth. Two rows are too low by less than a hundredth, since their digits were cut off and not rounded. So one formula explains five numbers, and the gap with them.
#
# This is what a good check gives back: not an error found, but a question closed. And one factor for both clusters says nothing about where the power of either came from. Three minutes.

# %% tags=["result", "remove-input"]
rows = [[one.what, f"{one.printed:.2f}", f"{one.computed:.4f}",
         f"{recompute.cut(one.computed, 2):.2f}", "yes" if one.agrees else "no"]
        for one in recompute.carbon(intensity, pue)]
table(rows, ["", "printed", "hours, watts, 1.1 and 0.385", "digits cut off",
             "by rounding?"], "Tonnes of carbon dioxide in Table 2")
assert (intensity, pue) == (0.385, 1.1) and all(row[1] == row[3] for row in rows)
assert abs(intensity * pue - fact("carbon_intensity_derived").value) < 1e-9

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## The averages of Tables 7 and 24 are not plain means
#
# Both have a column of averages, and no word about weights. Table 24 is AGIEval, whose numbers of questions [Zhong and others](https://arxiv.org/abs/2304.06364) give: {{context:critiques.agieval-questions.AQuA-RAT}} in one test, {{context:critiques.agieval-questions.LogiQA}} in another.
#
# **Predict.** Let every question count once, with nothing fitted. How many of the twelve averages come out?

# %% [markdown] slideshow={"slide_type": "notes"}
# Eleven. So the average is weighted by questions, and Falcon 40B misses by more than a point. That row prints the same value in two neighbouring columns, with and without the passage. If it was printed twice, one of the two is some fourteen points too high; both columns have the same number of questions, so the average cannot say which.
#
# We first fitted eight weights to eleven rows. That left four rows as suspects, and looking the numbers up left one: a fact is worth more than a fit. Table 7 has four rows and six columns; there any average can be explained, which explains nothing. Four minutes.

# %% tags=["result", "remove-input"]
rows = recompute.question_averages()
entry = paper.table("table_24")
falcon = next(row for row in entry.rows if recompute.name_of(row) == "Falcon 40B")
assert [row.what for row in rows if not row.agrees] == ["Falcon 40B"]
assert falcon[entry.columns.index("SAT-en")] == falcon[
    entry.columns.index("SAT-en (w/o passage)")]
show(drawings.draw_averages(rows),
     "For each row of Table 24 the average by numbers of questions less the printed "
     "one: within rounding for eleven rows, 1.1 points too high for Falcon 40B.",
     name="16_weights")
table([[one.what, one.printed, one.computed, one.difference]
       for one in recompute.plain_averages()],
      ["Table 7", "printed", "plain mean", "difference"], "Averages of Table 7", ".2f")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## A text against its figure, and an axis against its caption
#
# Section 3.4.2 says that the 34B model wins more than three quarters against both models of its size. Figure 5 is called a training loss, and its axis is labelled as a perplexity, the exponential of a loss.
#
# **Predict.** Which of the two win rates holds? And which reading of Figure 5 can be right?

# %% [markdown] slideshow={"slide_type": "notes"}
# Against Falcon it holds; against Vicuna the figure prints half of what the text says, and a tie in a third.
#
# Figure 5: as a perplexity of one and a half it would mean that the model gives the right token, of thirty-two thousand, a chance of two in three on average. As a loss it means about a fifth. Ask which of the two is language. Values are read off the figure. Three minutes.

# %% tags=["result", "remove-input"]
table([[f"34B against {name}", f"above {least:.0f}", win, "yes" if win > least else
        "no"] for name, least, win in recompute.promised_wins()],
      ["section 3.4.2 and Figure 1", "text: wins (%)", "figure: wins (%)", "holds?"],
      "Two promises of one sentence")
table([[size, f"about {value:g}", f"{perplexity:.1f}", f"{1 / perplexity:.0%}",
        f"{1 / value:.0%}"]
       for size, value, perplexity, loss in recompute.readings_of_figure_5()],
      ["Figure 5", "last value", "if a loss: perplexity", "chance of a token",
       "if a perplexity: chance"], "Both readings of the axis")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Sentences that contradict a table
#
# {{fact:paper_pages}} pages have {{fact:paper_authors}} authors. Some sentences seem to describe an earlier state of a table or a figure. None changes a conclusion; each costs a careful reader an hour.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which of these matters if one wants to repeat the work. The second and third: which PPO version is meant, and where the curve of Figure 7 ends.
#
# Two minutes.

# %% tags=["remove-input"]
grown = fact("safety_scaling_example").value["safety_rm"]
assert grown["25%"] > 0.9 > grown["10%"]
assert paper.table("table_26").rows[-2][0] == str(fact("pref_batches").value)
rows = [["2.3 and A.4.8", "name a 30B Llama 2", "34B is meant: there is no other"],
        ["3.2.3", "rejection sampling alone until V4, then PPO",
         "Figure 11 has a V5 without PPO and one with it"],
        ["Figure 7", "up to a hundred samples", "the axis ends near twenty"],
        ["Figure 26", "all batches", f"twelve; Table 26 has "
         f"{fact('pref_batches').value}"],
        ["A.4.2", "offence ends once half of the safety data is used",
         "in Table 36 a quarter is enough"],
        ["3.4.2", "no reasoning prompts among those judged", "Table 33 lists one"],
        ["A.3.5", f"dialogues below {fact('gatt_turns').value['max_tokens_in_test']} "
         "tokens", f"the context has {fact('context_length').value}"],
        ["Figure 5", "the text points to panel (a)", "there is one panel"]]
words(rows, ["place", "says", "but"], "Slips of the text")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Break it: a checker that is too kind
#
# Whoever allows a difference of one per cent, as one does by habit, has a check that runs and is green.
#
# **Predict.** Of the findings that rounding cannot explain, how many does that check still see? Does it see the total of Table 6?

# %% [markdown] slideshow={"slide_type": "notes"}
# Counts have no rounding at all; one per cent of three million comparisons is thirty thousand. So the gap of Table 6 is forgiven, and so are the cut rows and several averages.
#
# The check that exposes a kind checker is the one of the tests: change a cell by one unit and demand that the finding changes. Three minutes.

# %% tags=["result"]
strict = [one for one in findings if not one.agrees]
kind = [one for one in strict
        if abs(one.difference) > 0.01 * abs(one.computed)]
print(f"{len(strict)} findings that rounding cannot explain, "
      f"{len(kind)} of them seen with one per cent allowed")
missed = next(one for one in strict if one.what == "sum of comparisons")
print(f"missed: {missed.where}, {missed.what}, "
      f"off by {missed.difference:,.0f}")
assert missed not in kind and len(kind) < len(strict)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What held up, and it is most of it
#
# A list of slips is unfair without the other list. Fifty-eight of sixty group averages of Table 3 are what the text says, and eleven of twelve of Table 24. All scores that stand in two tables agree, all twenty statistics of the contamination study follow from their rows, the win rates of Figure 1 add up, and three claims made in words are borne out by tables.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask why an honest review lists this too: the reader must know what was looked at. A review that names errors alone hides how much was tried.
#
# Two minutes.

# %% tags=["remove-input"]
mean = recompute.mean_scores()
lost = [recompute.categories_lost(f"Llama 2 / {ours}", theirs) for ours, theirs in (
    ("7B", "MPT / 7B"), ("34B", "MPT / 30B"), ("7B", "Falcon / 7B"),
    ("34B", "Falcon / 40B"))]
parts = {"averages of Table 3": recompute.grouped_averages(),
         "scores in two tables": recompute.repeats(),
         "statistics of Table 51": recompute.contamination(),
         "shares of Figure 1": recompute.shares()}
rows = [[name, f"{sum(one.agrees for one in part)} of {len(part)} as printed"]
        for name, part in parts.items()]
rows += [["A.2.1: grouped keys above one key-value head in the mean of Table 18",
          f"{mean['GQA']:.1f} against {mean['MQA']:.1f}"],
         ["2.3: ahead of MPT of like size everywhere but in code",
          "lost: " + ", ".join({*lost[0], *lost[1]})],
         ["2.3: ahead of Falcon of like size everywhere",
          "lost: " + (", ".join({*lost[2], *lost[3]}) or "none")]]
assert sum(one.agrees for one in parts["averages of Table 3"]) == 58
table(rows, ["what was looked at", "what came out"], "Recomputed, and found in order")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What was overlooked? First, to say what it was made of
#
# Llama 1 listed its sources with their shares. Llama 2 names none, and did not release its comparisons. In October 2023 the Foundation Model Transparency Index put it first of ten developers, and still gave it little more than half of all points.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which of these lines can be repaired later, and which cannot. Authors went to court over the books; a ruling of June 2025 found fair use on the record of that case, with a warning that it does not hold in general.
#
# The paper says plainly that the mixture is not given; it gives no reason. Two minutes.

# %% tags=["remove-input"]
index, audit = (context("critiques", name).value for name in ("fmti", "openness-audit"))
data = context("critiques", "data-undisclosed").value
rows = [["sources of the training text named", data["llama1_sources_listed"],
         data["llama2_sources_listed"]]]
table(rows, ["", "Llama 1", "Llama 2"], "What a reader is told about the data")
rows = [["all, October 2023", f"{index['oct2023']}/100"],
        ["data", index["data"]], ["labour behind the data", index["data_labor"]],
        ["what comes of it downstream", index["impact"]],
        ["chat model, university audit: open, partly, closed",
         f"{audit['open']}, {audit['partial']}, {audit['closed']} of "
         f"{audit['features']}"]]
table(rows, ["transparency", "points"], "arXiv 2310.12941 and 2307.05532")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Overlooked: how long the winning answers were
#
# Progress is judged by people, by the authors' own reward models, and by GPT-4. The paper finds no trend with turns and words; what we did not find in it is a win rate at equal length of answers. AlpacaEval 2, where a model judges each answer against one of GPT-4 Turbo, has both members of the paper's closest pairing.
#
# **Predict.** There Llama 2 70B chat wins more often than ChatGPT of March 2023, whose answers are half as long. What becomes of this order when length is held equal?

# %% [markdown] slideshow={"slide_type": "notes"}
# It turns round. Say what this is not: not Meta's human study, not the same prompts. It shows that a judge's taste for length is large enough to decide this comparison.
#
# Notebook 09 tried the same on our judge, with answers said twice. Three minutes.

# %% tags=["result", "remove-input"]
length = context("critiques", "length-bias-in-parity").value
bars = {name: (length[key]["raw"], length[key]["length_controlled"],
               length[key]["avg_len"]) for name, key in (
    ("Llama 2 70B chat", "llama2_70b_chat"), ("ChatGPT 0301", "gpt35_0301"))}
ours, theirs = bars.values()
assert ours[0] > theirs[0] and ours[1] < theirs[1]
show(drawings.draw_length(bars),
     "Win rates on AlpacaEval 2 of Llama 2 70B chat and of ChatGPT 0301, raw and with "
     "length held equal: the raw order is reversed when length is equal.",
     name="16_length")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-conclusion"]
# ## What could have been developed further?
#
# The paper tells what was done and seldom what was tried beside it. Five choices that it presents without a rival were questioned within a year, some of them by the same company.

# %% [markdown] slideshow={"slide_type": "notes"}
# DPO was public seven weeks before the paper, too late for it to be in; the comparison came later, and is still open: an independent study finds that tuned PPO wins.
#
# Ask of each line: what would the experiment have cost? The threshold of the gate needs no training run at all, only a curve. Two minutes.

# %% tags=["remove-input"]
rows = [["the rule of fine-tuning: PPO", "no comparison with DPO",
         "Llama 3.1: rejection sampling and DPO; 2404.10719: tuned PPO wins"],
        ["a margin in the ranking loss", "half a point, no interval",
         "Llama 3.1 removed it: no gain with more data"],
        [f"the gate at a safety score of {fact('ppo_threshold').value['threshold']}",
         "one value, no curve", "false refusals measured beside safety since"],
        ["grouped keys from 34B on", "one ablation at 30B", "all sizes in Llama 3"],
        ["safety training of whole answers", "not how deep it reaches",
         "2406.05946: mostly the first few tokens"]]
assert context("critiques", "no-dpo").value["dispute"] == "2404.10719"
words(rows, ["choice", "in the paper", "what followed"], "Taken as given, tried later")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Have others disputed it? False refusals, for one
#
# The paper calls false refusals rare on its helpfulness set. It also has {{fact:false_refusal_borderline_n}} borderline prompts, harmless ones that only sound unsafe. Weeks later XSTest asked {{context:papers.xstest.safe}} such prompts.
#
# **Predict.** Guess three shares refused: of the helpfulness set, of the borderline set after all safety training, and of XSTest with Meta's system prompt.

# %% [markdown] slideshow={"slide_type": "notes"}
# Three orders of magnitude lie between the first bar and the longest, and no number contradicts another: they count different prompts. The paper itself printed the second pair, in its appendix.
#
# With the system prompt twice as many are refused as without; Meta took it out of the defaults in August 2023. Exercise 4 is about the question behind it: of all who are refused, how many were harmless? Three minutes.

# %% tags=["result", "remove-input"]
test, own = (context("critiques", name).value for name in (
    "overrefusal-xstest", "overrefusal-selfreport"))
bars = [("paper: helpfulness set", own["helpfulness_set_pct"][1], 0),
        ("paper: borderline, least safety data", own["borderline_set_pct"][0], 0),
        ("paper: borderline, all safety data", own["borderline_set_pct"][1], 0),
        ("XSTest: without system prompt", *test["llama2_no_sysprompt"]),
        ("XSTest: with its system prompt", *test["llama2_sysprompt"]),
        ("XSTest: GPT-4", *test["gpt4"]),
        ("XSTest: Mistral instruct", *test["mistral_instruct"])]
show(drawings.draw_refusals(bars),
     "Bars of harmless prompts refused: nearly none on the paper's helpfulness set, a "
     "sixth to a quarter on its borderline set, and over half, partly or fully, on "
     "XSTest with the system prompt.", name="16_refusals")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-conclusion"]
# ## Disputed: safety that a hundred examples remove
#
# Section 4 reports how safe the released weights are. From October 2023 on others showed how cheaply that is undone by whoever holds the weights. The paper had not claimed otherwise.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask who is disputed here. Not the measurement, but what a reader takes from it: that an open model stays as safe as it was shipped. Open weights cannot be recalled.
#
# Notebook 13 does the same to the tiny model. Two minutes.

# %% tags=["remove-input"]
undone, small, large, deep = (context("critiques", name).value for name in (
    "finetune-breaks-safety", "safety-cheaply-removed-13b",
    "safety-cheaply-removed-70b", "shallow-safety"))


rows = [["7B chat after 100 harmful examples: harmful answers",
         span(undone["100_harmful"]), dated("2310.03693")],
        ["7B chat after harmless instruction data (Alpaca)", span(undone["alpaca"]),
         dated("2310.03693")],
        ["13B chat: refusals left on AdvBench, one try",
         f"{small['advbench_refusal_pct_single']:g} %", dated("2311.00117")],
        [f"70B chat, one GPU, below {large['cost_usd_max']} dollars: refusals left",
         f"about {large['refusal_pct_70b']} %", dated("2310.20624")],
        ["7B chat, six gradient steps: attacks that succeed",
         span([deep["steps_to_asr"]["0"], deep["steps_to_asr"]["6"]]),
         dated("2406.05946")]]
words(rows, ["what was done", "result", "who, when"], "Safety training undone")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Disputed: parity, contamination, and the word open

# %% [markdown] slideshow={"slide_type": "notes"}
# Each line says what is disputed and by whom. Different snapshots of ChatGPT are compared, so the first weakens the claim and does not refute it. The second is a dispute about method: our notebook 14 leaks questions in other words and counts what the overlap finds.
#
# The third is about a word. The paper says open; the licence excludes uses and very large firms. Three minutes.

# %% tags=["remove-input"]
vote, code = (context("critiques", name).value for name in (
    "parity-with-chatgpt", "coding-weakness"))
licence = context("critiques", "license-not-osi").value
elo = vote["arena_elo"]
rows = [["on a par with ChatGPT in the eyes of people",
         f"blind votes: {elo['llama2_70b_chat']} against {elo['gpt35_0613']} Elo",
         "Chatbot Arena, December 2023 (in 2401.04088)"],
        ["few benchmarks are contaminated", "effects may be much larger than release "
         "papers say; tests by rewording find more", "2411.03923, 2405.16281"],
        ["an open model", f"a clause for firms above "
         f"{licence['threshold_monthly_users'] / 1e6:.0f} million monthly users, "
         "fields of use excluded", "Open Source Initiative, July 2023"],
        ["near GPT-3.5 but for code", f"HumanEval {code['llama2_70b']} against "
         f"{code['gpt35']}; Code Llama passed that in little more than five weeks",
         "said by the authors"],
        ["PPO as described works", "hangs on details that the paper does not give",
         "2403.17031; notebook 11"]]
words(rows, ["claim", "what others found", "who, when"], "More that was disputed")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What the authors said against themselves
#
# Much of the critique can be found in the paper. Raters agree little, between {{fact:human_eval_irr.0}} and {{fact:human_eval_irr.1}} on a scale that ends at one; prompts are no sample of real use; the standard of the safety raters favours its own models. Base models grew more toxic than Llama 1: {{fact:toxicity_increase.13B.0}} to {{fact:toxicity_increase.13B.1}} per cent at 13B. {{fact:lang_id.English}} per cent of the text is English, and elsewhere the models are weak. At times they are over-cautious. The carbon count leaves cooling, networks and manufacture out.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for the difference between an admission in section 5.2 and a number in the abstract. Both are honest; one is read.
#
# For BLOOM somebody counted equipment and idle machines as well, and the figure doubled, from {{context:critiques.carbon.bloom_dynamic_vs_full_t.0}} to {{context:critiques.carbon.bloom_dynamic_vs_full_t.1}} tonnes. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## Build it: a verdict is a rule about an interval
#
# Now the claims. Each was tried with the tiny model in one of the notebooks, mostly with three seeds. Where seeds were run, differences are taken seed by seed, and Student's interval over seeds decides. Where one model was trained, an interval over its answers decides, and speaks of that model alone.
#
# **Predict.** Three runs gain 9, 1 and 5 points. Reproduced? And what becomes of a claim whose two sides are exchanged, or one seed of which is spoilt?

# %% [markdown] slideshow={"slide_type": "notes"}
# Expect "yes, all three gain". The interval reaches below zero, so we cannot tell. Three seeds are few, and this rule pays for it with width; the alternative is to believe in luck.
#
# The rules are in the package, in `evaluation/claims.py`; no claim is known to them by name. Three minutes.

# %%
for gains in ([9, 1, 5], [6, 4, 5], [-6, -4, -5]):
    gap = interval(gains)
    ours = ("reproduced" if gap.low > 0 else
            "not reproduced" if gap.high < 0 else "cannot tell")
    print(f"{gains}: {gap.low:+.1f} to {gap.high:+.1f}, {ours}")
    assert ours == rules.shown_above(gains).verdict

# %% tags=["result"] slideshow={"slide_type": "subslide"}
runs = results["ablations"]
ours, theirs = runs["Llama 2"], runs["learned positions"]
claim = next(claim for claim in CLAIMS if claim.id == "rope")
for name, mine, other in (
        ("as it is", ours, theirs), ("exchanged", theirs, ours),
        ("one seed spoilt", [ours[0] + 9, *ours[1:]], theirs)):
    trial = runs | {"Llama 2": mine, "learned positions": other}
    one = rules.judge(claim, {"ablations": trial})
    print(f"{name}: {one.evidence}, {one.verdict}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The claim about rotary positions, as its runs are and altered. Exchanged, a gain is a loss; with one seed far off nothing is left to say. Nothing in the ledger is typed. The tests do this for every claim that can be tried: one made-up result must make it reproduced, another must make it fail.
#
# Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The ledger: the model

# %% [markdown] slideshow={"slide_type": "notes"}
# Let students read one row each in a full sentence. The last column names the notebook and its slide: whoever doubts goes there. Rows three to five are choices of the paper and no claims; we ask whether they pay here.
#
# The last two rows are about looking back and not about training on longer texts, which is what the paper did. A narrow window learns faster in a short training, so they say nothing about four thousand tokens. Three minutes.

# %% tags=["remove-input"]
ledger("gqa-equal", "gqa-mqa", "rope", "swiglu", "pre-norm", "context-long",
       "context-short")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The ledger: pretraining and fine-tuning

# %% [markdown] slideshow={"slide_type": "notes"}
# What cannot be tried is said with its reason. A row of the first kind is no failure of the paper, and no merit either.
#
# Ask how many seeds of how many sizes the second row would need. Two minutes.

# %% tags=["remove-input"]
ledger("no-plateau", "bigger-better", "carbon", "quality", "as-good")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The ledger: reward models

# %% [markdown] slideshow={"slide_type": "notes"}
# The margin is the interesting row: half a point in the paper, without an interval, and removed in Llama 3.
#
# The row about home ground has two parts, and needs both. Its intervals are over pairs of one training run; say so. Three minutes.

# %% tags=["remove-input"]
ledger("rm-data", "rm-size", "margin", "margin-edges", "rm-degrees", "rm-home",
       "rm-truth")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The ledger: RLHF

# %% [markdown] slideshow={"slide_type": "notes"}
# Rejection sampling and PPO are one row each, on purpose: the paper shows V5 above V4, and that is the row to look at first. The row of rejection sampling is about answers drawn at temperature one. With the likeliest token each time V4 is not shown to be better, in notebook 11, and in the small rounds of notebook 10 winners by lot gave most of the gain.
#
# Over-optimisation was one run of each kind, so the rule gives no verdict, whatever the curve looks like. The last row compares with demonstrations of which a third were written carelessly, a share that we chose. Three minutes.

# %% tags=["remove-input"]
ledger("rejection", "ppo", "own-judge", "fresh", "goodhart", "beyond")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The ledger: forgetting, and Ghost Attention

# %% [markdown] slideshow={"slide_type": "notes"}
# The last row is where small size shows most: sentences known by heart instead of read.
#
# Ask which theme has the largest effects of all, and why: an instruction is obeyed or not, and the program that counts it makes no mistakes. Two minutes.

# %% tags=["remove-input"]
ledger("forgetting", "cure", "ghost-lost", "ghost-kept", "ghost-unseen")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The ledger: safety

# %% [markdown] slideshow={"slide_type": "notes"}
# Read the third row with care: to show that nothing changes one needs a narrow interval. A wide one around zero shows nothing.
#
# Three minutes.

# %% tags=["remove-input"]
ledger("safer", "scaling-safe", "scaling-flat", "scaling-refusal", "refusal-rare")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The ledger: distillation, red teams, rude text

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask which of these rows depends most on how we built the Pasture. Attacks: we wrote the styles and the lures.
#
# Two minutes.

# %% tags=["remove-input"]
ledger("distilled", "gate", "lures", "red-rate", "red-cured", "unfiltered")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The ledger: evaluation, and what a tiny model cannot be asked

# %% [markdown] slideshow={"slide_type": "notes"}
# The second row is the one that critics dispute: what is called clean because no long run of tokens is shared.
#
# Two minutes.

# %% tags=["remove-input"]
ledger("leak", "clean", "parity", "human-safety", "tools")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-conclusion", "short", "predict"]
# ## What came of it: a third of the claims, or nearly all?
#
# The claims by theme: ● is reproduced, ✕ is not, ? means that our runs cannot tell, – that nothing here can try it.
#
# **Predict.** Which theme has the largest share of ●, and which of ?

# %% [markdown] slideshow={"slide_type": "notes"}
# The question mark is the price of three seeds, not a verdict on the paper. The cross means that the tiny model shows the opposite or misses a stated amount; ask each time whether size or our world explains it.
#
# Whoever wants more claims reproduced can have them, by choosing seeds. We did not look for them. Two minutes.

# %% tags=["result", "remove-input"]
themes = {theme: rules.counted([found[claim.id] for claim in CLAIMS
                                if claim.theme == theme])
          for theme in dict.fromkeys(claim.theme for claim in CLAIMS)}
show(drawings.draw_verdicts(themes),
     "Stacked bars for eight themes with the number of claims that are reproduced, not "
     "reproduced, undecided, and not testable with the tiny model.",
     name="16_verdicts")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## By luck, or by size? What a verdict can say about 70B
#
# A tiny model can refute a mechanism that should hold at any size, and show that one is possible. It cannot say how large an effect is at 70B. And an interval of 95 per cent misses the truth once in twenty, half of these times on the side of the claim.
#
# **Predict.** If the paper were wrong in all of them, how many would we expect to see reproduced? And how many of the undecided ones would ten seeds decide?

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask first for a claim of each sort. Margins stretch rewards at any size, by arithmetic; obeying a sentence never met needs a model that reads.
#
# By luck: one at most. So a single row may be luck, and the whole hardly, although rows that share their runs are lucky together, and the reproduced rows are fewer witnesses than rows. Ask what one does about a single row: more seeds for it, decided before looking. What ten seeds would decide is a guess, since three say little about their own spread, and some of it would be against the claims.
#
# The same arithmetic holds for the tables of the paper, which have no intervals at all. Three minutes.

# %% tags=["result"]
tried = sum(claim.testable for claim in CLAIMS)
blue = sum(one.verdict == rules.REPRODUCED for one in found.values())
print(f"{tried} claims tried, {blue} reproduced, "
      f"at most {rules.by_luck(tried):.1f} expected if none were true")
holds(blue > 5 * rules.by_luck(tried), "many more than luck would give")
open_ = [one for one in found.values() if one.verdict == rules.CANNOT_TELL]
more = sum(rules.with_seeds(one, 10) != rules.CANNOT_TELL for one in open_)
print(f"{len(open_)} undecided; ten seeds of the same mean and spread would "
      f"decide {more}")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-future", "short"]
# ## What followed: most of the architecture stayed, half of the recipe went
#
# What Llama 2 inherited is nearly unchanged years later. Of what it had worked out anew, its way of alignment, some was kept and some dropped, piece by piece.

# %% [markdown] slideshow={"slide_type": "notes"}
# Ask for a reason. Architecture is decided by loss, which everybody can measure; alignment by taste, which is dear to measure and changes with the judge.
#
# Sources stand in the ledger with every line; the model cards of Llama 3 and 4 are the main ones. Two minutes.

# %% tags=["remove-input"]
kept = context("followups", "arch-what-stayed").value["unchanged"]
size = context("followups", "arch-context").value
seen = context("followups", "data-scale").value
rows = [["kept", ", ".join(kept) + ", gated feed-forward", "Llama 3, 2024"],
        ["changed", "experts; some layers without positions", "Llama 4, 2025"],
        ["kept, and to every size", "grouped keys and values", "Llama 3, 2024"],
        ["grown", f"context {size['llama2']:,} to {size['llama3.1']:,} tokens",
         "Llama 3.1, 2024"],
        ["grown", f"text {seen['llama2']} to {seen['llama4']} tokens", "Llama 4, 2025"],
        ["kept", "rejection sampling, in rounds", "Llama 3.1, 2024"],
        ["dropped", "margin in the ranking loss", "Llama 3.1, 2024"],
        ["dropped", "PPO for DPO; later rewards that a program can check",
         "Llama 3.1, 2024; DeepSeek-R1, 2025"],
        ["moved", "safety partly into a filter beside the model", "Llama Guard, 2023"],
        ["new", "false refusals measured beside violations", "XSTest 2023, Llama 3"]]
words(rows, ["", "what", "where, when"], "What became of the choices of Llama 2")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["predict"]
# ## What our runs ask for: judges that keep up
#
# One result of ours invites work more than any other. Before each round annotators compared answers of the newest model, and the judge was asked about them before it learnt from them.
#
# **Predict.** Notebook 11 showed a fall. Name two explanations, and one run that tells them apart.

# %% [markdown] slideshow={"slide_type": "notes"}
# It tells the answers of later versions apart less well, by the points; for some of them three runs leave it open. And their pairs may simply be harder: on the old pairs of notebook 09 the last judges are about as good as the first, so forgetting is not shown. One reading: each round removes the differences that this judge can see. Another: its capacity is spent. The two can be told apart with one experiment, and that is the first of three on the next slide.
#
# Three minutes.

# %% tags=["result", "remove-input"]
runs = results["rlhf"]
right = {name: interval([run.rounds[place]["helpfulness_before"] for run in runs])
         for place, name in enumerate(("SFT", "V1", "V2", "V3", "V4"))}
holds(right["SFT"].mean == max(one.mean for one in right.values()),
      "the judge tells answers of the fine-tuned model best, of all later ones less")
show(drawings.draw_judge(right),
     "Share of pairs that the helpfulness model judges rightly before it learns from "
     "them, for answers of SFT and V1 to V4 with intervals over three runs: highest "
     "for SFT, lower for all later versions.", name="16_judge")

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-future"]
# ## Future research: three questions for an afternoon
#
# Each takes the tiny model, a laptop and some hours, and each has an answer that nobody knows. Write down what you expect before you run it, take three seeds, and let the rule decide.

# %% [markdown] slideshow={"slide_type": "notes"}
# Give one to each group. The function to start from is named; every one takes a seed. Good answers are also those that find nothing, with an interval.
#
# Two minutes.

# %% tags=["remove-input"]
rows = [["1", "Why does the judge fall behind: is it what is left to see, or its size? "
         "Give the judge of V4 a deeper or a fresh backbone.",
         "alignment.rlhf.new_judges, alignment.studies.shallow",
         "accuracy on pairs of V4 that differ"],
        ["2", "How many closings must be trained until unknown ones are obeyed? Double "
         "their number, keep the dialogues.",
         "alignment.studies_rl.ghost_attention, pasture.SystemPrompt",
         "compliance at turn 4 with new closings"],
        ["3", "Does the narrow window stay ahead? Train four times as long with "
         "windows of 8, 32 and 128, and see whether the curves cross.",
         "training.windows.study", "loss by position"]]
for name in ", ".join(row[2] for row in rows).split(", "):
    assert callable(resolve_name(f"minillama.{name}"))
words(rows, ["", "question", "start from", "measure"], "In minillama")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Future research beyond a laptop
#
# A study of the gate: violations against false refusals for every threshold, with real users' prompts. Intervals in the tables of technical reports, since one run of each variant shows nothing. Safety that survives fine-tuning, deeper than the first tokens. Judges that are tested on length before they are trusted. Contamination by meaning and not by shared tokens. And the data: a mixture that is written down.

# %% [markdown] slideshow={"slide_type": "notes"}
# Each item answers something of today: the threshold, our orange rows, the hundred examples, AlpacaEval, the reworded questions, the missing sources.
#
# Training on how to recover from a harmful beginning has been tried since and helps against one attack; the numbers are in the ledger under deeper-safety. Two minutes.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 1: a mean of dialogues (4 minutes)
#
# Each row of a table has a number of dialogues and a mean over them. Return the mean over all dialogues.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: the mean of the rows, and dividing by their number. Then let them try Table 6.
#
# Four minutes.

# %% tags=["exercise", "minutes-4"]
def mean(counts: list[int], values: list[float]) -> float:
    """Mean over all dialogues."""
    ### BEGIN SOLUTION
    whole = sum(n * value for n, value in zip(counts, values))
    return whole / sum(counts)
    ### END SOLUTION


checks.check_mean(mean)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 2: the row that cannot be (6 minutes)
#
# Rows hold a name, hours of GPUs, watts of one GPU, and tonnes. Every kilowatt hour cost the same carbon, so tonnes follow from the energy, in all rows but one. Return its name.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: leaving out the watts, taking the largest row, taking the lowest or the highest factor. The median is a friend here: one wrong row cannot move it far.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def odd_row(rows: list[tuple[str, int, int, float]]) -> str:
    """Name of the row whose tonnes do not fit its hours and watts."""
    ### BEGIN SOLUTION
    factors = {name: tonnes / (hours * watts)
               for name, hours, watts, tonnes in rows}
    usual = sorted(factors.values())[len(factors) // 2]
    return max(factors, key=lambda name: abs(factors[name] - usual))
    ### END SOLUTION


checks.check_odd_row(odd_row)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 3: a verdict from three seeds (8 minutes)
#
# Three differences, one a seed. Return "reproduced" where the 95 per cent interval of their mean lies above zero, "not reproduced" where it lies below, else "cannot tell". Student's factor for two degrees of freedom is 4303 thousandths.

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: the factor for many values, the spread of one run in place of that of the mean, and a verdict by sign.
#
# Eight minutes.

# %% tags=["exercise", "minutes-8"]
def verdict(differences: list[float]) -> str:
    """One of "reproduced", "not reproduced", "cannot tell"."""
    ### BEGIN SOLUTION
    middle = sum(differences) / 3
    variance = sum((x - middle) ** 2 for x in differences) / 2
    half = 4.303 * (variance / 3) ** 0.5
    if middle - half > 0:
        return "reproduced"
    return "not reproduced" if middle + half < 0 else "cannot tell"
    ### END SOLUTION


checks.check_verdict(verdict)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise 4: who is refused? (6 minutes)
#
# A share `harmful` of all prompts is harmful. The model refuses a share `caught` of these, and a share `false` of the harmless ones. Of all refused prompts, what share was harmless?

# %% [markdown] slideshow={"slide_type": "notes"}
# Slips: giving back the rate of false refusals, and forgetting how rare harm is. Try one harmful prompt in a hundred, nearly all caught, and false refusals of one in twenty: most who are refused meant no harm.
#
# Six minutes.

# %% tags=["exercise", "minutes-6"]
def harmless(harmful: float, caught: float, false: float) -> float:
    """Share of harmless prompts among the refused ones."""
    ### BEGIN SOLUTION
    wrongly = (1 - harmful) * false
    return wrongly / (wrongly + harmful * caught)
    ### END SOLUTION


checks.check_harmless(harmless)

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-links"]
# ## Links to helpful resources
#
# - Llama 2 Playground: [https://huggingface.co/spaces/huggingface-projects/llama-2-7b-chat](https://huggingface.co/spaces/huggingface-projects/llama-2-7b-chat) The real 7B chat model; ask it our borderline questions.
# - Llama 1 Paper: [https://arxiv.org/abs/2302.13971](https://arxiv.org/abs/2302.13971) The predecessor; read its table of data sources.
# - Transformers Explained: [https://deepgram.com/learn/visualizing-and-explaining-transformer-models-from-the-ground-up](https://deepgram.com/learn/visualizing-and-explaining-transformer-models-from-the-ground-up) The Transformer in pictures; read it before notebook 05.
# - RMS Normalization: [https://arxiv.org/abs/1910.07467](https://arxiv.org/abs/1910.07467) The norm of notebook 02; use its list of what changes nothing.
# - Rotary Positional Embedding (RoPE): [https://arxiv.org/abs/2104.09864](https://arxiv.org/abs/2104.09864) The rotation of notebook 03; its two dimensions are enough.

# %% [markdown]
# - Activation Functions Explained: [https://www.geeksforgeeks.org/activation-functions-neural-networks/](https://www.geeksforgeeks.org/activation-functions-neural-networks/) The curves before SwiGLU; refresh sigmoid and ReLU.
# - SwiGLU Activation Function: [https://paperswithcode.com/method/swiglu](https://paperswithcode.com/method/swiglu) The gate of notebook 04; compare its formula with our matrices.
# - RLHF Explained: [https://huyenchip.com/2023/05/02/rlhf.html](https://huyenchip.com/2023/05/02/rlhf.html) An essay on the three stages; read it before notebook 08.
# - MMLU Dataset: [https://paperswithcode.com/dataset/mmlu](https://paperswithcode.com/dataset/mmlu) The benchmark in short; look for who has which score.
# - MMLU Paper: [https://arxiv.org/abs/2009.03300](https://arxiv.org/abs/2009.03300) How its questions are made and scored; read it with notebook 14.

# %% [markdown] slideshow={"slide_type": "notes"}
# These ten are the links of the talk's outline, in its words. Sites move: the playground and the pages of Papers with Code may lead elsewhere by now; the papers will not.
#
# Ask who has read an MMLU question aloud. Do it once; it tells more than the score. One minute.

# %% [markdown] slideshow={"slide_type": "slide"} tags=["talk-future", "short"]
# ## What to take home from the whole series
#
# Llama 2 is five small parts and one running sum, and after sixteen notebooks each of them is twenty lines that you have broken and mended. Its news was a recipe, told openly enough to be tried. Some of its mechanisms show at a million parameters, some do not, and for many three seeds are too few. A number is worth its interval, a judge its own test, and a paper what it lets others check.

# %% [markdown] slideshow={"slide_type": "notes"}
# End with a question to each row: which sentence of the paper do you now believe more, and which less? Take the answers as the last slide.
#
# Thank the authors: everything here rests on what they chose to write down. One minute.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where to read on
#
# [Llama 2](https://arxiv.org/abs/2307.09288), section 5. [XSTest](https://arxiv.org/abs/2308.01263). [Fine-tuning compromises safety](https://arxiv.org/abs/2310.03693). [BadLlama](https://arxiv.org/abs/2311.00117). [LoRA undoes safety](https://arxiv.org/abs/2310.20624). [Shallow safety](https://arxiv.org/abs/2406.05946). [Transparency index](https://arxiv.org/abs/2310.12941). [Opening up chat models](https://arxiv.org/abs/2307.05532). [A long way to go: length](https://arxiv.org/abs/2310.03716). [ConStat](https://arxiv.org/abs/2405.16281). [Contamination](https://arxiv.org/abs/2411.03923). [Is DPO superior?](https://arxiv.org/abs/2404.10719) [Llama 3](https://arxiv.org/abs/2407.21783).
#
# This is the last notebook. The exercises of all others are still there.

# %% [markdown] slideshow={"slide_type": "notes"}
# Whoever takes one link takes the third: it changes what one means by a safe model. One minute.
