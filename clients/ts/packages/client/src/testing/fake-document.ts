// SPDX-License-Identifier: Apache-2.0
/** One document of the fake server: PROTOCOL §6 in as few lines as it takes. */
import { WeftError, type WeftErrorCode } from "../errors.js";
import { text, type TextOp } from "../text/index.js";

/** One entry of the log. */
export interface Entry {
  readonly version: number;
  readonly op: TextOp;
  readonly by: { readonly sub: string; readonly client: string; readonly seq: number; readonly time: number };
}

/** The parameters of `doc.submit`. */
export interface Submit {
  readonly epoch: string;
  readonly client: string;
  readonly seq: number;
  readonly version: number;
  readonly op: TextOp;
}

/** What is durable of a document. */
export class FakeDocument {
  value = "";
  epoch: string;
  log: Entry[] = [];
  readonly clients = new Map<string, { seq: number; version: number; hash: string }>();
  /** Openings from further back get a snapshot. */
  longest = 100_000;

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** The newest version. */
  get version(): number {
    return this.log.length;
  }

  /** What `doc.open` answers; refuses another epoch. */
  open(client: string, epoch?: string, version?: number): Record<string, unknown> {
    if (epoch !== undefined) this.#checkEpoch(epoch);
    const applied = this.clients.get(client)?.seq ?? 0;
    const head = { epoch: this.epoch, type: "text", version: this.version, applied };
    const range = version === undefined ? Infinity : this.version - version;
    if (version === undefined || range < 0 || range > this.longest) {
      return { ...head, snapshot: this.value };
    }
    return { ...head, ops: this.#since(version, client) };
  }

  /** Singly up to the client's own last operation, then as one. */
  #since(version: number, client: string): unknown[] {
    const from = Math.max(version, this.clients.get(client)?.version ?? 0);
    const singly: unknown[] = this.log
      .slice(version, from)
      .map(({ version: at, op, by }) =>
        by.client === client ? { version: at, seq: by.seq } : { version: at, op, by },
      );
    const rest = this.log.slice(from);
    if (rest.length <= 1) return [...singly, ...rest];
    const op = rest.map((entry) => entry.op).reduce((a, b) => text.compose(a, b));
    return [...singly, { from, version: this.version, op }];
  }

  /** Settles a submit: the entry when it is new, the old version when it is a repeat. */
  submit(params: Submit, time: number): Entry | { readonly repeated: number } {
    const { client, seq } = params;
    this.#checkEpoch(params.epoch);
    const hash = JSON.stringify(params.op);
    const last = this.clients.get(client) ?? { seq: 0, version: 0, hash: "" };
    if (seq === last.seq && hash === last.hash) return { repeated: last.version };
    if (seq <= last.seq) throw refusal("already_exists", "weft.doc.seq_used", "applied before");
    if (seq !== last.seq + 1) throw refusal("failed_precondition", "weft.doc.seq_gap", "a number is missing");
    if (params.version > this.version) {
      throw refusal("out_of_range", "weft.doc.version_unknown", "a version to come");
    }
    let op = text.check(params.op);
    for (const entry of this.log.slice(params.version)) op = text.transform(op, entry.op, "left");
    this.value = text.apply(this.value, op);
    const entry = { version: this.version + 1, op, by: { sub: "", client, seq, time } };
    this.log.push(entry);
    this.clients.set(client, { seq, version: entry.version, hash });
    return entry;
  }

  #checkEpoch(epoch: string): void {
    if (epoch !== this.epoch) throw refusal("aborted", "weft.doc.epoch_changed", "another epoch");
  }

  /** Forgets the history, as an import would: a new epoch with the content given. */
  begin(epoch: string, value: string): void {
    this.epoch = epoch;
    this.value = value;
    this.log = [];
    this.clients.clear();
  }
}

function refusal(code: WeftErrorCode, reason: string, message: string): WeftError {
  return new WeftError(code, message, { reason, executed: "no" });
}
