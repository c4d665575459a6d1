// Adding somebody, guided: pictures from this browser's webcam, a running camera or files, each judged at once.
// The server holds them in memory until "Add" is pressed; a page that goes away leaves nothing.
import { confirmed, json, send } from "./ask.js";
import { find, make, setText } from "./dom.js";

const POSES = {
  straight: ["Straight", "Look straight at the camera"], left: ["Left", "Turn your head a little to your left"],
  right: ["Right", "Turn your head a little to your right"], up: ["Up", "Lift your chin a little"],
};
const EVERY = 400; // ms between two looks
const form = find("#add-person");
const panel = find("#sitting");
const told = find("#sitting-say");
const preview = find("#sitting-preview");
let sitting = null; // as the server tells it
let turning = null; // ends the source that gives pictures now

export function start(onAdded) {
  form.addEventListener("submit", (event) => event.preventDefault());
  find("#from-webcam").addEventListener("click", () => guarded(fromWebcam));
  find("#from-camera").addEventListener("click", () => guarded(fromCamera));
  form.pictures.addEventListener("change", () => guarded(() => fromFiles([...form.pictures.files])));
  const drop = find("#drop");
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); guarded(() => fromFiles([...event.dataTransfer.files])); });
  find("#sitting-add").addEventListener("click", () => guarded(() => finish(onAdded)));
  find("#sitting-end").addEventListener("click", end);
}

export function offerCameras(names) {
  const select = find("#from-which");
  const missing = names.filter((name) => ![...select.options].some((option) => option.value === name));
  select.append(...missing.map((value) => make("option", { value }, value)));
  find("#from-camera").disabled = !names.length;
}

async function guarded(what) {
  try {
    await what();
  } catch (error) {
    if (error.status === 404 && sitting) leave();
    say(error.message, false);
  }
}

function say(text, good = true) {
  panel.hidden = false;
  told.dataset.good = String(good);
  setText(told, text);
}

// The sitting that pictures go to; it is begun with the first of them, once name and consent are given.
async function begun() {
  if (sitting) return sitting;
  const missing = [...form.elements].find((field) => field.required && !field.checkValidity());
  if (missing) {
    missing.reportValidity();
    throw new Error(missing.name === "consent" ? "Tick first that they agree to be recognised." : "Give a name first.");
  }
  const given = { name: form.name.value, consent: form.consent.checked, more: form.more.checked, keep: form.keep.checked };
  show(await send("/api/gallery/sittings", json(given)));
  for (const field of [form.elements.name, form.consent, form.more, form.keep]) field.disabled = true;
  return sitting;
}

const address = (rest = "") => `/api/gallery/sittings/${sitting.id}${rest}`;

async function fromFiles(files) {
  stop();
  await begun();
  const progress = find("#sitting-progress");
  for (const [number, file] of files.entries()) {
    Object.assign(progress, { max: files.length, value: number });
    say(`Looking at picture ${number + 1} of ${files.length} …`);
    judged(await send(address(`/pictures?name=${encodeURIComponent(file.name)}`), { method: "POST", body: file }));
  }
  form.pictures.value = "";
  show(sitting);
  say(wanted(sitting));
}

async function fromWebcam() {
  stop();
  await begun();
  if (!navigator.mediaDevices?.getUserMedia) throw new Error("This browser gives its webcam only to pages over https, or on this very machine.");
  say("The browser asks whether this page may use the webcam …");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } } });
  } catch (error) {
    throw new Error(error.name === "NotAllowedError" ? "The webcam was not allowed; allow it beside the address, or choose files." : "This browser finds no webcam; choose files, or a camera of this page.");
  }
  const video = make("video", { muted: true, playsinline: true, class: "mirrored", "aria-label": "This browser's webcam" });
  video.srcObject = stream;
  preview.replaceChildren(video);
  turning = { end: () => stream.getTracks().forEach((track) => track.stop()) };
  await video.play();
  await looking(turning, async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    const body = await new Promise((settle) => canvas.toBlob(settle, "image/jpeg", 0.95));
    return send(address("/pictures?name=webcam&moving=yes"), { method: "POST", body });
  });
}

