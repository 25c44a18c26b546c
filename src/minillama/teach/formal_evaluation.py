r"""The formal algorithms of evaluation, as data. Notation as in ``formal``;
$o_1, \ldots, o_4$ are the options of a question $q$."""

from .notation import Algorithm, steps

EVALUATION = {
    "multiple_choice": Algorithm(
        "Multiple choice by likelihood",
        (r"question $q$ with options $o_1, \ldots, o_4$; solved examples; a model "
         r"$P$; a rule",),
        r"scores $s \in \mathbb{R}^4$; the choice is $\arg\max_i s_i$",
        steps(r"$x \leftarrow$ examples, $q$, “Answer:”",
              r"$s_i \leftarrow \log P(o_i \mid x) = \sum_j \log P(o_{ij} \mid x, "
              r"o_{i, <j})$, over the tokens of the option and no others",
              r"Correct for length: divide by tokens or characters; or subtract "
              r"$\log P(o_i \mid \text{``Answer:''})$; or leave $s_i$ as it is"),
        ("minillama.training.evaluation:option_scores",)),
    "needed": Algorithm(
        "How many comparisons a claim needs",
        (r"true win rate $p \neq \frac{1}{2}$; power $1 - \beta$",),
        r"$n \in \mathbb{N}$",
        steps(r"$\delta \leftarrow |p - \frac{1}{2}|$",
              r"$a \leftarrow z_{0.975} \cdot \frac{1}{2}$; $\; b \leftarrow "
              r"z_{1-\beta} \sqrt{p (1 - p)}$",
              r"Return $\lceil ((a + b) / \delta)^2 \rceil$"),
        ("minillama.evaluation.wins:needed",)),
    "matched_tokens": Algorithm(
        "Contaminated tokens of a sample",
        (r"sample $t_1, \ldots, t_\ell$; training text; budget of $4$ tokens",),
        r"$r \in \mathbb{N}^\ell$: length of the longest shared run around each token",
        steps(r"For each $i$: find all places where the text has $t_i, \ldots, "
              r"t_{i+9}$",
              r"Go on to the right while at most $4$ tokens differ",
              r"Take away what differs at the end; $n$ tokens remain",
              r"$r_j \leftarrow \max(r_j, n)$ for every token of the run that agrees"),
        ("minillama.evaluation.contamination:Matcher.reach",)),
    "contamination_z": Algorithm(
        "Did the leak help?",
        (r"for every question: contaminated share $c \in [0, 1]$, answered rightly or "
         r"not",),
        r"$Z_n$ of four subsets",
        steps(r"$\mu \leftarrow$ accuracy of all; $\sigma \leftarrow "
              r"\sqrt{\mu (1 - \mu)}$",
              r"Subsets: clean ($c < 0.2$) and not clean, dirty ($c \geq 0.8$) and "
              r"not dirty",
              r"$Z_n \leftarrow (\bar X - \mu) / (\sigma / \sqrt{n})$ for each, of $n$ "
              r"questions and accuracy $\bar X$"),
        ("minillama.evaluation.contamination:subsets",)),
}
