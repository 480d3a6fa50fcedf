// Before the first paint, so that a dark page never flashes white. A choice is kept; without one the system's counts.
(function () {
  let chosen = null;
  try { chosen = localStorage.getItem("zenith.theme"); } catch { /* storage may be forbidden */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
