#!/usr/bin/env python3
"""Writes driver.txt: values as the stock Python driver (cassandra-driver 3.29.2) serializes them.

    pip install cassandra-driver==3.29.2 && driver_values.py > driver.txt

Lines, tab-separated: CQL type, CQL literal of the value (the driver's own Encoder), hex of its serialization in protocol v4.
"""
import random
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from cassandra import cqltypes
from cassandra.encoder import Encoder
from cassandra.util import Date, Duration, SortedSet, Time

random.seed(7)
encoder = Encoder()
EPOCH = datetime(1970, 1, 1)


def cql(type_, value):
    """The literal. The driver's Encoder goes by the Python type alone, so some types need a word from us."""
    name = type_.typename
    if value is None:
        return "null"
    if name in ("text", "ascii", "varchar"):
        return encoder.cql_encode_str(value)
    if name in ("timestamp", "date", "time", "inet"):
        return f"'{value}'"
    if name in ("duration", "decimal"):
        return str(value)
    if name == "float":
        return {"inf": "Infinity", "nan": "NaN"}.get(repr(value), repr(value))
    if name in ("list", "vector"):
        sub = type_.subtypes[0] if name == "list" else type_.subtype
        return "[" + ", ".join(cql(sub, v) for v in value) + "]"
    if name == "set":
        return "{" + ", ".join(cql(type_.subtypes[0], v) for v in value) + "}"
    if name == "map":
        k, v = type_.subtypes
        return "{" + ", ".join(f"{cql(k, a)}: {cql(v, b)}" for a, b in value.items()) + "}"
    if name == "tuple":
        return "(" + ", ".join(cql(t, v) for t, v in zip(type_.subtypes, value)) + ")"
    return encoder.cql_encode_all_types(value)


def emit(type_, value, literal=None):
    hex_ = type_.to_binary(value, 4).hex() or "-"
    text = (literal or cql(type_, value)).replace("\\", "\\\\").replace("\n", "\\n")
    # The driver gives the class of a vector.
    name = type_.cql_parameterized_type().replace("org.apache.cassandra.db.marshal.VectorType", "vector")
    print(f"{name}\t{text}\t{hex_}")


def parse(text):
    return cqltypes.lookup_casstype(text)


I, T, B, U = cqltypes.Int32Type, cqltypes.UTF8Type, cqltypes.LongType, cqltypes.UUIDType
for type_, values in {
    cqltypes.AsciiType: ["", "a", "it's", "x" * 200],
    T: ["", "ü", "it''s", "\U0001f600", "line\nbreak"],
    B: [0, 1, -1, 2**63 - 1, -(2**63)],
    I: [0, 1, -1, 2**31 - 1, -(2**31)],
    cqltypes.ShortType: [0, -1, 32767, -32768],
    cqltypes.ByteType: [0, -1, 127, -128],
    cqltypes.BytesType: [b"", b"\x00", bytes(range(256))],
    cqltypes.BooleanType: [True, False],
    cqltypes.DecimalType: [Decimal(x) for x in ("0", "1.00", "-1.5", "1E+10", "1E-10", "123456789012345678901234567890.123")],
    cqltypes.DoubleType: [0.0, -0.0, 1.5, 1e300, 5e-324, float("inf"), float("-inf"), float("nan"), 0.1],
    cqltypes.FloatType: [0.0, 1.5, float("inf"), float("nan"), 0.25],
    cqltypes.UUIDType: [uuid.UUID(int=0), uuid.UUID("550e8400-e29b-41d4-a716-446655440000")],
    cqltypes.TimeUUIDType: [uuid.UUID("550e8400-e29b-11d4-a716-446655440000")],
    cqltypes.IntegerType: [0, 127, 128, -128, -129, 2**64, -(2**64), 10**40],
    cqltypes.InetAddressType: ["127.0.0.1", "::1", "2001:db8::1"],
    cqltypes.SimpleDateType: [Date(0), Date(18295), Date(-719162), Date(2932896)],
    cqltypes.TimeType: [Time(0), Time("04:05:06.789"), Time(86399999999999)],
    cqltypes.DurationType: [Duration(0, 0, 1), Duration(14, 3, 3723000000000), Duration(0, 10, 0)],
}.items():
    for value in values:
        emit(type_, value)
for millis in (0, 1, -1, 1580702706789, -62135596800000, 253402300799999):
    at = EPOCH + timedelta(milliseconds=millis)
    emit(cqltypes.DateType, at, f"'{at.strftime('%Y-%m-%d').rjust(10, '0')}T{at.strftime('%H:%M:%S')}.{at.microsecond // 1000:03}Z'")

list_ = cqltypes.ListType.apply_parameters
set_ = cqltypes.SetType.apply_parameters
map_ = cqltypes.MapType.apply_parameters
tuple_ = cqltypes.TupleType.apply_parameters
emit(list_([I]), [])
emit(list_([I]), [3, 1, 2])
emit(list_([T]), ["b", "", "a"])
emit(set_([I]), SortedSet([1, 2, 300]))
emit(set_([T]), SortedSet(["a", "b"]))
emit(map_([T, I]), {"a": 1, "b": 2})
emit(map_([I, list_([T])]), {1: ["x"], 2: []})
emit(tuple_([I, T, B]), (1, "x", 2**40))
emit(tuple_([I, T, B]), (1, None, None))
emit(list_([tuple_([I, list_([U])])]), [(1, [uuid.UUID(int=5)]), (2, [])])
emit(cqltypes.VectorType.apply_parameters([cqltypes.FloatType, 3], None), [1.0, 2.5, -3.0])
emit(cqltypes.VectorType.apply_parameters([T, 2], None), ["a", "bb" * 100])
emit(cqltypes.VectorType.apply_parameters([cqltypes.ShortType, 2], None), [1, 2])
emit(cqltypes.VectorType.apply_parameters([cqltypes.VectorType.apply_parameters([I, 2], None), 2], None), [[1, 2], [3, 4]])
for _ in range(30):
    emit(cqltypes.IntegerType, random.getrandbits(random.randrange(1, 400)) * random.choice((1, -1)))
    emit(cqltypes.DoubleType, random.uniform(-1e10, 1e10) * 10 ** random.randrange(-20, 20))
    emit(cqltypes.DecimalType, Decimal(random.getrandbits(80)).scaleb(random.randrange(-30, 30)))
    sign = random.choice((1, -1))
    emit(cqltypes.DurationType, Duration(*(sign * random.getrandbits(n) for n in (random.randrange(1, 31), random.randrange(1, 31), random.randrange(1, 63)))))
    emit(map_([I, set_([T])]), {i: SortedSet(["x", "y" * (i % 7)]) for i in sorted(random.sample(range(1000), 3))})
