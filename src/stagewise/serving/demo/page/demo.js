// The page: which model, its input, its answer.
import { Refused, get, predict, topOf, useKey } from "./ask.js";
import { bars, make, number, percent } from "./view.js";
import { imageInput } from "./image.js";
import { forecast, seriesInput } from "./series.js";
import { soundInput } from "./sound.js";
import { tableInput } from "./table.js";
import { textInput } from "./text.js";

const KINDS = {
  image: ["Draw on the paper, or choose a picture.", imageInput],
  text: ["Type a text. It is read while you type.", textInput],
  table: ["Fill in a row. What is not known may stay empty.", tableInput],
  sound: ["Record something, or choose a recording.", soundInput],
  series: ["Paste the last rows of a series as CSV.", seriesInput],
};

const find = (id) => document.getElementById(id);
let about, input, current, turns = 0, asking = false, waiting = false;

async function begin() {
  try {
    const { models } = await get("/v1/models");
    find("key-form").hidden = true;
    find("key").value = "";
    find("models").replaceChildren(...models.map(({ name, version }) => make("option", { value: name }, `${name} ${version}`)));
    find("choice").hidden = models.length < 2;
    await choose(models[0].name);
  } catch (error) {
    if (error.status === 401) return askForKey();
    find("lead").textContent = error.message;
  }
}

function askForKey() {
  const tried = find("key").value !== "";
  find("lead").textContent = "This service answers to those who have a key.";
  find("main").hidden = true;
  find("key-form").hidden = false;
  find("key-told").textContent = tried ? "This key is not known here." : "";
  find("key").value = "";
  find("key").focus();
}

async function choose(name) {
  const turn = ++turns;
  const [told, model] = await Promise.all([get(`/demo/models/${encodeURIComponent(name)}`), get(`/v1/models/${encodeURIComponent(name)}`)]);
  if (turn !== turns) return; // another one was chosen meanwhile
  about = told;
  current = undefined;
  const [lead, makeInput] = KINDS[about.kind] ?? ["This page knows no form for what this model takes."];
  document.title = `${about.name}: try the model`;
  find("model").textContent = `${about.name} · ${about.version}`;
  find("lead").textContent = lead;
  find("card").textContent = model.card;
  clear();
  input = makeInput?.(about, changed);
  find("input").replaceChildren(...(input ? [input.element] : []));
  find("why-how").textContent = input?.how ?? "";
  showExamples();
  find("main").hidden = false;
  if (about.kind !== "image" && about.kind !== "sound" && about.examples.length) input?.take(about.examples[0]);
}

function showExamples() {
  const taken = about.examples.map((example) => make("li", {}, exampleButton(example)));
  find("examples").hidden = !taken.length || !input;
  find("examples").querySelector("ul").replaceChildren(...taken);
}

function exampleButton(example) {
  const shown = input?.picture?.(example);
  const content = shown ? make("img", { src: shown, alt: "", class: "pixels" }) : make("span", {}, input?.label?.(example) ?? example.name);
  return make("button", { type: "button", class: shown ? "" : "words", "aria-label": shown ? `Example ${example.name}` : false, onclick: () => input.take(example) }, content);
}

function clear(text = "Nothing is asked yet.") {
  find("told").replaceChildren(make("span", { class: "soft" }, text));
  for (const id of ["problem", "latency", "why-told"]) find(id).textContent = "";
  find("bars").replaceChildren();
  find("explanation").replaceChildren();
  find("why").hidden = true;
}

/** The input is another one now: {request, explain}, or nothing. */
function changed(next) {
  current = next;
  find("explanation").replaceChildren();
  find("why-told").textContent = "";
  if (!next) return clear();
  waiting = true;
  if (!asking) ask();
}

/** One question at a time; of those that came meanwhile only the last is asked. */
async function ask() {
  asking = true;
  while (waiting) {
    waiting = false;
    const asked = current, model = about;
    try {
      const began = performance.now();
      const answered = await predict(model.name, topOf(model), asked.request);
      if (model === about && current) show(answered, performance.now() - began, asked);
    } catch (error) {
      if (asked === current) failed(error);
    }
  }
  asking = false;
}

function show(answered, milliseconds, asked) {
  const answer = (asked.answer = answered.answers[0]);
  find("problem").textContent = "";
  find("latency").textContent = `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms there and back · ${answered.model} ${answered.version}`;
  find("told").replaceChildren(...headline(answer));
  if (answer.top) find("bars").replaceChildren(bars(answer.top, answer.label, about.target.classes));
  else if (answer.forecast) find("bars").replaceChildren(forecast(answer, input.rows?.()));
  else find("bars").replaceChildren();
  find("why").hidden = !current.explain || Boolean(answer.forecast);
}

function headline(answer) {
  if (answer.top) return [make("span", { class: "headline" }, answer.label, " ", make("small", {}, percent(answer.probability)))];
  if (answer.forecast) return [make("span", { class: "headline" }, `${answer.steps.length} steps ahead`)];
  if ("value" in answer) return [make("span", { class: "headline" }, number(answer.value), " ", make("small", {}, answer.unit))];
  return [make("code", {}, JSON.stringify(answer))];
}

function failed(error) {
  if (error.status === 401) return askForKey();
  clear("No answer.");
  find("problem").textContent = error.retry ? `${error.message} Try again in ${error.retry} s.` : error.message;
}

find("explain").addEventListener("click", async () => {
  const asked = current, button = find("explain");
  if (!asked?.explain || !asked.answer) return;
  button.disabled = true;
  find("why-told").textContent = "The model is asked about changed copies …";
  try {
    const { told, element } = await asked.explain(asked.answer);
    if (asked !== current) return;
    find("explanation").replaceChildren(element);
    find("why-told").textContent = told;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    find("why-told").textContent = error.message;
  } finally {
    button.disabled = false;
  }
});
find("models").addEventListener("change", (event) => choose(event.target.value).catch(failed));
find("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(find("key").value);
  begin();
});
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault()); // a file beside the paper must not replace the page
begin();
