// SPDX-License-Identifier: Apache-2.0
/** Light and dark: the system's choice, unless one was made here. */
import { iconButton, storage } from "./dom.js";

const sun = "M12 4V2m0 20v-2M4 12H2m20 0h-2M6.3 6.3 4.9 4.9m14.2 14.2-1.4-1.4m0-11.4 1.4-1.4M4.9 19.1l1.4-1.4M12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Z";
const moon = "M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.5 10.5Z";

const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<(dark: boolean) => void>();

/** Whether the page is dark now. */
export function isDark(): boolean {
  const chosen = document.documentElement.dataset["theme"];
  return chosen === undefined ? system.matches : chosen === "dark";
}

/** Calls a listener whenever the page became dark or light. */
export function onThemeChange(listener: (dark: boolean) => void): void {
  listeners.add(listener);
}

function apply(): void {
  for (const listener of listeners) listener(isDark());
}

/** Brings the choice made earlier back. */
export function restoreTheme(): void {
  const chosen = storage.get("theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset["theme"] = chosen;
  system.addEventListener("change", apply);
}

/** The button that changes between light and dark. */
export function themeButton(): HTMLButtonElement {
  const button = iconButton("", sun, () => {
    const theme = isDark() ? "light" : "dark";
    // Choosing what the system wants means following the system again.
    if ((theme === "dark") === system.matches) delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
    storage.set("theme", document.documentElement.dataset["theme"] ?? "auto");
    apply();
  });
  const show = (dark: boolean): void => {
    button.title = dark ? "Light colours" : "Dark colours";
    button.setAttribute("aria-label", button.title);
    button.querySelector("path")?.setAttribute("d", dark ? sun : moon);
  };
  onThemeChange(show);
  show(isDark());
  return button;
}
