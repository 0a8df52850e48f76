"""What a benchmark finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A ratio or a count. aim: the most that it should be. bound: what keeps it from being less."""

    name: str
    value: float
    unit: str
    aim: float | None
    bound: str = ""

    @property
    def met(self) -> bool:
        """Whether it is within its aim, if it has one."""
        return self.aim is None or self.value <= self.aim
