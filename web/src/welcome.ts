// SPDX-License-Identifier: Apache-2.0
/** The page without a document: choose a name. */
import { byId, el, storage } from "./dom.js";
import { randomDocName } from "./identity.js";
import { themeButton } from "./theme.js";

/** Names opened lately, newest first. */
export function recentDocs(): string[] {
  try {
    const list: unknown = JSON.parse(storage.get("recent") ?? "[]");
    return Array.isArray(list) ? list.filter((name): name is string => typeof name === "string").slice(0, 6) : [];
  } catch {
    return [];
  }
}

/**
 * Remembers a document.
 * @param doc its name
 */
export function rememberDoc(doc: string): void {
  storage.set("recent", JSON.stringify([doc, ...recentDocs().filter((name) => name !== doc)].slice(0, 6)));
}

/**
 * A name as the server wants it, or what is wrong with it.
 * @param input what somebody typed
 */
export function checkDocName(input: string): { name: string } | { problem: string } {
  const name = input.trim().normalize("NFC");
  if (name === "") return { problem: "Enter a name." };
  if (/\p{Cc}|\p{Cs}/u.test(name)) return { problem: "The name holds a character that cannot be used." };
  if (name.startsWith("$")) return { problem: "Names that begin with $ belong to the server." };
  if (new TextEncoder().encode(name).length > 255) return { problem: "The name is too long." };
  return { name };
}

/** The address of a document. */
function address(doc: string): string {
  return `/?doc=${encodeURIComponent(doc)}`;
}

/** Shows the welcome. */
export function showWelcome(problem = ""): void {
  byId("tools").replaceChildren(themeButton());
  const input = el("input", {
    id: "doc-name", name: "doc", type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "none",
    placeholder: "meeting-notes", "aria-describedby": "doc-problem",
  });
  const note = el("p", { id: "doc-problem", class: "problem", role: "alert" }, problem);
  const form = el(
    "form",
    { class: "welcome", action: "/", method: "get" },
    el("h2", {}, "Write together"),
    el("p", { class: "lead" }, "Open a document by its name. Whoever opens the same name writes with you, live."),
    el("label", { for: "doc-name" }, "Document"),
    el("div", { class: "field" }, input, el("button", { type: "submit", class: "primary" }, "Open")),
    note,
    el("p", { class: "or" }, "or ", el("a", { href: address(randomDocName()) }, "start a new one"), "."),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const checked = checkDocName(input.value);
    if ("name" in checked) location.assign(address(checked.name));
    else note.textContent = checked.problem;
  });
  const recent = recentDocs();
  if (recent.length > 0) {
    form.append(
      el("h3", {}, "Lately"),
      el("ul", { class: "recent" }, ...recent.map((doc) => el("li", {}, el("a", { href: address(doc) }, doc)))),
    );
  }
  byId("main").replaceChildren(form);
  input.focus();
}
