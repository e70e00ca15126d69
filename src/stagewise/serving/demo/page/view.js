// Making elements, and the pictures that several kinds of input share. Text never becomes markup.

/** An element with attributes, listeners (onclick: ...) and children. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

export function drawn(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const percent = (share) => `${(100 * share).toFixed(share > 0.9995 || share < 0.0995 ? 2 : 1)} %`;
export const number = (value) => (Math.abs(value) >= 1e6 || (value && Math.abs(value) < 1e-4) ? value.toPrecision(6) : String(Number(value.toPrecision(6))));

/** A button that opens the choice of a file. */
export function fileButton(text, accept, chosen) {
  const input = make("input", { type: "file", accept });
  input.addEventListener("change", () => {
    if (input.files[0]) chosen(input.files[0]);
    input.value = "";
  });
  return make("label", { class: "file" }, text, input);
}

/** Lets a file be dropped on an element, or pasted while it has the focus. */
export function takeFiles(element, chosen) {
  element.classList.add("drop");
  const over = (on) => (event) => {
    event.preventDefault();
    element.classList.toggle("over", on);
  };
  element.addEventListener("dragover", over(true));
  element.addEventListener("dragleave", over(false));
  element.addEventListener("drop", (event) => {
    over(false)(event);
    if (event.dataTransfer.files[0]) chosen(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    if (element.isConnected && event.clipboardData.files[0]) chosen(event.clipboardData.files[0]);
  });
}

/** Shares as bars; the most likely first where there are many, else in the order of the classes. */
export function bars(top, best, classes) {
  const few = classes.length <= 12;
  const likely = Object.keys(top).sort((one, other) => top[other] - top[one]); // keys that are numbers come sorted by themselves
  const names = few ? classes.filter((name) => Object.hasOwn(top, name)) : likely.slice(0, 10);
  const long = names.some((name) => name.length > 4);
  return make("ul", { class: long ? "bars named" : "bars", "aria-label": "Probabilities" }, ...names.map((name) => {
    const fill = make("span", { class: "fill" });
    fill.style.width = `${100 * top[name]}%`;
    return make("li", { class: name === best ? "best" : "" },
      make("span", { class: "name", title: name }, name),
      make("span", { class: "track", "aria-hidden": "true" }, fill),
      make("span", { class: "value" }, percent(top[name])));
  }));
}

/** Effects as bars to the right (for the answer) and to the left (against it). */
export function signedBars(effects, told) {
  const most = Math.max(...effects.map(([, effect]) => Math.abs(effect)), 1e-12);
  return make("ul", { class: "bars named signed", "aria-label": "Effects" }, ...effects.map(([name, effect]) => {
    const fill = make("span", { class: effect < 0 ? "fill minus" : "fill plus" });
    fill.style.width = `${(50 * Math.abs(effect)) / most}%`;
    return make("li", {}, make("span", { class: "name", title: name }, name),
      make("span", { class: "track", "aria-hidden": "true" }, fill), make("span", { class: "value" }, told(effect)));
  }));
}

/** What the two colours of an explanation mean. */
export const key = (label) => make("p", {}, make("span", { class: "key" }, label === undefined ? "raises it" : `speaks for ${label}`),
  make("span", { class: "key against" }, label === undefined ? "lowers it" : "speaks against it"));

/** A colour of the page's own, as "r, g, b". */
export const tint = (effect) => getComputedStyle(document.documentElement).getPropertyValue(effect < 0 ? "--miss" : "--hit").trim();

/** An effect as it is told: points of probability, or of the number. */
export const effectTold = (label) => (effect) => `${effect < 0 ? "−" : "+"}${label === undefined ? number(Math.abs(effect)) : `${(100 * Math.abs(effect)).toFixed(1)} pt`}`;

/** The bytes that base64 stands for, and back. */
export const fromBase64 = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
export function toBase64(bytes) {
  let text = "";
  for (let begin = 0; begin < bytes.length; begin += 32768) text += String.fromCharCode(...bytes.subarray(begin, begin + 32768));
  return btoa(text);
}
