#!/usr/bin/env python3
"""Writes what the golden tests read, from the recorded conversations with real servers; the build runs it.

    make_frames.py tests/recordings/recordings.tar.xz OUT

Frames that differ in their stream only count once; those that were recorded in part (over 5000 bytes) are left out.
<server>.txt    `step hex`: each different response
requests.txt    `step answer hex`: each different request; answer is the error code that Cassandra 5.0, or else the first server
                that has the step, gave to it, or `ok`, or `none`
compressed.txt  `server step direction compression hex`: frames of v3 and v4 on connections that agreed on a compression
<server>.exchanges.txt
                `step text response`: what each QUERY of v4 in one piece, or OPTIONS (then the text is that word), got as its only
                answer; the text in hex too
segments.txt    `server step direction compression wire envelopes`: v5 after READY, as it was on the wire and what is in it, the
                envelopes joined by commas
"""
import json
import sys
import tarfile
from pathlib import Path

SERVERS = ["cassandra-5.0", "scylla-5.2", "cassandra-4.1"]
STARTUP, READY, OPTIONS, QUERY = "01", "02", "05", "07"


def steps(archive, server):
    names = sorted(n for n in archive.getnames() if n.startswith(server + "/") and n.endswith(".jsonl"))
    for name in names:
        for line in archive.extractfile(name):
            step = json.loads(line)
            answers = step.get("response")
            answers = answers if isinstance(answers, list) else [answers]
            yield step, [a for a in answers if isinstance(a, str) and a]


def error_code(answers):
    for answer in answers:
        if answer[8:10] == "00":
            body = 18 + (32 if int(answer[2:4], 16) & 2 else 0)
            return answer[body : body + 8]
    return "ok" if answers else "none"


def agreed_compression(request, answers):
    """What a STARTUP that was answered by READY agreed on."""
    if not answers or answers[0][8:10] != READY:
        return "none"
    text = bytes.fromhex(request)[9:].lower()
    for name in ("lz4", "snappy"):
        if len(name).to_bytes(2, "big") + name.encode() in text:
            return name
    return "none"


def split(request):
    """The frames of one line: some steps send several at once."""
    at = 0
    while len(request) - at >= 18:
        size = 18 + 2 * int(request[at + 10 : at + 18], 16)
        yield request[at : at + size]
        at += size


def main():
    archive, out = tarfile.open(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    requests, compressed, segments = {}, [], []
    for server in SERVERS:
        responses, agreed, exchanges = {}, {}, []
        for step, answers in steps(archive, server):
            request = step.get("request")
            request = request if isinstance(request, str) else ""
            version, conn = request[:2], step.get("conn")
            if "not sent" in step.get("note", ""):
                continue
            if request[8:10] == STARTUP:
                agreed[conn] = agreed_compression(request, answers)
            codec = agreed.get(conn, "none")
            if request:
                requests.setdefault(request[:4] + request[8:], (step["step"], error_code(answers), request))
            if version == "04" and len(answers) == 1 and codec == "none" and request[8:10] in (OPTIONS, QUERY):
                text = "OPTIONS" if request[8:10] == OPTIONS else step.get("cql", "")
                exchanges.append(f"{step['step']} {text.encode().hex()} {answers[0]}\n" if text else "")
            for n, answer in enumerate(answers):
                responses.setdefault(answer[:4] + answer[8:], (f"{step['step']}#{n}", answer))
            if version in ("03", "04") and codec != "none":
                for frame in split(request) if request[8:10] != STARTUP else ():
                    compressed.append((server, step["step"], "request", codec, frame))
                for frame in answers:
                    compressed.append((server, step["step"], "response", codec, frame))
            for direction, envelopes in (("request", list(split(request))), ("response", answers)):
                wire = step.get(f"{direction}_segments")
                wire = "".join(wire) if isinstance(wire, list) else wire
                if isinstance(wire, str) and envelopes:
                    segments.append((server, step["step"], direction, codec, wire, ",".join(envelopes)))
        (out / f"{server}.exchanges.txt").write_text("".join(exchanges))
        (out / f"{server}.txt").write_text("".join(f"{step} {hex_}\n" for step, hex_ in responses.values()))
    (out / "requests.txt").write_text("".join(" ".join(line) + "\n" for line in requests.values()))
    (out / "compressed.txt").write_text("".join(" ".join(line) + "\n" for line in compressed))
    (out / "segments.txt").write_text("".join(" ".join(line) + "\n" for line in segments))


if __name__ == "__main__":
    main()
