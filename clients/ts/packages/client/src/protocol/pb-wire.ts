// SPDX-License-Identifier: Apache-2.0
/**
 * The protobuf wire format (protobuf.dev, "Encoding"): fields of tag, type and value, without any
 * schema. Readers skip fields they do not know, so what is sent can grow.
 *
 *     field ──▶ varint(number << 3 | type) value    0 varint, 1 eight bytes, 2 length + bytes, 5 four bytes
 *
 * Groups (types 3 and 4) are refused. Numbers are doubles, so nothing is computed with BigInt: a
 * varint up to 2^53 − 1 is exact, of a larger one it is only known that it is larger.
 */

/** Bytes that are no fields, or no fields of the kind expected. */
export class PbError extends Error {
  override readonly name = "PbError";
}

/** A varint: its value behind `PbReader.value`. */
export const pbVarint = 0;
/** A length and as many bytes: from `PbReader.from` to `PbReader.to`. */
export const pbBytes = 2;
const pbFixed64 = 1;
const pbFixed32 = 5;

const varintMax = 10;
const fieldMax = 0x1fff_ffff;

/** Reads the fields of one message. Nothing is copied and nothing allocated, whatever a length says. */
export class PbReader {
  /** The number of the field that was read. */
  number = 0;
  /** Its type: {@link pbVarint}, {@link pbBytes}, or one of fixed width, whose value is not kept. */
  type = 0;
  /** The value of a varint. Above `Number.MAX_SAFE_INTEGER` only known to be so. */
  value = 0;
  /** The lowest 32 bits of the varint read last, which are exact whatever it is. */
  low = 0;
  /** Where the bytes begin. */
  from = 0;
  /** Where they end. */
  to = 0;
  #at: number;

  /**
   * @param bytes holds the message
   * @param at where it begins
   * @param end where it ends
   */
  constructor(
    readonly bytes: Uint8Array,
    at = 0,
    private readonly end = bytes.length,
  ) {
    this.#at = at;
  }

  /** How far it has read. */
  get at(): number {
    return this.#at;
  }

  /** Goes on at another place. */
  seek(at: number): void {
    this.#at = at;
  }

  /**
   * Reads the next field; false at the end.
   * Errors: PbError when what follows is truncated or malformed.
   */
  next(): boolean {
    if (this.#at === this.end) return false;
    const tag = this.varint();
    const number = Math.floor(tag / 8);
    if (number === 0 || number > fieldMax) throw new PbError("a field without a proper number");
    this.number = number;
    this.type = tag % 8;
    if (this.type === pbVarint) this.value = this.varint();
    else if (this.type === pbBytes) this.#skip(this.varint());
    else if (this.type === pbFixed64) this.#skip(8);
    else if (this.type === pbFixed32) this.#skip(4);
    else throw new PbError("a field of an unknown type");
    return true;
  }

  /**
   * Reads a bare varint.
   * @param most bytes that it may have
   * Errors: PbError when it is truncated, longer or above 64 bits.
   */
  varint(most = varintMax): number {
    const { bytes, end } = this;
    let value = 0;
    let scale = 1;
    this.low = 0;
    for (let i = 0; i < most && this.#at < end; i++) {
      const byte = bytes[this.#at++] as number;
      // The tenth byte holds bit 63 alone.
      if (i === varintMax - 1 && byte > 1) break;
      value += (byte & 0x7f) * scale;
      if (i < 5) this.low |= (byte & 0x7f) << (7 * i);
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new PbError("a number that is truncated or too long");
  }

  /** Takes `length` bytes, as long as there are so many. */
  #skip(length: number): void {
    if (length > this.end - this.#at) throw new PbError("a length beyond the end");
    this.from = this.#at;
    this.#at += length;
    this.to = this.#at;
  }
}

/** Bytes that `value` takes as a varint. */
export function varintSize(value: number): number {
  let size = 1;
  for (; value >= 0x80; size++) value = Math.floor(value / 0x80);
  return size;
}

/** Texts up to so many units are first tried as ASCII, which is faster than an encoder for short ones. */
const shortText = 64;
/** Room that is kept between two messages. */
const keptRoom = 64 * 1024;

const utf8 = new TextEncoder();

/** Writes fields one behind the other into room that grows, and is used again for the next message. */
export class PbWriter {
  #bytes = new Uint8Array(1024);
  #at = 0;

  /** Where the next byte goes. */
  get at(): number {
    return this.#at;
  }

  /** Begins anew, leaving the first `room` bytes free. */
  begin(room: number): void {
    if (this.#bytes.length > keptRoom) this.#bytes = new Uint8Array(keptRoom);
    this.#at = room;
  }

  /** Goes on at another place, which was written or left free before. */
  seek(at: number): void {
    this.#at = at;
  }

  /** A copy of what was written from `from` to `to`. */
  copy(from: number, to: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(from, to);
  }

  /** Moves what was written from `from` on so that it begins at `to`; goes on behind it. */
  move(from: number, to: number): void {
    this.#grow(Math.max(0, to - from));
    this.#bytes.copyWithin(to, from, this.#at);
    this.#at += to - from;
  }

  #grow(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + more));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }

  /** A bare varint, of a whole number from 0 to 2^53 − 1. */
  varint(value: number): void {
    this.#grow(varintMax);
    for (; value >= 0x80; value = Math.floor(value / 0x80)) this.#bytes[this.#at++] = (value % 0x80) | 0x80;
    this.#bytes[this.#at++] = value;
  }

  /** A field that is a number. */
  number(field: number, value: number): void {
    this.varint(field * 8 + pbVarint);
    this.varint(value);
  }

  /** A field that is a text. */
  text(field: number, value: string): void {
    this.nested(field, () => this.utf8(value));
  }

  /** A field whose content `write` writes. */
  nested(field: number, write: () => void): void {
    this.varint(field * 8 + pbBytes);
    // One byte is enough for most lengths; a longer content moves on.
    const at = this.#at;
    this.varint(0);
    write();
    const length = this.#at - at - 1;
    const size = varintSize(length);
    if (size > 1) this.move(at + 1, at + size);
    const end = this.#at;
    this.#at = at;
    this.varint(length);
    this.#at = end;
  }

  /** The bytes of a text and nothing else; lone surrogates become U+FFFD. */
  utf8(value: string): void {
    this.#grow(value.length * 3);
    if (value.length <= shortText && this.#ascii(value)) return;
    this.#at += utf8.encodeInto(value, this.#bytes.subarray(this.#at)).written;
  }

  #ascii(value: string): boolean {
    const { length } = value;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > 0x7f) return false;
      this.#bytes[this.#at + i] = unit;
    }
    this.#at += length;
    return true;
  }
}
