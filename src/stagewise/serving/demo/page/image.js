// Pictures: drawn with a pen, a finger or the keyboard, or taken from a file; and where the model looks.
import { one, predictAll, score } from "./ask.js";
import { effectTold, fileButton, fromBase64, key, make, takeFiles, tint, toBase64 } from "./view.js";

const SIDE = 320; // of the paper, at least, in its own pixels
const LARGEST_FILE = 4e6; // what is larger is sent as the paper shows it
const PARTS = 12; // of the longer side: places of the patch
const STEP = 1 / 40; // of the paper, per arrow key

export function imageInput(about, changed) {
  const [height, width, channels] = about.feature.shape;
  const factor = Math.max(1, Math.ceil(SIDE / Math.max(height, width)));
  const paper = make("canvas", {
    class: "paper", width: width * factor, height: height * factor, tabindex: 0, role: "img",
    "aria-label": "Paper to draw on. Arrow keys move the pen, Space puts it down or lifts it, Delete clears the paper.",
  });
  const pen = paper.getContext("2d", { willReadFrequently: true });
  const mean = [about.feature.mean ?? 0].flat(), level = mean.reduce((sum, value) => sum + value, 0) / mean.length;
  let dark = level < 0.5, down = false, place = [0.5, 0.5], left = false; // dark: the paper, as most of the pictures
  let thick = 1 / 9;

  const colour = (paper) => (dark === paper ? "#000" : "#fff");
  const blank = () => {
    pen.fillStyle = colour(true);
    pen.fillRect(0, 0, paper.width, paper.height);
  };
  const clear = () => {
    blank();
    changed(undefined);
  };
  const ask = (request) => changed({ request: request ?? one(paper.toDataURL("image/png").split(",")[1]), explain: (answer) => explain(about, paper, answer) });
  const stroke = (to) => {
    pen.strokeStyle = colour(false);
    pen.lineWidth = thick * Math.min(paper.width, paper.height);
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(place[0] * paper.width, place[1] * paper.height);
    pen.lineTo(to[0] * paper.width, to[1] * paper.height);
    pen.stroke();
    place = to;
    ask();
  };

  const at = (event) => {
    const box = paper.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  paper.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    paper.setPointerCapture(event.pointerId);
    down = true;
    place = at(event);
    stroke(place);
  });
  paper.addEventListener("pointermove", (event) => {
    if (!down) return;
    const parts = event.getCoalescedEvents?.() ?? [];
    for (const part of parts.length ? parts : [event]) stroke(at(part));
  });
  for (const end of ["pointerup", "pointercancel"]) paper.addEventListener(end, () => (down = false));

  const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  const where = make("p", { class: "note", "aria-live": "polite" });
  const tell = () => (where.textContent = `The pen is ${left ? "down" : "up"}, ${Math.round(100 * place[0])} % from the left and ${Math.round(100 * place[1])} % from the top.`);
  paper.addEventListener("keydown", (event) => {
    if (event.key in moves) {
      const to = place.map((value, side) => Math.min(1, Math.max(0, value + moves[event.key][side])));
      if (left) stroke(to);
      else place = to;
    } else if (event.key === " ") {
      left = !left;
      if (left) stroke(place);
    } else if (event.key === "Delete" || event.key === "Backspace") clear();
    else return;
    event.preventDefault();
    tell();
  });

  async function take(blob) {
    let picture;
    try {
      picture = await createImageBitmap(blob);
    } catch {
      picture = undefined; // the browser cannot show it; perhaps the service can read it
    }
    blank();
    if (picture) {
      pen.imageSmoothingEnabled = picture.width > paper.width || picture.height > paper.height;
      pen.imageSmoothingQuality = "high";
      if (channels !== 1) pen.fillStyle = "#fff";
      pen.drawImage(picture, 0, 0, paper.width, paper.height);
    }
    const bytes = new Uint8Array(await blob.arrayBuffer());
    if (!picture || bytes.length <= Math.min(LARGEST_FILE, about.most.bytes / 2)) ask(one(toBase64(bytes)));
    else ask();
  }

  const invert = make("button", { type: "button", "aria-pressed": "false", onclick: () => {
    dark = !dark;
    invert.setAttribute("aria-pressed", String(dark !== level < 0.5));
    clear();
  } }, "Swap colours");
  const size = make("input", { type: "range", id: "pen", min: 3, max: 20, value: 11, oninput: () => (thick = size.value / 100) });
  const element = make("div", {}, paper, where,
    make("div", { class: "row" }, make("button", { type: "button", onclick: clear }, "Clear"), invert, fileButton("Choose picture", "image/*", take)),
    make("div", { class: "row" }, make("label", { for: "pen" }, "Pen"), size),
    make("p", { class: "note" }, `The model sees ${width} × ${height} pixels${channels === 1 ? " in grey" : ""}. Pictures may be dropped or pasted, too.`));
  takeFiles(element, take);
  blank();
  return {
    element,
    how: "A patch is laid over the picture, place by place. Where the answer suffers, the model looked.",
    take: (example) => take(new Blob([fromBase64(example.base64)], { type: "image/png" })),
    picture: (example) => (example.base64 ? `data:image/png;base64,${example.base64}` : undefined),
  };
}

