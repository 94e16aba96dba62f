// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps an editor and a replica the same.
 *
 *     replica's value  =  editor's document, then `lag`
 *
 * `lag` is empty except while an input method composes text on a line that somebody else changes:
 * touching that line would break the composition, so the change waits until it ends. What is typed
 * meanwhile is carried over the lag to the replica, and the lag over it.
 */
import { Annotation, ChangeSet, Transaction } from "@codemirror/state";
import type { EditorView, PluginValue, ViewUpdate } from "@codemirror/view";
import type { Replica, ReplicaChange } from "@weft/client";
import { diffText, text, type TextOp } from "@weft/client/text";
import { changesToOp, opToChanges } from "./units.js";

/** A replica of a text document. */
export type TextReplica = Replica<string, TextOp>;

/** Marks the transactions that bring changes of the replica into the editor. */
export const fromReplica = Annotation.define<boolean>();

/** The binding of one editor. */
export class Binding implements PluginValue {
  readonly #view: EditorView;
  readonly #replica: TextReplica;
  readonly #off: () => void;
  #lag: TextOp | null = null;
  /** The editor's own edit is on its way to the replica: its change event is no news. */
  #editing = false;
  #destroyed = false;

  constructor(view: EditorView, replica: TextReplica) {
    this.#view = view;
    this.#replica = replica;
    this.#off = replica.on("change", (change) => this.#replicaChanged(change));
    // The editor may have been made with an older text; a view cannot change while it is made.
    queueMicrotask(() => this.#resync());
  }

  /** The changes that lead from the editor's document to the replica's value. */
  lag(): ChangeSet {
    const { state } = this.#view;
    return ChangeSet.of(this.#lag === null ? [] : this.#changes(this.#lag), state.doc.length);
  }

  update(update: ViewUpdate): void {
    for (const tr of update.transactions) {
      if (tr.docChanged && tr.annotation(fromReplica) !== true) this.#edited(tr);
    }
    if (this.#lag !== null && !update.view.composing) queueMicrotask(() => this.#catchUp());
  }

  destroy(): void {
    this.#destroyed = true;
    this.#off();
  }

  /** Ends the lag when the composition has ended. */
  compositionEnded(): void {
    // The editor reads the composed text out of the page a moment after the event.
    setTimeout(() => this.#catchUp(), 60);
  }

  #edited(tr: Transaction): void {
    try {
      let op = changesToOp(tr.changes, tr.startState.doc, tr.newDoc);
      if (this.#lag !== null) {
        const lag = this.#lag;
        this.#lag = text.transform(lag, op, "right");
        op = text.transform(op, lag, "left");
      }
      this.#editing = true;
      this.#replica.edit(text.strip(op));
    } catch {
      // The replica takes no edits (not open, closed) or the change bypassed the filters: the
      // replica is the truth, so the editor goes back to it.
      queueMicrotask(() => this.#resync());
    } finally {
      this.#editing = false;
    }
  }

  #replicaChanged({ op, origin }: ReplicaChange<TextOp>): void {
    if (this.#editing) return;
    if (this.#lag !== null || this.#touchesComposition(op)) {
      this.#lag = this.#lag === null ? op : text.compose(this.#lag, op);
    } else {
      this.#dispatch(op, origin === "undo" || origin === "redo");
    }
  }

  /** Whether an operation changes the line on which an input method is composing. */
  #touchesComposition(op: TextOp): boolean {
    if (!this.#view.composing) return false;
    const { doc, selection } = this.#view.state;
    const line = doc.lineAt(selection.main.head);
    let touches = false;
    ChangeSet.of(this.#changes(op), doc.length).iterChangedRanges((from, to) => {
      if (from <= line.to && to >= line.from) touches = true;
    });
    return touches;
  }

  #catchUp(): void {
    const lag = this.#lag;
    if (lag === null || this.#destroyed || this.#view.composing) return;
    this.#lag = null;
    this.#dispatch(lag);
  }

  #resync(): void {
    if (this.#destroyed || this.#replica.state.kind === "closed" || !isOpen(this.#replica)) return;
    this.#lag = null;
    const op = diffText(this.#view.state.doc.toString(), this.#replica.value);
    if (op.length > 0) this.#dispatch(op);
  }

  /** Brings an operation into the editor; one's own undo also takes the cursor to it. */
  #dispatch(op: TextOp, follow = false): void {
    const changes = ChangeSet.of(this.#changes(op), this.#view.state.doc.length);
    let end = 0;
    if (follow) changes.iterChangedRanges((_fromA, _toA, _fromB, toB) => (end = toB));
    this.#view.dispatch({
      changes,
      ...(follow && { selection: { anchor: end }, scrollIntoView: true }),
      annotations: [fromReplica.of(true), Transaction.addToHistory.of(false), Transaction.remote.of(true)],
    });
  }

  #changes(op: TextOp): ReturnType<typeof opToChanges> {
    const { state } = this.#view;
    return opToChanges(op, state.doc, (value) => state.toText(value));
  }
}

/** Whether a replica has a value. */
export function isOpen(replica: TextReplica): boolean {
  try {
    return replica.value !== undefined;
  } catch {
    return false;
  }
}
