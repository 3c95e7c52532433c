#!/usr/bin/env python3
"""Writes driver.txt: requests as the stock Python driver (cassandra-driver 3.29.2) encodes them, and what was asked for.

    pip install cassandra-driver==3.29.2 && driver_requests.py > driver.txt

Lines: the hex of the frame, a space, and a description that the test makes of the decoded frame again.
"""
import itertools

from cassandra import ConsistencyLevel as CL
from cassandra import protocol as p
from cassandra.query import BatchType

ID, META = bytes(range(16)), bytes(range(16, 32))


def cells(values):
    return "[" + ",".join("null" if v is None else "unset" if v is p._UNSET_VALUE else v.hex() for v in values) + "]"


def parameters(cl, values=None, page=None, state=None, serial=None, ts=None, ks=None):
    text = f"cl={cl} values={cells(values or [])}"
    for name, value in (("page", page), ("state", state and state.hex()), ("serial", serial), ("ts", ts), ("ks", ks)):
        if value is not None:
            text += f" {name}={value}"
    return text


def emit(message, version, description, stream=7):
    frame = p.ProtocolHandler.encode_message(message, stream, version, None, False)
    print(frame.hex(), f"v{version}", description)


for version in (3, 4, 5):
    emit(p.StartupMessage(cqlversion="3.4.5", options={"DRIVER_NAME": "x"}), version, "STARTUP DRIVER_NAME=x CQL_VERSION=3.4.5")
    emit(p.OptionsMessage(), version, "OPTIONS")
    emit(p.AuthResponseMessage(b"\0user\0secret"), version, "AUTH_RESPONSE " + b"\0user\0secret".hex())
    emit(p.RegisterMessage(["TOPOLOGY_CHANGE", "STATUS_CHANGE"]), version, "REGISTER TOPOLOGY_CHANGE STATUS_CHANGE")
    emit(p.PrepareMessage("SELECT * FROM t"), version, "PREPARE SELECT * FROM t")
    if version == 5:
        emit(p.PrepareMessage("SELECT * FROM t", keyspace="k"), version, "PREPARE SELECT * FROM t ks=k")
    for page, state, serial, ts, ks in itertools.product((None, 5000), (None, b"\1\2"), (None, CL.LOCAL_SERIAL), (None, 1234567), (None, "ks")):
        if ks and version < 5:
            continue
        args = dict(serial_consistency_level=serial, timestamp=ts, keyspace=ks, paging_state=state)
        description = parameters(CL.LOCAL_QUORUM, None, page, state, serial, ts, ks)
        emit(p.QueryMessage("SELECT 'ü'", CL.LOCAL_QUORUM, fetch_size=page, **args), version, f"QUERY SELECT 'ü' {description}")
        if ks:
            continue  # the driver's EXECUTE has none
        for values in ([], [b"\0\0\0\1"], [b"a", None, b""], [p._UNSET_VALUE, b"x"] if version > 3 else [None]):
            described = parameters(CL.QUORUM, values, page, state, serial, ts)
            message = p.ExecuteMessage(ID, values, CL.QUORUM, fetch_size=page, result_metadata_id=META,
                                       **{name: arg for name, arg in args.items() if name != "keyspace"})
            emit(message, version, f"EXECUTE {ID.hex()}{' ' + META.hex() if version == 5 else ''} {described}")
    for serial, ts, ks in itertools.product((None, CL.SERIAL), (None, 5), (None, "ks")):
        if ks and version < 5:
            continue
        for type_ in (BatchType.LOGGED, BatchType.UNLOGGED, BatchType.COUNTER):
            children = [(False, "INSERT 1", []), (True, ID, [b"a", None]), (False, "INSERT ?", [b"zz"])]
            message = p.BatchMessage(type_, children, CL.ALL, serial_consistency_level=serial, timestamp=ts, keyspace=ks)
            described = " ".join(f"{'id:' + c[1].hex() if c[0] else 'text:' + c[1]}{cells(c[2])}" for c in children)
            emit(message, version, f"BATCH {type_.name} {described} {parameters(CL.ALL, None, None, None, serial, ts, ks)}")
