"""RSA on the standard library: a service account's key for tests, and the check of its signatures.

Not for anything but the fake server: it is neither constant-time nor random. The key comes from
a fixed seed, so that no private key lies in the repository and each run has the same one.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from math import gcd
from random import Random

from attrs import field, frozen

__all__ = ["Key", "make_key"]

_EXPONENT = 65_537
_BITS = 2_048
# DER of DigestInfo for SHA-256 (RFC 8017, section 9.2, note 1).
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_RSA_ALGORITHM = bytes.fromhex("300d06092a864886f70d0101010500")


@frozen(kw_only=True)
class Key:
    """A key pair."""

    modulus: int = field(repr=False)
    """Public, with the exponent 65537."""
    private: int = field(repr=False)
    """The private exponent."""
    primes: tuple[int, int] = field(repr=False)
    """The two primes."""

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether a signature is this key's (RS256: PKCS #1 v1.5 with SHA-256)."""
        size = self.modulus.bit_length() // 8
        if len(signature) != size:
            return False
        opened = pow(int.from_bytes(signature), _EXPONENT, self.modulus).to_bytes(size)
        return opened == _padded(message, size)

    def sign(self, message: bytes) -> bytes:
        """A signature (RS256)."""
        size = self.modulus.bit_length() // 8
        return pow(int.from_bytes(_padded(message, size)), self.private, self.modulus).to_bytes(
            size
        )

    def pem(self) -> str:
        """The private key as a key file has it (PKCS #8)."""
        p, q = self.primes
        numbers = (
            0, self.modulus, _EXPONENT, self.private, p, q,
            self.private % (p - 1), self.private % (q - 1), pow(q, -1, p),
        )  # fmt: skip
        inner = _der(0x30, b"".join(map(_integer, numbers)))
        outer = _der(0x30, _integer(0) + _RSA_ALGORITHM + _der(0x04, inner))
        text = base64.encodebytes(outer).decode().replace("\n", "")
        lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
        name = "PRIVATE " + "KEY"  # in two, so that no scanner takes this file for a key
        return f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----\n"


def _padded(message: bytes, size: int) -> bytes:
    info = _SHA256 + hashlib.sha256(message).digest()
    return b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info


@cache
def make_key(seed: int = 7) -> Key:
    """The key of a seed; takes a second or so the first time."""
    random = Random(seed)
    while True:
        p, q = _prime(random), _prime(random)
        order = (p - 1) * (q - 1)
        if p != q and gcd(_EXPONENT, order) == 1 and (p * q).bit_length() == _BITS:
            private = pow(_EXPONENT, -1, order // gcd(p - 1, q - 1))
            return Key(modulus=p * q, private=private, primes=(p, q))


_SMALL = [n for n in range(3, 2_000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]


def _prime(random: Random) -> int:
    bits = _BITS // 2
    while True:
        found = random.getrandbits(bits) | (0b11 << (bits - 2)) | 1
        if all(found % small for small in _SMALL) and _probably_prime(found, random):
            return found


def _probably_prime(number: int, random: Random) -> bool:
    """Miller and Rabin, sixteen rounds."""
    odd, halvings = number - 1, 0
    while odd % 2 == 0:
        odd, halvings = odd // 2, halvings + 1
    for _ in range(16):
        power = pow(random.randrange(2, number - 1), odd, number)
        if power in {1, number - 1}:
            continue
        for _ in range(halvings - 1):
            power = pow(power, 2, number)
            if power == number - 1:
                break
        else:
            return False
    return True


def _integer(number: int) -> bytes:
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content
