"""Backups and restores in a row, under write load, with random faults: what was said, against the truth."""
