// Runs before the page is drawn, so that it never flashes in the other appearance.
"use strict";
(() => {
  const order = ["auto", "light", "dark"];
  let theme = "auto";
  try { theme = localStorage.getItem("theme") || "auto"; } catch { /* no storage: the system's appearance */ }
  const apply = () => {
    if (!order.includes(theme)) theme = "auto";
    document.documentElement.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (!button) return;
    const word = { auto: "Automatic", light: "Light", dark: "Dark" }[theme];
    button.querySelector("span").textContent = word;
    button.setAttribute("aria-label", `Appearance: ${word}`);
  };
  apply();
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    button.addEventListener("click", () => {
      theme = order[(order.indexOf(theme) + 1) % order.length];
      try { localStorage.setItem("theme", theme); } catch { /* kept for this page only */ }
      apply();
    });
    apply();
  });
})();
