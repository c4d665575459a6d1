// Asks the server, and asks the user: requests whose refusals are words, and questions in a dialog.
import { make } from "./dom.js";

export const json = (given, method = "POST") => ({ method, headers: { "content-type": "application/json" }, body: JSON.stringify(given) });

export async function send(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", ...options });
  } catch {
    throw Object.assign(new Error("The connection was lost; nothing was changed unless the list shows it."), { lost: true });
  }
  if (answer.status === 401) location.assign("/login");
  const found = await answer.json().catch(() => ({ error: `refused (${answer.status})` }));
  if (!answer.ok) throw Object.assign(new Error(found.error || `refused (${answer.status})`), { status: answer.status, confirm: found.confirm });
  return found;
}

// A question in a dialog; gives whether it was answered with yes.
export function confirmed(title, text, yes, ...more) {
  return new Promise((settle) => {
    const dialog = make("dialog", { class: "question", "aria-label": title },
      make("form", { method: "dialog" }, make("h2", {}, title), text ? make("p", {}, text) : null, ...more,
        make("div", { class: "row" }, make("button", { value: "yes", class: "primary" }, yes), make("button", { value: "no", formnovalidate: true }, "Cancel"))));
    dialog.addEventListener("close", () => { dialog.remove(); settle(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// A line of text in a dialog; empty where nothing new was given.
export async function asked(title, label, value, yes, attributes = {}) {
  const input = make("input", { value, required: true, maxlength: 100, autocomplete: "off", ...attributes });
  const right = await confirmed(title, "", yes, make("label", {}, `${label} `, input));
  return right && input.value.trim() !== value ? input.value.trim() : "";
}
