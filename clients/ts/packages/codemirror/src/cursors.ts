// SPDX-License-Identifier: Apache-2.0
/**
 * The others' cursors and selections, drawn in layers over and under the text, so that they never
 * touch the text's own elements: input methods and screen readers are not disturbed.
 */
import { EditorSelection, type Extension, StateEffect } from "@codemirror/state";
import { EditorView, layer, type LayerMarker, RectangleMarker, ViewPlugin, type ViewUpdate } from "@codemirror/view";
import type { Participant } from "@weft/client";
import type { Binding, TextReplica } from "./binding.js";
import { skipInText } from "./units.js";

/** Says that the others moved, so the layers must be drawn again. */
const moved = StateEffect.define<null>();

/** How long a name stays beside a cursor that does not move, in milliseconds. */
const nameMs = 6000;

/** A cursor with its owner's name. */
class CaretMarker implements LayerMarker {
  constructor(
    private readonly rect: { left: number; top: number; height: number },
    private readonly name: string,
    private readonly color: string,
    private readonly active: boolean,
  ) {}

  eq(other: LayerMarker): boolean {
    if (!(other instanceof CaretMarker)) return false;
    const { rect, name, color, active } = other;
    const { left, top, height } = this.rect;
    const same = rect.left === left && rect.top === top && rect.height === height;
    return same && name === this.name && color === this.color && active === this.active;
  }

  draw(): HTMLElement {
    const caret = document.createElement("div");
    caret.append(Object.assign(document.createElement("span"), { className: "weft-caret-name" }));
    this.#adjust(caret);
    return caret;
  }

  update(caret: HTMLElement, previous: LayerMarker): boolean {
    if (!(previous instanceof CaretMarker)) return false;
    this.#adjust(caret);
    return true;
  }

  #adjust(caret: HTMLElement): void {
    caret.className = this.active ? "weft-caret weft-caret-active" : "weft-caret";
    // Set through the object model: a strict content security policy forbids style attributes.
    caret.style.left = `${this.rect.left}px`;
    caret.style.top = `${this.rect.top}px`;
    caret.style.height = `${this.rect.height}px`;
    caret.style.setProperty("--weft-color", this.color);
    const name = caret.firstElementChild;
    if (name !== null) {
      name.textContent = this.name;
      name.classList.toggle("weft-dark-text", isLight(this.color));
    }
  }
}

/** One rectangle of a selection. */
class SelectionMarker implements LayerMarker {
  constructor(
    private readonly rect: RectangleMarker,
    private readonly color: string,
  ) {}

  eq(other: LayerMarker): boolean {
    return other instanceof SelectionMarker && other.color === this.color && this.rect.eq(other.rect);
  }

  draw(): HTMLElement {
    const element = this.rect.draw();
    element.style.setProperty("--weft-color", this.color);
    return element;
  }
}

/** Whether dark text reads better on a colour `#rrggbb` (relative luminance, WCAG 2). */
export function isLight(color: string): boolean {
  const channel = (at: number): number => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5) > 0.179;
}

/** Remembers when each participant last moved, and redraws when names are to fade. */
class Movements {
  readonly #view: EditorView;
  readonly #off: () => void;
  readonly #seen = new Map<string, { key: string; at: number }>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #queued = false;

  constructor(view: EditorView, replica: TextReplica) {
    this.#view = view;
    this.#off = replica.on("participants", (all) => this.#changed([...all.values()]));
    this.#changed([...replica.participants.values()]);
  }

  /** Whether a participant moved a short while ago. */
  active(client: string): boolean {
    const seen = this.#seen.get(client);
    return seen !== undefined && Date.now() - seen.at < nameMs;
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#queued = true;
    this.#off();
  }

