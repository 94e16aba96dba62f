// SPDX-License-Identifier: Apache-2.0
/** The playground: `/?doc=NAME` edits a text document with everyone else who has it open. */
import { WeftClient, WeftError } from "@weft/client";
import { text } from "@weft/client/text";
import { redo, undo, type TextReplica } from "@weft/codemirror";
import { codePointLength } from "@weft/client/text";
import type { EditorState } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";
import { byId, el, iconButton, toast } from "./dom.js";
import { makeEditor } from "./editor.js";
import { Self } from "./identity.js";
import { peopleView } from "./people.js";
import { statusView } from "./status.js";
import { restoreTheme, themeButton } from "./theme.js";
import { checkDocName, rememberDoc, showWelcome } from "./welcome.js";

const undoIcon = "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3";
const redoIcon = "m15 14 5-5-5-5m5 5H10a6 6 0 0 0 0 12h3";
const linkIcon = "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2";

restoreTheme();
const wanted = new URLSearchParams(location.search).get("doc");
const checked = wanted === null ? null : checkDocName(wanted);
if (checked === null) showWelcome();
else if ("problem" in checked) showWelcome(checked.problem);
else void openDocument(checked.name);

async function openDocument(doc: string): Promise<void> {
  document.title = `${doc} · weft`;
  byId("title").textContent = doc;
  byId("title").title = doc;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const client = new WeftClient({
    url: `${scheme}://${location.host}/ws`,
    app: { name: "weft-playground", version: "0.1.0" },
  });
  const replica = client.open(doc, text);
  const self = new Self();
  const count = el("span", { class: "count", id: "count" });
  byId("foot").append(statusView(client, replica), count);
  byId("tools").append(peopleView(replica, self), shareButton(), themeButton());
  byId("main").replaceChildren(el("p", { class: "notice" }, "Opening…"));
  try {
    await replica.ready();
  } catch (error) {
    const { message } = WeftError.from(error);
    byId("main").replaceChildren(el("p", { class: "notice", role: "alert" }, `This document cannot be opened: ${message}`));
    return;
  }
  rememberDoc(doc);
  startEditing(replica, self, count);
}

function startEditing(replica: TextReplica, self: Self, count: HTMLElement): void {
  const paper = el("div", { class: "paper" });
  byId("main").replaceChildren(paper);
  const identity = () => ({
    name: self.name,
    color: self.color,
    status: document.visibilityState === "visible" ? "active" : "away",
  });
  const view = makeEditor(replica, paper, identity, counter(count));
  byId("tools").prepend(undoTools(view, replica));
  // A click beside the text means the text.
  byId("main").addEventListener("pointerdown", (event) => {
    if (event.target !== paper && event.target !== byId("main")) return;
    event.preventDefault();
    view.focus();
  });
  // An empty transaction makes the binding say again who we are.
  const tell = (): void => view.dispatch({ selection: view.state.selection });
  self.onChange(tell);
  document.addEventListener("visibilitychange", tell);
  replica.on("refused", ({ error }) => toast(`The server refused an edit, which was taken back: ${error.message}.`));
  replica.on("replaced", ({ reason }) => {
    if (reason === "epoch") toast("The document was replaced on the server. Your unsent edits were kept.");
  });
  addEventListener("beforeunload", (event) => {
    if (replica.pendingEdits > 0) event.preventDefault();
  });
}

function undoTools(view: EditorView, replica: TextReplica): HTMLElement {
  const run = (command: ReturnType<typeof undo>) => (): void => {
    command(view);
    view.focus();
  };
  const buttons = {
    undo: iconButton("Undo your last edit", undoIcon, run(undo(replica))),
    redo: iconButton("Redo", redoIcon, run(redo(replica))),
  };
  const show = (): void => {
    buttons.undo.disabled = !replica.canUndo;
    buttons.redo.disabled = !replica.canRedo;
  };
  replica.on("change", show);
  show();
  return el("div", { class: "group" }, buttons.undo, buttons.redo);
}

function shareButton(): HTMLButtonElement {
  return iconButton("Copy the link", linkIcon, () => {
    navigator.clipboard.writeText(location.href).then(
      () => toast("Link copied."),
      () => toast("Copy the address from the browser's address bar."),
    );
  });
}

/** Counts characters (code points), once a frame at most. */
function counter(place: HTMLElement): (state: EditorState) => void {
  let waiting: EditorState | null = null;
  return (state) => {
    if (waiting === null) {
      requestAnimationFrame(() => {
        let characters = 0;
        if (waiting !== null) for (const chunk of waiting.doc.iter()) characters += codePointLength(chunk);
        place.textContent = `${characters.toLocaleString("en")} ${characters === 1 ? "character" : "characters"}`;
        waiting = null;
      });
    }
    waiting = state;
  };
}
