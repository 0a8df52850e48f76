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

    @property
    def shown(self) -> str:
        """The value with its unit."""
        value = float(self.value)
        return f"{value:.0f} {self.unit}" if value.is_integer() else f"{value:.3g} {self.unit}"

    def __str__(self) -> str:
        """One line, with what bounds it where the aim is missed."""
        if self.aim is None:
            return f"{self.name}: {self.shown}"
        verdict = "met" if self.met else f"missed; {self.bound}"
        return f"{self.name}: {self.shown} (at most {self.aim:.3g}: {verdict})"
