// SPDX-License-Identifier: Apache-2.0
/** Shows one's own cursor and selection to the others. */
import type { Extension } from "@codemirror/state";
import { EditorView, ViewPlugin, type ViewUpdate } from "@codemirror/view";
import type { Selection } from "@weft/client";
import type { Binding, TextReplica } from "./binding.js";
import { countCodePoints } from "./units.js";

/** How one appears to the others. */
export interface Identity {
  /** Name to show. */
  readonly name: string;
  /** Colour to show, `#rrggbb`. */
  readonly color: string;
  /** Free text, for example `active` or `away`. */
  readonly status: string;
}

/**
 * The extension that sends presence whenever the selection or the focus changes. It says where the
 * cursor is while the editor has the focus, and only who one is otherwise.
 * @param replica the document
 * @param binding finds the binding of an editor
 * @param identity who one is
 */
export function presenceSender(
  replica: TextReplica,
  binding: (view: EditorView) => Binding | null,
  identity: () => Identity,
): Extension {
  return ViewPlugin.define((view) => {
    const send = (): void => {
      const selections = view.hasFocus ? selectionsOf(view, binding(view)) : [];
      replica.setPresence({ ...identity(), selections });
    };
    send();
    const off = replica.on("state", (state) => {
      if (state.kind === "live") send();
    });
    return {
      update(update: ViewUpdate) {
        // After the update: the binding must have brought the edit to the replica first.
        if (update.selectionSet || update.focusChanged || update.docChanged) queueMicrotask(send);
      },
      destroy: off,
    };
  });
}

/** The editor's selections as positions in the replica's value. */
function selectionsOf(view: EditorView, binding: Binding | null): Selection[] {
  const { doc, selection } = view.state;
  const lag = binding?.lag();
  const { main, ranges } = selection;
  const point = (offset: number): number => {
    if (lag === undefined || lag.empty) return countCodePoints(doc, 0, offset);
    return countCodePoints(lag.apply(doc), 0, lag.mapPos(offset));
  };
  return [main, ...ranges.filter((range) => range !== main)].map((range) => ({
    anchor: point(range.anchor),
    head: point(range.head),
  }));
}
