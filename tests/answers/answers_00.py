"""Wrong answers to the exercises of notebook 00, and what the check must say."""


def whole(win, tie, loss):
    return 100 * win / (win + tie + loss)


def decided(win, tie, loss):
    return 100 * win / (win + loss)


WRONG = {
    "tokens_per_parameter": [
        (lambda tokens, parameters: parameters / tokens, "the other way"),
        (lambda tokens, parameters: tokens // parameters, "single slash"),
        (lambda tokens, parameters: tokens * parameters, "product"),
    ],
    "days": [
        (lambda hours, gpus, lost: hours / gpus / (1 - lost), "those are hours"),
        (lambda hours, gpus, lost: hours / (1 - lost) / 24, "side by side"),
        (lambda hours, gpus, lost: hours / gpus * (1 - lost) / 24, "shorter"),
        (lambda hours, gpus, lost: hours / gpus * (1 + lost) / 24, "what is left"),
        (lambda hours, gpus, lost: hours / gpus / 24, "left out"),
    ],
    "win_rates": [
        (lambda *x: (whole(*x), decided(*x)), "wrong order"),
        (lambda *x: (decided(*x) / 100, whole(*x) / 100), "percent is asked"),
        (lambda w, t, x: (100 * (w + t / 2) / (w + t + x), whole(w, t, x)),
         "first rate leaves ties out"),
        (lambda *x: (decided(*x), decided(*x)), "both leave the ties out"),
        (lambda *x: (whole(*x), whole(*x)), "both count the ties"),
        (lambda w, t, x: (decided(w, t, x), w), "need not add"),
        (lambda *x: decided(*x), "two numbers"),
    ],
}
