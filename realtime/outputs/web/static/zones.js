// Parts of a camera's picture to watch or to ignore, drawn as polygons; given as lines for the configuration.
import { find, make, setText } from "./dom.js";

const dialog = find("#zones");
const canvas = find("canvas", dialog);
const code = find("pre", dialog);
const STEP = 0.01; // of the picture, for an arrow key
let camera = "";
let zones = []; // { use, points: [[x, y], ...] } as shares of width and height; the last one is being drawn
let at = [0.5, 0.5]; // where the keyboard stands

export function start() {
  canvas.addEventListener("pointerdown", (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    add([(event.clientX - left) / width, (event.clientY - top) / height]);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (step) at = [inside(at[0] + step[0] * (event.shiftKey ? 10 : 1)), inside(at[1] + step[1] * (event.shiftKey ? 10 : 1))];
    else if (event.key === "Enter" || event.key === " ") add(at);
    else if (event.key === "Backspace") zones.at(-1)?.points.pop();
    else return;
    event.preventDefault();
    draw();
  });
  for (const use of ["watch", "ignore"]) find(`[data-use="${use}"]`, dialog).addEventListener("click", () => { zones.push({ use, points: [] }); canvas.focus(); draw(); });
  find('[data-do="undo"]', dialog).addEventListener("click", () => { if (zones.at(-1)?.points.length) zones.at(-1).points.pop(); else zones.pop(); draw(); });
  find('[data-do="copy"]', dialog).addEventListener("click", copy);
}

export function open(name, picture) {
  if (name !== camera) zones = [];
  camera = name;
  setText(find("#zones-title"), `Zones of ${name}`);
  Object.assign(canvas, { width: picture.width, height: picture.height });
  canvas.still = new OffscreenCanvas(picture.width, picture.height);
  canvas.still.getContext("2d").drawImage(picture, 0, 0);
  setText(find(".told", dialog), "");
  draw();
  dialog.showModal();
}

const inside = (share) => Math.min(1, Math.max(0, share));

function add(point) {
  if (!zones.length) zones.push({ use: "watch", points: [] });
  zones.at(-1).points.push(point.map((share) => Math.round(inside(share) * 1000) / 1000));
  draw();
}

function draw() {
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  context.drawImage(canvas.still, 0, 0);
  context.lineWidth = Math.max(2, width / 320);
  for (const { use, points } of zones) {
    context.setLineDash(use === "ignore" ? [8, 6] : []);
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x * width, y * height);
    if (points.length > 2) context.closePath();
    context.fillStyle = use === "ignore" ? "rgb(0 0 0 / 45%)" : "rgb(99 197 191 / 25%)";
    context.fill();
    context.strokeStyle = use === "ignore" ? "#ffffff" : "#63c5bf";
    context.stroke();
    context.fillStyle = context.strokeStyle;
    for (const [x, y] of points) context.fillRect(x * width - context.lineWidth * 1.5, y * height - context.lineWidth * 1.5, context.lineWidth * 3, context.lineWidth * 3);
  }
  if (document.activeElement === canvas) {
    context.setLineDash([]);
    context.strokeStyle = "#ffffff";
    context.strokeRect(at[0] * width - 6, at[1] * height - 6, 12, 12);
  }
  setText(code, yaml());
}

// The lines that belong under this camera in the configuration; zones with fewer than three corners are none.
function yaml() {
  const whole = zones.filter(({ points }) => points.length > 2);
  if (!whole.length) return "A zone has three corners or more.";
  return ["zones:", ...whole.map(({ use, points }) => `  - {use: ${use}, points: [${points.map(([x, y]) => `[${x}, ${y}]`).join(", ")}]}`)].join("\n");
}

async function copy() {
  const told = find(".told", dialog);
  try {
    await navigator.clipboard.writeText(code.textContent);
    setText(told, `Copied; put it under ${camera} in the configuration, and start the run anew.`);
  } catch {
    getSelection().selectAllChildren(code);
    setText(told, "The browser does not let this page copy; the lines are marked, copy them yourself.");
  }
}
