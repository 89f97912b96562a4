// Loaded before anything is drawn, so that the page does not flash: what was
// chosen holds, otherwise what the system has.
try {
  const chosen = localStorage.getItem("parley.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // no storage: as the system has it
}
