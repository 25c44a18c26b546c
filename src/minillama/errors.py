"""The one exception that speaks to people instead of programmers."""


class UserError(Exception):
    """Bad input or a bad environment: one line that says what is wrong and what to do.

    Commands print the message alone and exit with status 1; in a notebook only the
    message is shown, since a stack trace would bury the one line that helps.
    """

    def _render_traceback_(self) -> list[str]:
        """Called by IPython in place of its own traceback."""
        return [f"{type(self).__name__}: {self}"]
