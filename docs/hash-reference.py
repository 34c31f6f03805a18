#!/usr/bin/env python3
"""The wire contract of docs/hash.md a second time, and the maker of docs/hash-vectors.json.

Written from the prose, in another language and for reading, so that the vectors do not come from the code that they
test. Needs nothing but Python 3. Prints the vectors: `python3 docs/hash-reference.py > docs/hash-vectors.json`.
"""

import ipaddress
import json

HASH_VERSION = 1
MASK = (1 << 64) - 1
TABLE_SIZES = [2039, 16381, 131071]


def siphash(key: bytes, message: bytes) -> int:
    """SipHash-2-4 (Aumasson and Bernstein, 2012)."""
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(word, bits):
        return (word << bits | word >> 64 - bits) & MASK

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def flow_hash(seed, source, destination, ports=bytes(4), protocol=0):
    key = [siphash(seed, bytes([index])) for index in range(16)]
    data = source + destination + ports
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)] + [protocol]
    first = 0 if len(source) == 4 else 5
    total = key[first]
    for at in range(0, len(words), 2):
        total += (key[first + 1 + at] + words[at]) * (key[first + 2 + at] + words[at + 1])
    total &= MASK
    total ^= total >> 32
    total = total * 0x9E3779B97F4A7C15 & MASK
    return total ^ total >> 32


def slot_of(hash_, size):
    return (hash_ >> 32) * size >> 32


def table_size(backends):
    if backends == 0:
        return 0
    return next((size for size in TABLE_SIZES if size >= 100 * backends), TABLE_SIZES[-1])


def quotas(size, weights):
    total = sum(weights)
    if total == 0:
        return [0] * len(weights)
    result = [size * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda rank: (-(size * weights[rank] % total), rank))
    for rank in by_remainder[: size - sum(result)]:
        result[rank] += 1
    return result


def build(seed, backends):
    """`backends`: (address, weight) in canonical order. Gives the owner's rank of each slot, None for nobody."""
    size = table_size(len(backends))
    weights = [weight for _, weight in backends]
    left = quotas(size, weights)
    walks = []
    for address, _ in backends:
        hash_ = siphash(seed, b"P" + address)
        walks.append([(hash_ >> 32) * size >> 32, 1 + ((hash_ & 0xFFFFFFFF) * (size - 1) >> 32)])
    heaviest = max((weight for weight, slots in zip(weights, left) if slots), default=0)
    credit = [0] * len(backends)
    table = [None] * size
    while any(left):
        for rank, weight in enumerate(weights):
            if not left[rank]:
                continue
            credit[rank] += weight
            if credit[rank] < heaviest:
                continue
            credit[rank] -= heaviest
            while True:
                slot, skip = walks[rank]
                walks[rank][0] = (slot + skip) % size
                if table[slot] is None:
                    break
            table[slot] = rank
            left[rank] -= 1
    return table


def negative_log2(hash_):
    hash_ = max(hash_, 1)
    log = hash_.bit_length() - 1
    mantissa = hash_ << 63 - log
    for _ in range(32):
        square = mantissa * mantissa
        digit = square >> 127
        mantissa = square >> 63 + digit
        log = log << 1 | digit
    return (64 << 32) - log


def refill(seed, backends, table, down):
    def winner(slot):
        best = None
        for rank, (address, weight) in enumerate(backends):
            if rank in down or weight == 0:
                continue
            log = negative_log2(siphash(seed, b"R" + address + slot.to_bytes(4, "little")))
            # cost = log / weight; strictly lower only, so that the lower address wins a tie
            if best is None or log * best[1] < best[0] * weight:
                best = (log, weight, rank)
        return best and best[2]

    return [winner(slot) if owner in down else owner for slot, owner in enumerate(table)]


