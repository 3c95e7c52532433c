#!/usr/bin/env python3
"""Writes the golden frames of this folder from recorded conversations with real servers.

    make_frames.py RECORDINGS OUT [--all]

RECORDINGS holds <server>/<scenario>.jsonl, one JSON object per step with the hex of whole frames. Written are requests.txt,
a line `step answer hex` for each different request (answer: the error code that Cassandra 5.0, or else the first server that
has the step, gave to it, or `ok`, or `none`), and <server>.txt, a line `step hex` for each different response. Frames that
differ in their stream only count once; without --all, responses are thinned out to what is worth its place in the tree.
"""
import json
import sys
from pathlib import Path

SERVERS = ["cassandra-5.0", "scylla-5.2", "cassandra-4.1"]
BUDGET = 16_000  # hex digits of longer responses for each server and scenario
SHORT = 240
LONGEST = 6_000


def steps(folder):
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.open():
            step = json.loads(line)
            answers = step.get("response")
            answers = answers if isinstance(answers, list) else [answers]
            yield path.stem, step, [a for a in answers if isinstance(a, str) and a]


def error_code(answers):
    for answer in answers:
        if answer[8:10] == "00":
            body = 18 + (32 if int(answer[2:4], 16) & 2 else 0)
            return answer[body : body + 8]
    return "ok" if answers else "none"


def thinned(responses):
    if sum(map(len, responses.values())) <= BUDGET:
        return responses
    long = [key for key, hex_ in responses.items() if SHORT < len(hex_) <= LONGEST]
    keep = max(1, round(sum(len(responses[key]) for key in long) / BUDGET))
    kept = set(long[::keep])
    return {key: hex_ for key, hex_ in responses.items() if len(hex_) <= SHORT or key in kept}


def main():
    recordings, out = Path(sys.argv[1]), Path(sys.argv[2])
    everything = "--all" in sys.argv
    requests = {}
    for server in SERVERS:
        scenarios, seen = {}, set()
        for scenario, step, answers in steps(recordings / server):
            request = step.get("request")
            if isinstance(request, str) and request and (everything or len(request) <= LONGEST):
                requests.setdefault(request[:4] + request[8:], (step["step"], error_code(answers), request))
            for n, answer in enumerate(answers):
                if answer[:4] + answer[8:] not in seen:
                    seen.add(answer[:4] + answer[8:])
                    scenarios.setdefault(scenario, {})[f"{step['step']}#{n}"] = answer
        with (out / f"{server}.txt").open("w") as file:
            for responses in scenarios.values():
                for name, hex_ in (responses if everything else thinned(responses)).items():
                    file.write(f"{name} {hex_}\n")
    with (out / "requests.txt").open("w") as file:
        for step, answer, hex_ in requests.values():
            file.write(f"{step} {answer} {hex_}\n")


if __name__ == "__main__":
    main()
