// A sound and the browser's own message on a suspected attack, for whoever ticks them; kept in this browser.
import { find } from "./dom.js";

const form = find("#alarms");
const told = find("#alarms p");
const QUIET = 3000; // ms between two sounds
let context = null;
let sounded = 0;

export function start() {
  for (const box of [form.sound, form.message]) {
    try { box.checked = localStorage.getItem(`alarm ${box.name}`) === "yes"; } catch { /* no storage: as it comes */ }
    box.addEventListener("change", () => changed(box));
  }
  if (!("Notification" in window)) form.message.disabled = true;
  else if (Notification.permission !== "granted") form.message.checked = false;
}

async function changed(box) {
  told.textContent = "";
  if (box === form.message && box.checked && (await Notification.requestPermission()) !== "granted") {
    box.checked = false;
    told.textContent = "The browser does not allow messages from this page; allow them beside the address.";
  }
  if (box === form.sound && box.checked) sound();
  try { localStorage.setItem(`alarm ${box.name}`, box.checked ? "yes" : "no"); } catch { /* for this page only */ }
}

export function alarm(event) {
  if (event.kind !== "suspected_attack") return;
  if (form.sound.checked && performance.now() - sounded > QUIET) sound();
  if (form.message.checked) new Notification("Suspected attack", { body: `${event.camera}: ${event.text}`, tag: `event ${event.id}`, icon: "/static/icon.svg" });
}

// Two short tones. A browser stays silent until the page was clicked once.
function sound() {
  sounded = performance.now();
  context ||= new AudioContext();
  context.resume();
  for (const [number, pitch] of [880, 660].entries()) {
    const tone = new OscillatorNode(context, { frequency: pitch });
    const volume = new GainNode(context, { gain: 0.15 });
    tone.connect(volume).connect(context.destination);
    tone.start(context.currentTime + number * 0.22);
    tone.stop(context.currentTime + number * 0.22 + 0.18);
  }
  document.dispatchEvent(new CustomEvent("alarm-sounded"));
}
