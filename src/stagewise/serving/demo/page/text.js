// Texts: what was typed, and what each word does.
import { many, one, predictAll, score } from "./ask.js";
import { effectTold, key, make, signedBars, tint } from "./view.js";

const MOST_WORDS = 200;

export function textInput(about, changed) {
  const area = make("textarea", { id: "text", rows: 7, "aria-describedby": "text-note", spellcheck: "true" });
  const told = () => {
    const text = area.value;
    changed(text.trim() ? { request: one(text), explain: (answer) => explain(about, text, answer) } : undefined);
  };
  area.addEventListener("input", told);
  const element = make("div", {}, make("label", { for: "text" }, "Text"), area,
    make("p", { class: "note", id: "text-note" }, about.request.description ?? ""),
    make("div", { class: "row" }, make("button", { type: "button", onclick: () => {
      area.value = "";
      told();
      area.focus();
    } }, "Clear")));
  const read = (example) => {
    if (!example.name.endsWith(".json")) return example.text.trim();
    const { text } = JSON.parse(example.text);
    return text ?? "";
  };
  return {
    element,
    how: "One word after the other is left out. Where the answer suffers, the word counted.",
    take: (example) => {
      area.value = read(example);
      told();
    },
    label: (example) => read(example).slice(0, 60) || example.name,
  };
}

async function explain(about, text, answer) {
  const words = [...text.matchAll(/\S+/g)].slice(0, MOST_WORDS), label = answer.label;
  if (words.length < 2) return { told: "There is one word only: nothing would be left.", element: make("p") };
  const copies = words.map((word) => text.slice(0, word.index) + text.slice(word.index + word[0].length));
  const answers = await predictAll(about, [text, ...copies], 4 * text.length + 8, many);
  const whole = score(answers[0], label);
  const effects = answers.slice(1).map((without) => whole - score(without, label));
  const most = Math.max(...effects.map(Math.abs), 1e-12);
  const marked = make("p", { class: "marked" });
  let end = 0;
  words.forEach((word, number) => {
    const mark = make("mark", { title: effectTold(label)(effects[number]) }, word[0]);
    mark.style.backgroundColor = `rgba(${tint(effects[number])}, ${(0.75 * Math.abs(effects[number])) / most})`;
    marked.append(text.slice(end, word.index), mark);
    end = word.index + word[0].length;
  });
  marked.append(text.slice(end));
  const order = words.map((word, number) => [word[0], effects[number]]).sort((one, other) => Math.abs(other[1]) - Math.abs(one[1]));
  return {
    told: `“${order[0][0]}” counts most (${effectTold(label)(order[0][1])}).`,
    element: make("div", {}, key(label), marked, signedBars(order.slice(0, 8), effectTold(label))),
  };
}
