// SPDX-License-Identifier: Apache-2.0
/** The line that always says how the connection is, and whether everything is saved. */
import type { WeftClient } from "@weft/client";
import type { TextReplica } from "@weft/codemirror";
import { el } from "./dom.js";

/** Saving is shown when it takes longer than this, in milliseconds. */
const patienceMs = 600;

interface Shown {
  readonly kind: "good" | "busy" | "bad";
  readonly text: string;
  readonly retry: boolean;
}

function edits(count: number): string {
  return count === 1 ? "1 unsent edit" : `${count} unsent edits`;
}

/**
 * The connection's state, with a button that tries at once.
 * @param client the connection
 * @param replica the document
 */
export function statusView(client: WeftClient, replica: TextReplica): HTMLElement {
  const text = el("span", { class: "status-text", role: "status" });
  const retry = el("button", { type: "button", class: "link-button", onclick: () => client.retryNow() }, "Try now");
  const root = el("div", { class: "status", id: "status" }, el("span", { class: "dot", "aria-hidden": "true" }), text, retry);
  let retryAt = 0;
  let unsavedSince = 0;

  const describe = (): Shown => {
    const { status } = client;
    const { state, pendingEdits } = replica;
    const unsent = pendingEdits > 0 ? ` · ${edits(pendingEdits)}` : "";
    if (status.kind === "closed") {
      return { kind: "bad", text: `Disconnected: ${status.error?.message ?? "closed"}${unsent}`, retry: false };
    }
    if (status.kind === "waiting") {
      const seconds = Math.ceil((retryAt - Date.now()) / 1000);
      const when = seconds > 1 ? `trying again in ${seconds} s` : "trying again";
      return { kind: "bad", text: `Offline${unsent} · ${when}`, retry: seconds > 1 };
    }
    if (status.kind === "connecting") {
      return { kind: status.tries > 0 ? "bad" : "busy", text: status.tries > 0 ? `Offline${unsent} · connecting…` : "Connecting…", retry: false };
    }
    if (state.kind === "failed") return { kind: "bad", text: `Cannot open: ${state.error.message}${unsent}`, retry: false };
    if (state.kind !== "live") return { kind: "busy", text: `Opening…${unsent}`, retry: false };
    if (unsavedSince > 0 && Date.now() - unsavedSince > patienceMs) return { kind: "busy", text: "Saving…", retry: false };
    return { kind: "good", text: "Connected · saved", retry: false };
  };

  const show = (): void => {
    const { status } = client;
    unsavedSince = replica.pendingEdits === 0 ? 0 : unsavedSince || Date.now();
    const shown = describe();
    root.dataset["kind"] = shown.kind;
    root.dataset["connection"] = status.kind;
    root.dataset["pending"] = String(replica.pendingEdits);
    if (text.textContent !== shown.text) text.textContent = shown.text;
    retry.hidden = !shown.retry;
  };
  client.on("status", (status) => {
    if (status.kind === "waiting") retryAt = Date.now() + status.retryInMs;
    show();
  });
  replica.on("state", show);
  replica.on("pending", show);
  setInterval(show, 500);
  show();
  return root;
}