  #changed(all: readonly Participant[]): void {
    for (const { client, state } of all) {
      const key = JSON.stringify(state);
      if (this.#seen.get(client)?.key !== key) this.#seen.set(client, { key, at: Date.now() });
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#redraw(), nameMs + 50);
    this.#redraw();
  }

  /** Not at once: the change may come in the middle of an update of the editor. */
  #redraw(): void {
    if (this.#queued) return;
    this.#queued = true;
    setTimeout(() => {
      this.#queued = false;
      this.#view.dispatch({ effects: moved.of(null) });
    }, 0);
  }
}

/**
 * The extension that draws the others.
 * @param replica the document
 * @param binding finds the binding of an editor
 */
export function remoteCursors(
  replica: TextReplica,
  binding: (view: EditorView) => Binding | null,
): Extension {
  const movements = ViewPlugin.define((view) => new Movements(view, replica));
  const each = (
    view: EditorView,
    draw: (who: Participant, anchor: number, head: number) => readonly LayerMarker[],
  ): LayerMarker[] => {
    const { doc } = view.state;
    // Positions are the replica's; the editor may lag behind it.
    const back = binding(view)?.lag().desc.invertedDesc;
    const offset = (position: number): number => {
      const at = skipInText(doc, 0, position);
      return back === undefined || back.empty ? at : back.mapPos(Math.min(at, back.length));
    };
    return [...replica.participants.values()].flatMap((who) =>
      who.state.selections.flatMap(({ anchor, head }) => draw(who, offset(anchor), offset(head))),
    );
  };
  const redraw = {
    update: ({ docChanged, transactions }: ViewUpdate) =>
      docChanged || transactions.some((tr) => tr.effects.some((effect) => effect.is(moved))),
  };
  return [
    movements,
    layer({
      above: false,
      class: "weft-selections",
      ...redraw,
      markers: (view) =>
        each(view, ({ state }, anchor, head) =>
          anchor === head
            ? []
            : RectangleMarker.forRange(view, "weft-selection", EditorSelection.range(anchor, head)).map(
                (rect) => new SelectionMarker(rect, state.color),
              ),
        ),
    }),
    layer({
      above: true,
      class: "weft-carets",
      ...redraw,
      markers: (view) =>
        each(view, ({ client, state }, _anchor, head) =>
          RectangleMarker.forRange(view, "", EditorSelection.cursor(head)).map(
            ({ left, top, height }) =>
              new CaretMarker(
                { left, top, height },
                state.name,
                state.color,
                view.plugin(movements)?.active(client) ?? false,
              ),
          ),
        ),
    }),
    cursorTheme,
  ];
}

const cursorTheme = EditorView.baseTheme({
  ".weft-selections": { pointerEvents: "none" },
  ".weft-selection": { backgroundColor: "color-mix(in srgb, var(--weft-color) 28%, transparent)" },
  "&dark .weft-selection": { backgroundColor: "color-mix(in srgb, var(--weft-color) 45%, transparent)" },
  ".weft-carets": { pointerEvents: "none" },
  ".weft-caret": {
    position: "absolute",
    width: "2px",
    marginLeft: "-1px",
    backgroundColor: "var(--weft-color)",
    pointerEvents: "auto",
  },
  "&dark .weft-caret": { backgroundColor: "color-mix(in srgb, var(--weft-color) 50%, white)" },
  ".weft-caret::before": {
    content: "''",
    position: "absolute",
    left: "-2px",
    top: "-3px",
    width: "6px",
    height: "6px",
    borderRadius: "50%",
    backgroundColor: "inherit",
  },
  ".weft-caret-name": {
    position: "absolute",
    left: "-1px",
    bottom: "100%",
    padding: "1px 6px 2px",
    borderRadius: "6px 6px 6px 0",
    font: "600 11px/1.35 system-ui, sans-serif",
    whiteSpace: "nowrap",
    color: "#fff",
    backgroundColor: "var(--weft-color)",
    opacity: "0",
    transition: "opacity .25s",
    pointerEvents: "none",
  },
  ".weft-caret-name.weft-dark-text": { color: "#111" },
  "&dark .weft-caret-name": {
    color: "#111",
    backgroundColor: "color-mix(in srgb, var(--weft-color) 50%, white)",
  },
  ".weft-caret-active .weft-caret-name, .weft-caret:hover .weft-caret-name": { opacity: "1" },
  "@media (prefers-reduced-motion: reduce)": { ".weft-caret-name": { transition: "none" } },
});
