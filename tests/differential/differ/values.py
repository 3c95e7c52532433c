"""CQL types and random values of them, each as bytes for a bind marker, as a literal, and as JSON."""

from __future__ import annotations

import datetime
import ipaddress
import json
import struct
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

EPOCH = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Value:
    raw: bytes
    literal: str
    json: str


def string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def sized(raw: bytes | None) -> bytes:
    return struct.pack(">i", -1) if raw is None else struct.pack(">i", len(raw)) + raw


def unsigned_vint(value: int) -> bytes:
    if value < 0x80:
        return bytes([value])
    extra = next(n for n in range(1, 9) if n == 8 or value < 1 << (7 * (n + 1)))
    raw = value.to_bytes(extra + 1 if extra < 8 else 9, "big")
    return bytes([raw[0] | (0xFF << (8 - extra)) & 0xFF]) + raw[1:]


def signed_vint(value: int) -> bytes:
    return unsigned_vint((value << 1) ^ (value >> 63) if value >= 0 else ((-value) << 1) - 1)


def varint(value: int) -> bytes:
    return value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True)


# --- scalars ---------------------------------------------------------------------------------------------------------

_WORDS = ["", "a", "b", "ab", "b c", "it's", "Ω", "ﬀ€", "{}[]", "--", "/*", "$$", "?", ":x", "null", "0x00", "é", "😀", "\n",
          "\"q\"", "Z" * 70]


def _text(rng: Random) -> Value:
    word = rng.choice(_WORDS)
    return Value(word.encode(), string(word), json.dumps(word, ensure_ascii=rng.random() < 0.5))


def _ascii(rng: Random) -> Value:
    word = rng.choice([word for word in _WORDS if word.isascii()])
    return Value(word.encode(), string(word), json.dumps(word))


def _integer(size: int):
    bits = size * 8

    def make(rng: Random) -> Value:
        number = rng.choice([0, 1, 2, 3, -1, 7, 100, 2 ** (bits - 1) - 1, -2 ** (bits - 1),
                             rng.randrange(-2 ** (bits - 1), 2 ** (bits - 1))])
        return Value(number.to_bytes(size, "big", signed=True), str(number), str(number))
    return make


def _varint(rng: Random) -> Value:
    number = rng.choice([0, 1, -1, 127, 128, -128, -129, 2 ** 64, -2 ** 100, rng.randrange(-10 ** 20, 10 ** 20)])
    return Value(varint(number), str(number), str(number))


def _decimal(rng: Random) -> Value:
    unscaled = rng.choice([0, 1, -1, 100, 12345, -10 ** 20, rng.randrange(-10 ** 9, 10 ** 9)])
    scale = rng.choice([0, 0, 1, 2, 5, -2])
    return _decimal_of(unscaled, scale)


def _decimal_of(unscaled: int, scale: int) -> Value:
    number = str(Decimal((unscaled < 0, tuple(int(digit) for digit in str(abs(unscaled))), -scale)))
    return Value(struct.pack(">i", scale) + varint(unscaled), number, number)


def _only_decimal(rng: Random) -> Value:
    """No other one here is equal to it and written with another scale."""
    scale = rng.choice([0, 0, 1, 2, 5, -2])
    if scale == 0:
        return _decimal_of(rng.choice([0, 1, -1, 99, 12345]), 0)
    return _decimal_of(rng.randrange(-10 ** 8, 10 ** 8) * 10 + rng.randrange(1, 10), scale)


def _real(code: str):
    def make(rng: Random) -> Value:
        number = rng.choice([0.0, -0.0, 1.0, -1.5, 1e10, 1e-5, float("inf"), float("-inf"), float("nan"), rng.uniform(-1e6, 1e6)])
        raw = struct.pack(code, number)
        number = struct.unpack(code, raw)[0]
        if number != number or number in (float("inf"), float("-inf")):
            literal = "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"
            return Value(raw, literal, json.dumps(literal))
        return Value(raw, repr(number), repr(number))
    return make


def _boolean(rng: Random) -> Value:
    true = rng.random() < 0.5
    literal = rng.choice(["true", "TRUE", "True"] if true else ["false", "FALSE"])
    return Value(b"\1" if true else b"\0", literal, literal.lower())


def _blob(rng: Random) -> Value:
    raw = rng.choice([b"", b"\0", b"\xff", b"ab", rng.randbytes(rng.randrange(40))])
    return Value(raw, "0x" + raw.hex(), f'"0x{raw.hex()}"')


def _date(rng: Random) -> Value:
    days = rng.choice([0, 1, -1, 18000, rng.randrange(-100000, 100000)])
    day = (EPOCH + datetime.timedelta(days=days)).date()
    return Value(struct.pack(">I", days + 2 ** 31), f"'{day.isoformat()}'", f'"{day.isoformat()}"')


