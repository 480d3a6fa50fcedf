// The button that switches between light and dark.

import { t } from "./i18n.js";

const isDark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

// Returns the function that draws the button's text in the reader's language.
export function startTheme(button) {
  const draw = () => { button.textContent = t(isDark() ? "theme.light" : "theme.dark"); };
  button.addEventListener("click", () => {
    const chosen = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    try { localStorage.setItem("zenith.theme", chosen); } catch { /* not stored */ }
    draw();
  });
  return draw;
}
