#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/base/nfc_tables.h from the Unicode data of this Python (unicodedata).

Run as: tools/nfc_tables.py > src/base/nfc_tables.h
"""
import unicodedata as u

POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xD7A4)


def ranges(keyed):
    """Joins neighbouring (code point, key) pairs with equal keys."""
    out = []
    for point, key in keyed:
        if out and out[-1][1] == point - 1 and out[-1][2] == key:
            out[-1][1] = point
        else:
            out.append([point, point, key])
    return out


def pairs():
    """Every (starter, second, composite) of NFC, Hangul left out."""
    for c in POINTS:
        d = u.decomposition(chr(c))
        if not d or d.startswith("<") or " " not in d or c in HANGUL:
            continue
        if u.normalize("NFC", chr(c)) == chr(c):
            yield tuple(int(x, 16) for x in d.split()) + (c,)


classes = ranges((c, u.combining(chr(c))) for c in POINTS if u.combining(chr(c)))
refused = ranges((c, 0) for c in POINTS if u.normalize("NFC", chr(c)) != chr(c))
composed = sorted(pairs())

print("/* SPDX-License-Identifier: Apache-2.0 */")
print(f"/* Made by tools/nfc_tables.py from Unicode {u.unidata_version}; the data is Unicode, Inc.'s. */")
print("/* clang-format off */")
print("static const struct nfc_class nfc_classes[] = {")
for a, b, k in classes:
    print(f"    {{0x{a:04x}, 0x{b:04x}, {k}}},")
print("};\n\nstatic const struct nfc_range nfc_refused[] = {")
for a, b, _ in refused:
    print(f"    {{0x{a:04x}, 0x{b:04x}}},")
print("};\n\nstatic const struct nfc_pair nfc_pairs[] = {")
for a, b, c in composed:
    print(f"    {{0x{a:04x}, 0x{b:04x}, 0x{c:04x}}},")
print("};")