def _time(rng: Random) -> Value:
    nanos = rng.choice([0, 1, 86399999999999, rng.randrange(86400 * 10 ** 9)])
    seconds, part = divmod(nanos, 10 ** 9)
    shown = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{part:09}"
    return Value(struct.pack(">q", nanos), f"'{shown}'", f'"{shown}"')


def _timestamp(rng: Random) -> Value:
    millis = rng.choice([0, 1, 1_600_000_000_000, -1000, rng.randrange(0, 2 * 10 ** 12)])
    at = EPOCH + datetime.timedelta(milliseconds=millis)
    shown = at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03}"
    zone = rng.choice(["+0000", "Z"])
    literal = str(millis) if millis >= 0 and rng.random() < 0.3 else f"'{shown}{zone}'"
    return Value(struct.pack(">q", millis), literal, f'"{shown}Z"')


def _duration(rng: Random) -> Value:
    sign = rng.choice([1, 1, -1])
    months, days, nanos = rng.choice([(0, 0, 1), (1, 2, 3), (14, 0, 0), (0, 40, 10 ** 9), (rng.randrange(1, 30), rng.randrange(60), rng.randrange(10 ** 13))])
    literal = ("-" if sign < 0 else "") + "".join(
        f"{amount}{unit}" for amount, unit in ((months, "mo"), (days, "d"), (nanos, "ns")) if amount)
    return Value(b"".join(signed_vint(sign * part) for part in (months, days, nanos)), literal, f'"{literal}"')


def _inet(rng: Random) -> Value:
    address = ipaddress.ip_address(rng.choice(["127.0.0.1", "10.0.0.1", "::1", "2001:db8::8a2e:370:7334", "0.0.0.0"]))
    return Value(address.packed, f"'{address}'", f'"{address}"')


def _uuid(rng: Random) -> Value:
    one = rng.choice([uuid.UUID(int=5, version=4), uuid.UUID(int=2 ** 127 + 9, version=4), uuid.UUID(int=rng.getrandbits(128), version=4)])
    return Value(one.bytes, str(one), f'"{one}"')


def _timeuuid(rng: Random) -> Value:
    ticks = 0x01B21DD213814000 + rng.choice([0, 10 ** 16, rng.randrange(2 * 10 ** 16)])
    one = uuid.UUID(fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF | 0x1000, 0x80,
                            rng.randrange(2), rng.choice([1, 2, 2 ** 40])))
    return Value(one.bytes, str(one), f'"{one}"')


_SCALARS = {
    "ascii": _ascii, "bigint": _integer(8), "blob": _blob, "boolean": _boolean, "date": _date, "decimal": _decimal,
    "double": _real(">d"), "duration": _duration, "float": _real(">f"), "inet": _inet, "int": _integer(4),
    "smallint": _integer(2), "text": _text, "time": _time, "timestamp": _timestamp, "timeuuid": _timeuuid,
    "tinyint": _integer(1), "uuid": _uuid, "varchar": _text, "varint": _varint,
}
SCALARS = sorted(_SCALARS)
KEYS = [name for name in SCALARS if name != "duration"]
NUMBERS = ["bigint", "decimal", "double", "float", "int", "smallint", "tinyint", "varint"]
# Widths that a vector's elements have without a length before each.
_FIXED = {"bigint", "boolean", "double", "float", "int", "timestamp", "timeuuid", "uuid"}
# An empty value is something else than null there, and every server takes it.
MAY_BE_EMPTY = {"bigint", "blob", "boolean", "double", "float", "inet", "int", "text", "timestamp", "uuid", "varint", "ascii"}


