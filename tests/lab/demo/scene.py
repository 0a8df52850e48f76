"""What every act works with: the lab, the narrator, and the claims that were made so far."""

from dataclasses import dataclass
from typing import Final

from tests.lab.demo.stage import Claim, Narrator
from tests.lab.lab import Lab

NAMESPACE: Final = "edb"
CLUSTER: Final = "cluster-example"


class ClaimFailed(Exception):
    """A claim of the demo does not hold: the story ends there."""


@dataclass(frozen=True)
class Scene:
    """One telling of the story. `claims` are those made so far, in order."""

    lab: Lab
    narrator: Narrator
    claims: list[Claim]

    def require(self, claim: str, evidence: str, *, holds: bool) -> None:
        """Make a claim; ClaimFailed, with the evidence, where it does not hold."""
        made = Claim(claim, evidence, holds)
        self.claims.append(made)
        self.narrator.claim(made)
        if not holds:
            raise ClaimFailed(f"{claim}: {evidence}")
