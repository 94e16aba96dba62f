// SPDX-License-Identifier: Apache-2.0
/** The editor of one document. */
import { defaultKeymap } from "@codemirror/commands";
import { Compartment, EditorState } from "@codemirror/state";
import { EditorView, highlightSpecialChars, keymap, placeholder } from "@codemirror/view";
import { editorText, type Identity, type TextReplica, weft } from "@weft/codemirror";
import { isDark, onThemeChange } from "./theme.js";

/** The nonce that lets the editor add its styles under a strict content security policy. */
function nonce(): string | null {
  const content = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
  return content === "" || content.startsWith("__") ? null : content;
}

/**
 * Makes the editor.
 * @param replica an open document
 * @param parent where it goes
 * @param identity who one is
 * @param changed called after the document changed
 */
export function makeEditor(
  replica: TextReplica,
  parent: HTMLElement,
  identity: () => Identity,
  changed: (state: EditorState) => void,
): EditorView {
  const dark = new Compartment();
  const secret = nonce();
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: editorText(replica),
      extensions: [
        secret === null ? [] : EditorView.cspNonce.of(secret),
        dark.of(EditorView.darkTheme.of(isDark())),
        weft(replica, { identity }),
        keymap.of(defaultKeymap),
        highlightSpecialChars(),
        EditorView.lineWrapping,
        placeholder("Start writing. Everyone with the link sees it at once."),
        EditorView.contentAttributes.of({
          "aria-label": `Text of ${replica.doc}`,
          spellcheck: "true",
          autocapitalize: "sentences",
          autocorrect: "on",
        }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed(update.state);
        }),
      ],
    }),
  });
  onThemeChange((is) => view.dispatch({ effects: dark.reconfigure(EditorView.darkTheme.of(is)) }));
  changed(view.state);
  view.focus();
  return view;
}
