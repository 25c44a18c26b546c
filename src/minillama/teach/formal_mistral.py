r"""The formal algorithms of Mistral's changes, as data. Notation as in ``formal``; $W$
is the width of the window."""

from .notation import Algorithm, steps

MISTRAL = {
    "band_mask": Algorithm(
        "Window that slides",
        (r"positions $q \in \mathbb{N}^{\ell}$ of the queries and "
         r"$k \in \mathbb{Z}^{n}$ of the keys, negative for keys that are not there",
         r"$W \geq 1$"),
        r"$M \in \{0, 1\}^{\ell \times n}$",
        steps(r"$b_{ij} \leftarrow q_i - k_j$, how far back key $j$ lies",
              r"Return $M_{ij} = 1$ where $0 \leq b_{ij} < W$ and $k_j \geq 0$, else "
              r"$0$"),
        ("minillama.mistral:band_mask",)),
    "rolling_cache": Algorithm(
        "Append to the rolling cache",
        (r"$W$ slots of keys and values; new keys and values of $n$ tokens; $t$ tokens "
         r"read so far",),
        r"what the new tokens may look at, $W + n$ keys and values",
        steps(r"Put the new ones behind what the slots hold now",
              r"Of the new tokens $t, \ldots, t + n - 1$ write the last $W$: position "
              r"$i$ into slot $i \bmod W$"),
        ("minillama.mistral:RollingCache.append",)),
}
