// Runs before the first paint, so that a dark page never flashes white. The theme is the reader's choice, else the system's.
(function () {
  let chosen = null;
  try { chosen = localStorage.getItem("zenith.theme"); } catch { /* storage may be forbidden */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
