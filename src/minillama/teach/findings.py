"""What the text says of a result, held against the result itself.

Training is repeatable on one machine and not between machines: sums are taken in
another order, and a model of this size goes another way from there. What is proved (an
equality, a bound) is asserted and must hold everywhere. What was found is told with
``holds``: where it does not come out, the reader is told so, and the build goes on.
"""

import html

from IPython.display import display

MARK = "otherwise"  # of such an output, in its metadata


def holds(condition: object, claim: str) -> None:
    """Say nothing where a finding came out; where it did not, a note says so.

    ``claim`` is the finding as a clause, "the judge's pick is better than any answer".
    """
    if condition:
        return
    text = f"On this machine it came out otherwise. The text says: {claim}."
    note = (f'<p style="border-left:.3em solid #D55E00;padding:.2em .6em">'
            f"{html.escape(text)}</p>")
    display({"text/html": note, "text/plain": text}, raw=True, metadata={MARK: text})