def dialled(seed, name, buckets, percent):
    """The buckets that a pool takes, as a set."""
    order = sorted(range(buckets), key=lambda bucket: (siphash(seed, b"D" + name.encode() + bucket.to_bytes(4, "little")), bucket))
    return set(order[: (buckets * percent + 50) // 100])


def split(seed, buckets, pools):
    """`pools`: (name, percent, table) in order. Gives for each bucket the position of its pool and its slot there."""
    takes = [dialled(seed, name, buckets, percent) for name, percent, _ in pools[:-1]]

    def owner(bucket):
        position = next((position for position, taken in enumerate(takes) if bucket in taken), len(pools) - 1)
        return [position, bucket * pools[position][2] // buckets]

    return [owner(bucket) for bucket in range(buckets)]


# What the vectors hold.

SEED = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
FLOWS = [  # source, destination, protocol and ports as they are hashed
    ("IPv4, addresses only", "198.51.100.7", "203.0.113.1", 0, None),
    ("IPv4, TCP", "198.51.100.7", "203.0.113.1", 6, (40000, 443)),
    ("IPv4, UDP", "198.51.100.7", "203.0.113.1", 17, (40000, 443)),
    ("IPv4, TCP, ports the other way round", "198.51.100.7", "203.0.113.1", 6, (443, 40000)),
    ("IPv4, UDP fragment: addresses and protocol", "198.51.100.7", "203.0.113.1", 17, None),
    ("IPv4, ICMP echo: addresses and protocol", "198.51.100.7", "203.0.113.1", 1, None),
    ("IPv4, addresses the other way round", "203.0.113.1", "198.51.100.7", 0, None),
    ("IPv4, all ones", "255.255.255.255", "255.255.255.255", 255, (65535, 65535)),
    ("IPv4, all zero", "0.0.0.0", "0.0.0.0", 0, None),
    ("IPv4, source only", "198.51.100.7", "0.0.0.0", 0, None),
    ("IPv6, source only", "2001:db8:1:2:3:4:5:6", "::", 0, None),
    ("IPv6, addresses only", "2001:db8:1:2:3:4:5:6", "2001:db8::1", 0, None),
    ("IPv6, TCP", "2001:db8:1:2:3:4:5:6", "2001:db8::1", 6, (40000, 443)),
    ("IPv6, SCTP", "2001:db8:1:2:3:4:5:6", "2001:db8::1", 132, (5000, 38412)),
    ("IPv6, UDP fragment: addresses and protocol", "2001:db8:1:2:3:4:5:6", "2001:db8::1", 17, None),
    ("IPv6, ICMPv6 echo: addresses and protocol", "2001:db8:1:2:3:4:5:6", "2001:db8::1", 58, None),
    ("IPv6, all ones", "ffff:" * 7 + "ffff", "ffff:" * 7 + "ffff", 255, (65535, 65535)),
]
POOLS = [  # backends as a configuration may list them, then the down sets, as positions
    (
        "three backends of weights 1, 2 and 3",
        [("10.0.1.3", 3), ("10.0.1.1", 1), ("10.0.1.2", 2)],
        [[0], [1], [0, 2], [0, 1, 2]],
    ),
    ("two backends of one weight, one IPv6", [("2001:db8:f::1", 1), ("10.0.2.1", 1)], [[0], [1]]),
    ("a share that rounds to no slot, and a weight of 0", [("10.0.3.1", 65535), ("10.0.3.2", 1), ("10.0.3.3", 0)], [[0], [0, 1]]),
    (
        "twelve backends, one of them lighter",
        [(f"192.0.2.{37 * number % 251}", 10 if number else 3) for number in range(12)],
        [[4], [4, 7], [0, 1, 2, 3, 4, 5, 6]],
    ),
]
DIALS = [  # name, percent and slots of each pool of a binding, in order
    ("a tenth", [("guangzhou", 10, 2039), ("shanghai", 100, 2039)]),
    ("a half", [("guangzhou", 50, 2039), ("shanghai", 100, 2039)]),
    ("three pools, the last one's dial without effect", [("guangzhou", 33, 2039), ("shanghai", 50, 2039), ("beijing", 0, 2039)]),
    ("nothing of the first, and a larger table", [("guangzhou", 0, 2039), ("shanghai", 100, 16381)]),
    ("a smaller table behind", [("guangzhou", 99, 16381), ("shanghai", 100, 2039)]),
]


def mapped(text):
    packed = ipaddress.ip_address(text).packed
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def flow_vector(name, source, destination, protocol, ports):
    packed = b"".join(port.to_bytes(2, "big") for port in ports or (0, 0))
    hash_ = flow_hash(SEED, ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed, packed, protocol)
    return {
        "name": name,
        "source": source,
        "destination": destination,
        "protocol": protocol,
        "ports": ports,
        "hash": f"{hash_:016x}",
        "slots": [{"size": size, "slot": slot_of(hash_, size)} for size in TABLE_SIZES],
    }


def pool_vector(name, listed, down_sets):
    order = sorted(range(len(listed)), key=lambda position: mapped(listed[position][0]))
    canonical = [(mapped(listed[position][0]), listed[position][1]) for position in order]
    table = build(SEED, canonical)

    def positions(ranks):
        return [None if rank is None else order[rank] for rank in ranks]

    def refilled(down):
        return refill(SEED, canonical, table, {order.index(position) for position in down})

    return {
        "name": name,
        "backends": [{"address": address, "weight": weight} for address, weight in listed],
        "slots": positions(table),
        "refills": [{"down": down, "slots": positions(refilled(down))} for down in down_sets],
    }


def dial_vector(name, pools):
    """The first buckets, how many each pool has, and a digest of all: `d = SipHash(d || pool || slot)` from 0 on."""
    owners = split(SEED, pools[0][2], pools)
    digest = 0
    for position, slot in owners:
        digest = siphash(SEED, digest.to_bytes(8, "little") + position.to_bytes(4, "little") + slot.to_bytes(4, "little"))
    return {
        "name": name,
        "pools": [{"name": pool, "percent": percent, "slots": slots} for pool, percent, slots in pools],
        "first_buckets": [{"pool": position, "slot": slot} for position, slot in owners[:8]],
        "counts": [sum(position == at for position, _ in owners) for at in range(len(pools))],
        "digest": f"{digest:016x}",
    }


def write(value, indent=0):
    """JSON with flat arrays of numbers and small objects on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if not any(isinstance(item, (dict, list)) for item in items) or len(flat) < 90:
        return flat
    pad = "  " * (indent + 1)
    if isinstance(value, dict):
        lines = [f"{pad}{json.dumps(key)}: {write(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + pad[2:] + "}"
    return "[\n" + ",\n".join(pad + write(item, indent + 1) for item in value) + "\n" + pad[2:] + "]"


if __name__ == "__main__":
    assert siphash(SEED, bytes(range(15))) == 0xA129CA6149BE45E5  # SipHash paper, appendix A
    print(
        write(
            {
                "hash_version": HASH_VERSION,
                "seed": SEED.hex(),
                "key_words": [f"{siphash(SEED, bytes([index])):016x}" for index in range(16)],
                "flows": [flow_vector(*flow) for flow in FLOWS],
                "table_sizes": [{"backends": count, "size": table_size(count)} for count in (0, 1, 2, 3, 20, 21, 100, 163, 164, 1310, 1311, 5000)],
                "pools": [pool_vector(*pool) for pool in POOLS],
                "dials": [dial_vector(*dial) for dial in DIALS],
            }
        )
    )