# --- all types -------------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Type:
    """`name` is a scalar's, or list, set, map, tuple, vector or udt; `parts` what it is made of."""

    name: str
    parts: tuple["Type", ...] = ()
    frozen: bool = False
    size: int = 0                        # of a vector
    fields: tuple[str, ...] = ()         # of a udt
    udt: str = ""

    @property
    def cql(self) -> str:
        if not self.parts:
            return self.name
        inner = ", ".join(part.cql for part in self.parts)
        if self.name == "vector":
            return f"vector<{inner}, {self.size}>"
        shown = self.udt if self.name == "udt" else f"{self.name}<{inner}>"
        return f"frozen<{shown}>" if self.frozen else shown

    @property
    def is_collection(self) -> bool:
        return self.name in ("list", "set", "map")

    @property
    def is_multi_cell(self) -> bool:
        return not self.frozen and (self.is_collection or self.name == "udt")

    @property
    def is_loose(self) -> bool:
        """Cassandra 4.1 does not look into the fields of tuples and user types: it stores values that 5.0 refuses."""
        return self.has("tuple") or self.has("udt")

    def has(self, name: str) -> bool:
        return self.name == name or any(part.has(name) for part in self.parts)

    def make(self, rng: Random, small: bool = False) -> Value:
        if not self.parts:
            return _only_decimal(rng) if small and self.name == "decimal" else _SCALARS[self.name](rng)
        count = rng.randrange(0, 2 if small else 4)
        if self.name == "list":
            items = [self.parts[0].make(rng, True) for _ in range(count)]
            return Value(_joined(items), "[" + ", ".join(item.literal for item in items) + "]",
                         "[" + ", ".join(item.json for item in items) + "]")
        if self.name == "set":
            items = list({item.raw: item for item in (self.parts[0].make(rng, True) for _ in range(count))}.values())
            return Value(_joined(items), "{" + ", ".join(item.literal for item in items) + "}",
                         "[" + ", ".join(item.json for item in items) + "]")
        if self.name == "map":
            pairs = list({key.raw: (key, self.parts[1].make(rng, True))
                          for key in (self.parts[0].make(rng, True) for _ in range(count))}.values())
            return Value(struct.pack(">i", len(pairs)) + b"".join(sized(k.raw) + sized(v.raw) for k, v in pairs),
                         "{" + ", ".join(f"{k.literal}: {v.literal}" for k, v in pairs) + "}",
                         "{" + ", ".join(f"{k.json if k.json.startswith(chr(34)) else json.dumps(k.json)}: {v.json}"
                                         for k, v in pairs) + "}")
        if self.name == "vector":
            items = [self.parts[0].make(rng, True) for _ in range(self.size)]
            fixed = self.parts[0].name in _FIXED
            return Value(b"".join(item.raw if fixed else unsigned_vint(len(item.raw)) + item.raw for item in items),
                         "[" + ", ".join(item.literal for item in items) + "]",
                         "[" + ", ".join(item.json for item in items) + "]")
        return self._fields(rng)

    def _fields(self, rng: Random) -> Value:
        items = [None if rng.random() < 0.15 else part.make(rng, True) for part in self.parts]
        raw = b"".join(sized(item.raw if item else None) for item in items)
        literals = [item.literal if item else "null" for item in items]
        texts = [item.json if item else "null" for item in items]
        if self.name == "tuple":
            return Value(raw, "(" + ", ".join(literals) + ")", "[" + ", ".join(texts) + "]")
        return Value(raw, "{" + ", ".join(f"{name}: {one}" for name, one in zip(self.fields, literals)) + "}",
                     "{" + ", ".join(f"{json_name(name)}: {one}" for name, one in zip(self.fields, texts)) + "}")


def _joined(items: list[Value]) -> bytes:
    return struct.pack(">i", len(items)) + b"".join(sized(item.raw) for item in items)


def json_name(cql_name: str) -> str:
    """A column's or field's name as a key of JSON: what is quoted in CQL is quoted once more inside."""
    return json.dumps(cql_name)


def scalar(name: str) -> Type:
    return Type(name)


@dataclass
class TypeMaker:
    """Random types, of what the clusters know and the schema has."""

    rng: Random
    vectors: bool = False
    udts: list[Type] = field(default_factory=list)

    def key(self) -> Type:
        """For primary keys, map keys and elements of sets: anything frozen without a duration."""
        draw = self.rng.random()
        if draw < 0.85:
            return scalar(self.rng.choice(KEYS))
        if draw < 0.95 or not self.udts:
            made = self.rng.choice([
                Type("list", (scalar("int"),), True), Type("set", (scalar("text"),), True),
                Type("map", (scalar("int"), scalar("text")), True), Type("tuple", (scalar("int"), scalar("text")), True)])
            return made
        return self._udt(True, keys=True) or scalar("uuid")

    def _udt(self, frozen: bool, keys: bool = False) -> Type | None:
        fitting = [udt for udt in self.udts if not (keys and udt.has("duration"))]
        if not fitting:
            return None
        chosen = self.rng.choice(fitting)
        return Type("udt", chosen.parts, frozen, 0, chosen.fields, chosen.udt)

    def any(self, depth: int = 0) -> Type:
        draw = self.rng.random()
        if draw < (0.5 if depth == 0 else 0.7) or depth > 2:
            return scalar(self.rng.choice(SCALARS))
        frozen = depth > 0 or self.rng.random() < 0.35
        kinds = ["list", "set", "map", "tuple", "udt"] + (["vector"] if self.vectors else [])
        kind = self.rng.choice(kinds)
        if kind == "list":
            return Type("list", (self.any(depth + 1),), frozen)
        if kind == "set":
            return Type("set", (self._inner_key(depth),), frozen)
        if kind == "map":
            return Type("map", (self._inner_key(depth), self.any(depth + 1)), frozen)
        if kind == "tuple":
            return Type("tuple", tuple(self.any(depth + 1) for _ in range(self.rng.randrange(1, 4))), depth > 0)
        if kind == "vector":
            return Type("vector", (scalar(self.rng.choice(["float", "int", "text", "double"])),), False, self.rng.randrange(1, 4))
        return self._udt(frozen) or scalar("int")

    def _inner_key(self, depth: int) -> Type:
        return self.key() if depth == 0 else scalar(self.rng.choice(KEYS))