async function fromCamera() {
  stop();
  await begun();
  const camera = find("#from-which").value;
  const shown = make("canvas", { role: "img", "aria-label": `What ${camera} sees` });
  preview.replaceChildren(shown);
  turning = { end: () => {} };
  await looking(turning, () => {
    const live = document.querySelector(`[data-camera="${CSS.escape(camera)}"] canvas`);
    if (live) {
      Object.assign(shown, { width: live.width, height: live.height });
      shown.getContext("2d").drawImage(live, 0, 0);
    }
    return send(address("/look"), json({ camera }));
  });
}

// Looks again and again until every look was had. A lost connection is waited for.
async function looking(mine, look) {
  say(wanted(sitting));
  while (turning === mine && Object.keys(sitting.missing).length) {
    const began = performance.now();
    try {
      const answer = await look();
      if (turning === mine) judged(answer, { moving: true });
    } catch (error) {
      if (!error.lost) { stop(); throw error; }
      say("The connection is lost; going on when it is back. Nothing is kept yet.", false);
    }
    await new Promise((settle) => setTimeout(settle, Math.max(50, EVERY - (performance.now() - began))));
  }
  if (turning === mine) { stop(); say(wanted(sitting)); }
}

function stop() {
  turning?.end();
  turning = null;
  preview.replaceChildren();
}

function judged(answer, { moving = false } = {}) {
  show(answer);
  const { name, reason } = answer.picture;
  if (!reason) say(moving ? wanted(answer) : `${name} is good.`);
  else if (moving) say(reason.startsWith("enough") ? wanted(answer) : `${wanted(answer)}: ${reason}`, reason.startsWith("enough"));
  else find("#sitting-refused").append(make("li", {}, make("b", {}, name), `: ${reason}`));
}

function wanted({ missing }) {
  const next = Object.keys(missing)[0];
  return next ? POSES[next][1] : "That is enough. More, in other light, makes a face known oftener.";
}

function show(state) {
  sitting = state;
  panel.hidden = false;
  const asked = Object.values(state.missing).reduce((sum, count) => sum + count, 0);
  Object.assign(find("#sitting-progress"), { max: 5, value: 5 - asked });
  find("#sitting-wanted").replaceChildren(...Object.entries(POSES).map(([pose, [word]]) =>
    make("li", { data: { done: !state.missing[pose] } }, `${word}: ${state.missing[pose] ? `${state.missing[pose]} missing` : "done"}`)));
  const faces = find("#sitting-faces");
  const numbers = state.good.map((one) => String(one.number));
  [...faces.children].filter((item) => !numbers.includes(item.dataset.number)).forEach((item) => item.remove());
  for (const one of state.good.filter(({ number }) => !faces.querySelector(`[data-number="${number}"]`))) {
    faces.append(make("li", { data: { number: one.number } },
      make("img", { src: address(`/pictures/${one.number}`), alt: `${one.name}, looking ${one.pose}`, width: 72, height: 72 }),
      make("button", { type: "button", class: "plain", "aria-label": `Take out ${one.name}, looking ${one.pose}`, onclick: () => guarded(async () => show(await send(address(`/pictures/${one.number}`), { method: "DELETE" }))) }, "Take out")));
  }
  const add = find("#sitting-add");
  add.disabled = !state.good.length;
  setText(add, `Add ${state.name} (${state.good.length} ${state.good.length === 1 ? "picture" : "pictures"})`);
}

async function finish(onAdded, anyway = false) {
  stop();
  const button = find("#sitting-add");
  button.disabled = true;
  say("Learning …");
  try {
    const { lines } = await send(address("/finish"), json({ anyway }));
    send(address(), { method: "DELETE" }).catch(() => {});
    leave();
    form.reset();
    panel.hidden = true;
    onAdded(lines);
  } catch (error) {
    button.disabled = false;
    if (error.message.includes("all the same") && (await confirmed("Somebody else's pictures", error.message, "Add them all the same"))) return finish(onAdded, true);
    throw error.lost ? new Error("The connection was lost; press again when it is back. Nothing is learnt twice.") : error;
  }
}

function end() {
  if (sitting) send(address(), { method: "DELETE" }).catch(() => {});
  leave();
  panel.hidden = true;
}

function leave() {
  stop();
  sitting = null;
  for (const field of [form.elements.name, form.consent, form.more, form.keep]) field.disabled = false;
  for (const place of ["#sitting-faces", "#sitting-wanted", "#sitting-refused"]) find(place).replaceChildren();
}
