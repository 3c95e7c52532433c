"""Rounds of a random workload under random faults, and the judgement of what became of it."""
