#!/usr/bin/env python3
"""Writes tokens.txt and shards.txt from recordings of real servers: make_tokens.py RECORDINGS OUT

tokens.txt: `values key token s1 s2 s3 s7 s8 s64`: column values (hex, comma-separated, `-` for an empty one), the
serialized partition key, its token, which Cassandra 4.1, 5.0 and ScyllaDB 5.2 agreed on, and the shard that owns it for so
many shards (SCYLLA_SHARDING_IGNORE_MSB 12). shards.txt: `token shard` as traced on a ScyllaDB node of two shards.
"""
import json
import sys
from pathlib import Path

recordings, out = Path(sys.argv[1]), Path(sys.argv[2])
with (out / "tokens.txt").open("w") as file:
    for key in json.loads((recordings / "tokens.json").read_text()):
        if len(key["pk"]) > 400:
            continue
        values = key["values"] if isinstance(key["values"], list) else [key["pk"]]
        shards = " ".join(str(key["shards"][n]) for n in ("1", "2", "3", "7", "8", "64"))
        file.write(f"{','.join(v or '-' for v in values)} {key['pk']} {key['token']} {shards}\n")
with (out / "shards.txt").open("w") as file:
    for key in json.loads((recordings / "scylla-5.2" / "shards.json").read_text())["keys"]:
        if len(key["traced"]) == 1:
            file.write(f"{key['token']} {key['traced'][0].split()[1]}\n")
