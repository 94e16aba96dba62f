// SPDX-License-Identifier: Apache-2.0
/** A few helpers for making elements. */

/** What `el` accepts besides children. */
export interface Attributes {
  readonly [name: string]: string | boolean | ((event: Event) => void) | undefined;
}

/**
 * Makes an element.
 * @param tag the element's name
 * @param attributes attributes; a function under `onclick` and the like becomes a listener
 * @param children elements and texts
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (typeof value === "string") element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/**
 * The element with an id, which the page must have.
 * @param id of the element
 */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element;
}

/**
 * Makes a line icon.
 * @param path outline in a box of 24 by 24
 */
export function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const outline = document.createElementNS("http://www.w3.org/2000/svg", "path");
  outline.setAttribute("d", path);
  svg.append(outline);
  return svg;
}

/**
 * Makes a button that shows an icon.
 * @param label what it does, for people who cannot see the icon
 * @param path outline of the icon
 * @param run called when it is pressed
 */
export function iconButton(label: string, path: string, run: () => void): HTMLButtonElement {
  return el("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick: run }, icon(path));
}

/**
 * Tells something for a few seconds.
 * @param message one sentence
 */
export function toast(message: string): void {
  const box = el("div", { class: "toast" }, message);
  byId("toasts").append(box);
  setTimeout(() => box.remove(), 5000);
}

/** A value kept in the browser; where storage is forbidden it lasts as long as the page. */
export const storage = {
  get(key: string): string | null {
    try {
      return localStorage.getItem(`weft.${key}`);
    } catch {
      return null;
    }
  },
  set(key: string, value: string): void {
    try {
      localStorage.setItem(`weft.${key}`, value);
    } catch {
      // Private windows may forbid it; nothing depends on it.
    }
  },
};
