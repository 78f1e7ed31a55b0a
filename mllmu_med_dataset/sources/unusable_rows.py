"""Rows that can't be asked: a few in a large file are left out and told, many mean that the file is not the source."""

from ..errors import UserError

# The real files have some: PMC-VQA about 30 in 227,000.
LARGEST_SHARE = 0.01
_NAMED = 3


class UnusableRows:
    """Counts the rows of a source that can't be used, by file and row; the end of a pass decides what that means."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, where: str, reason: str) -> None:
        """Note a row."""
        self.count += 1
        if self.count <= _NAMED:
            self.first.append(f"{where} {reason}")

    def finish(self, total: int) -> str | None:
        """Return a note on what is left out, if anything; raise ``UserError`` if it is more than a hundredth."""
        if not self.count:
            return None
        named = "; ".join(self.first) + ("; ..." if self.count > _NAMED else "")
        what = f"{self.count:,} of {total:,} rows can't be asked: {named}."
        if self.count > LARGEST_SHARE * total:
            raise UserError(f"{what} Correct or remove them, or take the file as the source distributes it.")
        return f"{what} They were left out."
