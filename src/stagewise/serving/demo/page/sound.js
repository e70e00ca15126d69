// Recordings: from the microphone or a file, and which part of one counts.
import { one, many, predictAll, score } from "./ask.js";
import { effectTold, fileButton, fromBase64, key, make, takeFiles, tint, toBase64 } from "./view.js";

const LONGEST = 30; // seconds of a recording
const PARTS = 20;

export function soundInput(about, changed) {
  const rate = about.feature.rate;
  const told = make("p", { class: "note", role: "status" });
  const audio = make("audio", { controls: true, "aria-label": "What the model hears" });
  const wave = make("canvas", { class: "wave", width: 800, height: 160, role: "img", "aria-label": "The recording" });
  audio.hidden = wave.hidden = true;
  let recorder, stopping, address;

  async function take(blob) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let samples;
    try {
      samples = await decode(bytes.slice().buffer, rate);
    } catch {
      samples = undefined; // the browser cannot; perhaps the service can
    }
    if (samples && !samples.length) return void (told.textContent = "It is empty.");
    const isOwn = isWave(bytes) || new TextDecoder().decode(bytes.subarray(0, 4)) === "fLaC";
    if (!samples && !isOwn) return void (told.textContent = "This is no recording that can be read here.");
    told.textContent = "";
    const sent = isOwn ? bytes : toWave(samples, rate);
    URL.revokeObjectURL(address);
    audio.src = address = URL.createObjectURL(new Blob([sent], { type: isWave(sent) ? "audio/wav" : "audio/flac" }));
    audio.hidden = false;
    wave.hidden = !samples;
    if (samples) draw(wave, samples);
    const heard = samples && samples.length <= LONGEST * rate;
    changed({ request: one(toBase64(sent)), explain: heard ? (answer) => explain(about, samples, answer) : undefined });
  }

  async function record() {
    if (recorder) return recorder.stop();
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      told.textContent = `The microphone cannot be used (${error.message}).`;
      return;
    }
    const parts = [];
    recorder = new MediaRecorder(stream);
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      clearTimeout(stopping);
      for (const track of stream.getTracks()) track.stop();
      const kind = recorder.mimeType;
      recorder = undefined;
      button.textContent = "Record";
      button.setAttribute("aria-pressed", "false");
      take(new Blob(parts, { type: kind }));
    };
    recorder.start();
    stopping = setTimeout(() => recorder?.stop(), LONGEST * 1000);
    button.textContent = "Stop";
    button.setAttribute("aria-pressed", "true");
    told.textContent = "Recording …";
  }

  const button = make("button", { type: "button", class: "strong", "aria-pressed": "false", onclick: record }, "Record");
  const possible = Boolean(navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder);
  if (!possible) told.textContent = "Recording needs a page over HTTPS or on this machine; a file can be chosen.";
  button.disabled = !possible;
  const element = make("div", {}, make("div", { class: "row" }, button, fileButton("Choose a recording", "audio/*", take)), told, wave, audio,
    make("p", { class: "note" }, about.request.description ?? ""));
  takeFiles(element, take);
  return {
    element,
    how: "One twentieth after the other is silenced. Where the answer suffers, the model listened.",
    take: (example) => take(new Blob([fromBase64(example.base64)])),
    label: (example) => example.name,
  };
}

/** One channel of a file at the rate of the model. */
async function decode(buffer, rate) {
  const own = new OfflineAudioContext(1, 1, Math.max(8000, rate));
  const sound = await own.decodeAudioData(buffer); // resamples
  const samples = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++)
    sound.getChannelData(channel).forEach((value, at) => (samples[at] += value / sound.numberOfChannels));
  return samples;
}

const isWave = (bytes) => bytes[0] === 0x52 && bytes[1] === 0x49 && bytes[8] === 0x57; // RIFF....WAVE

/** A WAV file: one channel, 16 bits. */
export function toWave(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const write = (at, text) => [...text].forEach((sign, place) => view.setUint8(at + place, sign.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  [1, 1].forEach((value, place) => view.setUint16(20 + 2 * place, value, true));
  view.setUint32(24, Math.max(8000, rate), true);
  view.setUint32(28, 2 * Math.max(8000, rate), true);
  [2, 16].forEach((value, place) => view.setUint16(32 + 2 * place, value, true));
  write(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((value, at) => view.setInt16(44 + 2 * at, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true));
  return new Uint8Array(view.buffer);
}

function draw(canvas, samples, effects = []) {
  const ink = canvas.getContext("2d"), { width, height } = canvas, most = Math.max(...effects.map(Math.abs), 1e-12);
  ink.clearRect(0, 0, width, height);
  effects.forEach((effect, part) => {
    ink.fillStyle = `rgba(${tint(effect)}, ${(0.7 * Math.abs(effect)) / most})`;
    ink.fillRect((part * width) / effects.length, 0, width / effects.length, height);
  });
  ink.fillStyle = getComputedStyle(canvas).color;
  let loudest = 1e-6;
  for (const value of samples) loudest = Math.max(loudest, Math.abs(value));
  for (let x = 0; x < width; x++) {
    const from = Math.floor((x * samples.length) / width), to = Math.max(from + 1, Math.floor(((x + 1) * samples.length) / width));
    let peak = 0;
    for (let at = from; at < to; at++) peak = Math.max(peak, Math.abs(samples[at]));
    const tall = Math.max(1, (peak / loudest) * (height - 8));
    ink.fillRect(x, (height - tall) / 2, 1, tall);
  }
}

async function explain(about, samples, answer) {
  const rate = about.feature.rate, label = answer.label, size = Math.ceil(samples.length / PARTS);
  const copies = Array.from({ length: PARTS }, (_, part) => samples.slice().fill(0, part * size, (part + 1) * size));
  const write = (parts) => many(parts.map((part) => toBase64(toWave(part, rate))));
  const answers = await predictAll(about, [samples, ...copies], 3 * samples.length + 100, write);
  const effects = answers.slice(1).map((without) => score(answers[0], label) - score(without, label));
  const canvas = make("canvas", { class: "wave", width: 800, height: 160, role: "img", "aria-label": "Where it listened" });
  const best = effects.indexOf(Math.max(...effects));
  requestAnimationFrame(() => draw(canvas, samples, effects)); // in the page its colours are known
  const seconds = (part) => ((part * size) / Math.max(8000, rate)).toFixed(2);
  return {
    told: `From ${seconds(best)} to ${seconds(best + 1)} s counts most (${effectTold(label)(effects[best])}).`,
    element: make("div", {}, key(label), canvas),
  };
}
