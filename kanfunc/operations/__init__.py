"""Use cases: each reads as the story of one verb."""
