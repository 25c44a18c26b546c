r"""The formal algorithms, as data.

Notation: $\ell$ tokens in a text, $d$ channels in a token, $H$ query heads and $G$
key-value heads of $c = d / H$ channels each, $f$ channels inside the feed-forward
layer, $N$ tokens in the vocabulary, $L$ layers. Rows are tokens.
"""

from .formal_alignment import ALIGNMENT
from .formal_evaluation import EVALUATION
from .formal_mistral import MISTRAL
from .formal_safety import SAFETY
from .notation import Algorithm
from .notation import steps as _steps

ALGORITHMS = {
    "rms_norm": Algorithm(
        "RMSNorm",
        (r"$x \in \mathbb{R}^{d}$, one token", r"$g \in \mathbb{R}^{d}$, gains; "
         r"$\epsilon > 0$"), r"$\hat{x} \in \mathbb{R}^{d}$",
        _steps(r"Let $x$ be in 32-bit precision",
               r"$m \leftarrow \frac{1}{d} \sum_{i} x_i^2$",
               r"$\hat{x} \leftarrow x / \sqrt{m + \epsilon}$",
               r"Return $g \odot \hat{x}$ in the precision of $x$"),
        ("minillama.norm:RMSNorm.forward",)),
    "rotary_table": Algorithm(
        "Angles of RoPE",
        (r"$c$ even; $\ell$; base $\theta$; scale $s \geq 1$",),
        r"$\cos, \sin \in \mathbb{R}^{\ell \times c/2}$",
        _steps(r"$\omega_i \leftarrow \theta^{-2i/c}$ for $i = 0, \ldots, c/2 - 1$",
               r"$p_m \leftarrow m / s$ for $m = 0, \ldots, \ell - 1$",
               r"Return cosine and sine of $\varphi_{mi} = p_m \omega_i$"),
        ("minillama.rope:rotary_table",)),
    "apply_rope": Algorithm(
        "RoPE",
        (r"$x \in \mathbb{R}^{\ell \times H \times c}$, queries or keys",
         r"$\cos, \sin \in \mathbb{R}^{\ell \times c/2}$"),
        r"$x' \in \mathbb{R}^{\ell \times H \times c}$",
        _steps(r"Take the coordinates in pairs $(a_i, b_i)$: neighbours "
               r"(interleaved), or $c/2$ apart (halves)",
               r"$a'_i \leftarrow a_i \cos\varphi_{mi} - b_i \sin\varphi_{mi}$, "
               r"$\; b'_i \leftarrow a_i \sin\varphi_{mi} + b_i \cos\varphi_{mi}$",
               "Put every pair back in its place"),
        ("minillama.rope:apply_rope",)),
    "ffn_width": Algorithm(
        "Width of the feed-forward layer",
        (r"$d$; multiplier $\mu$; multiple $q$",), r"$f \in \mathbb{N}$",
        _steps(r"$f \leftarrow \lfloor \frac{2}{3} \cdot 4d \rfloor$",
               r"$f \leftarrow \lfloor \mu f \rfloor$",
               r"Return $q \lceil f / q \rceil$"),
        ("minillama.config:ffn_width",)),
    "swiglu": Algorithm(
        "SwiGLU",
        (r"$x \in \mathbb{R}^{d}$, one token",
         r"$W_g, W_u \in \mathbb{R}^{f \times d}$, $W_d \in \mathbb{R}^{d \times f}$"),
        r"$y \in \mathbb{R}^{d}$",
        _steps(r"$z \leftarrow W_g x$; $\; g \leftarrow z \odot \sigma(z)$",
               r"$u \leftarrow W_u x$", r"Return $W_d (g \odot u)$"),
        ("minillama.feedforward:SwiGLU.forward",)),
    "grouped_query_attention": Algorithm(
        "Grouped-query attention",
        (r"$X \in \mathbb{R}^{\ell \times d}$; angles; mask "
         r"$M \in \{0, 1\}^{\ell \times n}$",
         r"$W_q, W_o \in \mathbb{R}^{d \times d}$, "
         r"$W_k, W_v \in \mathbb{R}^{Gc \times d}$"),
        r"$Y \in \mathbb{R}^{\ell \times d}$",
        _steps(r"$Q \leftarrow X W_q^\top$, $K \leftarrow X W_k^\top$, "
               r"$V \leftarrow X W_v^\top$, cut into heads",
               r"Rotate $Q$ and $K$ by RoPE",
               r"Append $K, V$ to the cache; go on with all $n$ of them",
               r"$Q_h$ meets ${K_h, V_h}$: head $\lfloor h G / H \rfloor$ of $K$ "
               r"and $V$",
               r"$S_h \leftarrow Q_h K_h^\top / \sqrt{c}$, $-\infty$ where $M = 0$",
               r"$A_h \leftarrow \mathrm{softmax}(S_h)$, row by row, in 32 bits",
               r"Return $[A_0 V_0, \ldots, A_{H-1} V_{H-1}] \, W_o^\top$"),
        ("minillama.attention:GroupedQueryAttention.forward",
         "minillama.attention:GroupedQueryAttention.attend")),
    "kv_cache": Algorithm(
        "Append to the cache",
        (r"Cache of $t_r$ tokens in row $r$; new keys and values",),
        r"all keys and values, $\max_r t_r + n$ of them",
        _steps(r"The new tokens of row $r$ take positions $t_r, t_r + 1, \ldots$",
               "Write keys and values there",
               "Return what is filled, up to the longest row"),
        ("minillama.attention:KVCache.append",)),
    "block": Algorithm(
        "One block",
        (r"$X \in \mathbb{R}^{\ell \times d}$",),
        r"$X' \in \mathbb{R}^{\ell \times d}$",
        _steps(r"$X \leftarrow X + \mathrm{Attention}(\mathrm{RMSNorm}_1(X))$",
               r"Return $X + \mathrm{SwiGLU}(\mathrm{RMSNorm}_2(X))$"),
        ("minillama.model:Block.forward",)),
    "llama": Algorithm(
        "Llama 2",
        (r"$t \in \{1, \ldots, N\}^{\ell}$, tokens",
         r"$W_e, W_o \in \mathbb{R}^{N \times d}$; $L$ blocks"),
        r"logits $\in \mathbb{R}^{\ell \times N}$",
        _steps("Positions, their angles, and the causal mask",
               r"$X_m \leftarrow W_e[t_m]$, one row a token",
               r"For $l = 1, \ldots, L$: $\; X \leftarrow \mathrm{Block}_l(X)$",
               r"Return $\mathrm{RMSNorm}(X) \, W_o^\top$"),
        ("minillama.model:Llama.forward",)),
    "sample": Algorithm(
        "Sample a token",
        (r"logits $z \in \mathbb{R}^{N}$; temperature $\tau \geq 0$; $p \in (0, 1]$",),
        r"a token in $\{1, \ldots, N\}$",
        _steps(r"If $\tau = 0$ return $\arg\max z$",
               r"$q \leftarrow \mathrm{softmax}(z / \tau)$",
               r"If $p < 1$: in falling order of $q$, drop every token before which "
               r"the sum already reaches $p$",
               r"Return the first token up to which the sum of $q$ passes "
               r"$u \sum_i q_i$, where $u$ is uniform in $[0, 1)$"),
        ("minillama.generation:sample",)),
    "generate": Algorithm(
        "Generate",
        ("Prompts of different lengths; how many new tokens",), "New tokens per prompt",
        _steps("Pad the prompts on the right to one length",
               "Read them all at once and fill the cache",
               "Until each has ended: sample a token, feed it in, go on"),
        ("minillama.generation:generate",)),
    "tokenizer_train": Algorithm(
        "Learn the pieces",
        ("Words with their frequencies; the alphabet",), "Pairs, in order of joining",
        _steps("Write every word as characters and count all neighbours",
               "Take the most frequent pair that may be a piece; ties: the shorter "
               "union, then the first by code point",
               "Leave it out if its union is known already",
               "Join the pair wherever it stands; correct the counts around it; "
               "repeat from step 2"),
        ("minillama.bpe_training:merges",)),
    "tokenizer_encode": Algorithm(
        "Encode a text",
        (r"Text; pieces with scores",), "Token ids",
        _steps("Put a space in front and make all spaces visible",
               "Write the text as characters; list the neighbours whose union is a "
               "piece",
               "Join the pair of best score, the leftmost of equals; list its new "
               "neighbours; repeat until no pair is left",
               "Replace pieces by ids, and what is no piece by the ids of its bytes"),
        ("minillama.tokenizer:Tokenizer.encode_pieces",
         "minillama.tokenizer:Tokenizer._join",
         "minillama.tokenizer:Tokenizer.encode")),
    "window": Algorithm(
        "One window of training text",
        (r"Stream of tokens; window number $i$; length $\ell$",),
        r"inputs and targets, $\ell$ each",
        _steps(r"Cut $\ell + 1$ tokens from $i \ell$ on; inputs are all but the last, "
               "targets all but the first",
               "Mask each target that begins a document",
               "Mask each target that need not be learnt, where some are chosen"),
        ("minillama.training.data:TokenStream.window",)),
    "learning_rate": Algorithm(
        "Learning rate",
        (r"step $s$ of $S$; peak $\eta$; warm-up $w$; final fraction $\phi$",),
        r"rate $\in \mathbb{R}$",
        _steps(r"If $s < w$ return $\eta (s + 1) / w$",
               r"$k \leftarrow \frac{1}{2} (1 + \cos \pi \frac{s - w}{S - 1 - w})$",
               r"Return $\eta (\phi + (1 - \phi) k)$"),
        ("minillama.training.optimisation:learning_rate",)),
    "train_step": Algorithm(
        "One step of training",
        ("inputs and targets; model; AdamW; rate",), "loss, gradient norm",
        _steps(r"$\mathcal{L} \leftarrow$ mean of $-\log p(\text{target})$ over "
               "unmasked targets",
               r"$G \leftarrow \nabla \mathcal{L}$",
               r"$G \leftarrow G \cdot \min(1, 1 / \lVert G \rVert)$",
               "AdamW moves the weights at the given rate"),
        ("minillama.training.optimisation:train_step",)),
    "shared_step": Algorithm(
        "One step of training, shared by $K$ processes",
        ("this process's rows of the batch, in parts; model; AdamW; rate",),
        "loss, gradient norm, of the whole batch",
        _steps(r"$n \leftarrow$ unmasked targets of all processes together",
               r"$\mathcal{L} \leftarrow \frac{K}{n} \sum -\log p(\text{target})$ over "
               "the unmasked targets of a part",
               r"$G \leftarrow G +$ mean of $\nabla \mathcal{L}$ over all processes; "
               "DDP keeps all of it, FSDP a share; repeat from step 2",
               r"$G \leftarrow G \cdot \min(1, 1 / \lVert G \rVert)$, the norm over "
               "all shares",
               "AdamW moves the weights, or a share of them, at the given rate"),
        ("minillama.training.team:Team.train_step",)),
    **ALIGNMENT,
    **MISTRAL,
    **EVALUATION,
    **SAFETY,
}
# The whole of Llama 2, in the order in which a token meets it.
LLAMA_2 = ("llama", "block", "rms_norm", "grouped_query_attention", "rotary_table",
           "apply_rope", "swiglu", "sample")
