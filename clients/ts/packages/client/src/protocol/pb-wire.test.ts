// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { PbError, PbReader, PbWriter, pbBytes, pbVarint, varintSize } from "./pb-wire.js";

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));

function written(write: (writer: PbWriter) => void): string {
  const writer = new PbWriter();
  writer.begin(0);
  write(writer);
  return Buffer.from(writer.copy(0, writer.at)).toString("hex");
}

/** Borders of the number of bytes, and of what a double can say. */
const numbers: [number, string][] = [
  [0, "00"],
  [1, "01"],
  [127, "7f"],
  [128, "8001"],
  [300, "ac02"],
  [16_383, "ff7f"],
  [16_384, "808001"],
  [2 ** 31 - 1, "ffffffff07"],
  [2 ** 31, "8080808008"],
  [2 ** 32 - 1, "ffffffff0f"],
  [2 ** 32, "8080808010"],
  [2 ** 35 + 1, "818080808001"],
  [Number.MAX_SAFE_INTEGER, "ffffffffffffff0f"],
];

test("numbers up to 2^53 - 1 are written and read exactly", () => {
  for (const [value, hex] of numbers) {
    assert.equal(written((writer) => writer.varint(value)), hex);
    assert.equal(varintSize(value), hex.length / 2);
    const reader = new PbReader(bytes(hex));
    assert.equal(reader.varint(), value);
    assert.equal(reader.at, hex.length / 2);
  }
});

test("larger numbers are known to be larger, and none has more than 64 bits", () => {
  for (const hex of ["8080808080808010", "80808080808080808001", "ffffffffffffffffff01"]) {
    const reader = new PbReader(bytes(hex));
    assert.ok(reader.varint() > Number.MAX_SAFE_INTEGER, hex);
    assert.equal(reader.low, hex.startsWith("8") ? 0 : -1);
  }
  for (const hex of ["", "80", "ffffffffffffffffff", "ffffffffffffffffff02", "ffffffffffffffffffff01", "8080808080808080808000"]) {
    assert.throws(() => new PbReader(bytes(hex)).varint(), PbError, hex);
  }
  assert.equal(new PbReader(bytes("88808080808080808000")).varint(), 8);
  assert.throws(() => new PbReader(bytes("808080808000")).varint(5), PbError);
});

test("fields are read in order, and those of fixed width are skipped", () => {
  const reader = new PbReader(bytes("0807 c13e 0102030405060708 12 03 616263 c53e 01020304 1a00"));
  const fields = [];
  while (reader.next()) fields.push([reader.number, reader.type]);
  assert.deepEqual(fields, [[1, pbVarint], [1000, 1], [2, pbBytes], [1000, 5], [3, pbBytes]]);
});

test("bytes are borrowed, and a length beyond the end is refused", () => {
  const reader = new PbReader(bytes("ff 12 03 616263 ff"), 1, 6);
  assert.equal(reader.next(), true);
  assert.deepEqual([reader.from, reader.to], [3, 6]);
  assert.equal(reader.next(), false);
  for (const hex of ["12 04 616263", "12 ffffffff0f", "12 80808080808080808001", "0b", "0c", "0e", "0f", "00", "8080808010 00"]) {
    assert.throws(() => new PbReader(bytes(hex)).next(), PbError, hex);
  }
});

test("content of any length gets its length before it", () => {
  for (const length of [0, 1, 64, 65, 127, 128, 16_383, 16_384, 100_000, 2_100_000]) {
    for (const unit of ["x", "é"]) {
      const text = unit.repeat(length);
      const hex = written((writer) => writer.nested(1, () => writer.text(2, text)));
      const outer = new PbReader(bytes(hex));
      assert.equal(outer.next() && outer.to, hex.length / 2);
      const inner = new PbReader(outer.bytes, outer.from, outer.to);
      assert.equal(inner.next(), true);
      assert.equal(Buffer.from(inner.bytes.subarray(inner.from, inner.to)).toString(), text);
      assert.equal(outer.next() || inner.next(), false);
    }
  }
});

test("half a surrogate pair becomes U+FFFD", () => {
  assert.equal(written((writer) => writer.utf8("a\ud83d")), "61efbfbd");
});
