// SPDX-License-Identifier: Apache-2.0
/** Who one is on this page: a name and a colour, kept in the browser. */
import { storage } from "./dom.js";

/** Colours that white text can be read on. */
export const palette = [
  "#c2410c", "#b91c1c", "#be185d", "#a21caf", "#6d28d9", "#1d4ed8", "#0369a1", "#0f766e", "#15803d", "#854d0e",
] as const;

const first = ["Amber", "Brisk", "Calm", "Clever", "Gentle", "Keen", "Lively", "Mellow", "Quiet", "Sunny", "Swift", "Wry"];
const second = ["Badger", "Crane", "Dove", "Finch", "Fox", "Hare", "Heron", "Lynx", "Otter", "Owl", "Robin", "Wren"];
const places = ["brook", "cove", "field", "glade", "harbor", "hill", "lake", "meadow", "orchard", "river", "shore", "valley"];

function pick<T>(list: readonly T[], fallback: T): T {
  return list[Math.floor(Math.random() * list.length)] ?? fallback;
}

/** A name for a new document, for example `quiet-harbor-417`. */
export function randomDocName(): string {
  return `${pick(first, "Calm").toLowerCase()}-${pick(places, "lake")}-${100 + Math.floor(Math.random() * 900)}`;
}

/** One's own name and colour. */
export class Self {
  readonly #listeners = new Set<() => void>();
  #name = storage.get("name") ?? "";
  #color = storage.get("color") ?? "";

  constructor() {
    if (this.#name === "") this.name = `${pick(first, "Calm")} ${pick(second, "Owl")}`;
    if (!/^#[0-9a-f]{6}$/.test(this.#color)) this.color = pick(palette, palette[0]);
  }

  /** The name shown to the others; never empty. */
  get name(): string {
    return this.#name;
  }

  set name(value: string) {
    const name = value.trim().slice(0, 40);
    if (name === "" || name === this.#name) return;
    this.#name = name;
    storage.set("name", name);
    this.#changed();
  }

  /** The colour shown to the others, `#rrggbb`. */
  get color(): string {
    return this.#color;
  }

  set color(value: string) {
    this.#color = value;
    storage.set("color", value);
    this.#changed();
  }

  /** Calls a listener whenever name or colour changed. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/**
 * The one or two letters that stand for a name.
 * @param name any name
 */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter((word) => word !== "");
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined];
  return letters.map((word) => (word === undefined ? "" : (Array.from(word)[0] ?? ""))).join("").toUpperCase() || "?";
}