/** The pixels that the model sees, RGBA. */
function seen(paper, width, height) {
  const small = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  // Halving again and again is an average; one long jump would pass pixels over.
  let from = paper;
  while (from.width > 2 * width && from.height > 2 * height) {
    const half = new OffscreenCanvas(Math.ceil(from.width / 2), Math.ceil(from.height / 2));
    half.getContext("2d").drawImage(from, 0, 0, half.width, half.height);
    from = half;
  }
  small.imageSmoothingQuality = "high";
  small.drawImage(from, 0, 0, width, height);
  return small.getImageData(0, 0, width, height).data;
}

/** Rows of the graph, (H, W, C) bytes. */
function toRow(rgba, channels) {
  const row = new Uint8Array((rgba.length / 4) * channels);
  for (let pixel = 0; pixel < rgba.length / 4; pixel++) {
    const [red, green, blue] = rgba.subarray(4 * pixel, 4 * pixel + 3);
    if (channels === 1) row[pixel] = Math.round((299 * red + 587 * green + 114 * blue) / 1000);
    else row.set([red, green, blue], 3 * pixel);
  }
  return row;
}

async function explain(about, paper, answer) {
  const [height, width, channels] = about.feature.shape, label = answer.label;
  const base = toRow(seen(paper, width, height), channels);
  const fill = Array.from({ length: channels }, (_, channel) => {
    let sum = 0;
    for (let at = channel; at < base.length; at += channels) sum += base[at];
    return Math.round((sum * channels) / base.length);
  });
  const step = Math.max(1, Math.round(Math.max(height, width) / PARTS)), side = Math.max(2, Math.round(2.4 * step));
  const patches = [];
  for (let top = step - side; top < height; top += step) for (let left = step - side; left < width; left += step) patches.push([top, left]);
  const covered = (patch, each) => {
    for (let y = Math.max(0, patch[0]); y < Math.min(height, patch[0] + side); y++)
      for (let x = Math.max(0, patch[1]); x < Math.min(width, patch[1] + side); x++) each(y * width + x);
  };
  const copies = patches.map((patch) => {
    const copy = base.slice();
    covered(patch, (pixel) => copy.set(fill, pixel * channels));
    return copy;
  });
  const write = (rows) => {
    const body = new Uint8Array(rows.length * base.length);
    rows.forEach((row, at) => body.set(row, at * base.length));
    return { type: "application/octet-stream", body };
  };
  const answers = await predictAll(about, [base, ...copies], base.length, write);
  const whole = score(answers[0], label);
  const sums = new Float64Array(width * height), counts = new Float64Array(width * height);
  patches.forEach((patch, number) => covered(patch, (pixel) => {
    sums[pixel] += whole - score(answers[number + 1], label);
    counts[pixel]++;
  }));
  const heat = sums.map((sum, pixel) => sum / Math.max(1, counts[pixel]));
  return picture(paper, heat, width, height, label, patches.length);
}

function picture(paper, heat, width, height, label, asked) {
  const most = Math.max(...heat.map(Math.abs), 1e-12);
  const layer = new OffscreenCanvas(width, height), ink = layer.getContext("2d");
  const pixels = ink.createImageData(width, height);
  const colours = [1, -1].map((sign) => tint(sign).split(",").map(Number));
  heat.forEach((effect, pixel) => {
    pixels.data.set([...colours[effect < 0 ? 1 : 0], Math.round((235 * Math.abs(effect)) / most)], 4 * pixel);
  });
  ink.putImageData(pixels, 0, 0);
  const strongest = heat.reduce((best, effect, pixel) => (effect > heat[best] ? pixel : best), 0);
  const told = place((strongest % width) / width, Math.floor(strongest / width) / height);
  const show = (faded, heated, name) => {
    const canvas = make("canvas", { width: paper.width, height: paper.height, role: "img", "aria-label": name });
    const to = canvas.getContext("2d");
    to.globalAlpha = faded;
    to.drawImage(paper, 0, 0);
    to.globalAlpha = 1;
    if (heated) to.drawImage(layer, 0, 0, paper.width, paper.height);
    return make("figure", {}, canvas, make("figcaption", {}, name));
  };
  const effect = effectTold(label)(heat[strongest]);
  return {
    told: heat[strongest] > 0 ? `${told[0].toUpperCase()}${told.slice(1)} counts most for this answer (${effect}).` : "No single place holds up this answer.",
    element: make("div", {}, key(label), make("div", { class: "pictures" },
      show(1, false, "What was asked about"), show(0.35, true, `Where it looked, by ${asked} covered copies`))),
  };
}

function place(x, y) {
  const side = (share, names) => names[Math.min(2, Math.floor(share * 3))];
  const across = side(x, ["left", "", "right"]), along = side(y, ["upper", "", "lower"]);
  return across || along ? `the ${[along || "middle", across].filter(Boolean).join(" ")} part` : "the middle";
}
