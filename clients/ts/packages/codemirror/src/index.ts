// SPDX-License-Identifier: Apache-2.0
/**
 * `@weft/codemirror`: binds a CodeMirror 6 editor to a live text document. Do not combine it with
 * CodeMirror's own `history()`: undo is the replica's, which undoes only one's own edits.
 */
import { EditorState, Prec, type Extension } from "@codemirror/state";
import { type Command, EditorView, keymap, ViewPlugin } from "@codemirror/view";
import { Binding, fromReplica, type TextReplica } from "./binding.js";
import { remoteCursors } from "./cursors.js";
import { presenceSender } from "./presence.js";
import type { Identity } from "./presence.js";
import { sanitizer } from "./sanitize.js";

export type { TextReplica } from "./binding.js";
export { fromReplica } from "./binding.js";
export { isLight } from "./cursors.js";
export type { Identity } from "./presence.js";

/** Options of the binding. */
export interface WeftOptions {
  /**
   * Who one is, asked each time presence is sent; without it the editor shows the others but not
   * oneself. Call `replica.setPresence` or move the cursor after a change.
   */
  readonly identity?: () => Identity;
}

/**
 * Binds an editor to a document. Make the editor's state with `doc: editorText(replica)` after
 * `replica.ready()`; the editor then shows the replica's text until it is destroyed. The replica
 * is not closed with the editor.
 * @param replica an open text document
 * @param options who one is
 */
export function weft(replica: TextReplica, options: WeftOptions = {}): Extension {
  const plugin = ViewPlugin.define((view) => new Binding(view, replica), {
    eventHandlers: {
      compositionend() {
        this.compositionEnded();
      },
    },
  });
  const binding = (view: EditorView): Binding | null => view.plugin(plugin);
  const { identity } = options;
  return [
    sanitizer((tr) => tr.annotation(fromReplica) === true),
    plugin,
    remoteCursors(replica, binding),
    identity === undefined ? [] : presenceSender(replica, binding, identity),
    undoKeymap(replica),
  ];
}

/**
 * The replica's text as an editor's initial document. A plain string would lose "\r".
 * @param replica an open text document
 */
export function editorText(replica: TextReplica): EditorState["doc"] {
  return EditorState.create({ extensions: EditorState.lineSeparator.of("\n") }).toText(replica.value);
}

/** A command that undoes one's last own step. */
export function undo(replica: TextReplica): Command {
  return (view) => revert(view, replica, "undo");
}

/** A command that redoes what was undone last. */
export function redo(replica: TextReplica): Command {
  return (view) => revert(view, replica, "redo");
}

function revert(view: EditorView, replica: TextReplica, kind: "undo" | "redo"): boolean {
  if (view.state.readOnly || view.composing) return false;
  replica[kind]();
  return true;
}

function undoKeymap(replica: TextReplica): Extension {
  const commands = { undo: undo(replica), redo: redo(replica) };
  return [
    Prec.high(
      keymap.of([
        { key: "Mod-z", run: commands.undo, preventDefault: true },
        { key: "Mod-y", mac: "Mod-Shift-z", run: commands.redo, preventDefault: true },
        { key: "Mod-Shift-z", run: commands.redo, preventDefault: true },
      ]),
    ),
    EditorView.domEventHandlers({
      // The browser's own undo (menus, gestures) knows nothing of the others' edits.
      beforeinput(event, view) {
        if (event.inputType !== "historyUndo" && event.inputType !== "historyRedo") return false;
        event.preventDefault();
        return event.inputType === "historyUndo" ? commands.undo(view) : commands.redo(view);
      },
    }),
  ];
}
