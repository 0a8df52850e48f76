"""What a benchmark has found, in the shape of which one table is made."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value; `aim` is the most that it may be, `bound` what limits it where it is more."""

    name: str
    value: float
    unit: str
    aim: float | None
    bound: str = ""

    @property
    def met(self) -> bool:
        """Whether the aim, if there is one, is reached."""
        return self.aim is None or self.value <= self.aim
