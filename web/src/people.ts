// SPDX-License-Identifier: Apache-2.0
/** Who is here: a row of initials, and a panel with names where one's own can be changed. */
import type { TextReplica } from "@weft/codemirror";
import { el } from "./dom.js";
import { initials, palette, type Self } from "./identity.js";

/** More people than fit become a number. */
const narrow = matchMedia("(max-width: 640px)");

interface Person {
  readonly name: string;
  readonly color: string;
  readonly status: string;
}

function avatar({ name, color, status }: Person): HTMLElement {
  const badge = el("span", { class: status === "away" ? "avatar away" : "avatar", title: name, "aria-hidden": "true" }, initials(name));
  badge.style.setProperty("--color", color);
  return badge;
}

/**
 * The people of a document.
 * @param replica the document
 * @param self oneself
 */
export function peopleView(replica: TextReplica, self: Self): HTMLElement {
  const row = el("span", { class: "avatars" });
  const list = el("ul", { class: "people-list", "aria-label": "People here" });
  const button = el("button", { type: "button", class: "people-button", "aria-haspopup": "dialog", "aria-expanded": "false" }, row);
  const panel = selfPanel(self, list);
  const root = el("div", { class: "people" }, button, panel);

  const toggle = (open: boolean): void => {
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) panel.querySelector("input")?.focus();
  };
  button.addEventListener("click", () => toggle(panel.hidden));
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    toggle(false);
    button.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!panel.hidden && event.target instanceof Node && !root.contains(event.target)) toggle(false);
  });

  const show = (): void => {
    const me = { name: self.name, color: self.color, status: "active" };
    const others = [...replica.participants.values()]
      .map(({ client, state }) => ({ ...state, client }))
      .sort((a, b) => a.name.localeCompare(b.name) || a.client.localeCompare(b.client));
    const shown = [me, ...others].slice(0, narrow.matches ? 2 : 4);
    row.replaceChildren(...shown.map(avatar));
    const more = others.length + 1 - shown.length;
    if (more > 0) row.append(el("span", { class: "avatar more" }, `+${more}`));
    button.setAttribute("aria-label", others.length === 0 ? "People: only you" : `People: you and ${others.length} more`);
    list.replaceChildren(
      ...others.map((other) =>
        el("li", { "data-client": other.client }, avatar(other), el("span", { class: "person-name" }, other.name || "Somebody"),
          ...(other.status === "away" ? [el("span", { class: "person-status" }, "away")] : [])),
      ),
    );
    if (others.length === 0) list.append(el("li", { class: "alone" }, "Nobody else is here. Share the link."));
  };
  replica.on("participants", show);
  self.onChange(show);
  narrow.addEventListener("change", show);
  show();
  return root;
}

function selfPanel(self: Self, list: HTMLElement): HTMLElement {
  const name = el("input", { id: "own-name", type: "text", maxlength: "40", autocomplete: "nickname", spellcheck: "false" });
  name.value = self.name;
  name.addEventListener("input", () => (self.name = name.value));
  name.addEventListener("change", () => (name.value = self.name));
  const colors = el("div", { class: "colors", role: "radiogroup", "aria-label": "Your colour" });
  for (const [index, color] of palette.entries()) {
    const radio = el("input", { type: "radio", name: "own-color", value: color, "aria-label": `Colour ${index + 1}` });
    radio.checked = color === self.color;
    radio.style.setProperty("--color", color);
    radio.addEventListener("change", () => (self.color = color));
    colors.append(radio);
  }
  return el(
    "div",
    { class: "panel", role: "dialog", "aria-label": "People", hidden: true },
    el("label", { for: "own-name" }, "Your name"),
    name,
    colors,
    el("h2", {}, "Also here"),
    list,
  );
}
